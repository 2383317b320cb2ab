"""Which outside file formats are read and written; importing one format loads no other."""

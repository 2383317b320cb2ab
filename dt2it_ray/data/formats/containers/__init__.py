"""How files of rows are taken apart, one module per kind of container; none knows what a row means."""

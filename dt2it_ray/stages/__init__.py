"""What the steps are: declared columns, settings and wiring, one file per stage."""

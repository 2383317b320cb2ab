"""How stages run: in this process, on Ray Data, on Ray Train."""

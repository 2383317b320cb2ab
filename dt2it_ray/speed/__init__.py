"""How fast the system is, against a plain way of doing the same: what `jobs/benchmark.py` measures."""

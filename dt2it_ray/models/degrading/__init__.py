"""Answers that a model itself makes worse: what it is told."""

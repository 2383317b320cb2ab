"""Answers from vLLM's async engine on the worker's own accelerators."""

"""Answers from an OpenAI-compatible server: a vLLM server or a commercial API."""

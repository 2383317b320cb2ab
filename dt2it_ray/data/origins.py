"""Who wrote an answer, as the `origins` of CANDIDATES say it."""

MODEL = "model:"
"""Begins the origin of an answer that a model wrote; the model's name follows."""
DEGRADED = "degraded:"
"""Begins the origin of an answer that was made worse on purpose; what was done to it follows."""
REFERENCE = "reference"
"""The origin of an answer that came with the data."""

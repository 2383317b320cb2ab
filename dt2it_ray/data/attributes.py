"""What the granular rating tells about an answer, and in which numbers (arXiv 2402.10884)."""

from collections.abc import Mapping, Sequence

ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
"""The five attributes, in the order in which their values are kept."""

QUALITY = ATTRIBUTES[:3]
"""Their sum is the quality Q of an answer: 0 to 12 points. Complexity and verbosity describe; more is not better."""

MIN_RATING, MAX_RATING = 0, 4
"""Range of an attribute's value, an integer."""


def attribute_text(values: Sequence[int]) -> str:
    """The values, in the order of `ATTRIBUTES`, as SteerLM models read and write them: `helpfulness:4,...`."""
    return ",".join(f"{name}:{value}" for name, value in zip(ATTRIBUTES, values, strict=True))


def attribute_values(by_name: Mapping[str, int]) -> tuple[int, ...]:
    """Values by name in the order of `ATTRIBUTES`."""
    return tuple(by_name[name] for name in ATTRIBUTES)

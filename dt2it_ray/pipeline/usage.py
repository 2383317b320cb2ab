"""What a run asked of model engines: replies, how many the cache had, tokens, and money spent and saved."""

from collections.abc import Iterable

from dt2it_ray.store.manifest import Manifest

FIGURES = ("replies", "hits", "input_tokens", "output_tokens", "spent", "saved")
"""Metrics of a step that asks an engine, summed over the calls that made its parts, interrupted ones included."""


def usage_of(manifests: Iterable[Manifest]) -> dict[str, float]:
    """The figures summed over steps; nothing if no step asked an engine that counts."""
    told = [manifest.metrics for manifest in manifests if "replies" in manifest.metrics]
    return {name: sum(metrics.get(name, 0) for metrics in told) for name in FIGURES} if told else {}


def told_usage(manifest: Manifest) -> str:
    """What a person is told of a step's engine, to stand behind its other figures."""
    usage = usage_of([manifest])
    if not usage or not usage["replies"]:
        return ""
    paid = f", {usage['spent']:.2f} spent and {usage['saved']:.2f} saved" if usage["spent"] or usage["saved"] else ""
    return f", {usage['hits']:,} of {usage['replies']:,} replies from the cache{paid}"

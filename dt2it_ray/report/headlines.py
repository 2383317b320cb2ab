"""Which few figures stand at the top of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from dt2it_ray.report.accuracy import BASELINE, models_measured
from dt2it_ray.report.content import ReportContent

SECONDS_PER_MINUTE = 60
MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Headline:
    """One figure with what it is and what to compare it with."""

    label: str
    value: str
    note: str


def headlines(content: ReportContent) -> Sequence[Headline]:
    """The figures that the run has, the most important first."""
    found = [_accuracy(content), *_truth(content), _cost(content)]
    return [headline for headline in found if headline is not None]


def duration(seconds: float) -> str:
    """Seconds as a person says them: `48.2 s`, `6 min 12 s`, `3 h 05 min`."""
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), SECONDS_PER_MINUTE)
    if minutes < SECONDS_PER_MINUTE:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // SECONDS_PER_MINUTE} h {minutes % SECONDS_PER_MINUTE:02d} min"


def _accuracy(content: ReportContent) -> Headline | None:
    told = content.summary.get("benchmarks", {})
    means = {
        model: told[model]["mean_accuracy"]
        for model in models_measured(content.summary)
        if told[model].get("mean_accuracy") is not None
    }
    curated = [model for model in means if model != BASELINE]
    if not curated:
        return None
    final, baseline = means[curated[-1]], means.get(BASELINE)
    if baseline is None:
        return Headline("Mean accuracy", f"{final:.3f}", f"{curated[-1]}; no raw-data baseline was trained")
    gap = f"{100 * (final - baseline):+.1f} points against {baseline:.3f} from the trusted pairs and the raw pool"
    return Headline("Mean accuracy", f"{final:.3f}", f"{curated[-1]}, {gap}")


def _truth(content: ReportContent) -> list[Headline]:
    overall = [truth for truth in content.truths if not truth.source]
    if not overall:
        return []
    last = overall[-1]
    told = []
    if last.recall is not None:
        note = f"{last.caught:,} of {last.wrong:,} labels planted wrong ({last.name})"
        told.append(Headline("Wrong labels caught", f"{last.recall:.1%}", note))
    if last.precision is not None:
        note = f"{last.caught:,} of {last.touched:,} flipped or dropped pairs were wrong ({last.name})"
        told.append(Headline("Changes justified", f"{last.precision:.1%}", note))
    if last.noise_before is not None and last.noise_after is not None:
        note = f"wrong labels in the pool, from {last.noise_before:.1%} as it came"
        told.append(Headline("Label noise left", f"{last.noise_after:.1%}", note))
    return told


def _cost(content: ReportContent) -> Headline | None:
    wall_s, peak = content.summary.get("wall_s"), content.summary.get("peak_rss_mib")
    if wall_s is None:
        return None
    memory = f"with up to {peak / MIB_PER_GIB:.1f} GiB of memory in use" if peak else ""
    return Headline("Time of all calls", duration(wall_s), memory)

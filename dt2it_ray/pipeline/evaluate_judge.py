"""How a generative judge's verdicts on the rows of a benchmark are got, and become rewards: its votes for each side."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from dt2it_ray.models.backbones import TINY, find_backbone
from dt2it_ray.models.engines import with_checkpoint
from dt2it_ray.models.protocols import Judge
from dt2it_ray.pipeline.evaluate_models import ModelRewards
from dt2it_ray.pipeline.evaluate_prompts import MIRRORED, Lost, place_of, prompts_of
from dt2it_ray.pipeline.evaluate_rows import LoadedBenchmark
from dt2it_ray.pipeline.evaluate_score import EvaluatePlace
from dt2it_ray.rules.benchmarks import category_of
from dt2it_ray.rules.judge_figures import Judged, judge_figures, votes_of
from dt2it_ray.stages.judge_pairs import PairJudgeSettings, judge_pairs, open_pair_judge
from dt2it_ray.stages.stage import Workplace

Verdicts = Mapping[int, Sequence[tuple[Judged, str]]]


def from_judge(loaded: LoadedBenchmark, settings: PairJudgeSettings, place: EvaluatePlace) -> ModelRewards:
    """The votes of a judge for every row. A row with an unparsable verdict has none and counts as wrong.

    Raises:
        StoreError, ConfigError: its checkpoint cannot be read. StageFailed: its server is down.
    """
    if settings.engine is not None:
        checkpoint = with_checkpoint(settings.engine, find_backbone(TINY))
        settings = settings.model_copy(update={"engine": checkpoint})
    judge = open_pair_judge(settings, Workplace(device=place.device, threads=place.threads, replies=place.replies))
    try:
        verdicts, lost = judge_rows(loaded, judge, settings, place.batch_rows)
    finally:
        getattr(judge, "close", lambda: None)()
    made = judged_rewards(loaded, settings, verdicts, lost)
    usage = getattr(judge, "usage", None)
    return replace(made, told={**made.told, "engine": asdict(usage) if usage is not None else None})


def judge_rows(
    loaded: LoadedBenchmark, judge: Judge, settings: PairJudgeSettings, batch_rows: int
) -> tuple[Verdicts, Lost]:
    """Verdicts by the place of the row, and why others have none."""
    verdicts: dict[int, list[tuple[Judged, str]]] = {}
    lost: Lost = {}
    for prompts, unread in prompts_of(loaded, batch_rows):
        lost |= unread
        told = judge_pairs(prompts, judge, settings)
        for prompt, said in zip(prompts, told, strict=True):
            verdicts.setdefault(place_of(prompt["prompt_id"]), []).extend(
                _numbered(said, prompt["prompt_id"], settings)
            )
    return verdicts, lost


def _numbered(said: Sequence[tuple[Judged, str]], name: str, settings: PairJudgeSettings) -> list[tuple[Judged, str]]:
    """The verdicts; those with the images turned round are further samples."""
    more = settings.samples if name.endswith(MIRRORED) else 0
    return [(replace(one, sample=one.sample + more), why) for one, why in said]


def judged_rewards(
    loaded: LoadedBenchmark, settings: PairJudgeSettings, verdicts: Verdicts, lost: Lost
) -> ModelRewards:
    """Votes as rewards, with the figures that only a judge has, over rows whose label is no tie."""
    labelled = {place: pair for place, pair in enumerate(loaded.pairs) if pair is not None and pair.chosen is not None}
    rows = [[one for one, _ in verdicts.get(place, ())] for place in labelled]
    categories = [category_of(loaded.format.name, pair.item, pair.category) for pair in labelled.values()]
    evidence = {
        place: next(why for one, why in said if why) for place, said in verdicts.items() if any(why for _, why in said)
    }
    return ModelRewards(
        name=settings.name,
        kind="judge",
        rewards=[votes_of([one for one, _ in verdicts.get(place, ())]) for place in range(len(loaded.rows))],
        told={
            "protocol": {"name": settings.protocol, "orders": 2, "samples": settings.samples},
            "judge": judge_figures(rows, categories),
        },
        margins=False,
        lost={**{place: f"unparsable: {why}" for place, why in evidence.items()}, **lost},
    )

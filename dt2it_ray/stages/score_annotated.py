"""How answers of the embedded world are scored behind critiques that a simulated annotator writes of them."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.schema import PROMPTS, SCORES
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Conversation, Scorer
from dt2it_ray.settings import Settings
from dt2it_ray.stages.critiques import annotated
from dt2it_ray.stages.score import SCORE, by_answer
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class AnnotatedScoreSettings(Settings):
    """Who writes the critiques, and how the model behind them scores."""

    annotator: AnnotatorSettings = AnnotatorSettings(malformed=0, fenced=0)
    """The simulated annotator, as in `CritiqueSettings`."""
    score: ScoreSettings = ScoreSettings()


def build_annotated_scoring(settings: AnnotatedScoreSettings, place: Workplace) -> BatchFn:
    """A function from prompts to one score per answer, with the reward model of the input named `model`, which reads
    critiques."""
    from dt2it_ray.models.open_scorer import open_scorer

    scorer = open_scorer(f"{place.folders['model']}/model", settings.score, device=place.device, threads=place.threads)
    return lambda batch: score_annotated(batch, scorer, settings.annotator)


def score_annotated(batch: pa.Table, scorer: Scorer, annotator: AnnotatorSettings) -> Outcome:
    """One row per answer, as `score_batch`. Raises InputError for a prompt without a planted truth."""
    critiques = annotated(batch, annotator).rows["critique"].to_pylist()

    def ask(conversations: Sequence[Conversation]) -> list[float | Dropped]:
        both = zip(conversations, critiques, strict=True)
        return scorer.score([replace(conversation, critique=critique) for conversation, critique in both])

    return by_answer(batch, ask, SCORES)


SCORE_ANNOTATED = MapStage(
    name="score_annotated",
    version=1,
    reads=pa.schema([*SCORE.reads, PROMPTS.field("language"), PROMPTS.field("scene")]),
    writes=SCORES,
    build=build_annotated_scoring,
    per="prompt_id",
)

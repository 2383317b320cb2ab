"""How answers get critiques, and how pairs get those of their answers."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import model_validator

from dt2it_ray.data.criteria import CRITERIA
from dt2it_ray.data.critiques import CRITIQUE_COLUMNS, CRITIQUED_PAIRS, CRITIQUES
from dt2it_ray.data.scenes.annotator import AnnotatorSettings, Sheet, annotate
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.schema import CANDIDATES, PAIRS, PROMPTS
from dt2it_ray.errors import InputError
from dt2it_ray.models.engines import EngineSettings, idle_sampling, open_generator
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.rules.judge_reply import Reply, parse_reply
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.score import by_answer
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, NoSettings, Outcome, Workplace

GREEDY = SamplingSettings(temperature=0, max_new_tokens=64)
"""The likeliest critique (arXiv 2502.10391)."""


class CritiqueSettings(Settings):
    """Who writes the critiques that a model learns from."""

    annotator: AnnotatorSettings = AnnotatorSettings(malformed=0, fenced=0)
    """The simulated annotator of the embedded world, whose reason for the score of accuracy is the critique; it writes
    unless there is an `engine`."""
    engine: EngineSettings | None = None
    """The chat model that writes."""
    sampling: SamplingSettings = GREEDY

    @model_validator(mode="after")
    def _has_who_heeds_its_settings(self) -> "CritiqueSettings":
        default = type(self).model_fields
        if self.annotator.malformed or self.annotator.fenced:
            raise ValueError("annotator.malformed and annotator.fenced are of forms; critiques are text: set both to 0")
        if self.engine is None and self.sampling != GREEDY:
            raise ValueError("sampling does nothing for a simulated annotator; leave it out")
        if self.engine is not None and self.annotator != default["annotator"].default:
            raise ValueError("annotator does nothing beside an engine; leave it out")
        if self.engine is not None and (problem := idle_sampling(self.sampling, self.engine)):
            raise ValueError(problem)
        return self


def build_critiques(settings: CritiqueSettings, place: Workplace) -> BatchFn:
    """A function from prompts with answers to a critique of every answer."""
    if settings.engine is None:
        return lambda batch: annotated(batch, settings.annotator)
    from dt2it_ray.models.critic import Critic

    generator = open_generator(settings.engine, settings.sampling, place.device, place.threads, place.replies)
    critic = Critic(generator)
    return EngineFn(lambda batch: critiqued(batch, critic), generator)


def annotated(batch: pa.Table, settings: AnnotatorSettings) -> Outcome:
    """One row per answer, by the planted truth. Raises InputError for a prompt without any."""
    made = []
    for row in batch.to_pylist():
        if row["scene"] is None:
            raise InputError(
                f"prompt {row['prompt_id']} has no planted truth, which a simulated annotator needs: set an engine"
            )
        truth = Truth.from_json(row["scene"])
        for answer in row["answers"]:
            sheet = Sheet(truth, row["question"], row["language"], (answer["text"],))
            reply = parse_reply(annotate(settings, "critic", sheet, 0), 1)
            assert isinstance(reply, Reply), reply
            critique = reply.answers[0].analysis[CRITERIA.index("accuracy")]
            made.append({"answer_id": answer["answer_id"], "prompt_id": row["prompt_id"], "critique": critique})
    return Outcome(pa.Table.from_pylist(made, schema=CRITIQUES))


def critiqued(batch: pa.Table, critic: Any) -> Outcome:
    """One row per answer, by a `Critic`. A prompt with an answer that gets no critique is dropped whole."""
    return by_answer(batch, critic.write, CRITIQUES)


def join_critiques(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """The pairs with the critiques of their answers, null where there is none."""
    critiques = tables["critiques"]
    known, texts = critiques["answer_id"].combine_chunks(), critiques["critique"].combine_chunks()
    pairs = tables["pairs"]
    for side, column in zip(("chosen_id", "rejected_id"), CRITIQUE_COLUMNS, strict=True):
        pairs = pairs.append_column(column, texts.take(pc.index_in(pairs[side], value_set=known).combine_chunks()))
    return Outcome(pairs.select(CRITIQUED_PAIRS.names))


_ASKED = [PROMPTS.field(name) for name in ("prompt_id", "language", "images", "history", "question", "scene")]
WRITE = MapStage(
    name="critiques",
    version=1,
    reads=pa.schema([*_ASKED, CANDIDATES.field("answers")]),
    writes=CRITIQUES,
    build=build_critiques,
    per="prompt_id",
)
JOIN = GatherStage(
    name="critiqued_pairs",
    version=1,
    reads={"pairs": PAIRS, "critiques": pa.schema([CRITIQUES.field("answer_id"), CRITIQUES.field("critique")])},
    writes=CRITIQUED_PAIRS,
    decide=join_critiques,
)

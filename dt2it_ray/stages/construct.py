"""How debiased pairs are made: candidates from one model, two judges, pairs where both agree (arXiv 2604.19544)."""

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa
from pydantic import Field, model_validator

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ids import answer_id
from dt2it_ray.data.schema import CANDIDATES, JUDGEMENTS, PAIRS, PROMPTS, DropReason
from dt2it_ray.models.engines import EngineSettings, open_generator
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest, Generator
from dt2it_ray.rules.pairing import form_pairs
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.judges import ListwiseSettings, PointwiseSettings
from dt2it_ray.stages.reliability import ReliabilitySettings
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, Outcome, Workplace
from dt2it_ray.stages.style import StyleProbeSettings


class GenerateSettings(Settings):
    """How candidates are drawn: all of a prompt from the same model, so that style carries no label."""

    samples: int = Field(default=4, ge=2)
    """Answers drawn per prompt (K of the paper, about 4). Equal texts count once."""
    fewest: int = Field(default=2, ge=1, le=2)
    """Distinct answers that a prompt must get, or it is dropped. With diversity enhancement one is enough."""
    sampling: SamplingSettings = SamplingSettings()
    engine: EngineSettings = EngineSettings()


class PairSettings(Settings):
    """Which of the agreed comparisons become pairs."""

    max_pairs: int = Field(default=0, ge=0)
    """Most pairs of one prompt, drawn without regard to their strength; 0 keeps all (arXiv 2604.19544)."""
    order_consistency: Literal["mean", "strict"] = "mean"
    """What a listwise judge that saw two orders must say: `mean` averages them, `strict` wants the same direction in
    both of every judge."""


class ConstructSettings(Settings):
    """The steps of the construction of debiased pairs, and what is measured of it."""

    generate: GenerateSettings = GenerateSettings()
    listwise: ListwiseSettings = ListwiseSettings()
    pointwise: PointwiseSettings = PointwiseSettings()
    pairs: PairSettings = PairSettings()
    reliability: ReliabilitySettings = ReliabilitySettings()
    """How the judges are measured; the models behind them are filled in."""
    style: StyleProbeSettings = StyleProbeSettings()
    """How it is measured whether style tells the labels."""

    @model_validator(mode="after")
    def _has_two_orders_to_compare(self) -> "ConstructSettings":
        if self.pairs.order_consistency == "strict" and self.listwise.orders == 1:
            raise ValueError("pairs.order_consistency: strict compares two orders; set listwise.orders: 2 too")
        return self


def build_generation(settings: GenerateSettings, place: Workplace) -> BatchFn:
    """A function from prompts to their distinct sampled answers."""
    generator = open_generator(settings.engine, settings.sampling, place.device, place.threads)
    origin = f"model:{model_name(settings.engine)}"
    return EngineFn(lambda batch: generate_batch(batch, generator, settings, origin), generator)


def model_name(engine: EngineSettings) -> str:
    """What origins call the model of an engine: a server's by its name, a checkpoint by its content's hash."""
    if engine.endpoint is not None:
        return engine.endpoint.model
    assert engine.backbone is not None
    return f"backbone-{engine.backbone.digest}"


def generate_batch(batch: pa.Table, generator: Generator, settings: GenerateSettings, origin: str) -> Outcome:
    """Distinct answers per prompt, in order of their ids; a prompt with fewer than `settings.fewest` is dropped."""
    rows, samples = batch.to_pylist(), settings.samples
    made = generator.generate([_request(row, samples) for row in rows])
    candidates, refused = [], []
    for row, completions in zip(rows, made, strict=True):
        prompt = row["prompt_id"]
        if isinstance(completions, Dropped):
            refused.append(completions.row(prompt))
            continue
        texts = sorted({text for completion in completions if (text := completion.text.strip())})
        answers = sorted(({"answer_id": answer_id(prompt, t), "text": t} for t in texts), key=lambda a: a["answer_id"])
        if len(answers) < settings.fewest:
            trouble = Dropped(DropReason.TOO_FEW_ANSWERS, f"{samples} samples gave {len(answers)} distinct answers")
            refused.append(trouble.row(prompt))
            continue
        origins = [origin] * len(answers)
        candidates.append({"prompt_id": prompt, "answers": answers, "origins": origins, "samples": len(completions)})
    return Outcome(pa.Table.from_pylist(candidates, schema=CANDIDATES), dropped_table(refused))


def _request(row: dict, samples: int) -> GenerationRequest:
    images = tuple(image["bytes"] for image in row["images"])
    return GenerationRequest(row["prompt_id"], (user_turn(row["question"], len(images)),), images, samples)


GENERATE = MapStage(
    name="generate",
    version=2,
    reads=pa.schema([PROMPTS.field(name) for name in ("prompt_id", "images", "question")]),
    writes=CANDIDATES,
    build=build_generation,
)


def pair_candidates(tables: Mapping[str, pa.Table], settings: PairSettings) -> Outcome:
    """Pairs of answers whose order both judges agree on, with the mean gap of their overall scores as strength."""
    listwise, pointwise = (judgements_of(tables, mode) for mode in ("listwise", "pointwise"))
    both_orders = settings.order_consistency == "strict"
    made = form_pairs(listwise, pointwise, tables["rows"], settings.max_pairs, both_orders)
    return Outcome(made.pairs, metrics=made.counts)


def judgements_of(tables: Mapping[str, pa.Table], mode: str) -> pa.Table:
    """The judgements of all judges of a panel, whose inputs are named `MODE/JUDGE`."""
    return pa.concat_tables([tables[name] for name in sorted(tables) if name.startswith(f"{mode}/")])


JUDGED = pa.schema([JUDGEMENTS.field(name) for name in ("prompt_id", "judge", "shown", "assessments")])
FORM_PAIRS = GatherStage(
    name="pairs",
    version=2,
    reads={
        "listwise/*": JUDGED,
        "pointwise/*": JUDGED,
        "rows": pa.schema([PROMPTS.field("prompt_id"), PROMPTS.field("source")]),
    },
    writes=PAIRS,
    decide=pair_candidates,
)

"""How debiased pairs are made: candidates from one model, two judges, pairs where both agree (arXiv 2604.19544)."""

from collections.abc import Mapping

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ids import answer_id
from dt2it_ray.data.schema import CANDIDATES, JUDGEMENTS, PAIRS, PROMPTS, DropReason
from dt2it_ray.models.engines import EngineSettings, open_generator
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest, Generator
from dt2it_ray.rules.pairing import form_pairs
from dt2it_ray.settings import Settings
from dt2it_ray.stages.judge import JudgeSettings
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, Outcome, Workplace


class GenerateSettings(Settings):
    """How candidates are drawn: all of a prompt from the same model, so that style carries no label."""

    samples: int = Field(default=4, ge=2)
    """Answers drawn per prompt (K of the paper, about 4). Equal texts count once."""
    sampling: SamplingSettings = SamplingSettings()
    engine: EngineSettings = EngineSettings()


class PairSettings(Settings):
    """Which of the agreed comparisons become pairs."""

    max_pairs: int = Field(default=0, ge=0)
    """Most pairs of one prompt, drawn without regard to their strength; 0 keeps all (arXiv 2604.19544)."""


class ConstructSettings(Settings):
    """The four steps of the construction of debiased pairs."""

    generate: GenerateSettings = GenerateSettings()
    listwise: JudgeSettings = JudgeSettings()
    pointwise: JudgeSettings = JudgeSettings()
    pairs: PairSettings = PairSettings()


def build_generation(settings: GenerateSettings, place: Workplace) -> BatchFn:
    """A function from prompts to their distinct sampled answers."""
    generator = open_generator(settings.engine, settings.sampling, place.device, place.threads)
    return lambda batch: generate_batch(batch, generator, settings.samples)


def generate_batch(batch: pa.Table, generator: Generator, samples: int) -> Outcome:
    """Distinct answers per prompt, in order of their ids; a prompt with fewer than two is dropped."""
    rows = batch.to_pylist()
    made = generator.generate([_request(row, samples) for row in rows])
    candidates, refused = [], []
    for row, completions in zip(rows, made, strict=True):
        prompt = row["prompt_id"]
        if isinstance(completions, Dropped):
            refused.append(completions.row(prompt))
            continue
        texts = sorted({text for completion in completions if (text := completion.text.strip())})
        answers = sorted(({"answer_id": answer_id(prompt, t), "text": t} for t in texts), key=lambda a: a["answer_id"])
        if len(answers) < 2:
            trouble = Dropped(DropReason.TOO_FEW_ANSWERS, f"{samples} samples gave {len(answers)} distinct answers")
            refused.append(trouble.row(prompt))
            continue
        candidates.append({"prompt_id": prompt, "answers": answers, "samples": len(completions)})
    return Outcome(pa.Table.from_pylist(candidates, schema=CANDIDATES), dropped_table(refused))


def _request(row: dict, samples: int) -> GenerationRequest:
    images = tuple(image["bytes"] for image in row["images"])
    return GenerationRequest(row["prompt_id"], (user_turn(row["question"], len(images)),), images, samples)


GENERATE = MapStage(
    name="generate",
    version=1,
    reads=pa.schema([PROMPTS.field(name) for name in ("prompt_id", "images", "question")]),
    writes=CANDIDATES,
    build=build_generation,
)


def pair_candidates(tables: Mapping[str, pa.Table], settings: PairSettings) -> Outcome:
    """Pairs of answers whose order both judges agree on, with the mean gap of their overall scores as strength."""
    made = form_pairs(tables["listwise"], tables["pointwise"], tables["rows"], settings.max_pairs)
    return Outcome(made.pairs, metrics=made.counts)


JUDGED = pa.schema([JUDGEMENTS.field("prompt_id"), JUDGEMENTS.field("assessments")])
FORM_PAIRS = GatherStage(
    name="pairs",
    version=1,
    reads={
        "listwise": JUDGED,
        "pointwise": JUDGED,
        "rows": pa.schema([PROMPTS.field("prompt_id"), PROMPTS.field("source")]),
    },
    writes=PAIRS,
    decide=pair_candidates,
)

"""How candidates are made: distinct answers sampled from one model."""

import pyarrow as pa
from pydantic import Field, model_validator

from dt2it_ray.data.chat import asked
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ids import answer_id
from dt2it_ray.data.origins import MODEL
from dt2it_ray.data.schema import CANDIDATES, PROMPTS, DropReason
from dt2it_ray.models.engines import EngineSettings, idle_sampling, open_generator
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest, Generator
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class GenerateSettings(Settings):
    """How candidates are drawn: all of a prompt from the same model, so that style carries no label."""

    samples: int = Field(default=4, ge=2)
    """Answers drawn per prompt (K of the paper, about 4). Equal texts count once."""
    fewest: int = Field(default=2, ge=1, le=2)
    """Distinct answers that a prompt must get, or it is dropped. With diversity enhancement one is enough."""
    sampling: SamplingSettings = SamplingSettings()
    engine: EngineSettings = EngineSettings()

    @model_validator(mode="after")
    def _has_an_engine_for_its_sampling(self) -> "GenerateSettings":
        if problem := idle_sampling(self.sampling, self.engine):
            raise ValueError(problem)
        return self


def build_generation(settings: GenerateSettings, place: Workplace) -> BatchFn:
    """A function from prompts to their distinct sampled answers."""
    generator = open_generator(settings.engine, settings.sampling, place.device, place.threads, place.replies)
    origin = f"{MODEL}{model_name(settings.engine)}"
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
    messages = tuple(asked(row["question"], len(images), row["history"]))
    return GenerationRequest(row["prompt_id"], messages, images, samples)


GENERATE = MapStage(
    name="generate",
    version=3,
    reads=pa.schema([PROMPTS.field(name) for name in ("prompt_id", "images", "history", "question")]),
    writes=CANDIDATES,
    build=build_generation,
)

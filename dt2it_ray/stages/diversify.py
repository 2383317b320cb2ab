"""How prompts whose answers are all good or all bad get answers of the other kind (arXiv 2604.19544, section 1.1.1)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import pyarrow as pa
from pydantic import Field, model_validator

from dt2it_ray.data.answer_tables import NEEDS
from dt2it_ray.data.chat import asked, transcript
from dt2it_ray.data.dropped import ASKED_AGAIN, Dropped, dropped_table
from dt2it_ray.data.origins import DEGRADED, MODEL, REFERENCE
from dt2it_ray.data.schema import CANDIDATES, PROMPTS, DropReason
from dt2it_ray.models.degrading.prompt import contradiction_message
from dt2it_ray.models.engines import EngineSettings, idle_sampling, open_generator
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest, Generator
from dt2it_ray.rules.additions import (
    Addition,
    BetterKind,
    Company,
    WorseKind,
    answers_in_turn,
    degradations,
    in_turn,
)
from dt2it_ray.rules.degrade import Degradation
from dt2it_ray.rules.diversity import is_usable_rewrite
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.generate import model_name
from dt2it_ray.stages.stage import UNANSWERED, BatchFn, MapStage, Outcome, Workplace

Row = Mapping[str, Any]


class AdditionSettings(Settings):
    """Which answers are added, and how many. arXiv 2604.19544 does both and publishes neither kinds nor numbers."""

    worse: tuple[WorseKind, ...] = ("contradiction", "colour", "number", "place", "yes_no", "entity", "truncation")
    """Ways in which an answer is made worse: written anew by `engine` so that the picture contradicts it, one word
    swapped for another of its kind, or cut off. The swaps are for English and Chinese and keep style and length."""
    most_worse: int = Field(default=2, ge=1, le=8)
    """Degraded answers of a prompt at most, each of another kind. Ours."""
    order: Literal["drawn", "listed"] = "drawn"
    """In which order kinds are tried: `drawn` by a hash of the prompt, so that all occur, or as `listed`."""
    better: tuple[BetterKind, ...] = ("reference", "engine")
    """Where better answers come from: the data's reference, or a stronger model, if `better_engine` is given."""
    most_better: int = Field(default=1, ge=1, le=8)
    """Better answers of a prompt at most. Ours."""
    engine: EngineSettings | None = None
    """Who writes contradictions. None: the model that is sampled from, so that style carries no label."""
    better_engine: EngineSettings | None = None
    """The stronger model."""
    sampling: SamplingSettings = SamplingSettings()
    """Of both engines."""
    template: Literal["contradiction-1"] = "contradiction-1"
    """What the writer of contradictions is told. Another wording is another template."""
    length_ratio: float = Field(default=1.5, ge=1)
    """A contradiction that is longer or shorter than its original by more than this factor is not used. Ours."""

    @model_validator(mode="after")
    def _has_engines_that_fit(self) -> "AdditionSettings":
        if problem := engine_problem(self):
            raise ValueError(problem)
        return self


@dataclass(frozen=True)
class Writers:
    """The engines that write additions; None where there is none."""

    contradictions: Generator | None = None
    better: Generator | None = None
    better_name: str = ""


def build_diversifying(settings: AdditionSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates and needs to candidates, some of them with additions."""

    def opened(engine: EngineSettings | None, wanted: bool) -> Generator | None:
        if engine is None or not wanted:
            return None
        return open_generator(engine, settings.sampling, place.device, place.threads, place.replies)

    better = opened(settings.better_engine, "engine" in settings.better)
    name = model_name(settings.better_engine) if better and settings.better_engine else ""
    try:
        contradictions = opened(settings.engine, "contradiction" in settings.worse)
    except Exception:
        EngineFn(lambda batch: Outcome(batch), better).close()
        raise
    writers = Writers(contradictions, better, name)
    engines = [engine for engine in (writers.contradictions, writers.better) if engine]
    return EngineFn(lambda batch: diversify_batch(batch, writers, settings), *engines)


def engine_problem(settings: AdditionSettings) -> str:
    """Why both engines do not fit on one worker or heed a setting of the sampling; empty if all is well."""
    asked = [settings.better_engine if "engine" in settings.better else None]
    asked += [settings.engine if "contradiction" in settings.worse else None]
    engines = [engine for engine in asked if engine]
    shares = [engine.vllm.gpu_memory_utilization for engine in engines if engine.kind == "vllm"]
    if round(sum(shares), 6) > 1:
        return (
            f"engine and better_engine run on one worker and want {shares[1]} and {shares[0]} of its GPU's memory; set "
            "vllm.gpu_memory_utilization of both so that they sum to 1 at most (0.45 each), or give one as an endpoint"
        )
    # Who writes contradictions may not be known yet.
    is_unknown = settings.engine is None and "contradiction" in settings.worse
    return "" if is_unknown else idle_sampling(settings.sampling, *engines)


def diversify_batch(batch: pa.Table, writers: Writers, settings: AdditionSettings) -> Outcome:
    """The candidates of every prompt, with additions where they are needed and there are any.

    A prompt that is left with one answer is dropped. An engine that fails for a prompt only costs it that addition.
    """
    rows, counts = batch.to_pylist(), Counter[str]()
    written = _contradictions(rows, writers, settings, counts) | _better_answers(rows, writers, settings, counts)
    candidates, refused = [], []
    for row in rows:
        company = _company(row)
        for kind in _turns(row, settings):
            made = written.get((row["prompt_id"], kind), [])
            _admit(company, kind, iter(made) if made else _by_rule(row, kind), _most(row, settings))
        counts.update(f"added.{addition.origin.removeprefix(DEGRADED)}" for addition in company.added)
        made_row = company.row(row["samples"])
        if len(made_row["answers"]) < 2:
            trouble = Dropped(
                DropReason.TOO_FEW_ANSWERS, f"one answer of {row['samples']} samples, none could be added"
            )
            refused.append(trouble.row(row["prompt_id"]))
        else:
            candidates.append(made_row)
            counts["enlarged"] += bool(company.added)
    return Outcome(pa.Table.from_pylist(candidates, schema=CANDIDATES), dropped_table(refused), dict(counts))


def _company(row: Row) -> Company:
    return Company(row["prompt_id"], row["answers"], row["origins"])


def _turns(row: Row, settings: AdditionSettings) -> Sequence[str]:
    """The kinds of additions that are tried for a prompt, in turn."""
    if row["need"] == "worse":
        return in_turn(settings.worse, row["prompt_id"], settings.order)
    return settings.better if row["need"] == "better" else ()


def _most(row: Row, settings: AdditionSettings) -> int:
    return settings.most_worse if row["need"] == "worse" else settings.most_better


def _by_rule(row: Row, kind: str) -> Iterator[Addition]:
    """What can be added without an engine."""
    if kind == REFERENCE:
        return iter([Addition(row["reference"].strip(), REFERENCE)] if row["reference"] else [])
    if kind in ("contradiction", "engine"):
        return iter(())
    return degradations(row["question"], row["answers"], cast(Degradation, kind))


def _admit(company: Company, kind: str, additions: Iterator[Addition], most: int) -> None:
    """Add one of the additions, or, from an engine that answered several times, as many as there is room for."""
    while len(company.added) < most and company.admit(additions) and kind == "engine":
        pass


def _is_asked(row: Row, kind: str, settings: AdditionSettings) -> bool:
    """Whether an engine has a turn at a prompt: not if the kinds before it add enough."""
    company, turns = _company(row), list(_turns(row, settings))
    for before in turns[: turns.index(kind)] if kind in turns else ():
        _admit(company, before, _by_rule(row, before), _most(row, settings))
    return kind in turns and len(company.added) < _most(row, settings)


Written = dict[tuple[str, str], list[Addition]]
"""Additions by prompt and kind."""


def _contradictions(rows: Sequence[Row], writers: Writers, settings: AdditionSettings, counts: Counter[str]) -> Written:
    """One answer of each prompt that has a turn for it, written anew; what is no rewrite is counted and left out."""
    if writers.contradictions is None:
        return {}
    chosen = [row for row in rows if _is_asked(row, "contradiction", settings)]
    originals = [answers_in_turn(row["answers"], "contradiction")[0] for row in chosen]
    requests = [_rewrite(row, answer, settings) for row, answer in zip(chosen, originals, strict=True)]
    written: Written = {}
    for row, answer, made in zip(chosen, originals, writers.contradictions.generate(requests), strict=True):
        if isinstance(made, Dropped):
            _count_failure("contradictions_failed", made, counts)
        elif is_usable_rewrite(answer["text"], made[0].text, settings.length_ratio):
            addition = Addition(made[0].text.strip(), f"{DEGRADED}contradiction")
            written[row["prompt_id"], "contradiction"] = [addition]
        else:
            counts["contradictions_discarded"] += 1
    return written


def _rewrite(row: Row, answer: Row, settings: AdditionSettings) -> GenerationRequest:
    images = tuple(image["bytes"] for image in row["images"])
    question = transcript(row["question"], row["history"], len(images))
    turn = contradiction_message(settings.template, row["language"], len(images), question, answer["text"])
    return GenerationRequest(f"contradiction {answer['answer_id']}", (turn,), images, 1)


def _better_answers(rows: Sequence[Row], writers: Writers, settings: AdditionSettings, counts: Counter[str]) -> Written:
    """Answers of the stronger model to each prompt that has a turn for it."""
    if writers.better is None:
        return {}
    chosen = [row for row in rows if _is_asked(row, "engine", settings)]
    requests = []
    for row in chosen:
        images = tuple(image["bytes"] for image in row["images"])
        turns = tuple(asked(row["question"], len(images), row["history"]))
        requests.append(GenerationRequest(f"better {row['prompt_id']}", turns, images, settings.most_better))
    written: Written = {}
    for row, made in zip(chosen, writers.better.generate(requests), strict=True):
        if isinstance(made, Dropped):
            _count_failure("better_failed", made, counts)
        else:
            additions = [Addition(one.text.strip(), f"{MODEL}{writers.better_name}") for one in made]
            written[row["prompt_id"], "engine"] = additions
    return written


def _count_failure(kind: str, failure: Dropped, counts: Counter[str]) -> None:
    counts.update([kind, UNANSWERED] if failure.reason in ASKED_AGAIN else [kind])


DIVERSIFY = MapStage(
    name="diversify",
    version=2,
    reads=pa.schema(
        [
            *(PROMPTS.field(name) for name in ("prompt_id", "language", "images", "history", "question", "reference")),
            *(CANDIDATES.field(name) for name in ("answers", "origins", "samples")),
            NEEDS.field("need"),
        ]
    ),
    writes=CANDIDATES,
    build=build_diversifying,
)

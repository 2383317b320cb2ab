"""Prompts whose answers are all good or all bad get others, each with its author; the others stay as they are."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.models.engines import EngineSettings, with_checkpoint
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.diversify import DIVERSIFY, AdditionSettings, Writers, build_diversifying, diversify_batch
from dt2it_ray.stages.stage import Outcome, Workplace
from tests.stages.rows import ToyGenerator, prompt_row

RULED = ("colour", "number", "place", "yes_no", "entity", "truncation")


class Scribe(ToyGenerator):
    """Answers by the request's key, and remembers what it was asked."""

    def __init__(self, texts: dict[str, list[str]]) -> None:
        super().__init__(texts)
        self.asked: list[GenerationRequest] = []

    def generate(self, requests: Sequence[GenerationRequest]) -> Any:
        self.asked += requests
        return super().generate(requests)


def row(prompt: str, need: str, *texts: str, **fields: Any) -> dict[str, Any]:
    made = prompt_row(prompt, texts, **fields)
    return made | {"need": need, "origins": ["model:m"] * len(texts), "samples": 4}


def batch(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=DIVERSIFY.reads)


def additions(**fields: Any) -> AdditionSettings:
    return parse_settings(AdditionSettings, fields, "test")


def by_origin(outcome: Outcome) -> dict[str, list[str]]:
    """Texts by author, over all prompts."""
    found: dict[str, list[str]] = {}
    for made in outcome.rows.to_pylist():
        for answer, origin in zip(made["answers"], made["origins"], strict=True):
            found.setdefault(origin, []).append(answer["text"])
    return found


def test_only_prompts_in_need_get_answers_and_each_says_how_it_came_about() -> None:
    good = ("There are two red cats.", "Two red cats. They sleep.")
    rows = batch(row("p", "worse", *good), row("q", "none", *good))
    outcome = diversify_batch(rows, Writers(), additions(worse=["number", "truncation"]))
    made = {one["prompt_id"]: one for one in outcome.rows.to_pylist()}
    assert made["q"]["origins"] == ["model:m", "model:m"]
    assert sorted(made["p"]["origins"]) == ["degraded:number", "degraded:truncation", "model:m", "model:m"]
    assert [answer["answer_id"] for answer in made["p"]["answers"]] == sorted(
        a["answer_id"] for a in made["p"]["answers"]
    )
    assert by_origin(outcome)["degraded:truncation"] == ["Two red cats."]
    assert outcome.metrics == {"added.number": 1, "added.truncation": 1, "enlarged": 1}


def test_kinds_are_tried_in_turn_until_there_are_enough() -> None:
    rows = batch(*(row(f"p{n}", "worse", f"Number {n + 3}, on the left.", "A red cat.") for n in range(20)))
    drawn = diversify_batch(rows, Writers(), additions(worse=RULED, most_worse=1)).metrics
    assert min(drawn[f"added.{kind}"] for kind in ("colour", "number", "place")) > 0
    listed = diversify_batch(rows, Writers(), additions(worse=RULED, most_worse=1, order="listed")).metrics
    assert listed == {"added.colour": 20, "enlarged": 20}


def test_a_contradiction_is_asked_of_the_model_and_used_if_it_is_one() -> None:
    rows = batch(*(row(name, "worse", "A cat sleeps.", "It is a cat.") for name in ("same", "refused", "good", "lost")))
    answers = {one["prompt_id"]: one["answers"] for one in rows.to_pylist()}
    scribe = Scribe({})
    diversify_batch(rows, Writers(scribe), additions(worse=["contradiction"]))
    keys = dict(zip(answers, (request.key for request in scribe.asked), strict=True))
    scribe = Scribe({keys["same"]: [" a CAT sleeps"], keys["refused"]: ["I'm sorry."], keys["good"]: ["A dog sleeps."]})
    outcome = diversify_batch(rows, Writers(scribe), additions(worse=["contradiction"]))
    assert by_origin(outcome)["degraded:contradiction"] == ["A dog sleeps."]
    told = {"contradictions_failed": 1, "contradictions_discarded": 2, "added.contradiction": 1, "enlarged": 1}
    assert outcome.metrics == told
    assert outcome.rows.num_rows == 4
    assert len(scribe.asked[0].images) == 1


def test_a_server_that_fails_to_answer_is_told_apart_from_a_model_that_has_no_answer() -> None:
    class Failing(ToyGenerator):
        def generate(self, requests: Sequence[GenerationRequest]) -> Any:
            return [Dropped(DropReason.ENDPOINT_FAILED, "6 tries") for _ in requests]

    rows = batch(row("p", "worse", "A cat.", "Hm."), row("q", "better", "No.", "Hm."))
    outcome = diversify_batch(rows, Writers(Failing({}), Failing({}), "big"), additions(worse=["contradiction"]))
    assert outcome.metrics == {"contradictions_failed": 1, "better_failed": 1, "unanswered": 2, "enlarged": 0}


def test_the_model_is_not_asked_where_other_kinds_come_first() -> None:
    scribe = Scribe({})
    settings = additions(worse=["colour", "contradiction"], order="listed", most_worse=1)
    rows = batch(row("p", "worse", "A red cat.", "Red."), row("q", "worse", "A cat.", "It sleeps."))
    diversify_batch(rows, Writers(scribe), settings)
    assert len(scribe.asked) == 1


def test_better_answers_are_the_reference_or_come_from_a_stronger_model() -> None:
    rows = batch(row("p", "better", "No.", "Hm.", reference="A cat. "), row("q", "better", "No.", "Hm."))
    strong = Scribe({"better q": ["It is a cat."]})
    outcome = diversify_batch(rows, Writers(better=strong, better_name="big"), additions())
    made = by_origin(outcome)
    assert (made["reference"], made["model:big"]) == (["A cat."], ["It is a cat."])
    assert [request.key for request in strong.asked] == ["better q"]
    assert outcome.metrics == {"added.reference": 1, "added.model:big": 1, "enlarged": 2}


def test_a_lonely_answer_gets_company_or_its_prompt_is_dropped() -> None:
    rows = batch(row("p", "worse", "A red cat."), row("q", "worse", "Hm."), row("r", "none", "Red."))
    outcome = diversify_batch(rows, Writers(), additions())
    assert outcome.rows["prompt_id"].to_pylist() == ["p"]
    assert outcome.dropped["key"].to_pylist() == ["q", "r"]
    assert set(outcome.dropped["reason"].to_pylist()) == {"too_few_answers"}


@pytest.mark.parametrize("batch_rows", [1, 3])
def test_batches_and_the_order_of_rows_change_nothing(batch_rows: int) -> None:
    rows = [
        row(f"p{n}", ("worse", "better", "none")[n % 3], f"{n} red cats. Yes.", f"看，图中有{n}只猫。")
        for n in range(12)
    ]
    strong = Scribe({f"better p{n}": ["One cat.", "Two cats."] for n in range(12)})
    writers, settings = Writers(Scribe({}), strong, "big"), additions(most_better=2)
    whole = diversify_batch(batch(*rows), writers, settings).rows.sort_by("prompt_id")
    parts = [
        diversify_batch(batch(*rows[::-1][start : start + batch_rows]), writers, settings).rows
        for start in range(0, len(rows), batch_rows)
    ]
    assert pa.concat_tables(parts).sort_by("prompt_id").equals(whole)


def vllm(share: float) -> dict[str, Any]:
    return {"kind": "vllm", "vllm": {"gpu_memory_utilization": share}}


def test_two_engines_that_want_more_than_a_gpu_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"want 0\.4 and 0\.7 of its GPU's memory"):
        additions(engine=vllm(0.4), better_engine=vllm(0.7))
    assert additions(engine=vllm(0.3), better_engine=vllm(0.7))
    assert additions(engine=vllm(0.9), better_engine=vllm(0.9), better=["reference"])


def test_the_first_engine_is_closed_when_the_second_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Opened(ToyGenerator):
        def close(self) -> None:
            closed.append("better")

    def open_engine(engine: EngineSettings, *place: object) -> Opened:
        if engine.kind == "transformers":
            raise StageFailed("no such checkpoint")
        return Opened({})

    monkeypatch.setattr("dt2it_ray.stages.diversify.open_generator", open_engine)
    settings = additions(engine={"kind": "transformers"}, better_engine=vllm(0.9))
    settings = settings.model_copy(
        update={"better_engine": with_checkpoint(settings.better_engine or EngineSettings(), find_backbone("tiny"))}
    )
    with pytest.raises(StageFailed, match="no such checkpoint"):
        build_diversifying(settings, Workplace())
    assert closed == ["better"]

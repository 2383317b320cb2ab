"""Rating: what is asked, what is accepted, and where refused replies go."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from dt2it_ray.data.attributes import ATTRIBUTES
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.rating_form import RATING
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.protocols import Completion, GenerationRequest, JudgeRequest
from dt2it_ray.settings import Settings
from dt2it_ray.stages.rate import RATE, Raters, RateSettings, build_rating, rate_batch
from dt2it_ray.stages.stage import Outcome, Workplace
from tests.models.endpoint.server import chat_server
from tests.stages.rows import prompt_row

TEXTS = ("a", "bb", "ccc", "dddd")


def rating(*helpfulness: int) -> str:
    answers = [
        {"index": place, "analysis": "", "ratings": {**dict.fromkeys(ATTRIBUTES, 2), "helpfulness": value}}
        for place, value in enumerate(helpfulness, start=1)
    ]
    return json.dumps({"answers": answers})


class ToyRater:
    """Finds longer answers more helpful; what it says goes through `spoil` first, with the attempt."""

    name = "toy"

    def __init__(self, spoil: Callable[[str, int], str | Dropped] = lambda text, attempt: text) -> None:
        self._spoil = spoil
        self.asked: list[JudgeRequest] = []

    def reply(self, requests: Sequence[JudgeRequest]) -> list[str | Dropped]:
        self.asked += requests
        return [self._spoil(rating(*map(len, request.answers)), request.attempt) for request in requests]


def batch_of(*prompts: str, texts: Sequence[str] = TEXTS) -> pa.Table:
    return pa.Table.from_pylist([prompt_row(prompt, texts) for prompt in prompts], schema=RATE.reads)


@pytest.mark.parametrize("texts", [TEXTS[:count] for count in (1, 2, 4)])
def test_every_answer_is_rated_in_the_order_shown_whatever_that_is(texts: tuple[str, ...]) -> None:
    rater = ToyRater()
    prompts = [f"p{number}" for number in range(20)]
    rows = rate_batch(batch_of(*prompts, texts=texts), rater, 3).rows.to_pylist()
    for request, row in zip(rater.asked, rows, strict=True):
        text_of = {answer["answer_id"]: answer["text"] for answer in prompt_row(row["prompt_id"], texts)["answers"]}
        assert [text_of[name] for name in row["order"]] == list(request.answers)
        assert [each["answer_id"] for each in row["ratings"]] == row["order"]
        assert [each["values"] for each in row["ratings"]] == [[len(text), 2, 2, 2, 2] for text in request.answers]
        assert [each["characters"] for each in row["ratings"]] == [len(text) for text in request.answers]
    assert len({request.answers for request in rater.asked}) > min(5, len(texts) - 1)


def test_answers_that_come_in_another_order_are_shown_and_rated_alike() -> None:
    turned = batch_of("p").to_pylist()
    turned[0]["answers"].reverse()
    rows = rate_batch(pa.Table.from_pylist(turned, schema=RATE.reads), ToyRater(), 3).rows
    assert rows == rate_batch(batch_of("p"), ToyRater(), 3).rows


def test_an_invalid_reply_is_fed_back_with_what_was_wrong_and_counted() -> None:
    rater = ToyRater(lambda text, attempt: text if attempt == 3 else f"try {attempt}")
    outcome = rate_batch(batch_of("p", "q"), rater, 3)
    assert outcome.rows["attempts"].to_pylist() == [3, 3]
    assert outcome.rows["faults"].to_pylist() == [["not_one_object"] * 2] * 2
    assert outcome.metrics == {"attempts": 6, "faults.not_one_object": 4, "lost": 0, "requests": 2}
    refused = [request.refused for request in rater.asked if request.refused]
    assert [(each.text, each.trouble) for each in refused[::2]] == [(f"try {n}", "no JSON object") for n in (1, 2)]


def test_a_reply_that_stays_invalid_drops_the_prompt_with_the_raw_text_of_every_attempt() -> None:
    outcome = rate_batch(batch_of("p"), ToyRater(lambda _, attempt: f"words {attempt}"), 3)
    assert outcome.rows.num_rows == 0
    [dropped] = outcome.dropped.to_pylist()
    assert (dropped["key"], dropped["reason"]) == ("p", "reply_invalid")
    assert [f"words {attempt}" in dropped["evidence"] for attempt in (1, 2, 3, 4)] == [True, True, True, False]
    assert outcome.metrics == {"attempts": 3, "faults.not_one_object": 3, "lost": 1, "requests": 1}


def test_a_reply_that_does_not_come_is_not_asked_for_again() -> None:
    failed = Dropped(DropReason.ENDPOINT_FAILED, "6 tries")
    rater = ToyRater(lambda text, attempt: "what?" if attempt == 1 else failed)
    outcome = rate_batch(batch_of("p"), rater, 3)
    assert len(rater.asked) == 2
    assert outcome.dropped["reason"].to_pylist() == ["endpoint_failed"]
    assert "what?" in outcome.dropped["evidence"][0].as_py()
    assert (outcome.metrics["attempts"], outcome.metrics["lost"]) == (2, 1)


class Scripted:
    """A generator that says the same to every request, and remembers what it was asked."""

    def __init__(self, reply: str) -> None:
        self._reply = reply
        self.asked: list[GenerationRequest] = []

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        self.asked += requests
        return [[Completion(self._reply, "stop", 1)] for _ in requests]


def test_a_chat_model_rates_under_the_schema_with_the_images() -> None:
    generator = Scripted(f"```json\n{rating(1, 2, 3, 4)}\n```")
    outcome = rate_batch(batch_of("p"), ChatJudge("chat", generator, "granular-1", RATING), 3)
    assert [each["values"][0] for each in outcome.rows["ratings"][0].as_py()] == [1, 2, 3, 4]
    [request] = generator.asked
    assert request.schema is not None
    assert request.schema["properties"]["answers"]["minItems"] == 4
    assert len(request.images) == 1
    assert request.samples == 1


def test_a_server_rates_in_place_of_the_simulated_rater_and_its_replies_are_kept(tmp_path: Path) -> None:
    with chat_server() as server:
        text = rating(1, 2, 3, 4)
        usage = {"prompt_tokens": 10, "completion_tokens": 7}
        server.reply = lambda body: {
            "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": usage,
        }
        engine = {"kind": "endpoint", "endpoint": {"model": "m", "url": server.url}, "cache": str(tmp_path)}
        settings = RateSettings.model_validate({"engine": engine, "max_new_tokens": 77})
        outcome = build_rating(settings, Workplace())(batch_of("p", "q"))
    assert outcome.rows["judge"].to_pylist() == ["rater-0"] * 2
    assert outcome.metrics["requests"] == 2
    body = server.bodies[0]
    assert body["max_tokens"] == 77
    assert "helpfulness" in json.dumps(body["response_format"])
    # The server is gone; the cache answers.
    again = build_rating(settings, Workplace())(batch_of("p", "q"))
    assert again.rows == outcome.rows


def test_raters_have_names_of_their_own_that_can_be_folders() -> None:
    class Panel(Settings):
        raters: Raters = (RateSettings(),)

    with pytest.raises(ValidationError, match="several judges are called 'a'"):
        Panel.model_validate({"raters": [{"name": "a"}, {"name": "A"}]})
    with pytest.raises(ValidationError, match="at least 1"):
        Panel.model_validate({"raters": []})
    with pytest.raises(ValidationError, match="pattern"):
        Panel.model_validate({"raters": [{"name": "../a"}]})


def scene_table() -> pa.Table:
    """Prompts about scenes with three answers."""
    rows = [distill_row(f"p{number:02d}", "distill", 0, number) for number in range(24)]
    for number, row in enumerate(rows):
        row["answers"] = prompt_row(row["prompt_id"], ("Red.", "There are two objects.", f"Number {number}."))[
            "answers"
        ]
    return pa.Table.from_pylist(rows, schema=RATE.reads)


def sorted_by_key(outcomes: list[Outcome]) -> tuple[pa.Table, pa.Table]:
    rows = pa.concat_tables([outcome.rows for outcome in outcomes])
    dropped = pa.concat_tables([outcome.dropped for outcome in outcomes])
    return rows.sort_by("prompt_id").combine_chunks(), dropped.sort_by("key").combine_chunks()


@pytest.mark.parametrize("batch_rows", [1, 5])
def test_other_batches_in_another_order_give_the_same_rows(batch_rows: int) -> None:
    settings = RateSettings(annotator=AnnotatorSettings(malformed=0.5, error_rate=0.3, position_bias=0.3))
    table = scene_table()
    whole = sorted_by_key([build_rating(settings, Workplace())(table)])
    shuffled = table.take(random.Random(batch_rows).sample(range(table.num_rows), table.num_rows))
    function = build_rating(settings, Workplace())
    slices = [shuffled.slice(start, batch_rows) for start in range(0, table.num_rows, batch_rows)]
    assert sorted_by_key([function(each) for each in slices]) == whole
    assert whole[0].num_rows + whole[1].num_rows == table.num_rows
    assert min(whole[0].num_rows, whole[1].num_rows) > 0

"""Samples of one model become distinct answers, each with its author."""

from pathlib import Path

import pyarrow as pa

from dt2it_ray.data.ids import answer_id
from dt2it_ray.stages.generate import GENERATE, GenerateSettings, build_generation, generate_batch
from dt2it_ray.stages.stage import Workplace
from tests.models.endpoint.server import chat_server
from tests.stages.rows import ToyGenerator, prompt_row


def test_equal_samples_are_one_answer_and_a_prompt_with_fewer_than_two_is_dropped() -> None:
    batch = pa.Table.from_pylist([prompt_row(name) for name in ("p", "q", "broken")], schema=GENERATE.reads)
    generator = ToyGenerator({"p": ["red", " blue\n", "red", "red"], "q": ["same", "same ", "", "same"]})
    outcome = generate_batch(batch, generator, GenerateSettings(samples=4), "model:toy")
    (row,) = outcome.rows.to_pylist()
    assert {answer["answer_id"]: answer["text"] for answer in row["answers"]} == {
        answer_id("p", "red"): "red",
        answer_id("p", "blue"): "blue",
    }
    assert (row["samples"], row["origins"]) == (4, ["model:toy", "model:toy"])
    reasons = dict(zip(outcome.dropped["key"].to_pylist(), outcome.dropped["reason"].to_pylist(), strict=True))
    assert reasons == {"q": "too_few_answers", "broken": "image_undecodable"}
    alone = generate_batch(batch, generator, GenerateSettings(samples=4, fewest=1), "model:toy").rows
    assert alone["prompt_id"].to_pylist() == ["p", "q"]


def test_a_server_answers_in_place_of_the_backbone_and_its_replies_are_kept(tmp_path: Path) -> None:
    batch = pa.Table.from_pylist([prompt_row(name) for name in ("p", "q")], schema=GENERATE.reads)
    place = Workplace(device="cpu", threads=1)
    with chat_server() as server:
        engine = {"kind": "endpoint", "endpoint": {"model": "m", "url": server.url}, "cache": str(tmp_path)}
        settings = GenerateSettings.model_validate({"samples": 3, "engine": engine})
        made = build_generation(settings, place)(batch)
    assert made.rows["prompt_id"].to_pylist() == ["p", "q"]
    assert [len(answers) for answers in made.rows["answers"].to_pylist()] == [3, 3]
    assert len(server.bodies) == 2
    # The server is gone.
    assert build_generation(settings, place)(batch).rows == made.rows

"""A file of questions becomes a file of pairs: a server answers and judges, every row is told of, a rerun is free."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.attributes import ATTRIBUTES
from dt2it_ray.data.formats.preferences.registry import WRITTEN
from dt2it_ray.errors import ConfigError, InputError, StageFailed
from dt2it_ray.pipeline.construct_run import ConstructRunSettings, plan_construct, run_construction
from dt2it_ray.stages.stage import Placement
from tests.models.endpoint.server import ChatServer, chat_server
from tests.stages.rows import form, png

ANSWERS = ("It is red.", "It is deep red.", "No idea.", "It is red, I think.")
SHOWN = re.compile(r"\[answer \d+ (\w+)\]\n(.*?)\n\[end \1\]", re.S)


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """Candidates, or a form of either rubric in which longer answers score more."""
    content = body["messages"][-1]["content"]
    asked = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    shown = [text for _, text in SHOWN.findall(asked)]
    if shown and ATTRIBUTES[-1] in asked:
        texts = [rating([len(text) % 5 for text in shown])]
    else:
        texts = [form([len(text) % 10 for text in shown])] if shown else ANSWERS[: body["n"]]
    choices = [{"message": {"content": text}, "finish_reason": "stop"} for text in texts]
    return {"choices": choices, "usage": {"prompt_tokens": 10, "completion_tokens": 7}}


def rating(values: list[int]) -> str:
    answers = [
        {"index": place, "analysis": "", "ratings": dict.fromkeys(ATTRIBUTES, value)}
        for place, value in enumerate(values, 1)
    ]
    return json.dumps({"answers": answers})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with chat_server() as running:
        monkeypatch.setattr(running, "reply", reply)
        yield running


def settings(tmp_path: Path, server: ChatServer, **fields: Any) -> ConstructRunSettings:
    engine = {
        "engine": {"kind": "endpoint", "endpoint": {"model": "m", "url": server.url}, "cache": f"{tmp_path}/kept"}
    }
    asked = {
        "generate": engine,
        "listwise": {"judges": [{"name": "a", **engine}]},
        "pointwise": {"judges": [{"name": "a", **engine}]},
    }
    tree = {"root": str(tmp_path / "runs"), "output": str(tmp_path / "out.json"), "construction": asked}
    return ConstructRunSettings.model_validate({**tree, **fields})


def write_questions(folder: Path) -> str:
    """Three questions about one image file, one about a missing image, one row that is none."""
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(png())
    rows = [{"image_path": "images/a.png", "question": f"What is {thing}?"} for thing in ("this", "that", "it")]
    lines = [*(json.dumps(row) for row in rows), json.dumps(rows[0] | {"image_path": "gone.png"}), '{"question": ']
    (folder / "asked.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return str(folder / "asked.jsonl")


def test_questions_become_pairs_and_every_row_is_told_of(tmp_path: Path, server: ChatServer) -> None:
    loose = {"open_images": {"max_dropped": 0.5}, "default": {"max_dropped": 0.5}}
    asked = settings(tmp_path, server, input=write_questions(tmp_path), placement=loose)
    summary = run_construction(asked)
    pairs = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    refused = [json.loads(line) for line in (tmp_path / "out.json.dropped.jsonl").read_text().splitlines()]
    assert len(pairs) == summary["pairs"] > 0
    assert {pair["conversations"][0]["value"] for pair in pairs} == {
        f"<image>What is {thing}?" for thing in ("this", "that", "it")
    }
    for pair in pairs:
        assert pair["images"] == ["images/a.png"]
        assert len(pair["chosen"]["value"]) % 10 > len(pair["rejected"]["value"]) % 10
        assert pair["margin"] > 0
    assert sorted((row["step"], row["reason"]) for row in refused) == [
        ("input/load", "field_invalid"),
        ("input/rows", "image_missing"),
    ]


def test_a_second_run_asks_nothing_and_writes_the_same(tmp_path: Path, server: ChatServer) -> None:
    loose = {"default": {"max_dropped": 0.5}}
    asked = settings(tmp_path, server, input=write_questions(tmp_path), placement=loose)
    run_construction(asked)
    before, requests = (tmp_path / "out.json").read_bytes(), len(server.bodies)
    (tmp_path / "out.json").unlink()
    run_construction(asked)
    assert (tmp_path / "out.json").read_bytes() == before
    told = run_construction(asked.model_copy(update={"name": "anew"}))["engines"]
    assert len(server.bodies) == requests
    assert told["replies"] == told["hits"] > 0
    assert told["input_tokens"] == told["output_tokens"] == 0


@pytest.mark.parametrize(("suffix", "to"), [("json", "flat"), ("jsonl", "llama_factory"), ("parquet", "flat")])
def test_embedded_images_are_kept_in_every_format(tmp_path: Path, server: ChatServer, suffix: str, to: str) -> None:
    rows = [{"image": {"bytes": png(7), "path": None}, "question": "What?", "gt": "red"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "asked.parquet")
    output = tmp_path / f"out.{suffix}"
    run_construction(settings(tmp_path, server, input=str(tmp_path / "asked.parquet"), output=str(output), to=to))
    if suffix == "parquet":
        [image] = pq.read_table(output).to_pylist()[0]["images"]
        assert image == {"bytes": png(7), "path": None}
        return
    text = output.read_text(encoding="utf-8")
    row = json.loads(text)[0] if suffix == "json" else json.loads(text.splitlines()[0])
    name = row["image_path"] if to == "flat" else row["images"][0]
    assert (tmp_path / name).read_bytes() == png(7)


def test_rated_candidates_become_training_sets_beside_the_pairs(tmp_path: Path, server: ChatServer) -> None:
    engine = {"engine": {"kind": "endpoint", "endpoint": {"model": "m", "url": server.url}}}
    loose = {"default": {"max_dropped": 0.5}}
    raters = {"raters": [{"name": "r", **engine}]}
    asked = settings(tmp_path, server, input=write_questions(tmp_path), placement=loose, granular=raters)
    told = run_construction(asked)["granular_sets"]
    rows = [json.loads(line) for line in (tmp_path / "out.json.sets" / "dpo.trl.jsonl").read_text().splitlines()]
    assert len(rows) == told["dpo.trl.jsonl"] == 3
    assert all(row["margin"] >= 2 and row["images"] == ["images/a.png"] for row in rows)


def test_a_pair_that_the_format_cannot_hold_is_refused_with_its_texts(tmp_path: Path, server: ChatServer) -> None:
    asked = {"image": "a.png", "question": "What is this for?"}
    (tmp_path / "asked.jsonl").write_text(json.dumps(asked), encoding="utf-8")
    (tmp_path / "a.png").write_bytes(png(7))
    summary = run_construction(settings(tmp_path, server, input=str(tmp_path / "asked.jsonl"), to="hh_rlhf"))
    refused = [json.loads(line) for line in (tmp_path / "out.json.dropped.jsonl").read_text().splitlines()]
    assert json.loads((tmp_path / "out.json").read_text()) == []
    assert (summary["pairs"], summary["dropped"]) == (0, len(refused))
    assert all(row["step"] == "output" and "What is this for?" in row["evidence"] for row in refused)
    assert refused


def test_every_format_that_is_written_can_be_asked_for() -> None:
    assert set(get_args(ConstructRunSettings.model_fields["to"].annotation)) == set(WRITTEN)


@pytest.mark.parametrize("name", ["out.json", "out.json.dropped.jsonl"])
def test_an_output_that_would_destroy_its_input_is_refused(tmp_path: Path, server: ChatServer, name: str) -> None:
    with pytest.raises(ConfigError, match="would destroy input"):
        settings(tmp_path, server, input=str(tmp_path / name))


def test_images_in_another_folder_are_read_anew(tmp_path: Path, server: ChatServer) -> None:
    asked = settings(tmp_path, server, input=write_questions(tmp_path), image_root=str(tmp_path / "wrong"))
    with pytest.raises(StageFailed, match="image_missing"):
        run_construction(asked)
    loose = {"default": Placement(max_dropped=0.5)}
    right = asked.model_copy(update={"image_root": str(tmp_path), "placement": loose})
    assert run_construction(right)["pairs"] > 0


@pytest.mark.parametrize(
    ("fields", "told"), [({"output": "pairs.csv"}, ".parquet"), ({"input": "gone.jsonl"}, "there is no such file")]
)
def test_what_cannot_be_is_refused_before_anything_runs(
    tmp_path: Path, server: ChatServer, fields: dict[str, str], told: str
) -> None:
    given = {"input": write_questions(tmp_path)} | fields
    with pytest.raises((ConfigError, ValueError), match=told):
        plan_construct(settings(tmp_path, server, **given))
    assert server.bodies == []


def test_a_damaged_input_is_named(tmp_path: Path, server: ChatServer) -> None:
    (tmp_path / "asked.json").write_text('[{"question": "What?"}, {"quest', encoding="utf-8")
    with pytest.raises(InputError, match=r"asked\.json is cut off or damaged behind record 1"):
        run_construction(settings(tmp_path, server, input=str(tmp_path / "asked.json")))


def test_simulated_judges_are_refused_where_no_truth_is_planted(tmp_path: Path, server: ChatServer) -> None:
    asked = settings(tmp_path, server, input=write_questions(tmp_path), construction={})
    with pytest.raises(ConfigError, match=r"construction\.listwise\.judges: annotator-0 has no engine"):
        plan_construct(asked)


def told_reply(body: dict[str, Any]) -> dict[str, Any]:
    """As `reply`, with reasons that name the length of the answer."""
    made = reply(body)
    for choice in made["choices"]:
        text = choice["message"]["content"]
        if text.startswith("{"):
            told = json.loads(text)
            for answer in told["answers"]:
                length = answer["scores"]["accuracy"]
                answer["analysis"] |= {"accuracy": f"Right: {length}.", "ethics": f"Kind: {length}."}
            choice["message"]["content"] = json.dumps(told)
    return made


def test_what_a_pointwise_judge_said_is_kept_with_the_pairs_and_asked_for_once(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "reply", told_reply)
    asked = {"input": write_questions(tmp_path), "placement": {"default": {"max_dropped": 0.5}}}
    run_construction(settings(tmp_path, server, **asked))
    requests = len(server.bodies)
    keeping = {"critiques": {"judge": "a", "criteria": ["accuracy", "ethics"]}, "to": "flat", "name": "critiqued"}
    run_construction(settings(tmp_path, server, **asked, **keeping))
    assert len(server.bodies) == requests
    pairs = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert pairs
    for pair in pairs:
        for side in ("chosen", "rejected"):
            length = len(pair[side]) % 10
            assert pair[f"{side}_critique"] == f"Right: {length}. Kind: {length}."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"critiques": {"judge": "b"}}, "critiques.judge=b is no pointwise judge that is asked; there are a"),
        ({"critiques": {"judge": "a"}, "to": "trl"}, "to=trl has no place for critiques"),
    ],
)
def test_critiques_that_could_not_be_kept_are_refused(
    tmp_path: Path, server: ChatServer, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        settings(tmp_path, server, input="x.jsonl", **change)

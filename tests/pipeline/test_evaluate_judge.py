"""A judge's verdicts in both orders become votes, and what cannot be read is told under both conventions."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.engines import EngineSettings
from dt2it_ray.models.judging.verdict_judge import VerdictJudge
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.pipeline.evaluate_command import Outputs, run_evaluation
from dt2it_ray.pipeline.evaluate_judge import judge_rows, judged_rewards
from dt2it_ray.pipeline.evaluate_models import ModelRewards
from dt2it_ray.pipeline.evaluate_rows import LoadedBenchmark, load_benchmark
from dt2it_ray.pipeline.evaluate_run import model_figures
from dt2it_ray.stages.evaluate import EvaluateSettings
from dt2it_ray.stages.judge_pairs import PairJudgeSettings
from tests.data.formats.benchmark_rows import picture
from tests.models.endpoint.server import chat_server
from tests.stages.rows import ToyJudge

ENGINE = EngineSettings(kind="endpoint", endpoint=EndpointSettings(model="m", url="http://localhost:1/v1"))


class Chat:
    """A chat model that replies by a function of the prompt's text."""

    def __init__(self, reply: Callable[[str], str | Dropped]) -> None:
        self._reply = reply
        self.asked: list[GenerationRequest] = []

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]:
        self.asked += requests
        said = [self._reply(request.messages[0]["content"][-1]["text"]) for request in requests]
        return [one if isinstance(one, Dropped) else [Completion(one, "stop", 1)] for one in said]


def own(tmp_path: Path, pairs: Sequence[tuple[str, str]]) -> LoadedBenchmark:
    path = tmp_path / "rows.jsonl"
    rows = [{"id": str(k), "question": "q", "chosen": a, "rejected": b} for k, (a, b) in enumerate(pairs)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_benchmark("pairs", str(path), images=True)


def judged(loaded: LoadedBenchmark, judge: Any, settings: PairJudgeSettings) -> ModelRewards:
    return judged_rewards(loaded, settings, *judge_rows(loaded, judge, settings, batch_rows=2))


def letters(text: str) -> str:
    """Prefers the answer that says `good`; the first of two; says nothing readable about `odd`."""
    shown = [text.index(f"[answer {letter} ") for letter in "AB"]
    first, second = text[shown[0] : shown[1]], text[shown[1] :]
    if "odd" in first:
        return "Hard to say."
    return "[[A]]" if "good" in first or "good" not in second else "[[B]]"


PAIRS = [("good", "bad"), ("bad", "good"), ("same", "alike"), ("odd", "bad")]


def test_votes_consistency_and_both_conventions(tmp_path: Path) -> None:
    settings = PairJudgeSettings(name="j", engine=ENGINE, protocol="multimodal_rewardbench")
    loaded, chat = own(tmp_path, PAIRS), Chat(letters)
    model = judged(loaded, VerdictJudge("j", chat, settings.protocol), settings)
    assert model.rewards == [(2.0, 0.0), (0.0, 2.0), (1.0, 1.0), None]
    assert model.lost[3].startswith("unparsable: neither [[A]] nor [[B]]")
    assert "Hard to say." in model.lost[3]
    told = model_figures(loaded, model, EvaluateSettings(samples=100))
    assert (told["accuracy"], told["accuracy_scored"], told["ties"], told["unscored"]) == (0.25, 1 / 3, 1, 1)
    figures = told["judge"]
    assert (figures["verdicts"], figures["unparsable"], figures["position_consistency"]) == (8, 1, 2 / 3)
    assert figures["majority_dropped"]["accuracy"] == 0.5
    assert told["calibration"] is None
    assert told["lost"]["reasons"] == {"unparsable": 1}


def test_both_orders_are_asked_as_often_as_samples_and_keys_do_not_repeat(tmp_path: Path) -> None:
    settings = PairJudgeSettings(name="j", engine=ENGINE, protocol="vl_rewardbench", samples=3, temperature=0.5)
    chat = Chat(lambda text: "Overall Judgment - Answer 1 is better.")
    model = judged(own(tmp_path, PAIRS[:2]), VerdictJudge("j", chat, settings.protocol), settings)
    assert len(chat.asked) == len({request.key for request in chat.asked}) == 12
    assert model.rewards == [(3.0, 3.0), (3.0, 3.0)]
    assert model.told["judge"]["first_shown_preferred"] == 1.0


def test_the_same_pair_has_the_same_key_wherever_it_stands(tmp_path: Path) -> None:
    settings = PairJudgeSettings(name="j", engine=ENGINE, protocol="vl_rewardbench")
    keys = []
    for place, pairs in enumerate((PAIRS, PAIRS[::-1])):
        (tmp_path / str(place)).mkdir()
        chat = Chat(lambda text: "")
        judged(own(tmp_path / str(place), pairs), VerdictJudge("j", chat, settings.protocol), settings)
        keys.append({request.key for request in chat.asked})
    assert keys[0] == keys[1]


def test_a_rubric_judge_is_read_by_its_overalls(tmp_path: Path) -> None:
    loaded = own(tmp_path, [("good", "bad"), ("bad", "good"), ("same", "same")])
    judge = ToyJudge("j", lambda text: 8 if text == "good" else 4)
    model = judged(loaded, judge, PairJudgeSettings(name="j"))
    assert model.rewards == [(2.0, 0.0), (0.0, 2.0), (1.0, 1.0)]


def test_a_reply_that_never_came_is_unparsable_and_an_image_that_is_missing_is_not_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"id": "a", "question": "q", "chosen": "x", "rejected": "y"}
    path.write_text("\n".join(json.dumps(each) for each in (row, row | {"images": ["no.png"]})))
    settings = PairJudgeSettings(name="j", engine=ENGINE, protocol="vl_rewardbench")
    chat = Chat(lambda text: Dropped(DropReason.ENDPOINT_FAILED, "6 tries"))
    loaded = load_benchmark("pairs", str(path), images=True)
    model = judged(loaded, VerdictJudge("j", chat, settings.protocol), settings)
    assert model.rewards == [None, None]
    assert len(chat.asked) == 2
    assert [why.partition(":")[0] for _, why in sorted(model.lost.items())] == ["unparsable", "image_missing"]


def test_a_simulated_annotator_cannot_follow_a_protocol_of_free_text() -> None:
    with pytest.raises(ValidationError, match="needs an engine"):
        PairJudgeSettings(protocol="vl_rewardbench")


def test_a_judge_that_likes_the_first_image_gains_nothing_on_rows_whose_first_image_is_better(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "b.png").write_bytes(picture(2))
    row = {"caption": "c", "label_0": 1, "image_0": "a.png", "image_1": "b.png"}
    path.write_text(json.dumps(row))
    settings = PairJudgeSettings(name="j", engine=ENGINE, protocol="multimodal_rewardbench")
    loaded = load_benchmark("mj_bench", str(path), images=True)

    def likes_image_1(text: str) -> str:
        return "[[A]]" if text.index("Image 1 is better") < text.index("Image 2 is better") else "[[B]]"

    chat = Chat(likes_image_1)
    model = judged(loaded, VerdictJudge("j", chat, settings.protocol), settings)
    assert model.rewards == [(2.0, 2.0)]
    assert model.told["judge"]["position_consistency"] == 1.0
    assert [request.images for request in chat.asked] == [(picture(1), picture(2))] * 2 + [(picture(2), picture(1))] * 2


def test_a_server_judges_through_the_command(tmp_path: Path) -> None:
    rows = [{"id": str(k), "question": "q", "chosen": f"x{k}", "rejected": "y"} for k in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "out.json"
    with chat_server() as server:
        endpoint = {"model": "m", "url": server.url, "attempts": 1}
        judge = {"name": "echo", "protocol": "vl_rewardbench", "engine": {"kind": "endpoint", "endpoint": endpoint}}
        config = {"benchmark": "pairs", "rows": str(tmp_path / "rows.jsonl"), "judge": judge}
        (tmp_path / "e.yaml").write_text(json.dumps(config))
        printed = run_evaluation({}, Outputs(json=str(out)), str(tmp_path / "e.yaml"))
    told = json.loads(out.read_text())
    # The server says what it was asked, in which the verdict for answer 2 comes last.
    assert (told["kind"], told["n"], told["ties"], told["unscored"]) == ("judge", 3, 3, 0)
    assert (told["judge"]["verdicts"], told["judge"]["first_shown_preferred"]) == (6, 0.0)
    assert told["judge"]["position_consistency"] == 0.0
    assert told["engine"]["replies"] == len(server.bodies) == 6
    assert "echo: 0 of 6 verdicts unparsable" in "\n".join(printed)

"""What a server failed to answer is never lost silently: the step ends with an error, and the next run asks for it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dt2it_ray.errors import StageFailed
from dt2it_ray.pipeline.lost_rows import refuse_too_many_dropped, refuse_waiting, unanswered
from dt2it_ray.pipeline.run_settings import PlacedSettings
from dt2it_ray.stages.judge import LISTWISE
from dt2it_ray.stages.judges import JudgingSettings
from dt2it_ray.stages.stage import Placement, Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest
from dt2it_ray.store.parts import Seal
from tests.models.endpoint.server import chat_server
from tests.pipeline.endpoint_steps import PART_ROWS, SAMPLES, answer_prompts

PROMPTS = 2 * PART_ROWS + 50
FAILING = range(10, 60, 3)
"""Requests that fail, by number; all of prompts of the first part, and never many in a row."""


def failing_at_first(broken: list[bool]) -> Callable[[int], str]:
    return lambda number: "500" if broken and number in FAILING else "ok"


def data_of(tmp_path: Path, manifest: Manifest) -> Folder:
    return manifest.data(Folder(str(tmp_path / "run")))


def fail_first(tmp_path: Path, url: str) -> None:
    with pytest.raises(StageFailed, match=f"generate: {len(FAILING)} requests wait.*run again.*accept_unanswered"):
        answer_prompts(tmp_path, PROMPTS, url, attempts=1)


def test_what_a_server_failed_to_answer_is_asked_again_by_the_next_run_and_nothing_else_is(tmp_path: Path) -> None:
    with chat_server(failing_at_first([True])) as server:
        fail_first(tmp_path, server.url)
        asked = len(server.bodies)
        assert asked == PROMPTS
        manifest = answer_prompts(tmp_path, PROMPTS, server.url)
        assert [body["n"] for body in server.bodies[asked:]] == [SAMPLES] * len(FAILING)
        undisturbed = answer_prompts(tmp_path / "undisturbed", PROMPTS, server.url)
    assert manifest.files == undisturbed.files
    assert (manifest.counts, manifest.dropped) == (undisturbed.counts, ())
    assert manifest.provenance["rows_before"] == PROMPTS - PART_ROWS
    # What the first run had refused is not there any more either.
    assert data_of(tmp_path, manifest).names("dropped") == []


def test_a_run_that_is_killed_while_it_asks_again_costs_nothing(tmp_path: Path) -> None:
    with chat_server(failing_at_first([True])) as server:
        fail_first(tmp_path, server.url)
        [seal] = tmp_path.glob("run/generate/*/seals/00000.parquet.json")
        # Killed after it wrote the part, before it sealed it.
        (seal.parents[1] / "00000.parquet").write_bytes(b"other rows than those sealed")
        seal.unlink()
        manifest = answer_prompts(tmp_path, PROMPTS, server.url)
        undisturbed = answer_prompts(tmp_path / "undisturbed", PROMPTS, server.url)
    assert manifest.files == undisturbed.files
    assert data_of(tmp_path, manifest).read("00000.parquet") == data_of(tmp_path / "undisturbed", undisturbed).read(
        "00000.parquet"
    )


def test_what_fails_again_waits_again_until_it_is_accepted(tmp_path: Path) -> None:
    with chat_server(lambda number: "500" if number in FAILING or number == PROMPTS else "ok") as server:
        fail_first(tmp_path, server.url)
        with pytest.raises(StageFailed, match="generate: 1 requests wait"):
            answer_prompts(tmp_path, PROMPTS, server.url, attempts=1)
        asked = len(server.bodies)
    with chat_server(lambda _: "500") as server:
        manifest = answer_prompts(tmp_path, PROMPTS, server.url, {"accept_unanswered": True}, attempts=1)
        assert server.bodies == []
    assert asked == PROMPTS + len(FAILING)
    assert manifest.counts.reasons == {"endpoint_failed": 1}
    [refused] = manifest.dropped
    assert data_of(tmp_path, manifest).read_table(refused.name)["reason"].to_pylist() == ["endpoint_failed"]


def waiting_step(name: str, place: Mapping[str, Any]) -> Step:
    return Step(
        name=name, stage=LISTWISE, settings=JudgingSettings(), inputs={}, placement=Placement.model_validate(place)
    )


@pytest.mark.parametrize("name", ["construct/listwise/judge-a.1", "construct/screen"])
@pytest.mark.parametrize(
    "placement",
    [
        {"default": {"engine": "ray", "workers": 8, "max_dropped": 0.5}},
        {"listwise/judge-a.1": {"gpus": 1}, "listwise": {"workers": 2}},
    ],
)
def test_the_setting_that_is_told_accepts_what_waits_and_changes_nothing_else(
    name: str, placement: dict[str, Any]
) -> None:
    placed = PlacedSettings.model_validate({"name": "toy", "placement": placement})
    before = placed.placement_of(name, "listwise")
    with pytest.raises(StageFailed) as told:
        refuse_waiting(waiting_step(name, before.model_dump()), [Seal("p", 1, 0, 1, 0, "", {"endpoint_failed": 1})])
    [setting] = re.findall("set (placement: .*) and run again", str(told.value))
    accepting = {"name": "toy", "placement": placement | yaml.safe_load(setting)["placement"]}
    after = PlacedSettings.model_validate(accepting).placement_of(name, "listwise")
    assert after == before.model_copy(update={"accept_unanswered": True})


@pytest.mark.parametrize(("reason", "is_told"), [("reply_invalid", True), ("too_few_answers", True), ("tied", False)])
def test_who_is_told_to_make_a_step_anew_is_told_that_replies_are_kept(reason: str, is_told: bool) -> None:
    step = waiting_step("construct/listwise/a", {})
    with pytest.raises(StageFailed, match="dropped 9 of 10 rows") as told:
        refuse_too_many_dropped(step, Folder("/runs/toy/construct/listwise/a/f00"), {reason: 9}, 10)
    assert ("delete `replies`" in str(told.value)) == is_told


@pytest.mark.parametrize(
    ("reasons", "metrics", "count"),
    [
        ({"endpoint_failed": 3, "request_refused": 9}, {}, 3),
        # Two of the five requests were about one row that was dropped.
        ({"endpoint_failed": 1}, {"unanswered": 5}, 5),
        ({"reply_invalid": 2}, {"lost": 2}, 0),
    ],
)
def test_unanswered_requests_are_counted_whether_or_not_they_cost_their_row(
    reasons: dict[str, int], metrics: dict[str, float], count: int
) -> None:
    assert unanswered(Seal("00000.parquet", 9, 0, 9, 0, "", reasons, "", metrics)) == count

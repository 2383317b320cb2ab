"""Which models a replica holds, and how a mixed batch is told apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.models.assessment import Assessment
from dt2it_ray.models.critic_settings import CriticSampling, CriticSettings
from dt2it_ray.models.ensemble import EnsembleScorer
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.serving.replica import Shelf, opener, score_by_model
from dt2it_ray.serving.settings import ServeSettings
from tests.serving import fakes
from tests.serving.fakes import FakeScorer, fake_reward, write_fake_model

A, B = (Conversation(({"role": "assistant", "content": text},), ()) for text in ("A", "a longer B"))
EXPLODES = Conversation(({"role": "assistant", "content": "explode"},), ())


class Counting:
    """Opens fake models and remembers which."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, folder: str) -> FakeScorer:
        self.opened.append(Path(folder).name)
        return FakeScorer(folder)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    return {name: write_fake_model(tmp_path / name, bias) for name, bias in (("m0", 0.0), ("m1", 10.0), ("m2", 20.0))}


def test_the_least_recently_used_model_makes_room(folders: dict[str, str]) -> None:
    opened = Counting()
    shelf = Shelf(folders, opened, room=2)
    shelf.fill()
    shelf.take("m0")
    shelf.take("m2")
    shelf.take("m0")
    shelf.take("m1")
    assert opened.opened == ["m0", "m1", "m2", "m1"]


def test_two_names_of_one_folder_share_one_model(folders: dict[str, str]) -> None:
    opened = Counting()
    shelf = Shelf(
        {"iter-00": folders["m0"], "iter-01": folders["m1"], "iter-01/voter-0": folders["m0"]}, opened, room=2
    )
    shelf.fill()
    assert shelf.take("iter-00") is shelf.take("iter-01/voter-0")
    assert sorted(opened.opened) == ["m0", "m1"]


def test_a_mixed_batch_is_one_call_of_each_model(folders: dict[str, str]) -> None:
    shelf = Shelf(folders, FakeScorer, room=1)
    readings = score_by_model(shelf, [("m0", A), ("m1", B), ("m0", B), ("m1", A), ("m0", A)])
    assert readings == [
        ("fingerprint-of-m0", Assessment(fake_reward(A, 0))),
        ("fingerprint-of-m1", Assessment(fake_reward(B, 10))),
        ("fingerprint-of-m0", Assessment(fake_reward(B, 0))),
        ("fingerprint-of-m1", Assessment(fake_reward(A, 10))),
        ("fingerprint-of-m0", Assessment(fake_reward(A, 0))),
    ]
    sizes = {name: Path(folder, "batches.jsonl").read_text() for name, folder in folders.items() if name != "m2"}
    assert {name: json.loads(text) for name, text in sizes.items()} == {"m0": 3, "m1": 2}


def test_an_ensemble_tells_how_far_its_members_disagree(folders: dict[str, str]) -> None:
    members = [FakeScorer(folders[name]) for name in ("m0", "m1", "m2")]
    shelf = Shelf({"all": "ensemble"}, lambda folder: EnsembleScorer(members, decimals=6), room=1)
    ((_, told),) = [reading for reading in score_by_model(shelf, [("all", A)]) if not isinstance(reading, Exception)]
    assert isinstance(told, Assessment)
    assert (told.reward, told.spread) == (pytest.approx(fake_reward(A, 10), abs=1e-6), 10.0)


def test_a_failing_model_leaves_the_others_alone(folders: dict[str, str]) -> None:
    shelf = Shelf({**folders, "missing": "/nowhere"}, FakeScorer, room=3)
    readings = score_by_model(shelf, [("m0", EXPLODES), ("m1", A), ("missing", A), ("m0", A)])
    assert readings[1] == ("fingerprint-of-m1", Assessment(fake_reward(A, 10)))
    assert [type(readings[place]) for place in (0, 2)] == [RuntimeError, FileNotFoundError]


def test_a_conversation_that_makes_a_model_fail_leaves_its_neighbours_alone(folders: dict[str, str]) -> None:
    readings = score_by_model(Shelf(folders, FakeScorer, room=3), [("m0", A), ("m0", EXPLODES), ("m0", B)])
    assert [readings[0], readings[2]] == [("fingerprint-of-m0", Assessment(fake_reward(each, 0))) for each in (A, B)]
    assert isinstance(readings[1], RuntimeError)


def test_a_scorer_is_told_who_writes_critiques_only_where_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(fakes, "FakeScorer", lambda folder, **how: given.append(how))
    plain = ServeSettings(scorer="tests.serving.fakes:FakeScorer")
    served = plain.model_copy(update={"critic": CriticSettings(sampling=CriticSampling(max_new_tokens=9))})
    opener(plain)("folder")
    opened = opener(served)
    opened("one")
    opened("other")
    assert [sorted(how) for how in given] == [["device", "settings", "threads"], *[["critics", *sorted(given[0])]] * 2]
    assert given[1]["critics"] is given[2]["critics"]

"""Pairs to train on: strengths kept, each pair once, names as those of the prompts beside them."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from dt2it_ray.data.schema import PAIRS
from dt2it_ray.stages.ingested_prompts import JoinSettings, load_ingested_prompts
from dt2it_ray.stages.stage import NoSettings
from dt2it_ray.stages.training_pairs import load_training_pairs
from dt2it_ray.store.files import Folder
from tests.stages.test_ingested_prompts import ROWS, row, write


def pairs_of(folder: Folder) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Pairs and refused rows of all parts."""
    outcomes = list(load_training_pairs({"rows/set": folder}, NoSettings()))
    assert all(outcome.rows.schema == PAIRS for outcome in outcomes)
    rows, dropped = ([getattr(outcome, name) for outcome in outcomes] for name in ("rows", "dropped"))
    return pa.concat_tables(rows).to_pylist(), pa.concat_tables(dropped).to_pylist()


def test_every_pair_names_the_prompts_and_answers_that_stand_beside_it(tmp_path: Path) -> None:
    folder = write(tmp_path, "set", ROWS[:4], ROWS[4:])
    pairs, _ = pairs_of(folder)
    prompts = load_ingested_prompts({"rows/set": folder}, JoinSettings())
    answers, labels = {}, set()
    for prompt in (made for outcome in prompts for made in outcome.rows.to_pylist()):
        answers[prompt["prompt_id"]] = {answer["answer_id"]: answer["text"] for answer in prompt["answers"]}
        labels |= {(label["pair_id"], label["chosen_id"], label["rejected_id"]) for label in prompt["labels"]}
    assert {(pair["pair_id"], pair["chosen_id"], pair["rejected_id"]) for pair in pairs} == labels
    texts = [[answers[pair["prompt_id"]][pair[side]] for side in ("chosen_id", "rejected_id")] for pair in pairs]
    assert texts == [[each["chosen"], each["rejected"]] for each in ROWS]
    # The same prompt in two sources is a row for each.
    assert len(answers) == 4


def test_a_pair_keeps_the_strength_of_its_row(tmp_path: Path) -> None:
    rows = [row(0, "p", "best", "good") | {"strength": 1.5}, row(1, "q", "yes", "no")]
    pairs, _ = pairs_of(write(tmp_path, "set", rows))
    assert [pair["strength"] for pair in pairs] == [1.5, None]


def test_a_pair_that_comes_again_in_either_direction_is_refused_by_its_row(tmp_path: Path) -> None:
    rows = [row(0, "p", "best", "good"), row(1, "p", "good", "best"), row(2, "q", "yes", "no")]
    pairs, refused = pairs_of(write(tmp_path, "set", rows[:1], [*rows[1:], row(3, "p", "best", "good")]))
    assert len(pairs) == 2
    assert [(each["key"], each["reason"]) for each in refused] == [("001", "row_repeated"), ("003", "row_repeated")]

"""The pairs that a model of the loop was trained on leave as rows of any written format."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.preferences import PREFERENCES
from dt2it_ray.data.schema import CANDIDATES, PAIRS, PROMPTS
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.export_run import export_preferences
from dt2it_ray.pipeline.inspect_run import inspect_preferences
from dt2it_ray.pipeline.run_record import read_run
from dt2it_ray.pipeline.trained_pairs import pairs_of_model
from tests.pipeline.fake_run import FakeRun, pair, picture, prompt

HISTORY = [{"role": "system", "text": "Be brief.", "images": 0}]
READS = {"rows/construct": "distill/rows", "answers/construct": "construct/generate", "rows/open": "open/rows"}


def loop(tmp_path: Path, **more: Any) -> str:
    """A run whose first iteration turned a pair of the pool round, and whose second waits for its pairs."""
    fake = FakeRun(str(tmp_path / "run"))
    asked = prompt("made", "distill") | {"history": HISTORY}
    fake.add("distill/rows", "scenes", {}, [asked | {"answers": []}], PROMPTS)
    given = {"prompt_id": "made", "answers": asked["answers"], "origins": ["model:toy", "reference"], "samples": 2}
    fake.add("construct/generate", "generate", {}, [given], CANDIDATES)
    fake.add("open/rows", "scenes", {}, [prompt(f"open-{n:03d}", "pool", "ABC") for n in range(300)], PROMPTS)
    sound = pair("pair-0", "made", "distill", strength=1.5)
    turned = pair("pair-1", "open-299", "pool") | {"chosen_id": "open-299-B", "rejected_id": "open-299-A"}
    third = pair("pair-2", "open-299", "pool") | {"rejected_id": "open-299-C"}
    fake.add("iter-00/pairs", "merge", {}, [sound], PAIRS)
    fake.add("iter-01/pairs", "merge", {}, [sound, turned, third | more], PAIRS)
    for name, model in (("iter-00", "iter-00"), ("iter-01", "iter-01"), ("iter-00", "iter-01/voter-1")):
        fake.add(f"{model}/train", "train", {"pairs": f"{name}/pairs", **READS})
    fake.finish()
    _plan_next(tmp_path)
    return str(tmp_path / "run")


def _plan_next(tmp_path: Path) -> None:
    """Put steps of a second iteration, which are not done, into the plan."""
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    inputs = {"pairs": "iter-02/pairs", **READS}
    told["plan"] += [
        {"step": "iter-02/pairs", "stage": "merge", "fingerprint": "f", "inputs": {}},
        {"step": "iter-02/train", "stage": "train", "fingerprint": "f", "inputs": inputs},
    ]
    (tmp_path / "run" / "run.json").write_text(json.dumps(told))


def test_the_pairs_of_the_last_iteration_have_texts_images_history_strength_and_source(tmp_path: Path) -> None:
    told = export_preferences(loop(tmp_path), str(tmp_path / "set.parquet"), "flat")
    assert told == f"3 rows of iter-01 in {tmp_path}/set.parquet"
    table = pq.read_table(tmp_path / "set.parquet")
    assert table.schema.equals(PREFERENCES)
    made, turned, third = table.to_pylist()
    assert (made["source"], made["strength"], made["history"]) == ("distill", 1.5, HISTORY)
    assert (made["chosen_origin"], made["rejected_origin"]) == ("model:toy", "reference")
    assert made["images"] == [{"bytes": picture(), "path": None}]
    assert [row["pair_id"] for row in (made, turned, third)] == ["pair-0", "pair-1", "pair-2"]
    assert turned["chosen"].endswith("answer B of open-299")
    assert turned["rejected"].endswith("answer A of open-299")
    assert third["rejected"].endswith("answer C of open-299")
    assert (turned["source"], turned["strength"], turned["chosen_origin"]) == ("pool", None, None)


def test_an_image_of_many_pairs_is_written_once_and_llama_factory_is_told(tmp_path: Path) -> None:
    export_preferences(loop(tmp_path), str(tmp_path / "sent" / "set.json"), "llama_factory")
    [file] = (tmp_path / "sent" / "set_images").iterdir()
    assert file.read_bytes() == picture()
    rows = json.loads((tmp_path / "sent" / "set.json").read_text())
    assert [row["images"] for row in rows] == [[f"set_images/{file.name}"]] * 3
    assert json.loads((tmp_path / "sent" / "dataset_info.json").read_text())["set"]["ranking"] is True


def test_any_model_of_the_run_can_be_named(tmp_path: Path) -> None:
    for model in ("iter-00", "iter-01/voter-1"):
        told = export_preferences(loop(tmp_path), str(tmp_path / "set.jsonl"), "trl", model)
        assert told == f"1 rows of {model} in {tmp_path}/set.jsonl"


@pytest.mark.parametrize(
    ("model", "told"),
    [("iter-02", "not made yet; those with pairs are iter-00, iter-01"), ("iter-1", "no such model; those with pairs")],
)
def test_a_model_without_pairs_is_refused_with_those_that_have_some(tmp_path: Path, model: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        export_preferences(loop(tmp_path), str(tmp_path / "set.jsonl"), "flat", model)


def test_a_pair_whose_answer_is_not_in_the_rows_stops_the_export(tmp_path: Path) -> None:
    source = loop(tmp_path, rejected_id="open-299-D")
    with pytest.raises(InputError, match=r"1 pairs of iter-01 name .* first pair-2"):
        export_preferences(source, str(tmp_path / "set.jsonl"), "flat")
    assert not (tmp_path / "set.jsonl").exists()


def test_tables_hold_few_pairs_so_that_images_of_many_pairs_of_a_prompt_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dt2it_ray.pipeline.trained_pairs.PAIRS_AT_ONCE", 1)
    fake = read_run(FakeRun(loop(tmp_path)).run)
    assert [table.num_rows for table in pairs_of_model(fake, "iter-01")] == [1, 1, 1]


def test_a_run_of_the_loop_is_inspected_by_the_pairs_of_its_last_model(tmp_path: Path) -> None:
    told = list(inspect_preferences(loop(tmp_path), "", "", ""))
    assert told[0] == "run: 3 pairs (pairs of iter-01)"
    assert "source: pool 2, distill 1" in told[1]
    assert (tmp_path / "run" / "inspect.html").read_text("utf-8").count("data:image/") == 3

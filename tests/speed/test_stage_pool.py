"""Busy shares are what the calls say, and both ways of answering answer every row."""

import pyarrow as pa
import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.speed.benchmarks import SUBJECTS, measure
from dt2it_ray.speed.stage_pool import run_stage_pool, told_by_calls
from dt2it_ray.speed.stand_in import RowsSettings, write_rows


def test_the_busy_share_is_of_the_time_between_the_first_call_and_the_last() -> None:
    # Two actors: one call of 4 s, one of 3 s that two rows share.
    tables = [pa.table({"began": [10.0, 12.0], "ended": [14.0, 15.0]}), pa.table({"began": [12.0], "ended": [15.0]})]
    assert told_by_calls(iter(tables), actors=2) == {"mapping_s": 5.0, "busy_s": 7.0, "busy_share": 0.7}


def test_rows_are_as_many_and_as_heavy_as_asked_for() -> None:
    made = pa.concat_tables(outcome.rows for outcome in write_rows({}, RowsSettings(rows=3000, image_bytes=10)))
    assert made.num_rows == len(set(made["prompt_id"].to_pylist())) == 3000
    assert {len(image) for image in made["image"].to_pylist()} == {10}
    assert {len(question.split()) for question in made["question"].to_pylist()} == {20}


@pytest.mark.ray
def test_a_small_pool_is_measured_beside_plain_ray_data(ray_session: None) -> None:
    figures = run_stage_pool(rows=600, service_s=0.01)
    assert figures["map_step"]["calls"] == 3 * 4 - 2
    for way in ("map_step", "plain_ray_data"):
        assert 0 < figures[way]["busy_share"] <= 1
        assert figures[way]["mapping_s"] <= figures[way]["wall_s"]


def test_an_unknown_measurement_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"t2i has no measurement 'pool'; it has \['t2i'\]"):
        measure("t2i", only="pool")


def test_every_subject_names_its_measurements() -> None:
    assert {name: list(measurements) for name, measurements in SUBJECTS.items()} == {
        "construct": ["stage_pool", "driver_memory", "vllm_loop"],
        "t2i": ["t2i"],
        "ingest": ["ingest"],
        "train": ["train", "llama_factory", "true_size"],
        "score": ["score", "true_size"],
    }

"""Files of a submitted job do not go where Ray deletes them."""

from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.construct_run import ConstructRunSettings, plan_construct
from dt2it_ray.pipeline.job_folder import refuse_lost_files
from dt2it_ray.pipeline.plan import plan_run
from dt2it_ray.pipeline.run_settings import RunSettings

UNPACKED = "/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_0a"
SHARED = {"root": "/shared/runs", "input": "s3://bucket/asked.jsonl", "output": "/shared/pairs.json"}


def judged(cache: str) -> dict[str, Any]:
    """Fields of a construction whose second judge keeps its replies in this folder."""
    engine = {"kind": "endpoint", "endpoint": {"model": "m", "url": "http://h/v1"}, "cache": cache}
    judges = [{"name": "a"}, {"name": "b", "engine": engine}]
    return {**SHARED, "construction": {"listwise": {"judges": judges}}}


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({**SHARED, "root": "runs"}, "root=runs"),
        ({**SHARED, "input": "asked.jsonl"}, "input=asked.jsonl"),
        ({**SHARED, "image_root": "images"}, "image_root=images"),
        ({**SHARED, "output": "made/pairs.json"}, "output=made/pairs.json"),
        (judged("replies"), "construction.listwise.judges.1.engine.cache=replies"),
    ],
)
def test_relative_paths_are_refused_in_the_folder_of_a_job(fields: dict[str, Any], key: str) -> None:
    settings = ConstructRunSettings.model_validate(fields)
    with pytest.raises(ConfigError, match=f"^{key} would be in {UNPACKED}"):
        refuse_lost_files(settings, UNPACKED)
    refuse_lost_files(settings, "/home/me/checkout")


def test_relative_paths_of_data_of_ones_own_are_refused_too() -> None:
    sets: dict[str, Any] = {name: {"files": {"input": f"/shared/{name}.jsonl"}} for name in ("clean", "noisy", "test")}
    outside = {"trusted": {"clean": sets["clean"]}, "pool": {"noisy": sets["noisy"]}, "tests": {"test": sets["test"]}}
    fields: dict[str, Any] = {"name": "mine", "root": "/shared/runs", "outside": outside}
    refuse_lost_files(RunSettings.model_validate(fields), UNPACKED)
    fields["outside"]["pool"]["noisy"]["ingest"] = {"decontaminate": {"benchmarks": {"vl_rewardbench": "bench"}}}
    key = "outside.pool.noisy.ingest.decontaminate.benchmarks.vl_rewardbench"
    with pytest.raises(ConfigError, match=f"^{key}=bench would be in"):
        refuse_lost_files(RunSettings.model_validate(fields), UNPACKED)
    sets["noisy"]["files"]["input"] = "data/pool.jsonl"
    with pytest.raises(ConfigError, match=r"^outside\.pool\.noisy\.files\.input=data/pool\.jsonl would be in"):
        refuse_lost_files(RunSettings.model_validate(fields), UNPACKED)


def test_absolute_paths_and_addresses_are_not_refused() -> None:
    refuse_lost_files(ConstructRunSettings.model_validate(judged("s3://bucket/replies")), UNPACKED)


def test_a_run_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "working_dir_files" / "_ray_pkg_0a"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=r"^root=runs would be in "):
        plan_run(RunSettings(name="mine"), find_backbone("tiny"))
    assert plan_run(RunSettings(name="mine", root=str(tmp_path)), find_backbone("tiny"))


def test_a_relative_input_is_refused_before_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "working_dir_files" / "_ray_pkg_0a"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    settings = ConstructRunSettings.model_validate({**SHARED, "input": "gone.jsonl"})
    with pytest.raises(ConfigError, match=r"^input=gone\.jsonl would be in "):
        plan_construct(settings)
    gone = {"gone": {"files": {"input": "gone.jsonl"}}}
    run = {"name": "mine", "root": "/shared/runs", "outside": {"trusted": gone, "pool": gone, "tests": gone}}
    with pytest.raises(ConfigError, match=r"^outside\.trusted\.gone\.files\.input=gone\.jsonl would be in "):
        plan_run(RunSettings.model_validate(run), find_backbone("tiny"))

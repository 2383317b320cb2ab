import functools
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.stage import PART_ROWS, Placement, Step
from dt2it_ray.stages.world import BENCHMARKS, OPEN, WorldSettings, load_benchmarks, plan_world
from dt2it_ray.store.files import Folder
from tests.engine.toy import reporter

SIZES = {"label_flips": 40, "style_bias": 40, "text_shortcut": 40, "clean": 20}
SMALL = {
    "distill": 30,
    "t2i": 20,
    "open": SIZES,
    "benchmarks": {"vl_rewardbench": 60, "multimodal_rewardbench": 24, "mm_rlhf_rewardbench": 24},
}


def plan(batch_rows: int = 64, part_rows: int = PART_ROWS, **changes: Any) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    place = Placement(batch_rows=batch_rows)

    def add(name: str, stage: Any, settings: Any, inputs: Any, part_rows: int = part_rows) -> Step:
        steps[name] = Step(
            name=name, stage=stage, settings=settings, inputs=inputs, placement=place, part_rows=part_rows
        )
        return steps[name]

    world = plan_world(add, parse_settings(WorldSettings, {**SMALL, **changes}, where="the test"))
    starts = [step.name for step in (world.distill, world.t2i, world.open, world.benchmarks)]
    assert starts == ["distill/rows", "t2i/rows", "open/rows", "benchmarks/load"]
    return steps


@functools.cache
def made(folder: str, batch_rows: int, part_rows: int = PART_ROWS) -> dict[str, pa.Table]:
    run = Folder(folder)
    manifests = {name: run_step(step, run, reporter()) for name, step in plan(batch_rows, part_rows).items()}
    return {name: read_rows(run, manifests[name]) for name in manifests if not name.startswith("sources/")}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("world") / "run")
    made(folder, 64)
    return folder


def files(folder: str) -> dict[str, bytes]:
    """Every file of a run but the manifests, which tell the time."""
    run = Folder(folder)
    return {name: run.read(name) for name in run.names(recursive=True) if not name.endswith("manifest.json")}


def images_of(rows: pa.Table) -> set[bytes]:
    return {image["bytes"] for row in rows["images"].to_pylist() for image in row}


def test_batch_size_changes_no_byte(base: str, tmp_path: Path) -> None:
    other = str(tmp_path / "run")
    made(other, 7)
    assert files(base) == files(other)
    pictures = [name for name in files(base) if name.endswith(".png")]
    assert len(pictures) == 24 + 8  # one per row, and one per group of MM-RLHF


def test_part_size_changes_no_row(base: str, tmp_path: Path) -> None:
    parted = made(str(tmp_path / "run"), 64, 16)
    for name in ("distill/rows", "t2i/rows", "open/rows"):
        assert parted[name].sort_by("prompt_id").equals(made(base, 64)[name].sort_by("prompt_id"))


def test_every_set_has_the_size_that_was_set(base: str) -> None:
    tables = made(base, 64)
    rows = tables["open/rows"].select(["source", "labels"]).to_pylist()
    labels = [(row["source"], len(row["labels"])) for row in rows]
    assert {name: sum(n for source, n in labels if source == name) for name in SIZES} == SIZES
    assert (tables["distill/rows"].num_rows, tables["t2i/rows"].num_rows) == (30, 20)
    counted = tables["benchmarks/load"]["source"].value_counts().to_pylist()
    assert {entry["values"]: entry["counts"] for entry in counted} == SMALL["benchmarks"]


def test_the_planted_share_of_flips_is_that_set(base: str) -> None:
    rows = made(base, 64)["open/rows"].to_pylist()
    for name, share in {"label_flips": 0.3, "style_bias": 0.3, "text_shortcut": 0.3, "clean": 0.0}.items():
        flips = [label["planted_flip"] for row in rows if row["source"] == name for label in row["labels"]]
        assert sum(flips) / len(flips) == pytest.approx(share, abs=0.02)


def test_benchmarks_come_back_from_their_files_without_the_truth(base: str) -> None:
    before, after = made(base, 64)["benchmarks/rows"].to_pylist(), made(base, 64)["benchmarks/load"].to_pylist()
    assert [row["scene"] for row in after] == [None] * len(before)
    assert sorted(map(pair_of, after)) == sorted(map(pair_of, before))


def pair_of(row: dict[str, Any]) -> tuple[str, ...]:
    texts = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    label = row["labels"][0]
    better, worse = texts[label["chosen_id"]], texts[label["rejected_id"]]
    return row["source"], row["item"], row["category"], row["question"], better, worse


def test_benchmarks_share_no_image_with_what_is_trained_on(base: str) -> None:
    tables = made(base, 64)
    held_out = images_of(tables["benchmarks/load"])
    for name in ("open/rows", "distill/rows", "t2i/rows"):
        assert not held_out & images_of(tables[name])
    assert len(images_of(tables["open/rows"])) == tables["open/rows"].num_rows


def test_resizing_the_pool_changes_no_other_step() -> None:
    before, after = plan(), plan(open={**SIZES, "clean": 21})
    changed = {name for name in before if before[name].fingerprint != after[name].fingerprint}
    assert changed == {"open/index", "open/rows"}
    assert {step.fingerprint for step in plan(seed=1).values()}.isdisjoint(s.fingerprint for s in before.values())


def test_row_stages_can_be_sent_to_workers() -> None:
    for stage in (OPEN, BENCHMARKS):
        assert pickle.loads(pickle.dumps(stage)).name == stage.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"open": dict.fromkeys(SIZES, 0)}, "all open sets have 0 pairs"),
        ({"open": {"label_flip": 3}}, "did you mean open.label_flips"),
        ({"flips": {"clean": 1.5}}, "flips.clean"),
        ({"distill": 0}, "distill"),
    ],
)
def test_a_world_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**changes)


def test_a_missing_benchmark_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"test-00000-of-00001\.parquet"):
        list(load_benchmarks({"vl_rewardbench": Folder(str(tmp_path))}, None))  # pyright: ignore

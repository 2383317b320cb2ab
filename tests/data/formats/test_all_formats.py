import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data import ids
from dt2it_ray.data.formats.benchmarks import BENCHMARK_FORMATS
from dt2it_ray.data.schema import BENCHMARK_ROWS, DROPPED
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import benchmark_row, content_of, pair_texts, picture

FORMATS = list(BENCHMARK_FORMATS.values())
ROWS = [
    benchmark_row("mathverse_1", "long", images=(picture(1),), chosen=1, reference="A dog."),
    benchmark_row("mathverse_1", "long", "图中是什么？", ("一只猫。", "一只狗。"), images=(picture(1),)),
    benchmark_row("plain", "mcq", answers=('He said "a\u2028b"', "line\nbreak"), images=(picture(2, "JPEG"),)),
    benchmark_row("RLHF-V-3", "mcq", images=(picture(3, "JPEG"),), chosen=1),
    benchmark_row("RLHF-V-3", "mcq", images=(picture(3, "JPEG"),), chosen=1),
]


@pytest.fixture(params=FORMATS, ids=lambda module: module.NAME)
def form(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def read_rows(form: ModuleType, folder: Folder, batch_rows: int = 1024) -> pa.Table:
    return pa.concat_tables([batch.rows for batch in form.read(folder, batch_rows)])


def test_rows_come_back_with_the_same_pairs_images_and_ids(form: ModuleType, tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    assert form.write(iter(ROWS), folder) == len(ROWS)
    table = read_rows(form, folder)
    assert table.schema == BENCHMARK_ROWS
    rows = table.to_pylist()
    assert [pair_texts(row) for row in rows] == [pair_texts(row) for row in ROWS]
    for before, after in zip(ROWS, rows, strict=True):
        assert after["images"][0]["bytes"] == before["images"][0]["bytes"]
        assert (after["item"], after["question"]) == (before["item"], before["question"])
        assert after["source"] == form.NAME
        assert after["scene"] is None
        assert after["labels"][0]["planted_flip"] is None
    assert [row["language"] for row in rows] == ["en", "zh", "en", "en", "en"]


def test_rows_that_repeat_ids_or_content_have_keys_of_their_own(form: ModuleType, tmp_path: Path) -> None:
    form.write(ROWS, Folder(str(tmp_path)))
    rows = read_rows(form, Folder(str(tmp_path))).to_pylist()
    assert rows[3]["question"] == rows[4]["question"]
    assert len({row["prompt_id"] for row in rows}) == len(rows)
    assert len({answer["answer_id"] for row in rows for answer in row["answers"]}) == 2 * len(rows)
    assert len({row["labels"][0]["pair_id"] for row in rows}) == len(rows)


def test_keys_name_content_not_place(form: ModuleType, tmp_path: Path) -> None:
    there, back = Folder(str(tmp_path / "there")), Folder(str(tmp_path / "back"))
    form.write(ROWS[:4], there)
    form.write(ROWS[3::-1], back)
    keys = read_rows(form, there)["prompt_id"].to_pylist()
    assert keys == read_rows(form, back)["prompt_id"].to_pylist()[::-1]


def test_ids_of_answers_and_pairs_are_content_ids(form: ModuleType, tmp_path: Path) -> None:
    form.write(ROWS, Folder(str(tmp_path)))
    for row in read_rows(form, Folder(str(tmp_path))).to_pylist():
        for answer in row["answers"]:
            assert answer["answer_id"] == ids.answer_id(row["prompt_id"], answer["text"])
        label = row["labels"][0]
        assert label["pair_id"] == ids.pair_id(form.NAME, label["chosen_id"], label["rejected_id"])


@pytest.mark.parametrize("batch_rows", [1, 2, 5])
def test_batch_size_changes_no_row(form: ModuleType, tmp_path: Path, batch_rows: int) -> None:
    folder = Folder(str(tmp_path))
    form.write(ROWS, folder)
    batches = list(form.read(folder, batch_rows))
    assert len(batches) == math.ceil(len(ROWS) / batch_rows)
    assert pa.concat_tables([batch.rows for batch in batches]).equals(read_rows(form, folder))


def test_equal_rows_give_equal_bytes_and_no_truth_of_the_scene(form: ModuleType, tmp_path: Path) -> None:
    folders = [Folder(str(tmp_path / name)) for name in ("one", "two")]
    for folder in folders:
        form.write(ROWS, folder)
    files = content_of(folders[0])
    assert files == content_of(folders[1])
    assert not any(b"SECRET" in content for content in files.values())


def test_an_undecodable_image_drops_its_row_only(form: ModuleType, tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    broken = picture(7)[:-30]
    form.write([ROWS[0], benchmark_row("bad_1", "mcq", images=(broken,)), ROWS[2]], folder)
    batch = next(iter(form.read(folder)))
    assert batch.dropped.schema == DROPPED
    assert batch.rows["item"].to_pylist() == ["mathverse_1", "plain"]
    [dropped] = batch.dropped.to_pylist()
    assert dropped["reason"] == "image_undecodable"
    assert dropped["key"] == f"{form.FILE}:2"
    assert f"{form.FILE} row 2, field image" in dropped["detail"].replace("Image", "image")


def test_equal_answers_are_dropped(form: ModuleType, tmp_path: Path) -> None:
    row = benchmark_row("twin_1", "mcq", answers=("Same.", "Other."))
    row["answers"][1]["text"] = "Same."
    form.write([row], Folder(str(tmp_path)))
    batch = next(iter(form.read(Folder(str(tmp_path)))))
    assert (batch.rows.num_rows, batch.dropped["reason"].to_pylist()) == (0, ["answers_equal"])


@pytest.mark.parametrize("keep", [0, 0.5, 0.98])
def test_a_truncated_file_is_named_with_what_to_do(form: ModuleType, tmp_path: Path, keep: float) -> None:
    folder = Folder(str(tmp_path))
    form.write(ROWS, folder)
    whole = folder.read(form.FILE)
    folder.write(form.FILE, whole[: int(len(whole) * keep)])
    with pytest.raises(InputError, match=r"(cut off|empty).*again") as caught:
        list(form.read(folder))
    assert folder.path(form.FILE) in str(caught.value)


def test_a_missing_file_is_named(form: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=form.FILE):
        list(form.read(Folder(str(tmp_path))))


def remove_label(row: dict[str, Any]) -> None:
    row["labels"] = []


def label_stranger(row: dict[str, Any]) -> None:
    row["labels"][0]["chosen_id"] = "stranger"


def remove_images(row: dict[str, Any]) -> None:
    row["images"] = []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_label, "0 labels"),
        (label_stranger, "stranger"),
        (remove_images, "0 images"),
    ],
)
def test_a_row_that_does_not_fit_is_not_written(form: ModuleType, tmp_path: Path, damage: Any, message: str) -> None:
    row = benchmark_row("odd_1", "mcq")
    damage(row)
    with pytest.raises(InputError, match=message):
        form.write([row], Folder(str(tmp_path)))

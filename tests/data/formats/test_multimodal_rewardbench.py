import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.data.formats import multimodal_rewardbench
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import benchmark_row, pair_texts, picture


def released(**changes: Any) -> dict[str, Any]:
    row = {
        "ID": "nocaps_5",
        "Text": "Describe it.",
        "Image": "images/nocaps/5.jpg",
        "Output1": "A cat.",
        "Output2": "A dog.",
        "Better": "Output1",
        "Category": "open_generation/correctness_task",
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not ...}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(str(tmp_path))
    folder.write("data/images/nocaps/5.jpg", picture(5, "JPEG"))
    return folder


def store(folder: Folder, rows: Any) -> None:
    folder.write(multimodal_rewardbench.FILE, json.dumps(rows).encode())


def test_the_files_have_the_released_keys_and_places(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    rows = [
        benchmark_row("nocaps_9", "knowledge", images=(picture(1, "JPEG"),)),
        benchmark_row("nocaps_10", "knowledge", images=(picture(1, "JPEG"),), chosen=1),
        benchmark_row("EMMA-Coding_2", "reasoning", images=(picture(2),)),
        benchmark_row("../up", "safety", images=(picture(3),)),
    ]
    multimodal_rewardbench.write(rows, folder)
    written = json.loads(folder.read(multimodal_rewardbench.FILE))
    assert list(written[0]) == list(released())
    assert [row["Better"] for row in written] == ["Output1", "Output2", "Output1", "Output1"]
    images = ["images/nocaps/0.jpg", "images/nocaps/0.jpg", "images/EMMA-Coding/2.png", "images/___up/3.png"]
    assert [row["Image"] for row in written] == images
    assert folder.names("data/images", recursive=True) == sorted(f"data/{name}" for name in set(images))


def test_the_better_output_is_chosen_and_the_order_kept(folder: Folder) -> None:
    store(folder, [released(), released(Better="Output2")])
    first, second = next(multimodal_rewardbench.read(folder)).rows.to_pylist()
    assert pair_texts(first) == ("A cat.", "A dog.")
    assert pair_texts(second) == ("A dog.", "A cat.")
    assert [answer["text"] for answer in second["answers"]] == ["A cat.", "A dog."]
    assert first["category"] == "open_generation/correctness_task"
    assert first["images"][0]["path"] == "data/images/nocaps/5.jpg"


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"ID": ...}, "field_invalid", "field ID: missing"),
        ({"Text": ""}, "field_invalid", "field Text: empty"),
        ({"Output1": ["A cat."]}, "field_invalid", "field Output1: ['A cat.'] is not a text"),
        ({"Output2": "half \ud83d"}, "field_invalid", "field Output2: holds an escaped half character"),
        ({"Better": "output1"}, "field_invalid", "field Better: 'output1'"),
        ({"Category": ...}, "field_invalid", "field Category: missing"),
        ({"Image": "images/nocaps/6.jpg"}, "image_missing", "data/images/nocaps/6.jpg"),
        ({"Image": "images/nocaps"}, "image_missing", "data/images/nocaps"),
        ({"Image": "images/nocaps/5.jpg/x"}, "image_missing", "5.jpg/x"),
        ({"Image": "images/empty.jpg"}, "image_missing", "no image bytes"),
        ({"Image": "../../secret.png"}, "field_invalid", "inside the image folder"),
        ({"Image": "/etc/secret.png"}, "field_invalid", "inside the image folder"),
        ({"Image": "a\0b"}, "field_invalid", "inside the image folder"),
        ({"Image": "x" * 300}, "field_invalid", "inside the image folder"),
    ],
)
def test_a_bad_row_is_dropped_with_its_place(folder: Folder, changes: dict[str, Any], reason: str, detail: str) -> None:
    folder.write("data/images/empty.jpg", b"")
    store(folder, [released(), released(**changes)])
    batch = next(multimodal_rewardbench.read(folder))
    [dropped] = batch.dropped.to_pylist()
    assert batch.rows.num_rows == 1
    assert dropped["reason"] == reason
    assert dropped["detail"].startswith(f"{multimodal_rewardbench.FILE} row 2, field ")
    assert detail in dropped["detail"]
    assert folder.uri not in dropped["detail"]


def test_a_row_that_is_no_object_is_dropped_with_itself_as_evidence(folder: Folder) -> None:
    store(folder, [released(), ["A cat."]])
    [dropped] = next(multimodal_rewardbench.read(folder)).dropped.to_pylist()
    assert dropped["evidence"] == '["A cat."]'


def test_the_unfilled_release_says_what_to_run(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write(multimodal_rewardbench.UNFILLED, b"[]")
    with pytest.raises(InputError, match="0_download_data"):
        list(multimodal_rewardbench.read(folder))


@pytest.mark.parametrize("rows", [[], {"ID": "x"}])
def test_anything_but_a_list_of_rows_is_an_error(folder: Folder, rows: Any) -> None:
    store(folder, rows)
    with pytest.raises(InputError, match="list of rows"):
        list(multimodal_rewardbench.read(folder))


def test_absent_images_are_an_error_that_says_so(tmp_path: Path) -> None:
    store(Folder(str(tmp_path)), [released()])
    with pytest.raises(InputError, match="images are not shipped"):
        list(multimodal_rewardbench.read(Folder(str(tmp_path))))


def test_a_broken_image_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row nocaps_1 has an image"):
        multimodal_rewardbench.write([benchmark_row("nocaps_1", "vqa", images=(b"?",))], Folder(str(tmp_path)))

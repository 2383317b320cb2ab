import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.data.formats import mm_rlhf_rewardbench
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import benchmark_row, pair_texts, picture

FRAMES = tuple(picture(5 * shade, "JPEG") for shade in range(40))


def released(**changes: Any) -> dict[str, Any]:
    row = {
        "id": "17",
        "image": "mcq/a.png",
        "prompt": "What is it?",
        "chosen": "A cat.",
        "rejected": "A dog.",
        "chosen_reason": "It is one.",
        "rejected_reason": "It is none.",
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not ...}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(str(tmp_path))
    folder.write("images/mcq/a.png", picture(1))
    return folder


def store(folder: Folder, *rows: dict[str, Any] | str) -> None:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    folder.write(mm_rlhf_rewardbench.FILE, "".join(f"{line}\n" for line in lines).encode())


def test_the_files_have_the_released_keys_and_places(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    still = benchmark_row("7", "short", images=(picture(1),), chosen=1)
    video = benchmark_row("8", "video", images=FRAMES[:2])
    assert mm_rlhf_rewardbench.write([still, still, video], folder) == 3
    rows = [json.loads(line) for line in folder.read(mm_rlhf_rewardbench.FILE).decode().splitlines()]
    assert list(rows[0]) == list(released())
    assert (rows[0]["chosen"], rows[0]["rejected"]) == ("A dog.", "A cat.")
    assert rows[0]["image"] == rows[1]["image"]
    assert rows[0]["image"].startswith("short/")
    frames = rows[2]["video"].removeprefix("video/")
    assert "image" not in rows[2]
    assert folder.names("images", recursive=True) == sorted(
        [f"images/{rows[0]['image']}", f"images/{frames}/c01_0001.jpg", f"images/{frames}/c01_0002.jpg"]
    )


def test_a_video_row_has_its_frames_as_images(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    mm_rlhf_rewardbench.write([benchmark_row("8", "video", images=FRAMES[:3])], folder)
    [row] = next(mm_rlhf_rewardbench.read(folder)).rows.to_pylist()
    assert [image["bytes"] for image in row["images"]] == list(FRAMES[:3])
    assert row["category"] == "video"


@pytest.mark.parametrize("place", ["images/v1", "images/video/v1"])
def test_long_videos_are_thinned_to_even_frames_wherever_they_lie(tmp_path: Path, place: str) -> None:
    folder = Folder(str(tmp_path))
    for number, frame in enumerate(FRAMES):
        folder.write(f"{place}/c01_{number:04d}.jpeg", frame)
    store(folder, released(image=..., video="video/v1"))
    [row] = next(mm_rlhf_rewardbench.read(folder)).rows.to_pylist()
    shown = [FRAMES.index(image["bytes"]) for image in row["images"]]
    assert (len(shown), shown[0], shown[-1]) == (32, 0, 39)
    assert {later - earlier for earlier, later in itertools.pairwise(shown)} == {1, 2}


def test_pairs_of_one_id_are_one_group_with_keys_of_their_own(folder: Folder) -> None:
    store(folder, released(), released(rejected="A bird."), released(chosen="A bird.", rejected="A cow."))
    rows = next(mm_rlhf_rewardbench.read(folder)).rows.to_pylist()
    assert [row["group"] for row in rows] == ["17", "17", "17"]
    assert [pair_texts(row)[0] for row in rows] == ["A cat.", "A cat.", "A bird."]
    assert len({row["prompt_id"] for row in rows}) == 3


def test_the_category_is_the_first_component_of_the_path(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("images/safety/short-mcq.png", picture(1))
    store(folder, released(image="safety/short-mcq.png"))
    assert next(mm_rlhf_rewardbench.read(folder)).rows["category"].to_pylist() == ["safety"]


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"id": 17}, "field_invalid", "field id: 17 is not a text"),
        ({"prompt": ...}, "field_invalid", "field prompt: missing"),
        ({"rejected": "\n"}, "field_invalid", "field rejected: empty"),
        ({"image": ...}, "field_invalid", "neither"),
        ({"video": "video/v1"}, "field_invalid", "fields image, video"),
        ({"image": "other/a.png"}, "field_invalid", "in no folder of"),
        ({"image": "video/a.png"}, "field_invalid", "in no folder of"),
        ({"image": "."}, "field_invalid", "in no folder of"),
        ({"image": "mcq/gone.png"}, "image_missing", "images/mcq/gone.png"),
        ({"image": ..., "video": "video/gone"}, "image_missing", "images/gone has no frames"),
        ({"image": ..., "video": "video"}, "image_missing", "no frames"),
    ],
)
def test_a_bad_row_is_dropped_with_its_place(folder: Folder, changes: dict[str, Any], reason: str, detail: str) -> None:
    store(folder, released(), released(**changes))
    batch = next(mm_rlhf_rewardbench.read(folder))
    [dropped] = batch.dropped.to_pylist()
    assert batch.rows.num_rows == 1
    assert dropped["reason"] == reason
    assert dropped["detail"].startswith(f"{mm_rlhf_rewardbench.FILE} row 2, field")
    assert detail in dropped["detail"]


def test_a_broken_line_before_the_end_is_dropped_and_blank_lines_are_passed_over(folder: Folder) -> None:
    store(folder, released(), "", '{"id": "1', released(chosen="A cow."))
    batch = next(mm_rlhf_rewardbench.read(folder))
    assert batch.rows.num_rows == 2
    assert batch.dropped["key"].to_pylist() == [f"{mm_rlhf_rewardbench.FILE}:3"]
    assert batch.dropped["evidence"].to_pylist() == ['"{\\"id\\": \\"1"']


@pytest.mark.parametrize(("content", "message"), [(b"\xff\xfe\n", "not UTF-8"), (b"\n\n", "no rows")])
def test_a_file_without_usable_text_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    folder = Folder(str(tmp_path))
    folder.write(mm_rlhf_rewardbench.FILE, content)
    with pytest.raises(InputError, match=message):
        list(mm_rlhf_rewardbench.read(folder))


@pytest.mark.parametrize(("category", "images"), [("vqa", FRAMES[:1]), ("video", ())])
def test_a_row_without_a_place_in_the_layout_is_not_written(
    tmp_path: Path, category: str, images: tuple[bytes, ...]
) -> None:
    with pytest.raises(InputError, match="row 5"):
        mm_rlhf_rewardbench.write([benchmark_row("5", category, images=images)], Folder(str(tmp_path)))

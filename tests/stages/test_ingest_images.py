"""Opening images of ingested rows does not depend on batches, opens each image of a prompt once, and takes videos."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import dt2it_ray.stages.ingest_images as opening
from dt2it_ray.data.formats.preference import Preference
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.data.ids import prompt_id
from dt2it_ray.stages.ingest_images import OpenSettings, build_opening
from dt2it_ray.stages.ingest_rows import Keying, keyed_row, keyed_table
from dt2it_ray.stages.ingest_settings import FrameSettings, RowLimits
from dt2it_ray.stages.stage import Outcome, Workplace
from tests.stages.ingest_files import picture

HOW = Keying("set", RowLimits(), None)


def rows_about(*names: str | bytes | None) -> pa.Table:
    """A row about each image: its name, its bytes, or none."""
    rows = []
    for number, name in enumerate(names, 1):
        held = isinstance(name, bytes)
        images = [{"bytes": name if held else None, "path": None if held else name}] if name else []
        said = Preference(f"What is {number}?", "Red.", "Blue.", images)
        rows.append(keyed_row(said, Record("f", number, {}), 0, HOW))
    return keyed_table(rows)


def opened(folder: Path, rows: pa.Table, batch_rows: int = 100, **fields: Any) -> tuple[list[dict], list[dict]]:
    function = build_opening(OpenSettings(root=str(folder), embed=True, **fields), Workplace())
    made: list[Outcome] = [
        function(rows.slice(start, batch_rows)) for start in range(0, max(1, rows.num_rows), batch_rows)
    ]
    kept = pa.concat_tables([each.rows for each in made]).sort_by("row_id").to_pylist()
    return kept, pa.concat_tables([each.dropped for each in made]).sort_by("key").to_pylist()


@pytest.mark.parametrize("batch_rows", [1, 3])
def test_other_batches_in_another_order_give_the_same_rows(tmp_path: Path, batch_rows: int) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    rows = rows_about(*(f"{number % 5}.png" for number in range(12)), None, picture(9), b"no image")
    shuffled = rows.take(random.Random(1).sample(range(rows.num_rows), rows.num_rows))
    whole = opened(tmp_path, rows)
    assert opened(tmp_path, shuffled, batch_rows) == whole
    assert (len(whole[0]), len(whole[1])) == (12, 3)
    assert {row["reason"] for row in whole[1]} == {"image_missing", "image_undecodable"}


def test_an_opened_prompt_is_named_by_its_bytes_and_looks_like_its_copy(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "b.jpg").write_bytes(picture(1, "JPEG"))
    (one, other), _ = opened(tmp_path, rows_about("a.png", "b.jpg"))
    assert one["prompt_id"] == prompt_id([picture(1)], "What is 1?")
    assert one["image_keys"] != other["image_keys"]
    assert (one["looks"][0] ^ other["looks"][0]).bit_count() <= 4


def test_pairs_of_one_image_read_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    read: list[Any] = []
    real = opening.open_media
    monkeypatch.setattr(opening, "open_media", lambda *args: read.append(args[0]["path"]) or real(*args))
    kept, _ = opened(tmp_path, rows_about("a.png", "a.png", "a.png"))
    assert read == ["a.png"]
    assert len(kept) == 3


def test_a_folder_of_frames_becomes_its_frames(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for number in range(6):
        (tmp_path / "clip" / f"{number}.png").write_bytes(picture(number))
    [row], _ = opened(tmp_path, rows_about("clip"), frames=FrameSettings(count=2))
    assert [image["bytes"] for image in row["images"]] == [picture(1), picture(4)]
    assert len(row["image_keys"]) == len(row["looks"]) == 2

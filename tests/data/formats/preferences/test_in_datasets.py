"""What is written loads in the `datasets` library, where every row still says the same."""

from pathlib import Path

import PIL.Image
import pytest
from datasets import Image, load_dataset

from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS, WRITTEN
from tests.data.formats.preferences.exported import rows_held, write_export
from tests.data.formats.preferences.test_round_trips import kept


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_a_file_loads_and_its_rows_say_the_same(form: str, suffix: str, tmp_path: Path) -> None:
    path = write_export(form, tmp_path, suffix)
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    read = [PREFERENCE_FORMATS[form].parse(row) for row in loaded]
    assert read == [[kept(form, pair)] for pair, _ in rows_held(form)]
    assert read


def test_the_image_column_of_rlaif_v_can_be_made_images(tmp_path: Path) -> None:
    path = write_export("rlaif_v", tmp_path)
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    found = loaded.map(lambda row: {"image": str(tmp_path / row["image"])}).cast_column("image", Image())[0]["image"]
    assert found.tobytes() == PIL.Image.open(tmp_path / "a.png").tobytes()


def test_a_loaded_file_can_be_stored_as_parquet_and_read_as_rows(tmp_path: Path) -> None:
    path = write_export("trl", tmp_path)
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    loaded.to_parquet(str(tmp_path / "trl.parquet"))
    again = load_dataset("parquet", data_files=str(tmp_path / "trl.parquet"), cache_dir=str(tmp_path / "cache"))
    read = [PREFERENCE_FORMATS["trl"].parse(row)[0] for row in again["train"]]
    assert read == [kept("trl", pair) for pair, _ in rows_held("trl")]

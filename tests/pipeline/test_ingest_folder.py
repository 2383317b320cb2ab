"""What an ingestion leaves alone: files of others in its folder, and what a finished folder says of itself."""

from pathlib import Path

import pytest

from dt2it_ray.errors import InputError, StepChanged
from dt2it_ray.pipeline.ingest_run import IngestRunSettings, run_ingest
from tests.stages.ingest_files import flat, ingest, picture, settings_of, write_lines


def in_its_own_folder(tmp_path: Path, *rows: object) -> IngestRunSettings:
    """An ingestion whose output is the folder that also holds the rows and, in `images`, their images."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(picture(1))
    settings = settings_of(tmp_path, write_lines(tmp_path / "rows.jsonl", list(rows)))
    return settings.model_copy(update={"output": str(tmp_path)})


def test_images_of_a_data_set_that_is_ingested_into_its_own_folder_stay(tmp_path: Path) -> None:
    assert run_ingest(in_its_own_folder(tmp_path, flat("What?", image_path="images/a.png")))["rows"] == 1
    assert [file.name for file in (tmp_path / "images").iterdir()] == ["a.png"]
    assert not (tmp_path / "load").exists()


def test_they_stay_too_if_no_row_can_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row can be used"):
        run_ingest(in_its_own_folder(tmp_path, {"question": "What?"}))
    assert [file.name for file in (tmp_path / "images").iterdir()] == ["a.png"]
    assert not (tmp_path / "ingested").exists()


def test_what_steps_with_other_settings_began_is_removed(tmp_path: Path) -> None:
    begun = tmp_path / "out" / "load" / "0123456789abcdef" / "00000.parquet"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"begun")
    ingest(tmp_path, [flat("What?")])
    assert not (tmp_path / "out" / "load").exists()


def test_other_settings_are_named_and_the_folder_stays_as_it_was(tmp_path: Path) -> None:
    ingest(tmp_path, [flat("What?")])
    before = (tmp_path / "out" / "run.json").read_bytes()
    with pytest.raises(StepChanged, match=r'ingest\.duplicates\.within: "pair" -> "none"[\s\S]*another output'):
        ingest(tmp_path, [flat("What?")], duplicates={"within": "none"})
    assert (tmp_path / "out" / "run.json").read_bytes() == before


def test_changed_files_are_told_of_as_such(tmp_path: Path) -> None:
    ingest(tmp_path, [flat("What?")])
    with pytest.raises(StepChanged, match=r"files that it reads have changed"):
        ingest(tmp_path, [flat("What?"), flat("Who?")])

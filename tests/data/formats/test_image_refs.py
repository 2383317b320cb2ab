"""An image named by path is found inside its folder only."""

from pathlib import Path

import pytest

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.image_refs import open_image
from dt2it_ray.store.files import Folder
from tests.stages.rows import png


def reference(path: str | None, content: bytes | None = None) -> dict[str, object]:
    return {"bytes": content, "path": path}


@pytest.fixture
def images(tmp_path: Path) -> Folder:
    (tmp_path / "images" / "deep").mkdir(parents=True)
    (tmp_path / "images" / "deep" / "a.png").write_bytes(png(7))
    (tmp_path / "images" / "broken.png").write_bytes(b"no image")
    (tmp_path / "secret.png").write_bytes(png(9))
    return Folder(str(tmp_path / "images"))


def test_a_path_is_relative_to_the_folder_or_absolute_inside_it(images: Folder) -> None:
    for path in ("deep/a.png", images.path("deep/a.png")):
        assert open_image(reference(path), images) == {"bytes": png(7), "path": path}


def test_bytes_need_no_file(images: Folder) -> None:
    assert open_image(reference(None, png(1)), images) == {"bytes": png(1), "path": None}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("gone.png", "image_missing"),
        ("broken.png", "image_undecodable"),
        ("../secret.png", "field_invalid"),
        ("deep/../../secret.png", "field_invalid"),
        ("/etc/hostname", "image_missing"),
        ("deep", "image_missing"),
    ],
)
def test_anything_else_is_refused(images: Folder, path: str, reason: str) -> None:
    with pytest.raises(RowRefused) as refusal:
        open_image(reference(path), images)
    assert refusal.value.reason == reason

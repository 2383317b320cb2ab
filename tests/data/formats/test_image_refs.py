"""An image named by path is found inside its folder or archive only; a data: URI holds it."""

import base64
import io
import pickle
import threading
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import image_root, open_image
from dt2it_ray.store.files import Folder
from tests.data.formats.test_sources import tar_of, zip_of
from tests.stages.rows import png


def reference(path: str | None, content: bytes | None = None) -> dict[str, object]:
    return {"bytes": content, "path": path}


def data_uri(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


MEMBERS = {"deep/a.png": png(7), "broken.png": b"no image", "b.png": png(8)}


@pytest.fixture
def images(tmp_path: Path) -> Files:
    (tmp_path / "images" / "deep").mkdir(parents=True)
    for name, content in MEMBERS.items():
        (tmp_path / "images" / name).write_bytes(content)
    (tmp_path / "images" / "more.zip").write_bytes(zip_of(MEMBERS))
    (tmp_path / "images" / "more.tar").write_bytes(tar_of(MEMBERS))
    (tmp_path / "images" / "more.tar.gz").write_bytes(tar_of(MEMBERS, "w:gz"))
    packed = pa.compress(tar_of(MEMBERS), codec="zstd", asbytes=True)
    (tmp_path / "images" / "more.tar.zst").write_bytes(packed)
    (tmp_path / "images" / "false.zip").write_bytes(b"no archive")
    (tmp_path / "secret.png").write_bytes(png(9))
    return image_root(str(tmp_path / "images"), Folder)


def test_a_path_is_relative_to_the_folder_or_absolute_inside_it(images: Files) -> None:
    for path in ("deep/a.png", "./deep/a.png", images.path("deep/a.png")):
        assert open_image(reference(path), images) == {"bytes": png(7), "path": path}


def test_bytes_need_no_file(images: Files) -> None:
    assert open_image(reference(None, png(1)), images) == {"bytes": png(1), "path": None}


def test_a_data_uri_is_the_image_and_no_path(images: Files) -> None:
    assert open_image(reference(data_uri(png(3))), images) == {"bytes": png(3), "path": None}


@pytest.mark.parametrize("archive", ["more.zip", "more.tar", "more.tar.gz", "more.tar.zst"])
def test_a_member_of_an_archive_is_named_within_it_or_the_archive_is_the_folder(images: Files, archive: str) -> None:
    within = open_image(reference(f"{archive}!deep/a.png"), images)
    assert within == {"bytes": png(7), "path": f"{archive}!deep/a.png"}
    root = image_root(images.path(archive), Folder)
    for folder in (root, pickle.loads(pickle.dumps(root))):
        assert open_image(reference("deep/a.png"), folder) == {"bytes": png(7), "path": "deep/a.png"}
        assert folder.names("deep") == ["deep/a.png"]
        with pytest.raises(RowRefused, match=r"has no member gone\.png"):
            open_image(reference("gone.png"), folder)


@pytest.mark.parametrize("archive", ["many.zip", "many.tar"])
def test_threads_read_one_archive_at_once(tmp_path: Path, archive: str) -> None:
    members = {f"{number}.png": png(number) for number in range(40)}
    (tmp_path / archive).write_bytes(zip_of(members) if archive.endswith("zip") else tar_of(members))
    root = image_root(str(tmp_path / archive), Folder)
    wrong: list[str] = []

    def read_all() -> None:
        for name, content in members.items():
            if open_image(reference(name), root)["bytes"] != content:
                wrong.append(name)

    threads = [threading.Thread(target=read_all) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("path", "reason", "told"),
    [
        ("gone.png", "image_missing", "gone.png"),
        ("", "image_missing", ""),
        ("broken.png", "image_undecodable", "broken.png"),
        ("../secret.png", "field_invalid", "inside the image folder"),
        ("deep/../../secret.png", "field_invalid", "inside the image folder"),
        ("/etc/hostname", "image_missing", "--image-root"),
        ("https://example.org/a.png", "image_missing", "download the images"),
        ("deep", "image_missing", "deep"),
        ("more.zip!gone.png", "image_missing", "has no member gone.png"),
        ("more.zip!../b.png", "image_missing", "has no member ../b.png"),
        ("gone.zip!b.png", "image_missing", "gone.zip"),
        ("false.zip!b.png", "image_missing", "false.zip is cut off or no archive"),
        ("data:image/png,abc", "image_undecodable", "no data: URI of base64"),
        ("data:image/png;base64,@@@@", "image_undecodable", "no base64"),
        (data_uri(b"no image"), "image_undecodable", "cannot decode 8 bytes"),
    ],
)
def test_anything_else_is_refused(images: Files, path: str, reason: str, told: str) -> None:
    with pytest.raises(RowRefused) as refusal:
        open_image(reference(path), images)
    assert refusal.value.reason == reason
    assert refusal.value.where == "field images"
    assert told in refusal.value.problem


@pytest.mark.parametrize(
    "image",
    [reference("b.png"), reference("more.zip!b.png"), reference(data_uri(png(8))), reference(None, png(8))],
)
def test_an_image_of_more_bytes_than_its_limit_is_refused(images: Files, image: dict[str, object]) -> None:
    size = len(png(8))
    assert open_image(image, images, max_bytes=size)["bytes"] == png(8)
    with pytest.raises(RowRefused) as refusal:
        open_image(image, images, max_bytes=size - 1)
    assert refusal.value.reason == "image_too_large"


def test_a_member_that_its_archive_has_wrong_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", png(7))
    content = buffer.getvalue().replace(png(7)[-20:], bytes(20))
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(RowRefused, match="Bad CRC-32"):
        open_image(reference("a.png"), image_root(str(tmp_path / "a.zip"), Folder))

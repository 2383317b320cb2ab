"""A video is the frames that its sampling names, whether it is a file or a folder of frames."""

import builtins
import io
from pathlib import Path

import pytest
from PIL import Image

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.image_refs import image_root
from dt2it_ray.data.formats.videos import FrameSampling, chosen_frames, open_media, spread
from dt2it_ray.data.images import decode
from dt2it_ray.store.files import Folder
from tests.data.formats.test_sources import zip_of
from tests.stages.rows import png

FRAMES = 20
FPS = 10


def film(path: Path) -> None:
    """Two seconds whose frames grow brighter by 12 each."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width = stream.height = 64
        stream.bit_rate = 8_000_000
        for number in range(FRAMES):
            picture = Image.new("RGB", (64, 64), (12 * number,) * 3)
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())


def opened(folder: Path, name: str, sampling: FrameSampling) -> list[dict[str, object]]:
    return open_media({"bytes": None, "path": name}, image_root(str(folder), Folder), sampling)


def frame_numbers(images: list[dict[str, object]]) -> list[int]:
    pixels = [decode(image["bytes"]).getpixel((32, 32)) for image in images]  # type: ignore[arg-type]
    return [round(pixel[0] / 12) for pixel in pixels]  # type: ignore[index]


def test_frames_are_spread_evenly() -> None:
    assert spread(10, 1) == [5]
    assert spread(10, 2) == [2, 7]
    assert spread(20, 4) == [2, 7, 12, 17]
    assert spread(3, 8) == [0, 1, 2]


def test_frames_by_the_second_begin_with_the_first() -> None:
    seconds = [4 + number / 10 for number in range(25)]
    assert chosen_frames(seconds, FrameSampling(fps=2)) == [0, 5, 10, 15, 20]
    assert chosen_frames(seconds, FrameSampling(fps=2, count=2)) == [5, 15]
    assert chosen_frames(seconds, FrameSampling(fps=100, count=99)) == list(range(25))
    assert chosen_frames([7.0], FrameSampling(fps=2)) == [0]


@pytest.mark.parametrize(
    ("sampling", "numbers"),
    [
        (FrameSampling(count=4), [2, 7, 12, 17]),
        (FrameSampling(count=99), list(range(FRAMES))),
        (FrameSampling(fps=2), [0, 5, 10, 15]),
    ],
)
def test_a_video_file_gives_its_frames(tmp_path: Path, sampling: FrameSampling, numbers: list[int]) -> None:
    film(tmp_path / "a.mp4")
    images = opened(tmp_path, "a.mp4", sampling)
    assert frame_numbers(images) == numbers
    assert {image["path"] for image in images} == {None}


def test_a_folder_of_frames_is_a_video_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    frames = {f"clip/frame_{number}.png": png(number) for number in range(12)}
    (tmp_path / "clip").mkdir()
    for name, content in frames.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "clip" / "notes.txt").write_text("no frame")
    (tmp_path / "clips.zip").write_bytes(zip_of(frames))
    wanted = [{"bytes": png(number), "path": f"clip/frame_{number}.png"} for number in (1, 4, 7, 10)]
    assert opened(tmp_path, "clip", FrameSampling(count=4)) == wanted
    within = opened(tmp_path, "clips.zip!clip", FrameSampling(count=4))
    assert [image["bytes"] for image in within] == [image["bytes"] for image in wanted]


def test_an_image_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    assert opened(tmp_path, "a.png", FrameSampling()) == [{"bytes": png(1), "path": "a.png"}]


@pytest.mark.parametrize(("name", "reason"), [("gone.mp4", "image_missing"), ("gone", "image_missing")])
def test_a_missing_video_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(RowRefused) as refusal:
        opened(tmp_path, name, FrameSampling())
    assert refusal.value.reason == reason


@pytest.mark.parametrize("kept", [0.5, 0.0])
def test_a_broken_video_is_refused(tmp_path: Path, kept: float) -> None:
    film(tmp_path / "whole.mp4")
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: int(len(content) * kept)] + b"no video")
    with pytest.raises(RowRefused) as refusal:
        opened(tmp_path, "a.mp4", FrameSampling())
    assert refusal.value.reason == "image_undecodable"
    assert "a.mp4" in refusal.value.problem


def test_without_a_decoder_a_video_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = builtins.__import__

    def without_av(name: str, *rest: object) -> object:
        if name == "av":
            raise ImportError(name)
        return found(name, *rest)  # type: ignore[arg-type]

    (tmp_path / "a.mp4").write_bytes(io.BytesIO(b"film").getvalue())
    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(RowRefused, match=r"dt2it_ray\[video\]"):
        opened(tmp_path, "a.mp4", FrameSampling())

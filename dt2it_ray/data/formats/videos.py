"""How a video becomes images: some of its frames, from a file that PyAV decodes or from a folder of frames."""

import bisect
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from dt2it_ray.data.formats.containers.samples import IMAGE_ENDINGS
from dt2it_ray.data.formats.fields import RowRefused, checked_image
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import FIELD, MAX_FILE_BYTES, inner_name, open_image, read_file
from dt2it_ray.data.images import MAX_PIXELS
from dt2it_ray.data.schema import DropReason

VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv")
MAX_VIDEO_BYTES = 2 << 30
"""Largest video file that is read."""
QUALITY = 95
"""Of frames as JPEG: a video has lost more already."""
DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class FrameSampling:
    """Which frames of a video are shown."""

    count: int = 8
    """Most frames. Without `fps`: so many, from the middles of equal parts of the video."""
    fps: float | None = None
    """Frames of each second, the first at its start; if they are more than `count`, evenly chosen ones of them. A
    folder of frames has no seconds, and counts as sampled already."""


def open_media(
    image: Mapping[str, Any], root: Files, sampling: FrameSampling, max_bytes: int = MAX_FILE_BYTES
) -> list[dict[str, Any]]:
    """The IMAGE that a row names, opened, or the frames of a video: of a file, which have no path, or of a folder.

    Raises:
        RowRefused: see `open_image`; a video cannot be decoded, or PyAV is not installed.
    """
    path = image["path"] or ""
    if image["bytes"] or path[:5].lower() == "data:":
        return [open_image(image, root, max_bytes)]
    if path.lower().endswith(VIDEO_ENDINGS):
        content = read_file(path, root, MAX_VIDEO_BYTES)
        return [checked_image(frame, None, FIELD) for frame in _decoded(content, path, sampling)]
    if PurePosixPath(path).suffix[1:].lower() in IMAGE_ENDINGS or not (frames := _frames_in(path, root)):
        return [open_image(image, root, max_bytes)]
    chosen = [frames[place] for place in spread(len(frames), sampling.count)]
    return [open_image({"bytes": None, "path": name}, root, max_bytes) for name in chosen]


def spread(total: int, count: int) -> list[int]:
    """The middles of `count` equal parts of `total` places; all of them if they are no more."""
    if total <= count:
        return list(range(total))
    return [(2 * part + 1) * total // (2 * count) for part in range(count)]


def chosen_frames(seconds: Sequence[float], sampling: FrameSampling) -> list[int]:
    """Places of the frames to show among those shown at `seconds`, which rise."""
    if sampling.fps is None or not seconds:
        return spread(len(seconds), sampling.count)
    start, places = seconds[0], []
    for turn in range(int((seconds[-1] - start) * sampling.fps + 1e-6) + 1):
        # Times are multiples of the file's clock, which no float meets exactly.
        place = bisect.bisect_left(seconds, start + turn / sampling.fps - 1e-6)
        places.append(place)
    places = sorted(set(places))
    return [places[place] for place in spread(len(places), sampling.count)]


def _frames_in(path: str, root: Files) -> list[str]:
    """The images in a folder, those with numbers in the order of these."""
    names = [name for name in root.names(str(inner_name(path, root))) if _is_image(name)] if path else []
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in DIGITS.split(name)])


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix[1:].lower() in IMAGE_ENDINGS


def _decoded(content: bytes, path: str, sampling: FrameSampling) -> Iterator[bytes]:
    try:
        import av  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise _refused(f"{path} is a video: install its decoder with pip install 'dt2it_ray[video]'") from None
    try:
        with av.open(io.BytesIO(content)) as container:
            ticks, seconds = _shown(container, path)
            wanted = {ticks[place] for place in chosen_frames(seconds, sampling)}
            container.seek(0)
            for frame in container.decode(video=0):
                if frame.pts in wanted:
                    wanted.remove(frame.pts)
                    yield _encoded(frame.to_image())
                if not wanted:
                    return
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise _refused(f"{path} cannot be decoded: {error}") from None
    raise _refused(f"{path} is cut off: {len(wanted)} of its frames cannot be decoded")


def _shown(container: Any, path: str) -> tuple[list[int], list[float]]:
    """When the frames of a video are shown, in its ticks and in seconds, without decoding them."""
    stream = container.streams.video[0]
    if stream.width * stream.height > MAX_PIXELS:
        raise _refused(f"{path} has frames of {stream.width}x{stream.height} pixels, more than {MAX_PIXELS}")
    ticks = sorted({packet.pts for packet in container.demux(stream) if packet.pts is not None and packet.size})
    if not ticks:
        raise _refused(f"{path} holds no frames")
    return ticks, [float(tick * stream.time_base) for tick in ticks]


def _encoded(picture: Any) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=QUALITY)
    return sink.getvalue()


def _refused(problem: str) -> RowRefused:
    return RowRefused(DropReason.IMAGE_UNDECODABLE, f"field {FIELD}", problem)

"""Which images of a text-to-image row cannot be decoded."""

import os
from collections.abc import Sequence

from dt2it_ray.data.formats.t2i.choice import Image, Refusal, RowRefused
from dt2it_ray.data.formats.t2i.comparison import with_bytes


def find_image_fault(images: Sequence[Image], folder: str) -> RowRefused | None:
    """Why one of the images cannot be used, if one cannot; paths are relative to `folder`, addresses are not visited.

    Images are decoded whole, as the loop's readers do: what is cut off is found.
    """
    from dt2it_ray.data.images import BadImage, decode

    for place, image in enumerate(images):
        content, path = (with_bytes(image)[key] for key in ("bytes", "path"))
        if not content and "://" in path:
            continue
        try:
            decode(content or _content(os.path.join(folder, path)))
        except BadImage as error:
            return RowRefused(Refusal.IMAGE_UNDECODABLE, f"image {place + 1}", f"{path or 'image'}: {error}")
        except OSError as error:
            return RowRefused(Refusal.IMAGE_MISSING, f"image {place + 1}", f"{path}: {error.strerror or error}")
        except ValueError as error:
            # A path that no disk can have, such as one with a zero character.
            return RowRefused(Refusal.IMAGE_MISSING, f"image {place + 1}", f"{path!a}: {error}")
    return None


def _content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()

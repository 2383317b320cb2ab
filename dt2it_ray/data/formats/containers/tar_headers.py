"""How tars are opened so that a damaged one is told from one that ends."""

import tarfile
from typing import Any


class Headers:
    """Reads members' headers for `tarfile`, which takes a damaged header, or the end of a file that was cut off, for
    the end of the archive: all members behind it would be lost without a word."""

    @staticmethod
    def fromtarfile(archive: tarfile.TarFile) -> tarfile.TarInfo:
        """The next header. Raises tarfile.HeaderError where neither a sound one nor the end mark stands."""
        try:
            return tarfile.TarInfo.fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError, tarfile.EmptyHeaderError) as error:  # type: ignore
            if archive.offset == 0:
                raise
            problem = f"damaged behind byte {archive.offset}, where no header stands: {error}"
            raise tarfile.SubsequentHeaderError(problem) from None  # type: ignore


def opened_tar(stream: Any, mode: Any) -> tarfile.TarFile:
    """A tar in a stream. A damaged header raises tarfile.ReadError, wherever it stands."""
    return tarfile.open(fileobj=stream, mode=mode, tarinfo=Headers)  # type: ignore


def holds_content(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file whose bytes stand in the archive as they are: no link, no folder, no file with holes,
    of which a small archive may claim any size."""
    return member.isfile() and not member.issparse()

"""A GGUF file that cannot be read is told of, and leaves nothing."""

from pathlib import Path

import pytest

from dt2it_ray.errors import InputError
from dt2it_ray.models.gguf_checkpoint import write_checkpoint


@pytest.mark.parametrize("content", [b"", b"GGUF\x03\x00", b"no model"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.gguf"):
        write_checkpoint(tmp_path / "model.gguf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        write_checkpoint(tmp_path / "gone.gguf", tmp_path / "out")

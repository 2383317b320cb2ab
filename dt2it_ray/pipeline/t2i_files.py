"""How a file of text-to-image preferences becomes a file of two-image pairs: `dt2it t2i`."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace

from dt2it_ray.data.formats.t2i.shapes import SHAPES, shape_of
from dt2it_ray.errors import ConfigError, InputError, StoreError
from dt2it_ray.pipeline.t2i_passes import Counts, T2iOptions
from dt2it_ray.pipeline.t2i_rows import LINES, read_rows, shares_of, suffix_of
from dt2it_ray.pipeline.t2i_shares import convert_to_json, convert_to_parquet
from dt2it_ray.pipeline.t2i_sinks import Container

READABLE = (*LINES, ".json", ".parquet")
TARGETS = ("llama_factory", "jsonl", "parquet")
ROWS_TO_LOOK_AT = 1000
"""Rows among which one must show its shape."""


def convert_t2i(
    source: str, output: str, to: str | None = None, options: T2iOptions | None = None, workers: int | None = None
) -> Counts:
    """Write the two-image pairs of `source` to `output`, in its order, and refused rows to `output`.dropped.jsonl.

    `to` is one of TARGETS; without it the ending of `output` decides. An empty shape in `options` is found by looking
    at the first rows. Both files appear when all is written. `workers` (default: one per core) changes no byte.

    Raises:
        ConfigError: the options do not fit together. InputError: the file cannot be read, or none of its rows is
        usable; then the refused rows have been written. StoreError: the output cannot be written.
    """
    container, options = _container(source, output, to), options or T2iOptions()
    _check(options)
    by_columns = container == "parquet" and _has_plain_columns(source, options)
    if not by_columns:
        options = replace(options, shape=_shape_of_file(source, options.shape))
    dropped, workers = f"{output}.dropped.jsonl", workers or os.cpu_count() or 1
    with _drafts(output, dropped) as (pairs, refused):
        if by_columns:
            from dt2it_ray.pipeline.t2i_parquet import convert_columns

            counts = convert_columns(source, pairs, refused, options, workers)
        elif container == "parquet":
            counts = convert_to_parquet(shares_of(source, 1)[0], pairs, refused, options)
        else:
            counts = convert_to_json(shares_of(source, workers), pairs, refused, container, options)
    if not counts.pairs:
        raise InputError(f"{source}: none of its {counts.rows} rows gives a pair. {dropped} tells why, row by row.")
    return counts


def _container(source: str, output: str, to: str | None) -> Container:
    if to not in (None, *TARGETS):
        raise ConfigError(f"--to {to} is not known; it is one of {', '.join(TARGETS)}")
    if not os.path.isfile(source):
        raise ConfigError(f"there is no file {source}; pass --input FILE")
    if suffix_of(source) not in READABLE:
        raise ConfigError(f"{source}: rows are read from files that end in {', '.join(READABLE)}")
    if os.path.realpath(source) == os.path.realpath(output):
        raise ConfigError(f"--output {output} would overwrite the input; name another file")
    if to in ("jsonl", "parquet"):
        return "jsonl" if to == "jsonl" else "parquet"
    return {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}.get(suffix_of(output), "json")  # type: ignore


def _check(options: T2iOptions) -> None:
    if options.shape and options.shape not in SHAPES:
        raise ConfigError(f"shape {options.shape!r} is not known; it is one of {', '.join(SHAPES)}")
    if options.least_gap < 0 or options.most_pairs < 0:
        raise ConfigError("the least gap and the most pairs of a row cannot be below 0")


def _has_plain_columns(source: str, options: T2iOptions) -> bool:
    """Whether all rows are surely caption pairs of which each makes one row, with nothing looked up for it."""
    if suffix_of(source) != ".parquet" or options.shape not in ("", "caption_pair"):
        return False
    if options.swap_augment or options.check_images is not None:
        return False
    from dt2it_ray.pipeline.t2i_batches import can_read_columns

    return can_read_columns(source)


def _shape_of_file(source: str, named: str) -> str:
    """The shape of the file's rows: the one that was named, or the one that its first rows show."""
    rows = itertools.islice(read_rows(shares_of(source, 1)[0]), 1 if named else ROWS_TO_LOOK_AT)
    first = [fields for _, fields in rows]
    if not first:
        raise InputError(f"{source} has no rows: the file is empty or was cut off")
    shape = named or shape_of(first)
    if shape is None:
        columns = sorted(first[0]) if isinstance(first[0], dict) else f"{str(first[0])[:80]!r}"
        raise InputError(
            f"{source}: none of its first {len(first)} rows has a known shape. Row 1 has {columns}. "
            f"Known are {', '.join(SHAPES)} (docs/t2i.md shows them); pass --shape NAME to have all rows read as one."
        )
    return shape


@contextlib.contextmanager
def _drafts(*paths: str) -> Iterator[list[str]]:
    """Names to write under, moved to `paths` when the block ends without an error, and removed otherwise."""
    drafts = [f"{path}.{os.getpid()}.tmp" for path in paths]
    try:
        os.makedirs(os.path.dirname(os.path.abspath(paths[0])), exist_ok=True)
        yield drafts
        for draft, path in zip(drafts, paths, strict=True):
            os.replace(draft, path)
    except OSError as error:
        raise StoreError(f"cannot write {paths[0]}: {error}. Check that the folder is writable and has room.") from None
    finally:
        for draft in drafts:
            with contextlib.suppress(FileNotFoundError):
                os.remove(draft)

"""How a file of text-to-image preferences becomes a file of two-image pairs: `dt2it t2i`."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dt2it_ray.data.formats.t2i.shapes import SHAPES
from dt2it_ray.errors import ConfigError, InputError, StoreError
from dt2it_ray.pipeline.t2i_passes import Counts, T2iOptions
from dt2it_ray.pipeline.t2i_rows import LINES, shares_of, suffix_of
from dt2it_ray.pipeline.t2i_shape import refuse_all, shape_of_file
from dt2it_ray.pipeline.t2i_shares import convert_to_json, convert_to_parquet
from dt2it_ray.pipeline.t2i_sinks import Container

READABLE = (*LINES, ".json", ".parquet")
TARGETS = ("llama_factory", "jsonl", "parquet")


def convert_t2i(
    source: str, output: str, to: str | None = None, options: T2iOptions | None = None, workers: int | None = None
) -> Counts:
    """Write the two-image pairs of `source` to `output`, in its order, and refused rows to `output`.dropped.jsonl.

    `to` is one of TARGETS; without it the ending of `output` decides. An empty shape in `options` becomes that of the
    first row that shows one. Both files appear when all is written. `workers` (default: one per core) changes no byte.

    Raises:
        ConfigError: the options do not fit together. InputError: the file cannot be read, or none of its rows is
        usable; then the refused rows have been written. StoreError: the output cannot be written.
    """
    dropped, options = f"{output}.dropped.jsonl", options or T2iOptions()
    container = _container(source, output, to)
    _check(source, (output, dropped), options, workers)
    workers = workers or os.cpu_count() or 1
    by_columns = container == "parquet" and _has_plain_columns(source, options)
    if not by_columns:
        options = replace(options, shape=options.shape or _shown_shape(source, dropped))
    with _drafts(output, dropped) as (pairs, refused):
        if by_columns:
            from dt2it_ray.pipeline.t2i_parquet import convert_columns

            counts = convert_columns(source, pairs, refused, options, workers)
        elif container == "parquet":
            counts = convert_to_parquet(shares_of(source, 1)[0], pairs, refused, options)
        else:
            counts = convert_to_json(shares_of(source, workers), pairs, refused, container, options)
    if not counts.pairs:
        raise _nothing_usable(source, counts.rows, f"gives a pair. {dropped} tells why, row by row.")
    return counts


def _container(source: str, output: str, to: str | None) -> Container:
    if to not in (None, *TARGETS):
        raise ConfigError(f"--to {to} is not known; it is one of {', '.join(TARGETS)}")
    if not os.path.isfile(source):
        raise ConfigError(f"there is no file {source}; pass --input FILE")
    if suffix_of(source) not in READABLE:
        raise ConfigError(f"{source}: rows are read from files that end in {', '.join(READABLE)}")
    if to in ("jsonl", "parquet"):
        return "jsonl" if to == "jsonl" else "parquet"
    return {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}.get(suffix_of(output), "json")  # type: ignore


def _check(source: str, written: Sequence[str], options: T2iOptions, workers: int | None) -> None:
    for path in written:
        if os.path.realpath(source) == os.path.realpath(path):
            raise ConfigError(f"--output {written[0]} would overwrite the input, {path}; name another file")
    if options.shape and options.shape not in SHAPES:
        raise ConfigError(f"shape {options.shape!r} is not known; it is one of {', '.join(SHAPES)}")
    if not 0 <= options.least_gap < math.inf:
        raise ConfigError(f"--least-gap {options.least_gap} must be a finite number, 0 or above")
    if options.most_pairs < 0:
        raise ConfigError(f"--most-pairs {options.most_pairs} must be 1 or above, or 0 for all")
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers {workers} must be 1 or above; leave it out for one process per core")


def _has_plain_columns(source: str, options: T2iOptions) -> bool:
    """Whether all rows are surely caption pairs of which each makes one row, with nothing looked up for it."""
    if suffix_of(source) != ".parquet" or options.shape not in ("", "caption_pair"):
        return False
    if options.swap_augment or options.check_images is not None:
        return False
    from dt2it_ray.pipeline.t2i_batches import can_read_columns

    return can_read_columns(source)


def _shown_shape(source: str, dropped: str) -> str:
    """The shape that the file's rows show; if none does, all of them go to `dropped`."""
    shape = shape_of_file(source)
    if shape is not None:
        return shape
    with _drafts(dropped) as (refused,):
        unknown = refuse_all(source, refused)
    raise _nothing_usable(
        source,
        unknown.rows,
        f"has a known shape. Row 1 has {unknown.first}. Known are {', '.join(SHAPES)} (docs/t2i.md shows them); "
        f"pass --shape NAME to have all rows read as one. {dropped} holds them all.",
    )


def _nothing_usable(source: str, rows: int, fault: str) -> InputError:
    if not rows:
        return InputError(f"{source} has no rows: the file is empty or was cut off")
    return InputError(f"{source}: none of its {rows} rows {fault}")


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

"""How reformulated rows are put into a file: a JSON list, JSON lines, or Parquet."""

import contextlib
import os
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from dt2it_ray.data.formats.t2i.choice import Choice
from dt2it_ray.data.formats.t2i.comparison import Pair, json_rows, plain_row, turn_row, with_bytes
from dt2it_ray.pipeline.t2i_passes import Sink

Container = Literal["json", "jsonl", "parquet"]
WRITE_BYTES = 1 << 20
ROWS_PER_TABLE = 1024


class Places:
    """Where the rows of pairs begin in a file, in their order: of those with a preferred image, and of ties."""

    def __init__(self) -> None:
        self.preferred, self.tied = array("Q"), array("Q")


@contextlib.contextmanager
def json_sink(path: str, container: Container, places: Places) -> Iterator[Sink]:
    """A sink for JSON rows, one a line, which notes where they begin.

    Of a list, all rows have a comma before them; `close_list` makes it whole.
    """
    row_of, between, at = json_rows(), *((b",\n", 2) if container == "json" else (b"", 0))
    end = b"" if container == "json" else b"\n"
    with open(path, "wb", buffering=WRITE_BYTES) as stream:
        write, begin = stream.write, 0

        def put(choice: Choice, pair: Pair, first: bool) -> None:
            nonlocal begin
            (places.tied if pair[3] else places.preferred).append(begin + at)
            begin += write(b"".join((between, row_of(choice, pair, first), end)))

        yield put


def close_list(path: str) -> None:
    """Make a list of the rows of a file, which all have a comma before them."""
    with open(path, "r+b") as stream:
        stream.write(b"[")
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n]\n")


def turn_rows(path: str, begins: Iterable[int]) -> None:
    """Show the images of the rows that begin at these places in the other order."""
    with open(path, "r+b") as stream:
        for begin in begins:
            stream.seek(begin)
            row = stream.readline().rstrip(b",\n")
            stream.seek(begin)
            stream.write(turn_row(row))


@contextlib.contextmanager
def parquet_sink(path: str, held: bool) -> Iterator[Sink]:
    """A sink for Parquet rows. Images become mappings of bytes and path if `held`; else all of them must be texts."""
    import pyarrow as pa

    from dt2it_ray.pipeline.t2i_columns import row_schema, rows_writer

    waiting: list[dict[str, Any]] = []
    schema = row_schema(held)
    with rows_writer(path, schema) as writer:

        def flush() -> None:
            if held:
                for row in waiting:
                    row["images"] = [with_bytes(image) for image in row["images"]]
            writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

        def put(choice: Choice, pair: Pair, first: bool) -> None:
            waiting.append(plain_row(choice, pair, first))
            if len(waiting) == ROWS_PER_TABLE:
                flush()

        yield put
        flush()

"""How reformulated rows are put into a file: a JSON list, JSON lines, or Parquet."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

from dt2it_ray.data.formats.t2i.choice import Choice
from dt2it_ray.data.formats.t2i.comparison import Pair, json_rows, plain_row, with_bytes
from dt2it_ray.pipeline.t2i_passes import Sink

Container = Literal["json", "jsonl", "parquet"]
WRITE_BYTES = 1 << 20
ROWS_PER_TABLE = 1024
LIST_END = b"\n]\n"


@contextlib.contextmanager
def json_sink(path: str, container: Container, opens: bool, starts: bool) -> Iterator[Sink]:
    """A sink for JSON rows, one a line.

    Of a list, `opens` writes the bracket in front, and a comma stands before all rows but the first if `starts`. Its
    end is left to the caller, who joins the files of several sinks.
    """
    row_of, as_list = json_rows(), container == "json"
    with open(path, "wb", buffering=WRITE_BYTES) as stream:
        write = stream.write
        if as_list and opens:
            write(b"[")
        before = [b"\n" if starts else b",\n"]

        def put_in_list(choice: Choice, pair: Pair, first: bool) -> None:
            write(before[0] + row_of(choice, pair, first))
            before[0] = b",\n"

        def put_line(choice: Choice, pair: Pair, first: bool) -> None:
            write(row_of(choice, pair, first) + b"\n")

        yield put_in_list if as_list else put_line


@contextlib.contextmanager
def parquet_sink(path: str) -> Iterator[Sink]:
    """A sink for Parquet rows. Images become mappings of bytes and path if the first one is one, else texts."""
    from dt2it_ray.pipeline.t2i_columns import row_schema, rows_writer

    waiting: list[dict[str, Any]] = []
    opened: dict[str, Any] = {}

    def flush() -> None:
        import pyarrow as pa

        if "writer" not in opened:
            held = bool(waiting) and not isinstance(waiting[0]["images"][0], str)
            opened["held"], opened["schema"] = held, row_schema(held)
            opened["writer"] = rows_writer(path, opened["schema"])
        if opened["held"]:
            for row in waiting:
                row["images"] = [with_bytes(image) for image in row["images"]]
        opened["writer"].write_table(pa.Table.from_pylist(waiting, schema=opened["schema"]))
        waiting.clear()

    def put(choice: Choice, pair: Pair, first: bool) -> None:
        waiting.append(plain_row(choice, pair, first))
        if len(waiting) == ROWS_PER_TABLE:
            flush()

    try:
        yield put
        flush()
    finally:
        if "writer" in opened:
            opened["writer"].close()

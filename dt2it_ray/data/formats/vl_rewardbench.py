"""How VL-RewardBench is laid out (MMInstruction/VL-RewardBench): Parquet with two responses and their human ranks."""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.formats.benchmark import (
    BenchmarkFormat,
    BenchmarkPair,
    Images,
    answer_of,
    id_of,
    listed_images,
    optional_text,
)
from dt2it_ray.data.formats.fields import ImageFiles, RowRefused, checked_image, checked_text, inner_path, text_of
from dt2it_ray.data.formats.files import Files, read_whole
from dt2it_ray.data.formats.pair_to_write import labelled_pair, only_image
from dt2it_ray.data.formats.read_batch import ReadBatch, Record, ReleasedPair, read_batches
from dt2it_ray.data.schema import IMAGE, DropReason
from dt2it_ray.errors import InputError

NAME = "vl_rewardbench"
FILE = "data/test-00000-of-00001.parquet"
SHARD = re.compile(r"data/test-\d+-of-(\d+)\.parquet")

LAYOUT = pa.schema(
    [
        ("id", pa.string()),
        ("query", pa.string()),
        ("response", pa.list_(pa.string())),
        ("image", IMAGE),
        ("human_ranking", pa.list_(pa.int64())),
        ("models", pa.list_(pa.string())),
        ("judge", pa.string()),
        ("rationale", pa.string()),
        ("query_source", pa.string()),
        ("ground_truth", pa.string()),
    ]
)
"""The ten columns of the release. `human_ranking` holds the rank of each response, 0 for the better."""

NEEDED = ("id", "query", "response", "image", "human_ranking")
ROWS_PER_GROUP = 256


def write(rows: Iterable[Mapping[str, Any]], folder: Files) -> int:
    """Write rows of BENCHMARK_ROWS in their order and answers in theirs; the number of rows.

    Raises:
        InputError: a row does not have one labelled pair and one image.
    """
    table = pa.Table.from_pylist([_released(row) for row in rows], schema=LAYOUT)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=ROWS_PER_GROUP, compression="zstd")
    folder.write(FILE, buffer.getvalue())
    return table.num_rows


def read(folder: Files, batch_rows: int = 1024) -> Iterator[ReadBatch]:
    """The rows of the test split, in file order. The release has no category column: `category` is empty.

    Takes every generation of the file (1,250 or 1,247 rows, with or without `meta`), in one shard or several.

    Raises:
        InputError: the file is missing, damaged, empty or lacks a column, or a shard is missing.
    """
    return read_batches(NAME, _records(folder, batch_rows), _parse, batch_rows)


def _released(row: Mapping[str, Any]) -> dict[str, Any]:
    pair, image = labelled_pair(row), only_image(row)
    return {
        "id": row["item"],
        "query": row["question"],
        "response": list(pair.answers),
        "image": {"bytes": image["bytes"], "path": image["path"]},
        "human_ranking": [0, 1] if pair.chosen == 0 else [1, 0],
        "models": ["", ""],
        "judge": "placeholder_judge",
        "rationale": "",
        "query_source": "",
        "ground_truth": row["reference"] or "",
    }


def _records(folder: Files, batch_rows: int) -> Iterator[Record]:
    for name in _shards(folder):
        number = 0
        for fields in _rows_of(folder, name, batch_rows):
            number += 1
            yield Record(name, number, fields)
        if not number:
            raise InputError(f"{folder.path(name)} has no rows. Download it again.")


def _shards(folder: Files) -> list[str]:
    found = {name: match for name in folder.names("data") if (match := SHARD.fullmatch(name))}
    if not found:
        raise InputError(f"there is no {folder.path(FILE)}. Download VL-RewardBench into {folder.path('')}.")
    promised = {int(match.group(1)) for match in found.values()}
    if promised != {len(found)}:
        raise InputError(
            f"{folder.path('data')} has {len(found)} test files, their names promise {sorted(promised)}. "
            "Download the missing ones, or remove those of an older release."
        )
    return sorted(found)


def _rows_of(folder: Files, name: str, batch_rows: int) -> Iterator[dict[str, Any]]:
    content = read_whole(folder, name)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        wanted = _wanted(file.schema_arrow, folder.path(name))
        for batch in file.iter_batches(batch_rows, columns=wanted.names, use_threads=False):
            yield from pa.Table.from_batches([batch]).select(wanted.names).cast(wanted).to_pylist()
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder.path(name)} is cut off or not Parquet: {reason}. Download it again.") from None


def _wanted(found: pa.Schema, path: str) -> pa.Schema:
    """The columns to read, as the layout has them."""
    missing = [column for column in NEEDED if column not in found.names]
    if missing:
        raise InputError(f"{path} lacks the columns {missing}; it has {found.names}. Is it VL-RewardBench?")
    wanted = pa.schema([LAYOUT.field(name) for name in (*NEEDED, "ground_truth") if name in found.names])
    for field in wanted:
        try:
            pa.nulls(0, found.field(field.name).type).cast(field.type)
        except pa.ArrowException:
            kind = found.field(field.name).type
            raise InputError(f"{path}: the column {field.name} is {kind}, not {field.type}") from None
    return wanted


def _parse(fields: Mapping[str, Any]) -> ReleasedPair:
    responses, chosen = _responses(fields), _chosen(fields)
    image = fields["image"] or {}
    return ReleasedPair(
        item=text_of(fields, "id"),
        # The official inference script strips the token, though no released row has it.
        question=text_of(fields, "query").replace("<image>\n", ""),
        images=[checked_image(image.get("bytes"), image.get("path"), "image")],
        answers=(checked_text(responses[0], "response[0]"), checked_text(responses[1], "response[1]")),
        chosen=chosen,
        reference=fields.get("ground_truth") or None,
    )


def _pair(fields: Mapping[str, Any]) -> BenchmarkPair:
    first, second = _responses(fields)
    return BenchmarkPair(
        item=id_of(fields),
        answers=(answer_of(first, "response[0]"), answer_of(second, "response[1]")),
        chosen=_chosen(fields),
        question=optional_text(fields, "query").replace("<image>\n", ""),
    )


def _responses(fields: Mapping[str, Any]) -> list[Any]:
    responses = fields.get("response")
    if not isinstance(responses, list) or len(responses) != 2:
        raise RowRefused(DropReason.FIELD_INVALID, "field response", "not a list of two texts")
    return responses


def _chosen(fields: Mapping[str, Any]) -> int:
    """The place of the response whose rank is 0."""
    ranking = fields.get("human_ranking")
    if ranking not in ([0, 1], [1, 0]):
        raise RowRefused(DropReason.FIELD_INVALID, "field human_ranking", f"{ranking} is not [0, 1] or [1, 0]")
    return ranking.index(0)


def _images(fields: Mapping[str, Any], files: ImageFiles) -> Images:
    """The image of a row: its bytes as in Parquet, or a file that a row in JSON names."""
    image = fields.get("image")
    if isinstance(image, str):
        return [files.load(inner_path(image, "image"), "image")]
    stored = image if isinstance(image, dict) else {}
    return [checked_image(stored.get("bytes"), stored.get("path"), "image")]


FORMAT = BenchmarkFormat(
    name=NAME,
    files=(SHARD.pattern, r"[^/]*\.jsonl"),
    pair=_pair,
    item_field="id",
    images=listed_images(_images),
    columns=("id", "query", "response", "human_ranking"),
    counts=(1247, 1250),
)

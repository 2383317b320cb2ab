"""Which rows the embedded world has: a number and a name for each, and which labels are flipped on purpose."""

import itertools
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from dt2it_ray.data.ids import content_id
from dt2it_ray.data.scenes.scene import drawer

NUMBERS = pa.schema([("prompt_id", pa.string()), ("source", pa.string()), ("number", pa.int64())])
"""One row to be made: the `number`-th of its source."""
LABELS = pa.schema([*NUMBERS, ("flips", pa.list_(pa.bool_()))])
"""One prompt with as many labels as `flips` has entries; a label is wrong where the entry is true."""
BLOCK = 100
"""Labels among which the planted share of flips is exact."""
ROUND = 9
"""Of so many labels in a row the last two belong to one prompt; the others have a prompt each."""
CHUNK = 65_536


def index_numbers(seed: int, rows: Mapping[str, int]) -> pa.Table:
    """`rows[source]` rows of NUMBERS for every source, numbered from 0. A row does not depend on how many there are."""
    numbered = ((_name(source, seed, number), source, number) for source in rows for number in range(rows[source]))
    return _table(numbered, NUMBERS)


def index_labels(seed: int, pairs: Mapping[str, int], flips: Mapping[str, float]) -> pa.Table:
    """Rows of LABELS with `pairs[source]` labels for every source, the share `flips[source]` of them flipped.

    The share is exact, up to rounding, in every `BLOCK` labels; which ones are flipped is drawn from the seed.
    """
    return _table(
        itertools.chain.from_iterable(_labels(seed, name, pairs[name], flips[name]) for name in pairs), LABELS
    )


def _labels(seed: int, source: str, pairs: int, share: float) -> Iterator[tuple[str, str, int, list[bool]]]:
    flips = _flips(seed, source, pairs, share)
    rounds = pairs // ROUND
    for number in range(pairs - rounds):
        is_last_of_round = number % (ROUND - 1) == ROUND - 2 and number // (ROUND - 1) < rounds
        labels = list(itertools.islice(flips, 2 if is_last_of_round else 1))
        yield _name(source, seed, number), source, number, labels


def _flips(seed: int, source: str, pairs: int, share: float) -> Iterator[bool]:
    for start in range(0, pairs, BLOCK):
        size = min(BLOCK, pairs - start)
        flipped = set(drawer("flips", source, seed, start).sample(range(size), round(size * share)))
        yield from (place in flipped for place in range(size))


def _name(source: str, seed: int, number: int) -> str:
    return content_id("world", source, seed, number)


def _table(rows: Iterable[tuple], schema: pa.Schema) -> pa.Table:
    """The rows as a table, made in chunks: as Python objects, millions of rows would take gigabytes."""
    left = iter(rows)
    chunks = [schema.empty_table()]
    while chunk := list(itertools.islice(left, CHUNK)):
        chunks.append(pa.table([list(column) for column in zip(*chunk, strict=True)], schema=schema))
    return pa.concat_tables(chunks)

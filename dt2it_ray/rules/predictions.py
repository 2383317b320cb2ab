"""How a file of predictions is laid beside the rows of a benchmark: by position, each id checked."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dt2it_ray.errors import InputError

NAMED = ("chosen", "rejected")
IN_ORDER = "rewards"
LOST = "dropped"
"""The field of a prediction that says why a model has no rewards for the row."""
FORMS = '{"id": ..., "chosen": float, "rejected": float} or {"id": ..., "rewards": [float, float]}'
Rewards = tuple[float, float]
ReadT = TypeVar("ReadT")


@dataclass(frozen=True)
class PlacedItem:
    """What a prediction is checked against: where a row stands, its id, and which of its two answers is the better."""

    where: str
    item: str | None
    """None where the row tells no id."""
    chosen: int


def align(rows: Sequence[PlacedItem], predictions: Iterable[tuple[str, Any]], source: str) -> list[Rewards | None]:
    """The rewards (chosen, rejected) of every row from raw predictions, each with its place, in the rows' order.

    None stands for a prediction that says why it has none (`dropped`). Ids may repeat; they are only compared with the
    row at the same position. A field without a value is as good as none.

    Raises:
        InputError: a prediction is missing, is of another id, or is not of two finite numbers; there are more of them
            than rows. The message names row and id.
    """
    return list(_laid(rows, predictions, source, lambda row, fields, said: _pair(fields, row.chosen, said)))


def align_many(
    rows: Sequence[PlacedItem], sizes: Sequence[int], predictions: Iterable[tuple[str, Any]], source: str
) -> list[tuple[float, ...] | None]:
    """The same for rows of several answers: `rewards` of each in the order of its answers, of which it has `sizes`."""
    wanted = iter(sizes)
    return list(_laid(rows, predictions, source, lambda row, fields, said: _numbers(fields, next(wanted), said)))


def _laid(
    rows: Sequence[PlacedItem],
    predictions: Iterable[tuple[str, Any]],
    source: str,
    read: Callable[[PlacedItem, Mapping[str, Any], str], ReadT | None],
) -> Iterator[ReadT | None]:
    for done, (row, prediction) in enumerate(itertools.zip_longest(rows, predictions)):
        if row is None:
            raise InputError(
                f"{source} has more predictions than there are rows ({len(rows):,}): {prediction[0]} is of no row. "
                "Give one prediction per row, in the order of the rows."
            )
        if prediction is None:
            raise InputError(
                f"{_spoken(row)} has no prediction: {source} ends after {done:,} predictions, "
                f"there are {len(rows):,} rows. Give one per row, in the order of the rows."
            )
        place, fields = prediction
        said = f"{source} {place}, for {_spoken(row)}"
        if not isinstance(fields, Mapping):
            raise InputError(f"{said}: {ascii(fields)[:80]} is no prediction; write {FORMS}")
        given = {name: value for name, value in fields.items() if value is not None}
        _check_id(row, given, said)
        yield read(row, given, said)


def _spoken(row: PlacedItem) -> str:
    return row.where if row.item is None else f"{row.where} (id {row.item})"


def _pair(prediction: Mapping[str, Any], chosen: int, said: str) -> Rewards | None:
    if LOST in prediction:
        return None
    if (IN_ORDER in prediction) == any(name in prediction for name in NAMED):
        raise InputError(f"{said}: it has the fields {sorted(map(str, prediction))}; write {FORMS}")
    if IN_ORDER not in prediction:
        return _number(prediction.get("chosen"), "chosen", said), _number(prediction.get("rejected"), "rejected", said)
    both = _numbers(prediction, 2, said)
    return (both[chosen], both[1 - chosen]) if both else None


def _numbers(prediction: Mapping[str, Any], size: int, said: str) -> tuple[float, ...] | None:
    if LOST in prediction:
        return None
    rewards = prediction.get(IN_ORDER)
    if not isinstance(rewards, Sequence) or isinstance(rewards, str) or len(rewards) != size:
        raise InputError(f"{said}: rewards is {ascii(rewards)[:60]}, not a list of {size} numbers")
    return tuple(_number(reward, f"rewards[{index}]", said) for index, reward in enumerate(rewards))


def _check_id(row: PlacedItem, prediction: Mapping[str, Any], said: str) -> None:
    if row.item is None:
        return
    name = next((name for name in ("id", "ID") if name in prediction), None)
    if name is None:
        raise InputError(f"{said}: it has no id; write {FORMS}")
    if str(prediction[name]) != row.item:
        raise InputError(
            f"{said}: the prediction is of id {ascii(str(prediction[name]))[:80]}, not {ascii(row.item)[:80]}. "
            "One is missing or out of order: predictions follow the order of the rows."
        )


def _number(value: Any, field: str, said: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{said}: {field} is {ascii(value)[:60]}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{said}: {field} is {value if number != math.inf else 'infinite'}; rewards must be finite")
    return number

"""What models said of the rows of a benchmark, whoever asked them: rewards by position, and how they were got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from dt2it_ray.data.formats.records import read_records
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.evaluate_rows import LoadedBenchmark
from dt2it_ray.pipeline.named_files import parent_and_name
from dt2it_ray.rules.predictions import Rewards, align

Kind = Literal["predictions", "reward_model", "judge"]


@dataclass(frozen=True)
class ModelRewards:
    """The rewards (chosen, rejected) of one model for every row, in the rows' order; None where it has none."""

    name: str
    kind: Kind
    rewards: Sequence[Rewards | None]
    told: Mapping[str, Any] = field(default_factory=dict)
    """How they were got, as plain values for the result."""
    margins: bool = True
    """Whether sigmoid(margin) means something."""
    lost: Mapping[int, str] = field(default_factory=dict)
    """Why it has no rewards for rows, by their places."""


def from_predictions(loaded: LoadedBenchmark, named: str) -> ModelRewards:
    """The rewards in a file of predictions, given as FILE or NAME=FILE.

    Raises:
        ConfigError: there is no such file. InputError: it does not fit the rows; see `align`.
    """
    name, path = named_file(named)
    folder, file = parent_and_name(path)
    if not folder.exists(file):
        raise ConfigError(f"predictions={path}: there is no such file")
    records = read_records(folder, file)
    raw = ((f"row {record.number}", record.fields) for record in records)
    return ModelRewards(name, "predictions", align(loaded.items(), raw, path), {"predictions": path})


def prediction_rows(loaded: LoadedBenchmark, model: ModelRewards) -> list[dict[str, Any]]:
    """The rewards of a model as rows of a predictions file, which `from_predictions` reads back."""
    rows = []
    for place, (item, rewards) in enumerate(zip(loaded.items(), model.rewards, strict=True)):
        named = {"id": item.item} if item.item is not None else {}
        given = dict(zip(("chosen", "rejected"), rewards, strict=True)) if rewards else {}
        rows.append(named | (given or {"dropped": model.lost.get(place, "the row cannot be used")}))
    return rows


def with_own_names(models: Sequence[ModelRewards]) -> Sequence[ModelRewards]:
    """The models, none of which has the name of another.

    Raises:
        InputError: two have.
    """
    names = [model.name for model in models]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"two models are called {doubled[0]!r}; name them, as in --predictions NAME=FILE")
    return models


def named_file(named: str) -> tuple[str, str]:
    """The name and the path in NAME=FILE; of a FILE alone, its name without endings."""
    name, equals, path = named.partition("=")
    if equals and name and "/" not in name:
        return name, path
    return PurePosixPath(named).name.split(".")[0], named

"""How sets of pairs are made in which a style tells the wrong answer in a share of the pairs (embedded world)."""

from collections.abc import Mapping
from typing import Annotated

import pyarrow as pa
from pydantic import Field, model_validator

from dt2it_ray.data.scenes.shortcut_sets import shortcut_row
from dt2it_ray.data.scenes.world_index import NUMBERS
from dt2it_ray.data.schema import BENCHMARK_ROWS
from dt2it_ray.settings import Settings
from dt2it_ray.stages import world
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Step, Workplace

Share = Annotated[float, Field(ge=0, le=1)]


class ShortcutSetSettings(Settings):
    """What the sets are drawn from, and how often the shortcut is right in each."""

    seed: int = 0
    shares: dict[str, Share] = Field(min_length=1)
    """Part of the pairs whose wrong answer is the hedged one, by set."""


class ShortcutSizes(Settings):
    """Sets with a planted shortcut: one to train on, and three to test on."""

    pairs: int = Field(default=1000, ge=1)
    """To train on."""
    tests: int = Field(default=200, ge=1)
    """Of each test."""
    share: float = Field(default=0.995, ge=0.5, le=1)
    """Part of the pairs to train on in which the shortcut is right."""

    @model_validator(mode="after")
    def _has_an_exception(self) -> "ShortcutSizes":
        if int(self.pairs * self.share + 1e-9) == self.pairs:
            raise ValueError(f"share={self.share} of {self.pairs} pairs leaves none that the shortcut gets wrong")
        return self


TRAIN, IN_DISTRIBUTION, UNCORRELATED, REVERSED = "train", "in_distribution", "uncorrelated", "reversed"


def build_sets(settings: ShortcutSetSettings, place: Workplace) -> BatchFn:
    """A function from numbers to rows, one for one."""

    def make(batch: pa.Table) -> Outcome:
        numbered = batch.to_pylist()
        rows = [
            shortcut_row(row["prompt_id"], row["source"], settings.seed, row["number"], settings.shares[row["source"]])
            for row in numbered
        ]
        return Outcome(pa.Table.from_pylist(rows, schema=BENCHMARK_ROWS))

    return make


SHORTCUT_SETS = MapStage(name="shortcut_sets", version=1, reads=NUMBERS, writes=BENCHMARK_ROWS, build=build_sets)


def plan_shortcut_sets(add: world.AddStep, folder: str, seed: int, sizes: ShortcutSizes) -> tuple[Step, Step]:
    """Add the steps that make the pairs to train on, and the tests: the shortcut is right as often as in training, in
    half of the pairs, and as seldom as it was wrong in training."""
    tests = {IN_DISTRIBUTION: sizes.share, UNCORRELATED: 0.5, REVERSED: 1 - sizes.share}
    made = [
        _plan(add, f"{folder}/train", seed, {TRAIN: sizes.pairs}, {TRAIN: sizes.share}),
        _plan(add, f"{folder}/tests", seed, dict.fromkeys(tests, sizes.tests), tests),
    ]
    return made[0], made[1]


def _plan(add: world.AddStep, folder: str, seed: int, sizes: Mapping[str, int], shares: Mapping[str, float]) -> Step:
    index = add(f"{folder}/index", world.INDEX, world.IndexSettings(seed=seed, sizes=dict(sizes)), {})
    return add(f"{folder}/rows", SHORTCUT_SETS, ShortcutSetSettings(seed=seed, shares=dict(shares)), {"rows": index})

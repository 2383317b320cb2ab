"""How sets of pairs are made in which a style tells the wrong answer in a share of the pairs (embedded world)."""

from collections.abc import Mapping
from typing import Annotated

import pyarrow as pa
from pydantic import AfterValidator, Field, model_validator

from dt2it_ray.data.scenes.claims import FAMILIES
from dt2it_ray.data.scenes.shortcut_sets import shortcut_row
from dt2it_ray.data.scenes.world_index import NUMBERS
from dt2it_ray.data.schema import BENCHMARK_ROWS
from dt2it_ray.settings import Settings
from dt2it_ray.stages import world
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Step, Workplace

Share = Annotated[float, Field(ge=0, le=1)]
HARD = ("count", "position", "word", "chart")
"""Questions about more than what is there, its colour and its shape, which the tiny model tells so surely that no
shortcut misleads it (docs/studies.md)."""


def _known(families: tuple[str, ...]) -> tuple[str, ...]:
    strange = sorted(set(families) - set(FAMILIES))
    if strange:
        raise ValueError(f"{strange} are no families of questions; there are {list(FAMILIES)}")
    return families


Families = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]
"""What questions are about."""


class ShortcutSetSettings(Settings):
    """What the sets are drawn from, and how often the shortcut is right in each."""

    seed: int = 0
    shares: dict[str, Share] = Field(min_length=1)
    """Part of the pairs whose wrong answer is the hedged one, by set."""
    families: Families


class ShortcutSizes(Settings):
    """Sets with a planted shortcut: one to train on, and three to test on."""

    pairs: int = Field(default=1000, ge=1)
    """To train on."""
    tests: int = Field(default=200, ge=1)
    """Of each test."""
    share: float = Field(default=0.995, ge=0.5, le=1)
    """Part of the pairs to train on in which the shortcut is right."""
    families: Families = HARD
    """What the questions of all sets are about."""

    @model_validator(mode="after")
    def _has_an_exception(self) -> "ShortcutSizes":
        if int(self.pairs * self.share + 1e-9) == self.pairs:
            raise ValueError(f"share={self.share} of {self.pairs} pairs leaves none that the shortcut gets wrong")
        return self


TRAIN, IN_DISTRIBUTION, UNCORRELATED, REVERSED = "train", "in_distribution", "uncorrelated", "reversed"


def build_sets(settings: ShortcutSetSettings, place: Workplace) -> BatchFn:
    """A function from numbers to rows, one for one."""

    def make(batch: pa.Table) -> Outcome:
        rows = []
        for row in batch.to_pylist():
            share, source = settings.shares[row["source"]], row["source"]
            made = shortcut_row(row["prompt_id"], source, settings.seed, row["number"], share, settings.families)
            rows.append(made)
        return Outcome(pa.Table.from_pylist(rows, schema=BENCHMARK_ROWS))

    return make


SHORTCUT_SETS = MapStage(name="shortcut_sets", version=1, reads=NUMBERS, writes=BENCHMARK_ROWS, build=build_sets)


def plan_shortcut_sets(add: world.AddStep, folder: str, seed: int, sizes: ShortcutSizes) -> tuple[Step, Step]:
    """Add the steps that make the pairs to train on, and the tests: the shortcut is right as often as in training, in
    half of the pairs, and as seldom as it was wrong in training."""
    tests = {IN_DISTRIBUTION: sizes.share, UNCORRELATED: 0.5, REVERSED: 1 - sizes.share}
    learned = ShortcutSetSettings(seed=seed, shares={TRAIN: sizes.share}, families=sizes.families)
    tested = ShortcutSetSettings(seed=seed, shares=tests, families=sizes.families)
    train = _plan(add, f"{folder}/train", {TRAIN: sizes.pairs}, learned)
    return train, _plan(add, f"{folder}/tests", dict.fromkeys(tests, sizes.tests), tested)


def _plan(add: world.AddStep, folder: str, sizes: Mapping[str, int], settings: ShortcutSetSettings) -> Step:
    index = add(f"{folder}/index", world.INDEX, world.IndexSettings(seed=settings.seed, sizes=dict(sizes)), {})
    return add(f"{folder}/rows", SHORTCUT_SETS, settings, {"rows": index})

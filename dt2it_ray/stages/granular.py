"""How granular ratings become preference pairs (arXiv 2402.10884)."""

from collections.abc import Mapping

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.granular import CHOICES, RATINGS
from dt2it_ray.data.schema import PAIRS, PROMPTS
from dt2it_ray.rules.granular import choose_answers, flat_ratings, pairs_of
from dt2it_ray.rules.rating_figures import rater_figures
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import GatherStage, NoSettings, Outcome


class GranularPairSettings(Settings):
    """Which prompts give a pair, and which of several answers is taken."""

    min_gap: float = Field(default=2, gt=0, le=12)
    """Least gap of quality, in points of 0 to 12, between the chosen answer and the rejected one. A prompt whose best
    and worst answer are nearer is skipped (arXiv 2402.10884: 2)."""
    seed: int = 0
    """Other seeds draw another rejected answer where several qualify, and another chosen one among equals."""


RATED = pa.schema([RATINGS.field(name) for name in ("prompt_id", "judge", "ratings")])
"""What the choice reads of the ratings of each rater."""


def choose(tables: Mapping[str, pa.Table], settings: GranularPairSettings) -> Outcome:
    """The best and the rejected answer of every prompt that a rater rated; counts and figures of each rater as metrics.

    Several raters' values are averaged for each answer."""
    flat = flat_ratings(pa.concat_tables([RATED.empty_table(), *tables.values()]))
    made = choose_answers(flat, settings.min_gap, settings.seed)
    return Outcome(made.choices, metrics={**made.counts, "raters": rater_figures(flat)})


def pair_choices(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """A pair for each prompt that is not skipped; its strength is the quality gap, in points of 0 to 12."""
    pairs = pairs_of(tables["choices"], tables["rows"])
    return Outcome(pairs, metrics={"pairs": pairs.num_rows, "skipped": tables["choices"].num_rows - pairs.num_rows})


CHOOSE = GatherStage(name="granular_choices", version=1, reads={"ratings/*": RATED}, writes=CHOICES, decide=choose)
GRANULAR_PAIRS = GatherStage(
    name="granular_pairs",
    version=1,
    reads={
        "choices": pa.schema([CHOICES.field(name) for name in ("prompt_id", "chosen_id", "rejected_id", "gap")]),
        "rows": pa.schema([PROMPTS.field("prompt_id"), PROMPTS.field("source")]),
    },
    writes=PAIRS,
    decide=pair_choices,
)

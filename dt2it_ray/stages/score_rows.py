"""How every answer of outside rows gets its reward, a row in and a row out, by one reward model or by several."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.answered import ANSWERED, PLACE, SCORED, SHOWN
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ingested import INGESTED
from dt2it_ray.models.assessment import Assessment, assess
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.models.critic_settings import CriticSettings
from dt2it_ray.models.ensemble import EnsembleScorer
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Conversation, Scorer, reward_conversation
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class ScoreRowsSettings(Settings):
    """Which models score, and how they are read out."""

    models: tuple[Backbone, ...] = Field(min_length=1)
    """Folders of reward models or ensembles, by their content. Of several the mean counts."""
    score: ScoreSettings = ScoreSettings()
    critic: CriticSettings = CriticSettings()
    """Who writes critiques, for models that read some."""


def build_row_scoring(settings: ScoreRowsSettings, place: Workplace) -> BatchFn:
    """A function from rows to the rewards of their answers."""
    from dt2it_ray.models.open_critic import open_critics
    from dt2it_ray.models.open_scorer import open_scorer

    how = settings.score
    critics = open_critics(settings.critic, how, place.device, place.threads, place.replies)
    scorers = [open_scorer(model.path, how, place.device, place.threads, critics) for model in settings.models]
    scorer = scorers[0] if len(scorers) == 1 else EnsembleScorer(scorers, how.decimals)
    return EngineFn(partial(score_rows, scorer=scorer), critics)


def score_rows(batch: pa.Table, scorer: Scorer) -> Outcome:
    """A row of SCORED per row; one of which any answer cannot be scored is refused whole, with the reason."""
    rows = batch.to_pylist()
    told = iter(assess(scorer, [conversation for row in rows for conversation in _conversations(row)]))
    scored, refused = [], []
    for row in rows:
        answers = [next(told) for _ in _texts(row)]
        trouble = next((each for each in answers if isinstance(each, Dropped)), None)
        if trouble is not None:
            refused.append(trouble.row(row["row_id"]))
            continue
        given = [each for each in answers if not isinstance(each, Dropped)]
        scored.append({name: row[name] for name in PLACE} | _columns(given))
    return Outcome(pa.Table.from_pylist(scored, schema=SCORED), dropped_table(refused))


def _columns(told: Sequence[Assessment]) -> dict[str, Any]:
    """The columns of SCORED that are about answers."""
    spreads, critiques = [each.spread for each in told], [list(each.critiques) for each in told]
    return {
        "rewards": [each.reward for each in told],
        "disagreement": None if None in spreads else spreads,
        "critiques": critiques if any(critiques) else None,
    }


def _conversations(row: Mapping[str, Any]) -> Iterator[Conversation]:
    return (reward_conversation(row, text) for text in _texts(row))


def _texts(row: Mapping[str, Any]) -> Sequence[str]:
    return row["answers"] if "answers" in row else (row["chosen"], row["rejected"])


SCORE_PAIRS = MapStage(
    name="score_rows",
    version=2,
    reads=pa.schema([INGESTED.field(name) for name in (*PLACE, *SHOWN, "chosen", "rejected")]),
    writes=SCORED,
    build=build_row_scoring,
)
SCORE_ANSWERS = MapStage(name="score_rows", version=2, reads=ANSWERED, writes=SCORED, build=build_row_scoring)

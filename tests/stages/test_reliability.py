import pyarrow as pa
import pytest
from pydantic import ValidationError

from dt2it_ray.data.figures import RELIABILITY
from dt2it_ray.stages.reliability import RELIABLE, RELIABLE_RATINGS, RELIABLE_VOTES, ReliabilitySettings
from dt2it_ray.stages.stage import GatherStage, Outcome
from tests.rules.judged import answer_table, judgement, judgement_table, source_table
from tests.rules.tables import vote_table
from tests.rules.test_granular_judgements import rating_table
from tests.rules.test_voters import both_orders, doubted_table

PROMPTS = [f"p{number:02d}" for number in range(12)]
BESIDE = {
    "answers": answer_table(PROMPTS, {"a": (10, "model:x"), "b": (20, "model:y")}),
    "rows": source_table(dict.fromkeys(PROMPTS, "toy")),
}


def measured(stage: GatherStage, settings: ReliabilitySettings, **tables: pa.Table) -> Outcome:
    """What a stage makes of exactly the columns that it declares; `judgements_j` stands for `judgements/j`."""
    named = {name.replace("_", "/"): table for name, table in tables.items()} | BESIDE
    reads = {name: stage.reads.get(name) or stage.reads[f"{name.partition('/')[0]}/*"] for name in named}
    return stage.decide({name: table.select(reads[name].names) for name, table in named.items()}, settings)


def test_all_judgements_are_measured_together() -> None:
    listwise = judgement_table([judgement(prompt, {"a": 6, "b": 5}) for prompt in PROMPTS])
    pointwise = judgement_table([judgement(prompt, {"a": 6, "b": 5}, mode="pointwise") for prompt in PROMPTS])
    settings = ReliabilitySettings(models={"listwise/j": "x", "pointwise/j": "y"})
    outcome = measured(RELIABLE, settings, judgements_listwise=listwise, judgements_pointwise=pointwise)
    assert outcome.rows.schema.equals(RELIABILITY)
    assert outcome.metrics["listwise_pointwise_agreement"] == {"listwise j and pointwise j": 1.0}
    assert outcome.metrics["longer_wins"] == {"listwise j": 0.0, "pointwise j": 0.0}
    assert outcome.metrics["self_preference"] == {"listwise j": 1.0, "pointwise j": 0.0}
    assert outcome.metrics["alpha_overall"] == {"all": 1.0, "listwise": None, "pointwise": None}
    assert outcome.metrics["position_flip_rate"] == {"listwise j": None}


def test_judges_of_doubted_pairs_are_measured_by_their_votes() -> None:
    one = vote_table(both_orders("one", [("chosen", "chosen")] * 6 + [("chosen", "rejected")] * 6))
    other = vote_table(both_orders("other", [("rejected", "rejected")] * 12))
    doubted = doubted_table((prompt, "a", "b") for prompt in PROMPTS)
    settings = ReliabilitySettings(models={"rejudge/other": "y"})
    outcome = measured(RELIABLE_VOTES, settings, votes_one=one, votes_other=other, doubted=doubted)
    assert outcome.rows.schema.equals(RELIABILITY)
    assert outcome.metrics["position_flip_rate"] == {"rejudge one": 0.5, "rejudge other": 0.0}
    assert outcome.metrics["longer_wins"] == {"rejudge one": 0.25, "rejudge other": 1.0}
    assert outcome.metrics["self_preference"] == {"rejudge one": None, "rejudge other": 1.0}
    assert set(outcome.metrics["kappa"]) == {"rejudge one and rejudge other"}
    assert set(outcome.metrics["alpha_direction"]) == {"rejudge"}


def test_raters_are_measured_by_quality_and_by_attribute() -> None:
    said = {"a": (4, 4, 4, 2, 0), "b": (1, 1, 1, 2, 4)}
    one, other = (rating_table({name: said}) for name in ("one", "other"))
    outcome = measured(RELIABLE_RATINGS, ReliabilitySettings(), ratings_one=one, ratings_other=other)
    assert outcome.rows.schema.equals(RELIABILITY)
    assert outcome.metrics["longer_wins"] == {"rate one": 0.0, "rate other": 0.0}
    assert outcome.metrics["kappa"] == {"rate one and rate other": 1.0}
    assert outcome.metrics["alpha_verbosity"] == {"rate": 1.0}
    assert outcome.metrics["alpha_complexity"] == {"rate": None}  # never differs


def test_models_are_told_by_what_a_judge_is_asked_for_and_its_name() -> None:
    known = ReliabilitySettings(models={"rejudge/j": "x", "rate/j": "y"})
    assert known.models == {"rejudge/j": "x", "rate/j": "y"}
    with pytest.raises(ValidationError, match="models"):
        ReliabilitySettings(models={"judge/j": "x"})

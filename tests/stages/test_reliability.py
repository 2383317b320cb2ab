import pyarrow as pa

from dt2it_ray.data.figures import RELIABILITY
from dt2it_ray.stages.reliability import RELIABLE, ReliabilitySettings
from tests.rules.judged import answer_table, judgement, judgement_table, source_table

PROMPTS = [f"p{number:02d}" for number in range(12)]


def inputs() -> dict[str, pa.Table]:
    listwise = [judgement(prompt, {"a": 6, "b": 5}) for prompt in PROMPTS]
    pointwise = [judgement(prompt, {"a": 6, "b": 5}, mode="pointwise") for prompt in PROMPTS]
    tables = {
        "judgements/listwise": judgement_table(listwise),
        "judgements/pointwise": judgement_table(pointwise),
        "answers": answer_table(PROMPTS, {"a": (10, "model:x"), "b": (20, "model:y")}),
        "rows": source_table(dict.fromkeys(PROMPTS, "toy")),
    }
    return {
        name: table.select((RELIABLE.reads.get(name) or RELIABLE.reads["judgements/*"]).names)
        for name, table in tables.items()
    }


def test_all_judgements_are_measured_together() -> None:
    outcome = RELIABLE.decide(inputs(), ReliabilitySettings(models={"listwise/j": "x", "pointwise/j": "y"}))
    assert outcome.rows.schema.equals(RELIABILITY)
    assert outcome.metrics["listwise_pointwise_agreement"] == {"listwise j and pointwise j": 1.0}
    assert outcome.metrics["longer_wins"] == {"listwise j": 0.0, "pointwise j": 0.0}
    assert outcome.metrics["self_preference"] == {"listwise j": 1.0, "pointwise j": 0.0}
    assert outcome.metrics["alpha_overall"] == {"all": 1.0, "listwise": None, "pointwise": None}
    assert outcome.metrics["position_flip_rate"] == {"listwise j": None}

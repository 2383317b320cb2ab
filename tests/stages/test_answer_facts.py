"""One narrow row per candidate answer."""

import pyarrow as pa

from dt2it_ray.stages.answer_facts import FACTS, FactSettings, build_facts
from dt2it_ray.stages.stage import Workplace


def test_every_answer_has_its_length_author_and_twin() -> None:
    answers = [{"answer_id": name, "text": text} for name, text in (("a", "Red."), ("b", "red"), ("c", "蓝色。"))]
    row = {"prompt_id": "p", "answers": answers, "origins": ["model:m", "model:m", "reference"], "samples": 4}
    batch = pa.Table.from_pylist([row], schema=FACTS.reads)
    outcome = build_facts(FactSettings(), Workplace())(batch)
    assert outcome.rows.to_pylist() == [
        {"answer_id": "a", "prompt_id": "p", "characters": 4, "origin": "model:m", "duplicate_of": None},
        {"answer_id": "b", "prompt_id": "p", "characters": 3, "origin": "model:m", "duplicate_of": "a"},
        {"answer_id": "c", "prompt_id": "p", "characters": 3, "origin": "reference", "duplicate_of": None},
    ]
    assert outcome.metrics == {"answers": 3, "near_duplicates": 1}

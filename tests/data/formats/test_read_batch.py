"""A refused row is told with its fields, whatever they are."""

import json

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.read_batch import Record, refused_row
from dt2it_ray.data.schema import DropReason


def evidence(fields: object) -> object:
    refusal = RowRefused(DropReason.FIELD_INVALID, "field question", "missing")
    return json.loads(refused_row(Record("rows.jsonl", 3, fields), refusal)["evidence"])


def test_the_evidence_of_a_row_is_its_fields_with_bytes_counted() -> None:
    assert evidence({"image": b"abc", "n": [1]}) == {"image": "<3 bytes>", "n": [1]}


def test_a_row_nested_too_deep_is_refused_like_any_other() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert evidence({"meta": deep}) == "nested too deep to be written"

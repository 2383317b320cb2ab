"""Settings of an ingestion that could not have their effect are refused."""

from typing import Any

import pytest

from dt2it_ray.errors import ConfigError
from dt2it_ray.rules.alike import Nearness
from dt2it_ray.settings import parse_settings
from dt2it_ray.stages.ingest_settings import IngestSettings, NearSettings


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"format": "mapping"}, "format: mapping needs"),
        ({"format": "flat", "mapping": {"question": "q", "chosen": "a", "rejected": "b"}}, "format: mapping needs"),
        ({"images": "ignore", "duplicates": {"near": {"use": ["images"]}}}, "have no look"),
        ({"images": "ignore", "decontaminate": {"benchmarks": {"flat": "x"}}}, "decontaminate.match"),
        ({"duplicates": {"within": "image"}}, "within"),
    ],
)
def test_what_cannot_have_its_effect_is_refused(tree: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_settings(IngestSettings, tree, "a test")


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"images": "ignore"},
        {"images": "ignore", "decontaminate": {"benchmarks": {"flat": "x"}, "match": "question"}},
        {"images": "reference", "duplicates": {"near": {"use": ["images"]}}},
    ],
)
def test_other_settings_are_taken(tree: dict[str, Any]) -> None:
    assert parse_settings(IngestSettings, tree, "a test").format == "llama_factory"


def test_only_what_is_named_is_compared_nearly() -> None:
    assert NearSettings().nearness() == Nearness()
    assert NearSettings(use=("images",), look_bits=3).nearness() == Nearness(look_bits=3)
    assert NearSettings(use=("questions",)).nearness() == Nearness(question_alike=0.8)

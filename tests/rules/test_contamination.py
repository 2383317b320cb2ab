"""Rows that stand in a benchmark are found by image, by question, or by both, exactly or nearly."""

import pytest

from dt2it_ray.rules.alike import Nearness
from dt2it_ray.rules.contamination import Match, find_contaminated
from tests.rules.ingested_keys import LOOK, benchmark_of, refused, row_keys, rows_of

LONG = "how many red cars stand in front of the old station on the left side of the picture"
OTHER = {"image_keys": ["i9"], "looks": [LOOK ^ (2**40 - 1)]}
BARE = {"image_keys": [], "looks": []}


def keys(question: str, **fields: object) -> dict:
    return {name: value for name, value in row_keys("", question, **fields).items() if name in NAMES}


NAMES = ("question_key", "signature", "image_keys", "looks")
ROWS = (
    row_keys("both", "what"),
    row_keys("image", "why"),
    row_keys("question", "what", **OTHER),
    row_keys("neither", "why", **OTHER),
    row_keys("bare", "text", **BARE),
)


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("image", {"both", "image", "bare"}),
        ("question", {"both", "question", "bare"}),
        ("either", {"both", "image", "question", "bare"}),
        ("both", {"both"}),
    ],
)
def test_what_counts_as_contained_is_set(match: Match, found: set[str]) -> None:
    benchmark = benchmark_of(keys("what"), keys("text", **BARE))
    told = refused(find_contaminated(rows_of(*ROWS), {"b": benchmark}, match, Nearness()))
    assert told == dict.fromkeys(found, "in_benchmark")


def test_a_copy_of_an_image_is_found_by_its_look() -> None:
    rows = rows_of(row_keys("1", image_keys=["x", "i7"], looks=[None, LOOK ^ 0b11]))
    benchmark = benchmark_of(keys("what", image_keys=["blank", "i1"], looks=[None, LOOK]))
    assert refused(find_contaminated(rows, {"b": benchmark}, "image", Nearness())) == {}
    assert refused(find_contaminated(rows, {"b": benchmark}, "image", Nearness(look_bits=2))) == {"1": "in_benchmark"}


def test_a_question_in_nearly_the_same_words_is_found() -> None:
    rows, benchmark = rows_of(row_keys("1", f"{LONG} please", **OTHER)), benchmark_of(keys(LONG))
    near = Nearness(question_alike=0.8)
    assert refused(find_contaminated(rows, {"b": benchmark}, "question", near)) == {"1": "in_benchmark"}
    assert refused(find_contaminated(rows, {"b": benchmark}, "question", Nearness())) == {}


def test_a_row_of_several_benchmarks_names_the_first() -> None:
    benchmarks = {name: benchmark_of(keys("what")) for name in ("second", "first")}
    found = find_contaminated(rows_of(row_keys("1")), benchmarks, "image", Nearness())
    assert found["detail"].to_pylist() == ["whole row: stands in the benchmark first"]


def test_a_benchmark_without_images_matches_no_row_that_has_some() -> None:
    benchmark = benchmark_of(keys("what", **BARE))
    assert refused(find_contaminated(rows_of(row_keys("1")), {"b": benchmark}, "image", Nearness(4, 0.8))) == {}

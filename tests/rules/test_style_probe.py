from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dt2it_ray.data.figures import STYLE_FEATURES
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.rules.mirrored import estimate_auc, mirrored_auc
from dt2it_ray.rules.style_probe import Probe, out_of_fold, probe_pairs
from tests.rules.tables import shuffled

PROBE = Probe(
    folds=5, inverse_ridge=1.0, most_origins=4, most_pairs=10_000, min_prompts=50, resampling=Resampling(samples=300)
)


def world(
    longer_is_chosen: Sequence[bool],
    long: int = 300,
    short: int = 60,
    origins: tuple[str | None, str | None] = (None,) * 2,
) -> tuple[pa.Table, pa.Table]:
    """A prompt per label, with a long and a short answer and otherwise random style."""
    draw, features, pairs = np.random.default_rng(7), [], []
    for number, chosen in enumerate(longer_is_chosen):
        prompt = f"p{number:04d}"
        for side, length, origin in (("l", long, origins[0]), ("s", short, origins[1])):
            size = int(length * draw.uniform(0.9, 1.1)) if long != short else length
            noise = {"hedges": int(draw.integers(3)), "bold": int(draw.integers(3)), "sentences": int(draw.integers(4))}
            row = {field.name: 0 for field in STYLE_FEATURES} | noise
            features.append(
                row | {"answer_id": prompt + side, "prompt_id": prompt, "origin": origin, "characters": size}
            )
        names = [prompt + "l", prompt + "s"][:: 1 if chosen else -1]
        pair = {
            "pair_id": f"x{number * 7919 % 100_003:06d}",
            "prompt_id": prompt,
            "source": ["even", "odd"][number % 2],
        }
        pairs.append(pair | {"chosen_id": names[0], "rejected_id": names[1]})
    return pa.Table.from_pylist(pairs, schema=PAIRS), pa.Table.from_pylist(features, schema=STYLE_FEATURES)


def biased(pairs: int, share: float) -> list[bool]:
    return [number % 100 < 100 * share for number in range(pairs)]


def figure(table: pa.Table, name: str = "probe_auc", source: str = "", feature: str | None = None) -> Mapping[str, Any]:
    (row,) = (r for r in table.to_pylist() if (r["figure"], r["source"], r["feature"]) == (name, source, feature))
    return row


def test_a_planted_length_bias_is_found() -> None:
    made = probe_pairs("before", *world(biased(800, 0.8)), PROBE)
    told = figure(made)
    assert told["value"] >= 0.75
    assert told["low"] < told["value"] < told["high"]
    assert (told["n"], told["prompts"], told["pair_set"], told["interval"]) == (800, 800, "before", "bootstrap")
    assert figure(made, "longer_wins")["value"] == 0.8
    assert figure(made, "feature_auc", feature="characters")["value"] > 0.75
    assert figure(made, "feature_auc", feature="hedges")["value"] == pytest.approx(0.5, abs=0.06)
    assert figure(made, "feature_auc", feature="code")["note"] == "never_differs"


def test_shuffled_labels_tell_nothing() -> None:
    labels = np.random.default_rng(5).permutation(biased(1200, 0.5)).tolist()
    told = figure(probe_pairs("before", *world(labels), PROBE))
    assert told["value"] == pytest.approx(0.5, abs=0.05)


def test_answers_of_equal_length_tell_nothing_of_length() -> None:
    made = probe_pairs("after", *world(biased(800, 0.8), long=80, short=80), PROBE)
    assert figure(made)["value"] == pytest.approx(0.5, abs=0.06)
    assert figure(made, "longer_wins")["note"] == "no_lengths_differ"


def test_which_side_stands_first_is_of_no_use() -> None:
    """All labels are `chosen`, so a probe that saw them unmirrored would be right by saying so."""
    differences = np.random.default_rng(5).normal(size=(600, 3))
    assert abs(mirrored_auc(out_of_fold(differences, np.arange(600), 5, 1.0))[0] - 0.5) < 0.06


def test_who_wrote_an_answer_is_a_feature() -> None:
    pairs, features = world(biased(400, 0.9), long=80, short=80, origins=("model:strong", "model:weak"))
    made = probe_pairs("before", pairs, features, PROBE)
    assert figure(made)["value"] > 0.8
    assert figure(made, "feature_auc", feature="origin model:strong")["value"] == pytest.approx(0.9, abs=1e-6)
    assert figure(made, "feature_auc", feature="origin model:weak")["value"] == pytest.approx(0.1, abs=1e-6)


def test_that_an_answer_made_worse_on_purpose_loses_is_no_matter_of_style() -> None:
    pairs, features = world(biased(400, 0.9), long=80, short=80, origins=("model:strong", "degraded:number"))
    told = probe_pairs("after", pairs, features, PROBE)
    assert figure(told)["value"] == pytest.approx(0.5, abs=0.07)
    assert not [name for name in told["feature"].to_pylist() if name and name.startswith("origin")]


def test_sources_are_probed_apart() -> None:
    labels = [number % 4 != 1 for number in range(800)]
    made = probe_pairs("before", *world(labels), PROBE)
    assert figure(made, source="even")["value"] > 0.95
    assert figure(made, source="odd")["value"] == pytest.approx(0.5, abs=0.1)
    assert figure(made, source="even")["n"] == 400


def test_pairs_without_a_source_count_over_all_only() -> None:
    pairs, features = world(biased(60, 0.8))
    nameless = pairs.set_column(4, "source", pa.array([None, "", "odd"] * 20, pa.string()))
    assert set(probe_pairs("before", nameless, features, PROBE)["source"].to_pylist()) == {"", "odd"}


def test_few_or_equal_pairs_have_no_figure_but_a_reason() -> None:
    few = probe_pairs("before", *world(biased(40, 0.8)), PROBE)
    assert (figure(few)["value"], figure(few)["note"], figure(few)["n"]) == (None, "too_few_prompts", 40)
    nothing = probe_pairs("before", *(table.slice(0, 0) for table in world([True])), PROBE)
    assert {row["note"] for row in nothing.to_pylist()} == {"no_pairs", "no_lengths_differ"}
    pairs, features = world(biased(80, 0.8))
    for column in ("characters", "sentences", "hedges", "bold"):
        place = features.schema.get_field_index(column)
        features = features.set_column(place, features.schema.field(column), pa.nulls(160).cast("int32").fill_null(3))
    assert figure(probe_pairs("before", pairs, features, PROBE))["note"] == "never_differs"


def test_the_order_of_rows_does_not_matter() -> None:
    pairs, features = world(biased(200, 0.7))
    made = probe_pairs("before", pairs, features, PROBE)
    assert made.equals(probe_pairs("before", shuffled(pairs), shuffled(features), PROBE))


def test_a_turned_label_turns_the_figures_of_single_features() -> None:
    pairs, features = world(biased(200, 0.7))
    names = ["chosen_id", "rejected_id"]
    turned = pairs.rename_columns({names[0]: names[1], names[1]: names[0]}).select(pairs.column_names)
    made, other = (probe_pairs("before", table, features, PROBE) for table in (pairs, turned))
    for feature in ("characters", "hedges"):
        told = [figure(table, "feature_auc", feature=feature)["value"] for table in (made, other)]
        assert sum(told) == pytest.approx(1, abs=2e-6)
    assert figure(made)["value"] == pytest.approx(figure(other)["value"], abs=1e-6)


def test_the_mirrored_area_is_that_of_scikit_learn_on_both_orders() -> None:
    from sklearn.metrics import roc_auc_score

    differences = np.round(np.random.default_rng(5).normal(0.3, 1, 300), 1)
    both, labels = np.concatenate([differences, -differences]), np.repeat([1, 0], 300)
    area, shares = mirrored_auc(differences)
    assert area == pytest.approx(roc_auc_score(labels, both), abs=1e-12)
    assert shares.shape == (300,)


def test_the_interval_is_close_to_that_of_drawing_pairs_again() -> None:
    draw = np.random.default_rng(3)
    differences, prompts = draw.normal(0.4, 1, 200), np.repeat(np.arange(100), 2)
    told = estimate_auc(differences, prompts, Resampling())
    assert told.low is not None
    assert told.high is not None
    by_prompt = differences.reshape(100, 2)
    drawn = [mirrored_auc(by_prompt[draw.integers(100, size=100)].ravel())[0] for _ in range(1000)]
    assert (told.low, told.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.015)


def test_pairs_without_features_are_refused() -> None:
    pairs, features = world([True, False])
    with pytest.raises(StageFailed, match=r"its chosen_id p0000l has no style features"):
        probe_pairs("before", pairs, features.slice(1), PROBE)

"""The study of losses compares trainings that differ in what it says alone."""

from typing import Any

import pytest

from dt2it_ray.data.schema import BENCHMARK_ROWS
from dt2it_ray.models.loss_settings import LossSettings
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.pipeline.study_losses import LossStudySettings, plan_losses
from dt2it_ray.pipeline.study_losses_arms import (
    ANNOTATED,
    ARMS,
    ENSEMBLE,
    MEAN_OF_MODELS,
    SHORTCUT_ARMS,
    TITLES,
    losses_table,
    with_change,
)
from dt2it_ray.stages.stage import Step
from dt2it_ray.stages.train import FitSettings


def fitted(step: Step) -> TrainSettings:
    assert isinstance(step.settings, FitSettings)
    return step.settings.train


def differing(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    return {name for name in first if first[name] != second[name]}


@pytest.mark.parametrize(("kind", "arms"), [("shortcut", SHORTCUT_ARMS), ("benchmarks", ARMS)])
def test_losses_are_fitted_to_the_same_pairs_and_differ_in_what_they_name(kind: str, arms: dict[str, Any]) -> None:
    steps = {step.name: step for step in plan_losses(LossStudySettings(seeds=(4,)))}
    plain = steps[f"world-4/{kind}/plain/train"]
    for arm, change in arms.items():
        step = steps[f"world-4/{kind}/{arm}/train"]
        if arm == "critique":
            assert step.inputs["pairs"].inputs["pairs"] is plain.inputs["pairs"]
        else:
            assert step.inputs == plain.inputs
        assert (
            steps[f"world-4/{kind}/{arm}/score"].inputs["rows"] is steps[f"world-4/{kind}/plain/score"].inputs["rows"]
        )
        assert differing(fitted(step).model_dump(), fitted(plain).model_dump()) == set(change)


def test_families_of_questions_that_there_are_not_are_named() -> None:
    with pytest.raises(ValueError, match=r"\['smell'\] are no families of questions"):
        LossStudySettings.model_validate({"shortcut": {"families": ["count", "smell"]}})


def test_the_ensemble_is_of_plain_models_with_heads_of_their_own() -> None:
    steps = {step.name: step for step in plan_losses(LossStudySettings(seeds=(4,)))}
    members = steps["world-4/benchmarks/ensemble/score"].inputs.values()
    seeds = {fitted(step.inputs["model"]).seed for step in members}
    assert len(seeds) == 1 + len(ENSEMBLE)


def test_the_model_that_learned_critiques_is_also_tested_behind_those_of_the_annotator() -> None:
    steps = {step.name: step for step in plan_losses(LossStudySettings(seeds=(4,)))}
    own, annotated = (steps[f"world-4/benchmarks/{arm}/score"] for arm in ("critique", "annotated"))
    assert annotated.inputs["model"] is own.inputs["model"]
    assert annotated.inputs["rows"].stage.writes == BENCHMARK_ROWS
    released = own.inputs["rows"].inputs.values()
    assert released
    assert all(source.inputs["rows"] is annotated.inputs["rows"] for source in released)


def test_a_world_that_is_added_leaves_the_others_as_they_are() -> None:
    alone, both = plan_losses(LossStudySettings(seeds=(5,))), plan_losses(LossStudySettings(seeds=(3, 5)))
    names = {step.name: step.fingerprint for step in both}
    assert {step.name: step.fingerprint for step in alone}.items() <= names.items()
    assert {fitted(step).seed for step in both if step.name.endswith("/plain/train")} == {3, 5}


def test_a_change_is_laid_over_the_settings_group_by_group() -> None:
    train = TrainSettings(seed=1, learning_rate=3e-5, loss=LossSettings(label_smoothing=0.1))
    changed = with_change(train, {"loss": {"shortcut": {"enabled": True, "proxy": "head"}}, "seed": 10}, seed=2)
    assert (changed.seed, changed.learning_rate, changed.loss.label_smoothing) == (13, 3e-5, 0.1)
    assert (changed.loss.shortcut.enabled, changed.loss.shortcut.proxy) == (True, "head")


def test_the_table_shows_means_spreads_and_differences_world_by_world() -> None:
    tests = ("in_distribution", "uncorrelated", "reversed", "mean")
    shortcut = {arm: {test: [0.5, 0.7] for test in tests} for arm in SHORTCUT_ARMS}
    shortcut["sfc"] = {test: [0.6, 0.65] for test in tests}
    benchmarks = {arm: {"mean": [0.9, 0.8]} for arm in (*ARMS, ANNOTATED, MEAN_OF_MODELS)}
    table = losses_table(
        {
            "shortcut": {"pairs": [600, 600], "accuracy": shortcut},
            "benchmarks": {"pairs": [1200, 900], "accuracy": benchmarks},
        }
    )
    assert f"| {TITLES['sfc']} | 0.625 (0.600 to 0.650) | +2.5 (-5.0 to +10.0) |" in table
    assert "| constructed pairs (1,200 / 900) | mean | from plain |" in table
    assert "| ensemble of three | 0.850 (0.800 to 0.900) | +0.0 (+0.0 to +0.0) |" in table
    assert "member" not in table

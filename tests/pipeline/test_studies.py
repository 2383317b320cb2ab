"""The studies compare what they say they compare."""

import pytest

from dt2it_ray.pipeline.study_ablation import CONTRASTS, VARIANTS, AblationSettings, ablation_table, plan_ablation
from dt2it_ray.pipeline.study_style import StyleStudySettings, plan_style_study, style_table
from dt2it_ray.stages.pairs import PairSettings


def test_every_variant_of_the_ablation_reads_the_same_samples() -> None:
    steps = {step.name: step for step in plan_ablation(AblationSettings(seeds=(7,)))}
    assert [name for name in steps if steps[name].stage.name == "generate"] == ["world-7/construct/generate"]
    agreement = {}
    for variant in VARIANTS:
        how = steps[f"world-7/{variant}/pairs"].settings
        assert isinstance(how, PairSettings)
        agreement[variant] = how.agreement
    assert agreement == {"listwise": "listwise", "diverse": "listwise", "agreed": "both", "agreed_alone": "both"}
    candidates = {variant: steps[f"world-7/{variant}/grades"].inputs["candidates"].name for variant in VARIANTS}
    assert candidates == {
        "listwise": "world-7/construct/generate",
        "diverse": "world-7/construct/diversify",
        "agreed": "world-7/construct/diversify",
        "agreed_alone": "world-7/construct/generate",
    }


def test_the_ablation_compares_its_variants_over_all_worlds() -> None:
    *steps, contrasts = plan_ablation(AblationSettings(seeds=(3, 5)))
    assert set(contrasts.inputs) == {f"truth/{variant}/{seed}" for variant in VARIANTS for seed in (3, 5)}
    assert {name: step.name for name, step in contrasts.inputs.items() if step.name.startswith("world-5/")} == {
        f"truth/{variant}/5": f"world-5/{variant}/truth" for variant in VARIANTS
    }
    # A world that is added leaves those that are done as they are.
    alone = {step.name: step.fingerprint for step in plan_ablation(AblationSettings(seeds=(5,)))[:-1]}
    assert alone == {step.name: step.fingerprint for step in steps if step.name.startswith("world-5/")}


def test_all_judges_of_the_ablation_judge_in_every_variant_whatever_a_construction_would_do_with_them() -> None:
    panel = {"judges": [{"name": "a"}, {"name": "b"}]}
    construction = {"pairs": {"agreement": "listwise"}, "listwise": panel, "pointwise": panel}
    asked = AblationSettings.model_validate({"seeds": [7], "construction": construction})
    steps = {step.name: step for step in plan_ablation(asked)}
    judged = {
        variant: {name for name in steps[f"world-7/{variant}/pairs"].inputs if name not in ("rows", "facts")}
        for variant in VARIANTS
    }
    listwise, both = {"listwise/a", "listwise/b"}, {"listwise/a", "listwise/b", "pointwise/a", "pointwise/b"}
    assert judged == {"listwise": listwise, "diverse": listwise, "agreed": both, "agreed_alone": both}
    for variant in VARIANTS:
        how = steps[f"world-7/{variant}/pairs"].settings
        assert isinstance(how, PairSettings)
        assert how.agreement == ("both" if judged[variant] == both else "listwise")
    sampled = steps["world-7/construct/generate"]
    on_sampled = [step for name, step in steps["world-7/agreed_alone/pairs"].inputs.items() if name.endswith("/b")]
    assert [step.inputs["candidates"] for step in on_sampled] == [sampled, sampled]


@pytest.mark.parametrize("seeds", [(), (1, 2, 1)])
def test_an_ablation_needs_worlds_that_differ(seeds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="seeds"):
        AblationSettings(seeds=seeds)


def test_both_models_of_the_style_study_differ_in_their_pairs_only() -> None:
    steps = {step.name: step for step in plan_style_study(StyleStudySettings())}
    raw, constructed = steps["raw/train"], steps["constructed/train"]
    assert raw.settings == constructed.settings
    assert raw.inputs["rows/open"] is constructed.inputs["rows/construct"]
    assert steps["raw/score"].inputs["rows"] is steps["constructed/score"].inputs["rows"]
    assert set(steps["construct/style_probe"].inputs) == {
        *("pairs/raw", "features/raw"),
        *("pairs/constructed", "features/constructed"),
    }


def test_tables_show_what_was_found() -> None:
    share, unknown = {"value": 0.6, "low": 0.5, "high": 0.7}, dict.fromkeys(("value", "low", "high"))
    found = {"better": 3, "equal": 1, "worse": 1, "precision": share, "precision_of_unequal": unknown}
    more = {"value": 0.1, "low": -0.01, "high": 0.2, "p_value": 0.04, "by_world": {"0": 0.12, "1": -0.02}}
    none = {**unknown, "p_value": None, "by_world": {"0": None}}
    contrast = {"precision": more, "precision_of_unequal": none}
    told = {
        "constructions": dict.fromkeys(VARIANTS, found),
        "contrasts": {f"{first} to {second}": contrast for first, second in CONTRASTS},
    }
    table = ablation_table(told)
    assert "| listwise only | 5 | 0.600 (0.500 to 0.700) | - (- to -) |" in table
    shown = "+0.100 (-0.010 to +0.200) | 0.040 | -0.020 to +0.120 | - (- to -) | - | - |"
    assert f"| + diversity, from listwise only | {shown}" in table
    told = {"pairs": 1200, "probe": {"probe_auc": None, "longer_wins": 0.5}, "mean_accuracy": 0.9}
    assert "| raw | 1,200 | - | 0.500 | 0.900 |" in style_table({"raw": told})

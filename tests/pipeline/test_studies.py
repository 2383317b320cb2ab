"""The studies compare what they say they compare."""

from dt2it_ray.pipeline.study_ablation import VARIANTS, AblationSettings, ablation_table, plan_ablation
from dt2it_ray.pipeline.study_style import StyleStudySettings, plan_style_study, style_table
from dt2it_ray.stages.pairs import PairSettings


def test_every_variant_of_the_ablation_reads_the_same_samples() -> None:
    steps = {step.name: step for step in plan_ablation(AblationSettings())}
    assert [name for name in steps if steps[name].stage.name == "generate"] == ["construct/generate"]
    agreement = {}
    for variant in VARIANTS:
        how = steps[f"{variant}/pairs"].settings
        assert isinstance(how, PairSettings)
        agreement[variant] = how.agreement
    assert agreement == {"listwise": "listwise", "diverse": "listwise", "agreed": "both", "agreed_alone": "both"}
    candidates = {variant: steps[f"{variant}/grades"].inputs["candidates"].name for variant in VARIANTS}
    assert candidates == {
        "listwise": "construct/generate",
        "diverse": "construct/diversify",
        "agreed": "construct/diversify",
        "agreed_alone": "construct/generate",
    }


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
    assert "| listwise only | 5 | 0.600 (0.500 to 0.700) | - (- to -) |" in ablation_table({"listwise": found})
    told = {"pairs": 1200, "probe": {"probe_auc": None, "longer_wins": 0.5}, "mean_accuracy": 0.9}
    assert "| raw | 1,200 | - | 0.500 | 0.900 |" in style_table({"raw": told})

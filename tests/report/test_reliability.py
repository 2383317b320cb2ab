from typing import Any

from dt2it_ray.report.build import build_page
from dt2it_ray.report.content import Bias, ReportContent
from dt2it_ray.report.reliability import judge_grids, style_grids


def bias(figure: str, about: str, value: float | None, **more: Any) -> Bias:
    ends = {"low": None, "high": None} if value is None else {"low": value - 0.1, "high": value + 0.1}
    return Bias(
        **{"figure": figure, "about": about, "value": value, "source": "", "n": 40, "note": None, **ends, **more}
    )


JUDGES = [
    bias("position_flip_rate", "j listwise", 0.12),
    bias("position_flip_rate", "j listwise", 0.2, source="clean", n=20),
    bias("position_flip_rate", "j listwise", 0.04, source="style_bias", n=20),
    bias("longer_wins", "j listwise", 0.5, low=None, high=None, note="too_few_prompts"),
    bias("longer_wins", "j pointwise", 0.6),
    bias("self_preference", "j listwise", None, n=0, note="model_of_judge_not_set"),
    bias("kappa", "j listwise and j pointwise", 0.7),
    bias("alpha_overall", "all judges", 0.8),
]
STYLE = [
    bias("probe_auc", "constructed", 0.51),
    bias("probe_auc", "raw", 0.8),
    bias("longer_wins", "raw", 0.78),
    bias("feature_auc", "raw", 0.79, feature="list_items"),
    bias("feature_auc", "raw", None, feature="code", note="never_differs"),
]


def test_a_judge_has_a_row_and_a_row_per_source_where_there_are_several() -> None:
    judges, agreement = judge_grids(JUDGES)
    assert judges.columns == ["turns with the order", "longer wins", "own model wins"]
    listwise, pointwise = judges.groups
    assert [(row.heading, row.within) for row in listwise] == [
        ("j listwise", False),
        ("clean", True),
        ("style_bias", True),
    ]
    assert (listwise[0].cells[0].value, listwise[0].cells[0].detail) == ("0.120", "0.020 to 0.220, n 40")
    assert (listwise[0].cells[1].value, listwise[0].cells[1].detail) == ("0.500", "too few prompts, n 40")
    assert (listwise[0].cells[2].value, listwise[0].cells[2].detail) == ("", "its model is not set")
    assert [cell.value for cell in pointwise[0].cells] == ["", "0.600", ""]
    assert len(pointwise) == 1
    assert agreement.columns == ["kappa", "alpha of scores"]
    assert [group[0].heading for group in agreement.groups] == ["j listwise and j pointwise", "all judges"]


def test_a_judge_of_one_source_has_no_row_for_it_where_others_have_several() -> None:
    one = [bias("longer_wins", "j listwise", 0.5, source=source) for source in ("", "distill")]
    other = [bias("longer_wins", "j of doubted pairs", 0.5, source=source) for source in ("", "clean", "flips")]
    (judges,) = judge_grids([*one, *other])
    assert [[row.heading for row in group] for group in judges.groups] == [
        ["j listwise"],
        ["j of doubted pairs", "clean", "flips"],
    ]


def test_granular_raters_agree_attribute_by_attribute() -> None:
    values = {"alpha_verbosity": 0.9, "alpha_helpfulness": 0.8, "alpha_overall": 0.7}
    agreement, attributes = judge_grids([bias(name, "all judges, granular", value) for name, value in values.items()])
    assert (agreement.columns, attributes.columns) == (["alpha of scores"], ["helpfulness", "verbosity"])
    assert [cell.value for cell in attributes.groups[0][0].cells] == ["0.800", "0.900"]


def test_style_before_stands_beside_style_after() -> None:
    joint, single = style_grids(STYLE)
    assert joint.columns == ["before (raw)", "after (constructed)"]
    assert [[cell.value for cell in group[0].cells] for group in joint.groups] == [["0.800", "0.510"], ["0.780", ""]]
    assert [group[0].heading for group in single.groups] == ["list items"]


def test_other_sets_of_pairs_keep_their_names() -> None:
    figures = [bias("probe_auc", name, 0.5) for name in ("open", "after", "before")]
    assert style_grids(figures)[0].columns == ["before", "after", "open"]


def test_the_page_has_both_tables_or_no_section() -> None:
    def page(**figures: Any) -> str:
        return build_page(ReportContent(name="demo", summary={}, steps=[], settings={}, provenance={}, **figures))

    full = page(reliability=JUDGES, style=STYLE)
    assert 'id="reliability"' in full
    assert 'id="style"' in full
    assert "0.020 to 0.220, n 40" in full
    assert "style bias" in full
    assert not judge_grids([])
    assert 'id="reliability"' not in page()
    assert 'id="style"' not in page()

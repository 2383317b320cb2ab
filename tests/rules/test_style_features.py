import pyarrow as pa
import pytest

from dt2it_ray.rules.style_features import FEATURES, style_features


def counted(text: str) -> dict[str, float]:
    return {name: column[0].as_py() for name, column in style_features(pa.array([text])).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red.", {"characters": 4, "words": 1, "sentences": 1, "mean_word_length": 3}),
        ("The ball is red. It is round", {"words": 7, "sentences": 1}),
        ("Red", {"sentences": 1}),
        ("It is 3.5 m. Really?! Yes.", {"sentences": 3, "exclamations": 1}),
        (
            "图中有三个圆形。颜色是红色！",
            {"words": 12, "sentences": 2, "exclamations": 1, "han_share": 1},
        ),
        ("红色 red", {"words": 3, "han_share": 0.4}),
        ("### Answer\nIt is **red**, in __bold__.\n# 答案", {"headings": 2, "bold": 2}),
        ("not # a heading\n#neither", {"headings": 0}),
        ("- one\n* two\n  3. three\n4、四\n5 five\n**Answer:** no", {"list_items": 4, "bold": 1}),
        ("Run `ls` or\n```\nfor x in y:\n    pass\n```", {"code": 2}),
        ("I think it is red, but I'm not entirely sure. Perhaps.", {"hedges": 3, "first_person": 2}),
        ("The might of kings; Seems fine", {"hedges": 2}),
        ("可能是红色，不过不太确定。我觉得", {"hedges": 3, "first_person": 1}),
        ("I'm sorry, as an AI I cannot help.", {"refusals": 3}),
        ("抱歉，我无法回答。", {"refusals": 2}),
        ("A white cube on a table", {"hedges": 0, "first_person": 0, "refusals": 0, "bold": 0, "code": 0}),
        ("", dict.fromkeys(FEATURES, 0)),
        ("!!! ???", {"words": 0, "mean_word_length": 0, "han_share": 0}),
    ],
)
def test_what_a_text_is_made_of(text: str, expected: dict[str, float]) -> None:
    made = counted(text)
    assert {name: made[name] for name in expected} == expected


def test_texts_do_not_disturb_each_other() -> None:
    texts = ["Red.", "我觉得是红色", "- a\n- b", ""]
    together = style_features(pa.array(texts))
    for place, text in enumerate(texts):
        assert {name: column[place].as_py() for name, column in together.items()} == counted(text)

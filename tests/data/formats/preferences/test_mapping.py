"""The declarative mapping: rows of any layout become preferences by their columns, and typos are named."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Turn
from dt2it_ray.data.formats.preferences.mapping import ColumnMapping, mapped
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from dt2it_ray.errors import ConfigError
from dt2it_ray.settings import parse_settings
from tests.data.formats.preferences.reading import named, refusal, texts
from tests.data.formats.preferences.test_image_pairs import RLHF_V
from tests.data.formats.preferences.test_signed import HELPSTEER3

ROW = {
    "q": "What is it?",
    "pics": ["a.png", "b.png"],
    "good": "A cat.",
    "bad": "A dog.",
    "meta": {"gap": "1.5", "who": ["m1", "m2"], "kind": "animal"},
    "truth": "cat",
}
PAIR = {"question": "q", "images": "pics", "chosen": "good", "rejected": "bad"}


def by(**columns: Any) -> PreferenceFormat:
    return mapped(parse_settings(ColumnMapping, columns, "a test"))


def only(row: dict[str, Any], **columns: Any) -> Preference:
    [preference] = by(**columns).parse(row)
    return preference


def test_every_field_of_a_preference_has_a_column() -> None:
    beside = {
        "strength": "meta.gap",
        "reference": "truth",
        "category": "meta.kind",
        "item": "id?",
        "chosen_origin": "meta.who[0]",
        "rejected_origin": "meta.who[1]",
        "source": "set?",
    }
    assert only(ROW, **PAIR, **beside) == Preference(
        question="What is it?",
        chosen="A cat.",
        rejected="A dog.",
        images=named("a.png", "b.png"),
        strength=1.5,
        reference="cat",
        category="animal",
        chosen_origin="m1",
        rejected_origin="m2",
    )


def test_images_stand_in_one_column_or_several_and_may_be_missing() -> None:
    row = ROW | {"first": "1.png", "second": {"bytes": b"PNG", "path": None}, "none": None, "blank": ""}
    columns = ["first", "second", "none", "blank", "gone?"]
    found = only(row, **PAIR | {"images": columns}).images
    assert list(found) == [*named("1.png"), {"bytes": b"PNG", "path": None}]


def test_json_inside_a_text_is_read_like_a_struct() -> None:
    inner = {name: f"text|json.{name}" for name in ("question", "chosen", "rejected")}
    found = only(RLHF_V, images="image", item="idx", source="origin_dataset", **inner)
    assert [found] == list(PREFERENCE_FORMATS["rlhf_v"].parse(RLHF_V))


def test_a_signed_score_is_read_as_helpsteer3_is() -> None:
    label = {"first": "response1", "second": "response2", "column": "overall_preference"}
    form = by(messages="context", label=label, category="domain")
    for score in (-2, 0, 3):
        row = HELPSTEER3 | {"overall_preference": score}
        assert list(form.parse(row)) == list(PREFERENCE_FORMATS["helpsteer3"].parse(row))


@pytest.mark.parametrize(
    ("winner", "better"),
    [("model_a", "A"), ("MODEL_B", "B"), (1, "A"), ("2", "B"), (2.0, "B"), (True, "A"), ("tie", None)],
)
def test_a_label_column_names_the_better_answer(winner: Any, better: str | None) -> None:
    values = {"first_is": ["model_a", 1, True], "second_is": ["model_b", 2], "tie_is": ["tie"]}
    label = {"first": "a", "second": "b", "column": "winner", "second_origin": "by_b", **values}
    row = {"q": "Q", "a": "A", "b": "B", "winner": winner, "by_b": "m2", "gap": 2}
    found = by(question="q", label=label, strength="gap").parse(row)
    assert [each.chosen for each in found] == ([better] if better else [])
    assert all(each.strength == 2.0 for each in found)
    assert [each.chosen_origin or each.rejected_origin for each in found] == (["m2"] if better else [])


def test_scored_answers_give_all_pairs_and_ranks_are_better_when_lower() -> None:
    row = {"q": "Q", "list": [{"t": "a", "r": 2}, {"t": "b", "r": 1}, {"t": "c", "r": 2}], "who": ["x", "y", None]}
    scored = {"answers": "list[*].t", "scores": "list[*].r", "lower_is_better": True, "origins": "who"}
    found = by(question="q", scored=scored).parse(row)
    assert [(each.chosen, each.rejected, each.strength) for each in found] == [("b", "a", 1.0), ("b", "c", 1.0)]
    assert [(each.chosen_origin, each.rejected_origin) for each in found] == [("y", "x"), ("y", None)]
    ranks = {**scored, "lower_is_better": False}
    assert [each.chosen for each in by(question="q", scored=ranks).parse(row)] == ["a", "c"]


def test_turns_come_from_a_history_with_a_question_or_from_messages() -> None:
    before = [{"role": "user", "content": "<image>Hi"}, {"role": "assistant", "content": "Hello"}]
    row = {"q": "Q", "before": before, "all": [*before, {"role": "user", "content": "Q"}], "pic": "a.png", "sys": "S"}
    answers = {"chosen": "a", "rejected": "b", "images": "pic", "system": "sys"}
    found = only(row | {"a": "A", "b": "B"}, question="q", history="before", **answers)
    assert found.history == (Turn("system", "S"), Turn("user", "Hi", 1), Turn("assistant", "Hello"))
    assert found == only(row | {"a": "A", "b": "B"}, messages="all", **answers)
    chats = {"a": [*row["all"], {"from": "gpt", "value": "A"}], "b": [*row["all"], {"from": "gpt", "value": "B"}]}
    assert found == only(row | chats, **answers)
    assert texts(found) == ("Q", "A", "B")


def test_the_system_prompt_of_a_chat_counts_before_that_of_a_column() -> None:
    row = {"chat": [{"role": "system", "content": "own"}, {"role": "user", "content": "Q"}], "sys": "S"}
    found = only(row | {"a": "A", "b": "B"}, messages="chat", system="sys", chosen="a", rejected="b")
    assert found.history == (Turn("system", "own"),)


def test_a_placeholder_of_its_own_shows_the_images_and_an_empty_one_leaves_texts_alone() -> None:
    row = ROW | {"q": "<ImageHere><ImageHere>What is it?"}
    assert only(row, **PAIR, placeholder="<ImageHere>") == only(ROW, **PAIR)
    spoken = {"question": "q", "chosen": "good", "rejected": "bad", "placeholder": ""}
    assert only(ROW | {"q": "What is <image>?"}, **spoken).question == "What is <image>?"


@pytest.mark.parametrize(
    ("columns", "change", "told"),
    [
        ({"chosen": "god"}, {}, "field god: missing; did you mean good?"),
        ({"strength": "meta.gaps"}, {}, "field meta.gaps: missing; did you mean gap?"),
        ({"strength": "truth"}, {}, "field truth: 'cat' is no number"),
        ({"category": "meta"}, {}, "field meta: {"),
        ({}, {"q": None}, "field q: None is not a text"),
        ({}, {"q": "<image>What?"}, "field q: 1 <image> for 2 images"),
        ({}, {"pics": [5]}, "field pics: 5 is not a text"),
        ({}, {"good": "A dog."}, "answers_equal: good and bad"),
        ({"chosen": "pics"}, {}, "field pics[0]: 'a.png' is no struct"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_column(
    columns: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    assert told in refusal(by(**PAIR | columns), ROW | change)


def test_what_somebody_wrote_of_answers_comes_with_them() -> None:
    row = {"q": "Q", "a": "A", "b": "B", "of_a": "Right.", "of_b": " ", "w": "b"}
    pair = only(row, question="q", chosen="a", rejected="b", chosen_critique="of_a", rejected_critique="of_b")
    assert (pair.chosen_critique, pair.rejected_critique) == ("Right.", None)
    label = {"first": "a", "second": "b", "column": "w", "first_is": ["a"], "second_is": ["b"]}
    turned = only(row, question="q", label=label | {"first_critique": "of_a", "second_critique": "of_b"})
    assert (turned.chosen, turned.chosen_critique, turned.rejected_critique) == ("B", None, "Right.")
    chat = [{"role": "user", "content": "Q"}]
    chats = {side: [*chat, {"role": "assistant", "content": side}] for side in ("good", "bad")}
    whole = only(chats | {"why": "So."}, chosen="good", rejected="bad", rejected_critique="why")
    assert (whole.chosen_critique, whole.rejected_critique) == (None, "So.")
    listed = {"q": "Q", "texts": ["x", "y"], "scores": [1, 2], "notes": ["of x", "of y"]}
    scored = {"answers": "texts", "scores": "scores", "critiques": "notes"}
    best = only(listed, question="q", scored=scored)
    assert (best.chosen, best.chosen_critique, best.rejected_critique) == ("y", "of y", "of x")
    assert "2 answers, 2 scores, 2 origins, 1 critiques" in refusal(
        by(question="q", scored=scored), listed | {"notes": ["one"]}
    )


def test_an_unknown_label_and_uneven_lists_are_refused() -> None:
    label = {"first": "a", "second": "b", "column": "w", "first_is": ["a"], "second_is": ["b"]}
    row = {"q": "Q", "a": "A", "b": "B", "w": "both", "texts": ["x", "y"], "scores": [1]}
    assert "field w: 'both' is no label that the mapping knows" in refusal(by(question="q", label=label), row)
    scored = {"answers": "texts", "scores": "scores"}
    assert "field scores: not as many as answers: 2 answers, 1 scores" in refusal(by(question="q", scored=scored), row)


SCORED = {"answers": "x", "scores": "y"}
SIGNED = {"first": "a", "second": "b", "column": "c"}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"question": "q", "chosen": "a"}, "name the answers one way"),
        ({"question": "q"}, "name the answers one way"),
        ({**PAIR, "scored": {"answers": "x", "scores": "y"}}, "name the answers one way"),
        ({**PAIR, "messages": "m"}, "name one column of the prompt"),
        ({"scored": {"answers": "x", "scores": "y"}}, "name the column of the prompt"),
        ({"history": "h", "chosen": "a", "rejected": "b"}, "history stands before a question"),
        ({**PAIR, "imagse": "pics"}, "did you mean images?"),
        ({"question": "q", "label": {"first": "a", "second": "b", "column": "c", "tie_is": [0]}}, "name the labels"),
        (
            {
                "question": "q",
                "label": {"first": "a", "second": "b", "column": "c", "first_is": [1], "second_is": ["1"]},
            },
            "a label stands in two",
        ),
        ({"question": "q", "scored": SCORED, "strength": "s"}, "strength: that of scored"),
        ({"question": "q", "label": SIGNED, "strength": "s"}, "strength: that of a signed score"),
        ({"question": "q", "label": SIGNED, "chosen_origin": "o"}, "name label.first_origin and label.second_origin"),
        ({"question": "q", "scored": SCORED, "rejected_origin": "o"}, "name scored.origins"),
        ({"question": "q", "scored": SCORED, "chosen_critique": "c"}, "name scored.critiques"),
        (
            {"question": "q", "label": SIGNED, "chosen_critique": "c"},
            "name label.first_critique and label.second_critique",
        ),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_at_once(columns: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told.replace("?", r"\?")):
        by(**columns)


def test_a_mapped_format_can_go_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(by(**PAIR))).parse(ROW) == by(**PAIR).parse(ROW)


def test_a_column_that_is_no_path_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="is no column"):
        by(**PAIR | {"question": "a[x]"})


def test_the_mapping_that_the_docs_show_reads_a_row() -> None:
    shown = (
        (Path(__file__).parents[4] / "docs/formats.md")
        .read_text(encoding="utf-8")
        .partition("```yaml\n")[2]
        .partition("```")[0]
    )
    row = {
        "id": 4,
        "prompt": "What is it?",
        "img": "a.png",
        "response_a": "A cat.",
        "response_b": "A dog.",
        "model_a": "x",
        "model_b": "y",
        "meta": json.dumps({"winner": "model_b"}),
        "tags": [{"name": "animal"}],
    }
    found = only(row, **yaml.safe_load(shown)["mapping"])
    assert texts(found) == ("What is it?", "A dog.", "A cat.")
    assert (found.images, found.chosen_origin, found.category, found.item) == (named("a.png"), "y", "animal", "4")

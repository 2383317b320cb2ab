"""How rows of any layout become preferences by a `ColumnMapping`, without code."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dt2it_ray.data.formats.media_marks import MARK
from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row, Turn
from dt2it_ray.data.formats.preferences.asked import Answer, Asked, Told, asked_about, asked_in, preference, ranked
from dt2it_ray.data.formats.preferences.chat_pairs import asked_before
from dt2it_ray.data.formats.preferences.chats import Chat, behind_system, chat_of, shown_first
from dt2it_ray.data.formats.preferences.mapping_paths import Path, parse_path
from dt2it_ray.data.formats.preferences.mapping_settings import ColumnMapping, LabelColumn, ScoredAnswers, value_key
from dt2it_ray.data.formats.preferences.values import Image, images_of, list_of, number_of, refuse, remark, told

__all__ = ["ColumnMapping", "LabelColumn", "ScoredAnswers", "mapped"]

Find = Callable[[str | None], Any]


def mapped(mapping: ColumnMapping, name: str = "mapping") -> PreferenceFormat:
    """The format of rows whose columns a mapping names; it is only read.

    Raises:
        ConfigError: a column of the mapping is no path.
    """
    paths = {text: parse_path(text) for text in _columns(mapping)}
    return PreferenceFormat(name, partial(_parse, mapping=mapping, paths=paths))


def _columns(mapping: ColumnMapping) -> list[str]:
    """The texts of all paths: every setting that is one."""
    other = {"placeholder", "label", "scored", "images"}
    label, scored = mapping.label, mapping.scored
    named = [value for field, value in mapping if field not in other]
    named += _image_columns(mapping)
    if label:
        named += [label.first, label.second, label.column]
        named += [label.first_origin, label.second_origin, label.first_critique, label.second_critique]
    named += [scored.answers, scored.scores, scored.origins, scored.critiques] if scored else []
    return [column for column in named if column is not None]


def _image_columns(mapping: ColumnMapping) -> Sequence[str]:
    return (mapping.images,) if isinstance(mapping.images, str) else mapping.images


def _parse(row: Row, mapping: ColumnMapping, paths: dict[str, Path]) -> Sequence[Preference]:
    def find(column: str | None) -> Any:
        return None if column is None else paths[column].find(row)

    if mapping.question is None and mapping.messages is None:
        return [_whole_chats(find, mapping)]
    asked = _asked(find, mapping)
    if mapping.scored:
        return ranked(asked, _scored(find, mapping.scored))
    if mapping.label:
        return _labelled(find, mapping.label, mapping, asked)
    chosen, rejected = (
        Answer(_answer(find(column), column or ""), column or "", 0.0, _told(find, origin), _remark(find, critique))
        for column, origin, critique in zip((mapping.chosen, mapping.rejected), *_of_answers(mapping), strict=True)
    )
    return [preference(asked, chosen, rejected, _number(find, mapping.strength))]


def _whole_chats(find: Find, mapping: ColumnMapping) -> Preference:
    fields = (mapping.chosen or "", mapping.rejected or "")
    row = {field: _spelt(find(field), mapping.placeholder) for field in fields}
    before, *answers = asked_before(row, *fields, marked=bool(mapping.placeholder))
    images, system = _images(find, mapping), _told(find, mapping.system)
    before = behind_system(shown_first(before, images), system)
    asked = asked_in(before, images, fields[0], Told(*(_told(find, column) for column in _beside(mapping))))
    chosen, rejected = (
        answer._replace(origin=_told(find, origin), critique=_remark(find, critique))
        for answer, origin, critique in zip(answers, *_of_answers(mapping), strict=True)
    )
    return preference(asked, chosen, rejected, _number(find, mapping.strength))


def _of_answers(mapping: ColumnMapping) -> tuple[tuple[str | None, str | None], tuple[str | None, str | None]]:
    """The columns that say who wrote the chosen and the rejected answer, and what somebody wrote of them."""
    origins = (mapping.chosen_origin, mapping.rejected_origin)
    return origins, (mapping.chosen_critique, mapping.rejected_critique)


def _images(find: Find, mapping: ColumnMapping) -> list[Image]:
    found: list[Image] = []
    for column in _image_columns(mapping):
        value = find(column)
        found += [] if value is None or value == "" else images_of(value, column)
    return found


def _asked(find: Find, mapping: ColumnMapping) -> Asked:
    images = _images(find, mapping)
    beside = Told(*(_told(find, column) for column in _beside(mapping)))
    system = _told(find, mapping.system)
    if mapping.question and not mapping.history and system is None:
        question = _spelt(find(mapping.question), mapping.placeholder)
        if not mapping.placeholder:
            return Asked(_plain(question, mapping.question), images, (), beside)
        return asked_about(question, images, mapping.question, beside)
    return asked_in(_chat(find, mapping, images, system), images, mapping.messages or mapping.question or "", beside)


def _beside(mapping: ColumnMapping) -> tuple[str | None, ...]:
    """The columns of `Told`, in its order."""
    return mapping.item, mapping.category, mapping.reference, mapping.source


def _plain(question: Any, field: str) -> str:
    return chat_of([{"role": "user", "content": question}], field, marked=False).turns[0].text


def _chat(find: Find, mapping: ColumnMapping, images: Sequence[Image], system: str | None) -> Chat:
    """The turns up to the question; images that no turn has a mark for are shown by the question."""
    marked = bool(mapping.placeholder)
    if mapping.messages:
        chat = chat_of(_spelt(find(mapping.messages), mapping.placeholder), mapping.messages, marked)
        chat = shown_first(chat, images)
    else:
        before = list(list_of(find(mapping.history) or [], mapping.history or "")) if mapping.history else []
        turns = [*before, {"role": "user", "content": find(mapping.question)}]
        chat = chat_of(_spelt(turns, mapping.placeholder), mapping.history or mapping.question or "", marked)
        if not any(turn.images for turn in chat.turns):
            last = chat.turns[-1]
            chat = Chat([*chat.turns[:-1], Turn(last.role, last.text, len(images))], chat.images)
    return behind_system(chat, system)


def _spelt(value: Any, placeholder: str) -> Any:
    """The value with this package's marks in place of the mapping's, in all texts that it holds."""
    if placeholder in ("", MARK):
        return value
    if isinstance(value, str):
        return value.replace(placeholder, MARK)
    if isinstance(value, list):
        return [_spelt(each, placeholder) for each in value]
    return {key: _spelt(each, placeholder) for key, each in value.items()} if isinstance(value, dict) else value


def _answer(value: Any, field: str) -> Any:
    """The text of an answer that stands alone or at the end of a chat."""
    if not isinstance(value, list | dict):
        return value
    turns = chat_of(value if isinstance(value, list) else [value], field, marked=False).turns
    if not turns or turns[-1].role != "assistant":
        raise refuse(field, "does not end with an answer of the assistant")
    return turns[-1].text


def _scored(find: Find, scored: ScoredAnswers) -> list[Answer]:
    answers, scores = list_of(find(scored.answers), scored.answers), list_of(find(scored.scores), scored.scores)
    origins, critiques = (
        [None] * len(answers) if column is None else list_of(find(column), column)
        for column in (scored.origins, scored.critiques)
    )
    if not len(answers) == len(scores) == len(origins) == len(critiques):
        counts = f"{len(answers)} answers, {len(scores)} scores, {len(origins)} origins, {len(critiques)} critiques"
        raise refuse(scored.scores, f"not as many as answers: {counts}")
    sign = -1 if scored.lower_is_better else 1
    return [
        Answer(
            text,
            f"{scored.answers}[{place}]",
            sign * number_of(score, f"{scored.scores}[{place}]"),
            _text(origin),
            remark(critique, f"{scored.critiques}[{place}]"),
        )
        for place, (text, score, origin, critique) in enumerate(zip(answers, scores, origins, critiques, strict=True))
    ]


def _labelled(find: Find, label: LabelColumn, mapping: ColumnMapping, asked: Asked) -> list[Preference]:
    sides = (
        (label.first, label.first_origin, label.first_critique),
        (label.second, label.second_origin, label.second_critique),
    )
    answers = [
        Answer(_answer(find(column), column), column, 0.0, _told(find, origin), _remark(find, critique))
        for column, origin, critique in sides
    ]
    value, strength = find(label.column), _number(find, mapping.strength)
    if label.first_is:
        better = _better(value, label)
    else:
        score = number_of(value, label.column) * (1 if label.positive == "second" else -1)
        better, strength = (None if not score else int(score > 0)), abs(score)
    return [] if better is None else [preference(asked, answers[better], answers[1 - better], strength)]


def _better(value: Any, label: LabelColumn) -> int | None:
    """0 or 1, the place of the answer that the label prefers; None for a tie."""
    places = ((0, label.first_is), (1, label.second_is), (None, label.tie_is))
    for place, values in places:
        if value_key(value) in {value_key(known) for known in values}:
            return place
    raise refuse(label.column, f"{ascii(value)[:60]} is no label that the mapping knows")


def _number(find: Find, column: str | None) -> float | None:
    value = find(column)
    return None if column is None or value is None or value == "" else number_of(value, column)


def _told(find: Find, column: str | None) -> str | None:
    return None if column is None else told(find(column), column)


def _remark(find: Find, column: str | None) -> str | None:
    return None if column is None else remark(find(column), column)


def _text(origin: Any) -> str | None:
    return told(origin, "origins")

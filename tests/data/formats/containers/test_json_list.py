"""A JSON list comes out the same however it is cut, and one damaged element costs itself alone."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.data.formats.containers import json_list
from dt2it_ray.data.formats.containers.json_list import cut_list, parse_list
from dt2it_ray.errors import InputError


class Trickle:
    """The bytes of a file that come in pieces of any size."""

    trouble = None

    def __init__(self, content: bytes) -> None:
        self._content = content

    def more(self, size: int) -> bytes:
        piece, self._content = self._content[:size], self._content[size:]
        return piece


def elements_of(content: bytes) -> list[tuple[int, object]]:
    blocks = cut_list(Trickle(content), "rows.json")  # type: ignore[arg-type]
    return [numbered for first, chunks in blocks for numbered in parse_list(chunks, first)]


@pytest.fixture(params=[1, 2, 7, 64, 1000])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    shrink(monkeypatch, request.param)
    return request.param


def shrink(patch: pytest.MonkeyPatch, size: int) -> None:
    patch.setattr(json_list, "PIECE_BYTES", size)
    patch.setattr(json_list, "BLOCK_BYTES", 3 * size)


ROWS = [
    {"id": 1, "text": '},\n  {"id": 2'},
    {"id": 2, "turns": [{"id": 7}, {"id": 8}, {"id": "}, {"}]},
    {"id": 3, "text": 'back\\slash\\" and \u2028 and é图 ]},['},
    {"text": "first key differs", "id": 4},
    {},
    {"id": 6, "deep": [[[{"id": [{}]}]]]},
    *({"id": number, "text": "]" * number} for number in range(7, 40)),
]


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("plain", [True, False])
def test_a_list_does_not_depend_on_how_much_is_read_at_once(indent: int | None, plain: bool) -> None:
    content = json.dumps(ROWS, indent=indent, ensure_ascii=plain).encode("utf-8-sig")
    assert elements_of(content) == list(enumerate(ROWS, 1))


@pytest.mark.usefixtures("block_bytes")
def test_elements_that_are_no_objects_are_elements() -> None:
    numbers = [0, -1.5, 12345, {"a": [1, "]"]}, None, True, "," * 5, [], "{"]
    assert elements_of(json.dumps(numbers).encode()) == list(enumerate(numbers, 1))


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "damage",
    [
        ('"text": "]]]]]]]]"', '"text": "]]]]]]]]'),
        ('"text": "]]]]]]]]"', '"text": ]]]]]]]]"'),
        ('"id": 8', '"id": '),
        ('"id": 8', '"id" 8'),
        ('"id": 8', '"id": oops'),
        ('"text": "]]]]]]]]"', '"text": "]]]]\x00]]]]"'),
    ],
)
def test_one_damaged_element_is_refused_and_the_others_are_read(indent: int | None, damage: tuple[str, str]) -> None:
    rows = [{"id": number, "text": "]" * number} for number in range(1, 30)]
    text = json.dumps(rows, indent=indent)
    assert text.count(damage[0]) == 1
    read = elements_of(text.replace(*damage).encode())
    assert [number for number, _ in read] == list(range(1, 30))
    assert [number for number, value in read if not isinstance(value, dict)] == [8]
    assert [value for _, value in read if isinstance(value, dict)] == rows[:7] + rows[8:]


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("damage", [('"b": {', '"b": '), ('"b": {', '"b": {{'), ('"a": "', '"a": '), ('"1"', '"1')])
def test_a_damaged_element_at_the_start_is_refused_alone(damage: tuple[str, str]) -> None:
    rows = [{"a": str(number), "b": {"c": [{"d": 1}, {"d": 2}]}, "e": ["x.jpg"]} for number in range(1, 9)]
    read = elements_of(json.dumps(rows).replace(*damage, 1).encode())
    assert [number for number, _ in read] == list(range(1, 9))
    assert [value for _, value in read[1:]] == rows[1:]
    assert isinstance(read[0][1], str)


@pytest.mark.parametrize("damaged", [b"oops", b'{"a": \x01}', b'{"a": "\xff"}', b'{"a": 1 "b"}'])
def test_a_damaged_element_at_the_end_is_a_record(damaged: bytes) -> None:
    read = elements_of(b'[{"a": 1}, %b]' % damaged)
    assert read == [(1, {"a": 1}), (2, damaged.decode(errors="backslashreplace"))]


def test_what_only_python_reads_is_read_as_python_does() -> None:
    (_, huge), (_, half) = elements_of(b'[{"a": NaN}, {"a": "\\ud83d"}]')
    assert huge["a"] != huge["a"]  # type: ignore[index]
    assert half == {"a": "\ud83d"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(alphabet='{}[],": \\\nabé', max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "}", ", {", ""]), inner),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, max_size=12), st.sampled_from([None, 0, 1]), st.integers(1, 80), st.booleans())
def test_any_list_is_read_as_the_whole_file_would_be(
    rows: list[object], indent: int | None, size: int, bad: bool
) -> None:
    content = json.dumps(rows, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, size)
        if bad:
            # Without borders everything goes the slow way.
            patch.setattr(json_list, "MOST_TRIES", 0)
        assert elements_of(content) == list(enumerate(rows, 1))


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=6), st.integers(1, 80), st.data())
def test_a_list_that_breaks_off_anywhere_is_an_error(rows: list[object], size: int, data: st.DataObject) -> None:
    content = json.dumps(rows).encode()
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, size)
        with pytest.raises(InputError, match=r"rows\.json"):
            elements_of(content[:cut])


FILM = [{"id": number, "turns": [{"from": "gpt", "value": "}, {" * number}], "é": ["x.jpg"]} for number in range(9)]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([None, 2]), st.integers(1, 200), st.binary(max_size=2), st.integers(0, 9))
def test_damage_anywhere_ends_as_an_error_or_as_records_with_their_numbers(
    data: st.DataObject, indent: int | None, size: int, put: bytes, lost: int
) -> None:
    content = json.dumps(FILM, indent=indent, ensure_ascii=False).encode()
    place = data.draw(st.integers(1, len(content)))
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, size)
        with contextlib.suppress(InputError):
            read = elements_of(content[:place] + put + content[place + lost :])
            assert [number for number, _ in read] == list(range(1, len(read) + 1))


def test_a_list_in_a_file_gives_the_same_as_its_blocks(tmp_path: Path) -> None:
    from dt2it_ray.data.formats.records import read_blocks, read_records, records_of
    from dt2it_ray.store.files import Folder

    rows = [{"id": number, "text": "x" * 500} for number in range(5000)]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    blocks = list(read_blocks(Folder(str(tmp_path)), "rows.json"))
    assert len(blocks) > 3
    read = [record for block in blocks for record in records_of(block)]
    assert read == list(read_records(Folder(str(tmp_path)), "rows.json"))
    assert [(record.number, record.fields) for record in read] == list(enumerate(rows, 1))

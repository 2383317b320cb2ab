"""Which braces of a judge's reply are its object, and which are prose."""

import pytest

from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.reply_json import NotOneObject, find_object

WANTED = '{"a": {"b": [1, {}]}, "c": "} {"}'
FOUND = {"a": {"b": [1, {}]}, "c": "} {"}


@pytest.mark.parametrize(
    "prose",
    [
        "",
        "See {is}: ",
        "See {x: ",
        "See {x, y: {z: ",
        'The pair {"x", "y"} is compared. ',
        'The pair {"x", "y" is compared. ',
        r"\frac{1}{2} of \mathbf{x}_{i{j}} ",
        "\\boxed{",
        "ok {} ",
        "ok { \n } {} ",
    ],
)
def test_braces_that_open_no_object_are_passed_over(prose: str) -> None:
    assert find_object(prose + WANTED).tree == FOUND
    assert find_object(f"{prose}{WANTED} {{}} and {{so}} on").tree == FOUND


@pytest.mark.parametrize("between", ["", " or {} or ", " or {rather: "])
@pytest.mark.parametrize("other", ['{"d": 2}', '{"a": broken}', '{"a": NaN}', '{"a": {"b": 1}, "a": 2}'])
def test_two_objects_are_ambiguous_even_if_one_is_broken(between: str, other: str) -> None:
    for text in (WANTED + between + other, other + between + WANTED):
        with pytest.raises(NotOneObject, match="2 JSON objects"):
            find_object(text)


@pytest.mark.parametrize("half", ['{"a": ', '{"a": "', '{"a": {"b": [', '{"a": 1, "b'])
def test_half_an_object_hides_none_and_replaces_none(half: str) -> None:
    """A quoted `{... "x": "` would swallow the judge's own object and leave a quoted one as the only one."""
    for text in (half + WANTED, WANTED + half, f"{WANTED} {half} {WANTED}"):
        with pytest.raises(NotOneObject):
            find_object(text)


def test_repairs_are_told() -> None:
    told = {
        WANTED: (),
        f"```json\n{WANTED}\n```\n": (Fault.FENCED,),
        f"Sure: {WANTED}": (Fault.PROSE_AROUND,),
        f"Sure: ```{WANTED}``` Bye.": (Fault.FENCED, Fault.PROSE_AROUND),
        '{"a": [1, ], }': (Fault.TRAILING_COMMA,),
    }
    assert {text: find_object(text).repairs for text in told} == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "^no JSON object"),
        ("{x: {", "^no JSON object"),
        ('{"a": {"b": 1}, "c": {"d": 2}', "the object is cut off"),
        ('{"a": {"b": 1}, "c": NaN}', "^not JSON: NaN"),
        ('{"a": {"b": 1}, "c": unquoted}', "^not JSON"),
        ("{'a': {'b': 1}}", "^no JSON object"),
    ],
)
def test_no_part_of_a_broken_or_cut_off_object_is_taken_for_the_object(text: str, said: str) -> None:
    with pytest.raises(NotOneObject, match=said):
        find_object(text)


@pytest.mark.parametrize("noise", ["{", '{"', "{x}", '{"a":', '{"\\{', "{ ", "{}", '{"a" '])
@pytest.mark.timeout(30)
def test_a_long_text_of_braces_is_refused_in_a_moment(noise: str) -> None:
    with pytest.raises(NotOneObject):
        find_object(noise * 50_000 + "}")

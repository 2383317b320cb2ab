"""Which braces of a judge's reply are its object, and which are prose."""

import pytest

from dt2it_ray.rules.reply_json import NotOneObject, only_object

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
        '{"a": broken} ',
        '{"a": NaN} ',
        '{"a": {"b": 1}, "a": 2} ',
    ],
)
def test_braces_that_open_no_object_are_passed_over(prose: str) -> None:
    assert only_object(prose + WANTED) == FOUND
    assert only_object(f"{prose}{WANTED} {{}} and {{so}} on") == FOUND


@pytest.mark.parametrize("between", ["", " or {} or ", " or {rather: "])
def test_two_objects_are_ambiguous(between: str) -> None:
    with pytest.raises(NotOneObject, match="2 JSON objects"):
        only_object(WANTED + between + '{"d": 2}')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "^no JSON object"),
        ("{x: {", "^no JSON object"),
        ('{"a": {"b": 1}, "c": {"d": 2}', "^no JSON object"),
        ('{"a": {"b": 1}, "c": NaN}', "^not JSON: NaN"),
        ('{"a": {"b": 1}, "c": unquoted}', "^not JSON"),
        ("{'a': {'b': 1}}", "^not JSON"),
    ],
)
def test_no_part_of_a_broken_or_cut_off_object_is_taken_for_the_object(text: str, said: str) -> None:
    with pytest.raises(NotOneObject, match=said):
        only_object(text)


@pytest.mark.parametrize("noise", ["{", '{"', "{x}", '{"a":', '{"\\{', "{ ", "{}", '{"a" '])
@pytest.mark.timeout(30)
def test_a_long_text_of_braces_is_refused_in_a_moment(noise: str) -> None:
    with pytest.raises(NotOneObject):
        only_object(noise * 50_000 + "}")

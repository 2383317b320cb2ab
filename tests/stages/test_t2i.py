"""Text-to-image preferences: two images in balanced order, bad images refused."""

import pyarrow as pa
import pytest

from dt2it_ray.data.schema import T2I_ROWS
from dt2it_ray.stages.stage import NoSettings, Workplace
from dt2it_ray.stages.t2i import CHECK, REFORMULATE, SideSettings, assign_sides
from tests.stages.rows import png


def rows(count: int, source: str = "toy") -> pa.Table:
    listed = [
        {
            "prompt_id": f"{source}-{number:03d}",
            "source": source,
            "caption": "a red car" if number % 3 else "一辆红色的车",
            "images": [{"bytes": png(255), "path": None}, {"bytes": png(0), "path": None}],
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(listed, schema=T2I_ROWS)


def reformulate(table: pa.Table, chosen_first: list[bool]):
    batch = table.append_column("chosen_first", pa.array(chosen_first))
    return REFORMULATE.build(NoSettings(), Workplace())(batch)


@pytest.mark.parametrize(("count", "first"), [(0, 0), (1, 0), (7, 3), (100, 50)])
def test_exactly_half_of_each_source_shows_the_preferred_image_first(count: int, first: int) -> None:
    both = pa.concat_tables([rows(count), rows(count, "other")])
    outcome = assign_sides({"rows": both}, SideSettings())
    table = outcome.rows.to_pydict()
    for source in ("toy", "other"):
        sides = [side for side, name in zip(table["chosen_first"], table["source"], strict=True) if name == source]
        assert sum(sides) == first
    assert outcome.metrics == {"rows": 2 * count, "chosen_first": 2 * first}


def test_sides_do_not_depend_on_the_order_of_rows() -> None:
    table = rows(51)
    straight = assign_sides({"rows": table}, SideSettings()).rows
    backwards = assign_sides({"rows": table.take(list(range(50, -1, -1)))}, SideSettings()).rows
    assert backwards.sort_by("prompt_id").equals(straight.sort_by("prompt_id"))


def test_the_label_names_the_place_of_the_preferred_image() -> None:
    for chosen_first, better, images in ((True, 1, (png(255), png(0))), (False, 2, (png(0), png(255)))):
        (row,) = reformulate(rows(1), [chosen_first]).rows.to_pylist()
        text_of = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
        (label,) = row["labels"]
        assert text_of[label["chosen_id"]] == f"Image {better} is better than Image {3 - better}."
        assert text_of[label["rejected_id"]] == f"Image {3 - better} is better than Image {better}."
        assert tuple(image["bytes"] for image in row["images"]) == images


def test_the_question_is_in_the_language_of_the_caption() -> None:
    told = reformulate(rows(2), [True, False]).rows.to_pylist()
    assert [row["language"] for row in told] == ["zh", "en"]
    assert "哪张图片更好" in told[0]["question"]
    assert "a red car" in told[1]["question"]


def test_a_row_with_a_broken_or_a_missing_image_is_refused() -> None:
    table = rows(3).to_pylist()
    table[0]["images"][1]["bytes"] = b"no image"
    table[1]["images"] = table[1]["images"][:1]
    outcome = CHECK.build(NoSettings(), Workplace())(pa.Table.from_pylist(table, schema=T2I_ROWS))
    assert outcome.dropped["key"].to_pylist() == ["toy-000", "toy-001"]
    assert outcome.dropped["reason"].to_pylist() == ["image_undecodable", "image_missing"]
    assert outcome.rows.to_pylist() == [{"prompt_id": "toy-002", "source": "toy"}]


def test_positions_are_balanced_over_the_rows_that_are_sound() -> None:
    table = rows(9).to_pylist()
    table[4]["images"][0]["bytes"] = b"no image"
    sound = CHECK.build(NoSettings(), Workplace())(pa.Table.from_pylist(table, schema=T2I_ROWS)).rows
    assert assign_sides({"rows": sound}, SideSettings()).metrics == {"rows": 8, "chosen_first": 4}

"""Other images for an answer: they are never its own, and no batch or order of rows decides which they are."""

import pyarrow as pa
import pytest

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.contrastive import OtherImages
from dt2it_ray.models.loss_settings import ContrastiveSettings
from dt2it_ray.models.train_rows import TrainingRows

IMAGES = {"a": [b"1"], "b": [b"2"], "c": [b"3"], "same": [b"1"], "two": [b"4", b"5"], "none": []}


def rows_of(images: dict[str, list[bytes]]) -> TrainingRows:
    """One pair for each prompt."""
    prompts = [
        {
            "prompt_id": name,
            "images": [{"bytes": content, "path": None} for content in contents],
            "history": None,
            "question": f"{name}?",
        }
        for name, contents in images.items()
    ]
    schema = pa.schema([PROMPTS.field(name) for name in prompts[0]])
    answers = {"answer_id": [f"{name}{side}" for name in images for side in "+-"], "text": ["yes", "no"] * len(images)}
    pairs = {
        "pair_id": list(images),
        "prompt_id": list(images),
        "chosen_id": [f"{name}+" for name in images],
        "rejected_id": [f"{name}-" for name in images],
    }
    return TrainingRows(pa.table(pairs), pa.Table.from_pylist(prompts, schema=schema), pa.table(answers))


def others_of(images: dict[str, list[bytes]], count: int) -> dict[str, list[tuple[bytes, ...]]]:
    rows = rows_of(images)
    others = OtherImages(rows, ContrastiveSettings(weight=1, images=count), seed=0)
    found = {}
    for place in range(len(rows)):
        pair = rows.pair(place)
        made = others.conversations(pair)
        assert all(each.messages == pair.chosen.messages for each in made)
        found[pair.pair_id] = [each.images for each in made]
    return found


def test_an_answer_gets_the_images_of_prompts_that_show_others_and_as_many() -> None:
    found = others_of(IMAGES, count=2)
    assert sorted(found["a"]) == sorted(found["same"]) == [(b"2",), (b"3",)]
    assert sorted(found["b"]) == [(b"1",), (b"3",)]
    assert found["two"] == found["none"] == []


def test_one_image_is_drawn_by_the_pair() -> None:
    many = {f"p{number}": [bytes([number])] for number in range(40)}
    found = others_of(many, count=1)
    assert all(len(images) == 1 and images[0] != (many[name][0],) for name, images in found.items())
    assert len({images[0] for images in found.values()}) > 20
    assert found == others_of(many, count=1)


@pytest.mark.parametrize("images", [{"a": [b"1"], "two": [b"1", b"2"]}, {"a": [], "b": []}])
def test_prompts_that_have_no_others_beside_them_are_an_error(images: dict[str, list[bytes]]) -> None:
    with pytest.raises(ConfigError, match="no two prompts of these pairs"):
        others_of(images, count=1)

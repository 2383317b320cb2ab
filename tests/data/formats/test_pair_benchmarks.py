"""What the rows of further benchmarks say, with the odd conventions of each."""

import json
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.data.formats.benchmark import BenchmarkPair
from dt2it_ray.data.formats.benchmark_rows import read_rows, row_files
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.pair_benchmarks import benchmark_format
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER
from dt2it_ray.errors import ConfigError
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import picture


def said(name: str, row: dict[str, Any]) -> BenchmarkPair:
    return benchmark_format(name).pair(row)


def refused(name: str, row: dict[str, Any]) -> str:
    with pytest.raises(RowRefused) as caught:
        said(name, row)
    return f"{caught.value.where}: {caught.value.problem}"


def test_rewardbench_has_whole_numbers_as_ids_and_subsets_as_categories() -> None:
    row = {"id": 30, "prompt": "p", "chosen": "x", "rejected": "", "subset": "math-prm", "chosen_model": "m"}
    assert said("rewardbench", row) == BenchmarkPair("30", ("x", ""), 0, category="math-prm", question="p")


@pytest.mark.parametrize(
    ("label", "chosen"),
    [({"label": 0}, 0), ({"label": 1}, 1), ({"label_0": 1}, 0), ({"label_0": 0.5}, None), ({"label_0": 0}, 1)],
)
def test_mj_bench_has_two_opposite_conventions(label: dict[str, Any], chosen: int | None) -> None:
    pair = said("mj_bench", {"caption": "a cat"} | label)
    assert (pair.chosen, pair.answers, pair.item) == (chosen, (FIRST_BETTER, SECOND_BETTER), "")
    assert pair.by_place


def test_mj_bench_with_both_labels_or_an_unknown_one_is_refused() -> None:
    assert "the row has both or neither" in refused("mj_bench", {"caption": "c", "label": 0, "label_0": 1})
    assert "the row has both or neither" in refused("mj_bench", {"caption": "c"})
    assert "0.5 is neither 0 nor 1" in refused("mj_bench", {"caption": "c", "label": 0.5})


def test_images_of_mj_bench_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("b.png", picture(2))
    row = {"caption": "c", "label": 1, "image_1": "b.png", "image_0": {"bytes": picture(1), "path": None}}
    opened = benchmark_format("mj_bench").images(folder)(row)
    assert [image["bytes"] for image in opened] == [picture(1), picture(2)]


@pytest.mark.parametrize("renamed", [{}, {"pair_id": "x", "human_preference": "B", "id": None, "chosen": None}])
def test_multimodal_rewardbench_2_is_a_file_per_task(tmp_path: Path, renamed: dict[str, Any]) -> None:
    row = {
        "id": "x",
        "response_a": {"response_content": [["text", "one"], ["image", "a.png"], ["text", "two"]]},
        "response_b": {"model": "m", "response_content": [["text", "three"]]},
        "chosen": "B",
        "prompt_metadata": {"id": 7},
    } | renamed
    row = {key: value for key, value in row.items() if value is not None}
    folder, format = Folder(str(tmp_path)), benchmark_format("multimodal_rewardbench_2")
    folder.write("benchmark/edit.json", json.dumps({"pairs": [row]}).encode())
    [placed] = read_rows(format, folder, row_files(format, folder))
    assert placed.pair == BenchmarkPair("x", ("one\ntwo", "three"), 1, category="edit")
    with pytest.raises(RowRefused) as caught:
        format.images(folder)(row)
    assert "give --predictions" in caught.value.problem


def test_a_benchmark_of_ones_own(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("b.png", picture(2))
    row = {"question": "q", "chosen": "x", "rejected": "y", "images": ["b.png"], "category": "c", "strength": 2}
    assert said("pairs", row) == BenchmarkPair("", ("x", "y"), 0, category="c", question="q", strength=2.0)
    assert [image["bytes"] for image in benchmark_format("pairs").images(folder)(row)] == [picture(2)]
    assert "is not a finite number" in refused("pairs", row | {"strength": float("nan")})


@pytest.mark.parametrize(
    ("media", "category"),
    [
        ({"image": "mcq/long.png"}, "mcq"),
        ({"image": "/data/short-run/mcq/x.png"}, "mcq"),
        ({"image": "/data/video/images/mcq/x.png"}, "mcq"),
        ({"image": "stills_long/x.png"}, "long"),
        ({"video": "video/short_dance"}, "video"),
        ({"video": "images/short_dance"}, "video"),
        ({"image": "safety/x.jpg", "video": ""}, "safety"),
        ({"image": "", "video": "video/7"}, "video"),
    ],
)
def test_mm_rlhf_rewardbench_has_the_folder_as_category(media: dict[str, str], category: str) -> None:
    row = {"id": "1", "prompt": "p", "chosen": "x", "rejected": "y"}
    assert said("mm_rlhf_rewardbench", row | media).category == category


def test_a_number_is_a_category_of_ones_own_benchmark_too() -> None:
    row = {"chosen": "x", "rejected": "y"}
    assert said("pairs", row | {"category": 3}).category == "3"
    assert said("pairs", row | {"category": None, "subset": "s"}).category == "s"
    assert "is no name of a category" in refused("pairs", row | {"category": ["a"]})


def test_rows_of_any_preference_format_are_a_benchmark() -> None:
    row = {"prompt": "q", "chosen": "x", "rejected": "y"}
    pair = said("trl", row)
    assert (pair.answers, pair.chosen, pair.question) == (("x", "y"), 0, "q")


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"rewardbench_2, vl_rewardbench, or a format of preference rows: .*trl"):
        benchmark_format("nope")

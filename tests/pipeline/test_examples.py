"""Public data sets of others as rows: nothing leaks from training to tests, answers are what the release says."""

import io
import itertools
import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER
from dt2it_ray.errors import InputError
from dt2it_ray.pipeline.examples.easy_vqa import KINDS, SPLITS, Split, rows_of, write_easy_vqa
from dt2it_ray.pipeline.examples.nlvr import read_sentences, write_nlvr

SENTENCES = [f"There is a box with {number} items" for number in range(40)]


def write_release(folder: Path) -> Path:
    lines = [
        {"sentence": text + end, "label": label, "identifier": f"{number}-{place}"}
        for number, text in enumerate(SENTENCES)
        for place, (label, end) in enumerate((("true", ""), ("false", "."), ("false", "")))
    ]
    lines.append({"sentence": "Nobody says this of anything", "label": "true", "identifier": "99-0"})
    (folder / "dev.json").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with tarfile.open(folder / "dev_images.tar", "w") as images:
        for line in lines:
            entry = tarfile.TarInfo(f"dev_images/dev-{line['identifier']}-0.png")
            entry.size = len(line["identifier"])
            images.addfile(entry, io.BytesIO(line["identifier"].encode()))
    return folder


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_nlvr_sentences_are_compared_without_case_and_full_stop(tmp_path: Path) -> None:
    sentences = read_sentences(write_release(tmp_path))
    assert sentences["there is a box with 3 items"] == {"true": ["3-0"], "false": ["3-1", "3-2"]}


def test_nlvr_pairs_show_the_image_that_fits_first_in_half_of_all_rows(tmp_path: Path) -> None:
    written = write_nlvr(write_release(tmp_path), tmp_path / "out")
    train, test = (read(tmp_path / "out" / name) for name in ("train.jsonl", "test.jsonl"))
    rows = train + test
    assert len(rows) == written["train.jsonl"] + written["test.jsonl"] == 2 * len(SENTENCES)
    assert not {row["question"] for row in train} & {row["question"] for row in test}
    for row in rows:
        fits_first = row["images"][0].endswith("-0-0.png")
        assert row["chosen"] == (FIRST_BETTER if fits_first else SECOND_BETTER)
        assert {row["chosen"], row["rejected"]} == {FIRST_BETTER, SECOND_BETTER}
        assert all((tmp_path / "out" / image).exists() for image in row["images"])
    assert sum(row["chosen"] == FIRST_BETTER for row in rows) == len(SENTENCES)


def test_nlvr_sentences_are_questions_about_each_of_their_images_too(tmp_path: Path) -> None:
    written = write_nlvr(write_release(tmp_path), tmp_path / "out")
    train, test = (read(tmp_path / "out" / name) for name in ("train_answers.jsonl", "test_answers.jsonl"))
    assert len(train) + len(test) == written["train_answers.jsonl"] + written["test_answers.jsonl"] == 121
    assert not {row["question"] for row in train} & {row["question"] for row in test}
    assert {row["chosen"] for row in train + test if row["id"].endswith("-0")} == {"Yes."}
    assert {row["rejected"] for row in train + test if not row["id"].endswith("-0")} == {"Yes."}


def test_a_damaged_release_is_named_by_file_and_row(tmp_path: Path) -> None:
    folder = write_release(tmp_path)
    (folder / "dev.json").write_text('{"sentence": "S", "label": "true", "identifier": "1"}\n{"label"\n', "utf-8")
    with pytest.raises(InputError, match=r"dev.json row 2 is no row of NLVR"):
        write_nlvr(folder, tmp_path / "out")
    with pytest.raises(InputError, match="cannot read"):
        read_sentences(tmp_path / "nowhere")


def write_package(folder: Path) -> Path:
    for name in ("train", "test"):
        (folder / name / "images").mkdir(parents=True)
        asked = [["what color is the shape?", "red", image] for image in range(60)]
        asked += [["is there a circle?", "yes", image] for image in range(60)]
        (folder / name / "questions.json").write_text(json.dumps(asked), encoding="utf-8")
        for image in range(60):
            (folder / name / "images" / f"{image}.png").write_bytes(b"png")
    return folder


def test_easy_vqa_splits_share_no_image_and_wrong_answers_are_of_the_right_kind(tmp_path: Path) -> None:
    package = write_package(tmp_path)
    made = {split.name: list(rows_of(package, split)) for split in SPLITS}
    images = {name: {row["image"] for row in rows} for name, rows in made.items()}
    assert all(image.startswith("test/") for image in images.pop("test"))
    assert sum(map(len, images.values())) == len(set().union(*images.values())) == 60
    assert sum(len(made[name]) for name in images) == 120
    for row in itertools.chain(*made.values()):
        kind = next(kind for kind in KINDS if row["answer"] in kind)
        assert row["wrong"] in kind
        assert row["wrong"] != row["answer"]


def test_easy_vqa_rows_are_drawn_by_hash_so_that_more_rows_hold_the_fewer(tmp_path: Path) -> None:
    package = write_package(tmp_path)
    few, many = (list(rows_of(package, Split("pool", "train", 0, 1, rows))) for rows in (20, 60))
    assert few == many[:20]


def test_easy_vqa_kinds_of_questions_are_as_many_however_rare_they_are(tmp_path: Path) -> None:
    package = write_package(tmp_path)
    asked = json.loads((package / "train" / "questions.json").read_text("utf-8"))
    asked += [["is a teal shape present?", "no", image] for image in range(60)] + [["what shape?", "circle", 0]]
    (package / "train" / "questions.json").write_text(json.dumps(asked), encoding="utf-8")
    rows = list(rows_of(package, Split("pool", "train", 0, 1, 61)))
    assert Counter(row["category"] for row in rows) == {"yes or no": 30, "shape": 1, "colour": 30}


def test_the_package_itself_has_these_kinds_of_answers(tmp_path: Path) -> None:
    pytest.importorskip("easy_vqa")
    written = write_easy_vqa(tmp_path, [Split("few", "test", 0, 1, 200)])
    assert written == {"few.jsonl": 200}
    assert {row["category"] for row in read(tmp_path / "few.jsonl")} == {"yes or no", "shape", "colour"}

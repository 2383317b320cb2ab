"""How the dev split of NLVR (Suhr et al. 2017, lil-lab/nlvr, CC-BY-4.0) becomes questions about two images.

Its sentences were written by people about rendered images of three boxes; of most there is an image of which the
sentence is true and one of which it is false: a preference, made the two-image question that text-to-image preferences
become.
"""

import itertools
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from dt2it_ray.data.ids import unit_interval
from dt2it_ray.data.t2i_wording import chosen_and_rejected, comparison_question
from dt2it_ray.errors import InputError
from dt2it_ray.rules.position import assign_first

ROWS, IMAGES = "dev.json", "dev_images.tar"
TEST_SHARE = 0.25
"""Part of the sentences that is tested on."""
Sentence = str
Numbers = Mapping[Sentence, Mapping[str, list[str]]]
"""The identifiers of every sentence's images by its label, `true` or `false`."""


def read_sentences(folder: Path) -> Numbers:
    """All sentences of the release; one is the same in any case and with or without a full stop.

    Raises:
        InputError: the file is missing, or a line is not what the release has.
    """
    found: dict[Sentence, dict[str, list[str]]] = defaultdict(lambda: {"true": [], "false": []})
    try:
        lines = (folder / ROWS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {folder / ROWS}: {error}") from None
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            found[_plain(entry["sentence"])][entry["label"]].append(entry["identifier"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder / ROWS} row {number} is no row of NLVR: {error!r}") from None
    return dict(found)


def pairs_of(sentences: Numbers) -> Iterator[tuple[Sentence, str, str]]:
    """Sentence, an image of which it is true, and one of which it is false: every such two of each sentence."""
    for sentence in sorted(sentences):
        images = sentences[sentence]
        yield from ((sentence, *both) for both in itertools.product(images["true"], images["false"]))


def write_nlvr(folder: Path, output: Path) -> dict[str, int]:
    """Write two-image questions to `train.jsonl` and `test.jsonl`, and whether a sentence is true of one image
    to `train_answers.jsonl` and `test_answers.jsonl`; training and tests share no sentence. Returns the rows of each.

    Raises:
        InputError: a file is missing or not what the release has.
    """
    sentences = read_sentences(folder)
    pairs = list(pairs_of(sentences))
    compared = [(sentence, row) for (sentence, *_), row in zip(pairs, _rows(pairs), strict=True)]
    output.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / IMAGES) as images:
        images.extractall(output, filter="data")
    return _write(output, "", compared) | _write(output, "_answers", list(_answers(sentences)))


def _write(output: Path, kind: str, rows: list[tuple[Sentence, dict[str, Any]]]) -> dict[str, int]:
    written = {}
    for part in ("train", "test"):
        lines = [f"{json.dumps(row)}\n" for sentence, row in rows if _is_tested(sentence) == (part == "test")]
        (output / f"{part}{kind}.jsonl").write_text("".join(lines), encoding="utf-8")
        written[f"{part}{kind}.jsonl"] = len(lines)
    return written


def _is_tested(sentence: Sentence) -> bool:
    return unit_interval("nlvr test", sentence) < TEST_SHARE


def _answers(sentences: Numbers) -> Iterator[tuple[Sentence, dict[str, Any]]]:
    """Every image with its sentence as a question, of which one answer is right."""
    for sentence in sorted(sentences):
        for label, names in sentences[sentence].items():
            for name in names:
                chosen, rejected = ("Yes.", "No.") if label == "true" else ("No.", "Yes.")
                question = f"Is this sentence true of the image: {sentence}?"
                image = {"id": name, "images": [f"dev_images/dev-{name}-0.png"]}
                yield sentence, {**image, "question": question, "chosen": chosen, "rejected": rejected}


def _rows(pairs: list[tuple[Sentence, str, str]]) -> list[dict[str, Any]]:
    """The questions, of which half show the image that fits first."""
    names = pa.array([f"{fits} {other} {sentence}" for sentence, fits, other in pairs])
    first = assign_first(names, pa.array(["nlvr"] * len(pairs)), seed=0).to_pylist()
    return [_row(*pair, bool(shown)) for pair, shown in zip(pairs, first, strict=True)]


def _row(sentence: Sentence, fits: str, other: str, first: bool) -> dict[str, Any]:
    chosen, rejected = chosen_and_rejected(first)
    images = [f"dev_images/dev-{name}-0.png" for name in ((fits, other) if first else (other, fits))]
    question = comparison_question(sentence)
    return {"id": f"{fits} {other}", "images": images, "question": question, "chosen": chosen, "rejected": rejected}


def _plain(sentence: str) -> Sentence:
    return " ".join(sentence.strip().rstrip(".").split()).lower()

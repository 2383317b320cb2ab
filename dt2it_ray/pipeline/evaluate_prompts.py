"""How rows of a benchmark become prompts for a model: answers in the row's order, images opened, places as keys."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from dt2it_ray.data.chat import language_of
from dt2it_ray.data.formats.benchmark import BenchmarkPair, Images
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.pipeline.evaluate_rows import LoadedBenchmark

MIRRORED = "~"
Prompt = dict[str, Any]
Lost = dict[int, str]
"""Why rows have no prompt, by place."""


def prompts_of(loaded: LoadedBenchmark, batch_rows: int) -> Iterator[tuple[list[Prompt], Lost]]:
    """Rows of PROMPTS columns, with those lost by place, in batches. `prompt_id` is the row's place in the benchmark,
    an answer's id the place with 0 or 1 behind it; the label says which answer people found better (of a tie, the
    first). A row whose answers name images by place has a second prompt, `MIRRORED` behind its place, with the images
    and the sentences turned round; answer 0 still prefers the row's first image. Refused rows are in neither.
    """
    opened = loaded.format.images(loaded.image_folder)
    pairs = loaded.pairs
    usable = [place for place, pair in enumerate(pairs) if pair is not None]
    for chunk in _chunks(usable, batch_rows):
        prompts, lost = [], {}
        for place in chunk:
            try:
                images = opened(loaded.rows[place].record.fields)
                prompts += _prompts(loaded.format.name, place, pairs[place], images)
            except RowRefused as refusal:
                lost[place] = f"{refusal.reason}: {refusal.where}: {refusal.problem}"
        yield prompts, lost


def place_of(prompt_id: str) -> int:
    """The row that a prompt is of."""
    return int(prompt_id.removesuffix(MIRRORED))


def names_of(place: int, pair: BenchmarkPair) -> list[str]:
    """The `prompt_id`s of a row."""
    return [str(place), f"{place}{MIRRORED}"] if pair.by_place else [str(place)]


def _prompts(source: str, place: int, pair: BenchmarkPair | None, images: Images) -> list[Prompt]:
    assert pair is not None
    turns = zip(names_of(place, pair), (images, images[::-1]), (pair.answers, pair.answers[::-1]), strict=False)
    return [_prompt(source, name, pair, shown, texts) for name, shown, texts in turns]


def _prompt(source: str, name: str, pair: BenchmarkPair, images: Images, texts: Sequence[str]) -> Prompt:
    names = [f"{name}/{side}" for side in (0, 1)]
    chosen = pair.chosen or 0
    label = {"pair_id": name, "chosen_id": names[chosen], "rejected_id": names[1 - chosen], "planted_flip": None}
    return {
        "prompt_id": name,
        "source": source,
        "category": pair.category,
        "language": language_of(pair.question),
        "images": images,
        "history": [turn._asdict() for turn in pair.history] or None,
        "question": pair.question,
        "reference": None,
        "scene": None,
        "answers": [{"answer_id": name, "text": text} for name, text in zip(names, texts, strict=True)],
        "labels": [label],
    }


def _chunks(places: list[int], size: int) -> Iterator[list[int]]:
    left = iter(places)
    while chunk := list(itertools.islice(left, size)):
        yield chunk

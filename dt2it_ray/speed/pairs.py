"""Prompts with images and answers of mixed lengths, as rows of the project: what trainings and scorers are timed on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.models.protocols import Conversation, reward_conversation

TEXT = "there are three red circles on the left of a blue square and two green ones below it in this image"
MEDIAN_WORDS = 30
"""Of an answer. Lengths are lognormal with a spread of `SIGMA`, as those of written answers are."""
SIGMA = 0.6
PROMPT_RATIO = 3.0
"""Tokens of a prompt for each of an answer."""
OVERHEAD_WORDS = 30
"""What the template and the image of a prompt take."""


@dataclass(frozen=True)
class Asked:
    """A prompt and its answers, the first of which is the best."""

    prompt: dict[str, Any]
    answers: tuple[str, ...]

    def conversations(self) -> list[Conversation]:
        """Each answer behind the prompt, as scorers get them."""
        return [reward_conversation(self.prompt, answer) for answer in self.answers]


def draw_prompts(
    number: int, answers: int, with_images: bool = True, ratio: float = PROMPT_RATIO, seed: int = 0
) -> list[Asked]:
    """Prompts of `ratio` times as many tokens as each of their answers, on the tiny tokenizer and in the middle."""
    draw = random.Random(seed)
    return [_draw_prompt(draw, place, answers, with_images, ratio) for place in range(number)]


def _draw_prompt(draw: random.Random, place: int, answers: int, with_images: bool, ratio: float) -> Asked:
    words = min(150, max(8, round(MEDIAN_WORDS * draw.lognormvariate(0, SIGMA))))
    image = distill_row(str(place), "speed", 0, place)["images"] if with_images else []
    question = _text(draw, max(4, round(ratio * words) - OVERHEAD_WORDS))
    prompt = {"prompt_id": f"prompt-{place:06}", "images": image, "history": None, "question": question}
    written = (f"{number} {_text(draw, round(words * draw.uniform(0.7, 1.3)))}" for number in range(answers))
    return Asked(prompt, tuple(written))


def _text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(TEXT.split(), k=words))


def write_pairs(folder: Path, asked: Sequence[Asked]) -> tuple[str, str]:
    """Part files of the pairs (first answer, second answer) and of the rows that they name."""
    rows = [
        {**each.prompt, "answers": [{"answer_id": name, "text": text} for name, text in _named(each)]} for each in asked
    ]
    schema = pa.schema([PROMPTS.field(name) for name in rows[0]])
    names = [[name for name, _ in _named(each)] for each in asked]
    pairs = {
        "pair_id": [f"pair-{row['prompt_id']}" for row in rows],
        "prompt_id": [row["prompt_id"] for row in rows],
        "chosen_id": [first for first, *_ in names],
        "rejected_id": [second for _, second, *_ in names],
    }
    made = str(folder / "pairs.parquet"), str(folder / "rows.parquet")
    pq.write_table(pa.table(pairs), made[0])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), made[1])
    return made


def _named(asked: Asked) -> list[tuple[str, str]]:
    return [(f"{asked.prompt['prompt_id']}/{number}", text) for number, text in enumerate(asked.answers)]

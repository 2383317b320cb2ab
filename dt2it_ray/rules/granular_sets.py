"""What a rated prompt teaches: a preference, its best answer, answers under their attributes, an unrated answer
(the four training sets of arXiv 2402.10884)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dt2it_ray.data.attributes import attribute_text
from dt2it_ray.data.origins import MODEL


class TrainingSet(StrEnum):
    """A way to train on rated answers; the value is the name of its files."""

    DPO = "dpo"
    """The chosen answer over the rejected one, with the quality gap as margin."""
    REJECTION_SAMPLING = "rejection_sampling"
    """The best answer of each prompt."""
    STEERLM = "steerlm"
    """Every rated answer, to a question that ends with the attributes the answer has (arXiv 2310.05344)."""
    SFT = "sft"
    """One answer of each prompt, chosen without looking at ratings."""


@dataclass(frozen=True)
class RatedPrompt:
    """A prompt with its answers by id, what the ratings say of them, and which were sampled from the model."""

    question: str
    reference: str
    texts: Mapping[str, str]
    sampled: Sequence[str]
    graded: Sequence[Mapping[str, Any]]
    chosen_id: str
    rejected_id: str | None
    gap: float | None


def derive_examples(prompt: RatedPrompt, min_quality: float) -> list[dict[str, Any]]:
    """The prompt's EXAMPLEs, set by set in the order of `TrainingSet`; a set to which it has nothing to give is absent.

    The best answer joins the rejection-sampling set if its quality is at least `min_quality`.
    """
    examples = []
    best = prompt.texts[prompt.chosen_id]
    if prompt.rejected_id is not None:
        rejected = prompt.texts[prompt.rejected_id]
        examples.append(_example(TrainingSet.DPO, prompt.question, best, rejected=rejected, margin=prompt.gap))
    quality = max(each["quality"] for each in prompt.graded)
    if quality >= min_quality:
        examples.append(_example(TrainingSet.REJECTION_SAMPLING, prompt.question, best))
    for each in prompt.graded:
        asked = steered(prompt.question, [nearest_whole(value) for value in each["values"]])
        examples.append(_example(TrainingSet.STEERLM, asked, prompt.texts[each["answer_id"]]))
    plain = unrated_answer(prompt)
    if plain is not None:
        examples.append(_example(TrainingSet.SFT, prompt.question, plain))
    return examples


def unrated_answer(prompt: RatedPrompt) -> str | None:
    """The data's reference; else the sampled answer with the lowest id, which is a content hash, so that quality has no
    say; else none."""
    if prompt.reference.strip():
        return prompt.reference
    return prompt.texts[min(prompt.sampled)] if prompt.sampled else None


def is_sampled(origin: str, sampler: str) -> bool:
    """Whether an origin says that the model of this name wrote the answer; any model if the name is empty."""
    return origin == MODEL + sampler if sampler else origin.startswith(MODEL)


def steered(question: str, values: Sequence[int]) -> str:
    """The question under attribute values, which end it: `...\\n\\nhelpfulness:4,correctness:4,...`."""
    return f"{question}\n\n{attribute_text(values)}"


def nearest_whole(value: float) -> int:
    """The whole number nearest to a mean over raters; halves go up."""
    return int(value + 0.5)


def _example(name: TrainingSet, question: str, answer: str, **preference: Any) -> dict[str, Any]:
    return {"set": str(name), "question": question, "answer": answer, "rejected": None, "margin": None, **preference}

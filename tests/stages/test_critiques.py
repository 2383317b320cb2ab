"""Critiques of answers: simulated ones tell the truth, an engine's come from its replies, pairs get both."""

import pyarrow as pa
import pytest

from dt2it_ray.data.critiques import CRITIQUED_PAIRS, CRITIQUES
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.scenes.wording import claim_text
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import InputError
from dt2it_ray.models.engines import EngineSettings
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.stages.critiques import WRITE, CritiqueSettings, annotated, critiqued, join_critiques
from dt2it_ray.stages.stage import NoSettings
from tests.rules.tables import pair_table, shuffled
from tests.stages.rows import prompt_row

SURE = AnnotatorSettings(error_rate=0, malformed=0, fenced=0)


def batch_of(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=WRITE.reads)


class EchoCritic:
    """Writes of each answer what it is; of `refuse` nothing."""

    def write(self, conversations: list[Conversation]) -> list[str | Dropped]:
        texts = [str(conversation.messages[-1]["content"]) for conversation in conversations]
        refusal = Dropped(DropReason.ENDPOINT_FAILED, "away")
        return [refusal if text == "refuse" else f"of {text}" for text in texts]


def test_a_simulated_critique_says_whether_the_answer_is_right() -> None:
    row = next(row for n in range(50) if (row := distill_row(f"p{n}", "distill", 0, n))["language"] == "en")
    asked = Truth.from_json(row["scene"]).asked
    texts = (claim_text(asked, "en", 0), "I like trains.")
    answers = prompt_row(row["prompt_id"], texts)["answers"]
    made = annotated(batch_of(row | {"answers": answers}), SURE).rows
    assert made.schema == CRITIQUES
    assert made["answer_id"].to_pylist() == [answer["answer_id"] for answer in answers]
    right, missing = made["critique"].to_pylist()
    assert right.startswith("The question is answered correctly;")
    assert missing.startswith("The question is not answered;")


def test_a_simulated_annotator_needs_planted_truth() -> None:
    with pytest.raises(InputError, match="prompt p has no planted truth"):
        annotated(batch_of(prompt_row("p", ("yes",))), SURE)


def test_a_prompt_with_an_answer_of_which_nothing_is_written_is_dropped_whole() -> None:
    outcome = critiqued(batch_of(prompt_row("p", ("one", "refuse")), prompt_row("q", ("two", "three"))), EchoCritic())
    assert outcome.rows["critique"].to_pylist() == ["of two", "of three"]
    assert outcome.dropped.select(["key", "reason", "detail"]).to_pylist() == [
        {"key": "p", "reason": "endpoint_failed", "detail": "away"}
    ]


def test_pairs_get_the_critiques_of_their_answers() -> None:
    pairs = pair_table([("1", "a", "b"), ("2", "b", "c")])
    critiques = pa.Table.from_pylist(
        [{"answer_id": name, "prompt_id": "p", "critique": f"of {name}"} for name in "ab"], schema=CRITIQUES
    )
    made = join_critiques({"pairs": shuffled(pairs), "critiques": shuffled(critiques)}, NoSettings()).rows
    assert made.schema == CRITIQUED_PAIRS
    found = {row["pair_id"]: (row["chosen_critique"], row["rejected_critique"]) for row in made.to_pylist()}
    assert found == {"1": ("of a", "of b"), "2": ("of b", None)}


def test_settings_that_do_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="sampling does nothing for a simulated annotator"):
        CritiqueSettings(sampling=SamplingSettings(temperature=1))
    with pytest.raises(ValueError, match="annotator does nothing beside an engine"):
        CritiqueSettings(annotator=SURE, engine=EngineSettings())
    with pytest.raises(ValueError, match="critiques are text"):
        CritiqueSettings(annotator=AnnotatorSettings(fenced=0))

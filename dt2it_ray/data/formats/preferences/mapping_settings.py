"""Which columns of somebody's rows say what: the declarative mapping that reads a row without code."""

from typing import Literal

from pydantic import model_validator

from dt2it_ray.settings import Settings

Scalar = bool | int | float | str


class LabelColumn(Settings):
    """Two answers, and a column that says which one is better."""

    first: str
    """Column of the first answer."""
    second: str
    """Column of the second answer."""
    column: str
    """Column of the label."""
    first_is: tuple[Scalar, ...] = ()
    """Labels that prefer the first answer, compared as texts: 1, "1" and 1.0 are one label. All three lists are empty
    for a signed score."""
    second_is: tuple[Scalar, ...] = ()
    """Labels that prefer the second answer."""
    tie_is: tuple[Scalar, ...] = ()
    """Labels of rows that give no pair."""
    positive: Literal["first", "second"] = "second"
    """Whom a signed score prefers where it is positive; 0 is a tie, its size the strength. HelpSteer3's positive scores
    prefer the second response."""
    first_origin: str | None = None
    """Column that says who wrote the first answer."""
    second_origin: str | None = None
    """Column that says who wrote the second answer."""
    first_critique: str | None = None
    """Column of what somebody wrote of the first answer."""
    second_critique: str | None = None
    """Column of what somebody wrote of the second answer."""

    @model_validator(mode="after")
    def _listed_whole(self) -> "LabelColumn":
        listed = [value_key(value) for value in (*self.first_is, *self.second_is, *self.tie_is)]
        if listed and not (self.first_is and self.second_is):
            raise ValueError("name the labels that prefer each answer with first_is and second_is, or none for a score")
        if len(set(listed)) < len(listed):
            raise ValueError("a label stands in two of first_is, second_is and tie_is")
        return self


class ScoredAnswers(Settings):
    """A list of answers, and a score or rank for each: every two with different scores are a pair."""

    answers: str
    """Column of the answers."""
    scores: str
    """Column of their scores, in the same order."""
    lower_is_better: bool = False
    """Whether the scores are ranks, 1 for the best."""
    origins: str | None = None
    """Column that says who wrote each of them."""
    critiques: str | None = None
    """Column of what somebody wrote of each of them."""


class ColumnMapping(Settings):
    """Where a row says what. A column is a path: `a.b[0].c` goes into structs and lists, `[*]` takes all elements,
    `|json` parses a text (`text|json.question`), and a last `?` says that a row may lack it (`margin?`).

    The answers are those of `chosen` and `rejected`, of `label`, or of `scored`: name exactly one of these. With
    neither `question` nor `messages`, `chosen` and `rejected` are whole chats that share all but the last turn.
    """

    question: str | None = None
    """Column of the question."""
    messages: str | None = None
    """Column of a chat (`from`, `value` or `role`, `content`) that ends with the question."""
    history: str | None = None
    """Column of the turns before `question`."""
    system: str | None = None
    """Column of the system prompt; one that a chat has itself counts first."""
    images: str | tuple[str, ...] = ()
    """Columns of images, each with one or a list of them: paths, bytes, or structs of both."""
    placeholder: str = "<image>"
    """What stands for an image in the texts of the prompt; there must be as many as images, in a single question also
    none. Empty if texts hold no such marks: LLaVA's mark is the default, for nearly all releases use it."""
    chosen: str | None = None
    """Column of the better answer: a text, or a chat that ends with it."""
    rejected: str | None = None
    """Column of the worse answer."""
    label: LabelColumn | None = None
    scored: ScoredAnswers | None = None
    strength: str | None = None
    """Column of how much better, for `chosen` and `rejected`, and `label` without a signed score."""
    reference: str | None = None
    """Column of a true answer."""
    category: str | None = None
    item: str | None = None
    """Column of the row's own id."""
    source: str | None = None
    """Column of the data set that the row is from."""
    chosen_origin: str | None = None
    """Column that says who wrote the chosen answer."""
    rejected_origin: str | None = None
    """Column that says who wrote the rejected answer."""
    chosen_critique: str | None = None
    """Column of what somebody wrote of the chosen answer: a reason, a critique."""
    rejected_critique: str | None = None
    """Column of what somebody wrote of the rejected answer."""

    @model_validator(mode="after")
    def _complete(self) -> "ColumnMapping":
        pair = self.chosen is not None and self.rejected is not None
        if (self.chosen is None) != (self.rejected is None) or pair + bool(self.label) + bool(self.scored) != 1:
            raise ValueError("name the answers one way: chosen and rejected, or label, or scored")
        if self.question and self.messages:
            raise ValueError("name one column of the prompt, question or messages")
        if not pair and not self.question and not self.messages:
            raise ValueError("name the column of the prompt: question, or messages for a chat")
        if self.history and not self.question:
            raise ValueError("history stands before a question; chats hold their own earlier turns")
        return self

    @model_validator(mode="after")
    def _heeded(self) -> "ColumnMapping":
        """Columns that nobody would read are refused, for whoever names one counts on it."""
        ranked = "scored" if self.scored else "a signed score" if self.label and not self.label.first_is else None
        if self.strength and ranked:
            raise ValueError(f"strength: that of {ranked} is the difference or size of the scores; leave it out")
        if (self.chosen_origin or self.rejected_origin) and self.chosen is None:
            instead = "label.first_origin and label.second_origin" if self.label else "scored.origins"
            raise ValueError(f"chosen_origin and rejected_origin go with chosen and rejected; name {instead}")
        if (self.chosen_critique or self.rejected_critique) and self.chosen is None:
            instead = "label.first_critique and label.second_critique" if self.label else "scored.critiques"
            raise ValueError(f"chosen_critique and rejected_critique go with chosen and rejected; name {instead}")
        return self


def value_key(value: object) -> str:
    """How labels are compared: numbers by value, all else as text without case."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = str(value).strip()
    try:
        return repr(float(text)) if number or text.lstrip("+-").replace(".", "", 1).isdigit() else text.lower()
    except (ValueError, OverflowError):
        return text.lower()

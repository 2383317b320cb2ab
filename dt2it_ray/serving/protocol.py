"""What the native protocol says: the shapes of a reward request and of its reply."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dt2it_ray.models.assessment import Assessment
from dt2it_ray.serving.refusal import Refusal


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TextPart(_Strict):
    """A piece of text."""

    type: Literal["text"]
    text: str


class ImageUrl(_Strict):
    """Where an image is. `detail` other than `auto` is refused: pixel limits belong to the model."""

    url: str
    detail: Literal["auto"] = "auto"


class ImagePart(_Strict):
    """An image at its place in the turn."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ChatTurn(_Strict):
    """One message of a chat. Plain text stands for a list with one text part."""

    role: Literal["system", "user", "assistant"]
    content: list[Part]

    @field_validator("content", mode="before")
    @classmethod
    def _as_parts(cls, content: Any) -> Any:
        return [{"type": "text", "text": content}] if isinstance(content, str) else content


class ChatConversation(_Strict):
    """A chat whose last turn is the assistant's answer to be scored."""

    messages: list[ChatTurn]


class RewardRequest(_Strict):
    """What to score with one model: one conversation, a list of them, or several answers to a shared prompt."""

    model: str
    messages: list[ChatTurn] | None = None
    conversations: list[ChatConversation] | None = None
    prompt: list[ChatTurn] | None = None
    answers: list[str] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "RewardRequest":
        fields = ("messages", "conversations", "prompt", "answers")
        given = tuple(name for name in fields if getattr(self, name) is not None)
        if given not in (("messages",), ("conversations",), ("prompt", "answers")):
            raise ValueError("give one of: `messages`; `conversations`; `prompt` with `answers`")
        return self

    def place_of(self, index: int) -> str:
        """The path in the request of what its reward `index` belongs to."""
        if self.messages is not None:
            return "messages"
        return f"conversations[{index}]" if self.conversations is not None else f"answers[{index}]"


class Reward(BaseModel):
    """The reward of one conversation. `logit` is the model's raw score, on the model's own scale; higher is better.

    `score` lies between 0 and 1 and keeps the order of `logit`. `uncertainty` is the standard deviation between the
    logits of an ensemble's members (n - 1), null for a single model; `critiques` what the models read behind the
    answer, null where they read none.
    """

    index: int
    logit: float
    score: float
    uncertainty: float | None = None
    critiques: tuple[str, ...] | None = None


class RewardReply(BaseModel):
    """Rewards in the order of the request. `calibrated` tells whether `score` compares between models."""

    model: str
    fingerprint: str
    calibrated: bool = False
    data: list[Reward]


def parse_request(body: bytes) -> RewardRequest:
    """The request in `body`.

    Raises:
        Refusal: status 400 when it is not JSON, 422 when a field is missing, unknown or of another type.
    """
    try:
        return RewardRequest.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
    if problem["type"] == "json_invalid":
        raise Refusal(400, "invalid_json", f"the body is not JSON: {problem['msg']}")
    param = _path(problem["loc"])
    where = f"{param}: " if param else ""
    raise Refusal(422, "invalid_field", f"{where}{problem['msg'].removeprefix('Value error, ')}", param or None)


def reply(model: str, fingerprint: str, told: Sequence[Assessment], calibrated: bool = False) -> RewardReply:
    """The reply to a request of whose conversations a model told this, in rewards raw or calibrated.

    `score` is sigmoid(logit), the reward that arXiv 2509.16127 uses in RL.
    """
    rewards = [
        Reward(
            index=index,
            logit=each.reward,
            score=sigmoid(each.reward),
            uncertainty=each.spread,
            critiques=each.critiques or None,
        )
        for index, each in enumerate(told)
    ]
    return RewardReply(model=model, fingerprint=fingerprint, calibrated=calibrated, data=rewards)


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)) for every finite logit."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))


def model_list(names: Sequence[str], created: int) -> dict[str, Any]:
    """The models of the server in the OpenAI list shape. `created` is when the server started, in Unix seconds."""
    entries = [{"id": name, "object": "model", "created": created, "owned_by": "dt2it_ray"} for name in names]
    return {"object": "list", "data": entries}


def _path(location: tuple[int | str, ...]) -> str:
    """`conversations[0].messages[1].content[0].text` of a pydantic location, which also names the kind of a part."""
    path = ""
    for position, step in enumerate(location):
        if isinstance(step, int):
            path += f"[{step}]"
        elif not (step in ("text", "image_url") and isinstance(location[position - 1], int)):
            path += f".{step}" if path else step
    return path

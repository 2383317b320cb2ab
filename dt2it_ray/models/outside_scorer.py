"""How a reward model that somebody else made scores conversations: transformers' own classes, one at a time."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.images import BadImage, decode
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.checkpoint_files import check_reader_files, check_vocabulary
from dt2it_ray.models.message_parts import plain_text, refused_messages
from dt2it_ray.models.model_settings import CollateSettings, ScoreSettings
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import RewardConfig
from dt2it_ray.models.reward_heads import HEADS, stored_bias, stored_head
from dt2it_ray.models.weights import VISION_LANGUAGE, load_checked


def outside_config(folder: str) -> RewardConfig | None:
    """What stands in for reward_config.json in somebody else's folder whose backbone ours run on; None for others.

    Raises:
        StoreError: it is not a model's folder.
    """
    seen = _model_config(folder).get("model_type") in VISION_LANGUAGE
    return imported_config(folder, shared_prompt=True) if seen else None


def imported_config(folder: str, shared_prompt: bool) -> RewardConfig:
    """The same for any folder with a linear head. Raises StoreError where there is no config.json."""
    tree = _model_config(folder)
    told = tree.get("dtype") or tree.get("torch_dtype")
    return RewardConfig(
        name=Path(folder).resolve().name,
        system_prompts={},
        shared_prompt=shared_prompt,
        dtype="bfloat16" if told == "bfloat16" else "float32",
        bias=stored_bias(folder),
        fingerprint=_fingerprint(folder),
    )


class OutsideScorer:
    """Implements `Scorer` for sequence classification with one label, and for a value head on any backbone. No padding,
    so that a reward does not depend on its neighbours."""

    def __init__(
        self, folder: str, settings: ScoreSettings | None = None, device: str = "cpu", threads: int | None = None
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._folder, self._settings, self._device = folder, settings or ScoreSettings(), device
        self._limits = self._settings.collate or CollateSettings()
        self._model, self._head, self._bias = _load(folder, self._settings.dtype)
        self._model.to(device)
        self._texts = _tokenizer(folder)
        self._special = [token for token in self._texts.all_special_tokens if token]
        self._processor: Any = None
        self.fingerprint = _fingerprint(folder)

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]:
        """Rewards in the order given, rounded to `decimals`; a conversation that cannot be encoded is `Dropped`."""
        return [self._score(conversation) for conversation in conversations]

    def _score(self, conversation: Conversation) -> float | Dropped:
        refused = refused_messages(conversation.messages, len(conversation.images), self._special)
        if refused is not None:
            return refused
        inputs = self._inputs(conversation)
        if isinstance(inputs, Dropped):
            return inputs
        with torch.inference_mode():
            told = self._model(**{name: value.to(self._device) for name, value in inputs.items()})
            reward = told.logits[0, 0] if self._head is None else self._valued(told.last_hidden_state[0, -1])
        return round(float(reward), self._settings.decimals) + 0.0

    def _valued(self, hidden: torch.Tensor) -> torch.Tensor:
        assert self._head is not None
        return hidden @ self._head.to(hidden)[0] + self._bias

    def _inputs(self, conversation: Conversation) -> dict[str, torch.Tensor] | Dropped:
        messages = [plain_text(message) for message in conversation.messages]
        text = self._texts.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        try:
            pictures = [decode(content) for content in conversation.images]
        except BadImage as error:
            return Dropped(DropReason.IMAGE_UNDECODABLE, str(error))
        if pictures:
            inputs = self._images()(text=[text], images=pictures, return_tensors="pt")
        else:
            inputs = self._texts([text], add_special_tokens=False, return_tensors="pt")
        if inputs["input_ids"].shape[1] > self._limits.max_length:
            detail = f"{inputs['input_ids'].shape[1]} tokens, more than max_length = {self._limits.max_length}"
            return Dropped(DropReason.PROMPT_TOO_LONG, detail, text)
        return dict(inputs)

    def _images(self) -> Any:
        """The checkpoint's processor of texts and images, opened when the first image comes."""
        if self._processor is None:
            from transformers import AutoProcessor

            try:
                self._processor = AutoProcessor.from_pretrained(self._folder, local_files_only=True)
            except (OSError, ValueError, ImportError) as error:
                reason = str(error).strip().splitlines()[0]
                raise StoreError(f"{self._folder} has no usable processor of images: {reason}") from None
        return self._processor


def _load(folder: str, dtype: str) -> tuple[Any, torch.Tensor | None, float]:
    """The model in evaluation mode, and the head that its class does not have with its bias."""
    from transformers import AutoModel, AutoModelForSequenceClassification

    config = _model_config(folder)
    classifies = any(name.endswith("ForSequenceClassification") for name in config.get("architectures") or ())
    head = None if classifies else stored_head(folder)
    if not classifies and head is None:
        raise StoreError(f"{folder} is no reward model: no ...ForSequenceClassification, none of {', '.join(HEADS)}")
    kind = AutoModelForSequenceClassification if classifies else AutoModel
    model = load_checked(kind, folder, dtype)
    if classifies and model.config.num_labels != 1:
        raise ConfigError(f"{folder} gives {model.config.num_labels} numbers per text; a reward model gives one")
    return model.eval(), head, stored_bias(folder) if head is not None else 0.0


def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    check_reader_files(folder, sees_images=False)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} has no usable tokenizer: {str(error).splitlines()[0]}") from None
    check_vocabulary(folder, tokenizer)
    if not tokenizer.chat_template:
        raise StoreError(f"the tokenizer in {folder} has no chat template (chat_template.jinja)")
    return tokenizer


def _model_config(folder: str) -> dict[str, Any]:
    try:
        return json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} is not a model folder: config.json cannot be read ({error})") from None


def _fingerprint(folder: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in Path(folder).glob("*") if path.suffix in (".json", ".safetensors", ".jinja")):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]

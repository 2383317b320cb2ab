"""How a conversation becomes token ids and image patches: one encoder for training, scoring and generation."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dt2it_ray.data.chat import REWARD_SYSTEM, Message, question_language, with_system
from dt2it_ray.data.critiques import with_critique
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.images import BadImage, decode
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StoreError
from dt2it_ray.models.checkpoint_files import check_reader_files, check_vocabulary
from dt2it_ray.models.message_parts import plain_text, refused_messages
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_settings import ReadoutSettings

IMAGE_TOKEN = "<|image_pad|>"
PICTURES_BYTES = 256 * 2**20
"""Memory for prepared images that are kept: the answers of a prompt arrive one after the other."""


@dataclass(frozen=True)
class Picture:
    """A prepared image: `patches` [t*h*w, values of a patch] and its grid (t, h, w). Equal bytes have equal keys."""

    key: str
    patches: np.ndarray
    grid: tuple[int, int, int]


@dataclass(frozen=True)
class Encoded:
    """Token ids with image placeholders expanded, and the images in order. Same `prompt`: only the answers differ."""

    prompt: str
    ids: np.ndarray
    pictures: tuple[Picture, ...]
    start: int = 0
    """Leading tokens that stand in the prompt with its opened answer turn too; 0 where `pooling` does not ask."""
    critique: int = 0
    """Last tokens that are the critique and the end of its turn; 0 where the conversation has none."""


class Encoder:
    """Tokenizer, chat template and image processor of a checkpoint, without its video processor (no torchvision).

    A text model has no image processor, and conversations with images are refused.
    """

    def __init__(
        self,
        tokenizer: Any,
        image_processor: Any,
        settings: CollateSettings,
        system_prompts: Mapping[str, str] = REWARD_SYSTEM,
        readout: ReadoutSettings | None = None,
    ) -> None:
        self._system_prompts, self.readout = system_prompts, readout or ReadoutSettings()
        self.tokenizer, self.image_processor, self.settings = tokenizer, image_processor, settings
        self._special = [token for token in tokenizer.get_added_vocab() if token]
        self._size = _pixel_limits(image_processor, settings) if image_processor else {}
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._pictures_bytes = 0
        self.known: dict[str, Picture] = {}
        """Pictures that are given out as they are, by key; their patches may be empty where no one needs them again."""
        self.pad_id = int(next((i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0))
        self.merge = int(image_processor.merge_size) if image_processor else 1
        self.image_token_id = int(tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)) if image_processor else -1
        self._opened: tuple[str, np.ndarray] = ("", np.empty(0, dtype=np.int64))
        """The last prompt, with its opened answer turn: the answers of a prompt arrive one after the other."""

    @property
    def pixel_limits(self) -> dict[str, int]:
        """Fewest and most pixels of a prepared image, as image processors name them; empty for a text model."""
        return dict(self._size)

    def encode(self, conversation: Conversation) -> Encoded | Dropped:
        """The inputs of a finished conversation: its system prompt, the chat template, no generation prompt; behind the
        answer its critique, if it has one."""
        messages = with_system(conversation.messages, self._system_prompts)
        if conversation.critique is None:
            return self._encode(messages, conversation.images, open_turn=False)
        whole = with_critique(messages, question_language(messages), conversation.critique)
        made = self._encode(whole, conversation.images, open_turn=False, answer_turns=3)
        if isinstance(made, Dropped):
            return made
        opened = self._ids(self._text(whole[:-1], open_turn=True), made.pictures)
        return replace(made, critique=len(made.ids) - _common(opened, made.ids))

    def encode_prompt(self, messages: Sequence[Message], images: Sequence[bytes]) -> Encoded | Dropped:
        """The inputs of a conversation that the model is to continue with an assistant turn."""
        return self._encode(messages, images, open_turn=True)

    def _encode(
        self, messages: Sequence[Message], images: Sequence[bytes], open_turn: bool, answer_turns: int = 1
    ) -> Encoded | Dropped:
        refused = refused_messages(messages, len(images), self._special)
        if refused is not None:
            return refused
        pictures = []
        for content in images:
            picture = self.picture(content)
            if isinstance(picture, Dropped):
                return picture
            pictures.append(picture)
        text = self._text(messages, open_turn)
        ids = self._ids(text, pictures)
        if len(ids) > self.settings.max_length:
            detail = f"{len(ids)} tokens, more than max_length = {self.settings.max_length}"
            return Dropped(DropReason.PROMPT_TOO_LONG, detail, text)
        prompt = messages if open_turn else messages[:-answer_turns]
        key = _digest(json.dumps(prompt, sort_keys=True).encode(), *(picture.key.encode() for picture in pictures))
        start = 0 if open_turn or self.readout.pooling == "last" else self._start(key, prompt, pictures, ids)
        return Encoded(key, ids, tuple(pictures), start)

    def _text(self, messages: Sequence[Message], open_turn: bool) -> str:
        shown = list(messages) if self.image_processor else [plain_text(message) for message in messages]
        return self.tokenizer.apply_chat_template(shown, tokenize=False, add_generation_prompt=open_turn)

    def _ids(self, text: str, pictures: Sequence[Picture]) -> np.ndarray:
        ids = self.tokenizer(self._expand(text, pictures), add_special_tokens=False)["input_ids"]
        return np.asarray(ids, dtype=np.int64)

    def _start(self, key: str, prompt: Sequence[Message], pictures: Sequence[Picture], ids: np.ndarray) -> int:
        """How many leading ids are those of the prompt with its opened answer turn."""
        if self._opened[0] != key:
            text = self._text(prompt, open_turn=True)
            self._opened = (key, self._ids(text, pictures[: text.count(IMAGE_TOKEN)]))
        return _common(self._opened[1], ids)

    def picture(self, content: bytes) -> Picture | Dropped:
        """An encoded image prepared for the vision tower, within the pixel limits."""
        if not self.image_processor:
            return Dropped(DropReason.FIELD_INVALID, "the conversation has an image, and the backbone is a text model")
        key = _digest(content)
        if key in self.known:
            return self.known[key]
        if key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        try:
            made = self.image_processor(images=[decode(content)], size=self._size, return_tensors="np")
        except (BadImage, ValueError) as error:
            return Dropped(DropReason.IMAGE_UNDECODABLE, str(error))
        grid = tuple(int(side) for side in made["image_grid_thw"][0])
        picture = Picture(key, made["pixel_values"], (grid[0], grid[1], grid[2]))
        self._keep(picture)
        return picture

    def _keep(self, picture: Picture) -> None:
        self._pictures[picture.key] = picture
        self._pictures_bytes += picture.patches.nbytes
        while self._pictures_bytes > PICTURES_BYTES:
            _, oldest = self._pictures.popitem(last=False)
            self._pictures_bytes -= oldest.patches.nbytes

    def _expand(self, text: str, pictures: Sequence[Picture]) -> str:
        """The text with one placeholder for every token that an image takes after merging."""
        head, *tails = text.split(IMAGE_TOKEN)
        expanded = [head]
        for picture, tail in zip(pictures, tails, strict=True):
            expanded += [IMAGE_TOKEN * (int(np.prod(picture.grid)) // self.merge**2), tail]
        return "".join(expanded)


def open_encoder(
    folder: str,
    settings: CollateSettings,
    system_prompts: Mapping[str, str] = REWARD_SYSTEM,
    readout: ReadoutSettings | None = None,
) -> Encoder:
    """The encoder of a checkpoint folder. Raises StoreError when its tokenizer or image processor is missing."""
    from transformers import AutoImageProcessor, AutoTokenizer

    sees = sees_images(folder)
    check_reader_files(folder, sees)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        image_processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True) if sees else None
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{folder} has no usable tokenizer or image processor: {reason}") from None
    check_vocabulary(folder, tokenizer)
    if not tokenizer.chat_template:
        raise StoreError(f"the tokenizer in {folder} has no chat template (chat_template.jinja)")
    return Encoder(tokenizer, image_processor, settings, system_prompts, readout)


def _common(opened: np.ndarray, ids: np.ndarray) -> int:
    """How many leading ids are alike."""
    opened = opened[: len(ids)]
    differing = np.flatnonzero(opened != ids[: len(opened)])
    return int(differing[0]) if len(differing) else len(opened)


def sees_images(folder: str) -> bool:
    """Whether the model of a folder has a vision tower, by its config.json; false where that cannot be read."""
    try:
        return "vision_config" in json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _pixel_limits(image_processor: Any, settings: CollateSettings) -> dict[str, int]:
    own = image_processor.size
    return {
        "shortest_edge": settings.image_min_pixels or int(own["shortest_edge"]),
        "longest_edge": settings.image_max_pixels or int(own["longest_edge"]),
    }


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()

"""Which settings decide how a reward model reads its backbone, and which weights learn. Imports no model library."""

from typing import Literal, Self

from pydantic import Field, model_validator

from dt2it_ray.settings import Settings

Attention = Literal["auto", "blocks", "flex"]
"""By which kernel tokens of a packed row look at each other, up to rounding the same: `blocks` is a call for each part
of the row, `flex` FlexAttention over the whole row, `auto` the latter on a GPU where it compiles."""

REWARD_CONFIG = "reward_config.json"
"""File in which a reward model's folder keeps its readout and the rest of what it says about itself."""


class ReadoutSettings(Settings):
    """How hidden states become one number. A model's folder keeps these, so that all who score read it alike."""

    head: Literal["linear", "silu", "tanh"] = "linear"
    """`linear`: one layer without bias (arXiv 2604.19544). `silu`: two layers with SiLU between (arXiv 2509.16127).
    `tanh`: two layers with tanh between (arXiv 2502.10391)."""
    head_width: int | None = Field(default=None, ge=1)
    """Inner width of a two-layer head. None: that of its input, as published for `tanh`; unpublished for `silu`, where
    1024 is the other likely value."""
    pooling: Literal["last", "mean"] = "last"
    """Which hidden state the head reads: that of the last token (arXiv 2604.19544), or the mean over the answer's
    tokens, that is all tokens after those of the prompt and the opening of the answer's turn."""
    fusion: Literal["early", "late", "cross_attention"] = "early"
    """Where image and text meet: `early` as tokens of one sequence (Qwen-VL), `late` as two pooled vectors that are
    joined before the head, `cross_attention` in one layer in which the pooled answer looks at the image tokens."""
    shared_prompt: bool = True
    """Answers of one prompt are one row, so that image and prompt are computed once. The same rewards without it, more
    slowly; needed false where the backbone's attention takes no mask of our own."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.head == "linear" and self.head_width is not None:
            raise ValueError("head_width is for the heads silu and tanh; head=linear has no inner layer")
        if self.head == "linear" and self.fusion == "late":
            raise ValueError(
                "fusion=late needs head=silu or head=tanh: both answers have the same image, so a linear head adds "
                "the same number to both rewards and no pair could teach it anything about images"
            )
        return self

    def readout(self) -> "ReadoutSettings":
        """These settings alone, where they are part of a larger group."""
        return ReadoutSettings(**{name: getattr(self, name) for name in ReadoutSettings.model_fields})


class LoraSettings(Settings):
    """Low-rank adapters (arXiv 2106.09685): the text model stays as it is, products of two thin matrices learn."""

    rank: int = Field(default=128, ge=1)
    """Inner width of the products (arXiv 2402.10884)."""
    alpha: int = Field(default=256, ge=1)
    """The products count alpha / rank times (arXiv 2402.10884)."""
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """Layers that get one, by the last part of their names. Default: all matrices of Qwen's and Llama's layers, as
    adapters of attention alone learn less at the same size."""


class ModelSettings(ReadoutSettings):
    """What a reward model is made of, and which of its weights training may change."""

    freeze_vision: bool = True
    """Keep the vision tower as it is (arXiv 2604.19544)."""
    freeze_projector: bool = True
    """Keep the layers that bring image features to the width of the text model as they are (arXiv 2604.19544)."""
    freeze_layers: int = Field(default=0, ge=0)
    """Keep the token embeddings and this many first layers of the text model as they are. 0: all of them learn, as
    published; a frozen trunk costs less memory and forgets less on few pairs."""
    lora: LoraSettings | None = None
    """Adapters in place of the text model's own weights, in the layers that are not frozen; merged into them when the
    model is saved. None: the weights themselves learn, as published. Needs the extra `lora`."""

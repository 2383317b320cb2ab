"""Which terms the loss of a reward model has. Imports no model library; models/loss.py computes them."""

from typing import Literal, Self

from pydantic import Field, model_validator

from dt2it_ray.settings import Settings


class ShortcutSettings(Settings):
    """Pairs that text alone decides count less (arXiv 2503.03122): each by L_t / (L + L_t), its Shortcut-Failure
    Coefficient, where L is its loss and L_t that of a proxy which sees no image. Costs a second forward pass."""

    enabled: bool = False
    """Off: all pairs count alike, as in arXiv 2604.19544."""
    proxy: Literal["backbone", "head", "separate"] = "backbone"
    """What the proxy's loss teaches beside its head: the shared backbone; nothing (`head`), which keeps the backbone
    from learning the shortcut but makes a weaker proxy; or a copy of the backbone (`separate`), a proxy at full
    strength that costs the memory of a second text model in training."""
    normalise: Literal["none", "last_mean_1"] = "none"
    """`last_mean_1` divides coefficients by their mean in the step before (0.5 in the first), so that they are about 1
    and the proxy's loss does not outweigh them. The mean of the same step would need all its pairs before the first
    micro-batch."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.enabled and (self.proxy != "backbone" or self.normalise != "none"):
            raise ValueError("shortcut.proxy and shortcut.normalise do nothing without shortcut.enabled=true")
        return self


class ContrastiveSettings(Settings):
    """The chosen answer's reward beside its own images against its rewards beside images of other prompts: InfoNCE
    (arXiv 1807.03748) with the reward as critic; with one other image it is the conditional preference of
    arXiv 2406.11839. Costs a row of its own per other image."""

    weight: float = Field(default=0.0, ge=0)
    """Of the term beside the preference (arXiv 2406.11839: 1). 0: none."""
    images: int = Field(default=1, ge=1)
    """Other prompts' images per pair, of prompts with as many images. More make the term stricter and dearer."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.weight and self.images != 1:
            raise ValueError("contrastive.images does nothing without contrastive.weight; the published one is 1")
        return self


class CritiqueSettings(Settings):
    """The model reads a critique of each answer before it scores it, and learns to write critiques: cross-entropy of
    the critiques of the data beside the preference (arXiv 2502.10391). Whoever scores has to bring critiques, or have
    them written."""

    enabled: bool = False
    """Off: answers are scored alone, as in arXiv 2604.19544. The pairs need the columns `chosen_critique` and
    `rejected_critique`."""
    weight: float = Field(default=1.0, ge=0)
    """Of the mean cross-entropy over a critique's tokens, averaged over the answers of a pair (arXiv 2502.10391 adds
    both losses up: 1). 0 where another model is to write the critiques."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.enabled and self.weight != 1:
            raise ValueError("critique.weight does nothing without critique.enabled=true")
        return self

    @property
    def taught(self) -> bool:
        """Whether the model learns to write critiques itself."""
        return self.enabled and self.weight > 0


class LossSettings(Settings):
    """Terms of the loss. The defaults are plain Bradley-Terry, which no regulariser beat in arXiv 2509.16127.

    A pair's strength is that of the table of pairs, in the units of its source. A pair without one is asked for no
    margin and has a certain label.
    """

    margin_scale: float = Field(default=0.0, ge=0)
    """The margin that a pair is asked for, per unit of its strength (arXiv 2307.09288 has steps of 0 to 3; the scale is
    ours). A negative strength, of a label that is doubted, asks for less than plain Bradley-Terry. 0: none."""
    soft_temperature: float | None = Field(default=None, gt=0)
    """The label is the probability sigmoid(strength / temperature); calibrate the temperature on trusted pairs. None:
    the chosen answer is better for certain."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """The probability with which a label is taken to be wrong (arXiv 1512.00567; for pairs, arXiv 2403.00409)."""
    tie_weight: float = Field(default=0.0, ge=0)
    """A pair of strength 0 costs this times the squared margin in place of its label (arXiv 2502.10391). 0: its label
    counts as any other."""
    centring: float = Field(default=0.0, ge=0)
    """Weight of the squared sum of a pair's rewards, which holds them around 0 (arXiv 2502.10391: 0.01). Off, as it
    hurt in arXiv 2509.16127."""
    scaling_boost: float = Field(default=0.0, ge=0)
    """How much more a pair counts at most as its margin grows: 1 + boost * (1 - exp(-rate * margin)), the Dynamic
    Reward Scaling of arXiv 2502.10391 (0.5 there) without its constant factor, which the learning rate is. 0: none."""
    scaling_rate: float = Field(default=0.5, gt=0)
    """How fast the boost is reached, per unit of margin (arXiv 2502.10391)."""
    kwise: bool = False
    """All answers that are known to be worse than one chosen answer are one group with it, and the loss is the
    cross-entropy of the softmax over their rewards to the chosen one (Plackett-Luce: arXiv 2301.11270). A ranking told
    by all its pairs becomes its full Plackett-Luce loss. A group counts as one pair in batches."""
    shortcut: ShortcutSettings = ShortcutSettings()
    """Whether pairs that text alone decides count less."""
    contrastive: ContrastiveSettings = ContrastiveSettings()
    """Whether an answer is to lose reward beside images that it does not belong to."""
    critique: CritiqueSettings = CritiqueSettings()
    """Whether answers are scored behind critiques of them."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        fields = ("margin_scale", "soft_temperature", "label_smoothing", "tie_weight", "centring", "scaling_boost")
        of_pairs = [name for name in fields if getattr(self, name)]
        if self.kwise and of_pairs:
            raise ValueError(f"kwise=true takes no {', '.join(of_pairs)}: they are of pairs, not of groups of answers")
        beside = [name for name, on in self._by_images() if on]
        if self.critique.enabled and beside:
            raise ValueError(
                f"critique takes no {', '.join(beside)}: the critique tells what the image shows, so that a reader "
                "without the image, or with another one, is told all the same"
            )
        return self

    def _by_images(self) -> tuple[tuple[str, bool], ...]:
        """Terms that compare what is read with and without the pair's images, and whether they are on."""
        return ("shortcut", self.shortcut.enabled), ("contrastive", bool(self.contrastive.weight))

"""What a forward pass of a reward model in training gives: the losses of some groups of pairs and what is counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import numpy as np
import torch

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.collate import Encoded, Encoder
from dt2it_ray.models.contrastive import OtherImages
from dt2it_ray.models.flops import group_work
from dt2it_ray.models.loss import losses
from dt2it_ray.models.packing import packed_batch
from dt2it_ray.models.prefix import row_length
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.train_figures import by_group, errors, figures, from_workers
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_micro import Micro
from dt2it_ray.models.train_rows import TrainingPair
from dt2it_ray.models.train_settings import TrainSettings


@dataclass
class Pass:
    """Of the groups of one forward pass that could be encoded."""

    loss: torch.Tensor
    """The sum over groups of weight times loss."""
    sums: dict[str, float]
    """See `figures`; `loss` and its terms are weighted."""
    suspects: list[str]
    """Pairs whose reward or loss is not a finite number."""
    refused: list[tuple[str, Dropped]]
    """Pairs that could not be encoded; they count as a loss of 0."""
    errors: list[tuple[int, float]] = field(default_factory=list)
    """By number of group: how far the model is from its labels, see `train_figures.errors`."""


class Forward(Protocol):
    """What goes forward over groups of pairs by number, on one worker."""

    engine: Any
    groups: TrainingGroups
    padded: bool
    """Whether the rows of a pass are padded to the longest."""

    def encode(self, indices: np.ndarray) -> Micro:
        """Some groups as tokens and pixels."""
        ...

    def run(self, micro: Micro) -> Pass:
        """The losses of some groups; none are taken for padding where there are no groups."""
        ...


class Passes:
    """Goes forward over groups of pairs by number, on one worker."""

    def __init__(self, engine: Any, encoder: Encoder, groups: TrainingGroups, settings: TrainSettings) -> None:
        self.engine, self.groups, self.padded = engine, groups, not encoder.readout.shared_prompt
        self._encoder, self._settings = encoder, settings
        self._focused = settings.loss.shortcut.normalise == "last_mean_1"
        contrastive, self._critique = settings.loss.contrastive, settings.loss.critique
        self._others = OtherImages(groups.rows, contrastive, settings.seed) if contrastive.weight else None

    def encode(self, indices: np.ndarray) -> Micro:
        """Some groups as tokens and pixels."""
        micro = Micro()
        for index in indices.tolist():
            pairs = self.groups.pairs(index)
            chosen, names = self._encoded(pairs[0].chosen), []
            group: list[Encoded] = []
            for pair in pairs:
                rejected = self._encoded(pair.rejected)
                if isinstance(chosen, Dropped) or isinstance(rejected, Dropped):
                    refusal = chosen if isinstance(chosen, Dropped) else rejected
                    micro.refused.append((pair.pair_id, refusal))  # type: ignore[arg-type]
                    continue
                group += [rejected] if group else [chosen, rejected]
                names.append(pair.pair_id)
            if group:
                micro.add(group, float(self.groups.weights[index]), pairs[0].strength, self._beside_others(pairs[0]))
                micro.names.append(names)
                micro.indices.append(index)
        return micro

    def run(self, micro: Micro) -> Pass:
        """The losses of some groups; none are taken for a group of padding, whose weight is 0."""
        if not micro.groups:
            # DeepSpeed's collective calls must be the same on all workers, so a worker without pairs goes along.
            micro.add(_blank(self._encoder), 0.0, np.nan, [])
        apart = [[other] for others in micro.others for other in others]
        batch = packed_batch([*micro.groups, *apart], self._encoder)
        rows = [*micro.groups[: len(micro.names)], *apart]
        work = group_work(rows, batch.grids if batch.patches is not None and len(batch.patches) else None)
        batch = batch.to(self.engine.device)
        sizes = [len(group) for group in micro.groups]
        read = self.engine(batch, *self._taught(micro.groups)).view(-1, sum(sizes) + len(apart))
        rewards, *more = (by_group(each, sizes) for each in read[:, : sum(sizes)])
        proxy, critiques = ([], more[0].clamp(min=0)) if self._critique.taught else (more, None)
        others = by_group(read[0, sum(sizes) :], [len(each) for each in micro.others]) if self._others else None
        strengths, weights = (torch.tensor(each, device=rewards.device) for each in (micro.strengths, micro.weights))
        costs = losses(
            rewards,
            strengths,
            self._settings.loss,
            *proxy,
            usual_focus=self._usual_focus(),
            others=others,
            critiques=critiques,
        )
        loss = (costs.total * weights).sum()
        terms = {f"loss_{name}": float((term * weights).sum()) for name, term in costs.terms.items()}
        work["tokens"] = sum(row_length(group) for group in rows)
        suspects: list[str] = []
        counted = figures(rewards, proxy, costs, micro.names, suspects)
        wrong = list(zip(micro.indices, errors(rewards, [len(names) for names in micro.names]), strict=True))
        return Pass(loss, {"loss": loss.item(), **terms, **counted, **work}, suspects, micro.refused, wrong)

    def _taught(self, groups: Sequence[Sequence[Encoded]]) -> list[torch.Tensor]:
        """How many tokens of each conversation are a critique, if the model learns to write them."""
        if not self._critique.taught:
            return []
        return [torch.tensor([made.critique for group in groups for made in group], device=self.engine.device)]

    def _beside_others(self, pair: TrainingPair) -> list[Encoded]:
        """The chosen answer beside other images, those left out that cannot be decoded: their own pairs are refused."""
        asked = self._others.conversations(pair) if self._others else []
        return [made for made in map(self._encoder.encode, asked) if isinstance(made, Encoded)]

    def _usual_focus(self) -> torch.Tensor | float:
        return self.engine.module.focus.float() if self._focused else 1.0

    def _encoded(self, conversation: Conversation) -> Encoded | Dropped:
        if self._critique.enabled and not conversation.critique:
            return Dropped(DropReason.FIELD_INVALID, "an answer of the pair has no critique")
        return self._encoder.encode(conversation)


def fail_of_pairs(what: str, suspects: Sequence[str]) -> NoReturn:
    """Raise StageFailed with the suspects of all workers, which all call this."""
    names = sorted(set(from_workers(suspects)))
    shown = f"{', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"
    raise StageFailed(
        f"{what}. Pairs: {shown}. Look at these pairs (dt2it explain PAIR_ID); if they are sound, lower learning_rate "
        "or max_grad_norm."
    )


def _blank(encoder: Encoder) -> list[Encoded]:
    ids = np.full(2, encoder.pad_id, dtype=np.int64)
    return [Encoded("", ids, ()), Encoded("", ids, ())]

"""How a reward model is commonly trained: chosen and rejected answers as padded rows of their own, as they come."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from dt2it_ray.models.collate import Encoded, Encoder, open_encoder
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.schedule import Schedule, share_of_peak
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.speed.turns import Round, timed

APART = ModelSettings(shared_prompt=False)


def train_plainly(job: TrainJob, groups: TrainingGroups, schedule: Schedule) -> Round:
    """The losses of the same pairs, steps and learning rates as `Trainer` takes, by transformers' own forward pass and
    torch's AdamW; every row has its own image tokens."""
    settings = job.settings
    encoder = open_encoder(job.base, settings.collate)
    model = new_reward_model(job.base, settings.precision, settings.seed, APART).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, betas=(0.9, settings.beta2), weight_decay=settings.weight_decay)
    micro = job.micro_batch_pairs

    def take(step: int) -> float:
        batch = schedule.batch(groups.order(settings.seed, schedule.epoch(step)), step)
        cost = 0.0
        for start in range(0, len(batch), micro):
            margins = _margins(model, encoder, groups, batch[start : start + micro])
            loss = -functional.logsigmoid(margins).sum() / len(batch)
            loss.backward()
            cost += loss.item()
        torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * share_of_peak(step, schedule.steps, settings.warmup)
        optimizer.step()
        optimizer.zero_grad()
        return cost

    return timed(lambda: [take(step) for step in range(schedule.steps)])


def _margins(model: RewardModel, encoder: Encoder, groups: TrainingGroups, indices: np.ndarray) -> torch.Tensor:
    pairs = [pair for index in indices.tolist() for pair in groups.pairs(index)]
    chats = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    rewards = padded_rewards(model, [made for made in map(encoder.encode, chats) if isinstance(made, Encoded)], encoder)
    return rewards[: len(pairs)] - rewards[len(pairs) :]


def padded_rewards(model: RewardModel, rows: Sequence[Encoded], encoder: Encoder, length: int = 0) -> torch.Tensor:
    """[N] rewards by transformers' own forward pass of rows that are padded to the longest one, or to `length`."""
    lengths = torch.tensor([len(row.ids) for row in rows])
    ids = torch.full((len(rows), max(length, int(lengths.max()))), encoder.pad_id)
    for row, place in zip(rows, ids, strict=True):
        place[: len(row.ids)] = torch.from_numpy(row.ids)
    inputs = {"input_ids": ids, "attention_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long()}
    pictures = [picture for row in rows for picture in row.pictures]
    if pictures:
        inputs["pixel_values"] = torch.from_numpy(np.concatenate([picture.patches for picture in pictures]))
        inputs["pixel_values"] = inputs["pixel_values"].to(model.backbone.dtype)
        inputs["image_grid_thw"] = torch.tensor([picture.grid for picture in pictures])
        inputs["mm_token_type_ids"] = (ids == encoder.image_token_id).int()
    inputs = {name: value.to(model.backbone.device) for name, value in inputs.items()}
    hidden = model.backbone(**inputs, use_cache=False).last_hidden_state
    return model.score(hidden[torch.arange(len(rows)), lengths - 1]).squeeze(-1)

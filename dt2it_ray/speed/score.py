"""How fast several answers to each prompt are scored, beside a pass for each answer, in batches and one by one."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dt2it_ray.models.backbones import TINY, find_backbone
from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.speed.pairs import PROMPT_RATIO, draw_prompts
from dt2it_ray.speed.turns import Round, figures_of, in_own_process, take_turns, timed

WAYS = ("shared", "separate", "plain", "one_by_one", "one_padded")
"""`shared` is our scorer. `separate` is our scorer with shared_prompt=false: rows of like length, each image once a
pass. The others are transformers' own forward pass: `plain` on eight padded answers in the given order, `one_by_one` on
one, `one_padded` on one that is padded to the longest of all."""
ROWS_OF_PLAIN = 8
PROMPTS = 48
SETTINGS = ScoreSettings(dtype="float32")


def run_score_speed(
    prompts: int = PROMPTS,
    answers: int = 4,
    rounds: int = 2,
    base: str = TINY,
    with_images: bool = True,
    ratio: float = PROMPT_RATIO,
) -> dict[str, Any]:
    """Answers a second of each way, in the median of the rounds, in which they take turns, each in a process of its own
    with all cores; the most memory of its process; and by how much a reward differs from that of `shared` at most."""
    asked = draw_prompts(prompts, answers, with_images, ratio)
    chats = [chat for each in asked for chat in each.conversations()]
    threads = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        model = in_own_process(_save_model, find_backbone(base).path, str(Path(folder, "model")))
        told = take_turns(WAYS, rounds, score_so, model, chats, threads)
    told_of = {"prompts": prompts, "answers": answers, "prompt_ratio": ratio, "rounds": rounds, "threads": threads}
    return {**told_of, **figures_of(told, len(chats), "answers")}


def score_so(way: str, model: str, chats: Sequence[Conversation], threads: int) -> Round:
    """The rewards of conversations. The first four are scored before, so that what happens once is done."""
    import torch

    torch.set_num_threads(threads)
    score = _ours(model, way == "shared") if way in ("shared", "separate") else _plain(way, model, chats)
    score(chats[:4])
    return timed(lambda: score(chats))


def _save_model(base: str, folder: str) -> str:
    """A reward model with a new head on the base."""
    from dt2it_ray.models.collate import open_encoder
    from dt2it_ray.models.model_settings import CollateSettings
    from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model

    model, encoder = new_reward_model(base, "float32", 0), open_encoder(base, CollateSettings())
    save_reward_model(model, encoder, RewardConfig(name="speed"), folder)
    return folder


def _ours(model: str, shared: bool) -> Callable[[Sequence[Conversation]], list[Any]]:
    from dt2it_ray.models.reward_files import read_reward_config
    from dt2it_ray.models.torch_scorer import TorchScorer

    config = read_reward_config(model).model_copy(update={"shared_prompt": shared})
    return TorchScorer(model, SETTINGS, config=config).score


def _plain(way: str, folder: str, chats: Sequence[Conversation]) -> Callable[[Sequence[Conversation]], list[float]]:
    import torch

    from dt2it_ray.models.collate import Encoded
    from dt2it_ray.models.reward_files import open_reward_model, read_reward_config
    from dt2it_ray.speed.plain_training import padded_rewards

    config = read_reward_config(folder).model_copy(update={"shared_prompt": False})
    model, encoder, _ = open_reward_model(folder, SETTINGS.dtype, config=config)
    made = [entry for entry in map(encoder.encode, chats) if isinstance(entry, Encoded)]
    length = max(len(entry.ids) for entry in made) if way == "one_padded" else 0
    size = ROWS_OF_PLAIN if way == "plain" else 1

    @torch.inference_mode()
    def score(asked: Sequence[Conversation]) -> list[float]:
        rows = [entry for entry in map(encoder.encode, asked) if isinstance(entry, Encoded)]
        parts = (rows[start : start + size] for start in range(0, len(rows), size))
        return torch.cat([padded_rewards(model, part, encoder, length) for part in parts]).tolist()

    return score

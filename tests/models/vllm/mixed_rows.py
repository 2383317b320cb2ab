"""Two hundred answers to a hundred questions of text, of one image and of two, and who scores them for the tests."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from dt2it_ray.data.scenes.prompts import draw_prompt
from dt2it_ray.data.scenes.render import render
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.models.reward_files import open_reward_model
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_pass import Passes
from dt2it_ray.models.train_rows import open_training_rows
from dt2it_ray.models.train_settings import TrainSettings

PROMPT_COUNT = 100
Rewards = dict[str, float]
"""By id of the answer."""


def mixed_prompts(most_images: int = 2) -> list[dict[str, Any]]:
    """Rows of PROMPTS with two answers each; the first has no image, the second one, the third two, and so on."""
    rows = []
    for number in range(PROMPT_COUNT):
        drawn = [draw_prompt(f"agreement {number} {place}") for place in range(max(1, number % (most_images + 1)))]
        images = [render(each.scene) for each in drawn] if number % (most_images + 1) else []
        long = " ".join(each.question.text for each in drawn)
        texts = (f"I count {number}.", f"{long} I looked again and found {number % 7} of them.")
        rows.append(
            {
                "prompt_id": f"prompt-{number:03}",
                "images": [{"bytes": image, "path": None} for image in images],
                "history": None,
                "question": drawn[0].question.text,
                "answers": [{"answer_id": f"{number:03}-{side}", "text": text} for side, text in enumerate(texts)],
            }
        )
    return rows


def prompt_table(rows: list[dict[str, Any]]) -> pa.Table:
    """The rows with the columns that stages and trainings read."""
    return pa.Table.from_pylist(rows, schema=pa.schema([PROMPTS.field(name) for name in rows[0]]))


def trainer_rewards(folder: str, rows: list[dict[str, Any]], scratch: Path) -> Rewards:
    """What the forward passes of a training give: pairs from Parquet, groups as they are trained on."""
    pq.write_table(prompt_table(rows), scratch / "rows")
    names = [row["prompt_id"].removeprefix("prompt-") for row in rows]
    pairs = {
        "pair_id": names,
        "prompt_id": [row["prompt_id"] for row in rows],
        "chosen_id": [f"{name}-0" for name in names],
        "rejected_id": [f"{name}-1" for name in names],
    }
    pq.write_table(pa.table(pairs), scratch / "pairs")
    groups = TrainingGroups(open_training_rows((str(scratch / "pairs"),), ((str(scratch / "rows"),),)), kwise=False)
    model, encoder, _ = open_reward_model(folder, "float32")
    model.train()
    engine = _Engine(model)
    passes = Passes(engine, encoder, groups, TrainSettings())
    told: Rewards = {}
    for part in np.array_split(np.arange(len(groups)), 12):
        passes.run(passes.encode(part))
        sides = [f"{groups.pairs(int(place))[0].pair_id}-{side}" for place in part for side in (0, 1)]
        told |= dict(zip(sides, engine.rewards, strict=True))
    return told


class _Engine:
    """As much of a DeepSpeed engine as a forward pass asks for; keeps the rewards of the last one."""

    device = "cpu"

    def __init__(self, model: torch.nn.Module) -> None:
        self.module = model
        self.rewards: list[float] = []

    def __call__(self, batch: Any) -> torch.Tensor:
        rewards = self.module(batch)
        self.rewards = rewards.tolist()
        return rewards


def served_rewards(url: str, token: str, model: str, rows: list[dict[str, Any]]) -> Rewards:
    """What the HTTP server tells, one request for each prompt."""
    told: Rewards = {}
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=120) as client:
        for row in rows:
            urls = [f"data:image/png;base64,{base64.b64encode(image['bytes']).decode()}" for image in row["images"]]
            parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
            content = [*parts, {"type": "text", "text": row["question"]}]
            answers = [answer["text"] for answer in row["answers"]]
            body = {"model": model, "prompt": [{"role": "user", "content": content}], "answers": answers}
            data = client.post("/v1/reward", json=body).raise_for_status().json()["data"]
            for answer, entry in zip(row["answers"], data, strict=True):
                told[answer["answer_id"]] = entry["logit"]
    return told


def vllm_rewards(folder: str, rows: list[dict[str, Any]], max_model_len: int = 1024) -> Rewards:
    """What vLLM makes of an exported folder, whose own chat template and processor are used."""
    from vllm import LLM  # pyright: ignore[reportMissingImports]

    sees = "vision_config" in json.loads(Path(folder, "config.json").read_text())
    images = {"limit_mm_per_prompt": {"image": 2, "video": 0}} if sees else {}
    # It is told no runner and no conversion: the class's name says both.
    llm = LLM(
        folder, dtype="float32", enforce_eager=True, max_model_len=max_model_len, disable_log_stats=True, **images
    )
    tokenizer = llm.get_tokenizer()
    asked, names = [], []
    for row in rows:
        shown = [{"type": "image"}] * len(row["images"])
        content = [*shown, {"type": "text", "text": row["question"]}] if sees else row["question"]
        pictures = [Image.open(io.BytesIO(image["bytes"])).convert("RGB") for image in row["images"]]
        for answer in row["answers"]:
            turns = [{"role": "user", "content": content}, {"role": "assistant", "content": answer["text"]}]
            prompt: dict[str, Any] = {"prompt": tokenizer.apply_chat_template(turns, tokenize=False)}
            if pictures:
                prompt["multi_modal_data"] = {"image": pictures}
            asked.append(prompt)
            names.append(answer["answer_id"])
    try:
        outputs = llm.encode(asked, pooling_task="classify", use_tqdm=False)
    finally:
        llm.llm_engine.engine_core.shutdown()
    return dict(zip(names, (float(output.outputs.data[0]) for output in outputs), strict=True))

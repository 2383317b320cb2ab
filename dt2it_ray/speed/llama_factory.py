"""How fast our trainer is beside LLaMA-Factory's rm stage, on the same pairs of text and the same tiny model.

LLaMA-Factory lives in an environment of its own, as its pins conflict with ours; it is started as a process.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from dt2it_ray.data.chat import REWARD_SYSTEM
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.backbones import TINY, find_backbone
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.speed.pairs import Asked, draw_prompts
from dt2it_ray.speed.train import speed_job, train_so
from dt2it_ray.speed.turns import in_own_process

RUN = "import json, sys; from llamafactory.train.tuner import run_exp; run_exp(json.load(open(sys.argv[1])))"


def run_beside_llama_factory(python: str, pairs: int = 128, rounds: int = 2) -> dict[str, Any]:
    """Pairs a second of both in the median of rounds in which they take turns; LLaMA-Factory tells its own. Batches,
    micro-batches, steps, threads and precision are the same, and neither has a GPU.

    Raises:
        StageFailed: LLaMA-Factory failed.
    """
    asked = draw_prompts(pairs, 2, with_images=False)
    with tempfile.TemporaryDirectory() as folder:
        base = in_own_process(write_text_model, find_backbone(TINY).path, str(Path(folder, "base")))
        job = speed_job(Path(folder), pairs, base, with_images=False)
        config = _write_config(Path(folder), asked, job)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(in_own_process(train_so, "shared", job))
            theirs.append(_run(python, config, job))
    rates = [pairs / each.seconds for each in ours]
    ratios = sorted(mine / each for mine, each in zip(rates, theirs, strict=True))
    return {
        "pairs": pairs,
        "rounds": rounds,
        "pairs_per_s": round(sorted(rates)[len(rates) // 2], 2),
        "llama_factory_pairs_per_s": round(sorted(theirs)[len(theirs) // 2], 2),
        "times_faster_by_round": [round(ratio, 2) for ratio in ratios],
        "times_faster": round(sum(ratios) / len(ratios), 2),
    }


def write_text_model(tiny: str, folder: str) -> str:
    """A Qwen3 of text alone as large as the text model of `tiny`, with its tokenizer and random weights."""
    import torch
    from transformers import AutoConfig, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    text = AutoConfig.from_pretrained(tiny).get_text_config()
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    more = ("num_key_value_heads", "head_dim", "pad_token_id", "max_position_embeddings")
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**{name: getattr(text, name) for name in (*names, *more)}))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


def _write_config(folder: Path, asked: list[Asked], job: TrainJob) -> str:
    """The rows and settings of a training as LLaMA-Factory reads them; returns the path of the latter."""
    rows = [
        {
            "system": REWARD_SYSTEM["en"],
            "conversations": [{"from": "human", "value": each.prompt["question"]}],
            "chosen": {"from": "gpt", "value": each.answers[0]},
            "rejected": {"from": "gpt", "value": each.answers[1]},
        }
        for each in asked
    ]
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "system": "system"}
    info = {"pairs": {"file_name": "pairs.json", "ranking": True, "formatting": "sharegpt", "columns": columns}}
    settings = job.settings
    config = {
        "stage": "rm",
        "do_train": True,
        "model_name_or_path": job.base,
        "finetuning_type": "full",
        "template": "qwen3_nothink",
        "dataset_dir": str(folder),
        "dataset": "pairs",
        "cutoff_len": settings.collate.max_length,
        "output_dir": str(folder / "theirs"),
        "per_device_train_batch_size": job.micro_batch_pairs,
        "gradient_accumulation_steps": settings.global_batch_pairs // job.micro_batch_pairs,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "cosine",
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "disable_gradient_checkpointing": True,
        "overwrite_cache": True,
        "bf16": False,
        "use_cpu": True,
    }
    for name, tree in (("pairs.json", rows), ("dataset_info.json", info), ("config.json", config)):
        (folder / name).write_text(json.dumps(tree), encoding="utf-8")
    return str(folder / "config.json")


def _run(python: str, config: str, job: TrainJob) -> float:
    """Pairs a second of LLaMA-Factory's steps, by its own figures."""
    here = {"OMP_NUM_THREADS": str(job.threads), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    # Its caches belong to the measurement, and packages of ours must not reach it.
    here |= {"PATH": os.defpath, "HOME": str(Path(config).parent)}
    done = subprocess.run([python, "-c", RUN, config], capture_output=True, text=True, check=False, env=here)
    if done.returncode:
        raise StageFailed(f"LLaMA-Factory by {python} failed with {done.returncode}: {done.stderr[-800:]}")
    told = json.loads((Path(config).parent / "theirs" / "train_results.json").read_text(encoding="utf-8"))
    return told["train_samples_per_second"]

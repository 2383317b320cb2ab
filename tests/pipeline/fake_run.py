"""A finished run of 33 noisy pairs whose fates are written down here, made with the store's own writers."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from PIL import Image

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import (
    CANDIDATES,
    JUDGEMENTS,
    PAIRS,
    PROMPTS,
    SIDES,
    DropReason,
)
from dt2it_ray.pipeline.run_record import read_run
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.summary import summarise
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest, write_manifest
from dt2it_ray.store.parts import part_name, seal_rows, total

# source, planted wrong, action, rule, number of pairs, strength of the label by the voters
FATES = (
    ("label_flips", True, "flipped", "consistent", 4, -1.2),
    ("label_flips", True, "flipped", "votes", 2, -0.3),
    ("label_flips", True, "dropped", "votes_tied", 1, 0.1),
    ("label_flips", True, "kept", "consistent", 1, 0.4),
    ("label_flips", False, "kept", "consistent", 10, 1.1),
    ("label_flips", False, "kept", "votes", 1, -0.2),
    ("label_flips", False, "flipped", "consistent", 1, -0.6),
    ("style_bias", None, "kept", "consistent", 5, 0.8),
    ("style_bias", None, "flipped", "votes", 1, -0.1),
    ("clean", False, "kept", "consistent", 6, 1.4),
    ("clean", False, "dropped", "too_few_votes", 1, -0.4),
)
HOSTILE = '<script>alert("A")</script>\x1b[2J'


SETTINGS = RunSettings(name="demo")
"""Of all fake runs."""


class FakeRun:
    """A run folder that grows by finished steps."""

    def __init__(self, folder: str) -> None:
        self.run = Folder(folder)
        self.plan: list[dict[str, Any]] = []

    def add(
        self,
        step: str,
        stage: str,
        inputs: Mapping[str, str],
        rows: Sequence[Mapping[str, Any]] = (),
        schema: pa.Schema | None = None,
        refused: Sequence[dict[str, str]] = (),
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Seal the rows of a step, write its manifest and put it into the plan."""
        fingerprint = content_id(step)[:16]
        data, seals = self.run.child(f"{step}/{fingerprint}"), []
        if schema is not None:
            table, rows_in = pa.Table.from_pylist(list(rows), schema=schema), len(rows) + len(refused)
            key = schema.names[0]
            seals = [seal_rows(data, part_name(0), table, dropped_table(refused), key, rows_in, 0)]
        manifest = Manifest(
            step=step,
            stage=stage,
            version=1,
            fingerprint=fingerprint,
            settings={},
            inputs={name: content_id(source)[:16] for name, source in inputs.items()},
            files=tuple(seal.file() for seal in seals),
            counts=total(seals),
            dropped=tuple(file for seal in seals if (file := seal.dropped_file())),
            metrics=metrics or {},
            placement={},
            provenance={"wall_s": 2.0, "rows_before": 0, "finished_at": 0.0},
        )
        write_manifest(self.run, manifest)
        self.plan.append({"step": step, "stage": stage, "fingerprint": fingerprint, "inputs": dict(inputs)})

    def finish(self) -> dict[str, Any]:
        """Write run.json and summary.json; returns the summary."""
        told = {"settings": {"name": "demo"}, "plan": self.plan, "provenance": {"commit": "c" * 40, "packages": {}}}
        self.run.write("run.json", json.dumps(told).encode())
        summary = summarise(self.run, SETTINGS, read_run(self.run).manifests, wall_s=372.4, peak_rss_mib=3072.0)
        self.run.write("summary.json", json.dumps(summary).encode())
        return summary


def picture(shade: int = 90) -> bytes:
    """A small PNG."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), (shade, 120, 200)).save(stream, "PNG")
    return stream.getvalue()


def prompt(name: str, source: str = "label_flips", answers: Sequence[str] = ("A", "B")) -> dict[str, Any]:
    """A prompt row whose answers are `NAME-A` and `NAME-B`."""
    return {
        "prompt_id": name,
        "source": source,
        "category": "counting",
        "language": "en",
        "images": [{"bytes": picture(), "path": None}],
        "history": None,
        "question": f"How many stars are there? ({name})",
        "reference": "two",
        "scene": None,
        "answers": [{"answer_id": f"{name}-{a}", "text": f"{HOSTILE} answer {a} of {name}"} for a in answers],
        "labels": [],
    }


def pair(name: str, prompt_id: str, source: str, planted: bool | None = None, **more: Any) -> dict[str, Any]:
    """A row of PAIRS with A over B."""
    sides = {"chosen_id": f"{prompt_id}-A", "rejected_id": f"{prompt_id}-B"}
    return {"pair_id": name, "prompt_id": prompt_id, "source": source, "planted_flip": planted, "strength": None} | (
        sides | more
    )


def pool(copies: int = 1) -> list[dict[str, Any]]:
    """One row per noisy pair: its label, its fate and its strength."""
    rows = []
    for source, planted, action, rule, number, strength in FATES:
        for _ in range(number * copies):
            place = len(rows)
            fate = {"action": action, "rule": rule, "strength": strength + 0.01 * (place % 7)}
            rows.append(pair(content_id("pair", place), f"open-{place:05d}", source, planted) | fate)
    return rows


def add_start(fake: FakeRun) -> None:
    """Trusted pairs: three constructed ones of two prompts, two text-to-image ones."""
    prompts = [prompt("distill-0", "distill"), prompt("distill-1", "distill")]
    fake.add("distill/rows", "scenes", {}, prompts, PROMPTS)
    answers = [
        {
            "prompt_id": p["prompt_id"],
            "answers": p["answers"],
            "origins": ["model:toy"] * len(p["answers"]),
            "samples": 4,
        }
        for p in prompts
    ]
    refused = [Dropped(DropReason.TOO_FEW_ANSWERS, "4 samples gave 1 <b>answer</b>").row("distill-2")]
    fake.add("construct/generate", "generate", {"rows": "distill/rows"}, answers, CANDIDATES, refused)
    judged = {"rows": "distill/rows", "candidates": "construct/generate"}
    for mode, overall in (("listwise", 8.5), ("pointwise", 7.25)):
        rows = [_judgement(p["prompt_id"], overall) for p in prompts]
        rows = [row | {"mode": mode} for row in rows]
        fake.add(f"construct/{mode}/annotator-0", mode, judged, rows, JUDGEMENTS)
    made = [pair(f"made-{n}", f"distill-{n}", "distill", strength=1.0 + n) for n in (0, 1)]
    judges = {f"{mode}/annotator-0": f"construct/{mode}/annotator-0" for mode in ("listwise", "pointwise")}
    inputs = {**judges, "rows": "distill/rows"}
    counts = {"prompts": 2, "answers": 4, "agreed": 2, "disagreed": 3, "tied": 1, "pairs": 2}
    fake.add("construct/pairs", "form_pairs", inputs, made, PAIRS, metrics=counts)
    shown = [{"prompt_id": f"t2i-{n}", "source": "t2i", "chosen_first": n == 0} for n in (0, 1)]
    fake.add("t2i/sides", "sides", {}, shown, SIDES, metrics={"rows": 2, "chosen_first": 1})
    fake.add("t2i/prompts", "reformulate", {}, [prompt(f"t2i-{n}", "t2i") for n in (0, 1)], PROMPTS)
    t2i = [pair(f"t2i-pair-{n}", f"t2i-{n}", "t2i") for n in (0, 1)]
    fake.add("t2i/pairs", "labels", {"rows": "t2i/prompts"}, t2i, PAIRS)
    fake.add("iter-00/pairs", "merge", {"pairs/construct": "construct/pairs"}, [*made, *t2i], PAIRS)
    fake.add("iter-00/train", "train", {"pairs": "iter-00/pairs"})
    fake.add("iter-00/evaluate", "evaluate", {}, metrics=measured(0.85))


def _judgement(prompt_id: str, overall: float) -> dict[str, Any]:
    scored = [(f"{prompt_id}-A", overall), (f"{prompt_id}-B", overall - 1)]
    assessments = [{"answer_id": name, "overall": value, "weights": [], "scores": []} for name, value in scored]
    return {
        "judgement_id": content_id("judgement", prompt_id),
        "prompt_id": prompt_id,
        "judge": "annotator-0",
        "shown": 0,
        "order": [name for name, _ in scored],
        "assessments": assessments,
        "attempts": 1,
        "faults": [],
    }


def measured(accuracy: float) -> dict[str, Any]:
    """What an evaluate step puts into its manifest: two benchmarks, the second a little harder."""
    return {
        name: {
            "accuracy": value,
            "interval": [value - 0.04, value + 0.03],
            "n": 200,
            "correct": int(200 * value),
            "ties": 0,
            "unscored": 0,
            "accuracy_ties_half": value,
            "macro_accuracy": value - 0.01,
            "acc_plus": None,
            "categories": {
                "general": {
                    "n": 200,
                    "correct": int(200 * value),
                    "accuracy": value,
                    "interval": [value - 0.05, value + 0.04],
                }
            },
            "longer_wins": 0.51,
            "shorter_wins": 0.47,
        }
        for name, value in (("vl_reward_bench", accuracy), ("mm_rlhf_reward_bench", accuracy - 0.1))
    }


def add_pool(fake: FakeRun, copies: int = 1) -> None:
    """The noisy pool; its last prompt's image is cut off."""
    noisy = pool(copies)
    rows = [prompt(row["prompt_id"], row["source"]) for row in noisy]
    rows[-1]["images"][0]["bytes"] = picture()[:40]
    fake.add("open/rows", "scenes", {}, rows, PROMPTS)
    fake.add("open/pairs", "labels", {"rows": "open/rows"}, [label_of(row) for row in noisy], PAIRS)


def add_baseline(fake: FakeRun, copies: int = 1) -> None:
    """The model of the trusted pairs and the pool as it came."""
    labels = [label_of(row) for row in pool(copies)]
    fake.add("raw_baseline/pairs", "merge", {"pairs/open": "open/pairs"}, labels, PAIRS)
    fake.add("raw_baseline/train", "train", {"pairs": "raw_baseline/pairs"})
    fake.add("raw_baseline/evaluate", "evaluate", {}, metrics=measured(0.78))


def label_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of PAIRS that the source gives."""
    return {column: row[column] for column in PAIRS.names} | {"strength": None}

"""How `dt2it train` and `dt2it score` are typed: their options, and what they say at the end."""

import json
from typing import Annotated, Any, Literal

import typer

Input = Annotated[
    str, typer.Option("--input", help="Rows: a file, a pattern, an archive, or a folder that `ingest` wrote.")
]
Format = Annotated[str, typer.Option("--format", help="Format of the rows, see docs/formats.md.")]
Mapping = Annotated[str, typer.Option("--mapping", help="YAML file that says which columns hold what.")]
ImageRoot = Annotated[str, typer.Option(help="Folder or archive of images named by path; else the input's.")]
Config = Annotated[str, typer.Option("--config", help="YAML file with settings, e.g. jobs/configs/hh_rlhf.yaml.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that replace the file's.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes on Ray.")]
Device = Annotated[str, typer.Option(help="cpu or cuda; else what the settings say.")]

FEW_STEPS = 20
"""A training of fewer optimizer steps is told to be short."""


def train(
    input: Input = "",
    output: Annotated[str, typer.Option("--output", help="Folder for the model, its log and refused pairs.")] = "",
    base: Annotated[str, typer.Option(help="Checkpoint to start from: a folder, or `tiny` (default).")] = "",
    format: Format = "",
    mapping: Mapping = "",
    image_root: ImageRoot = "",
    workers: Workers = None,
    micro_batch: Annotated[int | None, typer.Option(min=1, help="Most pairs of one forward pass.")] = None,
    micro_batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of one, in place of pairs.")
    ] = None,
    device: Device = "",
    held_out: Annotated[str, typer.Option(help="Pairs to evaluate on, read as --input; not learned from.")] = "",
    held_out_format: Annotated[str, typer.Option(help="Their format; else that of --input.")] = "",
    held_out_mapping: Annotated[str, typer.Option(help="YAML file that says which of their columns hold what.")] = "",
    held_out_image_root: Annotated[str, typer.Option(help="Folder or archive of their images.")] = "",
    config: Config = "",
    overrides: Overrides = None,
) -> None:
    """Train a reward model on preferences of any known format; the same command goes on after an interruption."""
    from dt2it_ray.pipeline.held_out_input import named_held_out
    from dt2it_ray.pipeline.preference_input import named_settings
    from dt2it_ray.pipeline.train_command import load_train_settings, run_train

    named = named_settings(input, output, format, image_root, mapping) | ({"base": base} if base else {})
    named |= named_held_out(held_out, held_out_format, held_out_image_root, held_out_mapping)
    placed = {
        "training.workers": workers,
        "training.micro_batch_pairs": micro_batch,
        "training.micro_batch_tokens": micro_batch_tokens,
        "training.gpus": _gpus(device),
    }
    settings = load_train_settings(config or None, [*_typed(named), *_typed(placed), *(overrides or ())])
    for line in train_lines(run_train(settings)):
        typer.echo(line)


def score(
    model: Annotated[
        list[str] | None, typer.Option(help="Folder of a reward model or an ensemble; of several the mean counts.")
    ] = None,
    input: Input = "",
    output: Annotated[str, typer.Option("--output", help="File of rewards: .parquet or .jsonl.")] = "",
    format: Annotated[
        str, typer.Option("--format", help="Format of the rows, see docs/formats.md; or `answers`.")
    ] = "",
    mapping: Mapping = "",
    image_root: ImageRoot = "",
    workers: Workers = None,
    device: Device = "",
    config: Config = "",
    overrides: Overrides = None,
) -> None:
    """Write the rewards of every answer of a file, in its order; rows that cannot be scored go beside the output."""
    from dt2it_ray.pipeline.preference_input import named_settings
    from dt2it_ray.pipeline.score_command import ScoreRunSettings, run_score
    from dt2it_ray.settings import load_settings

    named = named_settings(input, output, format, image_root, mapping) | ({"models": model} if model else {})
    engine = None if workers is None else "ray"
    placed = {"engine": engine, "workers": workers, "gpus": _gpus(device), "max_dropped": 1.0}
    given = {f"placement.score_rows.{name}": value for name, value in placed.items()} if workers or device else {}
    settings = load_settings(ScoreRunSettings, config or None, [*_typed(named), *_typed(given), *(overrides or ())])
    summary = run_score(settings)
    for reason, rows in summary["dropped"].items():
        typer.echo(f"{rows:,} rows refused: {reason}")
    typer.echo(f"{summary['rows']:,} rows scored in {summary['wall_s']:,} s: {settings.output}")


def train_lines(summary: dict[str, Any]) -> list[str]:
    """What is told of a training."""
    lines = [f"{rows:,} pairs refused: {reason}" for reason, rows in summary["dropped"].items()]
    lines.append(
        f"{summary['pairs']:,} pairs, {summary['steps']:,} steps, {summary['pairs_per_s']:,} pairs/s, "
        f"{summary['tokens_per_s']:,} tokens/s"
    )
    last = f"loss {summary['loss']:.4f}, accuracy {summary['accuracy']:.3f}, margin {summary['margin']:.3f}"
    lines.append(f"Last tenth of the steps, on the pairs it learns from: {last}")
    if summary["steps"] < FEW_STEPS:
        lines.append(
            f"{summary['steps']} steps are few: a smaller train.global_batch_pairs, more train.epochs "
            "or a larger train.head_learning_rate teach more where pairs are few"
        )
    if "held_out_pairs" in summary:
        lines.append(f"Held out: {summary['held_out_pairs']:,} pairs")
    lines += [f"Held out: {name} {value:.4f}" for name, value in summary.items() if name.startswith("eval_")]
    return [*lines, f"Model: {summary['model']}"]


def _typed(named: dict[str, Any]) -> list[str]:
    """Settings as they would be typed; None says nothing."""
    return [f"{key}={json.dumps(value)}" for key, value in named.items() if value is not None]


def _gpus(device: str) -> Literal[0, 1] | None:
    if device not in ("", "cpu", "cuda"):
        raise typer.BadParameter(f"{device!r} is neither cpu nor cuda", param_hint="--device")
    return None if not device else 1 if device == "cuda" else 0

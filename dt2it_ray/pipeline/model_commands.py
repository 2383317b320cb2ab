"""The verbs of `dt2it` that take finished reward models: put several into an ensemble, calibrate one."""

import json
from typing import Annotated, Any

import typer

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that replace the file's.")
]


def ensemble(
    members: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Folders of reward models.")],
    output: Annotated[str, typer.Option("--output", help="Folder of the ensemble, which opens like a model's.")],
    raw: Annotated[bool, typer.Option("--raw", help="Average raw rewards, not calibrated ones.")] = False,
) -> None:
    """Make one scorer of several reward models: the mean of their rewards, with how far they disagree."""
    from dt2it_ray.models.calibration import read_calibration
    from dt2it_ray.models.ensemble import write_ensemble

    write_ensemble(output, members, calibrated=not raw)
    typer.echo(f"{len(members)} models in {output}")
    for member in members:
        if not raw and read_calibration(member) is None:
            typer.echo(f"Before it can score: dt2it calibrate --model {member} --pairs FOLDER (or make it with --raw)")


def calibrate(
    model: Annotated[str, typer.Option("--model", help="Folder of a reward model or of an ensemble.")] = "",
    pairs: Annotated[str, typer.Option("--pairs", help="Folder of labelled pairs that `ingest` wrote.")] = "",
    config: Annotated[str, typer.Option("--config", help="YAML file of settings.")] = "",
    overrides: Overrides = None,
) -> None:
    """Fit the temperature that makes the sigmoid of a margin a probability, and keep it beside the weights."""
    from dt2it_ray.pipeline.calibrate_run import CalibrateSettings, calibrate_model, calibration_lines
    from dt2it_ray.settings import load_settings

    named = {"model": model, "pairs": pairs}
    given = [f"{key}={json.dumps(value)}" for key, value in named.items() if value]
    settings = load_settings(CalibrateSettings, config or None, [*given, *(overrides or ())])
    for line in calibration_lines(calibrate_model(settings), settings.model):
        typer.echo(line)


def export(
    output: Annotated[str, typer.Option("--output", help="File of pairs (.json, .jsonl, .parquet), or folder.")],
    input: Annotated[
        str, typer.Option("--input", help="Folder of pairs: of `ingest`, or a run of `construct` or `run`.")
    ] = "",
    model: Annotated[str, typer.Option("--model", help="Folder of a reward model whose weights to write.")] = "",
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Of pairs: llama_factory, trl, ms_swift, flat, ... (docs/formats.md). "
            "Of weights: vllm, sequence_classification, value_head, reward_model.",
        ),
    ] = "",
    pairs: Annotated[
        str, typer.Option(help="Model of a run whose training pairs to write; else the last iter-NN.")
    ] = "",
    license: Annotated[str, typer.Option(help="License of the weights on their card, e.g. apache-2.0.")] = "",
    base: Annotated[str, typer.Option(help="Name of the base on the card; else that of the run's settings.")] = "",
    results: Annotated[
        list[str] | None, typer.Option(help="File of `evaluate --json` to show on the card; may be repeated.")
    ] = None,
    push: Annotated[str, typer.Option(help="OWNER/NAME on a model hub to send the folder to.")] = "",
    public: Annotated[bool, typer.Option("--public", help="A repository made for it is open to all.")] = False,
) -> None:
    """Write preferences or weights for other tools: the pairs of --input as a file, or the --model as a folder."""
    weights = {"license": license, "base": base, "results": tuple(results or ()), "push": push}
    given: dict[str, Any] = {name: value for name, value in weights.items() if value}
    given |= {"private": False} if public else {}
    _refuse_mixed(input, model, pairs, given)
    if input:
        from dt2it_ray.pipeline.export_run import export_preferences

        typer.echo(export_preferences(input, output, to or "llama_factory", pairs))
        return
    from dt2it_ray.pipeline.export_model import ExportModelSettings, export_model

    typer.echo(export_model(ExportModelSettings(model=model, output=output, to=to or "vllm", **given)))


def _refuse_mixed(input: str, model: str, pairs: str, given: dict[str, Any]) -> None:
    from dt2it_ray.errors import ConfigError

    if bool(input) == bool(model):
        raise ConfigError("give one of --input FOLDER (pairs) and --model FOLDER (weights)")
    if input and given:
        named = ", ".join("public" if name == "private" else name for name in given)
        raise ConfigError(f"--input FOLDER writes pairs; {named} is for the weights of --model FOLDER")
    if model and pairs:
        raise ConfigError("--model FOLDER writes weights; --pairs is for the pairs of --input FOLDER")

"""The `dt2it` command: parses what was typed, calls the pipeline, turns failures into one message and an exit code."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from dt2it_ray.errors import Dt2itError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

Config = Annotated[
    str, typer.Option("--config", help="YAML file with the run's settings, e.g. jobs/configs/tiny.yaml.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that replace the file's.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, e.g. runs/demo.")]


@app.command()
def run(config: Config, overrides: Overrides = None) -> None:
    """Run the whole loop, or what is left of it."""
    from dt2it_ray.pipeline.driver import run_loop
    from dt2it_ray.pipeline.run_settings import RunSettings
    from dt2it_ray.settings import load_settings

    settings = load_settings(RunSettings, config, overrides or ())
    summary = run_loop(settings)
    accuracy = ", ".join(f"{model} {figures['mean_accuracy']:.3f}" for model, figures in summary["benchmarks"].items())
    typer.echo(f"Mean benchmark accuracy: {accuracy}")
    typer.echo(f"Report: {os.path.join(settings.folder(), 'report', 'index.html')}")


@app.command()
def plan(config: Config, overrides: Overrides = None) -> None:
    """Print the steps of a run, their fingerprints and what running would do with each; start nothing."""
    from dt2it_ray.models.backbones import find_backbone
    from dt2it_ray.pipeline.plan import plan_run
    from dt2it_ray.pipeline.run_settings import RunSettings
    from dt2it_ray.pipeline.step_state import step_state
    from dt2it_ray.settings import load_settings
    from dt2it_ray.store.files import Folder

    settings = load_settings(RunSettings, config, overrides or ())
    steps = plan_run(settings, find_backbone(settings.backbone))
    folder = Folder(settings.folder())
    for step in steps:
        typer.echo(f"{step_state(step, folder):<7} {step.fingerprint} {step.name}")


@app.command()
def construct(
    input: Annotated[str, typer.Option("--input", help="Rows to construct for: JSONL, a JSON list, or Parquet.")] = "",
    output: Annotated[str, typer.Option("--output", help="File of pairs: .json, .jsonl or .parquet.")] = "",
    to: Annotated[str, typer.Option("--to", help="Rows of a JSON output: llama_factory or flat.")] = "",
    config: Annotated[str, typer.Option("--config", help="YAML file, e.g. jobs/configs/construct.yaml.")] = "",
    overrides: Overrides = None,
) -> None:
    """Construct debiased pairs for the questions of a file; rows that cannot be used go to OUTPUT.dropped.jsonl."""
    from dt2it_ray.pipeline.construct_run import ConstructRunSettings, run_construction
    from dt2it_ray.settings import load_settings

    named = {"input": input, "output": output, "to": to}
    given = [f"{key}={json.dumps(value)}" for key, value in named.items() if value]
    settings = load_settings(ConstructRunSettings, config or None, [*given, *(overrides or ())])
    summary = run_construction(settings)
    typer.echo(f"{summary['pairs']:,} pairs in {settings.output}; {summary['dropped']:,} rows refused")
    if summary["simulated"]:
        typer.echo(f"Simulated annotators, which know the planted truth: {', '.join(summary['simulated'])}")
    typer.echo(f"Figures: {os.path.join(settings.folder(), 'summary.json')}")


@app.command()
def t2i(
    source: Annotated[str, typer.Option("--input", help="Rows: JSONL, a JSON list or Parquet, by the file's ending.")],
    output: Annotated[str, typer.Option("--output", help="Pairs; refused rows go to OUTPUT.dropped.jsonl.")],
    to: Annotated[str | None, typer.Option(help="llama_factory, jsonl or parquet; else by OUTPUT's ending.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other, equally balanced positions.")] = 42,
    shape: Annotated[str, typer.Option(help="Shape of the rows, if it is not to be found by looking at them.")] = "",
    ties: Annotated[str, typer.Option(help="keep or drop.")] = "keep",
    least_gap: Annotated[float, typer.Option(help="Leave out pairs whose scores are nearer.")] = 0.0,
    pairing: Annotated[str, typer.Option(help="Which pairs of several images: all or best.")] = "all",
    most_pairs: Annotated[int, typer.Option(help="At most so many pairs of a row; 0 for all.")] = 0,
    swap_augment: Annotated[bool, typer.Option("--swap-augment", help="Write every pair in both orders.")] = False,
    check_images: Annotated[bool, typer.Option("--check-images", help="Drop rows with unreadable images.")] = False,
    image_folder: Annotated[str | None, typer.Option(help="What image paths are relative to.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: one per core.")] = None,
) -> None:
    """Turn text-to-image preferences into two-image pairs with exactly balanced positions."""
    from dt2it_ray.pipeline.t2i_files import run_t2i_command

    told = run_t2i_command(
        source,
        output,
        to=to,
        workers=workers,
        check_images=check_images,
        image_folder=image_folder,
        seed=seed,
        shape=shape,
        ties=ties,
        least_gap=least_gap,
        pairing=pairing,
        most_pairs=most_pairs,
        swap_augment=swap_augment,
    )
    typer.echo(told)


@app.command()
def explain(pair_id: str, run: Annotated[str, typer.Option("--run", help="The run's folder.")] = "runs/demo") -> None:
    """Print the whole history of one pair: source, scores, judgements, votes, decisions."""
    from dt2it_ray.pipeline.lineage import explain_pair
    from dt2it_ray.store.files import Folder

    typer.echo(explain_pair(Folder(run), pair_id))


@app.command()
def report(run: Run) -> None:
    """Write the report page of a finished run again."""
    from dt2it_ray.pipeline.report_pages import rewrite_report
    from dt2it_ray.store.files import Folder

    typer.echo(rewrite_report(Folder(run)))


@app.command()
def serve(
    run: Run,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Serve every reward model of a run over HTTP until interrupted."""
    from dt2it_ray.pipeline.serve_run import serve_run
    from dt2it_ray.store.files import Folder

    serve_run(Folder(run), None, [f"host={json.dumps(host)}", f"port={port}"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `dt2it`. Exit codes: 0 done, 1 a step failed, 2 bad usage or config, 130 interrupted."""
    try:
        app(None if arguments is None else list(arguments))
    except Dt2itError as error:
        print(f"dt2it: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        # Typer turns Ctrl-C into this exit code and says nothing.
        if stop.code == INTERRUPTED:
            print("dt2it: interrupted; the same command goes on where this one stopped", file=sys.stderr)
        raise

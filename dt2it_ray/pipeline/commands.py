"""What the `dt2it` command can be asked, and which part of the pipeline does it."""

import json
import os
from typing import Annotated

import typer

from dt2it_ray.pipeline import model_commands, reward_commands

HELP = "Construct, curate and train multimodal reward models, after DT2IT-MRM (arXiv 2604.19544)."

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=HELP)
app.command()(reward_commands.train)
app.command()(reward_commands.score)
app.command()(model_commands.ensemble)
app.command()(model_commands.calibrate)
app.command()(model_commands.export)

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
    input: Annotated[str, typer.Option("--input", help="Rows to construct for: JSON, CSV or Parquet.")] = "",
    output: Annotated[str, typer.Option("--output", help="File of pairs: .json, .jsonl or .parquet.")] = "",
    to: Annotated[str, typer.Option("--to", help="Rows of a JSON output; names in docs/formats.md.")] = "",
    image_root: Annotated[str, typer.Option(help="Folder of images named by path; else the input's.")] = "",
    config: Annotated[str, typer.Option("--config", help="YAML file, e.g. jobs/configs/construct.yaml.")] = "",
    overrides: Overrides = None,
) -> None:
    """Construct debiased pairs for the questions of a file; rows that cannot be used go to OUTPUT.dropped.jsonl."""
    from dt2it_ray.pipeline.construct_run import ConstructRunSettings, run_construction
    from dt2it_ray.settings import load_settings

    named = {"input": input, "output": output, "to": to, "image_root": image_root}
    given = [f"{key}={json.dumps(value)}" for key, value in named.items() if value]
    settings = load_settings(ConstructRunSettings, config or None, [*given, *(overrides or ())])
    summary = run_construction(settings)
    typer.echo(f"{summary['pairs']:,} pairs in {settings.output}; {summary['dropped']:,} rows refused")
    if summary["simulated"]:
        typer.echo(f"Simulated annotators, which know the planted truth: {', '.join(summary['simulated'])}")
    typer.echo(f"Figures: {os.path.join(settings.folder(), 'summary.json')}")


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def t2i(context: typer.Context) -> None:
    """Turn text-to-image preferences into two-image pairs with exactly balanced positions."""
    from dt2it_ray.pipeline.t2i_command import run_t2i_command

    run_t2i_command(context.args)


@app.command()
def ingest(
    input: Annotated[
        str, typer.Option("--input", help="Rows: a file, a pattern of names, a folder or an archive.")
    ] = "",
    output: Annotated[str, typer.Option("--output", help="Folder of the data set to make.")] = "",
    format: Annotated[str, typer.Option("--format", help="Format of the rows, see docs/formats.md.")] = "",
    image_root: Annotated[str, typer.Option(help="Folder or archive of images named by path; else the input's.")] = "",
    images: Annotated[str, typer.Option(help="embed (default), reference or ignore.")] = "",
    config: Annotated[str, typer.Option("--config", help="YAML file, e.g. jobs/configs/ingest.yaml.")] = "",
    overrides: Overrides = None,
) -> None:
    """Read an outside data set, check every row, and drop what repeats or stands in a benchmark."""
    from dt2it_ray.pipeline.ingest_run import run_ingest_command

    named = {"files.input": input, "files.image_root": image_root, "output": output}
    named |= {"ingest.format": format, "ingest.images": images}
    for line in run_ingest_command(named, config or None, overrides or ()):
        typer.echo(line)


@app.command()
def inspect(
    input: Annotated[str, typer.Argument(metavar="INPUT", help="Folder that `ingest` wrote, a run, or outside rows.")],
    format: Annotated[str, typer.Option("--format", help="Format of outside rows.")] = "",
    image_root: Annotated[str, typer.Option(help="Folder or archive of images named by path; else the input's.")] = "",
    page: Annotated[str, typer.Option(help="HTML file to write; default: INPUT/inspect.html of a folder.")] = "",
) -> None:
    """Show what preferences are there: counts, lengths, strengths, and pairs with their images as a page."""
    from dt2it_ray.pipeline.inspect_run import inspect_preferences

    for line in inspect_preferences(input, format, image_root, page):
        typer.echo(line)


@app.command()
def evaluate(
    benchmark: Annotated[
        str, typer.Option(help="Name of the benchmark, e.g. vl_rewardbench; see docs/evaluation.md.")
    ] = "",
    rows: Annotated[str, typer.Option(help="File of the benchmark's rows, or the folder as released.")] = "",
    predictions: Annotated[
        list[str] | None, typer.Option(help="FILE or NAME=FILE of rewards, one line per row; several are compared.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="FOLDER or NAME=FOLDER of a reward model, ours or another's.")
    ] = None,
    image_root: Annotated[str, typer.Option(help="Folder of images named by path; else the rows'.")] = "",
    json: Annotated[str, typer.Option("--json", help="File for all figures.")] = "",
    save_predictions: Annotated[str, typer.Option(help="File for the rewards of the first model.")] = "",
    markdown: Annotated[str, typer.Option(help="File for the same as tables.")] = "",
    page: Annotated[str, typer.Option(help="HTML file: a leaderboard beside published figures.")] = "",
    config: Annotated[str, typer.Option("--config", help="YAML file, e.g. jobs/configs/evaluate.yaml.")] = "",
    overrides: Overrides = None,
) -> None:
    """Evaluate rewards on a benchmark, with official figures, intervals, and baselines beside them."""
    from dt2it_ray.pipeline.evaluate_command import Outputs, run_evaluation

    named = {"benchmark": benchmark, "rows": rows, "predictions": predictions, "models": model}
    named |= {"image_root": image_root}
    outputs = Outputs(json=json, markdown=markdown, page=page, save=save_predictions)
    for line in run_evaluation(named, outputs, config or None, overrides or ()):
        typer.echo(line)


@app.command()
def leaderboard(
    results: Annotated[list[str], typer.Argument(metavar="RESULT...", help="Files of `dt2it evaluate --json`.")],
    page: Annotated[str, typer.Option(help="HTML file to write.")],
) -> None:
    """Put results of several benchmarks on one page, beside published figures."""
    from dt2it_ray.pipeline.evaluate_command import write_leaderboard

    write_leaderboard(results, page)
    typer.echo(page)


@app.command("best-of-n")
def best_of_n(
    rows: Annotated[str, typer.Option(help="File of rows with answers, qualities and perhaps rewards.")] = "",
    rewards: Annotated[str, typer.Option(help="File of rewards by row; else those in the rows.")] = "",
    model: Annotated[str, typer.Option(help="Folder of a reward model that scores the answers.")] = "",
    json_file: Annotated[str, typer.Option("--json", help="File for the whole curve.")] = "",
    page: Annotated[str, typer.Option(help="HTML file: the curve against n and KL.")] = "",
    config: Annotated[str, typer.Option("--config", help="YAML file of settings.")] = "",
    overrides: Overrides = None,
) -> None:
    """Measure what a reward is worth for picking the best of n answers whose quality is known."""
    from dt2it_ray.pipeline.best_of_n_run import BestOfNSettings, run_best_of_n
    from dt2it_ray.settings import load_settings

    named = {"rows": rows, "rewards": rewards, "model": model}
    given = [f"{key}={json.dumps(value)}" for key, value in named.items() if value]
    settings = load_settings(BestOfNSettings, config or None, [*given, *(overrides or ())])
    for line in run_best_of_n(settings, json_file, page):
        typer.echo(line)


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
    host: Annotated[str, typer.Option(help="Address to listen on (127.0.0.1).")] = "",
    port: Annotated[int | None, typer.Option(help="Port to listen on (8000).")] = None,
    config: Annotated[str, typer.Option("--config", help="YAML file of settings, see docs/serving.md.")] = "",
    overrides: Overrides = None,
) -> None:
    """Serve every reward model of a run over HTTP until interrupted."""
    from dt2it_ray.pipeline.serve_run import serve_run
    from dt2it_ray.store.files import Folder

    typed = [f"host={json.dumps(host)}"] if host else []
    typed += [] if port is None else [f"port={port}"]
    serve_run(Folder(run), config or None, [*typed, *(overrides or ())])

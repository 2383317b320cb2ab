"""How a run gets its report page: its record, tables and summary are gathered and handed to the page's builder."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dt2it_ray.errors import StoreError
from dt2it_ray.pipeline import report_figures as figures
from dt2it_ray.pipeline.report_bias import judge_biases, style_biases
from dt2it_ray.pipeline.report_examples import example_pairs
from dt2it_ray.pipeline.run_record import SUMMARY_FILE, RunRecord, read_run
from dt2it_ray.pipeline.summary import rows_per_s
from dt2it_ray.report.build import build_page
from dt2it_ray.report.content import Curation, Refusal, ReportContent, StepLine
from dt2it_ray.settings import Settings
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest

PAGE = "report/index.html"


def write_report(run: Folder, settings: Settings, summary: Mapping[str, Any]) -> str:
    """Write the page of a run and return its path. What the run does not have leaves its section out."""
    content = gather_content(read_run(run), settings.model_dump(mode="json"), summary)
    run.write(PAGE, build_page(content).encode())
    return run.path(PAGE)


def rewrite_report(run: Folder) -> str:
    """Write the page of a finished run again from its files and return its path.

    Raises:
        StoreError: there is no run, it is not finished, or its record is damaged.
    """
    record = read_run(run)
    if not run.exists(SUMMARY_FILE):
        raise StoreError(f"{run.path(SUMMARY_FILE)} is missing: the run is not finished. Go on with `dt2it run`.")
    try:
        summary = json.loads(run.read(SUMMARY_FILE))
    except ValueError as error:
        raise StoreError(
            f"{run.path(SUMMARY_FILE)} is damaged: {error}. `dt2it run` writes it anew; no step is repeated."
        ) from None
    run.write(PAGE, build_page(gather_content(record, record.settings, summary)).encode())
    return run.path(PAGE)


def gather_content(record: RunRecord, settings: Mapping[str, Any], summary: Mapping[str, Any]) -> ReportContent:
    """Everything that the page shows. Examples are those of the last iteration."""
    decided = figures.decisions_by_iteration(record)
    return ReportContent(
        name=str(settings.get("name") or record.run.uri.rstrip("/").rpartition("/")[2]),
        summary=summary,
        steps=[_step_line(manifest) for manifest in record.manifests.values()],
        settings=settings,
        provenance=record.provenance,
        refusals=[refusal for manifest in record.manifests.values() for refusal in _refusals(record.run, manifest)],
        construction=figures.construction_of(record),
        rounds=[figures.round_of(record, name, decisions) for name, decisions in decided.items()],
        constructed_strengths=figures.constructed_strengths(record),
        pool_strengths=[figures.strengths_of_iteration(name, decisions) for name, decisions in decided.items()],
        curations=[
            _curation(record, name, decisions, last=name == max(decided)) for name, decisions in decided.items()
        ],
        truths=[truth for name, decisions in decided.items() for truth in figures.truths(name, decisions)],
        reliability=judge_biases(record),
        style=style_biases(record),
    )


def _curation(record: RunRecord, name: str, decisions: pa.Table, last: bool) -> Curation:
    return Curation(
        name=name,
        by_source=figures.tallies(decisions, "source"),
        by_rule=figures.tallies(decisions, "rule"),
        examples=example_pairs(record, name, decisions) if last else [],
    )


def _step_line(manifest: Manifest) -> StepLine:
    counts = manifest.counts
    return StepLine(
        name=manifest.step,
        rows_in=counts.rows_in + counts.skipped,
        rows_out=counts.rows_out,
        dropped=counts.dropped,
        skipped=counts.skipped,
        wall_s=manifest.provenance["wall_s"],
        rows_per_s=rows_per_s(manifest),
    )


def _refusals(run: Folder, manifest: Manifest) -> list[Refusal]:
    """One line per reason for which a step dropped rows, with the detail of the first such row by file and key."""
    details: dict[str, str] = {}
    data = manifest.data(run)
    for file in manifest.dropped:
        if set(details) >= set(manifest.counts.reasons):
            break
        rows = data.read_table(file.name, ["reason", "detail"])
        for reason, detail in zip(rows["reason"].to_pylist(), rows["detail"].to_pylist(), strict=True):
            details.setdefault(reason, detail or "")
    return [
        Refusal(step=manifest.step, reason=reason, rows=rows, detail=details.get(reason, ""))
        for reason, rows in manifest.counts.reasons.items()
    ]

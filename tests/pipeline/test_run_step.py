import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed, StepChanged, StoreError
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.pipeline.step_state import State, step_state
from dt2it_ray.stages.stage import ExportStage, Outcome, Placement, Step
from dt2it_ray.store.files import Folder
from tests.engine.toy import COUNT_ALL, NUMBERS, REMAINDERS, SUM, Count, Silent, double_step, index_step, reporter


@pytest.fixture
def run(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "run"))


def files(run: Folder, step: Step) -> dict[str, bytes]:
    """Every part of a step, refused rows included, without what may differ between runs."""
    data = run.child(f"{step.name}/{step.fingerprint}")
    return {name: data.read(name) for name in data.names(recursive=True) if name.endswith(".parquet")}


def drop_below(least: int):
    def dropping(batch: pa.Table) -> Outcome:
        low = [Dropped(DropReason.FIELD_INVALID, "low").row(key) for key in batch["id"].to_pylist() if int(key) < least]
        kept = batch.filter(pa.array([int(key) >= least for key in batch["id"].to_pylist()]))
        return Outcome(kept.select(["id", "double"]), dropped_table(low))

    return dropping


def do(run: Folder, *steps: Step) -> None:
    for step in steps:
        run_step(step, run, reporter())


def test_batch_size_and_row_order_change_no_byte(tmp_path: Path) -> None:
    made = []
    for place, (batch_rows, backwards) in enumerate([(1, False), (64, True), (1000, False)]):
        run, rows = Folder(str(tmp_path / str(place))), index_step(backwards=backwards)
        double = double_step(rows, batch_rows=batch_rows, drop_below=10)
        do(run, rows, double)
        made.append(files(run, double))
    assert made[0] == made[1] == made[2]
    assert len(made[0]) == 5  # four parts and the refused rows of the first


def test_rows_in_are_rows_out_and_dropped(run: Folder) -> None:
    rows = index_step()
    do(run, rows)
    counts = run_step(double_step(rows, drop_below=30), run, reporter()).counts
    assert (counts.rows_in, counts.rows_out, counts.dropped) == (1000, 970, 30)
    assert counts.reasons == {"field_invalid": 30}


def test_a_second_input_is_laid_beside_the_rows_and_lonely_rows_are_skipped(run: Folder) -> None:
    rows = index_step()
    double = double_step(rows, drop_below=30)
    both = Step(name="sum", stage=SUM, settings=Count(), inputs={"rows": rows, "doubles": double})
    do(run, rows, double)
    manifest = run_step(both, run, reporter())
    assert (manifest.counts.rows_in, manifest.counts.skipped) == (970, 30)
    assert read_rows(run, manifest)["double"].to_pylist() == [3 * n for n in range(30, 1000)]


def test_a_finished_step_is_not_run_again(run: Folder) -> None:
    rows = index_step()
    first = run_step(rows, run, reporter())
    heard = Silent()
    assert run_step(rows, run, heard) == first
    assert heard.started == []


def test_only_unsealed_parts_run_again(run: Folder) -> None:
    rows, heard = index_step(), Silent()
    double = double_step(rows)
    do(run, rows, double)
    undisturbed = files(run, double)
    run.delete("double/manifest.json")
    run.delete(f"double/{double.fingerprint}/seals/00001.parquet.json")
    assert step_state(double, run) == State.RESUME
    manifest = run_step(double, run, heard)
    assert heard.started == [("double", 1000, 700)]
    assert manifest.provenance["rows_before"] == 700
    assert files(run, double) == undisturbed


def test_a_changed_setting_is_refused_with_both_values(run: Folder) -> None:
    rows = index_step()
    do(run, rows, double_step(rows))
    changed = double_step(rows, factor=3)
    assert step_state(changed, run) == State.REFUSE
    with pytest.raises(StepChanged, match=r"factor: 2 -> 3[\s\S]*name=NAME[\s\S]*delete"):
        run_step(changed, run, reporter())


def test_a_changed_input_is_refused_by_name(run: Folder) -> None:
    rows = index_step()
    do(run, rows, double_step(rows))
    with pytest.raises(StepChanged, match="input rows"):
        run_step(double_step(index_step(n=900)), run, reporter())


def test_placement_is_no_change(run: Folder) -> None:
    rows = index_step()
    do(run, rows, double_step(rows))
    assert step_state(double_step(rows, batch_rows=7, workers=3), run) == State.SKIP


def test_a_failing_row_is_named(run: Folder) -> None:
    rows = index_step()
    do(run, rows)
    with pytest.raises(StageFailed, match=r"step double: row id='000417': ValueError: cannot stand 417"):
        run_step(double_step(rows, raise_at=417), run, reporter())


def test_what_was_sealed_before_a_failure_stays(run: Folder) -> None:
    rows = index_step()
    do(run, rows)
    with pytest.raises(StageFailed):
        run_step(double_step(rows, raise_at=417), run, reporter())
    broken = double_step(rows, raise_at=417)
    assert run.child(f"double/{broken.fingerprint}").names("seals") == ["seals/00000.parquet.json"]


def test_a_lost_row_fails_the_step(run: Folder) -> None:
    rows = index_step()
    do(run, rows)
    with pytest.raises(StageFailed, match=r"1 were lost.*'000000'"):
        run_step(double_step(rows, lose=True), run, reporter())


def test_too_many_dropped_rows_fail_the_step_until_the_limit_is_raised(run: Folder) -> None:
    rows = index_step()
    do(run, rows)
    strict = Step(
        name="double",
        stage=double_step(rows).stage,
        settings=double_step(rows, drop_below=600).settings,
        inputs={"rows": rows},
        placement=Placement(max_dropped=0.5),
    )
    # All 256 rows of the first slice are refused, then 44 to the end of the part; with the next 256 it can only fail.
    with pytest.raises(StageFailed, match=r"556 of 1000 rows.*field_invalid.*max_dropped"):
        run_step(strict, run, reporter())
    heard = Silent()
    run_step(dataclasses.replace(strict, placement=Placement(max_dropped=0.6)), run, heard)
    assert heard.started == [("double", 1000, 300)]


def test_too_many_dropped_rows_of_finished_parts_fail_a_resumed_step_too(run: Folder) -> None:
    rows = index_step()
    do(run, rows, double_step(rows, drop_below=600))
    run.delete("double/manifest.json")
    strict = dataclasses.replace(double_step(rows, drop_below=600), placement=Placement(max_dropped=0.5))
    with pytest.raises(StageFailed, match=r"600 of 1000 rows.*max_dropped"):
        run_step(strict, run, reporter())
    run.delete(f"double/{strict.fingerprint}/seals/00003.parquet.json")
    with pytest.raises(StageFailed, match=r"600 of 1000 rows.*max_dropped"):
        run_step(strict, run, reporter())


def test_rows_without_a_partner_do_not_count_when_dropped_rows_are_too_many(run: Folder) -> None:
    rows = index_step()
    # 900 of 1000 rows have no partner; 60 of the other 100 are dropped.
    few = double_step(rows, drop_below=900)
    do(run, rows, few)
    stage = dataclasses.replace(SUM, build=lambda settings, place: drop_below(960))
    both = Step(name="sum", stage=stage, settings=Count(), inputs={"rows": rows, "doubles": few})
    with pytest.raises(StageFailed, match=r"60 of 100 rows.*max_dropped=0.2"):
        run_step(both, run, reporter())


def test_a_damaged_input_file_is_named(run: Folder) -> None:
    rows = index_step()
    do(run, rows)
    path = f"index/{rows.fingerprint}/00002.parquet"
    run.write(path, run.read(path)[:100])
    with pytest.raises(StoreError, match=r"00002\.parquet.*damaged"):
        run_step(double_step(rows), run, reporter())


def test_a_step_whose_input_is_missing_says_which(run: Folder) -> None:
    with pytest.raises(StoreError, match="index is not finished"):
        run_step(double_step(index_step()), run, reporter())


def test_no_rows_at_all_make_an_empty_part(run: Folder) -> None:
    rows = index_step(n=0)
    do(run, rows)
    manifest = run_step(double_step(rows), run, reporter())
    assert [file.rows for file in manifest.files] == [0]
    assert isinstance(read_rows(run, manifest), pa.Table)


def test_a_stage_that_cannot_start_says_why(run: Folder) -> None:
    rows = index_step()
    do(run, rows)
    with pytest.raises(StageFailed, match=r"^step double cannot start: RuntimeError: the model is broken$"):
        do(run, double_step(rows, unbuildable=True))


@pytest.mark.parametrize(("divisor", "doubled"), [(1000, False), (300, True)])
def test_a_key_that_stands_in_two_parts_is_refused_where_all_parts_meet(
    run: Folder, divisor: int, doubled: bool
) -> None:
    rows = index_step()
    cut = Step(name="cut", stage=REMAINDERS, settings=Count(n=divisor), inputs={"rows": rows})
    count = Step(name="count", stage=COUNT_ALL, settings=Count(), inputs={"rows": cut})
    do(run, rows, cut)
    if not doubled:
        assert read_rows(run, run_step(count, run, reporter()))["n"].to_pylist() == [1000]
        return
    with pytest.raises(StageFailed, match=r"step cut, read by step count, have the key id = '000000'"):
        do(run, count)


def write_first(tables: Mapping[str, pa.Table], settings: Count, folder: Folder) -> Mapping[str, int]:
    folder.write("first.txt", str(tables["rows"].slice(0, settings.n).to_pylist()).encode())
    return {"rows": settings.n}


def test_an_export_counts_the_rows_that_it_wrote_and_skips_the_others(run: Folder) -> None:
    rows = index_step()
    stage = ExportStage(name="first", version=1, reads={"rows": NUMBERS}, export=write_first)
    do(run, rows)
    counts = run_step(
        Step(name="first", stage=stage, settings=Count(n=24), inputs={"rows": rows}), run, reporter()
    ).counts
    assert (counts.rows_in, counts.rows_out, counts.skipped) == (24, 24, 976)

import dataclasses
from pathlib import Path

import pytest

from dt2it_ray.engine.ray_map import DEATHS_OF_A_TASK
from dt2it_ray.errors import Dt2itError, StageFailed
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.stages.stage import Placement
from dt2it_ray.store.files import Folder
from tests.engine.toy import double_step, index_step, reporter
from tests.pipeline.test_run_step import files

pytestmark = pytest.mark.ray


def test_ray_actors_write_the_bytes_that_one_process_writes(ray_session: None, tmp_path: Path) -> None:
    made = []
    for engine, workers, batch_rows in [("local", 1, 64), ("ray", 1, 64), ("ray", 2, 7)]:
        run, rows = Folder(str(tmp_path / f"{engine}{workers}")), index_step()
        double = double_step(rows, engine, batch_rows, workers, drop_below=300)  # the first part is empty
        run_step(rows, run, reporter())
        assert run_step(double, run, reporter()).counts.dropped == 300
        made.append(files(run, double))
    assert made[0] == made[1] == made[2]


def test_a_killed_actor_costs_nothing(ray_session: None, tmp_path: Path) -> None:
    undisturbed, killed, rows = Folder(str(tmp_path / "a")), Folder(str(tmp_path / "b")), index_step()
    died = tmp_path / "died"
    for run, die_at in [(undisturbed, -1), (killed, 650)]:
        run_step(rows, run, reporter())
        run_step(double_step(rows, "ray", die_at=die_at, died=str(died)), run, reporter())
    assert died.exists()
    calm, rough = double_step(rows, "ray", died=str(died)), double_step(rows, "ray", die_at=650, died=str(died))
    assert files(undisturbed, calm) == files(killed, rough)


def test_a_row_that_kills_every_actor_ends_the_step(ray_session: None, tmp_path: Path) -> None:
    run, rows, deaths = Folder(str(tmp_path / "run")), index_step(), tmp_path / "deaths"
    run_step(rows, run, reporter())
    with pytest.raises(StageFailed, match="step double"):
        run_step(double_step(rows, "ray", die_at=650, died=str(deaths), dies_again=True), run, reporter())
    assert len(deaths.read_text().splitlines()) == 1 + DEATHS_OF_A_TASK


def test_a_failing_row_is_named_through_ray(ray_session: None, tmp_path: Path) -> None:
    run, rows = Folder(str(tmp_path)), index_step()
    run_step(rows, run, reporter())
    with pytest.raises(StageFailed, match=r"row id='000417': ValueError: cannot stand 417"):
        run_step(double_step(rows, "ray", raise_at=417), run, reporter())


def test_a_damaged_part_is_named_through_ray(ray_session: None, tmp_path: Path) -> None:
    run, rows = Folder(str(tmp_path)), index_step()
    run_step(rows, run, reporter())
    path = f"index/{rows.fingerprint}/00002.parquet"
    run.write(path, run.read(path)[:100])
    with pytest.raises(StageFailed, match=r"00002\.parquet.*damaged"):
        run_step(double_step(rows, "ray"), run, reporter())


def test_a_stage_that_cannot_start_is_one_message(ray_session: None, tmp_path: Path) -> None:
    run, rows = Folder(str(tmp_path)), index_step()
    run_step(rows, run, reporter())
    with pytest.raises(StageFailed, match=r"^step double cannot start: RuntimeError: the model is broken$"):
        run_step(double_step(rows, "ray", unbuildable=True), run, reporter())


@pytest.mark.parametrize("blocked", ["pieces", "00001.parquet/in the way"])
def test_an_output_that_cannot_be_written_is_one_message(ray_session: None, tmp_path: Path, blocked: str) -> None:
    run, rows = Folder(str(tmp_path)), index_step()
    run_step(rows, run, reporter())
    double = double_step(rows, "ray")
    run.write(f"double/{double.fingerprint}/{blocked}", b"")
    with pytest.raises(Dt2itError, match=r"^cannot (write|finish) [^\n]*double[^\n]*$"):
        run_step(double, run, reporter())


def test_too_many_dropped_rows_stop_a_step_of_actors_early(ray_session: None, tmp_path: Path) -> None:
    run, rows = Folder(str(tmp_path)), index_step()
    run_step(rows, run, reporter())
    double = double_step(rows, engine="ray", drop_below=1000)
    strict = dataclasses.replace(double, placement=Placement(engine="ray", max_dropped=0.1))
    # One slice of 256 rows, of which all are dropped, or two of 44 and of 100 are enough to tell.
    with pytest.raises(StageFailed, match=r"dropped \d{3} of 1000 rows .*field_invalid.*max_dropped=0.1"):
        run_step(strict, run, reporter())
    assert run.child(f"double/{double.fingerprint}").names("seals") != [f"seals/0000{n}.parquet.json" for n in range(4)]

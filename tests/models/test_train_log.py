"""What a training leaves to read, in the event files too."""

import json
import struct
from pathlib import Path

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.train_boards import BOARD, open_boards
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import SUMMARY, TRAINING_LOG, TrainLog, read_refused_pairs, write_summary
from dt2it_ray.models.train_settings import TrainSettings
from tests.models.test_train_loop import LocalSession


def events_in(folder: Path) -> dict[tuple[str, int], float]:
    """Scalars of a folder's event files by tag and step, without those that a later file says are void."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found: dict[tuple[str, int], float] = {}
    for path in sorted(folder.iterdir()):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (size,) = struct.unpack_from("<Q", content, place)
            event = Event.FromString(content[place + 12 : place + 12 + size])
            place += 16 + size
            if event.session_log.status == SessionLog.START:
                found = {key: value for key, value in found.items() if key[1] < event.step}
            found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
    return found


def log_steps(folder: Path, steps: range, loss: float, board: bool = True, rank: int = 0) -> None:
    fields = {"pairs_paths": (), "rows_paths": (), "output": str(folder), "tensorboard": board}
    job = TrainJob(settings=TrainSettings(), name="m", base="", **fields)
    session = LocalSession(folder / "state")
    session.rank = rank
    log = TrainLog(str(folder), rank, steps.start, open_boards(job, session, steps.start))
    for step in steps:
        log.write(step, {"loss": loss, "pairs": 4}, [])
    log.close()


def test_the_event_files_tell_what_the_lines_tell_after_a_restart_too(tmp_path: Path) -> None:
    log_steps(tmp_path, range(3), loss=1.0)
    log_steps(tmp_path, range(1, 3), loss=0.5)
    lines = [json.loads(line) for line in (tmp_path / TRAINING_LOG).read_text().splitlines()]
    assert [line["loss"] for line in lines] == [1.0, 0.5, 0.5]
    expected = {(f"train/{name}", line["step"]): line[name] for line in lines for name in ("loss", "pairs")}
    assert events_in(tmp_path / BOARD) == expected


def test_event_files_are_written_only_when_asked_for_and_by_worker_0(tmp_path: Path) -> None:
    log_steps(tmp_path / "off", range(1), loss=1.0, board=False)
    log_steps(tmp_path / "other", range(1), loss=1.0, rank=1)
    assert not (tmp_path / "off" / BOARD).exists()
    assert not (tmp_path / "other" / BOARD).exists()


def test_steps_count_in_the_summary_by_the_pairs_that_they_could_use(tmp_path: Path) -> None:
    steps = [(9, 0.0), *[(4, 1.0)] * 20, (3, 1.0), (1, 0.0), (0, 0.0)]
    lines = [{"step": n, "pairs": pairs, "pairs_per_s": 1.0 if pairs else 0.0} for n, (pairs, _) in enumerate(steps)]
    figures = [{"loss": 0.5, "accuracy": right, "margin": 2 * right} for _, right in steps]
    text = "".join(json.dumps(line | told) + "\n" for line, told in zip(lines, figures, strict=True))
    (tmp_path / TRAINING_LOG).write_text(text)
    write_summary(str(tmp_path))
    told = json.loads((tmp_path / SUMMARY).read_text())
    # The last tenth of the steps that used any pairs: one of 3 pairs and one of 1.
    assert (told["steps"], told["loss"], told["accuracy"], told["margin"]) == (24, 0.5, 0.75, 1.5)
    (tmp_path / TRAINING_LOG).write_text(json.dumps(lines[-1] | figures[-1]) + "\n")
    write_summary(str(tmp_path))
    assert json.loads((tmp_path / SUMMARY).read_text())["accuracy"] == 0.0


def test_half_a_line_of_a_worker_that_is_gone_for_good_hides_no_other(tmp_path: Path) -> None:
    log = TrainLog(str(tmp_path), 1, 0)
    # A line separator of Unicode, which JSON does not escape, ends no line.
    why = Dropped(DropReason.PROMPT_TOO_LONG, "99 tokens", "one\u2028two")
    log.write(0, {}, [("pair-a", why), ("pair-b", why)])
    path = tmp_path / "dropped-1.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    # With fewer workers nobody opens that file to write on.
    assert read_refused_pairs(str(tmp_path)) == [why.row("pair-a")]
    TrainLog(str(tmp_path), 1, 1)
    assert read_refused_pairs(str(tmp_path)) == [why.row("pair-a")]

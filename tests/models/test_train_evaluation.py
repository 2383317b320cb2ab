"""What a training does with held-out pairs: it measures what a scorer measures, stops, keeps the best, resumes so."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.chat import answered
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.models.evaluation_settings import EvaluationSettings
from dt2it_ray.models.held_out import held_out
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.models.train_evaluation import Standing
from dt2it_ray.models.train_job import CHECKPOINTS, TrainJob
from dt2it_ray.models.train_log import SUMMARY, read_refused_pairs, read_training_log
from dt2it_ray.models.train_loop import train
from dt2it_ray.models.train_rows import open_training_rows
from tests.models.random_model import ANSWERS, picture, write_toy_pairs
from tests.models.test_train_loop import WEIGHTS, Interrupted, LocalSession

pytestmark = pytest.mark.usefixtures("process_group")
SHARE = EvaluationSettings(held_out=0.3, every_steps=2)
STOPPING = EvaluationSettings(held_out=0.3, every_steps=1, metric="accuracy", patience=2, keep="best")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    return write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=12)


def evaluated(job: TrainJob, output: Path, evaluation: EvaluationSettings, **fields: Any) -> TrainJob:
    settings = job.settings.model_copy(update={"evaluation": evaluation})
    return dataclasses.replace(job, settings=settings, output=str(output), **fields)


def held_out_names(job: TrainJob) -> list[str]:
    """The pairs of the job that it evaluates on."""
    rows = open_training_rows(job.pairs_paths, job.rows_paths)
    taken = held_out(rows, (), job.settings.evaluation, job.settings.seed)
    assert taken is not None
    return [name for name, out in zip(rows.all_pair_ids().to_pylist(), taken, strict=True) if out]


def mean_margin(folder: Path, names: list[str]) -> float:
    """The mean margin of pairs by the scorer of a finished model."""
    scorer, margins = TorchScorer(str(folder), threads=1), []
    for name in names:
        _, worse, number = name.split("-")
        question = f"How many red circles are in image {int(number)}?"
        chats = [
            Conversation(tuple(answered(question, 1, ANSWERS[answer])), (picture(int(number)),))
            for answer in ("right", worse)
        ]
        right, wrong = scorer.score(chats)
        margins.append(right - wrong)  # pyright: ignore[reportOperatorIssue]
    return sum(margins) / len(margins)


def test_held_out_pairs_are_not_learned_from_and_measure_what_the_scorer_measures(
    job: TrainJob, tmp_path: Path
) -> None:
    job = evaluated(job, tmp_path, SHARE)
    train(job, LocalSession(tmp_path / "state"))
    names, steps = held_out_names(job), read_training_log(job.output)
    assert sum(step["pairs"] for step in steps) == 24 - len(names)
    assert {name[-3:] for name in names} & {f"{number:03}" for number in range(12)}
    measured = [step["step"] for step in steps if "eval_loss" in step]
    assert measured == [step for step in range(len(steps)) if step % 2 or step == len(steps) - 1]
    assert steps[-1]["eval_pairs"] == len(names)
    assert steps[-1]["eval_margin"] == pytest.approx(mean_margin(tmp_path / "model", names), abs=1e-4)
    summary = json.loads((tmp_path / SUMMARY).read_bytes())
    assert summary["model_step"] == len(steps) - 1
    assert summary["eval_margin"] == steps[-1]["eval_margin"]


def test_evaluating_changes_no_weight(job: TrainJob, tmp_path: Path) -> None:
    held, learned = job.pairs_paths
    plain = dataclasses.replace(job, pairs_paths=(learned,), output=str(tmp_path / "plain"))
    train(plain, LocalSession(tmp_path / "plain-state"))
    measured = evaluated(plain, tmp_path / "measured", EvaluationSettings(every_steps=1), held_out_paths=(held,))
    train(measured, LocalSession(tmp_path / "state"))
    assert (tmp_path / "measured" / WEIGHTS).read_bytes() == (tmp_path / "plain" / WEIGHTS).read_bytes()
    assert [step["eval_pairs"] for step in read_training_log(measured.output)] == [12, 12, 12]


def test_a_training_stops_when_nothing_is_gained_keeps_the_best_model_and_resumes_so(
    job: TrainJob, tmp_path: Path
) -> None:
    longer = job.settings.model_copy(update={"epochs": 4})
    whole = evaluated(dataclasses.replace(job, settings=longer), tmp_path / "whole", STOPPING)
    train(whole, LocalSession(tmp_path / "state"))
    steps = read_training_log(whole.output)
    accuracies = [step["eval_accuracy"] for step in steps]
    best = accuracies.index(max(accuracies))
    assert max(accuracies) == 1.0
    assert len(steps) == best + 3 < 4 * 4
    model = tmp_path / "whole" / "model"
    assert steps[best]["eval_margin"] == pytest.approx(mean_margin(model, held_out_names(whole)), abs=1e-4)
    assert json.loads((tmp_path / "whole" / SUMMARY).read_bytes())["model_step"] == best
    assert not (tmp_path / "whole" / CHECKPOINTS / "best").exists()
    killed = dataclasses.replace(whole, output=str(tmp_path / "killed"), checkpoint_every_steps=1)
    for lives in (1, best + 1):
        with pytest.raises(Interrupted):
            train(killed, LocalSession(tmp_path / "half", checkpoints_to_live=lives))
    train(killed, LocalSession(tmp_path / "half"))
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (model / "model.safetensors").read_bytes()
    again = read_training_log(killed.output)
    figures = [name for name in steps[0] if not name.endswith("_per_s")]
    assert [[step[name] for name in figures] for step in again] == [[step[name] for name in figures] for step in steps]


def test_the_best_evaluation_is_the_earliest_of_equals_and_counts_those_since() -> None:
    def bests(settings: EvaluationSettings, values: list[float]) -> tuple[list[bool], Standing]:
        standing = Standing(settings)
        taken = [standing.take(step, {f"eval_{settings.metric}": value}) for step, value in enumerate(values)]
        return taken, standing

    taken, standing = bests(EvaluationSettings(metric="loss", patience=2), [0.7, 0.5, 0.5, 0.6])
    assert (taken, standing.best_step, standing.hopeless) == ([True, True, False, False], 1, True)
    taken, standing = bests(EvaluationSettings(metric="margin", patience=3), [0.7, 0.5, 0.9, 0.9, 0.9])
    assert (taken, standing.best_step, standing.hopeless) == ([True, False, True, False, False], 2, False)
    other = Standing(standing.settings)
    other.restore(json.loads(json.dumps(standing.state())))
    assert other == standing


def test_a_prompt_stays_held_out_when_pairs_are_added(job: TrainJob) -> None:
    few = dataclasses.replace(evaluated(job, Path(), SHARE), pairs_paths=job.pairs_paths[:1])
    many = held_out_names(evaluated(job, Path(), SHARE))
    assert set(held_out_names(few)) == {name for name in many if "short" in name}
    assert {name.replace("short", "wrong") for name in many} == {name for name in many if "wrong" in name}


def test_a_held_out_pair_that_cannot_be_used_is_refused_by_name(job: TrainJob, tmp_path: Path) -> None:
    measured = evaluated(job, tmp_path, SHARE)
    collate = job.settings.collate.model_copy(update={"max_length": 100})
    settings = measured.settings.model_copy(update={"collate": collate})
    train(dataclasses.replace(measured, settings=settings), LocalSession(tmp_path / "state"))
    refused = {row["key"] for row in read_refused_pairs(str(tmp_path))}
    assert refused == {f"pair-wrong-{number:03}" for number in range(12)}
    (last,) = read_training_log(str(tmp_path))[-1:]
    assert last["eval_refused"] == len([name for name in held_out_names(measured) if "wrong" in name]) > 0
    assert last["eval_pairs"] + last["eval_refused"] == len(held_out_names(measured))


def test_what_cannot_be_evaluated_on_is_named(job: TrainJob, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set train\.evaluation\.held_out to the share"):
        train(evaluated(job, tmp_path, EvaluationSettings(patience=1)), LocalSession(tmp_path / "state"))
    with pytest.raises(InputError, match=r"of 24 pairs 0 are held out"):
        train(evaluated(job, tmp_path, EvaluationSettings(held_out=1e-9)), LocalSession(tmp_path / "state"))
    first = pq.read_table(job.pairs_paths[0]).slice(0, 2)
    pq.write_table(first, tmp_path / "same")
    twice = evaluated(job, tmp_path, EvaluationSettings(), held_out_paths=(str(tmp_path / "same"),))
    with pytest.raises(InputError, match=r"2 pairs are given twice, first pair-short-000"):
        train(twice, LocalSession(tmp_path / "state"))

"""How pairs are drawn and weighed by the errors of a model in training."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dt2it_ray.errors import InputError
from dt2it_ray.models.sampler import Sampler
from dt2it_ray.models.sampler_settings import SamplerSettings
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_training_log
from dt2it_ray.models.train_loop import train
from dt2it_ray.models.train_rows import TrainingRows
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS, Interrupted, LocalSession

PAIRS, BATCH = 40, 8
SCHEDULE = Schedule(PAIRS, epochs=3, global_batch=BATCH, micro_batch=BATCH, world_size=1)
STEPS = SCHEDULE.steps_per_epoch


def groups(sources: list[str] | None = None) -> TrainingGroups:
    """Pairs of one prompt each; the chosen answer of every fourth is the longer one."""
    names = [f"{number:02}" for number in range(PAIRS)]
    pairs = {
        "pair_id": names,
        "prompt_id": names,
        "chosen_id": [f"c{name}" for name in names],
        "rejected_id": [f"r{name}" for name in names],
        "source": sources or ["one"] * PAIRS,
    }
    prompts = pa.table({"prompt_id": names, "images": [[]] * PAIRS, "history": [None] * PAIRS, "question": names})
    texts = ["long" if number % 4 == 0 else "s" for number in range(PAIRS)] + ["mid"] * PAIRS
    answers = pa.table({"answer_id": pairs["chosen_id"] + pairs["rejected_id"], "text": texts})
    return TrainingGroups(TrainingRows(pa.table(pairs), prompts, answers), kwise=False)


def sampler(rows: TrainingGroups | None = None, **settings: Any) -> Sampler:
    return Sampler(rows or groups(), SamplerSettings(**settings), SCHEDULE, seed=3)


def round_of(drawn: Sampler, first: int, steps: int = STEPS) -> list[list[int]]:
    if drawn.starts_round(first):
        drawn.start_round(first)
    return [drawn.batch(step).tolist() for step in range(first, first + steps)]


def test_without_errors_a_round_is_the_epoch_of_a_uniform_training() -> None:
    uniform = [sampler().batch(step).tolist() for step in range(STEPS)]
    assert round_of(sampler(kind="hard"), 0) == uniform
    assert sorted(index for batch in uniform for index in batch) == list(range(PAIRS))
    assert not sampler().starts_round(0)
    assert sampler().state() == {}


def test_hard_pairs_come_as_often_as_their_weight_says() -> None:
    drawn = sampler(kind="hard", floor=0.2, most=100.0)
    drawn.hear([(index, 1.0 if index < 4 else 0.0) for index in range(PAIRS)])
    counts = Counter(index for batch in round_of(drawn, 0) for index in batch)
    assert sum(counts.values()) == PAIRS
    # Weights are 1 for the four and 0.2 for the others: 40 * 1 / 11.2 = 3.57 and 0.71 times.
    assert all(counts[index] in (3, 4) for index in range(4))
    assert all(counts[index] in (0, 1) for index in range(4, PAIRS))
    capped = sampler(kind="hard", floor=0.2, most=2.0)
    capped.hear([(index, float(index < 4)) for index in range(PAIRS)])
    assert capped.start_round(0)["sampler_most"] < 2.6
    assert drawn.start_round(0) == {
        "sampler_effective": pytest.approx(11.2**2 / (40 * 5.44)),
        "sampler_most": pytest.approx(40 / 11.2),
        "sampler_error": pytest.approx(0.1),
    }


def test_rare_patterns_come_as_often_as_frequent_ones_where_rarity_is_1() -> None:
    drawn = sampler(groups(["rare"] * 4 + ["often"] * 36), kind="rare_patterns", rarity=1.0, floor=1.0, most=100.0)
    counts = Counter(index for batch in round_of(drawn, 0) for index in batch)
    assert [counts[index] for index in range(4)] == [5, 5, 5, 5]
    told = sampler(groups(), kind="rare_patterns", patterns=("source", "longer")).start_round(0)["sampler_patterns"]
    assert {name: figures["share"] for name, figures in told.items()} == {"one | chosen": 0.25, "one | rejected": 0.75}
    # 0.25 ** -0.5 and 0.75 ** -0.5, over their mean.
    assert told["one | chosen"]["weight"] == pytest.approx(2 / (0.25 * 2 + 0.75**0.5), rel=1e-5)


def test_a_pattern_that_the_model_gets_wrong_comes_more_often() -> None:
    drawn = sampler(groups(["a"] * 20 + ["b"] * 20), kind="rare_patterns", floor=0.2)
    # A pair not seen yet has the error of its pattern.
    drawn.hear([(0, 0.9), (20, 0.1)])
    told = drawn.start_round(0)["sampler_patterns"]
    assert (told["a"]["error"], told["b"]["error"]) == (0.9, 0.1)
    assert told["a"]["weight"] / told["b"]["weight"] == pytest.approx((0.2 + 0.8 * 0.9) / (0.2 + 0.8 * 0.1), rel=1e-5)


def test_weighing_leaves_the_order_and_the_mean_weight() -> None:
    rows = groups()
    weighed = sampler(rows, kind="hard", act="weigh", floor=0.5, power=2.0)
    weighed.hear([(index, index / PAIRS) for index in range(PAIRS)])
    assert round_of(weighed, 0) == [sampler().batch(step).tolist() for step in range(STEPS)]
    expected = 0.5 + 0.5 * (np.arange(PAIRS) / PAIRS) ** 2
    assert rows.weights == pytest.approx(expected / expected.mean())


def test_a_sampler_goes_on_in_the_middle_of_a_round() -> None:
    def heard(kind: Sampler, steps: range) -> list[list[int]]:
        batches = []
        for step in steps:
            if kind.starts_round(step):
                kind.start_round(step)
            batches.append(kind.batch(step).tolist())
            kind.hear([(index, ((index * 7 + step) % 10) / 10) for index in batches[-1]])
        return batches

    first = sampler(kind="hard", every_steps=3)
    heard(first, range(7))
    second = sampler(kind="hard", every_steps=3)
    second.restore({name: array.copy() for name, array in first.state().items()})
    assert heard(second, range(7, 15)) == heard(first, range(7, 15))


def test_settings_that_do_nothing_and_columns_that_are_not_there_are_named() -> None:
    with pytest.raises(ValueError, match=r"sampler\.power, sampler\.floor do nothing with sampler\.kind=uniform"):
        SamplerSettings(power=2.0, floor=0.5)
    with pytest.raises(ValueError, match=r"needs sampler\.patterns"):
        SamplerSettings(kind="rare_patterns", patterns=())
    with pytest.raises(InputError, match=r"no column 'language'; there are source, longer"):
        sampler(kind="rare_patterns", patterns=("language",))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    return write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=12)


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "hard", "every_steps": 2, "power": 2.0},
        {"kind": "hard", "floor": 0.1, "measure": "all", "act": "weigh"},
    ],
)
def test_a_training_with_a_sampler_resumes_with_the_same_bytes_and_logs_its_weights(
    job: TrainJob, tmp_path: Path, settings: dict[str, Any]
) -> None:
    chosen = job.settings.model_copy(
        update={"sampler": SamplerSettings(**settings), "epochs": 2, "learning_rate": 1e-4}
    )
    whole = dataclasses.replace(job, settings=chosen, output=str(tmp_path / "whole"))
    train(whole, LocalSession(tmp_path / "s0"))
    steps = read_training_log(whole.output)
    every = settings.get("every_steps", 6)
    assert [step["step"] for step in steps if "sampler_effective" in step] == list(range(0, 12, every))
    assert steps[every]["sampler_effective"] < 0.9999
    assert 0 < steps[every]["sampler_error"] < 1
    killed = dataclasses.replace(whole, output=str(tmp_path / "killed"), checkpoint_every_steps=1)
    for lives in (3, 4):
        with pytest.raises(Interrupted):
            train(killed, LocalSession(tmp_path / "s1", checkpoints_to_live=lives))
    train(killed, LocalSession(tmp_path / "s1"))
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    plain = job.settings.model_copy(update={"epochs": 2, "learning_rate": 1e-4})
    train(dataclasses.replace(job, settings=plain, output=str(tmp_path / "plain")), LocalSession(tmp_path / "s2"))
    assert (tmp_path / "plain" / WEIGHTS).read_bytes() != (tmp_path / "whole" / WEIGHTS).read_bytes()

"""`dt2it evaluate` finds in the files of a finished run what the loop itself told of its models."""

import json
from pathlib import Path

import pytest

from dt2it_ray.pipeline.evaluate_run import EvaluateRunSettings, evaluate_benchmark
from tests.loop.runs import LIMIT_S

pytestmark = [pytest.mark.loop, pytest.mark.timeout(2 * LIMIT_S)]
SAME = ("n", "correct", "accuracy", "macro_accuracy", "acc_plus", "ties", "longer_wins", "shorter_wins", "categories")


@pytest.mark.parametrize("benchmark", ["vl_rewardbench", "multimodal_rewardbench", "mm_rlhf_rewardbench"])
def test_the_command_and_the_loop_tell_the_same_figures(finished: Path, benchmark: str) -> None:
    def manifest(step: str) -> dict:
        return json.loads((finished / step / "manifest.json").read_text())

    def data(step: str) -> Path:
        return finished / step / manifest(step)["fingerprint"]

    model = f"base={data('iter-00/train') / 'model'}"
    rows = str(data(f"sources/{benchmark}"))
    told = evaluate_benchmark(EvaluateRunSettings(benchmark=benchmark, rows=rows, models=(model,))).result
    loop = manifest("iter-00/evaluate")["metrics"][benchmark]
    # JSON has lists where Python has tuples.
    here = json.loads(json.dumps({name: told[name] for name in SAME}))
    assert here == {name: loop[name] for name in SAME}
    assert told["calibration"]["ece"] == loop["calibration"]["ece"]

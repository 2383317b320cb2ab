"""A real training by `dt2it train` and its model in `dt2it score`: rows with and without images, one too long."""

import json
from pathlib import Path

from dt2it_ray.pipeline.reward_commands import train_lines
from dt2it_ray.pipeline.score_command import ScoreRunSettings, run_score
from dt2it_ray.pipeline.train_command import TrainRunSettings, run_train
from tests.models.random_model import write_random_model
from tests.stages.ingest_files import flat, picture, write_lines


def test_a_model_is_trained_and_scores_the_rows_it_can_read(tmp_path: Path, ray_session: None) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    rows = [flat(f"What {n}?", f"Red {n}.", f"Blue {n}.", **({"image": "a.png"} if n % 2 else {})) for n in range(8)]
    rows.append(flat("far too long " * 200, "Red.", "Blue."))
    source = write_lines(tmp_path / "rows.jsonl", rows)
    read = {"files": {"input": source}, "ingest": {"format": "flat"}}
    how = {"global_batch_pairs": 4, "precision": "float32", "collate": {"max_length": 200}}
    base = str(write_random_model(tmp_path / "base"))
    tree = {**read, "output": str(tmp_path / "out"), "base": base, "name": "mine", "train": how}
    summary = run_train(TrainRunSettings.model_validate(tree))
    assert (summary["pairs"], summary["steps"], summary["dropped"]) == (8, 3, {"prompt_too_long": 1})
    assert any(line.startswith("8 pairs, 3 steps") for line in train_lines(summary))
    assert json.loads((tmp_path / "out" / "model" / "reward_config.json").read_text())["name"] == "mine"
    assert len((tmp_path / "out" / "train.jsonl").read_text().splitlines()) == 3
    scored = {**read, "models": [str(tmp_path / "out" / "model")], "output": str(tmp_path / "scores.jsonl")}
    assert run_score(ScoreRunSettings.model_validate(scored))["dropped"] == {"prompt_too_long": 1}
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == list(range(1, 9))
    assert len({reward for line in lines for reward in line["rewards"]}) == 16

"""Which pairs a training learns from and which it is measured on: a share of the prompts, or a table of their own."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.ids import unit_interval
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.models.evaluation_settings import EvaluationSettings
from dt2it_ray.models.train_rows import TrainingRows, read_pair_ids


def held_out(
    rows: TrainingRows, own_paths: Sequence[str], settings: EvaluationSettings, seed: int
) -> np.ndarray | None:
    """[pairs] which of the rows are to be evaluated on; None: no evaluation.

    `own_paths` are part files of pairs to evaluate on, which are among the rows.

    Raises:
        ConfigError: the settings ask for what needs held-out pairs, and there are none.
        InputError: a pair is to be learned from and to be evaluated on, or one side is empty.
    """
    if own_paths:
        taken = _from_tables(rows, own_paths)
    elif settings.held_out:
        taken = _of_prompts(rows.prompt_ids(), settings.held_out, seed)
    elif settings.decides:
        raise ConfigError(
            "train.evaluation.patience and keep=best need pairs to evaluate on: set train.evaluation.held_out to the "
            "share of the prompts to keep from training, e.g. 0.05, or give a table of held-out pairs"
        )
    else:
        return None
    if taken.all() or not taken.any():
        raise InputError(
            f"of {len(taken)} pairs {int(taken.sum())} are held out for evaluation, so that one side has none: change "
            f"train.evaluation.held_out={settings.held_out} or bring more prompts"
        )
    return taken


def _from_tables(rows: TrainingRows, paths: Sequence[str]) -> np.ndarray:
    names, own = rows.all_pair_ids(), read_pair_ids(paths)
    counts = pc.value_counts(names)
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise InputError(
            f"{len(twice)} pairs are given twice, first {twice[0].as_py()}: a pair to evaluate on must not be among "
            "those to learn from; leave it out of one of the two tables"
        )
    return pc.is_in(names, value_set=own).to_numpy(zero_copy_only=False)


def _of_prompts(prompts: pa.Array, share: float, seed: int) -> np.ndarray:
    coded = prompts.dictionary_encode()
    drawn = np.array([unit_interval("held-out", seed, name) < share for name in coded.dictionary.to_pylist()])
    return drawn[coded.indices.to_numpy()]

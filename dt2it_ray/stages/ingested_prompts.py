"""How ingested preferences become prompt rows: each prompt once, with all its answers and labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.rules.joined_pairs import PlantedFlips, join_pairs
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingested import parts_of
from dt2it_ray.stages.stage import LoadStage, Outcome
from dt2it_ray.store.files import Folder

PROMPTS_AT_ONCE = 50_000
"""Prompts whose answers are in memory at a time. The rows of a prompt mostly stand together, so that few files are read
twice."""
TEXTS = ["prompt_id", "source", "chosen", "rejected"]
OF_FIRST = ["category", "language", "images", "history", "question", "reference"]


class JoinSettings(Settings):
    """What is done to labels on the way."""

    planted_flips: dict[str, float] = Field(default_factory=dict)
    """Part of the labels of a data set to turn round on purpose, by the name of the input, so that repairs can be
    counted. Empty: none."""
    seed: int = 0
    """Other seeds turn others round."""


@dataclass(frozen=True)
class _Part:
    """A file of ingested rows, and where its rows begin among all."""

    folder: Folder
    name: str
    begin: int
    rows: int
    data_set: str


def load_ingested_prompts(folders: Mapping[str, Folder], settings: JoinSettings) -> Iterator[Outcome]:
    """Rows of PROMPTS in the order in which prompts first occur; inputs `rows/NAME` in the order of their names.

    A prompt of several sources is a row for each. Memory is bounded: texts are read for some prompts at a time, images
    with the first row of each.
    """
    parts, keys = _prompt_keys(folders)
    row_prompt = np.unique(keys, return_inverse=True)[1]
    first_row = np.full(int(row_prompt.max(initial=-1)) + 1, len(keys))
    np.minimum.at(first_row, row_prompt, np.arange(len(keys)))
    is_first = first_row[row_prompt] == np.arange(len(keys))
    seen: dict[str, str] = {}
    for window in _windows(parts, is_first):
        here = slice(window[0].begin, window[-1].begin + window[-1].rows)
        begun = row_prompt[here][is_first[here]]
        members = _members(parts, np.isin(row_prompt, begun))
        for part in window:
            firsts = pa.array(is_first[part.begin : part.begin + part.rows])
            rows = _read(part, [*TEXTS, *OF_FIRST]).filter(firsts)
            yield _joined(rows, members, part, settings, seen)


def _prompt_keys(folders: Mapping[str, Folder]) -> tuple[list[_Part], np.ndarray]:
    """All files, and for every row a name of its prompt and source."""
    parts: list[_Part] = []
    keys: list[np.ndarray] = []
    begin = 0
    for data_set in sorted(folders):
        for name in parts_of(folders[data_set]):
            table = folders[data_set].read_table(name, ["prompt_id", "source"])
            keys.append(_keys(table))
            parts.append(_Part(folders[data_set], name, begin, table.num_rows, data_set.partition("/")[2]))
            begin += table.num_rows
    return parts, np.concatenate(keys) if keys else np.array([], dtype="S1")


def _keys(table: pa.Table) -> np.ndarray:
    joined = pc.binary_join_element_wise(table["prompt_id"], pc.fill_null(table["source"], ""), " ")
    return np.array([content_id(key).encode() for key in joined.to_pylist()], dtype="S20")


def _windows(parts: list[_Part], is_first: np.ndarray) -> Iterator[list[_Part]]:
    """Neighbouring files that begin about as many prompts as may be in memory."""
    window: list[_Part] = []
    begun = 0
    for part in parts:
        window.append(part)
        begun += int(is_first[part.begin : part.begin + part.rows].sum())
        if begun >= PROMPTS_AT_ONCE:
            yield window
            window, begun = [], 0
    if window:
        yield window


def _members(parts: list[_Part], wanted: np.ndarray) -> dict[tuple[str, str], list[dict[str, str]]]:
    """The preferences of the wanted prompts by prompt and source, in the order of the rows."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for part in parts:
        here = wanted[part.begin : part.begin + part.rows]
        if here.any():
            for row in _read(part, TEXTS).filter(pa.array(here)).to_pylist():
                found.setdefault((row["prompt_id"], row["source"]), []).append(row)
    return found


def _read(part: _Part, columns: list[str]) -> pa.Table:
    return part.folder.read_table(part.name, columns)


def _joined(
    rows: pa.Table,
    members: Mapping[tuple[str, str], list[dict[str, str]]],
    part: _Part,
    settings: JoinSettings,
    seen: dict[str, str],
) -> Outcome:
    """The prompts that begin in a file. `seen` is as in `own_prompt`."""
    share = settings.planted_flips.get(part.data_set)
    planted = None if share is None else PlantedFlips(share, settings.seed)
    names, answers, labels = [], [], []
    for prompt, source in zip(rows["prompt_id"].to_pylist(), rows["source"].to_pylist(), strict=True):
        names.append(own_prompt(prompt, source, seen))
        joined = join_pairs(names[-1], source, members[prompt, source], planted)
        answers.append(joined.answers)
        labels.append(joined.labels)
    columns = {
        "prompt_id": names,
        "source": rows["source"],
        **{name: rows[name] for name in OF_FIRST},
        "scene": pa.nulls(len(names), pa.string()),
        "answers": pa.array(answers, PROMPTS.field("answers").type),
        "labels": pa.array(labels, PROMPTS.field("labels").type),
    }
    return Outcome(pa.table({name: columns[name] for name in PROMPTS.names}).cast(PROMPTS))


def own_prompt(prompt: str, source: str, seen: dict[str, str]) -> str:
    """The name of a source's row of a prompt. `seen` tells which source has the prompt's own name: the first."""
    own = seen.setdefault(prompt, source) == source
    return prompt if own else content_id("prompt of another source", source, prompt)


LOAD_INGESTED_PROMPTS = LoadStage(name="ingested_prompts", version=1, writes=PROMPTS, load=load_ingested_prompts)

"""Where training pairs come from: a narrow table of pairs in a fixed order, beside wide rows that stay in Arrow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.critiques import CRITIQUE_COLUMNS
from dt2it_ray.errors import InputError
from dt2it_ray.models.protocols import Conversation, reward_conversation
from dt2it_ray.store.files import Folder

PAIR_COLUMNS = ("pair_id", "prompt_id", "chosen_id", "rejected_id")
NO_CRITIQUES = (None, None)
PROMPT_COLUMNS = ("prompt_id", "images", "history", "question")


@dataclass(frozen=True)
class TrainingPair:
    """Two conversations of one prompt, the better one first."""

    pair_id: str
    chosen: Conversation
    rejected: Conversation
    weight: float
    strength: float
    """NaN where nobody measured it."""


class TrainingRows:
    """Pairs by number. Image bytes and texts stay in Arrow until a pair is asked for."""

    def __init__(self, pairs: pa.Table, prompts: pa.Table, answers: pa.Table, critiques: bool = False) -> None:
        """`pairs` has `PAIR_COLUMNS` and may have `weight` and `strength`; `prompts` has `PROMPT_COLUMNS`; `answers`
        answer_id and text. With `critiques`, conversations have those of the pairs' `CRITIQUE_COLUMNS`.

        Raises:
            InputError: there are no pairs, or a pair names a prompt or an answer that is not there, or the pairs have
                no critiques and are to have some.
        """
        if not pairs.num_rows:
            raise InputError("there are no training pairs; see the counts of the steps before")
        lacking = [name for name in CRITIQUE_COLUMNS if critiques and name not in pairs.column_names]
        if lacking:
            raise InputError(
                f"loss.critique.enabled=true, and the table of pairs has no column {' nor '.join(lacking)}: bring "
                "critiques of both answers of each pair, or leave it off"
            )
        self._pairs, self._prompts, self._answers, self._critiqued = pairs, prompts, answers, critiques
        self._prompt_row = _places(pairs["prompt_id"], prompts["prompt_id"], "prompt")
        self._chosen_row = _places(pairs["chosen_id"], answers["answer_id"], "answer")
        self._rejected_row = _places(pairs["rejected_id"], answers["answer_id"], "answer")
        weighted = "weight" in pairs.column_names
        # Tables of pairs to learn from and to evaluate on need not both have weights.
        self.weights = pairs["weight"].fill_null(1.0).to_numpy() if weighted else np.ones(pairs.num_rows)
        """How much each pair counts in the loss."""
        measured = "strength" in pairs.column_names
        strengths = pairs["strength"] if measured else pa.chunked_array([pa.nulls(pairs.num_rows)])
        self._strengths = strengths.cast(pa.float64()).to_numpy()

    def __len__(self) -> int:
        return self._pairs.num_rows

    def pair(self, index: int) -> TrainingPair:
        """Pair number `index` of the table."""
        place = int(self._prompt_row[index])
        prompt = {name: self._prompts[name][place].as_py() for name in PROMPT_COLUMNS}
        critiques = [self._pairs[name][index].as_py() for name in CRITIQUE_COLUMNS] if self._critiqued else NO_CRITIQUES
        chosen, rejected = (
            reward_conversation(prompt, self._answer(rows[index]), critique)
            for rows, critique in zip((self._chosen_row, self._rejected_row), critiques, strict=True)
        )
        weight, strength = float(self.weights[index]), float(self._strengths[index])
        return TrainingPair(self._pairs["pair_id"][index].as_py(), chosen, rejected, weight, strength)

    def pair_ids(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        """The ids of some pairs."""
        return self._pairs["pair_id"].take(pa.array(indices)).to_pylist()

    def all_pair_ids(self) -> pa.Array:
        """The ids of all pairs."""
        return self._pairs["pair_id"].combine_chunks()

    def prompt_ids(self) -> pa.Array:
        """The prompt of each pair."""
        return self._pairs["prompt_id"].combine_chunks()

    def subset(self, kept: np.ndarray) -> "TrainingRows":
        """The pairs for which `kept` is true, in the same order, beside the same prompts and answers."""
        return TrainingRows(self._pairs.filter(pa.array(kept)), self._prompts, self._answers, self._critiqued)

    def images(self) -> Iterator[bytes]:
        """Every image of every prompt, in the order of the table; an image of two prompts comes twice."""
        for images in self._prompts["images"]:
            for image in images.as_py() or ():
                yield image["bytes"] or b""

    def num_images(self) -> int:
        """How many `images` there are."""
        return pc.sum(pc.list_value_length(self._prompts["images"])).as_py() or 0

    def images_by_prompt(self) -> tuple[np.ndarray, np.ndarray]:
        """The places of the pairs' prompts, and how many images each has."""
        places = np.unique(self._prompt_row)
        counts = pc.fill_null(pc.list_value_length(self._prompts["images"]), 0).to_numpy()
        return places, counts[places]

    def images_of(self, place: int) -> tuple[bytes, ...]:
        """The images of the prompt at a place."""
        return tuple(image["bytes"] or b"" for image in self._prompts["images"][place].as_py() or ())

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """Characters of each pair's prompt and chosen answer, and of its rejected answer."""
        question = pc.utf8_length(self._prompts["question"]).to_numpy() + _history_lengths(self._prompts["history"])
        answer = pc.utf8_length(self._answers["text"]).to_numpy()
        return question[self._prompt_row] + answer[self._chosen_row], answer[self._rejected_row]

    def patterns(self, columns: Sequence[str]) -> list[str]:
        """For each pair the values of columns of the table of pairs, joined; `longer` is which answer has more
        characters.

        Raises:
            InputError: the table has no such column.
        """
        return [" | ".join(values) for values in zip(*map(self._pattern, columns), strict=True)]

    def _pattern(self, column: str) -> list[str]:
        if column == "longer":
            sizes = pc.utf8_length(self._answers["text"]).to_numpy()
            signs = np.sign(sizes[self._chosen_row] - sizes[self._rejected_row])
            return [("same", "chosen", "rejected")[int(sign)] for sign in signs]
        if column not in self._pairs.column_names:
            known = [name for name in self._pairs.column_names if not name.endswith("_id")]
            raise InputError(
                f"train.sampler.patterns: the training pairs have no column {column!r}; there are "
                f"{', '.join([*known, 'longer'])}"
            )
        return [str(value) for value in self._pairs[column].to_pylist()]

    def chosen_places(self) -> np.ndarray:
        """[pairs, 2] which prompt and which chosen answer each pair has, by their places in the rows."""
        return np.stack([self._prompt_row, self._chosen_row], axis=1)

    def _answer(self, row: np.integer) -> str:
        return self._answers["text"][int(row)].as_py()


def open_training_rows(
    pairs_paths: Sequence[str], rows_paths: Sequence[Sequence[str]], critiques: bool = False
) -> TrainingRows:
    """The rows that the part files of a table of pairs need, sorted by pair_id.

    Each entry of `rows_paths` is one part: a Parquet file with prompt_id, images, question, and `answers` (list of
    struct<answer_id, text>) in the same file or in a second one with a prompt_id. `critiques`: see `TrainingRows`.

    Raises:
        InputError: see `TrainingRows`. StoreError: a file is missing or damaged.
    """
    tables = [_open(path) for path in pairs_paths]
    pairs = pa.concat_tables(tables, promote_options="default").sort_by([("pair_id", "ascending")])
    wanted = pc.unique(pairs["prompt_id"])
    prompts, answers = [], []
    for files in rows_paths:
        prompts.append(_read(files[0], PROMPT_COLUMNS, wanted))
        answers.append(_flatten(_read(files[-1], ("prompt_id", "answers"), wanted)))
    return TrainingRows(pairs, _distinct(prompts, "prompt_id"), _distinct(answers, "answer_id"), critiques)


def read_pair_ids(paths: Sequence[str]) -> pa.Array:
    """The ids of the pairs in some part files."""
    return pa.concat_tables([_open(path, ["pair_id"]) for path in paths])["pair_id"].combine_chunks()


def _open(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    folder, _, name = path.rpartition("/")
    return Folder(folder).read_table(name, list(columns) if columns else None)


def _read(path: str, columns: Sequence[str], wanted: pa.Array) -> pa.Table:
    table = _open(path, columns)
    return table.filter(pc.is_in(table["prompt_id"], value_set=wanted))


def _history_lengths(history: pa.ChunkedArray) -> np.ndarray:
    """Characters of the earlier turns of each prompt."""
    turns = history.combine_chunks()
    texts = pc.utf8_length(pc.struct_field(pc.list_flatten(turns), "text")).to_numpy(zero_copy_only=False)
    return np.bincount(pc.list_parent_indices(turns).to_numpy(), weights=texts, minlength=len(turns)).astype(np.int64)


def _flatten(table: pa.Table) -> pa.Table:
    flat = pc.list_flatten(table["answers"].combine_chunks())
    return pa.table({"answer_id": pc.struct_field(flat, "answer_id"), "text": pc.struct_field(flat, "text")})


def _distinct(tables: Sequence[pa.Table], key: str) -> pa.Table:
    """All rows, the first of each key. Names are made of content, so rows of one key are equal."""
    table = pa.concat_tables(tables)
    _, first = np.unique(table[key].combine_chunks().dictionary_encode().indices, return_index=True)
    # A filter goes chunk by chunk; `take` would join all images to one array, which ends at 2 GiB.
    kept = np.zeros(table.num_rows, bool)
    kept[first] = True
    return table.filter(pa.array(kept))


def _places(names: pa.ChunkedArray, known: pa.ChunkedArray, kind: str) -> np.ndarray:
    places = pc.index_in(names, value_set=known.combine_chunks())
    if places.null_count:
        missing = names.filter(pc.is_null(places))
        raise InputError(
            f"{len(missing)} training pairs name a {kind} that is not in the rows given, first {missing[0].as_py()}. "
            "The pairs and the rows are of different steps; delete the later step's folder and run again."
        )
    return places.to_numpy()

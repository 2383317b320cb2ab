"""How caption pairs are checked, keyed and reformulated by whole columns."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dt2it_ray.data.chat import HAN
from dt2it_ray.data.formats.media_marks import MEDIA
from dt2it_ray.data.formats.t2i.comparison import IMAGE_MARKS
from dt2it_ray.data.schema import IMAGE
from dt2it_ray.data.t2i_wording import AROUND_CAPTION, chosen_and_rejected
from dt2it_ray.pipeline.t2i_batches import SIDES

HAN_CHARACTER = HAN.pattern.encode().decode("unicode_escape")
"""The pattern without escapes, which Arrow's regular expressions write in another way."""
BLANK_LEADS = np.array([0xC2, 0xE1, 0xE2, 0xE3], np.uint8)
"""First bytes in UTF-8 of all white space outside ASCII, and of much else."""
TURN = pa.struct([("from", pa.string()), ("value", pa.string())])


def row_schema(held: bool) -> pa.Schema:
    """Columns of a LLaMA-Factory row with its margin; images are held as bytes with a path, or named by a text."""
    return pa.schema(
        [
            ("conversations", pa.list_(TURN)),
            ("chosen", TURN),
            ("rejected", TURN),
            ("images", pa.list_(IMAGE if held else pa.string())),
            ("margin", pa.float64()),
        ]
    )


VERDICT = pa.struct([(name, pa.dictionary(pa.int32(), pa.string())) for name in TURN.names])
WRITTEN = pa.schema([field.with_type(VERDICT) if field.name in SIDES else field for field in row_schema(held=False)])


def rows_writer(path: str, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of such rows. Only columns that repeat few texts get dictionaries; prompts and images do not repeat."""
    repeated = ["conversations.list.element.from", *(f"{side}.{key}" for side in SIDES for key in TURN.names)]
    # Arrow encodes 1024 values at a time unless told; with more it is 8 % sooner.
    # The schema of a table is not kept: a reader shall see texts where a table has numbers of texts.
    sooner = {"write_batch_size": 16384, "write_statistics": False, "store_schema": False}
    return pq.ParquetWriter(path, schema, use_dictionary=repeated, **sooner)  # type: ignore[arg-type]


def surely_sound(batch: pa.RecordBatch) -> np.ndarray:
    """Per row, whether it is a caption pair beyond doubt; a row that is not may still be one."""
    captions, images = _captions(batch), batch["images"]
    same = pc.equal(captions, pc.struct_field(batch["rejected"], "value"))
    two = pc.equal(pc.list_value_length(images), _number(2))
    sound = _as_mask(pc.and_kleene(same, two)) & _starts_visibly(captions) & ~_marked(captions)
    pairs = images.filter(mask_of(sound))
    first, second = pc.list_element(pairs, _number(0)), pc.list_element(pairs, _number(1))
    sound[sound] = _as_mask(pc.not_equal(first, second)) & _starts_visibly(first) & _starts_visibly(second)
    return sound


def keys_of(batch: pa.RecordBatch) -> list[bytes]:
    """The key of every row, as `comparison.key_of` makes it; all rows must be sound."""
    images = batch["images"]
    parts = (_captions(batch), pc.list_element(images, _number(0)), pc.list_element(images, _number(1)))
    return pc.cast(pc.binary_join_element_wise(*parts, _scalar("\0")), pa.binary()).to_pylist()


def reformulate_columns(batch: pa.RecordBatch, first: np.ndarray) -> pa.Table:
    """The rows of `row_schema`, once written; all rows must be sound.

    `first` says whether the preferred image is shown first. The two verdicts are numbers of texts, which Parquet's
    writer need not compare again.
    """
    count = batch.num_rows
    places = np.stack([2 * np.arange(count) + ~first, 2 * np.arange(count) + first], axis=1).ravel()
    chosen, rejected = zip(chosen_and_rejected(False), chosen_and_rejected(True), strict=True)
    questions = [pa.repeat(_scalar("human"), count), _questions(_captions(batch))]
    columns = [
        pa.ListArray.from_arrays(_ends(count, 1), pa.StructArray.from_arrays(questions, fields=list(TURN))),
        _verdicts(chosen, first),
        _verdicts(rejected, first),
        pa.ListArray.from_arrays(_ends(count, 2), batch["images"].flatten().take(places_of(places))),
        pa.nulls(count, pa.float64()),
    ]
    return pa.Table.from_arrays(columns, schema=WRITTEN)


def _captions(batch: pa.RecordBatch) -> Any:
    return pc.struct_field(batch["chosen"], "value")


def _starts_visibly(texts: pa.StringArray) -> np.ndarray:
    """Whether a text begins with a character that is surely no white space; false for nulls and empty texts."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    content = np.frombuffer(texts.buffers()[2] or b"\0", np.uint8)
    leads = content[np.minimum(offsets[:-1], len(content) - 1)]
    visible = (leads > ord(" ")) & ~np.isin(leads, BLANK_LEADS) & (offsets[1:] > offsets[:-1])
    return visible & _as_mask(texts.is_valid())


def _marked(texts: pa.StringArray) -> np.ndarray:
    """Whether a text holds the mark of a file; false for nulls."""
    # Next to no text does, and one search through all of them is sooner done than one in each of them.
    if not re.search(MEDIA.pattern.encode(), texts.buffers()[2] or b""):
        return np.zeros(len(texts), bool)
    return _as_mask(pc.match_substring_regex(texts, MEDIA.pattern))


# `pa.array`, `pa.scalar` and `to_numpy` load pandas, which takes longer than most files; what follows does not.


def mask_of(flags: np.ndarray) -> pa.BooleanArray:
    """The flags as an Arrow array."""
    bits = np.packbits(flags, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, pa.py_buffer(bits)])


def places_of(numbers: np.ndarray) -> pa.Int64Array:
    """The numbers as an Arrow array."""
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers.astype(np.int64))])


def _number(number: int) -> pa.Int64Scalar:
    """The number as an Arrow scalar."""
    return places_of(np.array([number]))[0]


def _scalar(text: str) -> pa.StringScalar:
    """The text as an Arrow scalar."""
    content = text.encode()
    ends = pa.py_buffer(np.array([0, len(content)], np.int32))
    return pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(content)])[0]


def _ends(count: int, each: int) -> pa.Int32Array:
    """Where `count` lists of `each` elements begin and end."""
    ends = each * np.arange(count + 1, dtype=np.int32)
    return pa.Array.from_buffers(pa.int32(), count + 1, [None, pa.py_buffer(ends)])


def _as_mask(flags: Any) -> np.ndarray:
    """The flags as a NumPy array; null counts as false."""
    numbers = pc.cast(pc.fill_null(flags, mask_of(np.array([False]))[0]), pa.uint8())
    content = np.frombuffer(numbers.buffers()[1] or b"", np.uint8)
    return content[numbers.offset : numbers.offset + len(numbers)].astype(bool)


def _verdicts(texts: Sequence[str], second: np.ndarray) -> pa.StructArray:
    """What the assistant says: of two texts the second where the flag is set."""
    speakers = _one_of(["gpt"], np.zeros(len(second), np.int32))
    return pa.StructArray.from_arrays([speakers, _one_of(texts, second.astype(np.int32))], fields=list(VERDICT))


def _one_of(texts: Sequence[str], numbers: np.ndarray) -> pa.DictionaryArray:
    indices = pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])
    return pa.DictionaryArray.from_arrays(indices, pa.concat_arrays([pa.repeat(_scalar(text), 1) for text in texts]))


def _questions(captions: Any) -> Any:
    """`comparison_question` of every caption, with the marks of its images."""
    foreign = pc.invert(pc.string_is_ascii(captions))
    chinese = _as_mask(foreign)
    chinese[chinese] = _as_mask(pc.match_substring_regex(captions.filter(foreign), HAN_CHARACTER))
    before, after = zip(AROUND_CAPTION["zh"], AROUND_CAPTION["en"], strict=True)
    is_chinese = mask_of(chinese)
    start = pc.if_else(is_chinese, *(_scalar(IMAGE_MARKS + text) for text in before))
    return pc.binary_join_element_wise(start, captions, pc.if_else(is_chinese, *map(_scalar, after)), _scalar(""))

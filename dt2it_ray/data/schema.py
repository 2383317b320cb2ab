"""Which columns exist: every table of a run is one of these schemas, and each column is named here once."""

from enum import StrEnum

import pyarrow as pa

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""One image as its file's bytes, with the path or member name it came from (may be null)."""

ANSWER = pa.struct([("answer_id", pa.string()), ("text", pa.string())])
"""One answer of a prompt."""

LABEL = pa.struct(
    [
        ("pair_id", pa.string()),
        ("chosen_id", pa.string()),
        ("rejected_id", pa.string()),
        ("planted_flip", pa.bool_()),
    ]
)
"""One labelled pair of a prompt. `planted_flip` is known in the embedded world only: the label is wrong on purpose."""

TURN = pa.struct([("role", pa.string()), ("text", pa.string()), ("images", pa.int64())])
"""One message before the question: `system`, `user` or `assistant`, its text, and how many images stand before it."""

PROMPTS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("source", pa.string()),
        ("category", pa.string()),
        ("language", pa.string()),
        ("images", pa.list_(IMAGE)),
        ("history", pa.list_(TURN)),
        ("question", pa.string()),
        ("reference", pa.string()),
        ("scene", pa.string()),
        ("answers", pa.list_(ANSWER)),
        ("labels", pa.list_(LABEL)),
    ]
)
"""A prompt with every distinct answer to it: the only wide rows. `question` is the last user turn, which shows the
images that no turn of `history` shows. `scene` is planted truth (embedded world only)."""

PAIRS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("prompt_id", pa.string()),
        ("chosen_id", pa.string()),
        ("rejected_id", pa.string()),
        ("source", pa.string()),
        ("strength", pa.float64()),
        ("planted_flip", pa.bool_()),
    ]
)
"""Two answers of one prompt, the better one first. `strength` is a score gap (null where nobody measured it)."""

BENCHMARK_ROWS = pa.schema([*PROMPTS, ("item", pa.string()), ("group", pa.string())])
"""A row of a benchmark: `source` names it, `item` is the row's own id (may repeat), `group` what Acc+ counts by."""

T2I_ROWS = pa.schema(
    [("prompt_id", pa.string()), ("source", pa.string()), ("caption", pa.string()), ("images", pa.list_(IMAGE))]
)
"""A text-to-image preference: the preferred image first, then the other."""

SIDES = pa.schema([("prompt_id", pa.string()), ("source", pa.string()), ("chosen_first", pa.bool_())])
"""Whether a reformulated text-to-image row shows its preferred image first."""

CANDIDATES = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("answers", pa.list_(ANSWER)),
        ("origins", pa.list_(pa.string())),
        ("samples", pa.int64()),
    ]
)
"""Distinct answers to a prompt; `samples` counts the draws, duplicates included. `origins` runs beside `answers` and
says who wrote each: `model:NAME`, `reference` (the data's own), or `degraded:KIND` (made worse on purpose)."""

ASSESSMENT = pa.struct(
    [
        ("answer_id", pa.string()),
        ("overall", pa.float64()),
        ("stated_overall", pa.float64()),
        ("weights", pa.list_(pa.float64())),
        ("scores", pa.list_(pa.int64())),
    ]
)
"""One answer as one judge saw it: `overall` recomputed from weights, beside the judge's own arithmetic.
Weights and scores are in the order of the rubric's criteria."""

JUDGEMENTS = pa.schema(
    [
        ("judgement_id", pa.string()),
        ("prompt_id", pa.string()),
        ("judge", pa.string()),
        ("mode", pa.string()),
        ("shown", pa.int64()),
        ("order", pa.list_(pa.string())),
        ("assessments", pa.list_(ASSESSMENT)),
        ("attempts", pa.int64()),
        ("faults", pa.list_(pa.string())),
        ("evidence", pa.large_string()),
    ]
)
"""What one judge said of the answers of a prompt. `mode` is `listwise` or `pointwise`, `shown` is 0 for the first order
and 1 for the second, `order` the answers as shown. `faults` are codes of `Fault`, one for each time that a reply broke
a rule, refused ones included. An answer without assessment is lost: `evidence` has the refused replies (else null)."""

VOTES = pa.schema(
    [
        ("vote_id", pa.string()),
        ("pair_id", pa.string()),
        ("prompt_id", pa.string()),
        ("judge", pa.string()),
        ("swapped", pa.bool_()),
        ("verdict", pa.string()),
        ("attempts", pa.int64()),
        ("evidence", pa.large_string()),
    ]
)
"""One judge's verdict on one pair in one order: `chosen`, `rejected`, `tie`, or `invalid` with the raw reply."""

SCORES = pa.schema([("answer_id", pa.string()), ("prompt_id", pa.string()), ("score", pa.float64())])
"""The reward of one answer by one model."""

DOUBTED = pa.schema(
    [
        ("prompt_id", pa.string()),
        (
            "pairs",
            pa.list_(pa.struct([("pair_id", pa.string()), ("chosen_id", pa.string()), ("rejected_id", pa.string())])),
        ),
    ]
)
"""The pairs of a prompt that go to the judges again, in the direction in which their source labels them."""

DECISIONS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("prompt_id", pa.string()),
        ("source", pa.string()),
        ("action", pa.string()),
        ("rule", pa.string()),
        ("chosen_id", pa.string()),
        ("rejected_id", pa.string()),
        ("flipped", pa.bool_()),
        ("vote_strength", pa.float64()),
        ("voter_strengths", pa.list_(pa.float64())),
        ("flip_threshold", pa.float64()),
        ("flipped_by_vote", pa.bool_()),
        ("consistency_strength", pa.float64()),
        ("votes_chosen", pa.float64()),
        ("votes_rejected", pa.float64()),
        ("valid_votes", pa.int64()),
        ("planted_flip", pa.bool_()),
    ]
)
"""What one iteration decided about one noisy pair, with its evidence. `flipped` compares with the source's label."""


class Action(StrEnum):
    """What happened to a noisy pair in an iteration."""

    KEPT = "kept"
    FLIPPED = "flipped"
    DROPPED = "dropped"


DROPPED = pa.schema(
    [("key", pa.string()), ("reason", pa.string()), ("detail", pa.string()), ("evidence", pa.large_string())]
)
"""A row that a stage refused: its key, a reason from `DropReason`, what was wrong, and the raw evidence."""


class DropReason(StrEnum):
    """Why a row was refused; closed, so that counts of different runs can be compared."""

    IMAGE_UNDECODABLE = "image_undecodable"
    IMAGE_MISSING = "image_missing"
    PROMPT_TOO_LONG = "prompt_too_long"
    REPLY_INVALID = "reply_invalid"
    FIELD_INVALID = "field_invalid"
    ANSWERS_EQUAL = "answers_equal"
    TOO_FEW_ANSWERS = "too_few_answers"
    REQUEST_REFUSED = "request_refused"
    ENDPOINT_FAILED = "endpoint_failed"
    PROMPT_REPEATED = "prompt_repeated"
    """An earlier row asks the same; no fault, and not counted as one."""
    ROW_REPEATED = "row_repeated"
    """Another row of an outside data set says the same; no fault either."""
    PAIR_CONTRADICTED = "pair_contradicted"
    """Rows of an outside data set prefer opposite answers to one prompt."""
    HELD_OUT = "held_out"
    """The pair is kept from a training, to measure the model on."""
    IN_BENCHMARK = "in_benchmark"
    """The row stands in a benchmark."""
    NO_PREFERENCE = "no_preference"
    """An outside row whose answers are equally good."""
    LANGUAGE_UNWANTED = "language_unwanted"
    TEXT_TOO_LONG = "text_too_long"
    IMAGE_TOO_LARGE = "image_too_large"
    """More bytes or pixels than wanted, or fewer pixels."""

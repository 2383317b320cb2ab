"""What happened to one pair, from its source to the models that learnt from it, told as plain text."""

from collections.abc import Iterator

from dt2it_ray.pipeline.pair_record import ORIGINS, Pair, find_pair, iteration_lines, judgement_lines
from dt2it_ray.pipeline.row_lookup import rows_where
from dt2it_ray.pipeline.run_record import RunRecord, read_run
from dt2it_ray.store.files import Folder


def explain_pair(run: Folder, pair_id: str) -> str:
    """The whole history of the pair whose id starts with `pair_id`. A is the answer its source labels better.

    Raises:
        StoreError: there is no run, or no pair or more than one with such an id.
    """
    record = read_run(run)
    pair = find_pair(record, pair_id.strip())
    lines = [f"Pair {pair.pair_id}: {ORIGINS[pair.origin]}, source {pair.source}"]
    lines += _indented(_source_lines(pair))
    lines += judgement_lines(record, pair) if pair.origin == "construct/pairs" else []
    for iteration in record.iterations() if pair.origin == "open/pairs" else ():
        lines += [iteration, *_indented(iteration_lines(record, iteration, pair))]
    lines += ["training", *_indented(_training_lines(record, pair))]
    return "\n".join(_printable(line) for line in lines)


def _indented(lines: Iterator[tuple[str, str]]) -> list[str]:
    return [f"  {name:<20} {value}" for name, value in lines]


def _source_lines(pair: Pair) -> Iterator[tuple[str, str]]:
    prompt = pair.prompt
    if prompt is None:
        yield "prompt", f"{pair.prompt_id} (its row is not in this run)"
    else:
        images = len(prompt["images"] or [])
        about = (
            f"category {prompt['category'] or 'unknown'}, language {prompt['language'] or 'unknown'}, {images} image"
        )
        yield "prompt", f"{pair.prompt_id}: {about}{'' if images == 1 else 's'}"
        yield "question", prompt["question"]
        if prompt["reference"]:
            yield "reference", prompt["reference"]
    yield "A, labelled better", pair.text(pair.better)
    yield "B, labelled worse", pair.text(pair.worse)
    if pair.strength is not None:
        yield "strength", f"{pair.strength:+.3f} when it was made"
    truth = {True: "the label is wrong on purpose", False: "the label is right", None: "not known"}
    yield "planted truth", truth[pair.planted_flip]


def _training_lines(record: RunRecord, pair: Pair) -> Iterator[tuple[str, str]]:
    """The trainings that read the pair, and in which direction."""
    used = False
    for step, manifest in record.manifests.items():
        pairs = record.source_of(step, "pairs") if manifest.stage == "train" else None
        for row in rows_where(record.run, pairs, "pair_id", [pair.pair_id]) if pairs else ():
            used = True
            as_labelled = row["chosen_id"] == pair.better
            yield step, "A over B (as labelled)" if as_labelled else "B over A (flipped)"
    if not used:
        yield "used by", "no finished training"


def _printable(line: str) -> str:
    """The line with control characters escaped, so that an answer cannot steer the terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)

"""What the tables of a run hold on one pair: its origin, and what judges and iterations said of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dt2it_ray.errors import StoreError
from dt2it_ray.pipeline.row_lookup import ids_with_prefix, refusals_of, rows_where
from dt2it_ray.pipeline.run_record import RunRecord
from dt2it_ray.store.manifest import Manifest

ORIGINS = {
    "open/pairs": "noisy pool",
    "trusted/pairs": "trusted set of one's own",
    "construct/pairs": "constructed from sampled answers",
    "t2i/pairs": "reformulated text-to-image preference",
}
"""Steps that make pairs, and what their pairs are."""
SHOWN = 5
"""How many ids a message about an ambiguous prefix names."""
PROMPT_COLUMNS = ["prompt_id", "category", "language", "images", "question", "reference"]

Lines = Iterator[tuple[str, str]]
"""Name and value of each line of a history."""


@dataclass(frozen=True)
class Pair:
    """One pair as its source labels it: `better` and `worse` are answer ids."""

    origin: str
    pair_id: str
    prompt_id: str
    source: str
    better: str
    worse: str
    strength: float | None
    planted_flip: bool | None
    prompt: Mapping[str, Any] | None
    texts: Mapping[str, str]

    def text(self, answer: str) -> str:
        """An answer's text, or its id if the run does not hold it."""
        return self.texts.get(answer, f"answer {answer} (its text is not in this run)")

    def letter(self, answer: str) -> str:
        """`A` for the answer labelled better, `B` for the other."""
        return "A" if answer == self.better else "B"


def find_pair(record: RunRecord, prefix: str) -> Pair:
    """The one pair whose id starts with `prefix`.

    Raises:
        StoreError: there is none, or more than one.
    """
    made = {step: record.manifests[step] for step in ORIGINS if step in record.manifests}
    found = [
        (step, name)
        for step, manifest in made.items()
        for name in (ids_with_prefix(record.run, manifest, "pair_id", prefix) if prefix else ())
    ]
    if not found:
        raise StoreError(
            f"no pair of {record.run.uri} has an id that starts with {prefix!r} (searched: {', '.join(made) or 'no'} "
            "finished step). Ids are in the column pair_id of the decisions and on the report page."
        )
    if len(found) > 1:
        names = ", ".join(name for _, name in found[:SHOWN])
        raise StoreError(f"{len(found)} pairs have an id that starts with {prefix!r}: {names}. Give more digits.")
    step, name = found[0]
    row = rows_where(record.run, made[step], "pair_id", [name])[0]
    prompt, texts = _prompt_and_texts(record, step, row["prompt_id"])
    return Pair(
        origin=step,
        pair_id=name,
        prompt_id=row["prompt_id"],
        source=row["source"],
        better=row["chosen_id"],
        worse=row["rejected_id"],
        strength=row["strength"],
        planted_flip=row["planted_flip"],
        prompt=prompt,
        texts=texts,
    )


def _prompt_and_texts(record: RunRecord, origin: str, prompt: str) -> tuple[dict | None, dict[str, str]]:
    source = record.source_of(origin, "rows")
    candidates = _candidates(record) if origin == "construct/pairs" else source
    if source is None or candidates is None:
        return None, {}
    prompts = rows_where(record.run, source, "prompt_id", [prompt], PROMPT_COLUMNS)
    answered = rows_where(record.run, candidates, "prompt_id", [prompt], ["answers"])
    texts = {answer["answer_id"]: answer["text"] for row in answered for answer in row["answers"]}
    return (prompts[0] if prompts else None), texts


def _candidates(record: RunRecord) -> Manifest | None:
    """The answers that the listwise judges saw."""
    judges = (entry["step"] for entry in record.plan if entry["step"].startswith("construct/listwise/"))
    return next((record.source_of(step, "candidates") for step in judges), None)


def judgement_lines(record: RunRecord, pair: Pair) -> list[str]:
    """What the listwise and the pointwise judges said of both answers of a constructed pair."""
    lines = ["judgements"]
    for name in ("listwise", "pointwise"):
        for judged in _steps_under(record, f"construct/{name}/"):
            for row in rows_where(record.run, judged, "prompt_id", [pair.prompt_id]):
                lines.append(f"  {name:<20} {_judgement_words(row, pair)}")
    return lines


def _steps_under(record: RunRecord, folder: str) -> list[Manifest]:
    """The finished steps of a panel, in the order of the plan."""
    return [manifest for step, manifest in record.manifests.items() if step.startswith(folder)]


def _judgement_words(row: Mapping[str, Any], pair: Pair) -> str:
    overall = {entry["answer_id"]: f"{entry['overall']:.2f}" for entry in row["assessments"]}
    told = ", ".join(f"{pair.letter(answer)} {overall.get(answer, 'lost')}" for answer in (pair.better, pair.worse))
    faults = f" (faults: {', '.join(row['faults'])})" if row["faults"] else ""
    return f"{row['judge']}{' in the second order' if row['shown'] else ''}: {told}{faults}"


def iteration_lines(record: RunRecord, iteration: str, pair: Pair) -> Lines:
    """Scores, vote, consistency, judges' votes and decision of one iteration, as far as it is done."""
    for scores in record.pool_scores():
        if scores.step.startswith(f"{iteration}/"):
            yield scores.step.partition("/")[2], _score_words(record, scores, pair)
    decisions = record.manifests.get(f"{iteration}/decisions")
    row = next(iter(rows_where(record.run, decisions, "pair_id", [pair.pair_id])), None) if decisions else None
    if row is None:
        yield "decision", "none so far"
        return
    threshold = row["flip_threshold"]
    limit = "nothing was flipped" if threshold is None else f"flip threshold {threshold:+.3f}"
    turned = "flipped" if row["flipped_by_vote"] else "left as labelled"
    yield "vote", f"mean strength {_signed(row['vote_strength'])}, {limit}: {turned}"
    confirmed = "confirms" if row["rule"] == "consistent" else "does not confirm"
    yield "consistency", f"strength {_signed(row['consistency_strength'])}: {confirmed} the direction after the vote"
    yield from _vote_lines(record, iteration, pair)
    votes = ""
    if row["valid_votes"] is not None:
        votes = f" (A {row['votes_chosen']:g}, B {row['votes_rejected']:g}, {row['valid_votes']} valid votes)"
    yield "decision", f"{row['action']} by rule {row['rule']}{votes}"


def _score_words(record: RunRecord, scores: Manifest, pair: Pair) -> str:
    rows = rows_where(record.run, scores, "answer_id", [pair.better, pair.worse])
    found = {row["answer_id"]: row["score"] for row in rows}
    if pair.better in found and pair.worse in found:
        a, b = found[pair.better], found[pair.worse]
        return f"A {a:+.3f}, B {b:+.3f}: strength {a - b:+.3f}"
    refusal = next(refusals_of(record.run, scores, [pair.prompt_id]), None)
    return f"not scored: {refusal['reason']}, {refusal['detail']}" if refusal else "not scored"


def _vote_lines(record: RunRecord, iteration: str, pair: Pair) -> Lines:
    """One line per vote, told by letter: a verdict refers to the direction in which the judges were given the pair."""
    votes, doubted = _steps_under(record, f"{iteration}/rejudge/"), record.manifests.get(f"{iteration}/doubted")
    if not votes or doubted is None:
        return
    given = [
        entry["chosen_id"]
        for row in rows_where(record.run, doubted, "prompt_id", [pair.prompt_id])
        for entry in row["pairs"]
        if entry["pair_id"] == pair.pair_id
    ]
    if not given:
        yield "judges", "not asked"
        return
    chosen, rejected = (pair.letter(given[0]), "B" if pair.letter(given[0]) == "A" else "A")
    words = {"chosen": f"{chosen} is better", "rejected": f"{rejected} is better", "tie": "a tie"}
    cast = [vote for made in votes for vote in rows_where(record.run, made, "pair_id", [pair.pair_id])]
    for vote in sorted(cast, key=lambda vote: (vote["judge"], vote["swapped"])):
        first = rejected if vote["swapped"] else chosen
        said = words.get(vote["verdict"]) or f"invalid: {vote['evidence'].splitlines()[0]}"
        attempts = f" after {vote['attempts']} attempts" if vote["attempts"] > 1 else ""
        yield vote["judge"], f"{first} shown first: {said}{attempts}"
    for made in votes:
        for refusal in refusals_of(record.run, made, [pair.prompt_id]):
            yield made.step.rpartition("/")[2], f"refused: {refusal['reason']}, {refusal['detail']}"


def _signed(strength: float | None) -> str:
    return "unknown" if strength is None else f"{strength:+.3f}"

"""How a generative judge is asked about labelled pairs: both orders, several samples, every reply kept as evidence."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.models.engines import EngineSettings
from dt2it_ray.models.judging.verdict_judge import VerdictJudge
from dt2it_ray.models.protocols import Judge, JudgeRequest
from dt2it_ray.rules.judge_figures import Judged
from dt2it_ray.rules.judge_reply import Reply, parse_reply
from dt2it_ray.rules.pair_verdict import VERDICT_RULES, PairVerdict
from dt2it_ray.rules.rubric import WEIGHT_TOLERANCE
from dt2it_ray.rules.votes import Verdict, compare_shown
from dt2it_ray.stages.ask import Asked, ParseReply, ask, request_for
from dt2it_ray.stages.judges import AnnotatorChoice, JudgeSettings, open_engine, open_judge
from dt2it_ray.stages.stage import Workplace

RUBRIC = "rubric-1"


class PairJudgeSettings(AnnotatorChoice):
    """Who judges the pairs of a benchmark, how it is asked, and how its verdict is read."""

    engine: EngineSettings | None = None
    """The chat model that replies. None: a simulated annotator, which knows rendered scenes only."""
    protocol: Literal["rubric-1", "vl_rewardbench", "multimodal_rewardbench"] = RUBRIC
    """`rubric-1`: six criteria, the higher overall wins. The others: free text whose verdict is read by that
    benchmark's own rule (wording of the prompt ours)."""
    samples: int = Field(default=1, ge=1, le=100)
    """Replies in each order; with several, the majority decides. Needs a temperature above 0 to differ."""
    attempts: int = Field(default=1, ge=1, le=10)
    """Requests per reply before it is unparsable. Official scripts ask once."""

    @model_validator(mode="after")
    def _speaks_its_protocol(self) -> "PairJudgeSettings":
        if self.engine is None and self.protocol != RUBRIC:
            raise ValueError(f"protocol: {self.protocol} needs an engine; simulated annotators write rubrics only")
        return self


def open_pair_judge(settings: PairJudgeSettings, place: Workplace) -> Judge:
    """Whoever judges, ready to reply. Raises StoreError as `open_judge` does."""
    if settings.protocol == RUBRIC or settings.engine is None:
        shared = {name: getattr(settings, name) for name in settings.model_fields_set & set(JudgeSettings.model_fields)}
        return open_judge(JudgeSettings(**shared), place)
    return VerdictJudge(settings.name, open_engine(settings, settings.engine, place), settings.protocol)


def judge_pairs(
    prompts: Sequence[Mapping[str, Any]], judge: Judge, settings: PairJudgeSettings
) -> list[list[tuple[Judged, str]]]:
    """For each prompt row with one label, the verdicts in both orders with the evidence of unparsable ones."""
    turns = [(sample, swapped) for sample in range(settings.samples) for swapped in (False, True)]
    requests = [_request(prompt, sample, swapped) for prompt in prompts for sample, swapped in turns]
    asked = iter(ask(judge, requests, settings.attempts, _parser(settings)))
    return [[_judged(next(asked), sample, swapped) for sample, swapped in turns] for _ in prompts]


def _request(prompt: Mapping[str, Any], sample: int, swapped: bool) -> JudgeRequest:
    text_of = {answer["answer_id"]: answer["text"] for answer in prompt["answers"]}
    label = prompt["labels"][0]
    texts = [text_of[label["chosen_id"]], text_of[label["rejected_id"]]]
    # By content: the same pair in another file, or at another place, is asked for the same reply.
    key = content_id("judged pair", prompt["question"], *texts)
    return request_for(prompt, texts[::-1] if swapped else texts, f"{key} {sample} {int(swapped)}")


def _parser(settings: PairJudgeSettings) -> ParseReply[Any]:
    if settings.protocol != RUBRIC:
        return VERDICT_RULES[settings.protocol]
    return lambda text, shown: parse_reply(text, len(shown), WEIGHT_TOLERANCE, shown)


def _judged(asked: Asked[Any], sample: int, swapped: bool) -> tuple[Judged, str]:
    said = asked.reply
    if isinstance(said, Dropped):
        return Judged(swapped, Verdict.INVALID, sample), f"{said.detail}\n{said.evidence}"
    if isinstance(said, PairVerdict):
        return Judged(swapped, compare_shown(1 - said.better, said.better, swapped), sample), ""
    assert isinstance(said, Reply)
    first, second = (answer.overall for answer in said.answers)
    return Judged(swapped, compare_shown(first, second, swapped), sample), ""

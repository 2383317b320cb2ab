import functools

import pytest

from dt2it_ray.data.scenes.annotator import AnnotatorSettings, Sheet, annotate
from dt2it_ray.data.scenes.answers import write_answer
from dt2it_ray.data.scenes.prompts import Asked, draw_prompt
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.errors import InputError, StageFailed
from dt2it_ray.models.protocols import JudgeRequest
from dt2it_ray.models.simulated_judge import SimulatedJudge
from dt2it_ray.rules.judge_reply import Reply, parse_reply

CASES = 400
PERFECT = {"error_rate": 0.0, "position_bias": 0.0, "score_noise": 0.0, "malformed": 0.0}
ACCURATE = 6
"""An accuracy score above this says that the main claim was seen as right."""


def sheets(number: int, wrong_first: bool = False) -> list[Sheet]:
    """Sheets with a right and a wrong answer."""
    return [sheet_of_seed(seed, wrong_first) for seed in range(number)]


@functools.cache
def sheet_of_seed(seed: int, wrong_first: bool) -> Sheet:
    return sheet_of(draw_prompt(f"annotator test {seed}"), wrong_first)


def sheet_of(asked: Asked, wrong_first: bool) -> Sheet:
    question = asked.question
    values = (question.value, question.false_values[0])
    answers = [write_answer(asked.scene, question, value, "hedged", question.language) for value in values]
    truth = Truth.from_json(asked.truth_json())
    return Sheet(truth, question.text, question.language, tuple(answers[::-1] if wrong_first else answers))


def alone(sheet: Sheet, place: int) -> Sheet:
    return Sheet(sheet.truth, sheet.question, sheet.language, (sheet.answers[place],))


def reply(sheet: Sheet, attempt: int = 1, **settings: float) -> Reply:
    text = annotate(AnnotatorSettings.model_validate({**PERFECT, **settings}), "judge", sheet, attempt)
    parsed = parse_reply(text, len(sheet.answers))
    assert isinstance(parsed, Reply), parsed
    return parsed


def seen_right(sheet: Sheet, **settings: float) -> list[bool]:
    return [answer.scores[0] > ACCURATE for answer in reply(sheet, 1, **settings).answers]


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def test_every_well_formed_reply_is_accepted_and_its_arithmetic_holds() -> None:
    settings = AnnotatorSettings(malformed=0)
    for sheet in sheets(CASES // 2):
        for shown in (sheet, alone(sheet, 0)):
            parsed = parse_reply(annotate(settings, "judge", shown, 1), len(shown.answers))
            assert isinstance(parsed, Reply)
            assert all(answer.arithmetic_holds for answer in parsed.answers)
            assert all(1 <= score <= 10 for answer in parsed.answers for score in answer.scores)


def test_free_text_is_in_the_language_of_the_request() -> None:
    languages = set()
    for sheet in sheets(20):
        parsed = reply(sheet)
        languages.add(sheet.language)
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in parsed.answers[0].analysis[0])
        assert chinese == (sheet.language == "zh")
    assert languages == {"en", "zh"}


def test_an_annotator_without_faults_always_prefers_the_right_answer() -> None:
    for sheet in sheets(CASES // 2):
        first, second = reply(sheet).answers
        assert first.overall > second.overall


def test_a_reply_is_a_function_of_request_judge_and_seed() -> None:
    sheet, settings = sheets(1)[0], AnnotatorSettings(error_rate=0.5)
    assert annotate(settings, "a", sheet, 1) == annotate(settings, "a", sheet, 1)
    others = [annotate(settings, name, sheet, 1) for name in ("b", "c", "d")]
    assert annotate(settings, "a", sheet, 1) not in others
    assert len({annotate(AnnotatorSettings(seed=seed), "a", sheet, 1) for seed in range(4)}) == 4


@pytest.mark.parametrize("error_rate", [0.08, 0.3])
def test_main_claims_are_seen_wrongly_as_often_as_set(error_rate: float) -> None:
    wrong = [seen != [True, False] for sheet in sheets(CASES) for seen in [seen_right(sheet, error_rate=error_rate)]]
    either = 1 - (1 - error_rate) ** 2
    assert share(wrong) == pytest.approx(either, abs=0.06)


@pytest.mark.parametrize(("shared", "both"), [(1.0, 0.3), (0.5, 0.195), (0.0, 0.09)])
def test_errors_are_shared_between_listwise_and_pointwise_as_set(shared: float, both: float) -> None:
    faults = {"error_rate": 0.3, "shared_errors": shared}
    wrong_twice = [
        not seen_right(sheet, **faults)[0] and not seen_right(alone(sheet, 0), **faults)[0] for sheet in sheets(CASES)
    ]
    assert share(wrong_twice) == pytest.approx(both, abs=0.06)


def test_the_two_orders_of_a_pair_err_in_part_independently() -> None:
    faults = {"error_rate": 0.3, "shared_errors": 0.5}
    shown = [seen_right(sheet, **faults)[0] for sheet in sheets(CASES)]
    swapped = [seen_right(sheet, **faults)[1] for sheet in sheets(CASES, wrong_first=True)]
    differ = [one != other for one, other in zip(shown, swapped, strict=True)]
    assert share(differ) == pytest.approx(0.21, abs=0.06)


def test_errors_are_the_same_in_every_attempt() -> None:
    for sheet in sheets(20):
        assert reply(sheet, error_rate=0.5, attempt=1) == reply(sheet, error_rate=0.5, attempt=3)


def test_position_bias_favours_the_first_answer_as_often_as_set() -> None:
    wins = []
    for sheet in sheets(CASES, wrong_first=True):
        first, second = reply(sheet, position_bias=0.2).answers
        wins.append(first.overall > second.overall)
    assert share(wins) == pytest.approx(0.2, abs=0.06)


def test_a_single_answer_is_not_favoured() -> None:
    for sheet in sheets(20):
        assert reply(alone(sheet, 0), position_bias=1.0) == reply(alone(sheet, 0))


def test_replies_are_malformed_as_often_as_set_and_a_new_attempt_draws_anew() -> None:
    settings = AnnotatorSettings(malformed=0.2)
    first, second = (
        [not isinstance(parse_reply(annotate(settings, "judge", sheet, attempt), 2), Reply) for sheet in sheets(CASES)]
        for attempt in (1, 2)
    )
    assert share(first) == pytest.approx(0.2, abs=0.06)
    both = [one and other for one, other in zip(first, second, strict=True)]
    assert share(both) == pytest.approx(0.04, abs=0.03)


def test_every_malformed_reply_is_refused_with_a_reason_of_its_own() -> None:
    settings, reasons = AnnotatorSettings(malformed=1), set()
    for sheet in sheets(30):
        for shown in (sheet, alone(sheet, 0)):
            refused = parse_reply(annotate(settings, "judge", shown, 1), len(shown.answers))
            assert not isinstance(refused, Reply)
            reasons.add(refused.detail.split(":")[0])
    assert "no JSON object" in reasons
    assert "wrong number of answers" in reasons


def test_some_replies_are_fenced() -> None:
    texts = [annotate(AnnotatorSettings(malformed=0, fenced=0.5), "judge", sheet, 1) for sheet in sheets(100)]
    assert 0.3 < share([text.startswith("```json\n") for text in texts]) < 0.7


def request(scene: str | None, key: str = "p1") -> JudgeRequest:
    sheet = sheets(1)[0]
    return JudgeRequest(key, sheet.question, "", sheet.language, (), sheet.answers, 1, scene)


def test_the_judge_replies_to_each_request_whatever_its_neighbours() -> None:
    judge = SimulatedJudge("judge", AnnotatorSettings())
    requests = [request(sheet.truth.to_json(), str(place)) for place, sheet in enumerate(sheets(3))]
    assert judge.reply(requests) == [judge.reply([one])[0] for one in requests]


def test_a_request_without_planted_truth_is_refused_by_name() -> None:
    judge = SimulatedJudge("judge", AnnotatorSettings())
    with pytest.raises(StageFailed, match=r"'judge' .* 'p1'.*real judge: set the `engine`"):
        judge.reply([request(None)])
    with pytest.raises(InputError, match="no planted truth"):
        judge.reply([request('{"scenes": []}')])

"""Rows that teach a judge: question and answers stand inside its prompt, the verdict in its reply or beside it.

LLaVA-Critic-113k (pairwise) and R1-Reward-RL, with the prompts that their model cards print.
"""

import re
from typing import Any

from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row
from dt2it_ray.data.formats.preferences.asked import Answer, Told, asked_about, preference
from dt2it_ray.data.formats.preferences.chats import Chat, chat_of
from dt2it_ray.data.formats.preferences.values import images_in, json_of, optional_text, refuse, value_of

_CRITIC = re.compile(
    r"Question: \[(?P<question>.*)\]\s*The first response: \[(?P<first>.*)\]\s*"
    r"The second response: \[(?P<second>.*)\]\s*(?:ASSISTANT:\s*)?\Z",
    re.DOTALL,
)
_R1 = re.compile(
    r"#+ \[Question\]:\s*(?P<question>.*?)\s*#+ \[Response 1\]:\s*(?P<first>.*?)\s*"
    r"#+ \[Response 2\]:\s*(?P<second>.*?)\s*(?:#+ \*\*Output Format.*)?\Z",
    re.DOTALL,
)
_BETTER = re.compile(r"\b(?:the )?(first|second) (?:response|answer) is (?:(?!not\b)\w+ )?better\b", re.IGNORECASE)
_EQUAL = re.compile(
    r"\b(?:(?:both|the two|two) (?:responses|answers) are equally|equally good|(?:is|are|it's) a tie\b"
    r"|(?:responses|answers) are (?:both )?(?:equal|tied))",
    re.IGNORECASE,
)
_R1_ANSWER = re.compile(r"\A\s*(?:<answer>\s*)?([12])(?:\s*</answer>)?\s*\Z")


def parse_llava_critic(row: Row) -> list[Preference]:
    """The pair of a pairwise row, by the verdict in the judge's text; none where it finds the responses equal."""
    chat = chat_of(value_of(row, "conversations"), "conversations", marked=True)
    if [turn.role for turn in chat.turns] != ["user", "assistant"]:
        raise refuse("conversations", f"{len(chat.turns)} turns, not a prompt and a verdict")
    asked, reply = chat.turns
    images = images_in(row, "image")
    if asked.images != len(images):
        raise refuse("conversations[0].value", f"{asked.images} <image> for {len(images)} images")
    verdict = _critic_verdict(reply.text)
    told = Told(optional_text(row, "id"), source=optional_text(row, "source"))
    return _judged(row, _CRITIC.search(asked.text), "conversations", verdict, images, told)


def _critic_verdict(reply: str) -> int | None:
    """0 or 1, the place of the better response, None if they are equal. The last verdict of the text counts."""
    better, equal = list(_BETTER.finditer(reply)), list(_EQUAL.finditer(reply))
    if not better and not equal:
        raise refuse("conversations[1].value", f"{reply[-60:]!a} names no better response")
    if not better or (equal and equal[-1].start() > better[-1].start()):
        return None
    return ("first", "second").index(better[-1][1].lower())


def parse_r1_reward(row: Row) -> list[Preference]:
    """The pair of a row, whose message is JSON in a text and whose answer is 1 or 2, in tags or not."""
    answer = value_of(row, "answer")
    found = _R1_ANSWER.match(str(answer[0] if isinstance(answer, list) and len(answer) == 1 else answer))
    if not found:
        raise refuse("answer", f"{ascii(answer)[:60]} is neither 1 nor 2")
    chat: Chat = chat_of(json_of(value_of(row, "message"), "message"), "message", marked=False)
    if not chat.turns or chat.turns[-1].role != "user":
        raise refuse("message", "does not end with the judge's prompt")
    return _judged(row, _R1.search(chat.turns[-1].text), "message", int(found[1]) - 1, chat.images, Told())


def _judged(
    row: Row, found: re.Match[str] | None, field: str, better: int | None, images: list[Any], told: Told
) -> list[Preference]:
    if not found:
        raise refuse(field, "the prompt does not show a question and two responses as the released prompts do")
    if better is None:
        return []
    question = optional_text(row, "question") or found["question"]
    answers = [Answer(found["first"], f"{field}, first response"), Answer(found["second"], f"{field}, second response")]
    asked = asked_about(question, images, field, told)
    return [preference(asked, answers[better], answers[1 - better])]


LLAVA_CRITIC = PreferenceFormat("llava_critic", parse_llava_critic)
R1_REWARD = PreferenceFormat("r1_reward", parse_r1_reward)

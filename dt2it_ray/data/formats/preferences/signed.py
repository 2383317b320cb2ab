"""Rows of two responses and a signed score of people: HelpSteer2's preferences and HelpSteer3."""

from typing import Any

from dt2it_ray.data.formats.fields import checked_text
from dt2it_ray.data.formats.preference import Preference, PreferenceFormat, Row
from dt2it_ray.data.formats.preferences.asked import Answer, Asked, Told, asked_in, preference
from dt2it_ray.data.formats.preferences.chats import chat_of
from dt2it_ray.data.formats.preferences.values import number_of, optional_text, value_of


def parse_helpsteer2(row: Row) -> list[Preference]:
    """The pair of a row of HelpSteer2's `preference` file; none for a tie.

    Its other files have one response a row; the two rows of a prompt are no pair until somebody joins them.
    """
    asked = Asked(checked_text(value_of(row, "prompt"), "prompt"))
    return _signed(row, asked, ("response_1", "response_2"), "preference_strength")


def parse_helpsteer3(row: Row) -> list[Preference]:
    """The pair of a row; none for a tie. The context is a chat, or one text."""
    context: Any = value_of(row, "context")
    messages = [{"role": "user", "content": context}] if isinstance(context, str) else context
    told = Told(category=optional_text(row, "domain"))
    asked = asked_in(chat_of(messages, "context", marked=False), [], "context", told)
    return _signed(row, asked, ("response1", "response2"), "overall_preference")


def _signed(row: Row, asked: Asked, responses: tuple[str, str], score: str) -> list[Preference]:
    """The pair, by a score that is negative where the first response is better, and zero for a tie."""
    first, second = (Answer(value_of(row, name), name) for name in responses)
    signed = number_of(value_of(row, score), score)
    if not signed:
        return []
    better, worse = (first, second) if signed < 0 else (second, first)
    return [preference(asked, better, worse, abs(signed))]


HELPSTEER2 = PreferenceFormat("helpsteer2", parse_helpsteer2)
HELPSTEER3 = PreferenceFormat("helpsteer3", parse_helpsteer3)

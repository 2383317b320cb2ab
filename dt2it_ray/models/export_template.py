"""How a chat template comes to put the evaluator's system prompt in front, for tools that know templates only."""

import json
from collections.abc import Mapping

HAN = ("\\u4e00", "\\u9fff")
"""First and last letter of what counts as Chinese, the rule of `language_of`."""


def with_system_prompts(template: str, prompts: Mapping[str, str]) -> str:
    """The template, which first puts the system prompt of the last question's language before messages that have none,
    as `with_system` does.

    It has no loop over the parts of a message: servers take one as a sign that the model wants parts instead of text.
    """
    if not prompts:
        return template
    lines = [
        "{%- if messages[0]['role'] != 'system' -%}",
        "{%- set asked = (messages | selectattr('role', 'equalto', 'user') | list)[-1]['content'] -%}",
        "{%- if asked is not string -%}",
        "{%- set asked = asked | selectattr('text', 'defined') | map(attribute='text') | join -%}",
        "{%- endif -%}",
        "{%- set written = namespace(language='en') -%}",
        f"{{%- for letter in asked if '{HAN[0]}' <= letter and letter <= '{HAN[1]}' -%}}",
        "{%- set written.language = 'zh' -%}{%- endfor -%}",
        f"{{%- set evaluator = {json.dumps(dict(prompts))} -%}}",
        "{%- set messages = [{'role': 'system', 'content': evaluator[written.language]}] + (messages | list) -%}",
        "{%- endif -%}",
    ]
    return "\n".join(lines) + "\n" + template

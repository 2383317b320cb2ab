"""How text that is judged is kept from acting on the judge's chat format: control tokens in it become plain text."""

import re

_NAMES = "s|bos|eos|pad|unk|mask|image|video|audio|img|think|tool_call|tool_response|image_soft_token|IMG_CONTEXT"
_TURNS = r"(?:start|end)_of_(?:turn|image|audio)"
_BRACKETED = "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|IMG|IMG_BREAK|IMG_END"
_CONTROL = re.compile(
    # <|im_end|>, <|turn> and <turn|>, with the full-width bar of some families too.
    r"<(?=[|｜][^\s<>|｜]{1,64}[|｜]?>|[^\s<>|｜]{1,64}[|｜]>"
    rf"|/?(?:{_NAMES}|{_TURNS})>|<?/?SYS>)|\[(?=/?(?:{_BRACKETED})\])"
)


def as_material(text: str) -> str:
    """The text with a space inside everything that a chat model's tokenizer may take for a control token.

    Servers look for such tokens in the whole prompt, whoever wrote them: `<|im_end|>` in an answer would end the turn
    that shows it, and `<|image_pad|>` would ask for an image that is not there. All other text stays as it is.
    """
    return _CONTROL.sub(r"\g<0> ", text)

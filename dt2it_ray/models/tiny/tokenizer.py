"""The tokenizer of the tiny model: byte-level BPE with Qwen's special tokens and a chat template of its kind."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from dt2it_ray.models.tiny.lessons import Lesson

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
VOCABULARY = 2048
# Han characters stand alone: phrases as single tokens would tie a subject to its value.
PIECES = (
    r"\p{Han}|(?:[^\r\n\p{L}\p{N}]?(?!\p{Han})\p{L})(?:(?!\p{Han})\p{L})*|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"
)
IMAGE_PLACE = "<|vision_start|><|image_pad|><|vision_end|>"
CHAT_TEMPLATE = """{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.content is string -%}
        {{- message.content -}}
    {%- else -%}
        {%- for part in message.content -%}
            {%- if part.type == 'image' -%}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
            {%- elif part.type == 'video' -%}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
            {%- elif part.type == 'text' -%}
                {{- part.text -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}"""


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that was trained on the texts; any text survives encoding and decoding."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            min_frequency=2,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL[1:]),
        clean_up_tokenization_spaces=False,
        model_max_length=32768,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def lesson_text(lesson: Lesson, image_tokens: int) -> str:
    """The lesson as the chat template writes it, each image place with `image_tokens` placeholders."""
    place = IMAGE_PLACE.replace("<|image_pad|>", "<|image_pad|>" * image_tokens)
    text, images = [], place * len(lesson.scenes)
    for turn in lesson.turns:
        shown = ""
        if turn.role == "user":
            shown, images = images, ""
        text.append(f"<|im_start|>{turn.role}\n{shown}{turn.text}<|im_end|>\n")
    return "".join(text)

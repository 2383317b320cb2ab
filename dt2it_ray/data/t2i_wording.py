"""Which sentences turn a text-to-image preference into a question about two images (arXiv 2604.19544; wording ours)."""

from dt2it_ray.data.chat import language_of

FIRST_BETTER = "Image 1 is better than Image 2."
SECOND_BETTER = "Image 2 is better than Image 1."
"""The fixed answers, the same for captions in every language."""

EQUALLY_GOOD = "Both images are equally good."
"""The chosen answer for two images of which neither is preferred (arXiv 2604.19544)."""

QUESTION = {
    "en": (
        "Both images were made from this caption: {caption}\n"
        "Compare how well they fit the caption and how good they look. Which image is better?"
    ),
    "zh": "两张图片都是根据这段文字生成的：{caption}\n请比较它们与文字的一致性和图像质量。哪张图片更好？",
}


AROUND_CAPTION = {language: tuple(question.split("{caption}")) for language, question in QUESTION.items()}
"""What stands before and behind the caption."""


def comparison_question(caption: str) -> str:
    """The user's text for two images made from `caption`, in the caption's language."""
    # Most captions are plain ASCII, which is seen without a search.
    before, behind = AROUND_CAPTION["en" if caption.isascii() else language_of(caption)]
    return f"{before}{caption}{behind}"


def chosen_and_rejected(first: bool, tied: bool = False) -> tuple[str, str]:
    """The two answers about images of which the better one stands first or second.

    For a tie the rejected answer claims that the image named `better` is: it stands first or second as well.
    """
    claim, other = (FIRST_BETTER, SECOND_BETTER) if first else (SECOND_BETTER, FIRST_BETTER)
    return (EQUALLY_GOOD, claim) if tied else (claim, other)

"""Which sentences turn a text-to-image preference into a question about two images (arXiv 2604.19544; wording ours)."""

from dt2it_ray.data.chat import language_of

FIRST_BETTER = "Image 1 is better than Image 2."
SECOND_BETTER = "Image 2 is better than Image 1."
"""The fixed answers, the same for captions in every language."""

QUESTION = {
    "en": (
        "Both images were made from this caption: {caption}\n"
        "Compare how well they fit the caption and how good they look. Which image is better?"
    ),
    "zh": "两张图片都是根据这段文字生成的：{caption}\n请比较它们与文字的一致性和图像质量。哪张图片更好？",
}


def comparison_question(caption: str) -> str:
    """The user's text for two images made from `caption`, in the caption's language."""
    return QUESTION[language_of(caption)].replace("{caption}", caption)

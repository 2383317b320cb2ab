"""Which sentences turn a text-to-image preference into a question about two images (arXiv 2604.19544; wording ours)."""

from dt2it_ray.data.chat import language_of

FIRST_BETTER = "Image 1 is better than Image 2."
SECOND_BETTER = "Image 2 is better than Image 1."
EQUAL = "Both images are equally good."
"""The fixed answers, the same for captions in every language."""

QUESTION = {
    "en": (
        'Two images were made from the caption "{caption}". Compare how well they match the caption '
        "and how good the images look. Which image is better?"
    ),
    "zh": "两张图片由描述“{caption}”生成。请比较它们与描述的一致程度和图像质量。哪张图片更好？",
}


def language_of_caption(caption: str) -> str:
    """`zh` if the caption contains a Han character, else `en`."""
    return language_of(caption)


def comparison_question(caption: str) -> str:
    """The user's text for a pair of images made from `caption`, in the caption's language."""
    return QUESTION[language_of_caption(caption)].replace("{caption}", caption)

"""How a scene is described: captions in English and Chinese that name everything that is there."""

from collections import Counter

from dt2it_ray.data.scenes.scene import Scene, drawer
from dt2it_ray.data.scenes.wording import name

CAPTION_REQUESTS = {
    "en": ("Describe the image.", "What does the image show?", "Write a caption for the image."),
    "zh": ("请描述这张图片。", "图中有什么？", "请为图片写一句说明。"),
}


def caption(scene: Scene, language: str, seed: int | str = 0) -> str:
    """One sentence that names all things with their number, the word, or all bars; `seed` picks the order."""
    draw = drawer("caption", scene.look, seed)
    if scene.bars:
        return _chart_caption(scene, language)
    kinds = sorted(Counter((thing.colour, thing.shape) for thing in scene.things).items())
    draw.shuffle(kinds)
    phrases = [_phrase(colour, shape, number, language) for (colour, shape), number in kinds]
    text = _join(phrases, language)
    if language == "en":
        text = text[0].upper() + text[1:]
        return f"{text} with the word {scene.word}." if scene.word else f"{text}."
    return f"{text}，还写着单词{scene.word}。" if scene.word else f"{text}。"


def _chart_caption(scene: Scene, language: str) -> str:
    """The bars from left to right."""
    bars = [f"{name(bar.colour, language)}{' ' if language == 'en' else ''}{bar.height}" for bar in scene.bars]
    if language == "en":
        return f"A bar chart: {', '.join(bars)}."
    return f"柱状图：{'，'.join(bars)}。"


def _phrase(colour: str, shape: str, number: int, language: str) -> str:
    if language == "zh":
        count = name(str(number), "zh").replace("二", "两")
        return f"{count}个{name(colour, 'zh')}的{name(shape, 'zh')}"
    if number > 1:
        return f"{name(str(number), 'en')} {colour} {shape}s"
    return f"an {colour} {shape}" if colour == "orange" else f"a {colour} {shape}"


def _join(phrases: list[str], language: str) -> str:
    if language == "zh":
        return "和".join(phrases) if len(phrases) < 3 else "、".join(phrases[:-1]) + "和" + phrases[-1]
    if len(phrases) < 3:
        return " and ".join(phrases)
    return ", ".join(phrases[:-1]) + " and " + phrases[-1]

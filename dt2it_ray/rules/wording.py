"""Which texts are the same but for how they are typed."""

import unicodedata

ENDINGS = " .!?。！？"


def normalised(text: str) -> str:
    """The text in lower case and usual width, one space between words, without the mark at its end."""
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).rstrip(ENDINGS)

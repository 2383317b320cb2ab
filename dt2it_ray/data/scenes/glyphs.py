"""How written words look: 5x7 bitmaps of the capital letters that the words of the scenes use."""

import numpy as np

_ROWS = {
    "A": "0E11111F111111",
    "B": "1E11111E11111E",
    "C": "0E11101010110E",
    "D": "1E11111111111E",
    "E": "1F10101E10101F",
    "F": "1F10101E101010",
    "G": "0E11101711110F",
    "H": "1111111F111111",
    "I": "0E04040404040E",
    "K": "11121418141211",
    "M": "111B1515111111",
    "N": "11191513111111",
    "O": "0E11111111110E",
    "P": "1E11111E101010",
    "R": "1E11111E141211",
    "S": "0F10100E01011E",
    "T": "1F040404040404",
    "U": "1111111111110E",
    "X": "11110A040A1111",
    "Y": "11110A04040404",
}
"""Seven rows of five bits each, two hex digits a row."""


def _bitmap(letter: str) -> np.ndarray:
    rows = bytes.fromhex(_ROWS[letter])
    return np.array([[row >> bit & 1 for bit in (4, 3, 2, 1, 0)] for row in rows], dtype=bool)


def word_bitmap(word: str, scale: int) -> np.ndarray:
    """The word as a boolean bitmap, each glyph dot `scale` pixels wide, one dot between letters."""
    gap = np.zeros((7, 1), dtype=bool)
    columns = [part for letter in word for part in (_bitmap(letter), gap)][:-1]
    return np.kron(np.hstack(columns), np.ones((scale, scale), dtype=bool))

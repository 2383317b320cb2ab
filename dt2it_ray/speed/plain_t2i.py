"""What people write who need T2I pairs once: the yardstick of `speed/t2i.py`. `python plain_t2i.py IN.jsonl OUT.json`

It reads all lines, shuffles as many positions of either kind, builds a list and dumps it. It checks nothing.
"""

import json
import random
import sys

QUESTION = (
    "<image><image>Both images were made from this caption: {}\n"
    "Compare how well they fit the caption and how good they look. Which image is better?"
)
FIRST, SECOND = "Image 1 is better than Image 2.", "Image 2 is better than Image 1."


def main(source: str, output: str) -> None:
    """Convert one file."""
    with open(source, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    sides = [place < len(rows) // 2 for place in range(len(rows))]
    random.Random(42).shuffle(sides)
    pairs = []
    for row, first in zip(rows, sides, strict=True):
        preferred, other = row["images"]
        pairs.append(
            {
                "conversations": [{"from": "human", "value": QUESTION.format(row["chosen"]["value"])}],
                "chosen": {"from": "gpt", "value": FIRST if first else SECOND},
                "rejected": {"from": "gpt", "value": SECOND if first else FIRST},
                "images": [preferred, other] if first else [other, preferred],
            }
        )
    with open(output, "w", encoding="utf-8") as stream:
        json.dump(pairs, stream, ensure_ascii=False, indent=2)


if __name__ == "__main__":
    main(*sys.argv[1:])

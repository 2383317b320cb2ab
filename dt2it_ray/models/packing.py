"""How several groups of answers become one row without any padding: each is a block of its own that sees itself only.

A block is laid out as a row of `prefix_batch`: shared tokens, then the rest of each answer; positions start anew in it.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from dt2it_ray.models.collate import Encoded, Encoder
from dt2it_ray.models.prefix import PADDING, Block, PrefixBatch, prefix_batch, shared_length


def packed_batch(groups: Sequence[Sequence[Encoded]], encoder: Encoder) -> PrefixBatch:
    """The groups as blocks of one row; as `prefix_batch` where the encoder's model does not share prompts."""
    if not encoder.readout.shared_prompt:
        return prefix_batch(groups, encoder)
    rows = prefix_batch(groups, encoder)
    blocks = tuple(_block(group) for group in groups)
    lengths = torch.tensor([block.length for block in blocks])
    first = lengths.cumsum(0) - lengths
    there = rows.branch != PADDING
    moved = first[rows.last[:, 0]]
    last = torch.stack([torch.zeros_like(moved), rows.last[:, 1] + moved], dim=1)
    return replace(
        rows,
        ids=rows.ids[there][None],
        positions=rows.positions[:, there][:, None],
        branch=rows.branch[there][None],
        last=last,
        answers=torch.where(rows.answers == PADDING, PADDING, rows.answers + moved[:, None]),
        blocks=blocks,
    )


def _block(group: Sequence[Encoded]) -> Block:
    if len(group) == 1:
        return Block(len(group[0].ids), ())
    shared = shared_length(group)
    return Block(shared, tuple(len(encoded.ids) - shared for encoded in group))

"""How answers that share a prompt become one row of a batch, so that the prompt is computed once (ARCHITECTURE 6).

A row is [shared tokens | rest of answer 1 | rest of answer 2 | ...]. The rest of one answer sees the shared tokens and
itself only, and its positions go on from the shared tokens, so every hidden state equals that of a pass of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dt2it_ray.models.collate import Encoded, Encoder, Picture

SHARED, PADDING = 0, -1


@dataclass(frozen=True)
class Block:
    """Where the tokens of one group are in a packed row."""

    shared: int
    """Tokens that all its conversations begin with; all tokens of a conversation alone."""
    own: tuple[int, ...]
    """Tokens of the rest of each conversation; empty for a conversation alone."""

    @property
    def length(self) -> int:
        """Tokens of the block."""
        return self.shared + sum(self.own)


@dataclass(frozen=True)
class PrefixBatch:
    """Model inputs of B rows that hold N conversations, in the order in which they were given.

    Each row is one group, or one row holds all groups, block after block, and there is no padding (`packed_batch`).
    """

    ids: torch.Tensor
    """[B, L] token ids, padded on the right."""
    positions: torch.Tensor
    """[3, B, L] rotary positions: time, height, width."""
    branch: torch.Tensor
    """[B, L] 0 for shared tokens, 1, 2, ... for the tokens of one answer, -1 for padding."""
    last: torch.Tensor
    """[N, 2] row and column of the last token of each conversation."""
    answers: torch.Tensor
    """[N, A] columns of each conversation's tokens after `Encoded.start`, then -1 up to the longest."""
    patches: torch.Tensor | None
    """[patches, values] of the distinct images."""
    grids: torch.Tensor | None
    """[distinct images, 3]."""
    keys: tuple[str, ...]
    """`Picture.key` of the distinct images."""
    shown: tuple[int, ...]
    """Which distinct image each image place shows, row by row."""
    blocks: tuple[Block, ...] = ()
    """The groups of a packed row, in order; empty where each row is one group."""

    def to(self, device: torch.device | str) -> "PrefixBatch":
        """The same batch on another device."""
        tensors = (self.ids, self.positions, self.branch, self.last, self.answers, self.patches, self.grids)
        moved = (None if tensor is None else tensor.to(device) for tensor in tensors)
        return PrefixBatch(*moved, keys=self.keys, shown=self.shown, blocks=self.blocks)  # type: ignore[arg-type]

    def mask(self, dtype: torch.dtype) -> torch.Tensor:
        """[B, 1, L, L] what is added to attention logits: 0 where a token may look, the smallest number elsewhere.

        Of rows that are one group each.
        """
        length = self.ids.shape[1]
        looking, seen = self.branch[:, :, None], self.branch[:, None, :]
        causal = torch.ones(length, length, dtype=torch.bool, device=self.ids.device).tril()
        allowed = causal & ((seen == SHARED) | (seen == looking))
        return torch.zeros(allowed.shape, dtype=dtype, device=self.ids.device).masked_fill_(
            ~allowed, torch.finfo(dtype).min
        )[:, None]

    def tokens(self) -> torch.Tensor:
        """[B, L] 1 for tokens, 0 for padding: the mask of rows that hold one conversation each."""
        return (self.branch != PADDING).long()

    def group_of(self) -> torch.Tensor:
        """[N] the number of each conversation's group."""
        if not self.blocks:
            return self.last[:, 0]
        counts = torch.tensor([max(1, len(block.own)) for block in self.blocks], device=self.ids.device)
        return torch.arange(len(self.blocks), device=self.ids.device).repeat_interleave(counts)

    def by_group(self, marks: torch.Tensor) -> torch.Tensor:
        """[groups, longest] of marks [B, L] of tokens, False after the end of a block."""
        if not self.blocks:
            return marks
        blocks = marks[0].split([block.length for block in self.blocks])
        return nn.utils.rnn.pad_sequence(list(blocks), True, False)


def shared_length(group: Sequence[Encoded]) -> int:
    """How many leading tokens all conversations share; at least the last token of each stays its own."""
    shortest = min(len(encoded.ids) for encoded in group) - 1
    stacked = np.stack([encoded.ids[:shortest] for encoded in group])
    differing = np.flatnonzero((stacked != stacked[0]).any(axis=0))
    return int(differing[0]) if len(differing) else shortest


def row_length(group: Sequence[Encoded]) -> int:
    """Tokens of the row that a group of conversations becomes."""
    shared = shared_length(group)
    return shared + sum(len(encoded.ids) - shared for encoded in group)


def prefix_batch(groups: Sequence[Sequence[Encoded]], encoder: Encoder) -> PrefixBatch:
    """One row per group; the conversations of a group have the same prompt (`Encoded.prompt`).

    One row per conversation where the encoder's model does not share prompts.
    """
    if not encoder.readout.shared_prompt:
        groups = [[encoded] for group in groups for encoded in group]
    rows = [_row(group, encoder) for group in groups]
    length = max(len(row.ids) for row in rows)
    ids = np.full((len(rows), length), encoder.pad_id, dtype=np.int64)
    positions = np.zeros((3, len(rows), length), dtype=np.int64)
    branch = np.full((len(rows), length), PADDING, dtype=np.int64)
    last, answers = [], []
    for index, row in enumerate(rows):
        size = len(row.ids)
        ids[index, :size], positions[:, index, :size], branch[index, :size] = row.ids, row.positions, row.branch
        last += [(index, column) for column in row.last]
        answers += row.answers
    pictures = [picture for group in groups for picture in group[0].pictures]
    distinct = {picture.key: picture for picture in pictures}
    order = {key: index for index, key in enumerate(distinct)}
    patches, grids = _pixels(list(distinct.values()))
    return PrefixBatch(
        ids=torch.from_numpy(ids),
        positions=torch.from_numpy(positions),
        branch=torch.from_numpy(branch),
        last=torch.tensor(last),
        answers=nn.utils.rnn.pad_sequence([torch.from_numpy(columns) for columns in answers], True, PADDING),
        patches=patches,
        grids=grids,
        keys=tuple(distinct),
        shown=tuple(order[picture.key] for picture in pictures),
    )


def rope_positions(encoded: Encoded, image_token_id: int, merge: int) -> np.ndarray:
    """[3, tokens] positions of Qwen-VL: text counts on; an image counts rows and columns, text goes on after it."""
    pieces, cursor, position = [], 0, 0
    starts = encoded.ids == image_token_id
    for picture in encoded.pictures:
        text = int(np.argmax(starts[cursor:]))
        pieces.append(np.tile(np.arange(position, position + text), (3, 1)))
        t, h, w = picture.grid[0], picture.grid[1] // merge, picture.grid[2] // merge
        pieces.append(np.indices((t, h, w)).reshape(3, -1) + position + text)
        cursor, position = cursor + text + t * h * w, position + text + max(h, w)
    rest = len(encoded.ids) - cursor
    pieces.append(np.tile(np.arange(position, position + rest), (3, 1)))
    return np.concatenate(pieces, axis=1)


@dataclass(frozen=True)
class _Row:
    ids: np.ndarray
    positions: np.ndarray
    branch: np.ndarray
    last: list[int]
    answers: list[np.ndarray]


def _row(group: Sequence[Encoded], encoder: Encoder) -> _Row:
    shared = shared_length(group)
    positions = [rope_positions(encoded, encoder.image_token_id, encoder.merge) for encoded in group]
    sizes = [len(encoded.ids) - shared for encoded in group]
    ids = [group[0].ids[:shared], *(encoded.ids[shared:] for encoded in group)]
    places = [positions[0][:, :shared], *(place[:, shared:] for place in positions)]
    branch = [np.zeros(shared, dtype=np.int64), *(np.full(size, k) for k, size in enumerate(sizes, start=1))]
    ends = (shared + np.cumsum(sizes)).tolist()
    answers = [
        _answer_columns(encoded.start, shared, end - size, end)
        for encoded, size, end in zip(group, sizes, ends, strict=True)
    ]
    last = [end - 1 for end in ends]
    return _Row(np.concatenate(ids), np.concatenate(places, axis=1), np.concatenate(branch), last, answers)


def _answer_columns(start: int, shared: int, own: int, end: int) -> np.ndarray:
    """Where in a row the tokens of a conversation from number `start` on are: in its shared part, then in its own."""
    behind = max(0, start - shared)
    # A conversation may end where its answer would start; its last token is then all there is to read.
    first = min(own + behind, end - 1)
    return np.concatenate([np.arange(min(start, shared), shared), np.arange(first, end)])


def _pixels(pictures: list[Picture]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    if not pictures:
        return None, None
    patches = torch.from_numpy(np.concatenate([picture.patches for picture in pictures]))
    return patches, torch.tensor([picture.grid for picture in pictures])

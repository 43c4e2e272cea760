"""Which labels may follow which: entities in IOB2, and words of characters in BMES.

Knows nothing of scores. BMES (Xue 2003) says of each character where in its word it stands: B at the
beginning, M in the middle, E at the end, S where it is a word by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BMES = ("B", "M", "E", "S")
_AFTER = {"B": "ME", "M": "ME", "E": "BS", "S": "BS"}


@dataclass(frozen=True)
class Allowed:
    """True where the labels allow it."""

    pairs: Tensor
    """(tag tag_next)"""
    start: Tensor
    end: Tensor


def is_bmes(labels: Sequence[str]) -> bool:
    """Whether the labels are those of characters in words, in whatever order."""
    return len(labels) == len(BMES) and set(labels) == set(BMES)


def allowed(labels: Sequence[str]) -> Allowed:
    """What the labels allow; where they are of neither scheme, everything."""
    if is_bmes(labels):
        pairs = torch.tensor([[after in _AFTER[label] for after in labels] for label in labels])
        return Allowed(
            pairs,
            torch.tensor([label in "BS" for label in labels]),
            torch.tensor([label in "ES" for label in labels]),
        )
    pairs, start = allowed_pairs(labels)
    return Allowed(pairs, start, torch.ones(len(labels), dtype=torch.bool))


def allowed_pairs(labels: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Which label may follow which (tag tag_next), and which may begin: with IOB2 labels, I-X goes on with an
    entity X and follows B-X or I-X alone. Where there is no B-X, I-X may stand anywhere.
    """
    bound = [label.startswith("I-") and f"B-{label[2:]}" in labels for label in labels]
    pairs = [
        [not bound[j] or label in (f"B-{after[2:]}", f"I-{after[2:]}") for j, after in enumerate(labels)]
        for label in labels
    ]
    return torch.tensor(pairs).reshape(len(labels), len(labels)), ~torch.tensor(bound, dtype=torch.bool)


def bmes(length: int) -> list[str]:
    """The labels of the characters of a word."""
    return ["S"] if length == 1 else ["B", *["M"] * (length - 2), "E"]


def cut(labels: Sequence[str]) -> list[tuple[int, int]]:
    """The words (start, end) that the labels of characters mean; one that the scheme forbids is read kindly:
    B and S begin a word wherever they stand, E and S end one.
    """
    words: list[tuple[int, int]] = []
    start = 0
    for place, label in enumerate(labels):
        if label in "BS" and place > start:
            words.append((start, place))
            start = place
        if label in "ES":
            words.append((start, place + 1))
            start = place + 1
    return words if start == len(labels) else [*words, (start, len(labels))]

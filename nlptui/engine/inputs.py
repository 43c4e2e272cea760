"""From an encoding to what a network reads: a batch of one. Knows nothing of which network."""

from __future__ import annotations

import torch
from torch import Tensor

from nlptui.nn import Batch
from nlptui.tokenizers import Encoding
from nlptui.trace import Trace


def batch_of(encoding: Encoding, device: str, target_ids: tuple[int, ...] | None = None) -> Batch:
    """One sentence without padding; characters where the tokenizer gives them."""
    return Batch(
        ids=torch.tensor([encoding.ids], dtype=torch.int64, device=device),
        segments=torch.tensor([encoding.segments], dtype=torch.int64, device=device),
        chars=None if encoding.char_ids is None else _padded(encoding.char_ids).to(device),
        words=[[encoding.surface(i) for i in range(len(encoding))]],
        target_ids=None
        if target_ids is None
        else torch.tensor([target_ids], dtype=torch.int64, device=device),
    )


def batch_again(trace: Trace, device: str) -> Batch:
    """What the network read in a run; of a translator, with what its decoder had been given."""
    held = trace.inputs.get("target_ids")
    written = None if held is None else tuple(map(int, held.value[0]))
    return batch_of(trace.encoding, device, written)


def _padded(rows: tuple[tuple[int, ...], ...]) -> Tensor:
    width = max((len(row) for row in rows), default=1) or 1
    return torch.tensor([[list(row) + [0] * (width - len(row)) for row in rows]], dtype=torch.int64)

"""What a network is given: ids and masks of a padded batch. Knows nothing of text or of tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor


@dataclass
class Batch:
    """A padded batch; every tensor has the batch first."""

    ids: Tensor
    """Token ids, int64 (batch pos)."""
    mask: Tensor | None = None
    """True at real tokens, bool (batch pos); None: no padding."""
    segments: Tensor | None = None
    """Segment ids, int64 (batch pos); None: all zero."""
    labels: Tensor | None = None
    """Labels that a CRF learns from, int64 (batch pos), negative where there is none."""
    chars: Tensor | None = None
    """Character ids of each token, int64 (batch pos char); 0 pads."""
    target_ids: Tensor | None = None
    """What the decoder has been given so far, int64 (batch tgt)."""
    target_mask: Tensor | None = None
    """True at real target tokens, bool (batch tgt); None: no padding."""
    mlm_positions: Tensor | None = None
    """Flat indices into batch × pos where the MLM head is wanted, int64; None: everywhere."""
    contexts: Tensor | None = None
    """The word met beside each token, int64 (batch pos); only its score and those of `noise` are wanted."""
    noise: Tensor | None = None
    """Words drawn at random that the tokens of a row are compared with, int64 (batch noise)."""

    words: Sequence[Sequence[str]] | None = None
    """The stretch of text behind each token, for models that read strings; without padding."""

    def to(self, device: str, non_blocking: bool = False) -> Batch:
        """The same batch on `device`."""
        return self._moved(lambda value: value.to(device, non_blocking=non_blocking))

    def pin(self) -> Batch:
        """The same batch in memory from which a GPU can fetch it while the program goes on."""
        return self._moved(Tensor.pin_memory)

    def _moved(self, move: Callable[[Tensor], Tensor]) -> Batch:
        """The same batch, its tensors moved; words stay where they are."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {k: move(v) if isinstance(v, Tensor) else v for k, v in given.items()}
        return replace(self, **moved)

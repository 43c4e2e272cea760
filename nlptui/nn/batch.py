"""What a network is given: ids and masks of a padded batch. Knows nothing of text or of tasks."""

from __future__ import annotations

from dataclasses import dataclass, fields

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

    def to(self, device: str, non_blocking: bool = False) -> Batch:
        """The same batch on `device`."""
        given = self._given().items()
        return Batch(**{name: value.to(device, non_blocking=non_blocking) for name, value in given})

    def pin(self) -> Batch:
        """The same batch in memory from which a GPU can fetch it while the program goes on."""
        return Batch(**{name: value.pin_memory() for name, value in self._given().items()})

    def _given(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

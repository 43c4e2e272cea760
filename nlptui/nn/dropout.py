"""Dropout (Srivastava et al. 2014), whose masks on a CPU cost one random byte a value.

Knows nothing of layers. torch's own draws a whole random number for each value, which takes more than twice
as long and is a tenth of a small network's training step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_BYTE = 256


def dropout(x: Float[Tensor, "*shape"], share: float, training: bool) -> Float[Tensor, "*shape"]:
    """In training, a `share` of the values becomes 0 and the others grow, so that the mean stays.

        y = x ⊙ mask · 256 / (256 − k),  mask = [random byte ≥ k],  k = round(256 share)

    On other devices torch's own. Without training, x itself.
    """
    if not training or not share:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, share)
    kept = _BYTE - max(1, min(_BYTE - 1, round(share * _BYTE)))
    words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    bytes_of = words.view(torch.uint8)[: x.numel()].view(x.shape)
    return x * (bytes_of < kept).to(x.dtype).mul_(_BYTE / kept)

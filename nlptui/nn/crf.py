"""A linear-chain CRF on top of a network: tags of a whole sentence are chosen together, not one by one.

The network says how well each tag suits each word (emission); the layer learns how well tags follow each
other, and which tags begin and end a sentence. Knows nothing of the network below.
Sources: Lafferty, McCallum & Pereira 2001; on top of an LSTM: Huang, Xu & Yu 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nlptui.classical.lattice import Lattice, forward_backward, log_partition, viterbi
from nlptui.classical.schemes import allowed_pairs
from nlptui.nn.layers import Rec
from nlptui.trace import OFF

IMPOSSIBLE = -1e4
"""What stands for −∞ where gradients flow, which −∞ would turn into NaN; its exponential is 0 too."""


class CRF(nn.Module):
    """p(y | x) = exp s(x, y) / Σ_y′ exp s(x, y′), with s(x, y) the score of a path (see `lattice`).

    The loss of a sentence is −log p(y | x). Labels that are not known are summed over: the loss is then
    −log of the probability of all paths that agree with those that are (Tsuboi et al. 2008).
    """

    allowed: Tensor
    may_start: Tensor

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.transition = nn.Parameter(torch.zeros(len(labels), len(labels)))
        self.start = nn.Parameter(torch.zeros(len(labels)))
        self.end = nn.Parameter(torch.zeros(len(labels)))
        allowed, may_start = allowed_pairs(labels)
        self.register_buffer("allowed", allowed, persistent=False)
        self.register_buffer("may_start", may_start, persistent=False)

    def decode(
        self, emission: Float[Tensor, "batch pos tag"], mask: Bool[Tensor, "batch pos"] | None, rec: Rec = OFF
    ) -> dict[str, Tensor]:
        """`path` (batch pos), the best tags, and `probs` (batch pos tag), the posterior of each.

        Both are worked out in float64 where the device has it.

        The recorder's scope calls the scores `emission` and this module `crf`.
        """
        transition = self.transition.masked_fill(~self.allowed, -torch.inf)[None]
        start = self.start.masked_fill(~self.may_start, -torch.inf)[None]
        by = "mask(crf.transition, crf.allowed)"
        transition = rec("transition", _exact(transition), "batch tag tag_next", by=by)
        start = rec("transition.start", _exact(start), "batch tag", by="mask(crf.start, crf.may_start)")
        end = rec("transition.end", _exact(self.end[None]), "batch tag", by="crf.end")
        lattice = Lattice(_exact(emission), transition, start, end, mask)
        probs = forward_backward(lattice, rec, emission.dtype).probs
        return {"probs": probs, "path": viterbi(lattice, rec).path}

    def loss(
        self,
        emission: Float[Tensor, "batch pos tag"],
        labels: Int[Tensor, "batch pos"],
        mask: Bool[Tensor, "batch pos"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """−log p(labels | x) of each sentence; a negative label is one that is not known."""
        tags = torch.arange(emission.shape[-1], device=emission.device)
        excluded = (labels[..., None] >= 0) & (labels[..., None] != tags)
        # Both sums in one go: over all paths, and over those that agree with the labels.
        both = torch.cat([emission, emission.masked_fill(excluded, IMPOSSIBLE)])
        transition = self.transition.masked_fill(~self.allowed, IMPOSSIBLE)[None]
        start = self.start.masked_fill(~self.may_start, IMPOSSIBLE)[None]
        twice = None if mask is None else torch.cat([mask, mask])
        all_paths, agreeing = log_partition(Lattice(both, transition, start, self.end[None], twice)).chunk(2)
        return all_paths - agreeing


def _exact(value: Tensor) -> Tensor:
    """`value` in float64, so that which of two sums is greater is no matter of rounding."""
    return value if value.device.type == "mps" else value.double()

"""Four ways to make one vector of a sequence: its first token, the mean, the maximum, learned attention.

Knows nothing of what the vector is for.
"""

from __future__ import annotations

import math

from jaxtyping import Bool, Float
from torch import Tensor, nn

from nlptui.nn.attention import safe_softmax
from nlptui.nn.layers import Rec
from nlptui.trace import OFF

POOLINGS = ("cls", "mean", "max", "attention")


class Pooler(nn.Module):
    """A pooler by name.

        cls        tanh(W x₀ + b)                    (BERT: Devlin et al. 2019)
        mean, max  over the positions that are not padding
        attention  Σ_p softmax(w x + b)_p x_p         (Lin et al. 2017, one hop)

    A sequence of nothing but padding becomes 0, except under cls, which always reads its first position.
    Raises ValueError for another name.
    """

    def __init__(self, method: str, width: int) -> None:
        super().__init__()
        if method not in POOLINGS:
            raise ValueError(f"pooling {method!r} is not one of {', '.join(POOLINGS)}")
        self.method = method
        if method == "cls":
            self.dense = nn.Linear(width, width)
        if method == "attention":
            self.score = nn.Linear(width, 1)

    def forward(
        self,
        x: Float[Tensor, "batch pos width"],
        mask: Bool[Tensor, "batch pos"] | None = None,
        rec: Rec = OFF,
    ) -> Float[Tensor, "batch width"]:
        """The pooled vector. The recorder's scope calls the arguments `x` and `mask`."""
        pooled: Tensor = getattr(self, f"_{self.method}")(x, mask, rec)
        return pooled

    def _cls(self, x: Tensor, mask: Tensor | None, rec: Rec) -> Tensor:
        pre = rec("pre", self.dense(x[:, 0]), "batch d_model", by="linear(first(x), dense)")
        return rec("pooled", pre.tanh(), "batch d_model", by="tanh(pre)")

    def _mean(self, x: Tensor, mask: Tensor | None, rec: Rec) -> Tensor:
        if mask is None:
            return rec("pooled", x.mean(1), "batch d_model", by="mean_pos(x)")
        kept = mask[..., None].to(x.dtype)
        mean = (x * kept).sum(1) / kept.sum(1).clamp(min=1)
        return rec("pooled", mean, "batch d_model", by="mean_pos(x, mask)")

    def _max(self, x: Tensor, mask: Tensor | None, rec: Rec) -> Tensor:
        if mask is None:
            return rec("pooled", x.amax(1), "batch d_model", by="max_pos(x)")
        top = x.masked_fill(~mask[..., None], -math.inf).amax(1)
        top = top.masked_fill(~mask.any(1, keepdim=True), 0.0)
        return rec("pooled", top, "batch d_model", by="max_pos(x, mask)")

    def _attention(self, x: Tensor, mask: Tensor | None, rec: Rec) -> Tensor:
        axes = "batch hop key"
        scores = rec("raw", self.score(x).transpose(1, 2), axes, by="swap(linear(x, score))")
        by = "softmax(raw)"
        if mask is not None:
            allowed = mask[:, None]
            rec.input("key_mask", allowed, axes)
            masked = scores.masked_fill(~allowed, -math.inf)
            scores, by = rec("scores", masked, axes, by="mask(raw, key_mask)"), "softmax(scores)"
        weights = rec("weights", safe_softmax(scores), axes, by=by)
        return rec("pooled", (weights @ x)[:, 0], "batch d_model", by="first(mix(weights, x))")

"""What stands on top of a network: labels of tokens or texts, next or masked tokens, sentence pairs, spans.

Knows nothing of the network below: a head gets vectors and gives logits, and probabilities when on record.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nlptui.nn.layers import LayerNorm, Rec
from nlptui.trace import OFF


def record_logits(logits: Tensor, rec: Rec, axes: str, by: str) -> Tensor:
    """Note `logits` and, on record, their softmax as `probs`."""
    logits = rec("logits", logits, axes, by=by)
    if rec.on:
        rec("probs", logits.softmax(-1), axes, by="softmax(logits)")
    return logits


class LabelHead(nn.Linear):
    """One score for each label, of each token or of the whole sequence: logits = x Wᵀ + b."""

    def logits(
        self, x: Float[Tensor, "*lead width"], rec: Rec = OFF, module: str = "head"
    ) -> Float[Tensor, "*lead label"]:
        """Scores of `x`, which the recorder's scope calls `x`; the head's parameters lie under `module`."""
        axes = "batch pos label" if x.ndim == 3 else "batch label"
        return record_logits(self(x), rec, axes, by=f"linear(x, {module})")


class MaskedLMHead(nn.Module):
    """BERT's head for [MASK] (Devlin et al. 2019): dense, GELU, LayerNorm, the token embedding transposed.

        logits = norm(gelu(x W + b)) Eᵀ + c

    E is given by the model, so that the table is one.
    """

    def __init__(self, d_model: int, vocab_size: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(d_model, d_model)
        self.norm = LayerNorm(d_model, eps=eps)
        self.bias = nn.Parameter(self.dense.weight.new_zeros(vocab_size))

    def forward(
        self, x: Float[Tensor, "*lead d_model"], embedding: Float[Tensor, "vocab d_model"], rec: Rec = OFF
    ) -> Float[Tensor, "*lead vocab"]:
        """Scores of the whole vocabulary. The recorder's scope calls the arguments `x` and `embedding`."""
        pre = rec("pre", self.dense(x), "batch pos d_model", by="linear(x, dense)")
        act = rec("act", F.gelu(pre), "batch pos d_model", by="gelu(pre)")
        normed = self.norm.norm(act, rec, "norm", of="act")
        return record_logits(
            F.linear(normed, embedding, self.bias), rec, "batch pos vocab", "linear(norm, embedding, bias)"
        )


class SpanHead(nn.Module):
    """Start and end of an answer (Devlin et al. 2019, section 4.2): one score each for every token."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.start = nn.Linear(d_model, 1)
        self.end = nn.Linear(d_model, 1)

    def forward(
        self, x: Float[Tensor, "batch pos d_model"], rec: Rec = OFF
    ) -> dict[str, Float[Tensor, "batch pos"]]:
        """`start.logits` and `end.logits`.

        The recorder's scope is the head's parent; it calls the argument `x` and the head `span`.
        """
        out = {}
        for name, head in (("start", self.start), ("end", self.end)):
            by = f"column(linear(x, span.{name}), 0)"
            out[f"{name}.logits"] = record_logits(
                head(x)[..., 0], rec.at(name, x="x", span="span"), "batch pos", by
            )
        return out

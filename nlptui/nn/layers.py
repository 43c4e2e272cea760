"""Small parts that several architectures share: LayerNorm, the feed-forward layer, sinusoidal positions.

Knows nothing of attention, blocks or models.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nlptui.trace import OFF, Off, Recorder

Rec = Recorder | Off


class LayerNorm(nn.LayerNorm):
    """Layer normalisation (Ba et al. 2016), with its mean and scale on record.

        y = (x − mean) / scale ⊙ weight + bias        scale = √(var + ε)

    `name` is what the result is called in the recorder's scope; the parameters must lie under the same name.
    """

    def norm(
        self, x: Float[Tensor, "*lead width"], rec: Rec = OFF, name: str = "", of: str = "x"
    ) -> Float[Tensor, "*lead width"]:
        """Normalise the last axis of `x`, which the recorder's scope calls `of`."""
        if not rec.on:
            fused: Tensor = self(x)
            return fused
        axes = "batch pos" if x.ndim == 3 else "batch"
        mean = rec(f"{name}.mean", x.mean(-1, keepdim=True), f"{axes} stat", by=f"mean({of})")
        centred = x - mean
        variance = centred.square().mean(-1, keepdim=True)  # torch.var_mean takes three times as long
        by = f"sqrt(mean(square({of} - {name}.mean)) + {self.eps!r})"
        scale = rec(f"{name}.scale", (variance + self.eps).sqrt(), f"{axes} stat", by=by)
        by = f"({of} - {name}.mean) / {name}.scale * {name}.weight"
        bias: Tensor | None = self.bias  # None where the layer was made without one
        if bias is None:
            return rec(name, centred / scale * self.weight, f"{axes} d_model", by=by)
        normed = torch.addcmul(bias, centred / scale, self.weight)
        return rec(name, normed, f"{axes} d_model", by=f"{by} + {name}.bias")


ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
}


class FeedForward(nn.Module):
    """The position-wise layer of a block (Vaswani et al. 2017, section 3.3).

        pre = x W_up + b_up,   post = act(pre),   out = post W_down + b_down

    activation: one of gelu, gelu_tanh, relu.
    """

    def __init__(self, d_model: int, d_ff: int, activation: str, bias: bool = True) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=bias)
        self.down = nn.Linear(d_ff, d_model, bias=bias)
        self.activation = activation

    def forward(
        self, x: Float[Tensor, "batch pos d_model"], rec: Rec = OFF
    ) -> Float[Tensor, "batch pos d_model"]:
        """The layer's output for `x`, which the recorder's scope calls `x`."""
        pre = rec("pre", self.up(x), "batch pos d_ff", by="linear(x, up)")
        post = rec("post", ACTIVATIONS[self.activation](pre), "batch pos d_ff", by=f"{self.activation}(pre)")
        return rec("out", self.down(post), "batch pos d_model", by="linear(post, down)")


def sinusoids(length: int, d_model: int) -> Float[Tensor, "length d_model"]:
    """Sinusoidal positions (Vaswani et al. 2017, section 3.5): sin at even, cos at odd columns."""
    position = torch.arange(length, dtype=torch.float64)[:, None]
    column = torch.arange(0, d_model, 2, dtype=torch.float64)
    angle = position * torch.exp(column * (-math.log(10000.0) / d_model))
    table = torch.zeros(length, d_model, dtype=torch.float64)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()[:, : d_model // 2]
    return table.to(torch.get_default_dtype())


def initialise(module: nn.Module, std: float = 0.02) -> None:
    """BERT's and GPT-2's start: normal weights, zero biases, LayerNorm as the identity."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)

"""A decoder's step by one token a row, in as few calls as torch has for it: a search takes dozens of them.

The same arithmetic as the decoder's own (see `transformer`), a test holds them together. The products of
one input are one product, layers are called without modules, and all beams of a source are the queries of
one attention to it.
Records nothing and knows no gradients.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nlptui.nn.attention import Attention
from nlptui.nn.layers import ACTIVATIONS

if TYPE_CHECKING:
    from nlptui.nn.transformer import DecoderBlock, Transformer


class BlockStep:
    """One block with what it keeps from step to step."""

    def __init__(self, block: DecoderBlock, memory: Tensor, memory_mask: Tensor | None) -> None:
        own = block.self_attn
        three = (own.wq, own.wk, own.wv)
        self.weight = torch.cat([part.weight for part in three])
        biases: list[Any] = [part.bias for part in three]
        self.bias = None if biases[0] is None else torch.cat(biases)
        self.block = block
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        cross = block.cross_attn
        self.memory = cross.split(cross.wk(memory)), cross.split(cross.wv(memory))
        self.memory_mask = memory_mask

    def __call__(self, x: Tensor, rows: Tensor | None) -> Tensor:
        """x (row d_model) of the newest token → the same shape; `rows` go on from each other."""
        block = self.block
        own, cross = block.self_attn, block.cross_attn
        x = _normed(block.self_attn_norm, x + _plain(own.wo, self._attended(own, x, rows)))
        x = _normed(block.cross_attn_norm, x + _plain(cross.wo, self._asked(cross, x)))
        mlp = block.mlp
        out = _plain(mlp.down, ACTIVATIONS[mlp.activation](_plain(mlp.up, x)))
        return _normed(block.mlp_norm, x + out)

    def _attended(self, attention: Attention, x: Tensor, rows: Tensor | None) -> Tensor:
        """Each row's attention to its own tokens so far, the heads joined (row d_model)."""
        joined = F.linear(x, self.weight, self.bias).view(len(x), 3, attention.n_heads, 1, attention.d_head)
        query, keys, values = joined.unbind(1)
        if self.keys is not None and self.values is not None and rows is not None:
            keys = torch.cat([self.keys[rows], keys], 2)
            values = torch.cat([self.values[rows], values], 2)
        self.keys, self.values = keys, values
        return F.scaled_dot_product_attention(query, keys, values).flatten(1)

    def _asked(self, attention: Attention, x: Tensor) -> Tensor:
        """Each row's attention to its source, the heads joined (row d_model)."""
        keys, values = self.memory
        query = attention.split(_plain(attention.wq, x).view(len(keys), -1, x.shape[1]))
        found = F.scaled_dot_product_attention(query, keys, values, self.memory_mask)
        return found.transpose(1, 2).reshape(x.shape)


class DecoderSteps:
    """The decoder of `model` over sources (batch src d_model), for a search with some beams a source."""

    def __init__(self, model: Transformer, memory: Tensor, memory_mask: Tensor | None = None) -> None:
        self.blocks = [BlockStep(block, memory, memory_mask) for block in model.decoder]  # type: ignore[arg-type]
        self.embedding: Tensor = getattr(model, model.target).weight
        self.positions = model.pos_embedding
        self.scale = math.sqrt(model.config.d_model)
        self.length = 0

    def __call__(self, last: Tensor, rows: Tensor | None) -> Tensor:
        """Scores (row vocab) of what follows `last` (row), where row n goes on from `rows[n]`."""
        x = self.embedding[last] * self.scale + self.positions[self.length]
        self.length += 1
        for block in self.blocks:
            x = block(x, rows)
        return F.linear(x, self.embedding)


def _plain(layer: torch.nn.Linear, x: Tensor) -> Tensor:
    return F.linear(x, layer.weight, layer.bias)


def _normed(layer: torch.nn.LayerNorm, x: Tensor) -> Tensor:
    return F.layer_norm(x, layer.normalized_shape, layer.weight, layer.bias, layer.eps)

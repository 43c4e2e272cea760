"""What goes on inside a network while it learns, layer by layer: a row of the metrics at each measurement.

    grad_norm.LAYER       norm of the gradient of all of a layer's weights, before clipping
    weight_norm.LAYER     norm of the weights
    dead.LAYER            share of the units that never fire: of a feed-forward layer's, those never above 0;
                          of a recurrent layer's, those never beyond ±0.01
    saturated.LAYER       share of a recurrent layer's units that sit at an end of their tanh, beyond ±0.99,
                          at half of the tokens or more (an LSTM's first cannot: its cell grows by 1 at most)
    entropy.LAYER.hHEAD   of a head's attention weights: Σ −w ln w in nats, the mean over queries

LAYER is a name as in traces: `blocks.0.attn`, `encoder.1.mlp`, `layers.0.forward`, `token_embedding`; in the
last three kinds, of the block: `blocks.0`, `decoder.0.cross_attn`. Tokens are those of one batch of the dev
split, which stays the same through the run. Knows nothing of run directories or of how training goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlptui.nn.batch import Batch
from nlptui.nn.bert import Bert
from nlptui.nn.gpt import GPT
from nlptui.nn.recurrent_model import RecurrentModel
from nlptui.nn.transformer import Transformer
from nlptui.tasks import Task
from nlptui.tasks.base import evaluating, padding_mask
from nlptui.trace import Recorder

SAMPLE = 16
"""Examples that are looked at."""
FIRES, AT_THE_END = 0.01, 0.99
_WANTED = ("*attn.weights", "*mlp.post", "layers.*ward.hidden", "layers.*ward.cell")
_STACKS = ("blocks", "encoder", "decoder")
_NAMED = ("poolers", "heads", "char")
_RECURRENT = re.compile(r"layers\.\w+_l(\d+)(_reverse)?")


def layer_of(parameter: str) -> str:
    """The layer that a parameter belongs to: `blocks.0.attn` for `blocks.0.attn.wq.weight`."""
    recurrent = _RECURRENT.fullmatch(parameter)
    if recurrent:
        return f"layers.{recurrent[1]}.{'backward' if recurrent[2] else 'forward'}"
    parts = parameter.split(".")
    depth = 3 if parts[0] in _STACKS else 2 if parts[0] in _NAMED else 1
    return ".".join(parts[: max(1, min(depth, len(parts) - 1))])


def norms_by_layer(kind: str, norms: Mapping[str, Tensor]) -> dict[str, float]:
    """`kind`.LAYER → the norm of all of a layer's parameters, from the norm of each. Waits for the device."""
    squares: dict[str, float] = {}
    values = torch.stack(list(norms.values())).double().square().tolist() if norms else []
    for name, square in zip(norms, values, strict=True):
        layer = layer_of(name)
        squares[layer] = squares.get(layer, 0.0) + square
    return {f"{kind}.{layer}": square**0.5 for layer, square in squares.items()}


class Sample:
    """A batch that a network is looked at with, always the same."""

    def __init__(self, task: Task[Any], examples: Sequence[Any], device: str) -> None:
        rng = np.random.default_rng(0)
        plan = task.plan(examples, SAMPLE, rng)
        drawn = task.draw(examples, plan[0], rng) if plan else []
        self.batch: Batch | None = None
        if drawn and plan:
            self.batch = task.collate(drawn, device)[0]
            lengths = [task.length(example) for example in drawn]
            mask = padding_mask(lengths) if max(lengths) == self.batch.ids.shape[1] else None
            self.mask = self.batch.mask if mask is None else mask.to(device)
            """Real tokens; None: all. A causal network's batch has no mask of its own."""

    def look(self, model: nn.Module) -> dict[str, float]:
        """Dead and saturated units, and the entropy of attention. Leaves every generator alone."""
        if self.batch is None:
            return {}
        recorder = Recorder(only=_WANTED)
        with evaluating(model):
            _run(model, self.batch, recorder)
        found: dict[str, Tensor] = {}
        kept = recorder.activations
        for name, activation in kept.items():
            found |= self._measured(name, activation.value.float(), name.replace(".hidden", ".cell") in kept)
        values = torch.stack(list(found.values())).tolist() if found else []
        return dict(zip(found, values, strict=True))

    def _measured(self, name: str, value: Tensor, has_cell: bool) -> dict[str, Tensor]:
        layer, _dot, kind = name.rpartition(".")
        if kind == "weights":
            layer = layer.removesuffix(".attn")
            heads = self._entropy(value, self._queries(layer))
            return {f"entropy.{layer}.h{head}": entropy for head, entropy in enumerate(heads)}
        real = self._real(value, self._queries(layer))
        if kind == "post":
            return {f"dead.{layer.removesuffix('.mlp')}": (real <= 0).all(0).float().mean()}
        # An LSTM's tanh is that of its cell; elsewhere the hidden state itself is what a tanh gave.
        found = {}
        if kind == "hidden":
            found[f"dead.{layer}"] = (real.abs() < FIRES).all(0).float().mean()
        if kind == "cell" or not has_cell:
            squashed = real.tanh() if kind == "cell" else real
            share = (squashed.abs() > AT_THE_END).float().mean(0)
            found[f"saturated.{layer}"] = (share >= 0.5).float().mean()
        return found

    def _queries(self, layer: str) -> Tensor | None:
        assert self.batch is not None
        return self.batch.target_mask if layer.startswith("decoder") else self.mask

    @staticmethod
    def _real(value: Tensor, mask: Tensor | None) -> Tensor:
        """The rows of real tokens: (batch pos unit) → (token unit)."""
        return value.flatten(0, 1) if mask is None else value[mask]

    @staticmethod
    def _entropy(weights: Tensor, mask: Tensor | None) -> Tensor:
        """Mean entropy of each head (batch head query key) over the real queries."""
        each = torch.special.entr(weights).sum(-1).transpose(1, 2)
        return Sample._real(each, mask).mean(0)


def _run(model: nn.Module, batch: Batch, recorder: Recorder) -> None:
    """What is wanted of the network, without its heads."""
    if isinstance(model, GPT):
        model.hidden(batch, recorder)
    elif isinstance(model, RecurrentModel | Bert):
        model.encode(batch, recorder)
    elif isinstance(model, Transformer):
        model(batch, recorder)

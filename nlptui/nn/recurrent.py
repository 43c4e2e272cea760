"""Recurrent layers, stacked, in one or both directions: RNN (tanh), LSTM, GRU.

Each takes the state dict of its `torch.nn` namesake unchanged. Without a recorder torch's fused kernels run;
with one, the equations run step by step and every gate is on record. Recording is for evaluation: it applies
no dropout, and starts from a state of zeros. Knows nothing of embeddings, heads or models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlptui.nn.dropout import dropout
from nlptui.nn.layers import Rec
from nlptui.trace import OFF, Recorder


@dataclass
class Moment:
    """One position of one direction of one layer, while it is on record."""

    note: Callable[[str, Tensor, str], Tensor]
    """Records a value at this position under a name, with its formula, and returns it, edited if asked."""
    weight: Tensor
    """W_h of all gates, one below the other."""
    bias: Tensor | None
    keep: Tensor | None
    """1 at real tokens, 0 at padding (batch 1); None where there is no padding."""

    def recurrent(self, h: Float[Tensor, "batch d_hidden"]) -> Float[Tensor, "batch gates"]:
        """W_h h + b_h."""
        return F.linear(h, self.weight, self.bias)

    def note_state(self, name: str, value: Tensor, by: str) -> Tensor:
        """`note` for a state, which is 0 at padding."""
        if self.keep is None:
            return self.note(name, value, by)
        return self.note(name, value * self.keep, f"({by}) * keep")


@cache
def of_input(part: int, width: int, bias: bool) -> str:
    """The formula of W_x x + b_x for the gate number `part`; the same at every position."""
    return _linear("x", "ih", part, width, bias)


@cache
def of_past(part: int, width: int, bias: bool) -> str:
    """The formula of W_h h + b_h for the gate number `part`."""
    return _linear("prev(hidden)", "hh", part, width, bias)


@cache
def of_both(part: int, width: int, bias: bool) -> str:
    """The formula of the whole pre-activation."""
    return f"{of_input(part, width, bias)} + {of_past(part, width, bias)}"


def _linear(x: str, way: str, part: int, width: int, bias: bool) -> str:
    """The formula of rows part·width … of one of torch's stacked matrices."""
    rows = f"[{part * width}:{(part + 1) * width}]"
    return f"linear({x}, weight_{way}{rows}" + (f", bias_{way}{rows})" if bias else ")")


class RNN(nn.RNN):
    """The Elman network (Elman 1990).

        preact = W_x x + b_x + W_h h + b_h
        h' = tanh(preact)

    Constructor and parameters are those of `torch.nn.RNN`; batch_first must be set.
    """

    def run(
        self, x: Tensor, rec: Rec = OFF, mask: Tensor | None = None, state: Any = None
    ) -> tuple[Tensor, Any]:
        """Hidden states of `x`, and the last state: see the function `run`."""
        return run(self, x, rec, mask, state)

    @staticmethod
    def start(h: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step."""
        return (h,)

    @staticmethod
    def cell_step(
        wx: Float[Tensor, "batch d_hidden"], state: tuple[Tensor, ...], now: Moment
    ) -> tuple[Tensor, ...]:
        """One step; `wx` is W_x x + b_x."""
        (h,) = state
        by = of_both(0, h.shape[1], now.bias is not None)
        preact = now.note("preact", wx + now.recurrent(h), by)
        return (now.note_state("hidden", preact.tanh(), "tanh(preact)"),)


class LSTM(nn.LSTM):
    """The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

        i = σ(W_i x + U_i h + b_i)      how much of the new content is written
        f = σ(W_f x + U_f h + b_f)      how much of the old cell is kept
        g = tanh(W_g x + U_g h + b_g)   the new content
        o = σ(W_o x + U_o h + b_o)      how much of the cell is shown
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    Constructor and parameters are those of `torch.nn.LSTM`; batch_first must be set.
    """

    GATES = ("input_gate", "forget_gate", "candidate", "output_gate")

    def run(
        self, x: Tensor, rec: Rec = OFF, mask: Tensor | None = None, state: Any = None
    ) -> tuple[Tensor, Any]:
        """Hidden states of `x`, and the last state: see the function `run`."""
        return run(self, x, rec, mask, state)

    @torch.no_grad()
    def start_forget_gate(self, bias: float) -> None:
        """Let b_f be `bias` in every layer and direction: σ(b_f) is kept at first (Gers et al. 2000)."""
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        for name, parameter in self.named_parameters():
            if name.startswith("bias_"):  # torch adds two biases
                parameter[forget] = bias if name.startswith("bias_ih") else 0.0

    @staticmethod
    def start(h: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step: hidden and cell."""
        return (h, h)

    @staticmethod
    def cell_step(
        wx: Float[Tensor, "batch gates"], state: tuple[Tensor, ...], now: Moment
    ) -> tuple[Tensor, ...]:
        """One step; `wx` is W_x x + b_x of the four gates."""
        h, c = state
        biased = now.bias is not None
        pre = (wx + now.recurrent(h)).chunk(4, 1)
        gate: dict[str, Tensor] = {}
        for n, name in enumerate(LSTM.GATES):
            raw = now.note(f"{name}.pre", pre[n], of_both(n, h.shape[1], biased))
            squash = "tanh" if name == "candidate" else "sigmoid"
            gate[name] = now.note(name, getattr(raw, squash)(), f"{squash}({name}.pre)")
        kept = now.note("kept", gate["forget_gate"] * c, "forget_gate * prev(cell)")
        written = now.note("written", gate["input_gate"] * gate["candidate"], "input_gate * candidate")
        c = now.note_state("cell", kept + written, "kept + written")
        h = now.note_state("hidden", gate["output_gate"] * c.tanh(), "output_gate * tanh(cell)")
        return h, c


class GRU(nn.GRU):
    """The GRU (Cho et al. 2014), in PyTorch's form: the reset gate acts after the recurrent product.

        r = σ(W_r x + U_r h + b_r)              how much of the past the candidate sees
        z = σ(W_z x + U_z h + b_z)              how much of the old state stays
        n = tanh(W_n x + b_n + r ⊙ (U_n h + c_n))
        h' = (1 − z) ⊙ n + z ⊙ h

    Constructor and parameters are those of `torch.nn.GRU`; batch_first must be set.
    """

    def run(
        self, x: Tensor, rec: Rec = OFF, mask: Tensor | None = None, state: Any = None
    ) -> tuple[Tensor, Any]:
        """Hidden states of `x`, and the last state: see the function `run`."""
        return run(self, x, rec, mask, state)

    @staticmethod
    def start(h: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step."""
        return (h,)

    @staticmethod
    def cell_step(
        wx: Float[Tensor, "batch gates"], state: tuple[Tensor, ...], now: Moment
    ) -> tuple[Tensor, ...]:
        """One step; `wx` is W_x x + b_x of the two gates and the candidate."""
        (h,) = state
        width, biased = h.shape[1], now.bias is not None
        x_r, x_z, x_n = wx.chunk(3, 1)
        h_r, h_z, h_n = now.recurrent(h).chunk(3, 1)
        pre = now.note("reset_gate.pre", x_r + h_r, of_both(0, width, biased))
        r = now.note("reset_gate", pre.sigmoid(), "sigmoid(reset_gate.pre)")
        pre = now.note("update_gate.pre", x_z + h_z, of_both(1, width, biased))
        z = now.note("update_gate", pre.sigmoid(), "sigmoid(update_gate.pre)")
        past = now.note("candidate.recurrent", h_n, of_past(2, width, biased))
        by = f"{of_input(2, width, biased)} + reset_gate * candidate.recurrent"
        pre = now.note("candidate.pre", x_n + r * past, by)
        n = now.note("candidate", pre.tanh(), "tanh(candidate.pre)")
        by = "(1 - update_gate) * candidate + update_gate * prev(hidden)"
        return (now.note_state("hidden", (1 - z) * n + z * h, by),)


CELLS: dict[str, type[RNN] | type[LSTM] | type[GRU]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


def run(
    core: RNN | LSTM | GRU,
    x: Float[Tensor, "batch pos width"],
    rec: Rec = OFF,
    mask: Bool[Tensor, "batch pos"] | None = None,
    state: Any = None,
) -> tuple[Float[Tensor, "batch pos out"], Any]:
    """The top layer's hidden states, and the state to go on from (None on record).

    mask: True at real tokens, which stand before the padding; hidden states are 0 at padding.
    state: what an earlier call gave; None: zeros. Of a padded batch none comes back on a CPU. The recorder's
    scope calls the arguments `x` and `keep`, and holds the parameters under torch's names. Raises ValueError
    for a state on record.
    """
    if isinstance(rec, Recorder):
        if state is not None:
            raise ValueError("recording starts from a state of zeros: give the whole sequence, and no state")
        return _stepwise(core, x, rec, mask), None
    if mask is None:
        return core(x, state)  # type: ignore[no-any-return]
    if x.device.type == "cpu" and state is None:
        return _padded(core, x, mask), None
    lengths = mask.sum(1).clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    out, state = core(packed, state)
    hidden, _lengths = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return hidden * mask[..., None], state


def _padded(
    core: RNN | LSTM | GRU, x: Float[Tensor, "batch pos width"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos out"]:
    """The same for a padded batch on a CPU, where torch is up to three times slower with packed sequences.

    Padding stands at the end, where no real token sees it; backward, each row is turned round within it.
    """
    kernel: Any = {"RNN_TANH": torch.rnn_tanh, "LSTM": torch.lstm, "GRU": torch.gru}[core.mode]
    lengths, places = mask.sum(1, keepdim=True), torch.arange(x.shape[1])[None]
    turned = torch.where(places < lengths, lengths - 1 - places, places)[..., None]
    zeros = x.new_zeros(1, x.shape[0], core.hidden_size)
    start = (zeros, zeros) if core.mode == "LSTM" else zeros
    for layer in range(core.num_layers):
        if layer:
            x = dropout(x, core.dropout, core.training)
        ways = []
        for suffix in ("", "_reverse") if core.bidirectional else ("",):
            names = (f"{part}_l{layer}{suffix}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            weights = [getattr(core, name) for name in names if hasattr(core, name)]
            given = x.gather(1, turned.expand_as(x)) if suffix else x
            out = kernel(given, start, weights, core.bias, 1, 0.0, core.training, False, True)[0]
            ways.append(out.gather(1, turned.expand_as(out)) if suffix else out)
        x = torch.cat(ways, -1) if len(ways) > 1 else ways[0]
    return x * mask[..., None]


def _stepwise(core: RNN | LSTM | GRU, x: Tensor, rec: Recorder, mask: Tensor | None) -> Tensor:
    """The same by the equations, every gate on record."""
    axes = "batch pos d_hidden"
    for layer in range(core.num_layers):
        below = {} if layer == 0 else {"x": f"{layer - 1}.hidden"}
        hidden = _direction(core, x, rec, mask, layer, "forward", below)
        by = "forward.hidden"
        if core.bidirectional:
            backward = _direction(core, x, rec, mask, layer, "backward", below)
            hidden, by = torch.cat([hidden, backward], -1), "concat(forward.hidden, backward.hidden)"
        x = rec.at(str(layer))("hidden", hidden, axes, by=by)
    return x


def _direction(
    core: RNN | LSTM | GRU,
    x: Tensor,
    rec: Recorder,
    mask: Tensor | None,
    layer: int,
    direction: str,
    below: dict[str, str],
) -> Tensor:
    backward = direction == "backward"
    suffix = f"_l{layer}" + ("_reverse" if backward else "")
    names = {f"{kind}_{way}": f"{kind}_{way}{suffix}" for kind in ("weight", "bias") for way in ("ih", "hh")}
    weight_ih, weight_hh = getattr(core, names["weight_ih"]), getattr(core, names["weight_hh"])
    bias_ih, bias_hh = (getattr(core, names[f"bias_{way}"], None) for way in ("ih", "hh"))
    length = x.shape[1]
    steps = rec.at(f"{layer}.{direction}", **names, **below).steps(length, backward)
    from_input = F.linear(x, weight_ih, bias_ih)
    state = core.start(x.new_zeros(x.shape[0], core.hidden_size))
    for t in reversed(range(length)) if backward else range(length):
        keep = None if mask is None else mask[:, t, None].to(x.dtype)
        state = core.cell_step(from_input[:, t], state, Moment(partial(steps, t), weight_hh, bias_hh, keep))
    if not length:
        return x.new_zeros(x.shape[0], 0, core.hidden_size)
    return steps.close(lambda values: torch.stack(values, 1))["hidden"]

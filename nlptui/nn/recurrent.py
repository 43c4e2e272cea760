"""Recurrent layers, stacked, in one or both directions: RNN (tanh), LSTM, GRU.

Each takes the state dict of its `torch.nn` namesake unchanged. Without a recorder torch's fused kernels run; with one,
the equations run step by step and every gate is on record. Knows nothing of embeddings, heads or models.
Recording is for evaluation: it applies no dropout, and starts from a state of zeros.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlptui.nn.layers import Rec
from nlptui.trace import OFF, Recorder, Steps


class RNN(nn.RNN):
    """The Elman network (Elman 1990).

    preact = W_x x + b_x + W_h h + b_h
    h' = tanh(preact)
    """

    def run(
        self, x: Tensor, rec: Rec = OFF, mask: Tensor | None = None, state: Any = None
    ) -> tuple[Tensor, Any]:
        """See `run`."""
        return run(self, x, rec, mask, state)

    @staticmethod
    def start(h: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step."""
        return (h,)

    @staticmethod
    def cell_step(
        wx: Tensor,
        state: tuple[Tensor, ...],
        w: Tensor,
        b: Tensor | None,
        t: int,
        note: Steps,
        keep: Tensor | None,
    ) -> tuple[Tensor, ...]:
        """One step; `wx` is W_x x + b_x (batch d_hidden)."""
        (h,) = state
        preact = note(t, "preact", wx + F.linear(h, w, b), _sum(0, h.shape[1], b))
        return (note(t, "hidden", _keep(preact.tanh(), keep), _kept("tanh(preact)", keep)),)


class LSTM(nn.LSTM):
    """The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    i = σ(W_i x + U_i h + b_i)      how much of the new content is written
    f = σ(W_f x + U_f h + b_f)      how much of the old cell is kept
    g = tanh(W_g x + U_g h + b_g)   the new content
    o = σ(W_o x + U_o h + b_o)      how much of the cell is shown
    c' = f ⊙ c + i ⊙ g
    h' = o ⊙ tanh(c')
    """

    GATES = ("input_gate", "forget_gate", "candidate", "output_gate")

    def run(
        self, x: Tensor, rec: Rec = OFF, mask: Tensor | None = None, state: Any = None
    ) -> tuple[Tensor, Any]:
        """See `run`."""
        return run(self, x, rec, mask, state)

    @staticmethod
    def start(h: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step: hidden and cell."""
        return (h, h)

    @staticmethod
    def cell_step(
        wx: Tensor,
        state: tuple[Tensor, ...],
        w: Tensor,
        b: Tensor | None,
        t: int,
        note: Steps,
        keep: Tensor | None,
    ) -> tuple[Tensor, ...]:
        """One step; `wx` is W_x x + b_x (batch 4·d_hidden)."""
        h, c = state
        width = h.shape[1]
        pre = (wx + F.linear(h, w, b)).chunk(4, 1)
        gate: dict[str, Tensor] = {}
        for n, name in enumerate(LSTM.GATES):
            raw = note(t, f"{name}.pre", pre[n], _sum(n, width, b))
            squash = "tanh" if name == "candidate" else "sigmoid"
            gate[name] = note(t, name, getattr(raw, squash)(), f"{squash}({name}.pre)")
        kept = note(t, "kept", gate["forget_gate"] * c, "forget_gate * prev(cell)")
        written = note(t, "written", gate["input_gate"] * gate["candidate"], "input_gate * candidate")
        c = note(t, "cell", _keep(kept + written, keep), _kept("kept + written", keep))
        h = note(
            t, "hidden", _keep(gate["output_gate"] * c.tanh(), keep), _kept("output_gate * tanh(cell)", keep)
        )
        return h, c


class GRU(nn.GRU):
    """The GRU (Cho et al. 2014), in PyTorch's form: the reset gate acts after the recurrent product.

    r = σ(W_r x + U_r h + b_r)              how much of the past the candidate sees
    z = σ(W_z x + U_z h + b_z)              how much of the old state stays
    n = tanh(W_n x + b_n + r ⊙ (U_n h + c_n))
    h' = (1 − z) ⊙ n + z ⊙ h
    """

    def run(
        self, x: Tensor, rec: Rec = OFF, mask: Tensor | None = None, state: Any = None
    ) -> tuple[Tensor, Any]:
        """See `run`."""
        return run(self, x, rec, mask, state)

    @staticmethod
    def start(h: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step."""
        return (h,)

    @staticmethod
    def cell_step(
        wx: Tensor,
        state: tuple[Tensor, ...],
        w: Tensor,
        b: Tensor | None,
        t: int,
        note: Steps,
        keep: Tensor | None,
    ) -> tuple[Tensor, ...]:
        """One step; `wx` is W_x x + b_x (batch 3·d_hidden)."""
        (h,) = state
        width = h.shape[1]
        x_r, x_z, x_n = wx.chunk(3, 1)
        h_r, h_z, h_n = F.linear(h, w, b).chunk(3, 1)
        r = note(
            t,
            "reset_gate",
            note(t, "reset_gate.pre", x_r + h_r, _sum(0, width, b)).sigmoid(),
            "sigmoid(reset_gate.pre)",
        )
        z = note(
            t,
            "update_gate",
            note(t, "update_gate.pre", x_z + h_z, _sum(1, width, b)).sigmoid(),
            "sigmoid(update_gate.pre)",
        )
        past = note(t, "candidate.recurrent", h_n, _linear("prev(hidden)", "hh", 2, width, b))
        by = _linear("x", "ih", 2, width, b) + " + reset_gate * candidate.recurrent"
        n = note(t, "candidate", note(t, "candidate.pre", x_n + r * past, by).tanh(), "tanh(candidate.pre)")
        by = "(1 - update_gate) * candidate + update_gate * prev(hidden)"
        return (note(t, "hidden", _keep((1 - z) * n + z * h, keep), _kept(by, keep)),)


CELLS: dict[str, type[RNN] | type[LSTM] | type[GRU]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


def run(
    core: RNN | LSTM | GRU,
    x: Float[Tensor, "batch pos width"],
    rec: Rec = OFF,
    mask: Bool[Tensor, "batch pos"] | None = None,
    state: Any = None,
) -> tuple[Float[Tensor, "batch pos out"], Any]:
    """The top layer's hidden states, and the state to go on from.

    mask: True at real tokens, which stand before the padding; hidden states are 0 at padding. `core` must be batch_first.
    The recorder's scope calls the arguments `x` and `keep`, and holds the parameters under torch's names.
    """
    if isinstance(rec, Recorder):
        return _stepwise(core, x, rec, mask), None
    if mask is None:
        return core(x, state)  # type: ignore[no-any-return]
    lengths = mask.sum(1).clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    out, state = core(packed, state)
    hidden, _lengths = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return hidden * mask[..., None], state


def _stepwise(core: RNN | LSTM | GRU, x: Tensor, rec: Recorder, mask: Tensor | None) -> Tensor:
    """The same by the equations, every gate on record."""
    directions = ("forward", "backward") if core.bidirectional else ("forward",)
    for layer in range(core.num_layers):
        below = {} if layer == 0 else {"x": f"{layer - 1}.hidden"}
        outs = [_direction(core, x, rec, mask, layer, direction, below) for direction in directions]
        by = "concat(forward.hidden, backward.hidden)" if len(outs) > 1 else "forward.hidden"
        x = rec.at(str(layer))(
            "hidden", torch.cat(outs, -1) if len(outs) > 1 else outs[0], "batch pos d_hidden", by=by
        )
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
    bias_ih, bias_hh = (
        (getattr(core, names["bias_ih"]), getattr(core, names["bias_hh"])) if core.bias else (None, None)
    )
    length = x.shape[1]
    note = rec.at(f"{layer}.{direction}", **names, **below).steps(length, backward)
    from_input = F.linear(x, weight_ih, bias_ih)
    state = core.start(x.new_zeros(x.shape[0], core.hidden_size))
    for t in reversed(range(length)) if backward else range(length):
        keep = None if mask is None else mask[:, t, None].to(x.dtype)
        state = core.cell_step(from_input[:, t], state, weight_hh, bias_hh, t, note, keep)
    if not length:
        return x.new_zeros(x.shape[0], 0, core.hidden_size)
    return note.close(lambda values: torch.stack(values, 1))["hidden"]


def _linear(x: str, way: str, part: int, width: int, bias: Tensor | None) -> str:
    """The formula of rows part·width … of one of torch's stacked matrices."""
    rows = f"[{part * width}:{(part + 1) * width}]"
    return f"linear({x}, weight_{way}{rows}" + (f", bias_{way}{rows})" if bias is not None else ")")


def _sum(part: int, width: int, bias: Tensor | None) -> str:
    return _linear("x", "ih", part, width, bias) + " + " + _linear("prev(hidden)", "hh", part, width, bias)


def _keep(value: Tensor, keep: Tensor | None) -> Tensor:
    return value if keep is None else value * keep


def _kept(by: str, keep: Tensor | None) -> str:
    return by if keep is None else f"({by}) * keep"

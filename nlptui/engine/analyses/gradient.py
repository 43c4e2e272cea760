"""Gradients: how much each number of a run would change one logit, and how far back in time that reaches.

    gradient of x = ∂ logit / ∂ x        by autograd, for the vectors of every position in every layer
    its norm at t = √ Σ_d (∂ logit / ∂ x_t,d)²

In a recurrent network the norm of ∂L/∂h_t over t shows what is left of an error after so many steps: it
vanishes where the factors on the way are below 1, and explodes where they are above.
Sources: Bengio et al. 1994, "Learning long-term dependencies with gradient descent is difficult"; Pascanu et
al. 2013, "On the difficulty of training recurrent neural networks".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.edits import Edit
from nlptui.engine.inputs import batch_again
from nlptui.locale import _
from nlptui.trace import Activation, Recorder, Steps, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

RECURRENT = ("rnn", "lstm", "gru")
KINDS = ("hidden", "cell", "embed", "resid_pre", "resid_post", "embed_norm", "mlp_norm")
"""The vectors whose gradients are wanted."""


def fits(config: Any) -> bool:
    """Whether there is a logit with a gradient."""
    return config.arch in (*RECURRENT, "bert", "gpt", "transformer") and config.task != "skip_gram"


def logits_name(trace: Trace, asked: Asked) -> str:
    """The recorded name of the scores that a target is one of; of a span, position 1 asks for its end; of two
    sentences, whether one follows the other is asked at no position.
    """
    if asked.position is None and "nsp.logits" in trace.activations:
        return "nsp.logits"
    names = ("logits", "emission", "mlm.logits", "end.logits" if asked.position == 1 else "start.logits")
    return next(name for name in names if name in trace.activations)


def logit_of(trace: Trace, asked: Asked) -> tuple[str, tuple[int, ...]]:
    """The scores and the place in them (without the batch) that are asked about."""
    name = logits_name(trace, asked)
    shape = trace[name].shape
    target = asked.target_of(shape[-1])
    return name, (asked.position_of(shape[1]), target) if len(shape) == 3 else (target,)


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`{name}` and `{name}.norm` for every vector of KINDS: the gradient of the target's logit.

    At the position asked for, or of the text where it has one answer; of a translator, the position of its
    decoder. What comes after that position in a causal network has the gradient 0.
    """
    name, place = logit_of(trace, asked)
    watched, value = run_again(engine, trace, name, place)
    definition = _("∂ {logit} / ∂ x, by autograd: back through every step from the logit to x")
    element = f"{name}[{','.join(map(str, (0, *place)))}]"
    for key, gradient in _gradients(watched, value).items():
        made_of = ((key, None), (name, (0, *place)))
        side = trace[key].scope
        scope = rec if side is None else rec.bind(pos=side.label_set("pos"))
        full = define(scope, key, gradient, trace[key].axes, definition.format(logit=element), made_of)
        scope(f"{key}.norm", gradient.norm(dim=-1), "batch pos", by=f"sqrt(sum(square({full})))")


def define(
    rec: Recorder,
    name: str,
    value: Tensor,
    axes: tuple[str, ...],
    definition: str,
    made_of: tuple[tuple[str, tuple[int, ...] | None], ...],
) -> str:
    """Record what only a definition can say; its full name."""
    full = f"{rec.prefix}{name}"
    rec.root.met[full] = None
    rec.root.activations[full] = Activation(
        full, value, axes, scope=rec, kind="analysis", definition=definition, made_of=made_of
    )
    return full


class _Watched(Recorder):
    """A recorder that keeps what the graph runs through: a recurrent layer's steps one by one."""

    def __init__(self, trace: Trace, more: tuple[Edit, ...] = ()) -> None:
        super().__init__(trace.parameters, (*trace.activation_edits, *more))
        self.steps_of: dict[str, list[Tensor]] = {}

    def steps(self, length: int, backward: bool = False) -> Steps:
        return _WatchedSteps(self, length, backward)

    def at(self, scope: str, **bindings: str) -> Recorder:
        child = super().at(scope, **bindings)
        child.__class__ = _Watched  # its scopes watch too; the steps are kept at the root
        return child


class _WatchedSteps(Steps):
    """Keeps each step's tensor, through which the next step's gradient flows."""

    def __call__(self, t: int, name: str, value: Tensor, by: str) -> Tensor:
        flowing = super().__call__(t, name, value, by)
        root: Any = self.recorder.root
        root.steps_of.setdefault(self.recorder.prefix + name, []).append(flowing)
        return flowing

    def close(self, stack: Callable[[list[Tensor]], Tensor], axes: str = "batch pos d_hidden") -> Any:
        root: Any = self.recorder.root
        for name in self._values:
            full = self.recorder.prefix + name
            root.steps_of[full] = root.steps_of[full][:: self.step]
        return super().close(stack, axes)


def run_again(
    engine: Engine, trace: Trace, name: str, place: tuple[int, ...], *more: Edit
) -> tuple[_Watched, Tensor]:
    """The run again with a graph, and with edits more; the logit `name` at `place` that is asked about."""
    watched = _Watched(trace, more)
    with torch.enable_grad():
        engine.model(batch_again(trace, engine.device), watched)
        value: Any = watched.activations[name].value
        return watched, value[(0, *place)]


def _gradients(watched: _Watched, value: Tensor) -> dict[str, Tensor]:
    """Name → gradient in the shape of the activation; 0 where the logit does not depend on it."""
    names = [
        name
        for name in watched.activations
        if name.rsplit(".", 1)[-1] in KINDS and not name.endswith(".unedited")
    ]
    pieces: list[Tensor] = []
    for name in names:
        pieces += watched.steps_of.get(name) or [watched.activations[name].value]
    found = iter(torch.autograd.grad(value, pieces, allow_unused=True))
    gradients = {}
    for name in names:
        steps = watched.steps_of.get(name)
        if steps is None:
            whole = watched.activations[name].value
            gradients[name] = _or_zeros(next(found), whole)
        else:
            gradients[name] = torch.stack([_or_zeros(next(found), step) for step in steps], 1)
    return gradients


def _or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient.detach()

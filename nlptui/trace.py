"""A forward pass written down: what was computed, in which order, under which name, and from what.

A `Recorder` is passed down the network; each value is recorded where it is made and flows on, edited if
asked. Knows nothing of particular networks; torch is only used through the tensors that it is given.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nlptui.edits import Changes, Edit, UnfitEdit
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.near_names import did_you_mean
from nlptui.text import visible

if TYPE_CHECKING:
    from torch import Tensor

    from nlptui.config import ModelConfig

NAME_IN_FORMULA = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.\w+)*(?!\w)(?!\s*\()")
ACROSS = "analysis.across."
"""What the names of all begin with that depends on the pinned run."""


@lru_cache(maxsize=256)
def split_axes(axes: str) -> tuple[str, ...]:
    """The names of the dimensions in "batch pos d_model"."""
    return tuple(axes.split())


@dataclass(frozen=True)
class Activation:
    """One recorded value: its name, the tensor, a name for each dimension, and how it was made."""

    name: str
    value: Tensor
    axes: tuple[str, ...]
    by: str = ""
    scope: Recorder | None = field(default=None, repr=False)
    step: int = 1
    """Direction of time: `prev(x)` reads position − step."""
    kind: str = "activation"
    """activation, input, parameter or analysis."""
    definition: str = ""
    """What an analysis computed, in words or as an equation, where no formula can say it."""
    made_of: tuple[tuple[str, tuple[int, ...] | None], ...] = ()
    """For a definition: what it was computed from, each with an index; None: where this element stands."""

    @classmethod
    def quick(
        cls, name: str, value: Tensor, axes: str, by: str, scope: Recorder | None, step: int
    ) -> Activation:
        """The same as the constructor, which a frozen class makes four times slower; there are hundreds."""
        made = object.__new__(cls)
        made.__dict__.update(
            name=name, value=value, axes=split_axes(axes), by=by, scope=scope, step=step, kind="activation",
            definition="", made_of=(),
        )  # fmt: skip
        return made

    @property
    def formula(self) -> str:
        """How it was made, with the full names of what it was made from; empty for inputs and parameters."""
        return self.scope.publish(self.by) if self.scope and self.by else ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        return tuple(self.value.shape)


class Recorder:
    """Writes down what a forward pass computes, one scope of names at a time.

    Calling it records a value and returns it, edited if an edit names it: recording, ablation and patching
    are one mechanism. `at` opens a child scope, in which the names of the child's arguments stand for the
    parent's values. With `only`, activations whose names match none of these globs are computed, not kept.
    """

    on = True

    def __init__(
        self,
        parameters: Mapping[str, Tensor] | None = None,
        edits: Sequence[Edit] = (),
        only: Sequence[str] | None = None,
    ) -> None:
        self.activations: dict[str, Activation] = {}
        self.inputs: dict[str, Activation] = {}
        self.met: dict[str, None] = {}
        """Names of all activations so far, kept or not, in order."""
        self.parameters: Mapping[str, Tensor] = parameters or {}
        self.edits: dict[str, list[Edit]] = {}
        for edit in edits:
            self.edits.setdefault(edit.name, []).append(edit)
        self.only = tuple(only) if only else None
        self.root = self
        self.prefix = ""
        self.bindings: dict[str, str] = {}
        self.parent: Recorder | None = None
        self.applied: set[str] = set()

    def at(self, scope: str, **bindings: str) -> Recorder:
        """A child scope. `bindings` name the child's arguments in this scope, and label sets for its axes."""
        child = object.__new__(Recorder)
        child.root = self.root
        child.parent = self
        child.prefix = f"{self.prefix}{scope}."
        child.bindings = bindings
        return child

    def bind(self, **bindings: str) -> Recorder:
        """A scope with this one's names and further bindings."""
        child = self.at("", **bindings)
        child.prefix = self.prefix
        return child

    def __call__(self, name: str, value: Tensor, axes: str, by: str, step: int = 1) -> Tensor:
        """Record `value` as `name` and return it, edited if an edit names it.

        axes: a name for each dimension, separated by spaces. by: the formula, in this scope's names.
        step: the direction of time; −1 where `prev` is the position after. Raises UnfitEdit for an edit whose
        index or tensor does not fit.
        """
        full = self.prefix + name
        if full in self.root.edits:
            changes = self._changes(full, tuple(value.shape), value)
            edited = changes.apply(value)
            self._keep_edited(full, value, edited, changes, axes, by, step)
            return edited
        self._keep(full, value, axes, by, step)
        return value

    def _changes(self, full: str, shape: tuple[int, ...], like: Tensor) -> Changes:
        """The edits of `full`, which are met here."""
        self.root.applied.add(full)
        return Changes(self.root.edits[full], shape, like)

    def _keep(self, full: str, value: Tensor, axes: str, by: str, step: int) -> None:
        root = self.root
        root.met[full] = None
        if root.only is None or root._wanted(full):
            root.activations[full] = Activation.quick(full, value, axes, by, self, step)

    def _wanted(self, full: str) -> bool:
        """Whether `only` asks for this name, or for the edited value of which it is the unedited one."""
        name = full.removesuffix(".unedited")
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.only or ())

    def input(self, name: str, value: Tensor, axes: str) -> None:
        """Note a value that was given, not computed, so that formulas can name it."""
        full = self.prefix + name
        self.root.inputs[full] = Activation(full, value, split_axes(axes), kind="input")

    def steps(self, length: int, backward: bool = False) -> Steps:
        """A collector for values that are made one position at a time."""
        return Steps(self, length, backward)

    def _keep_edited(
        self, full: str, raw: Tensor, edited: Tensor, changes: Changes, axes: str, by: str, step: int
    ) -> None:
        self._keep(f"{full}.unedited", raw, axes, by, step)
        for part, tensor in (("factor", changes.factor), ("constant", changes.constant)):
            key = f"edits.{full}.{part}"
            self.root.inputs[key] = Activation(key, tensor, split_axes(axes), kind="input")
        self._keep(full, edited, axes, edit_formula(full), step)

    def publish(self, by: str) -> str:
        """`by` with every name written in full."""
        return NAME_IN_FORMULA.sub(lambda match: self.resolve(match[0]), by)

    def resolve(self, name: str) -> str:
        """The full name behind `name`: an argument, a value of this scope, or what the parent calls so."""
        if self.parent is not None and name in self.bindings:
            return self.parent.resolve(self.bindings[name])
        root, full = self.root, self.prefix + name
        known = full in root.met or full in root.inputs or full in root.parameters
        if known or f"{full}.weight" in root.parameters:
            return full
        return self.parent.resolve(name) if self.parent is not None else name

    def label_set(self, axis: str) -> str:
        """The name of the label set for `axis` in this scope; `axis` itself where no scope says otherwise."""
        scope: Recorder | None = self
        name = axis
        while scope is not None:
            name = scope.bindings.get(name, name)
            scope = scope.parent
        return name

    def check_edits(self) -> None:
        """Raise UnfitEdit for an edit that met no activation of its name; those of parameters meet none."""
        missed = sorted(set(self.edits) - self.applied)
        if missed:
            known = [name for name in (*self.met, *self.parameters) if not name.endswith(".unedited")]
            raise UnfitEdit(
                _("no activation or parameter named {name!r} to edit; {hint}").format(
                    name=visible(missed[0]), hint=did_you_mean(missed[0], known)
                ),
                self.edits[missed[0]][0],
            )


class Off:
    """The recorder that records nothing and costs nothing; layers may then take fused kernels."""

    on = False

    def at(self, scope: str, **bindings: str) -> Off:
        return self

    def bind(self, **bindings: str) -> Off:
        return self

    def __call__(self, name: str, value: Tensor, axes: str, by: str, step: int = 1) -> Tensor:
        return value

    def input(self, name: str, value: Tensor, axes: str) -> None:
        return None


OFF = Off()


class Steps:
    """Collects activations that are made one position at a time; `close` records each whole."""

    def __init__(self, recorder: Recorder, length: int, backward: bool) -> None:
        self.recorder = recorder
        self.length = length
        self.step = -1 if backward else 1
        self._values: dict[str, list[Tensor]] = {}
        self._formulas: dict[str, str] = {}
        self._changes: dict[str, Changes] = {}
        self._edited: dict[str, list[Tensor]] = {}

    def __call__(self, t: int, name: str, value: Tensor, by: str) -> Tensor:
        """Note `value` (batch …) as position `t` of `name`, and return it, edited if asked."""
        full = self.recorder.prefix + name
        if name not in self._values:
            self._values[name] = []
            self._formulas[name] = by
            if full in self.recorder.root.edits:
                shape = (value.shape[0], self.length, *value.shape[1:])
                self._changes[name] = self.recorder._changes(full, shape, value)
        self._values[name].append(value)
        changes = self._changes.get(name)
        if changes is None:
            return value
        edited = changes.apply_step(value, t)
        self._edited.setdefault(name, []).append(edited)
        return edited

    def close(
        self, stack: Callable[[list[Tensor]], Tensor], axes: str = "batch pos d_hidden"
    ) -> dict[str, Tensor]:
        """Record everything collected, in text order, and return it by name.

        stack: joins the values of the positions, (batch …) each, along a new dimension 1; axes: their names.
        """
        whole: dict[str, Tensor] = {}
        for name, values in self._values.items():
            full, by = self.recorder.prefix + name, self._formulas[name]
            whole[name] = stack(values[:: self.step])
            if name in self._changes:
                raw, whole[name] = whole[name], stack(self._edited[name][:: self.step])
                self.recorder._keep_edited(full, raw, whole[name], self._changes[name], axes, by, self.step)
            else:
                self.recorder._keep(full, whole[name], axes, by, self.step)
        return whole


@dataclass
class Trace:
    """One sentence through one model: every recorded value, and what is needed to name and explain it."""

    activations: dict[str, Activation]
    inputs: dict[str, Activation] = field(default_factory=dict)
    parameters: Mapping[str, Tensor] = field(default_factory=dict)
    analyses: dict[str, Activation] = field(default_factory=dict)
    """What analyses made of the run, and what they were given: `analysis.*`."""
    done: set[str] = field(default_factory=set)
    """What was analysed already."""
    beside: dict[str, Trace] = field(default_factory=dict)
    """Runs of the same text through other models, by model, where a view shows several."""
    pinned: Trace | None = None
    """The run that this one is compared with; `pin` sets it."""
    config: ModelConfig | None = None
    encoding: Any = None
    target: Any = None
    """The decoder's tokens, where there is a decoder: an Encoding."""
    output: dict[str, Any] = field(default_factory=dict)
    label_sets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    text: str = ""
    pair: str | None = None
    truncated: bool = False
    edits: tuple[Edit, ...] = ()
    model: str = ""
    engine: Any = field(default=None, repr=False)
    """The engine that ran it, and that can analyse it."""
    weights: Any = None
    """What was done to the weights that it ran with (`untrained.Weights`); None: they are as trained."""

    def __contains__(self, name: str) -> bool:
        return any(name in held for held in (self.activations, self.inputs, self.parameters, self.analyses))

    def __getitem__(self, name: str) -> Activation:
        """The activation, input, parameter or analysis called `name`. Raises UserError with near names."""
        for held in (self.activations, self.inputs, self.analyses):
            if name in held:
                return held[name]
        if name in self.parameters:
            return self._parameter(name)
        raise UserError(
            _("no activation named {name!r}; {hint}").format(
                name=visible(name),
                hint=did_you_mean(name, [*self.activations, *self.inputs, *self.parameters, *self.analyses]),
            )
        )

    def _parameter(self, name: str) -> Activation:
        value = self.parameters[name]
        axes = parameter_axes(value.ndim)
        if f"{name}.unedited" not in self.parameters:
            return Activation(name, value, axes, kind="parameter")
        by = edit_formula(name)
        return Activation(name, value, axes, by, Recorder(self.parameters), kind="parameter")

    @property
    def activation_edits(self) -> tuple[Edit, ...]:
        """The edits of what is computed, which name places of this text; the others are of parameters."""
        return tuple(edit for edit in self.edits if edit.name not in self.parameters)

    def array(self, name: str) -> np.ndarray:
        """The value of `name` as a numpy array, without a copy where the tensor is on the CPU."""
        return as_array(self[name].value)

    def labels(self, name: str, axis: str) -> tuple[str, ...]:
        """What to write beside each index of `axis` of `name`: tokens, label names, or numbers."""
        activation = self[name]
        size = activation.shape[activation.axes.index(axis)]
        key = activation.scope.label_set(axis) if activation.scope else axis
        default = "tokens" if axis in ("pos", "query", "key") else axis
        labels = self.label_sets.get(key, self.label_sets.get(default, ()))
        return labels if len(labels) == size else tuple(map(str, range(size)))

    def pin(self, other: Trace) -> None:
        """Compare with another run; what was made of the one before goes."""
        if self.pinned is other:
            return
        self.pinned = other
        tokens = other.label_sets.get("tokens", tuple(getattr(other.encoding, "tokens", ())))
        self.label_sets = {**self.label_sets, "pinned": tokens}
        self.done = {name for name in self.done if not name.startswith(ACROSS)}
        self.analyses = {name: held for name, held in self.analyses.items() if not name.startswith(ACROSS)}

    def with_output(self, output: dict[str, Any]) -> Trace:
        """This trace with another output."""
        return replace(self, output=output)


def edit_formula(name: str) -> str:
    """How an edited value was made of what it was."""
    return f"edit({name}.unedited, edits.{name}.factor, edits.{name}.constant)"


def parameter_axes(ndim: int) -> tuple[str, ...]:
    """Names for the dimensions of a parameter."""
    return {0: (), 1: ("unit",), 2: ("row", "column")}.get(ndim, tuple(f"axis{i}" for i in range(ndim)))


def as_array(value: Any) -> np.ndarray:
    """A tensor (or array) as numpy; bfloat16 and float16 become float32."""
    if isinstance(value, np.ndarray):
        return value
    value = value.detach().cpu()
    half = str(value.dtype) in ("torch.bfloat16", "torch.float16")
    return np.asarray(value.float().numpy() if half else value.numpy())

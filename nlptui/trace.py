"""A forward pass written down: what was computed, in which order, under which name, and from what.

A `Recorder` is passed down the network; each value is recorded where it is made and flows on, edited if
asked. Knows nothing of particular networks; torch is only used through the tensors that it is given.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

if TYPE_CHECKING:
    from torch import Tensor

    from nlptui.config import ModelConfig

NAME_IN_FORMULA = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.\w+)*(?!\w)(?!\s*\()")
Index = tuple[int | slice, ...]
ACROSS = "analysis.across."
"""What the names of all begin with that depends on the pinned run."""
PINNED = "A"
"""In the place of a file, the run that somebody has pinned: `NAME=from:A`."""


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


@dataclass(frozen=True)
class Edit:
    """A change of recorded values, made while the network runs.

    `index` selects a region as numpy would (missing axes: all). Inside it the new value is 0 (zero), the
    mean over this trace's positions (mean), amount × value (scale), amount (force), or `tensor` (from).
    Scaling by anything but 0 leaves an infinity as it is: a masked score stays masked. Raises UserError for
    an unknown op or a missing amount.
    """

    name: str
    index: Index
    op: str
    amount: float | None = None
    tensor: np.ndarray | None = field(default=None, compare=False, repr=False)
    """For `from` and `mean`: new values in the shape of the whole activation; `with_means` fills in means."""
    source: str = ""
    """For `from`: the file that the tensor came from, or A, the pinned run, which `with_pinned` fills in."""

    OPS = ("zero", "mean", "scale", "force", "from")

    def __post_init__(self) -> None:
        if self.op not in self.OPS:
            raise UserError(
                _("unknown edit {op!r}: choose one of {known}").format(
                    op=visible(self.op), known=", ".join(self.OPS)
                )
            )
        if self.op in ("scale", "force") and self.amount is None:
            raise UserError(_("the edit {op!r} of {name} needs a number").format(op=self.op, name=self.name))

    def __str__(self) -> str:
        index = ",".join(_slice_text(part) for part in self.index)
        arguments = {"scale": f":{self.amount}", "force": f":{self.amount}", "from": f":{self.source}"}
        place = f"{self.name}[{index}]" if self.index else self.name
        return f"{place}={self.op}{arguments.get(self.op, '')}"

    @property
    def patches(self) -> bool:
        """Whether it takes its values from the pinned run."""
        return self.op == "from" and self.source == PINNED

    @staticmethod
    def parse(text: str) -> Edit:
        """The edit that `NAME[0,2,:,:]=zero|mean|scale:F|force:F|from:FILE.npz|from:A` asks for.

        Raises UserError for any other form, a number that is not finite, and a file without such an array.
        """
        match = re.fullmatch(r"\s*([^\[\]=\s]+)\s*(?:\[([^\]]*)\])?\s*=\s*(\w+)(?::(.*))?", text, flags=re.S)
        if not match or match[3] not in Edit.OPS or (match[3] in ("zero", "mean") and match[4] is not None):
            form = "NAME[0,2,:,:]=zero, mean, scale:F, force:F, from:FILE.npz, from:A"
            raise UserError(
                _("edit {text!r} is not of the form {form}").format(text=visible(text), form=form)
            )
        name, index, op, argument = match[1], match[2] or "", match[3], match[4] or ""
        parts = tuple(_parse_slice(part, text) for part in index.split(",")) if index.strip() else ()
        if op in ("scale", "force"):
            return Edit(name, parts, op, amount=_parse_amount(argument, text))
        if op == "from":
            tensor = None if argument == PINNED else _read_tensor(argument, name)
            return Edit(name, parts, op, tensor=tensor, source=argument)
        return Edit(name, parts, op)


def _slice_text(part: int | slice) -> str:
    if not isinstance(part, slice):
        return str(part)
    bounds = (part.start, part.stop) if part.step is None else (part.start, part.stop, part.step)
    return ":".join("" if bound is None else str(bound) for bound in bounds)


def _parse_slice(part: str, text: str) -> int | slice:
    match = re.fullmatch(r"\s*(?:(-?\d+)|(-?\d+)?\s*:\s*(-?\d+)?)\s*", part)
    if not match:
        raise UserError(
            _("edit {text!r}: {part!r} is no index; write a number, a range a:b, or : for all").format(
                text=visible(text), part=visible(part)
            )
        )
    if match[1] is not None:
        return int(match[1])
    return slice(*(int(bound) if bound else None for bound in (match[2], match[3])))


def _parse_amount(argument: str, text: str) -> float:
    try:
        amount = float(argument)
    except ValueError:
        amount = float("nan")
    if not np.isfinite(amount):
        raise UserError(
            _("edit {text!r}: a finite number is needed after the colon").format(text=visible(text))
        )
    return amount


def _read_tensor(file: str, name: str) -> np.ndarray:
    try:
        with np.load(Path(file).expanduser(), allow_pickle=False) as arrays:
            held = {key: np.asarray(arrays[key]) for key in arrays if key == name}
            known = list(arrays)
    except Exception as error:
        raise UserError(
            _("{file}: not readable as an .npz file ({error})").format(
                file=visible(file), error=visible(str(error))
            )
        ) from None
    if name not in held:
        raise UserError(
            _("{file}: holds no array {name!r}; it has {known}").format(
                file=visible(file), name=visible(name), known=visible(", ".join(known[:5]))
            )
        )
    if held[name].dtype.kind not in "fiub":
        raise UserError(
            _("{file}: the array {name!r} holds no numbers").format(file=visible(file), name=visible(name))
        )
    return held[name]


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
        step: the direction of time; −1 where `prev` is the position after. Raises UserError for an edit whose
        index or tensor does not fit.
        """
        full = self.prefix + name
        if full in self.root.edits:
            changes = Changes(self.root, full, tuple(value.shape), value)
            edited = changes.apply(value)
            self._keep_edited(full, value, edited, changes, axes, by, step)
            return edited
        self._keep(full, value, axes, by, step)
        return value

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
        by = f"edit({full}.unedited, edits.{full}.factor, edits.{full}.constant)"
        self._keep(full, edited, axes, by, step)

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
        """Raise UserError for an edit that met no activation of its name."""
        missed = sorted(set(self.edits) - self.applied)
        if missed:
            known = [name for name in self.met if not name.endswith(".unedited")]
            raise UserError(
                _("no activation named {name!r} to edit; {hint}").format(
                    name=visible(missed[0]), hint=did_you_mean(missed[0], known)
                )
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


class Changes:
    """The edits of one activation as two tensors: new = factor × value + constant."""

    def __init__(self, root: Recorder, full: str, shape: tuple[int, ...], like: Tensor) -> None:
        self.factor = like.new_ones(shape)
        self.constant = like.new_zeros(shape)
        for edit in root.edits[full]:
            self._add(edit, shape, like)
        root.applied.add(full)

    def _add(self, edit: Edit, shape: tuple[int, ...], like: Tensor) -> None:
        index = _checked_index(edit, shape)
        amount = edit.amount if edit.op in ("scale", "force") and edit.amount is not None else 0.0
        if edit.op == "scale" and amount != 0.0:
            self.factor[index] *= amount
            self.constant[index] *= amount
            return
        self.factor[index] = 0.0
        if edit.op in ("from", "mean"):
            self.constant[index] = _fitted(edit, shape, like)[index]
        else:
            self.constant[index] = amount if edit.op == "force" else 0.0

    def apply(self, value: Tensor) -> Tensor:
        """`value` with the edits made."""
        return _changed(value, self.factor, self.constant)

    def apply_step(self, value: Tensor, t: int) -> Tensor:
        """The same for position `t` of an activation (batch pos …)."""
        return _changed(value, self.factor[:, t], self.constant[:, t])


def _changed(value: Tensor, factor: Tensor, constant: Tensor) -> Tensor:
    """factor × value + constant; a factor of 0 silences an infinity, any other leaves it as it is."""
    scaled = value.where(value.isinf(), value * factor)
    return scaled.masked_fill(factor == 0, 0.0) + constant


def _checked_index(edit: Edit, shape: tuple[int, ...]) -> Index:
    fits = len(edit.index) <= len(shape) and all(
        _selects(part, size) for part, size in zip(edit.index, shape, strict=False)
    )
    if not fits:
        raise UserError(
            _("edit {edit}: the index does not fit {name}, whose shape is {shape}").format(
                edit=visible(str(edit)), name=visible(edit.name), shape=list(shape)
            )
        )
    return edit.index


def _selects(part: int | slice, size: int) -> bool:
    """Whether an index into an axis of `size` selects anything (or there is nothing to select)."""
    if not isinstance(part, slice):
        return -size <= part < size
    return size == 0 or ((part.step or 1) > 0 and len(range(*part.indices(size))) > 0)


def _fitted(edit: Edit, shape: tuple[int, ...], like: Tensor) -> Tensor:
    if edit.tensor is None:
        problem = _("edit {edit}: the new values are not known yet; a run without edits gives them")
        if edit.patches:
            problem = _("edit {edit}: A stands for a pinned run, and no run is pinned")
        raise UserError(problem.format(edit=visible(str(edit))))
    if tuple(edit.tensor.shape) != shape:
        raise UserError(
            _("edit {edit}: its tensor has the shape {got}, but {name} has {shape}").format(
                edit=visible(str(edit)),
                got=list(edit.tensor.shape),
                name=visible(edit.name),
                shape=list(shape),
            )
        )
    return like.new_tensor(np.asarray(edit.tensor, dtype=np.float64))


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
                self._changes[name] = Changes(self.recorder.root, full, shape, value)
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
            value = self.parameters[name]
            return Activation(name, value, parameter_axes(value.ndim), kind="parameter")
        raise UserError(
            _("no activation named {name!r}; {hint}").format(
                name=visible(name),
                hint=did_you_mean(name, [*self.activations, *self.inputs, *self.parameters, *self.analyses]),
            )
        )

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
        self.label_sets = {**self.label_sets, "pinned": tuple(getattr(other.encoding, "tokens", ()))}
        self.done = {name for name in self.done if not name.startswith(ACROSS)}
        self.analyses = {name: held for name, held in self.analyses.items() if not name.startswith(ACROSS)}

    def with_output(self, output: dict[str, Any]) -> Trace:
        """This trace with another output."""
        return replace(self, output=output)


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


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint for a name that is not known: the nearest ones, or a few of those there are."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return _("did you mean {names}?").format(names=", ".join(map(visible, near)))
    return _("there are {names}").format(names=", ".join(map(visible, list(known)[:8])) or "—")


def with_means(edits: Sequence[Edit], trace: Trace) -> tuple[Edit, ...]:
    """`edits` in which each `mean` carries its tensor: the mean over the positions of `trace`.

    `trace` is a run without edits. Positions are the axis pos, or else query, or else key. A masked score
    (−∞) counts in no mean and stays what it is. A name that the trace does not hold is left for the edited
    run to report. Raises UserError for one without positions.
    """
    return tuple(
        replace(edit, tensor=_mean_over_positions(trace.activations[edit.name]))
        if edit.op == "mean" and edit.name in trace.activations
        else edit
        for edit in edits
    )


def with_pinned(edits: Sequence[Edit], pinned: Trace) -> tuple[Edit, ...]:
    """`edits` in which each `from:A` carries its tensor: the values of the run `pinned`.

    Raises UserError for a name that this run does not hold.
    """
    return tuple(
        replace(edit, tensor=_of_pinned(edit.name, pinned)) if edit.patches else edit for edit in edits
    )


def _of_pinned(name: str, pinned: Trace) -> np.ndarray:
    if not pinned.activations:
        raise UserError(_("A, the pinned run, holds no numbers: its text has no tokens"))
    if name not in pinned.activations:
        problem = _("A, the pinned run, has no activation named {name!r}; {hint}")
        hint = did_you_mean(name, list(pinned.activations))
        raise UserError(problem.format(name=visible(name), hint=hint))
    return pinned.array(name)


def _mean_over_positions(activation: Activation) -> np.ndarray:
    axis = next((name for name in ("pos", "query", "key") if name in activation.axes), None)
    if axis is None:
        raise UserError(
            _("{name} has no positions to average over; use force or scale").format(
                name=visible(activation.name)
            )
        )
    values = as_array(activation.value).astype(np.float64)
    finite = np.isfinite(values)
    along = activation.axes.index(axis)
    counted = finite.sum(along, keepdims=True).clip(min=1)
    means = np.where(finite, values, 0.0).sum(along, keepdims=True) / counted
    return np.where(finite, means, values)

"""Changes of recorded values and of parameters, as a person asks for them: parsed, checked, filled in, made.

    NAME[0,2,:,:]=zero | mean | scale:F | force:F | from:FILE.npz | from:A

Knows nothing of how a run is written down; torch is only used through the tensors that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.near_names import did_you_mean
from nlptui.text import visible

if TYPE_CHECKING:
    from torch import Tensor

    from nlptui.trace import Trace

Index = tuple[int | slice, ...]
PINNED = "A"
"""In the place of a file, the run that somebody has pinned: `NAME=from:A`."""


@dataclass(frozen=True)
class Edit:
    """A change of recorded values, made while the network runs, or of a parameter, for as long as it runs.

    `index` selects a region as numpy would (missing axes: all). Inside it the new value is 0 (zero), the
    mean over this trace's positions or over a parameter's rows (mean), amount × value (scale), amount
    (force), or `tensor` (from).
    Scaling by anything but 0 leaves an infinity as it is: a masked score stays masked. Raises UserError for
    an unknown op or a missing amount.
    """

    name: str
    index: Index
    op: str
    amount: float | None = None
    tensor: np.ndarray | None = field(default=None, compare=False, repr=False)
    """For `from` and `mean`: new values in the shape of the whole; `with_means` and `with_row_means` fill in
    means.
    """
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


class UnfitEdit(UserError):
    """An edit that fits nothing of a run: a front end may go on without it."""

    def __init__(self, message: str, edit: Edit) -> None:
        super().__init__(message)
        self.edit = edit


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


class Changes:
    """The edits of one value as two tensors: new = factor × value + constant.

    Raises UnfitEdit for an edit whose index or tensor does not fit `shape`.
    """

    def __init__(self, edits: Sequence[Edit], shape: tuple[int, ...], like: Tensor) -> None:
        self.factor = like.new_ones(shape)
        self.constant = like.new_zeros(shape)
        for edit in edits:
            self._add(edit, shape, like)

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
        raise UnfitEdit(
            _("edit {edit}: the index does not fit {name}, whose shape is {shape}").format(
                edit=visible(str(edit)), name=visible(edit.name), shape=list(shape)
            ),
            edit,
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
        raise UnfitEdit(problem.format(edit=visible(str(edit))), edit)
    if tuple(edit.tensor.shape) != shape:
        raise UnfitEdit(
            _("edit {edit}: its tensor has the shape {got}, but {name} has {shape}").format(
                edit=visible(str(edit)),
                got=list(edit.tensor.shape),
                name=visible(edit.name),
                shape=list(shape),
            ),
            edit,
        )
    return like.new_tensor(np.asarray(edit.tensor, dtype=np.float64))


def with_means(edits: Sequence[Edit], trace: Trace) -> tuple[Edit, ...]:
    """`edits` in which each `mean` carries its tensor: the mean over the positions of `trace`.

    `trace` is a run without edits. Positions are the axis pos, or else query, or else key. A masked score
    (−∞) counts in no mean and stays what it is. A name that the trace does not hold is left for the edited
    run to report. Raises UnfitEdit for one without positions.
    """
    return tuple(
        replace(edit, tensor=_mean_over_positions(edit, trace))
        if edit.op == "mean" and edit.name in trace.activations
        else edit
        for edit in edits
    )


def with_row_means(edits: Sequence[Edit], parameter: np.ndarray) -> tuple[Edit, ...]:
    """`edits` of a parameter in which each `mean` carries its tensor: the mean over the rows, its first
    dimension. Of an embedding that is the mean vector of the vocabulary, of a bias the mean of its units.

    Raises UnfitEdit for a parameter that is one number.
    """
    for edit in edits:
        if edit.op == "mean" and parameter.ndim == 0:
            problem = _("{name} is one number: there is nothing to average over; use force or scale")
            raise UnfitEdit(problem.format(name=visible(edit.name)), edit)
    return tuple(
        replace(edit, tensor=_mean_along(parameter, 0)) if edit.op == "mean" else edit for edit in edits
    )


def with_pinned(edits: Sequence[Edit], pinned: Trace) -> tuple[Edit, ...]:
    """`edits` in which each `from:A` carries its tensor: what the run `pinned` computed, or its parameter.

    Raises UnfitEdit for a name that this run does not hold.
    """
    return tuple(replace(edit, tensor=_of_pinned(edit, pinned)) if edit.patches else edit for edit in edits)


def _of_pinned(edit: Edit, pinned: Trace) -> np.ndarray:
    name = edit.name
    if name in pinned.parameters:
        return pinned.array(name)
    if not pinned.activations:
        raise UnfitEdit(_("A, the pinned run, holds no numbers: its text has no tokens"), edit)
    if name not in pinned.activations:
        problem = _("A, the pinned run, has no activation named {name!r}; {hint}")
        hint = did_you_mean(name, [*pinned.activations, *pinned.parameters])
        raise UnfitEdit(problem.format(name=visible(name), hint=hint), edit)
    return pinned.array(name)


def _mean_over_positions(edit: Edit, trace: Trace) -> np.ndarray:
    axes = trace.activations[edit.name].axes
    axis = next((axis for axis in ("pos", "query", "key") if axis in axes), None)
    if axis is None:
        problem = _("{name} has no positions to average over; use force or scale")
        raise UnfitEdit(problem.format(name=visible(edit.name)), edit)
    return _mean_along(trace.array(edit.name), axes.index(axis))


def _mean_along(values: np.ndarray, axis: int) -> np.ndarray:
    """In the shape of `values` their means along an axis; infinities count in none, and stay."""
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    counted = finite.sum(axis, keepdims=True).clip(min=1)
    means = np.where(finite, values, 0.0).sum(axis, keepdims=True) / counted
    return np.where(finite, means, values)

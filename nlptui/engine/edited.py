"""The same network with other numbers in some of its parameters, for runs that edit them.

    edited = factor × parameter + constant          as of an activation, see `edits`

Modules on the way to an edited tensor are copied, all others and all other tensors are shared. Nothing is
written into the model itself, so that no error and no key that ends a run can leave it changed. A tensor that
the network reads in two places, such as an embedding that is its head too, is one parameter: both read the
edited one. Knows nothing of texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nlptui.edits import Changes, Edit, UnfitEdit, with_row_means
from nlptui.locale import _
from nlptui.near_names import did_you_mean
from nlptui.text import visible
from nlptui.trace import Activation, parameter_axes


@dataclass(frozen=True)
class EditedParameter:
    """One parameter: what it was, and its edits as two tensors of its shape."""

    before: Tensor
    changes: Changes

    @property
    def after(self) -> Tensor:
        """The numbers that a run reads."""
        return self.changes.apply(self.before)


def edited_parameters(
    model: nn.Module, parameters: Mapping[str, Tensor], edits: Sequence[Edit]
) -> dict[str, EditedParameter]:
    """What `edits`, all of which are of parameters, make of these.

    A table of whole numbers, such as counts, may get others. Raises UnfitEdit for an index or a tensor that
    does not fit, and for a table that no run reads.
    """
    found = {}
    for name in dict.fromkeys(edit.name for edit in edits):
        before = parameters[name].detach()
        own = [edit for edit in edits if edit.name == name]
        _check_read(model, parameters, own[0])
        before = before if before.is_floating_point() else before.double()
        found[name] = EditedParameter(
            before, Changes(with_row_means(own, before.cpu().numpy()), tuple(before.shape), before)
        )
    return found


def editable(model: nn.Module, parameters: Mapping[str, Tensor]) -> dict[str, tuple[str, ...]]:
    """The parameters that hold numbers and that runs read, by name: their axes."""
    return {
        name: parameter_axes(value.ndim)
        for name, value in parameters.items()
        if value.dtype != torch.bool and not _unread(model, name)
    }


def _unread(model: nn.Module, name: str) -> bool:
    """Whether a table is only kept: the module that holds it says so."""
    module, _dot, leaf = name.rpartition(".")
    return leaf in getattr(model.get_submodule(module), "unread", ())


def _check_read(model: nn.Module, parameters: Mapping[str, Tensor], edit: Edit) -> None:
    """Raise UnfitEdit for a table of yes and no, and for one that is only kept."""
    name = edit.name
    if parameters[name].dtype == torch.bool:
        problem = _("{name} says what is allowed; it holds no numbers to edit")
        raise UnfitEdit(problem.format(name=visible(name)), edit)
    if _unread(model, name):
        others = [other for other in editable(model, parameters) if parameters[other].is_floating_point()]
        problem = _("{name} is read by no run, so an edit would change nothing; {hint}")
        raise UnfitEdit(problem.format(name=visible(name), hint=did_you_mean(name, others)), edit)


def with_edited(model: nn.Module, edited: Mapping[str, EditedParameter]) -> nn.Module:
    """`model`, reading the edited numbers wherever it reads one of these parameters."""
    held = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    changed: dict[int, Tensor] = {}
    for name, one in edited.items():
        was = held[name]
        now = one.after
        # Counts are parameters without a gradient; only floating point may have one.
        changed[id(was)] = nn.Parameter(now, was.requires_grad) if isinstance(was, nn.Parameter) else now
    return _copied(model, changed, {})


def _copied(module: nn.Module, changed: Mapping[int, Tensor], made: dict[int, nn.Module]) -> nn.Module:
    """The module with the changed tensors, given by the id of what they replace; itself where it has none."""
    if id(module) in made:
        return made[id(module)]
    parts = {n: part if part is None else _copied(part, changed, made) for n, part in module._modules.items()}
    tensors = [*module._parameters.values(), *module._buffers.values()]
    new = module
    if any(id(t) in changed for t in tensors) or any(parts[n] is not p for n, p in module._modules.items()):
        new = object.__new__(type(module))
        new.__dict__.update(module.__dict__)
        new.__dict__["_modules"] = parts
        for kind in ("_parameters", "_buffers"):
            old = getattr(module, kind)
            new.__dict__[kind] = {n: changed.get(id(tensor), tensor) for n, tensor in old.items()}
        if isinstance(new, nn.RNNBase):
            _own_weights(new)
    made[id(module)] = new
    return new


def _own_weights(layers: nn.RNNBase) -> None:
    """The kernels of these layers read a list of their weights, on a GPU in one piece of memory: copy all."""
    layers.__dict__["_parameters"] = {
        name: nn.Parameter(value.detach().clone(), value.requires_grad)
        for name, value in layers._parameters.items()
        if value is not None
    }
    layers._init_flat_weights()


def recorded(edited: Mapping[str, EditedParameter]) -> tuple[dict[str, Tensor], dict[str, Activation]]:
    """What a trace holds beside the edited parameters: `{name}.unedited`, and the inputs of their edits."""
    before, inputs = {}, {}
    for name, one in edited.items():
        before[f"{name}.unedited"] = one.before
        axes = parameter_axes(one.before.ndim)
        for part, tensor in (("factor", one.changes.factor), ("constant", one.changes.constant)):
            key = f"edits.{name}.{part}"
            inputs[key] = Activation(key, tensor, axes, kind="input")
    return before, inputs


def same_edits(one: Sequence[Edit], other: Sequence[Edit]) -> bool:
    """Whether two lists of edits make the same of the same parameters."""
    return list(one) == list(other) and all(a.tensor is b.tensor for a, b in zip(one, other, strict=True))


def named(edits: Sequence[Edit], parameters: Mapping[str, Tensor]) -> tuple[Edit, ...]:
    """Those of the edits that are of parameters."""
    return tuple(edit for edit in edits if edit.name in parameters)

"""Everything a trace holds: each activation with its shape and the formula that made it, as a tree of names.

Knows nothing of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views.figure import Figure, Tree, TreeRow
from nlptui.views.view import State, View

if TYPE_CHECKING:
    from nlptui.trace import Activation, Trace


@dataclass
class Node:
    """One place in the tree; it may hold an activation, and others below it."""

    activation: Activation | None = None
    below: dict[str, Node] = field(default_factory=dict)


def grow(activations: Iterable[Activation]) -> Node:
    """Activations by the parts of their names; a number stays with the word before it ("blocks.3")."""
    root = Node()
    for activation in activations:
        node = root
        for part in steps(activation.name):
            node = node.below.setdefault(part, Node())
        node.activation = activation
    return root


def steps(name: str) -> list[str]:
    """The parts of a name, numbers joined to the word before them."""
    parts: list[str] = []
    for part in name.split("."):
        if part.isdigit() and parts:
            parts[-1] += "." + part
        else:
            parts.append(part)
    return parts


def walk(node: Node, path: str = "", depth: int = 0) -> Iterator[TreeRow]:
    """The lines below `node`, depth first."""
    for part, child in node.below.items():
        full = path + part
        held = child.activation
        if held is None:
            yield TreeRow(full, depth)
        else:
            yield TreeRow(full, depth, held.shape, held.formula, held.axes, given=held.kind == "input")
        yield from walk(child, full + ".", depth + 1)


def draw(trace: Trace, state: State) -> Figure:
    """One tree: the inputs, then the activations in the order computed."""
    rows = tuple(walk(grow([*trace.inputs.values(), *trace.activations.values()])))
    caption = _("{n} activations from {inputs} inputs.").format(
        n=len(trace.activations), inputs=len(trace.inputs)
    )
    return Figure("tree", _(VIEW.title), (Tree(_("inputs and activations"), rows),), caption)


VIEW = View("tree", 9, N_("Everything"), applies=lambda thing: True, draw=draw)

"""Opens one element of a trace: which numbers it was made of, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nlptui.errors import UserError
from nlptui.formula.evaluator import Evaluator
from nlptui.formula.notation import notation
from nlptui.formula.syntax import Binary, Call, Name, Node, names_in, parse
from nlptui.formula.terms import Derivation, Position, Term
from nlptui.locale import _
from nlptui.trace import Activation, Trace


def explain(trace: Trace, name: str, index: Position) -> Derivation:
    """How the element of `name` at `index` (batch included; negative counts from the end) was made.

    An input or a parameter was not made: no formula, no terms, and the total is the value. What only a
    definition says has the definition as its notation, and as terms what it was computed from. Raises
    UserError for an unknown name, an index outside its shape, or a trace that left out what it was made of.
    """
    activation = trace[name]
    shape = activation.shape
    if len(index) != len(shape) or not all(-size <= i < size for i, size in zip(index, shape, strict=True)):
        raise UserError(
            _("index {index} does not fit {name}, whose axes are {axes} with the shape {shape}").format(
                index=",".join(map(str, index)), name=name, axes=" ".join(activation.axes), shape=list(shape)
            )
        )
    index = tuple(i % size for i, size in zip(index, shape, strict=True))
    value = float(trace.array(name)[index])
    formula = activation.formula
    if activation.definition:
        given = tuple(_counterpart(trace, activation, index, *other) for other in activation.made_of)
        return Derivation(name, index, value, value, "", activation.definition, given, False, activation.kind)
    if not formula:
        return Derivation(name, index, value, value, "", "", (), False, activation.kind)
    node = parse(formula)
    _check_complete(trace, name, node)
    made = Evaluator(trace).made(node, index)
    terms = made.products
    if terms is None:
        terms = tuple(dict.fromkeys(replace(leaf, factor=None) for leaf in made.leaves))
    sums = made.products is not None
    said = notation(node, trace)
    return Derivation(name, index, value, made.value, formula, said, terms, sums, activation.kind)


def _counterpart(
    trace: Trace, activation: Activation, index: Position, other: str, at: Position | None
) -> Term:
    """The element of `other` at `at`; or where `index` of `activation` stands, 0 on axes of its own."""
    found = trace[other]
    places = dict(zip(activation.axes, index, strict=True))
    sizes = zip(found.axes, found.shape, strict=True)
    place = tuple(min(places.get(axis, 0), size - 1) for axis, size in sizes) if at is None else at
    return Term(other, place, float(trace.array(other)[place]), kind=found.kind)


def _check_complete(trace: Trace, name: str, node: Node) -> None:
    missing = list(dict.fromkeys(_missing(trace, node, module=False)))
    if missing:
        raise UserError(
            _("{name} is made of {missing}, which this trace left out; record them too to open it").format(
                name=name, missing=", ".join(missing)
            )
        )


def _missing(trace: Trace, node: Node, module: bool) -> Iterator[str]:
    """Names that the trace does not hold; a module's name stands for its weight, where a function wants
    one.
    """
    if isinstance(node, Name):
        if node.name not in trace and not (module and f"{node.name}.weight" in trace):
            yield node.name
    elif isinstance(node, Binary):
        yield from _missing(trace, node.left, module=False)
        yield from _missing(trace, node.right, module=False)
    elif isinstance(node, Call):
        takes_weights = node.function in ("linear", "conv", "embedding")
        for place, argument in enumerate(node.arguments):
            yield from _missing(trace, argument, module=takes_weights and place > 0)


def reads(trace: Trace, name: str) -> tuple[str, ...]:
    """The names in the formula by which `name` was made, in order; an edit of it is left aside."""
    made = f"{name}.unedited" if f"{name}.unedited" in trace else name
    return names_in(parse(trace[made].formula))

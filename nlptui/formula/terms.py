"""What an element was made of: numbers of a trace, their products and sums. Arithmetic that never raises."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from nlptui.formula.syntax import Node, Number, unparse

Position = tuple[int, ...]


@dataclass(frozen=True)
class Term:
    """One number that an element was made of, and where to open it next."""

    name: str
    index: Position
    value: float
    """What the trace holds at `index` of `name`."""
    factor: float | None = None
    """What the value is multiplied by in a sum; None where the formula is not a sum of products."""
    factor_name: str | None = None
    """The one activation, input or parameter that the factor comes from; None where it is a constant."""
    factor_index: Position | None = None
    kind: str = "activation"
    """activation, input or parameter."""
    factor_formula: str = ""
    """How the factor was made of the number at `factor_name`, such as `1 - update_gate`; empty where it is
    that number itself."""

    @property
    def contribution(self) -> float:
        """What the term adds to a sum."""
        return self.value if self.factor is None else product(self.value, self.factor)


@dataclass(frozen=True)
class Derivation:
    """How one element was made."""

    name: str
    index: Position
    value: float
    """What the run recorded."""
    total: float
    """What the terms come to by the formula, in float64."""
    formula: str
    notation: str
    """The formula as the field writes it."""
    terms: tuple[Term, ...]
    """Everything that can be opened next; in a sum one for each product, otherwise one for each number."""
    sums: bool
    """Whether the total is the sum of value × factor."""
    kind: str = "activation"


def product(a: float, b: float) -> float:
    """a × b, where 0 silences infinities (a masked score has weight 0)."""
    return 0.0 if a == 0.0 or b == 0.0 else a * b


def quotient(a: float, b: float) -> float:
    """a / b as floating point has it: something over 0 is infinite, 0 over 0 is NaN."""
    if b:
        return a / b
    return math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def total(values: Iterable[float]) -> float:
    """The sum, rounded once; infinities and NaN as floating point has them."""
    values = list(values)
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


def _gelu(x: float) -> float:
    return 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))


def _gelu_tanh(x: float) -> float:
    return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


ELEMENTWISE: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "relu": lambda x: max(x, 0.0),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "positive": lambda x: float(x > 0),
    "square": lambda x: x * x,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "exp": _exp,
    "log": _log,
}


@dataclass(frozen=True)
class Made:
    """A value, the numbers that it was made of and, where it is a sum of products of them, the products."""

    value: float
    leaves: tuple[Term, ...]
    """Every number read from the trace; none for a constant."""
    products: tuple[Term, ...] | None
    """The value is the sum of their contributions; None where no such sum can be written down."""

    @property
    def plain(self) -> bool:
        """Whether this is one number of the trace as it stands."""
        return self.products is not None and len(self.products) == 1 and self.products == self.leaves


NOTHING = Made(0.0, (), ())


def added(parts: Sequence[Made]) -> Made:
    """The sum of `parts`; a sum of products if each is one."""
    leaves = tuple(leaf for part in parts for leaf in part.leaves)
    value = total(part.value for part in parts)
    known = [part.products for part in parts if part.products is not None]
    if len(known) < len(parts):
        return Made(value, leaves, None)
    return Made(value, leaves, tuple(term for products in known for term in products))


def averaged(parts: Sequence[Made]) -> Made:
    whole = added(parts)
    return replace(scaled(whole, 1.0 / len(parts)), value=whole.value / len(parts))


def scaled(made: Made, constant: float) -> Made:
    """`made` times a constant, within each product."""
    products = made.products
    if products is not None:
        products = tuple(_scaled_term(term, constant) for term in products)
    return Made(product(made.value, constant), made.leaves, products)


def _scaled_term(term: Term, constant: float) -> Term:
    factor = product(1.0 if term.factor is None else term.factor, constant)
    if term.factor_name is None or constant == 1.0:
        return replace(term, factor=factor)
    before = f"({term.factor_formula})" if term.factor_formula else term.factor_name
    by = f"0 - {before}" if constant == -1.0 else f"{_constant(constant)} * {before}"
    return replace(term, factor=factor, factor_formula=by)


def _constant(value: float) -> str:
    return unparse(Number(value)) if value >= 0 else f"(0 - {unparse(Number(-value))})"


def multiplied(left: Made, right: Made, left_node: Node, right_node: Node) -> Made:
    """left × right: a product of one number and a factor, a scaled sum, or no sum at all."""
    if not right.leaves:
        return scaled(left, right.value)
    if not left.leaves:
        return scaled(right, left.value)
    value, leaves = product(left.value, right.value), left.leaves + right.leaves
    for one, other, node in ((left, right, right_node), (right, left, left_node)):
        if one.plain and len(other.leaves) == 1:
            opened = other.leaves[0]
            by = "" if other.plain else unparse(node)
            term = replace(
                one.leaves[0],
                factor=other.value,
                factor_name=opened.name,
                factor_index=opened.index,
                factor_formula=by,
            )
            return Made(value, leaves, (term,))
    for one, other in ((left, right), (right, left)):
        if one.plain and other.products and all(term.factor_name is None for term in other.products):
            return Made(value, leaves, tuple(_times(term, one.leaves[0]) for term in other.products))
    return Made(value, leaves, None)


def _times(term: Term, opened: Term) -> Term:
    """A product of a sum, multiplied by one number of the trace."""
    constant = 1.0 if term.factor is None else term.factor
    by = "" if constant == 1.0 else f"{_constant(constant)} * {opened.name}"
    return replace(
        term,
        factor=product(constant, opened.value),
        factor_name=opened.name,
        factor_index=opened.index,
        factor_formula=by,
    )


def greatest(values: Sequence[Made]) -> Made:
    """The greatest of `values`: a sum in which it has the factor 1 and every other one the factor 0."""
    best = max(range(len(values)), key=lambda i: values[i].value)
    chosen = [scaled(x, 1.0 if i == best else 0.0) for i, x in enumerate(values)]
    return replace(added(chosen), value=values[best].value)


def place_of_greatest(values: Sequence[Made]) -> Made:
    """The number of the greatest of `values`, the first of equals."""
    best = max(range(len(values)), key=lambda i: values[i].value)
    return Made(float(best), tuple(leaf for x in values for leaf in x.leaves), None)


def log_sum(values: Sequence[Made]) -> Made:
    """log Σ exp of `values`, −∞ where all are."""
    leaves = tuple(leaf for x in values for leaf in x.leaves)
    top = max(x.value for x in values)
    if math.isinf(top):
        return Made(top, leaves, None)
    return Made(top + math.log(total(_exp(x.value - top) for x in values)), leaves, None)

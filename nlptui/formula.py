"""The small language in which an activation says how it was made, and its evaluator.

    formula   =  term (("+" | "-") term)*          linear(norm1, wq)
    term      =  factor (("*" | "/") factor)*      forget_gate * prev(cell)
    factor    =  number | name | name "[a:b]" | function "(" formula, … ")" | "(" formula ")" | "-" factor

A name is an activation, an input or a parameter (or a module, where a function wants weight and bias). Names broadcast
from the right, as in numpy. `explain` opens one element of one activation: which numbers it was made of, with which
factors, and what they come to. Knows nothing of networks; works on anything with a Trace's interface, in float64.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.trace import Trace

Position = tuple[int, ...]


@dataclass(frozen=True)
class Term:
    """One number that an element was made of, and where to open it next."""

    name: str
    index: Position
    value: float
    factor: float | None = None
    """What the value is multiplied by in a sum; None where the formula is not a sum of products."""
    factor_name: str | None = None
    factor_index: Position | None = None
    kind: str = "activation"
    """activation, input or parameter."""

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
    sums: bool
    """Whether the total is the sum of value × factor."""
    kind: str = "activation"


# ---------------------------------------------------------------------------------------------------------- the parser


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Name:
    """An activation, input, parameter or module; `rows` selects rows of a parameter."""

    name: str
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Call:
    """A function of formulas."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Binary:
    """One of + - * /, element by element."""

    operator: str
    left: Node
    right: Node


Node = Number | Name | Call | Binary
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?)|([A-Za-z_]\w*(?:\.\w+)*)|(.))")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(m.lastindex or 0, m[m.lastindex or 0]) for m in _TOKEN.finditer(text) if m.lastindex]
        self.at = 0

    def parse(self) -> Node:
        node = self.sum()
        if self.at != len(self.tokens):
            raise ValueError(f"formula {self.text!r}: unexpected {self.tokens[self.at][1]!r}")
        return node

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise ValueError(
                f"formula {self.text!r}: {expected or 'more'} expected, got {token or 'the end'!r}"
            )
        self.at += 1
        return token

    def sum(self) -> Node:
        node = self.product()
        while self.peek() in ("+", "-"):
            node = Binary(self.take(), node, self.product())
        return node

    def product(self) -> Node:
        node = self.factor()
        while self.peek() in ("*", "/"):
            node = Binary(self.take(), node, self.factor())
        return node

    def factor(self) -> Node:
        if self.peek() == "-":
            self.take()
            return Binary("-", Number(0.0), self.factor())
        if self.peek() == "(":
            self.take()
            node = self.sum()
            self.take(")")
            return node
        kind = self.tokens[self.at][0] if self.at < len(self.tokens) else 0
        token = self.take()
        if kind == 1:
            return Number(float(token))
        if kind == 2:
            return self.name(token)
        raise ValueError(f"formula {self.text!r}: unexpected {token!r}")

    def name(self, name: str) -> Node:
        if self.peek() == "(":
            self.take()
            arguments = [self.sum()]
            while self.peek() == ",":
                self.take()
                arguments.append(self.sum())
            self.take(")")
            return Call(name, tuple(arguments))
        if self.peek() == "[":
            self.take()
            first = int(self.take())
            self.take(":")
            last = int(self.take())
            self.take("]")
            return Name(name, (first, last))
        return Name(name)


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The syntax tree of a formula. Raises ValueError that shows where it went wrong."""
    return _Parser(text).parse()


# ------------------------------------------------------------------------------------------------------- the evaluator


def product(a: float, b: float) -> float:
    """a × b, where 0 silences infinities (a masked score has weight 0)."""
    return 0.0 if a == 0.0 or b == 0.0 else a * b


def _gelu(x: float) -> float:
    return 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))


def _gelu_tanh(x: float) -> float:
    return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


ELEMENTWISE: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "relu": lambda x: max(x, 0.0),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "square": lambda x: x * x,
    "sqrt": math.sqrt,
    "exp": math.exp,
}


@dataclass(frozen=True)
class _Made:
    """A value with the terms that it was made of."""

    value: float
    terms: tuple[Term, ...]
    sums: bool

    def plain(self) -> _Made:
        """The same, no longer a sum: the terms keep their values, their factors say nothing of the total."""
        return self if not self.sums else _Made(self.value, self.terms, False)


_NOTHING = _Made(0.0, (), True)


class Evaluator:
    """Evaluates single elements of formulas on the values of one trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str) -> np.ndarray:
        """The value of `name`, fetched once."""
        if name not in self._arrays:
            self._arrays[name] = self.trace.array(name)
        return self._arrays[name]

    # -- leaves

    def leaf(self, name: Name, index: Position) -> _Made:
        """One element of an activation, input or parameter; `index` is broadcast from the right."""
        array = self.array(name.name)
        place = tuple(
            0 if size == 1 else i
            for i, size in zip(index[len(index) - array.ndim :], array.shape, strict=True)
        )
        if name.rows is not None:
            place = (place[0] + name.rows[0], *place[1:])
        value = float(array[place])
        return _Made(value, (Term(name.name, place, value, 1.0, kind=self.trace[name.name].kind),), True)

    def weight(self, node: Node) -> tuple[Name, Name | None]:
        """The weight and bias that a function's second argument names: a parameter, or a module that has them."""
        if not isinstance(node, Name):
            raise ValueError(f"a parameter or module is needed, not {node}")
        if node.name in self.trace:
            return node, None
        bias = f"{node.name}.bias"
        return Name(f"{node.name}.weight", node.rows), Name(bias, node.rows) if bias in self.trace else None

    def shape(self, node: Node) -> tuple[int, ...]:
        """The shape of a formula's value."""
        if isinstance(node, Name):
            shape = self.array(node.name).shape
            return shape if node.rows is None else (node.rows[1] - node.rows[0], *shape[1:])
        if isinstance(node, Number):
            return ()
        if isinstance(node, Binary):
            return tuple(np.broadcast_shapes(self.shape(node.left), self.shape(node.right)))
        return self._call_shape(node)

    def _call_shape(self, node: Call) -> tuple[int, ...]:
        first = self.shape(node.arguments[0])
        if node.function == "join":
            return (first[0], first[2], first[1] * first[3])
        if node.function == "linear":
            weight, _bias = self.weight(node.arguments[1])
            return (*first[:-1], self.shape(weight)[0])
        if node.function == "concat":
            return (*first[:-1], sum(self.shape(a)[-1] for a in node.arguments))
        if node.function in ("first", "mean_pos", "max_pos"):
            return (first[0], *first[2:])
        if node.function == "mean":
            return (*first[:-1], 1)
        if node.function == "swap":
            return (*first[:-2], first[-1], first[-2])
        if node.function == "column":
            return first[:-1]
        if node.function == "embedding":
            return (*first, self.shape(self.weight(node.arguments[1])[0])[-1])
        return first

    # -- any node

    def made(self, node: Node, index: Position) -> _Made:
        """The element of `node` at `index`, with its terms."""
        if isinstance(node, Name):
            return self.leaf(node, index)
        if isinstance(node, Number):
            return _Made(node.value, (), node.value == 0.0)
        if isinstance(node, Binary):
            return self._binary(node, index)
        if node.function in ELEMENTWISE:
            inner = self.made(node.arguments[0], index)
            return _Made(ELEMENTWISE[node.function](inner.value), inner.terms, False)
        method: Callable[[tuple[Node, ...], Position], _Made] | None = getattr(
            self, f"_fn_{node.function}", None
        )
        if method is None:
            raise ValueError(f"unknown function {node.function!r} in a formula")
        return method(node.arguments, index)

    def _binary(self, node: Binary, index: Position) -> _Made:
        left, right = self.made(node.left, index), self.made(node.right, index)
        if node.operator in "+-":
            sign = 1.0 if node.operator == "+" else -1.0
            signed = right.terms if sign > 0 else tuple(_scaled(term, -1.0) for term in right.terms)
            return _Made(left.value + sign * right.value, left.terms + signed, left.sums and right.sums)
        if node.operator == "/":
            value = left.value / right.value
            if left.sums and isinstance(node.right, Number | Call) and not right.terms:
                return _Made(value, tuple(_scaled(term, 1.0 / right.value) for term in left.terms), True)
            return _Made(value, _bare(left.terms + right.terms), False)
        return self._product(left, right)

    def _product(self, left: _Made, right: _Made) -> _Made:
        value = product(left.value, right.value)
        if not left.terms or not right.terms:
            constant, other = (left, right) if not left.terms else (right, left)
            return _Made(value, tuple(_scaled(t, constant.value) for t in other.terms), other.sums)
        for one, other in ((left, right), (right, left)):
            if len(one.terms) == 1 and one.sums and one.terms[0].factor == 1.0:
                term = one.terms[0]
                opened = other.terms[0] if len(other.terms) == 1 else None
                if opened is not None:
                    term = replace(
                        term, factor=other.value, factor_name=opened.name, factor_index=opened.index
                    )
                    return _Made(value, (term,), True)
        return _Made(value, _bare(left.terms + right.terms), False)

    # -- sums of products

    def _row(self, node: Node, index: Position, width: int) -> list[_Made]:
        """The elements of `node` along its last axis."""
        return [self.made(node, (*index[:-1], j)) for j in range(width)]

    def _fn_linear(self, args: tuple[Node, ...], index: Position) -> _Made:
        weight, bias = self.weight(args[1])
        if len(args) == 3:
            bias, _none = self.weight(args[2])
        matrix = self.array(weight.name)
        i = index[-1] + (weight.rows[0] if weight.rows else 0)
        terms: list[Term] = []
        for j, x in enumerate(self._row(args[0], index, matrix.shape[1])):
            terms += self._times(x, float(matrix[i, j]), weight.name, (i, j))
        if bias is not None:
            terms += self.leaf(bias, (index[-1],)).terms
        return _summed(terms)

    @staticmethod
    def _times(x: _Made, factor: float, name: str, place: Position) -> list[Term]:
        """x × factor as terms; the factor can be opened where x is one plain number."""
        if len(x.terms) == 1 and x.terms[0].factor == 1.0 and x.sums:
            return [replace(x.terms[0], factor=factor, factor_name=name, factor_index=place)]
        return [_scaled(term, factor) for term in x.terms]

    def _fn_dot(self, args: tuple[Node, ...], index: Position) -> _Made:
        b, h, i, j = index
        terms: list[Term] = []
        for d in range(self.shape(args[0])[-1]):
            right = self.made(args[1], (b, h, j, d))
            opened = right.terms[0]
            terms += self._times(self.made(args[0], (b, h, i, d)), right.value, opened.name, opened.index)
        return _summed(terms)

    def _fn_mix(self, args: tuple[Node, ...], index: Position) -> _Made:
        """Σ over keys of weight × value; `weights (… query key)`, `values (… key d)`."""
        *lead, i, d = index
        terms: list[Term] = []
        for j in range(self.shape(args[0])[-1]):
            weight = self.made(args[0], (*lead, i, j))
            opened = weight.terms[0]
            terms += self._times(self.made(args[1], (*lead, j, d)), weight.value, opened.name, opened.index)
        return _summed(terms)

    def _fn_conv(self, args: tuple[Node, ...], index: Position) -> _Made:
        """A convolution over the last but one axis with zero padding at both ends; weight (out in kernel)."""
        weight, bias = self.weight(args[1])
        matrix = self.array(weight.name)
        *lead, c, out = index
        length, kernel = self.shape(args[0])[-2], matrix.shape[2]
        terms: list[Term] = []
        for k in range(kernel):
            place = c + k - kernel // 2
            if 0 <= place < length:
                for d in range(matrix.shape[1]):
                    x = self.made(args[0], (*lead, place, d))
                    terms += self._times(x, float(matrix[out, d, k]), weight.name, (out, d, k))
        if bias is not None:
            terms += self.leaf(bias, (out,)).terms
        return _summed(terms)

    def _fn_mean(self, args: tuple[Node, ...], index: Position) -> _Made:
        width = self.shape(args[0])[-1]
        row = self._row(args[0], index, width)
        value = sum(x.value for x in row) / width
        terms = tuple(_scaled(term, 1.0 / width) for x in row for term in x.terms)
        return _Made(value, terms, all(x.sums for x in row))

    def _pooled(self, args: tuple[Node, ...], index: Position) -> list[_Made]:
        b, *rest = index
        positions = range(self.shape(args[0])[1])
        kept = [p for p in positions if len(args) == 1 or self.made(args[1], (b, p)).value]
        return [self.made(args[0], (b, p, *rest)) for p in kept]

    def _fn_mean_pos(self, args: tuple[Node, ...], index: Position) -> _Made:
        values = self._pooled(args, index)
        return (
            _summed([_scaled(term, 1.0 / len(values)) for x in values for term in x.terms])
            if values
            else _NOTHING
        )

    def _fn_max_pos(self, args: tuple[Node, ...], index: Position) -> _Made:
        return _greatest(self._pooled(args, index))

    def _fn_max_char(self, args: tuple[Node, ...], index: Position) -> _Made:
        """The greatest over characters that are not padding; `chars` holds character ids, 0 pads."""
        b, p, d = index
        length = self.shape(args[0])[2]
        kept = [c for c in range(length) if self.made(args[1], (b, p, c)).value != 0]
        return _greatest([self.made(args[0], (b, p, c, d)) for c in kept])

    # -- the rest

    def _fn_softmax(self, args: tuple[Node, ...], index: Position) -> _Made:
        row = self._row(args[0], index, self.shape(args[0])[-1])
        values = np.array([x.value for x in row])
        top = values.max()
        terms = _bare(tuple(term for x in row for term in x.terms))
        if top == -np.inf:
            return _Made(0.0, terms, False)
        exps = np.exp(values - top)
        return _Made(float(exps[index[-1]] / exps.sum()), terms, False)

    def _fn_mask(self, args: tuple[Node, ...], index: Position) -> _Made:
        x, allowed = self.made(args[0], index), self.made(args[1], index)
        return _Made(x.value if allowed.value else -math.inf, _bare(x.terms + allowed.terms), False)

    def _fn_edit(self, args: tuple[Node, ...], index: Position) -> _Made:
        x, factor, constant = (self.made(arg, index) for arg in args)
        opened = factor.terms[0]
        term = replace(x.terms[0], factor=factor.value, factor_name=opened.name, factor_index=opened.index)
        terms = (term, *constant.terms) if factor.value else constant.terms
        return _Made(product(x.value, factor.value) + constant.value, terms, True)

    # -- functions that only move elements

    def _fn_embedding(self, args: tuple[Node, ...], index: Position) -> _Made:
        weight, _bias = self.weight(args[1])
        row = int(self.made(args[0], index[:-1]).value)
        return self.leaf(weight, (row, index[-1]))

    def _fn_heads(self, args: tuple[Node, ...], index: Position) -> _Made:
        b, h, p, d = index
        width = args[1]
        assert isinstance(width, Number)
        return self.made(args[0], (b, p, h * int(width.value) + d))

    def _fn_join(self, args: tuple[Node, ...], index: Position) -> _Made:
        b, p, c = index
        d_head = self.shape(args[0])[-1]
        return self.made(args[0], (b, c // d_head, p, c % d_head))

    def _fn_concat(self, args: tuple[Node, ...], index: Position) -> _Made:
        i = index[-1]
        for arg in args:
            width = self.shape(arg)[-1]
            if i < width:
                return self.made(arg, (*index[:-1], i))
            i -= width
        raise ValueError(f"index {index} lies outside a concat")

    def _fn_first(self, args: tuple[Node, ...], index: Position) -> _Made:
        return self.made(args[0], (index[0], 0, *index[1:]))

    def _fn_swap(self, args: tuple[Node, ...], index: Position) -> _Made:
        return self.made(args[0], (*index[:-2], index[-1], index[-2]))

    def _fn_column(self, args: tuple[Node, ...], index: Position) -> _Made:
        column = args[1]
        assert isinstance(column, Number)
        return self.made(args[0], (*index, int(column.value)))

    def _fn_prev(self, args: tuple[Node, ...], index: Position) -> _Made:
        name = args[0]
        assert isinstance(name, Name)
        before = index[1] - self.trace[name.name].step
        if not 0 <= before < self.shape(name)[1]:
            return _NOTHING
        return self.made(name, (index[0], before, *index[2:]))


def _scaled(term: Term, factor: float) -> Term:
    """`term` within a sum that is multiplied; its factor is then no single number that could be opened."""
    whole = product(1.0 if term.factor is None else term.factor, factor)
    if term.factor_name is None or factor == 1.0:
        return replace(term, factor=whole)
    return replace(term, factor=whole)


def _bare(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(
        replace(t, factor=None, factor_name=None, factor_index=None) if t.factor == 1.0 else t for t in terms
    )


def _summed(terms: list[Term]) -> _Made:
    return _Made(math.fsum(term.contribution for term in terms), tuple(terms), True)


def _greatest(values: list[_Made]) -> _Made:
    if not values:
        return _NOTHING
    best = max(range(len(values)), key=lambda i: values[i].value)
    terms = tuple(replace(t, factor=1.0 if i == best else 0.0) for i, x in enumerate(values) for t in x.terms)
    return _Made(values[best].value, terms, all(x.sums for x in values))


# ---------------------------------------------------------------------------------------------------------- explaining


def explain(trace: Trace, name: str, index: Position) -> Derivation:
    """How the element of `name` at `index` (batch included) was made.

    Raises UserError for an unknown name or an index outside its shape.
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
    if not formula:
        return Derivation(name, index, value, value, "", "", (), False, activation.kind)
    node = parse(formula)
    made = Evaluator(trace).made(node, index)
    terms = made.terms if made.sums else _bare(made.terms)
    return Derivation(name, index, value, made.value, formula, notation(node), terms, made.sums)


# ------------------------------------------------------------------------------------------------------------ notation

_NOTATION = {
    "linear": "Σⱼ {0}ⱼ · {1}ᵢⱼ",
    "dot": "Σ_d {0} · {1}",
    "mix": "Σ_key {0} · {1}",
    "softmax": "exp({0}ᵢ) / Σⱼ exp({0}ⱼ)",
    "mask": "{0} if {1} else −∞",
    "sigmoid": "σ({0})",
    "square": "({0})²",
    "sqrt": "√({0})",
    "mean": "1/n Σᵢ {0}ᵢ",
    "embedding": "{1}[{0}]",
    "heads": "head({0})",
    "join": "{0}",
    "first": "{0}₀",
    "swap": "{0}ᵀ",
    "column": "{0}",
    "prev": "{0}ₜ₋₁",
    "mean_pos": "1/n Σ_pos {0}",
    "max_pos": "max_pos {0}",
    "max_char": "max_char {0}",
    "conv": "Σₖ Σ_d {0} · {1}ₖ",
    "edit": "{0} · {1} + {2}",
    "gelu": "{0} · Φ({0})",
    "gelu_tanh": "{0} · ½(1 + tanh(√(2/π)({0} + 0.044715 {0}³)))",
    "relu": "max(0, {0})",
    "concat": "[{0} ; {1}]",
}


def notation(node: Node) -> str:
    """The formula as the field writes it."""
    if isinstance(node, Number):
        return f"{node.value:g}"
    if isinstance(node, Name):
        return node.name if node.rows is None else f"{node.name}[{node.rows[0]}:{node.rows[1]}]"
    if isinstance(node, Binary):
        if node.operator == "-" and node.left == Number(0.0):
            return f"−{_grouped(node.right)}"
        sign = {"*": "⊙", "-": "−", "/": "/", "+": "+"}[node.operator]
        if node.operator in "+-":
            return f"{notation(node.left)} {sign} {notation(node.right)}"
        return f"{_grouped(node.left)} {sign} {_grouped(node.right)}"
    parts = [notation(argument) for argument in node.arguments]
    text = _NOTATION.get(node.function, f"{node.function}({', '.join(parts)})").format(*parts)
    if node.function == "linear":
        bias = parts[2] if len(parts) > 2 else f"{parts[1]}.bias"
        return f"{text} + {bias}ᵢ"
    return text


def _grouped(node: Node) -> str:
    text = notation(node)
    return f"({text})" if isinstance(node, Binary) and node.operator in "+-" else text

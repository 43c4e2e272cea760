"""The small language in which an activation says how it was made, and its evaluator.

    formula   =  term (("+" | "-") term)*          linear(norm1, wq)
    term      =  factor (("*" | "/") factor)*      forget_gate * prev(cell)
    factor    =  number | name | name "[a:b]" | function "(" formula, … ")" | "(" formula ")" | "-" factor

A name is an activation, an input or a parameter (or a module, where a function wants weight and bias);
`name[a:b]` are rows a to b − 1 of a parameter. Names broadcast from the right, as in numpy. `explain` opens
one element of one activation: which numbers it was made of, with which factors, and what they come to. Knows
nothing of networks; works on anything with a Trace's interface, in float64.

What the functions compute, with B batch, P positions, H heads, D width:

    linear(x, w) or linear(x, w, b)     x Wᵀ + b; a module's name stands for its weight and bias, if any
    dot(q, k)                           q kᵀ over the last axis          (B H P D), (B H K D) → (B H P K)
    mix(w, v)                           w v: values mixed by weights     (… P K), (… K D) → (… P D)
    conv(x, w)                          convolution over the last axis but one, zeros beyond both ends
    softmax(x)  mean(x)                 over the last axis; mean keeps it (size 1); softmax of only −∞ is 0
    mask(x, m)                          x where m is true, −∞ elsewhere
    mean_pos(x[, m])  max_pos(x[, m])   over the positions where m is true; 0 where there are none
    max_char(x, c)                      over the characters whose id in c is not 0
    edit(x, f, c)                       x · f + c; f = 0 silences an infinity, any other f leaves it as it is
    embedding(i, w)                     row i of w
    heads(x, n)  join(x)                (B P H·n) → (B H P n), and back
    concat(x, …)  swap(x)               along the last axis; the last two axes
    first(x)  column(x, n)  prev(x)     position 0; column n of the last axis; the step before, 0 at the start
    tanh sigmoid relu gelu gelu_tanh square sqrt exp        element by element

Along a lattice (B P tag), with a the scores of going from tag i to tag j:

    best_in(x, a, s)                    max_i x[t−1, i] + a[i, j]; at the first position s[j]
    best_tag(x, a)                      the i that gives it, the first of equals; −1 at the first position
    sum_in(x, a, s)                     log Σ_i exp(x[t−1, i] + a[i, j]); at the first position s[j]
    sum_out(x, a, e[, m])               log Σ_j exp(a[i, j] + x[t+1, j]); e[i] at the last position
    follow(p, b, f[, m])                b[t+1, p[t+1]], where p is rounded to a tag's number; at the last
                                        position the tag j of the greatest f[t, j]; −1 where m is false

The last position is the last where m is true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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


# ------------------------------------------------------------------------------------------------ the parser


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
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?)|([A-Za-z_]\w*(?:\.\w+)*)|(\S))")
_NUMBER, _NAME = 1, 2


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(m.lastindex or 0, m[m.lastindex or 0]) for m in _TOKEN.finditer(text)]
        self.at = 0

    def parse(self) -> Node:
        node = self.sum()
        if self.at != len(self.tokens):
            raise self.error("the end")
        return node

    def error(self, expected: str) -> ValueError:
        got = repr(self.peek()) if self.peek() else "the end"
        return ValueError(f"formula {self.text!r}: {expected} expected, got {got}")

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def kind(self) -> int:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else 0

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise self.error(repr(expected) if expected else "more")
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
        if self.kind() == _NUMBER:
            return Number(float(self.take()))
        if self.kind() == _NAME:
            return self.name(self.take())
        raise self.error("a number, a name or a bracket")

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
            first = self.row()
            self.take(":")
            last = self.row()
            self.take("]")
            return Name(name, (first, last))
        return Name(name)

    def row(self) -> int:
        if not self.peek().isdecimal():
            raise self.error("the number of a row")
        return int(self.take())


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The syntax tree of a formula. Raises ValueError that shows where it went wrong."""
    return _Parser(text).parse()


def unparse(node: Node) -> str:
    """A formula whose syntax tree is `node`."""
    if isinstance(node, Number):
        return (
            str(int(node.value)) if node.value.is_integer() and abs(node.value) < 1e15 else repr(node.value)
        )
    if isinstance(node, Name):
        return node.name if node.rows is None else f"{node.name}[{node.rows[0]}:{node.rows[1]}]"
    if isinstance(node, Call):
        return f"{node.function}({', '.join(map(unparse, node.arguments))})"
    # The parser reads from the left, so that a sum or quotient on the right keeps its brackets.
    loose = ("+", "-") if node.operator in "*/" else ()
    left = _bracketed(node.left, loose)
    right = _bracketed(node.right, ("+", "-", "*", "/") if node.operator in "*/" else ("+", "-"))
    return f"{left} {node.operator} {right}"


def _bracketed(node: Node, operators: Sequence[str]) -> str:
    text = unparse(node)
    return f"({text})" if isinstance(node, Binary) and node.operator in operators else text


def names_in(node: Node) -> tuple[str, ...]:
    """The names in a formula, in order, each once."""
    if isinstance(node, Name):
        return (node.name,)
    parts: tuple[Node, ...] = ()
    if isinstance(node, Call):
        parts = node.arguments
    elif isinstance(node, Binary):
        parts = (node.left, node.right)
    return tuple(dict.fromkeys(name for part in parts for name in names_in(part)))


# ------------------------------------------------------------------------------ arithmetic that never raises


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


ELEMENTWISE: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "relu": lambda x: max(x, 0.0),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "square": lambda x: x * x,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "exp": _exp,
}


# --------------------------------------------------------------------------------------------- the evaluator


@dataclass(frozen=True)
class _Made:
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


_NOTHING = _Made(0.0, (), ())


class Evaluator:
    """Evaluates single elements of formulas on the values of one trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._arrays: dict[str, np.ndarray] = {}
        self._kinds: dict[str, str] = {}

    def array(self, name: str) -> np.ndarray:
        """The value of `name`, fetched once."""
        if name not in self._arrays:
            self._arrays[name] = self.trace.array(name)
            self._kinds[name] = self.trace[name].kind
        return self._arrays[name]

    # -- leaves

    def leaf(self, name: Name, index: Position) -> _Made:
        """One element of an activation, input or parameter; `index` is broadcast from the right."""
        array = self.array(name.name)
        place = index[len(index) - array.ndim :]
        if 1 in array.shape:
            place = tuple(0 if size == 1 else i for i, size in zip(place, array.shape, strict=True))
        if name.rows is not None:
            place = (place[0] + name.rows[0], *place[1:])
        value = float(array[place])
        terms = (Term(name.name, place, value, 1.0, kind=self._kinds[name.name]),)
        return _Made(value, terms, terms)

    def weight(self, node: Node) -> tuple[Name, Name | None]:
        """The weight and bias that an argument names: a parameter, or a module that has them."""
        if not isinstance(node, Name):
            raise ValueError(f"a parameter or module is needed, not {unparse(node)}")
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
        match node.function:
            case "linear":
                return (*first[:-1], self.shape(self.weight(node.arguments[1])[0])[0])
            case "conv":
                return (*first[:-1], self.shape(self.weight(node.arguments[1])[0])[0])
            case "embedding":
                return (*first, self.shape(self.weight(node.arguments[1])[0])[-1])
            case "dot":
                return (*first[:-1], self.shape(node.arguments[1])[-2])
            case "mix":
                return (*first[:-1], self.shape(node.arguments[1])[-1])
            case "heads":
                width = _whole(node.arguments[1])
                return (first[0], first[2] // width, first[1], width)
            case "join":
                return (first[0], first[2], first[1] * first[3])
            case "concat":
                return (*first[:-1], sum(self.shape(a)[-1] for a in node.arguments))
            case "first" | "mean_pos" | "max_pos":
                return (first[0], *first[2:])
            case "max_char":
                return (*first[:2], *first[3:])
            case "mean":
                return (*first[:-1], 1)
            case "swap":
                return (*first[:-2], first[-1], first[-2])
            case "column":
                return first[:-1]
        return first

    # -- any node

    def made(self, node: Node, index: Position) -> _Made:
        """The element of `node` at `index`, and what it was made of."""
        if isinstance(node, Name):
            return self.leaf(node, index)
        if isinstance(node, Number):
            return _Made(node.value, (), () if node.value == 0.0 else None)
        if isinstance(node, Binary):
            return self._binary(node, index)
        if node.function in ELEMENTWISE:
            inner = self.made(node.arguments[0], index)
            return _Made(ELEMENTWISE[node.function](inner.value), inner.leaves, None)
        method = getattr(self, f"_fn_{node.function}", None)
        if method is None:
            raise ValueError(f"unknown function {node.function!r} in a formula")
        made: _Made = method(node.arguments, index)
        return made

    def _binary(self, node: Binary, index: Position) -> _Made:
        left, right = self.made(node.left, index), self.made(node.right, index)
        if node.operator == "*":
            return _multiplied(left, right, node.left, node.right)
        if node.operator == "/":
            if right.leaves or right.value == 0.0:
                return _Made(quotient(left.value, right.value), left.leaves + right.leaves, None)
            return replace(_scaled(left, 1.0 / right.value), value=left.value / right.value)
        return _added([left, right if node.operator == "+" else _scaled(right, -1.0)])

    # -- sums of products

    def _row(self, node: Node, index: Position) -> list[_Made]:
        """The elements of `node` along its last axis."""
        return [self.made(node, (*index[:-1], j)) for j in range(self.shape(node)[-1])]

    def _fn_linear(self, args: tuple[Node, ...], index: Position) -> _Made:
        weight, bias = self.weight(args[1])
        if len(args) == 3:
            bias, _none = self.weight(args[2])
        row = self._row(args[0], index)
        i = index[-1]
        parts = [_multiplied(x, self.leaf(weight, (i, j)), args[0], weight) for j, x in enumerate(row)]
        return _added(parts if bias is None else [*parts, self.leaf(bias, (i,))])

    def _fn_dot(self, args: tuple[Node, ...], index: Position) -> _Made:
        *lead, i, j = index
        left, right = self._row(args[0], (*lead, i, 0)), self._row(args[1], (*lead, j, 0))
        return _added([_multiplied(a, b, *args) for a, b in zip(left, right, strict=True)])

    def _fn_mix(self, args: tuple[Node, ...], index: Position) -> _Made:
        *lead, i, d = index
        weights = self._row(args[0], (*lead, i, 0))
        values = [self.made(args[1], (*lead, j, d)) for j in range(len(weights))]
        return _added([_multiplied(v, w, args[1], args[0]) for v, w in zip(values, weights, strict=True)])

    def _fn_conv(self, args: tuple[Node, ...], index: Position) -> _Made:
        weight, bias = self.weight(args[1])
        _out, width, kernel = self.array(weight.name).shape
        *lead, c, out = index
        parts = []
        for k in range(kernel):
            place = c + k - kernel // 2
            if 0 <= place < self.shape(args[0])[-2]:
                for d in range(width):
                    x = self.made(args[0], (*lead, place, d))
                    parts.append(_multiplied(x, self.leaf(weight, (out, d, k)), args[0], weight))
        return _added(parts if bias is None else [*parts, self.leaf(bias, (out,))])

    def _fn_mean(self, args: tuple[Node, ...], index: Position) -> _Made:
        return _averaged(self._row(args[0], index))

    def _fn_mean_pos(self, args: tuple[Node, ...], index: Position) -> _Made:
        return self._pooled(args, index[:1], index[1:], _averaged)

    def _fn_max_pos(self, args: tuple[Node, ...], index: Position) -> _Made:
        return self._pooled(args, index[:1], index[1:], _greatest)

    def _fn_max_char(self, args: tuple[Node, ...], index: Position) -> _Made:
        return self._pooled(args, index[:2], index[2:], _greatest)

    def _pooled(
        self,
        args: tuple[Node, ...],
        lead: Position,
        rest: Position,
        pool: Callable[[Sequence[_Made]], _Made],
    ) -> _Made:
        """`pool` of what lies between `lead` and `rest` where the second argument is not 0.

        Where it is 0 throughout, so is the value, and it is the second argument that can be opened.
        """
        places = range(self.shape(args[0])[len(lead)])
        if len(args) == 1:
            return pool([self.made(args[0], (*lead, p, *rest)) for p in places])
        allowed = [self.made(args[1], (*lead, p)) for p in places]
        kept = [self.made(args[0], (*lead, p, *rest)) for p in places if allowed[p].value]
        return pool(kept) if kept else _Made(0.0, tuple(leaf for x in allowed for leaf in x.leaves), None)

    # -- the rest

    def _fn_softmax(self, args: tuple[Node, ...], index: Position) -> _Made:
        row = self._row(args[0], index)
        leaves = tuple(leaf for x in row for leaf in x.leaves)
        values = np.array([x.value for x in row])
        top = values.max()
        if top == -np.inf:
            return _Made(0.0, leaves, None)
        with np.errstate(invalid="ignore"):
            exps = np.exp(values - top)
        return _Made(float(exps[index[-1]] / exps.sum()), leaves, None)

    def _fn_mask(self, args: tuple[Node, ...], index: Position) -> _Made:
        x, allowed = self.made(args[0], index), self.made(args[1], index)
        return _Made(x.value if allowed.value else -math.inf, x.leaves + allowed.leaves, None)

    def _fn_edit(self, args: tuple[Node, ...], index: Position) -> _Made:
        x, factor, constant = (self.made(arg, index) for arg in args)
        if math.isinf(x.value) and factor.value:
            return _Made(x.value + constant.value, x.leaves + factor.leaves + constant.leaves, None)
        return _added([_multiplied(x, factor, args[0], args[1]), constant]) if factor.value else constant

    # -- along a lattice

    def _incoming(self, args: tuple[Node, ...], index: Position) -> list[_Made]:
        """x[t−1, i] + a[i, j] for every tag i."""
        *lead, t, j = index
        tags = range(self.shape(args[0])[-1])
        return [
            _added([self.made(args[0], (*lead, t - 1, i)), self.made(args[1], (*lead, i, j))]) for i in tags
        ]

    def _fn_best_in(self, args: tuple[Node, ...], index: Position) -> _Made:
        if index[-2] == 0:
            return self.made(args[2], (*index[:-2], index[-1]))
        return _greatest(self._incoming(args, index))

    def _fn_best_tag(self, args: tuple[Node, ...], index: Position) -> _Made:
        if index[-2] == 0:
            return _Made(-1.0, (), None)
        return _place_of_greatest(self._incoming(args, index))

    def _fn_sum_in(self, args: tuple[Node, ...], index: Position) -> _Made:
        if index[-2] == 0:
            return self.made(args[2], (*index[:-2], index[-1]))
        return _log_sum(self._incoming(args, index))

    def _fn_sum_out(self, args: tuple[Node, ...], index: Position) -> _Made:
        *lead, t, i = index
        if not self._inside(args[0], args[3:], (*lead, t + 1)):
            return self.made(args[2], (*lead, i))
        tags = range(self.shape(args[0])[-1])
        return _log_sum(
            [_added([self.made(args[1], (*lead, i, j)), self.made(args[0], (*lead, t + 1, j))]) for j in tags]
        )

    def _fn_follow(self, args: tuple[Node, ...], index: Position) -> _Made:
        path, pointers, final, *mask = args
        *lead, t = index
        if not self._inside(pointers, mask, index):
            return _Made(-1.0, (), None)
        tags = self.shape(pointers)[-1]
        if not self._inside(pointers, mask, (*lead, t + 1)):
            return _place_of_greatest([self.made(final, (*index, j)) for j in range(tags)])
        after = self.made(path, (*lead, t + 1))
        number = 0.0 if math.isnan(after.value) else min(max(after.value, 0.0), tags - 1.0)
        pointed = self.made(pointers, (*lead, t + 1, round(number)))
        return _Made(pointed.value, after.leaves + pointed.leaves, None)

    def _inside(self, node: Node, mask: Sequence[Node], place: Position) -> bool:
        """Whether `place` is a position of `node`, and one where the mask, if there is one, is true."""
        if place[-1] >= self.shape(node)[len(place) - 1]:
            return False
        return not mask or bool(self.made(mask[0], place).value)

    # -- functions that only move elements

    def _fn_embedding(self, args: tuple[Node, ...], index: Position) -> _Made:
        weight, _bias = self.weight(args[1])
        row = int(self.made(args[0], index[:-1]).value)
        return self.leaf(weight, (row, index[-1]))

    def _fn_heads(self, args: tuple[Node, ...], index: Position) -> _Made:
        b, h, p, d = index
        return self.made(args[0], (b, p, h * _whole(args[1]) + d))

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
        return self.made(args[0], (*index, _whole(args[1])))

    def _fn_prev(self, args: tuple[Node, ...], index: Position) -> _Made:
        """The step before, in the direction in which the activation was made; 0 at the start."""
        name = args[0]
        if not isinstance(name, Name):
            raise ValueError(f"prev needs a name, not {unparse(name)}")
        before = index[1] - self.trace[name.name].step
        if not 0 <= before < self.shape(name)[1]:
            return _NOTHING
        return self.made(name, (index[0], before, *index[2:]))


def _whole(node: Node) -> int:
    if not isinstance(node, Number) or not node.value.is_integer():
        raise ValueError(f"a whole number is needed, not {unparse(node)}")
    return int(node.value)


def _added(parts: Sequence[_Made]) -> _Made:
    """The sum of `parts`; a sum of products if each is one."""
    leaves = tuple(leaf for part in parts for leaf in part.leaves)
    value = total(part.value for part in parts)
    known = [part.products for part in parts if part.products is not None]
    if len(known) < len(parts):
        return _Made(value, leaves, None)
    return _Made(value, leaves, tuple(term for products in known for term in products))


def _averaged(parts: Sequence[_Made]) -> _Made:
    whole = _added(parts)
    return replace(_scaled(whole, 1.0 / len(parts)), value=whole.value / len(parts))


def _scaled(made: _Made, constant: float) -> _Made:
    """`made` times a constant, within each product."""
    products = made.products
    if products is not None:
        products = tuple(_scaled_term(term, constant) for term in products)
    return _Made(product(made.value, constant), made.leaves, products)


def _scaled_term(term: Term, constant: float) -> Term:
    factor = product(1.0 if term.factor is None else term.factor, constant)
    if term.factor_name is None or constant == 1.0:
        return replace(term, factor=factor)
    before = f"({term.factor_formula})" if term.factor_formula else term.factor_name
    by = f"0 - {before}" if constant == -1.0 else f"{_constant(constant)} * {before}"
    return replace(term, factor=factor, factor_formula=by)


def _constant(value: float) -> str:
    return unparse(Number(value)) if value >= 0 else f"(0 - {unparse(Number(-value))})"


def _multiplied(left: _Made, right: _Made, left_node: Node, right_node: Node) -> _Made:
    """left × right: a product of one number and a factor, a scaled sum, or no sum at all."""
    if not right.leaves:
        return _scaled(left, right.value)
    if not left.leaves:
        return _scaled(right, left.value)
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
            return _Made(value, leaves, (term,))
    for one, other in ((left, right), (right, left)):
        if one.plain and other.products and all(term.factor_name is None for term in other.products):
            return _Made(value, leaves, tuple(_times(term, one.leaves[0]) for term in other.products))
    return _Made(value, leaves, None)


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


def _greatest(values: Sequence[_Made]) -> _Made:
    """The greatest of `values`: a sum in which it has the factor 1 and every other one the factor 0."""
    best = max(range(len(values)), key=lambda i: values[i].value)
    chosen = [_scaled(x, 1.0 if i == best else 0.0) for i, x in enumerate(values)]
    return replace(_added(chosen), value=values[best].value)


def _place_of_greatest(values: Sequence[_Made]) -> _Made:
    """The number of the greatest of `values`, the first of equals."""
    best = max(range(len(values)), key=lambda i: values[i].value)
    return _Made(float(best), tuple(leaf for x in values for leaf in x.leaves), None)


def _log_sum(values: Sequence[_Made]) -> _Made:
    """log Σ exp of `values`, −∞ where all are."""
    leaves = tuple(leaf for x in values for leaf in x.leaves)
    top = max(x.value for x in values)
    if math.isinf(top):
        return _Made(top, leaves, None)
    return _Made(top + math.log(total(_exp(x.value - top) for x in values)), leaves, None)


# ------------------------------------------------------------------------------------------------ explaining


def explain(trace: Trace, name: str, index: Position) -> Derivation:
    """How the element of `name` at `index` (batch included; negative counts from the end) was made.

    An input or a parameter was not made: no formula, no terms, and the total is the value. Raises UserError
    for an unknown name, an index outside its shape, or a trace that left out what it was made of.
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
    _check_complete(trace, name, node)
    made = Evaluator(trace).made(node, index)
    terms = made.products
    if terms is None:
        terms = tuple(dict.fromkeys(replace(leaf, factor=None) for leaf in made.leaves))
    sums = made.products is not None
    return Derivation(name, index, value, made.value, formula, notation(node, trace), terms, sums)


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


# -------------------------------------------------------------------------------------------------- notation

_NOTATION = {
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
    "edit": "{0} · {1} + {2}",
    "gelu": "{0} · Φ({0})",
    "gelu_tanh": "{0} · ½(1 + tanh(√(2/π)({0} + 0.044715 {0}³)))",
    "relu": "max(0, {0})",
    "best_in": "maxᵢ({0}ₜ₋₁ᵢ + {1}ᵢⱼ)",
    "best_tag": "argmaxᵢ({0}ₜ₋₁ᵢ + {1}ᵢⱼ)",
    "sum_in": "log Σᵢ exp({0}ₜ₋₁ᵢ + {1}ᵢⱼ)",
    "sum_out": "log Σⱼ exp({1}ᵢⱼ + {0}ₜ₊₁ⱼ)",
    "follow": "{1}ₜ₊₁[{0}ₜ₊₁], at the end argmaxⱼ {2}ⱼ",
}
# Functions whose first argument stands between brackets or commas already, where the pattern puts it.
_ENCLOSED: tuple[str, ...] = ("sigmoid", "square", "sqrt", "heads", "relu", "join", "column")
# Functions that are written as a sum, a product or a choice.
_LOOSE = ("linear", "conv", "dot", "mix", "mean", "mean_pos", "mask", "edit", "softmax", "gelu", "gelu_tanh")


def notation(node: Node, trace: Trace | None = None) -> str:
    """The formula as the field writes it; with `trace`, a module that has no bias is written without one."""
    if isinstance(node, Number | Name):
        return unparse(node)
    if isinstance(node, Binary):
        return _binary_notation(node, trace)
    if node.function in ("linear", "conv"):
        return _affine_notation(node, trace)
    if node.function == "concat":
        return f"[{' ; '.join(notation(a, trace) for a in node.arguments)}]"
    pattern = _NOTATION.get(node.function)
    if pattern is None:
        return f"{node.function}({', '.join(notation(a, trace) for a in node.arguments)})"
    write = notation if node.function in _ENCLOSED else _grouped
    return pattern.format(*(write(argument, trace) for argument in node.arguments))


def _binary_notation(node: Binary, trace: Trace | None) -> str:
    right = _grouped(node.right, trace) if isinstance(node.right, Binary) else notation(node.right, trace)
    if node.operator == "-" and node.left == Number(0.0):
        return f"−{right}"
    if node.operator in "+-":
        right = notation(node.right, trace) if node.operator == "+" else right
        return f"{notation(node.left, trace)} {'+' if node.operator == '+' else '−'} {right}"
    products = isinstance(node.left, Binary) and node.left.operator in "*/"
    left = notation(node.left, trace) if products else _grouped(node.left, trace)
    return f"{left} {'⊙' if node.operator == '*' else '/'} {_grouped(node.right, trace)}"


def _affine_notation(node: Call, trace: Trace | None) -> str:
    """x Wᵀ + b, or a convolution, with the bias where there is one."""
    x = _grouped(node.arguments[0], trace)
    weight, bias = unparse(node.arguments[1]), unparse(node.arguments[2]) if len(node.arguments) > 2 else ""
    if trace is not None:
        found, with_it = Evaluator(trace).weight(node.arguments[1])
        weight, bias = unparse(found), bias or (unparse(with_it) if with_it else "")
    pattern = "Σⱼ {0}ⱼ · {1}ᵢⱼ" if node.function == "linear" else "Σₖ Σ_d {0} · {1}ₖ"
    return pattern.format(x, weight) + (f" + {bias}ᵢ" if bias else "")


def _grouped(node: Node, trace: Trace | None = None) -> str:
    """The notation of a node within a product or under a mark, in brackets where it needs them."""
    text = notation(node, trace)
    loose = isinstance(node, Binary) or (isinstance(node, Call) and node.function in _LOOSE)
    return f"({text})" if loose else text

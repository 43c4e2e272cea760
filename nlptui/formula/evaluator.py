"""Evaluates single elements of formulas in float64, and keeps what they were made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nlptui.formula.syntax import Binary, Call, Name, Node, Number, unparse
from nlptui.formula.terms import (
    ELEMENTWISE,
    NOTHING,
    Made,
    Position,
    Term,
    added,
    averaged,
    greatest,
    log_sum,
    multiplied,
    place_of_greatest,
    quotient,
    scaled,
)  # fmt: skip
from nlptui.trace import Trace


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

    def leaf(self, name: Name, index: Position) -> Made:
        """One element of an activation, input or parameter; `index` is broadcast from the right."""
        array = self.array(name.name)
        place = index[len(index) - array.ndim :]
        if 1 in array.shape:
            place = tuple(0 if size == 1 else i for i, size in zip(place, array.shape, strict=True))
        if name.rows is not None:
            place = (place[0] + name.rows[0], *place[1:])
        value = float(array[place])
        terms = (Term(name.name, place, value, 1.0, kind=self._kinds[name.name]),)
        return Made(value, terms, terms)

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
                return (*first[:-2], first[-1] // width, first[-2], width)
            case "join":
                return (first[0], first[2], first[1] * first[3])
            case "concat":
                return (*first[:-1], sum(self.shape(a)[-1] for a in node.arguments))
            case "sum" | "argmax" | "pick":
                return first[:-1]
            case "sum_all":
                return first[:-2]
            case "mean_head":
                return (first[0], *first[2:])
            case "first" | "mean_pos" | "max_pos":
                return (first[0], *first[2:])
            case "max_char":
                return (*first[:2], *first[3:])
            case "mean" | "row_max" | "row_sum":
                return (*first[:-1], 1)
            case "at":
                return (*first[:-2], first[-1])
            case "row":
                return (*first[:-2], 1, first[-1])
            case "swap":
                return (*first[:-2], first[-1], first[-2])
            case "column":
                return first[:-1]
        return first

    # -- any node

    def made(self, node: Node, index: Position) -> Made:
        """The element of `node` at `index`, and what it was made of."""
        if isinstance(node, Name):
            return self.leaf(node, index)
        if isinstance(node, Number):
            return Made(node.value, (), () if node.value == 0.0 else None)
        if isinstance(node, Binary):
            return self._binary(node, index)
        if node.function in ELEMENTWISE:
            inner = self.made(node.arguments[0], index)
            return Made(ELEMENTWISE[node.function](inner.value), inner.leaves, None)
        method = getattr(self, f"_fn_{node.function}", None)
        if method is None:
            raise ValueError(f"unknown function {node.function!r} in a formula")
        found: Made = method(node.arguments, index)
        return found

    def _binary(self, node: Binary, index: Position) -> Made:
        left, right = self.made(node.left, index), self.made(node.right, index)
        if node.operator == "*":
            return multiplied(left, right, node.left, node.right)
        if node.operator == "/":
            if right.leaves or right.value == 0.0:
                return Made(quotient(left.value, right.value), left.leaves + right.leaves, None)
            return replace(scaled(left, 1.0 / right.value), value=left.value / right.value)
        return added([left, right if node.operator == "+" else scaled(right, -1.0)])

    # -- sums of products

    def _row(self, node: Node, index: Position) -> list[Made]:
        """The elements of `node` along its last axis."""
        return [self.made(node, (*index[:-1], j)) for j in range(self.shape(node)[-1])]

    def _fn_linear(self, args: tuple[Node, ...], index: Position) -> Made:
        weight, bias = self.weight(args[1])
        if len(args) == 3:
            bias, _none = self.weight(args[2])
        row = self._row(args[0], index)
        i = index[-1]
        parts = [multiplied(x, self.leaf(weight, (i, j)), args[0], weight) for j, x in enumerate(row)]
        return added(parts if bias is None else [*parts, self.leaf(bias, (i,))])

    def _fn_dot(self, args: tuple[Node, ...], index: Position) -> Made:
        *lead, i, j = index
        left, right = self._row(args[0], (*lead, i, 0)), self._row(args[1], (*lead, j, 0))
        return added([multiplied(a, b, *args) for a, b in zip(left, right, strict=True)])

    def _fn_mix(self, args: tuple[Node, ...], index: Position) -> Made:
        *lead, i, d = index
        weights = self._row(args[0], (*lead, i, 0))
        values = [self.made(args[1], (*lead, j, d)) for j in range(len(weights))]
        return added([multiplied(v, w, args[1], args[0]) for v, w in zip(values, weights, strict=True)])

    def _fn_conv(self, args: tuple[Node, ...], index: Position) -> Made:
        weight, bias = self.weight(args[1])
        _out, width, kernel = self.array(weight.name).shape
        *lead, c, out = index
        parts = []
        for k in range(kernel):
            place = c + k - kernel // 2
            if 0 <= place < self.shape(args[0])[-2]:
                for d in range(width):
                    x = self.made(args[0], (*lead, place, d))
                    parts.append(multiplied(x, self.leaf(weight, (out, d, k)), args[0], weight))
        return added(parts if bias is None else [*parts, self.leaf(bias, (out,))])

    def _fn_mean(self, args: tuple[Node, ...], index: Position) -> Made:
        return averaged(self._row(args[0], index))

    def _fn_row_sum(self, args: tuple[Node, ...], index: Position) -> Made:
        return added(self._row(args[0], index))

    def _fn_row_max(self, args: tuple[Node, ...], index: Position) -> Made:
        found = greatest(self._row(args[0], index))
        # A row of nothing but −∞ has no largest number; 0 leaves all its exponentials 0.
        return found if found.value != -math.inf else Made(0.0, found.leaves, None)

    def _fn_sum(self, args: tuple[Node, ...], index: Position) -> Made:
        return added(self._row(args[0], (*index, 0)))

    def _fn_sum_all(self, args: tuple[Node, ...], index: Position) -> Made:
        rows = range(self.shape(args[0])[-2])
        return added([x for i in rows for x in self._row(args[0], (*index, i, 0))])

    def _fn_argmax(self, args: tuple[Node, ...], index: Position) -> Made:
        return place_of_greatest(self._row(args[0], (*index, 0)))

    def _fn_pick(self, args: tuple[Node, ...], index: Position) -> Made:
        place = self.made(args[1], index).value
        return self.made(args[0], (*index, int(place)))

    def _fn_mean_head(self, args: tuple[Node, ...], index: Position) -> Made:
        heads = range(self.shape(args[0])[1])
        return averaged([self.made(args[0], (index[0], h, *index[1:])) for h in heads])

    def _fn_mean_pos(self, args: tuple[Node, ...], index: Position) -> Made:
        return self._pooled(args, index[:1], index[1:], averaged)

    def _fn_max_pos(self, args: tuple[Node, ...], index: Position) -> Made:
        return self._pooled(args, index[:1], index[1:], greatest)

    def _fn_max_char(self, args: tuple[Node, ...], index: Position) -> Made:
        return self._pooled(args, index[:2], index[2:], greatest)

    def _pooled(
        self,
        args: tuple[Node, ...],
        lead: Position,
        rest: Position,
        pool: Callable[[Sequence[Made]], Made],
    ) -> Made:
        """`pool` of what lies between `lead` and `rest` where the second argument is not 0.

        Where it is 0 throughout, so is the value, and it is the second argument that can be opened.
        """
        places = range(self.shape(args[0])[len(lead)])
        if len(args) == 1:
            return pool([self.made(args[0], (*lead, p, *rest)) for p in places])
        allowed = [self.made(args[1], (*lead, p)) for p in places]
        kept = [self.made(args[0], (*lead, p, *rest)) for p in places if allowed[p].value]
        return pool(kept) if kept else Made(0.0, tuple(leaf for x in allowed for leaf in x.leaves), None)

    # -- the rest

    def _fn_softmax(self, args: tuple[Node, ...], index: Position) -> Made:
        row = self._row(args[0], index)
        leaves = tuple(leaf for x in row for leaf in x.leaves)
        values = np.array([x.value for x in row])
        top = values.max()
        if top == -np.inf:
            return Made(0.0, leaves, None)
        with np.errstate(invalid="ignore"):
            exps = np.exp(values - top)
        return Made(float(exps[index[-1]] / exps.sum()), leaves, None)

    def _fn_mask(self, args: tuple[Node, ...], index: Position) -> Made:
        x, allowed = self.made(args[0], index), self.made(args[1], index)
        return Made(x.value if allowed.value else -math.inf, x.leaves + allowed.leaves, None)

    def _fn_edit(self, args: tuple[Node, ...], index: Position) -> Made:
        x, factor, constant = (self.made(arg, index) for arg in args)
        if math.isinf(x.value) and factor.value:
            return Made(x.value + constant.value, x.leaves + factor.leaves + constant.leaves, None)
        return added([multiplied(x, factor, args[0], args[1]), constant]) if factor.value else constant

    # -- along a lattice

    def _incoming(self, args: tuple[Node, ...], index: Position) -> list[Made]:
        """x[t−1, i] + a[i, j] for every tag i."""
        *lead, t, j = index
        tags = range(self.shape(args[0])[-1])
        return [
            added([self.made(args[0], (*lead, t - 1, i)), self.made(args[1], (*lead, i, j))]) for i in tags
        ]

    def _fn_best_in(self, args: tuple[Node, ...], index: Position) -> Made:
        if index[-2] == 0:
            return self.made(args[2], (*index[:-2], index[-1]))
        ways = self._incoming(args, index)
        best = max(ways, key=lambda way: way.value)
        # What the value is made of stands before all that was less.
        return greatest([best, *(way for way in ways if way is not best)])

    def _fn_best_tag(self, args: tuple[Node, ...], index: Position) -> Made:
        if index[-2] == 0:
            return Made(-1.0, (), None)
        return place_of_greatest(self._incoming(args, index))

    def _fn_sum_in(self, args: tuple[Node, ...], index: Position) -> Made:
        if index[-2] == 0:
            return self.made(args[2], (*index[:-2], index[-1]))
        return log_sum(self._incoming(args, index))

    def _fn_sum_out(self, args: tuple[Node, ...], index: Position) -> Made:
        *lead, t, i = index
        if not self._inside(args[0], args[3:], (*lead, t + 1)):
            return self.made(args[2], (*lead, i))
        tags = range(self.shape(args[0])[-1])
        return log_sum(
            [added([self.made(args[1], (*lead, i, j)), self.made(args[0], (*lead, t + 1, j))]) for j in tags]
        )

    def _fn_follow(self, args: tuple[Node, ...], index: Position) -> Made:
        path, pointers, final, *mask = args
        *lead, t = index
        if not self._inside(pointers, mask, index):
            return Made(-1.0, (), None)
        tags = self.shape(pointers)[-1]
        if not self._inside(pointers, mask, (*lead, t + 1)):
            return place_of_greatest([self.made(final, (*index, j)) for j in range(tags)])
        after = self.made(path, (*lead, t + 1))
        number = 0.0 if math.isnan(after.value) else min(max(after.value, 0.0), tags - 1.0)
        pointed = self.made(pointers, (*lead, t + 1, round(number)))
        return Made(pointed.value, after.leaves + pointed.leaves, None)

    def _inside(self, node: Node, mask: Sequence[Node], place: Position) -> bool:
        """Whether `place` is a position of `node`, and one where the mask, if there is one, is true."""
        if place[-1] >= self.shape(node)[len(place) - 1]:
            return False
        return not mask or bool(self.made(mask[0], place).value)

    # -- functions that only move elements

    def _fn_embedding(self, args: tuple[Node, ...], index: Position) -> Made:
        weight, _bias = self.weight(args[1])
        row = int(self.made(args[0], index[:-1]).value)
        return self.leaf(weight, (row, index[-1]))

    def _fn_heads(self, args: tuple[Node, ...], index: Position) -> Made:
        *lead, h, p, d = index
        return self.made(args[0], (*lead, p, h * _whole(args[1]) + d))

    def _fn_join(self, args: tuple[Node, ...], index: Position) -> Made:
        b, p, c = index
        d_head = self.shape(args[0])[-1]
        return self.made(args[0], (b, c // d_head, p, c % d_head))

    def _fn_concat(self, args: tuple[Node, ...], index: Position) -> Made:
        i = index[-1]
        for arg in args:
            width = self.shape(arg)[-1]
            if i < width:
                return self.made(arg, (*index[:-1], i))
            i -= width
        raise ValueError(f"index {index} lies outside a concat")

    def _fn_first(self, args: tuple[Node, ...], index: Position) -> Made:
        return self.made(args[0], (index[0], 0, *index[1:]))

    def _fn_swap(self, args: tuple[Node, ...], index: Position) -> Made:
        return self.made(args[0], (*index[:-2], index[-1], index[-2]))

    def _fn_at(self, args: tuple[Node, ...], index: Position) -> Made:
        return self.made(args[0], (*index[:-1], _whole(args[1]), index[-1]))

    def _fn_row(self, args: tuple[Node, ...], index: Position) -> Made:
        return self.made(args[0], (*index[:-2], _whole(args[1]), index[-1]))

    def _fn_column(self, args: tuple[Node, ...], index: Position) -> Made:
        return self.made(args[0], (*index, _whole(args[1])))

    def _fn_prev(self, args: tuple[Node, ...], index: Position) -> Made:
        """The step before, in the direction in which the activation was made; 0 at the start."""
        name = args[0]
        if not isinstance(name, Name):
            raise ValueError(f"prev needs a name, not {unparse(name)}")
        before = index[1] - self.trace[name.name].step
        if not 0 <= before < self.shape(name)[1]:
            return NOTHING
        return self.made(name, (index[0], before, *index[2:]))


def _whole(node: Node) -> int:
    if not isinstance(node, Number) or not node.value.is_integer():
        raise ValueError(f"a whole number is needed, not {unparse(node)}")
    return int(node.value)

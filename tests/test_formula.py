"""The formula language: parser, notation, every function against torch, and random formulas against torch."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlptui.errors import UserError
from nlptui.formula import ELEMENTWISE as ELEMENTWISE_FUNCTIONS
from nlptui.formula import (
    Binary,
    Call,
    Evaluator,
    Name,
    Node,
    Number,
    explain,
    names_in,
    notation,
    parse,
    product,
    quotient,
    total,
    unparse,
)
from nlptui.trace import Activation, Recorder, Trace

B, P, D = 2, 3, 4


def tensors() -> dict[str, Tensor]:
    """Named values: whole (B P D), of smaller shapes that broadcast, and what functions want beside them."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return {
        "a": normal(B, P, D),
        "b.0": normal(B, P, D),
        "row": normal(D),
        "stat": normal(B, P, 1),
        "column": normal(P, 1),
        "one": normal(1),
        "scalar": normal(),
        "w": normal(D, D),
        "m.weight": normal(D, D),
        "m.bias": normal(D),
        "stacked": normal(3 * D, D),
        "stacked_bias": normal(3 * D),
        "k.weight": normal(D, D, 3),
        "k.bias": normal(D),
        "table": normal(5, D),
        "ids": torch.tensor([[0, 4, 2], [3, 3, 1]]),
        "allowed": torch.tensor([[True, False, True], [True, True, True]]),
        "allowed_cells": torch.rand(B, P, D, generator=generator) < 0.6,
        "some_pos": torch.tensor([[True, False, True], [True, False, False]]),
    }


VALUES = tensors()


def trace_of(values: dict[str, Tensor], formula: str = "", step: int = 1) -> Trace:
    """A trace in which `values` are inputs, and "result" is made by `formula`, a being made with `step`."""
    inputs = {
        name: Activation(name, value, tuple("xyzw"[: value.ndim]), step=step, kind="input")
        for name, value in values.items()
    }
    return Trace({}, inputs=inputs)


TRACE = trace_of(VALUES)


# -- the parser


def test_precedence_and_brackets() -> None:
    a, b, c = Name("a"), Name("b"), Name("c")
    assert parse("a + b * c") == Binary("+", a, Binary("*", b, c))
    assert parse("(a + b) * c") == Binary("*", Binary("+", a, b), c)
    assert parse("a - b - c") == Binary("-", Binary("-", a, b), c)
    assert parse("a / b * c") == Binary("*", Binary("/", a, b), c)
    assert parse("-a * b") == Binary("*", Binary("-", Number(0.0), a), b)
    assert parse(" f( a,b+1 ) ") == Call("f", (a, Binary("+", b, Number(1.0))))


def test_names_numbers_and_rows() -> None:
    assert parse("blocks.0.attn.wq") == Name("blocks.0.attn.wq")
    assert parse("weight_ih_l0[4:12]") == Name("weight_ih_l0", (4, 12))
    assert [parse(text) for text in ("2", "0.5", "1e-12", "3.25e+2")] == [
        Number(2.0),
        Number(0.5),
        Number(1e-12),
        Number(325.0),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the end"),
        ("a +", "the end"),
        ("a b", "'b'"),
        ("(a", "')' expected"),
        ("f(a", "')' expected"),
        ("f()", "')'"),
        ("f(a,)", "')'"),
        ("a[1]", "':' expected"),
        ("a[x:2]", "number of a row"),
        ("a[1.5:2]", "number of a row"),
        ("a[1:2", "']' expected"),
        ("a $ b", "'$'"),
        ("* a", "'*'"),
        ("3 4", "'4'"),
    ],
)
def test_errors_show_the_formula_and_the_place(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert repr(text) in str(caught.value) and said in str(caught.value)


def test_names_in_a_formula() -> None:
    node = parse("linear(x, w[0:2], b) + x * sqrt(2) - gate.pre")
    assert names_in(node) == ("x", "w", "b", "gate.pre")


# -- random formulas

LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.sampled_from(["a", "b.0", "row", "stat", "column", "one", "scalar"]).map(Name),
    st.sampled_from([0.0, 1.0, 2.0, 0.25, 1e-5, 123.5]).map(Number),
)
WHOLE = Name("a")
ELEMENTWISE = ("tanh", "sigmoid", "relu", "gelu", "gelu_tanh", "square")


def whole(node: Node) -> Node:
    """A formula of the shape (B P D), whatever smaller shape `node` has."""
    return Binary("+", node, WHOLE)


def larger(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Formulas around formulas; the value is (B P D) or broadcasts to it."""
    matrices = st.sampled_from([Name("w"), Name("m"), Name("stacked", (4, 8))])
    return st.one_of(
        st.builds(Binary, st.sampled_from("+-*/"), inner, inner),
        st.builds(lambda f, x: Call(f, (x,)), st.sampled_from(ELEMENTWISE), inner),
        st.builds(lambda x, w: Call("linear", (whole(x), w)), inner, matrices),
        st.builds(
            lambda x: Call("linear", (whole(x), Name("stacked", (8, 12)), Name("stacked_bias", (0, 4)))),
            inner,
        ),
        st.builds(lambda x: Call("softmax", (whole(x),)), inner),
        st.builds(lambda x: Call("mean", (whole(x),)), inner),
        st.builds(lambda x: Call("conv", (whole(x), Name("k"))), inner),
        st.builds(lambda x, y, z: mixed(whole(x), whole(y), whole(z)), inner, inner, inner),
        st.builds(lambda x, f, c: Call("edit", (whole(x), whole(f), whole(c))), inner, inner, inner),
        st.builds(lambda x: Call("swap", (Call("swap", (whole(x),)),)), inner),
        st.builds(lambda x: Call("join", (Call("heads", (whole(x), Number(2.0))),)), inner),
        st.builds(lambda x: Call("softmax", (Call("mask", (whole(x), Name("allowed_cells"))),)), inner),
        st.sampled_from([Call("prev", (Name("a"),)), Call("embedding", (Name("ids"), Name("table")))]),
    )


def mixed(x: Node, y: Node, z: Node) -> Node:
    return Call("mix", (Call("softmax", (Call("dot", (x, y)),)), z))


def in_torch(node: Node, values: dict[str, Tensor]) -> Tensor:
    """The whole value of a formula, computed by torch."""
    if isinstance(node, Number):
        return torch.tensor(node.value, dtype=torch.float64)
    if isinstance(node, Name):
        value = values[node.name]
        return value if node.rows is None else value[node.rows[0] : node.rows[1]]
    if isinstance(node, Binary):
        left, right = in_torch(node.left, values), in_torch(node.right, values)
        if node.operator == "*":
            return (left * right).masked_fill((left == 0) | (right == 0), 0.0)
        return {"+": torch.add, "-": torch.sub, "/": torch.div}[node.operator](left, right)
    return call_in_torch(node, values)


def call_in_torch(node: Call, values: dict[str, Tensor]) -> Tensor:
    def module(at: int) -> tuple[Tensor, Tensor | None]:
        named = node.arguments[at]
        assert isinstance(named, Name)
        if named.name in values:
            return in_torch(named, values), None
        return values[f"{named.name}.weight"], values.get(f"{named.name}.bias")

    def argument(at: int) -> Tensor:
        return in_torch(node.arguments[at], values)

    def number(at: int) -> int:
        named = node.arguments[at]
        assert isinstance(named, Number)
        return int(named.value)

    functions: dict[str, Any] = {
        "tanh": lambda: argument(0).tanh(),
        "sigmoid": lambda: argument(0).sigmoid(),
        "relu": lambda: F.relu(argument(0)),
        "gelu": lambda: F.gelu(argument(0)),
        "gelu_tanh": lambda: F.gelu(argument(0), approximate="tanh"),
        "square": lambda: argument(0).square(),
        "sqrt": lambda: argument(0).sqrt(),
        "exp": lambda: argument(0).exp(),
        "linear": lambda: F.linear(
            argument(0), *(module(1) if len(node.arguments) == 2 else (argument(1), argument(2)))
        ),
        "conv": lambda: F.conv1d(argument(0).mT, *module(1), padding="same").mT,
        "log": lambda: argument(0).log(),
        "sum": lambda: argument(0).sum(-1),
        "sum_all": lambda: argument(0).sum((-2, -1)),
        "argmax": lambda: argument(0).argmax(-1).double(),
        "pick": lambda: argument(0).gather(-1, argument(1).long()[..., None])[..., 0],
        "mean_head": lambda: argument(0).mean(1),
        "softmax": lambda: argument(0).softmax(-1).nan_to_num(0.0),
        "mean": lambda: argument(0).mean(-1, keepdim=True),
        "dot": lambda: argument(0) @ argument(1).mT,
        "mix": lambda: argument(0) @ argument(1),
        "mask": lambda: argument(0).masked_fill(~argument(1), -torch.inf),
        "edit": lambda: (argument(0) * argument(1)).masked_fill(argument(1) == 0, 0.0) + argument(2),
        "swap": lambda: argument(0).mT,
        "heads": lambda: argument(0).unflatten(-1, (-1, number(1))).transpose(1, 2),
        "join": lambda: argument(0).transpose(1, 2).flatten(2),
        "prev": lambda: F.pad(argument(0), (0, 0, 1, 0))[:, :-1],
        "embedding": lambda: F.embedding(argument(0), module(1)[0]),
        "concat": lambda: torch.cat([argument(i) for i in range(len(node.arguments))], -1),
        "first": lambda: argument(0)[:, 0],
        "column": lambda: argument(0)[..., number(1)],
        "mean_pos": lambda: (argument(0) * argument(1)[..., None]).sum(1) / argument(1).sum(1, keepdim=True),
        "max_pos": lambda: argument(0).masked_fill(~argument(1)[..., None], -torch.inf).amax(1),
    }
    found: Tensor = functions[node.function]()
    return found


def compare(node: Node, values: dict[str, Tensor], trace: Trace, cells: int | None = None) -> None:
    """The shape, and of every element (or some) the value, its sum of products, and its terms."""
    tolerance = 1e-9
    expected = in_torch(node, values)
    evaluator = Evaluator(trace)
    assert evaluator.shape(node) == tuple(expected.shape)
    indices = list(itertools.product(*map(range, expected.shape)))
    for index in indices if cells is None else random.Random(0).sample(indices, min(cells, len(indices))):
        made, value = evaluator.made(node, index), expected[index].item()
        assert close(made.value, value, tolerance), (unparse(node), index)
        for leaf in made.leaves:
            assert leaf.value == trace.array(leaf.name)[leaf.index]
        if made.products is not None:
            assert close(math.fsum(t.contribution for t in made.products), value, tolerance), (
                unparse(node),
                index,
            )
            for term in made.products:
                assert term.value == trace.array(term.name)[term.index]
                check_factor(term, trace)


def check_factor(term: Any, trace: Trace) -> None:
    """A factor that opens is the number there, or what its formula makes of that number."""
    if term.factor_name is None:
        assert not term.factor_formula
        return
    opened = Evaluator(trace).made(Name(term.factor_name), term.factor_index)
    assert len(opened.leaves) == 1
    if not term.factor_formula:
        assert term.factor == opened.value
        return
    node = parse(term.factor_formula)
    assert names_in(node) == (term.factor_name,)
    if not moves(node):
        assert close(Evaluator(trace).made(node, term.factor_index).value, term.factor, 1e-12)


def moves(node: Node) -> bool:
    """Whether a formula reads a name at another place than its own."""
    if isinstance(node, Call):
        return node.function not in ELEMENTWISE_FUNCTIONS or any(map(moves, node.arguments))
    return isinstance(node, Binary) and (moves(node.left) or moves(node.right))


def close(a: float, b: float, tolerance: float) -> bool:
    if math.isnan(b) or math.isinf(b):
        return a == b or (math.isnan(a) and math.isnan(b))
    return abs(a - b) <= tolerance * max(1.0, abs(b))


def tame(node: Node) -> bool:
    """Whether no part of a formula is so large that rounding decides."""
    parts: tuple[Node, ...] = ()
    if isinstance(node, Call):
        parts = tuple(arg for arg in node.arguments if not isinstance(arg, Name))
    elif isinstance(node, Binary):
        parts = (node.left, node.right)
    if not all(map(tame, parts)):
        return False
    value = in_torch(node, VALUES)
    return bool((value.abs() < 1e6).all())


@settings(max_examples=80)
@given(st.recursive(LEAVES, larger, max_leaves=7))
def test_random_formulas(node: Node) -> None:
    """The evaluator, the parser and the writer agree with torch on whatever the grammar can say."""
    assert parse(unparse(node)) == node
    assert notation(node, TRACE)
    assume(tame(node))
    compare(node, VALUES, TRACE, cells=5)


FORMULAS = [
    "exp(a) / (1 + exp(a))",
    "sqrt(square(a - mean(a)) + 1e-5)",
    "(a - mean(a)) / sqrt(mean(square(a - mean(a))) + 1e-5) * row + row",
    "linear(a, m)",
    "linear(tanh(a), m)",
    "linear(a * 2, w)",
    "linear(a + b.0, w)",
    "linear(concat(a, b.0), wide)",
    "linear(first(a), m)",
    "column(linear(a, thin), 0)",
    "mix(softmax(dot(a, b.0)), b.0)",
    "sum(a * b.0)",
    "sum_all(softmax(dot(a, b.0)) * log(softmax(dot(a, b.0))))",
    "argmax(a)",
    "pick(exp(a), argmax(b.0))",
    "log(square(a) + 1)",
    "mean_head(heads(a, 2))",
    "mix(softmax(mask(dot(a, b.0), looks)), a)",
    "dot(tanh(a), b.0 * 2) / sqrt(4)",
    "heads(linear(a, m), 2)",
    "linear(join(heads(a, 2)), m)",
    "swap(linear(a, thin))",
    "embedding(ids, table) * sqrt(4)",
    "conv(a, k)",
    "conv(a * a, k)",
    "mean_pos(a, some_pos)",
    "mean_pos(a * 2 + row, some_pos)",
    "max_pos(a, some_pos)",
    "max_pos(a * -2, some_pos)",
    "(1 - a) * b.0 + a * prev(b.0)",
    "(a + b.0) * stat",
    "(a * 2 + b.0) * stat",
    "(a * b.0 + row) * stat",
    "(a * b.0) * 3",
    "3 * (a * b.0) - (2 - a) * b.0",
    "a * a",
    "a / b.0",
    "a / 4",
    "a / (2 * 3)",
    "-a * -b.0",
    "0 * a + b.0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas(text: str) -> None:
    generator = torch.Generator().manual_seed(5)
    values = VALUES | {
        "wide": torch.randn(3, 2 * D, generator=generator, dtype=torch.float64),
        "thin.weight": torch.randn(1, D, generator=generator, dtype=torch.float64),
        "thin.bias": torch.randn(1, generator=generator, dtype=torch.float64),
        "looks": torch.ones(P, P, dtype=torch.bool).tril(-1),
    }
    node = parse(text)
    assert parse(unparse(node)) == node
    compare(node, values, trace_of(values))


def test_which_formulas_are_sums() -> None:
    sums = {
        "linear(a, m)": True,
        "linear(tanh(a), m)": True,
        "linear(a * b.0, m)": False,
        "a * b.0": True,
        "a + 1": False,
        "a * 2 - row": True,
        "(1 - a) * b.0 + a * prev(b.0)": True,
        "(a + b.0) * stat": True,
        "(a * b.0 + row) * stat": False,
        "a / b.0": False,
        "tanh(a)": False,
        "max_pos(a, some_pos)": True,
        "mean(a)": True,
    }
    for text, expected in sums.items():
        node = parse(text)
        index = tuple(min(1, size - 1) for size in Evaluator(TRACE).shape(node))
        assert (Evaluator(TRACE).made(node, index).products is not None) is expected, text


# -- what terms say


def opened(text: str, index: tuple[int, ...], values: dict[str, Tensor] | None = None) -> Any:
    """The derivation of "result", made by `text` of `values`."""
    recorder = Recorder()
    for name, value in (values or VALUES).items():
        recorder.input(name, value, " ".join("xyzw"[: value.ndim]))
    whole = in_torch(parse(text), values or VALUES)
    recorder("result", whole, " ".join("xyzw"[: whole.ndim]), by=text)
    return explain(Trace(recorder.activations, recorder.inputs), "result", index)


def test_a_product_opens_both_numbers() -> None:
    (term,) = opened("a * b.0", (1, 2, 3)).terms
    assert (term.name, term.index, term.factor_name, term.factor_index) == ("a", (1, 2, 3), "b.0", (1, 2, 3))
    assert term.factor == VALUES["b.0"][1, 2, 3] and term.factor_formula == ""
    assert term.contribution == term.value * term.factor


def test_a_factor_says_how_it_was_made_of_what_it_opens_to() -> None:
    found = opened("(1 - a) * b.0 + a * prev(b.0)", (0, 1, 2))
    written, kept = found.terms
    assert (written.name, written.factor_name, written.factor_formula) == ("b.0", "a", "1 - a")
    assert written.factor == 1 - VALUES["a"][0, 1, 2].item()
    assert (kept.name, kept.factor_name, kept.factor_index) == ("a", "b.0", (0, 0, 2))
    assert kept.factor_formula == ""
    (half,) = opened("a * b.0 / 2", (0, 1, 2)).terms
    assert half.factor_formula == "0.5 * b.0" and half.factor == VALUES["b.0"][0, 1, 2].item() / 2


def test_before_the_first_position_there_is_nothing() -> None:
    written, kept = opened("(1 - a) * b.0 + a * prev(b.0)", (0, 0, 2)).terms
    assert kept.name == "a" and kept.factor == 0.0 and kept.factor_name is None


def test_prev_follows_the_direction_of_time() -> None:
    trace = trace_of({"a": VALUES["a"]}, step=-1)
    node = parse("prev(a)")
    assert Evaluator(trace).made(node, (0, 0, 2)).value == VALUES["a"][0, 1, 2]
    assert Evaluator(trace).made(node, (0, P - 1, 2)).value == 0.0


def test_other_formulas_list_each_number_once_and_without_factors() -> None:
    found = opened("sqrt(mean(square(a - stat)) + 1e-5)", (0, 1, 0))
    assert not found.sums
    assert [(term.name, term.index) for term in found.terms] == [
        ("a", (0, 1, 0)),
        ("stat", (0, 1, 0)),
        ("a", (0, 1, 1)),
        ("a", (0, 1, 2)),
        ("a", (0, 1, 3)),
    ]
    assert all(term.factor is None and term.factor_name is None for term in found.terms)
    assert all(term.contribution == term.value for term in found.terms)


def test_nothing_gets_lost_where_a_sum_becomes_something_else() -> None:
    terms = opened("tanh(a * b.0 + row * 2)", (0, 1, 0)).terms
    assert {term.name for term in terms} == {"a", "b.0", "row"}


def test_the_greatest_has_the_factor_one() -> None:
    found = opened("max_pos(a, some_pos)", (0, 1))
    assert [term.index[1] for term in found.terms] == [0, 2]
    assert sorted(term.factor for term in found.terms) == [0.0, 1.0]
    assert found.total == max(VALUES["a"][0, 0, 1], VALUES["a"][0, 2, 1])


@pytest.mark.parametrize("text", ["mean_pos(a, nowhere)", "max_pos(a, nowhere)", "max_char(chars, codes)"])
def test_a_pool_of_nothing_is_zero_and_opens_to_what_left_it_out(text: str) -> None:
    values = VALUES | {
        "nowhere": torch.zeros(B, P, dtype=torch.bool),
        "chars": torch.ones(B, P, 3, D, dtype=torch.float64),
        "codes": torch.zeros(B, P, 3, dtype=torch.int64),
    }
    trace = trace_of(values)
    node = parse(text)
    index = (0, 1, 2)[: len(Evaluator(trace).shape(node))]
    made = Evaluator(trace).made(node, index)
    assert made.value == 0.0 and made.products is None
    assert {leaf.name for leaf in made.leaves} == {"codes" if "char" in text else "nowhere"}
    assert len(made.leaves) == 3


def test_characters() -> None:
    values = {
        "chars": torch.randn(B, P, 3, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
        "codes": torch.tensor([[[1, 2, 0], [3, 0, 0], [1, 1, 1]], [[0, 2, 0], [3, 0, 1], [1, 0, 0]]]),
    }
    trace, node = trace_of(values), parse("max_char(chars, codes)")
    assert Evaluator(trace).shape(node) == (B, P, D)
    top = values["chars"].masked_fill((values["codes"] == 0)[..., None], -torch.inf).amax(2)
    for index in itertools.product(range(B), range(P), range(D)):
        assert Evaluator(trace).made(node, index).value == top[index]


# -- along a lattice

TAGS = 3


def lattice_values() -> dict[str, Tensor]:
    """Scores x (1 P TAGS) of a text whose last position is padding, and what leads from tag to tag."""
    generator = torch.Generator().manual_seed(2)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x, moves = normal(1, 4, TAGS), normal(1, TAGS, TAGS)
    moves[0, 0, 1] = -torch.inf
    pointers = torch.tensor([[[-1.0, -1, -1], [2, 0, 1], [1, 1, 0], [0, 2, 2]]], dtype=torch.float64)
    path = torch.tensor([[0.0, 1.6, 2.0, -1.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True, False]])
    return {
        "x": x, "moves": moves, "start": normal(1, TAGS), "end": normal(1, TAGS),
        "pointers": pointers, "path": path, "mask": mask,
    }  # fmt: skip


LATTICE = lattice_values()


def at(text: str, *index: int, **other: Tensor) -> float:
    return Evaluator(trace_of(LATTICE | other)).made(parse(text), index).value


def test_into_a_tag_from_the_tags_before() -> None:
    into = LATTICE["x"][:, :-1, :, None] + LATTICE["moves"][:, None]
    for t, j in itertools.product(range(1, 4), range(TAGS)):
        before = into[0, t - 1, :, j]
        assert at("best_in(x, moves, start)", 0, t, j) == before.max()
        assert at("best_tag(x, moves)", 0, t, j) == before.argmax()
        assert abs(at("sum_in(x, moves, start)", 0, t, j) - float(before.logsumexp(0))) <= 1e-12
    for j in range(TAGS):
        for function in ("best_in", "sum_in"):
            assert at(f"{function}(x, moves, start)", 0, 0, j) == LATTICE["start"][0, j]
        assert at("best_tag(x, moves)", 0, 0, j) == -1.0
    nothing = torch.full_like(LATTICE["x"], -torch.inf)
    assert at("sum_in(x, moves, start)", 0, 1, 0, x=nothing) == -math.inf
    assert at("best_tag(x, moves)", 0, 1, 1, x=nothing) == 0.0


def test_out_of_a_tag_to_the_tags_after() -> None:
    out = LATTICE["moves"][0] + LATTICE["x"][0, :, None]
    for t, i in itertools.product(range(4), range(TAGS)):
        whole = float(out[t + 1, i].logsumexp(0)) if t < 3 else float(LATTICE["end"][0, i])
        assert abs(at("sum_out(x, moves, end)", 0, t, i) - whole) <= 1e-12
        masked = whole if t < 2 else float(LATTICE["end"][0, i])
        assert abs(at("sum_out(x, moves, end, mask)", 0, t, i) - masked) <= 1e-12


def test_a_path_is_followed_back() -> None:
    text = "follow(path, pointers, x + end, mask)"
    assert at(text, 0, 2) == (LATTICE["x"][0, 2] + LATTICE["end"][0]).argmax()
    assert at(text, 0, 1) == LATTICE["pointers"][0, 2, 2] and at(text, 0, 3) == -1.0
    assert at(text, 0, 0) == LATTICE["pointers"][0, 1, 2], "1.6 is nearest to tag 2"
    unmasked = "follow(path, pointers, x + end)"
    assert at(unmasked, 0, 3) == (LATTICE["x"][0, 3] + LATTICE["end"][0]).argmax()
    assert at(unmasked, 0, 2) == LATTICE["pointers"][0, 3, 0], "there is no tag before the first"
    far = torch.tensor([[0.0, 99.0, math.nan, 0.0]], dtype=torch.float64)
    assert at(unmasked, 0, 0, path=far) == LATTICE["pointers"][0, 1, 2]
    assert at(unmasked, 0, 1, path=far) == LATTICE["pointers"][0, 2, 0]


def test_the_best_way_into_a_tag_has_the_factor_one() -> None:
    made = Evaluator(trace_of(LATTICE)).made(parse("x + best_in(x, moves, start)"), (0, 2, 2))
    assert made.products is not None
    own, *ways = made.products
    assert (own.name, own.index, own.factor) == ("x", (0, 2, 2), 1.0)
    best = int(at("best_tag(x, moves)", 0, 2, 2))
    factors = {(term.name, term.index): term.factor for term in ways}
    for tag in range(TAGS):
        expected = 1.0 if tag == best else 0.0
        assert factors[("x", (0, 1, tag))] == factors[("moves", (0, tag, 2))] == expected
    assert math.fsum(term.contribution for term in made.products) == pytest.approx(made.value, abs=1e-12)


def test_functions_of_a_lattice_have_the_shapes_of_their_values() -> None:
    evaluator = Evaluator(trace_of(LATTICE))
    for text in ("best_in(x, moves, start)", "best_tag(x, moves)", "sum_out(x, moves, end, mask)"):
        assert evaluator.shape(parse(text)) == (1, 4, TAGS)
    assert evaluator.shape(parse("follow(path, pointers, x + end)")) == (1, 4)
    assert notation(parse("best_in(x, moves, start)")) == "maxᵢ(xₜ₋₁ᵢ + movesᵢⱼ)"


# -- infinities and other trouble


def made_of(text: str, **values: float) -> float:
    """The value of a formula of single numbers."""
    tensor = {name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()}
    return Evaluator(trace_of(tensor)).made(parse(text), (0,)).value


def test_numbers_that_overflow() -> None:
    inf = math.inf
    assert made_of("a / b", a=1.0, b=0.0) == inf
    assert made_of("a / b", a=-1.0, b=0.0) == -inf
    assert math.isnan(made_of("a / b", a=0.0, b=0.0))
    assert made_of("a / 0", a=2.0) == inf
    assert made_of("exp(a)", a=1000.0) == inf
    assert math.isnan(made_of("sqrt(a)", a=-1.0))
    assert math.isnan(made_of("a - b", a=inf, b=inf))
    assert made_of("a * b", a=0.0, b=-inf) == 0.0
    assert made_of("sigmoid(a)", a=-1000.0) == 0.0
    assert made_of("gelu_tanh(a)", a=1e200) == 1e200
    assert math.isnan(made_of("softmax(a)", a=inf))
    assert made_of("softmax(a)", a=-inf) == 0.0
    assert math.isnan(total([inf, -inf])) and total([1e308, 1e308]) == inf
    assert quotient(-3.0, -0.0) == inf and product(-0.0, inf) == 0.0


def test_logarithms_of_nothing() -> None:
    assert made_of("log(a)", a=0.0) == -math.inf and math.isnan(made_of("log(a)", a=-1.0))
    assert made_of("a * log(a)", a=0.0) == 0.0


def test_what_only_a_definition_says_opens_to_what_it_was_computed_from() -> None:
    cube = torch.arange(24.0).view(2, 3, 4)
    names = {"x": cube, "other": torch.ones(2, 5, 3)}
    trace = trace_of(names)
    trace.activations["x"] = Activation("x", cube, ("batch", "pos", "unit"))
    trace.activations["other"] = Activation("other", names["other"], ("batch", "head", "pos"))
    trace.analyses["analysis.gradient.x"] = Activation(
        "analysis.gradient.x", cube * 2, ("batch", "pos", "unit"), kind="analysis",
        definition="∂ logit / ∂ x", made_of=(("x", None), ("other", None), ("other", (0, 4, 1))),
    )  # fmt: skip
    opened = explain(trace, "analysis.gradient.x", (1, 2, -1))
    assert (opened.value, opened.total, opened.notation, opened.sums) == (46.0, 46.0, "∂ logit / ∂ x", False)
    assert [(term.name, term.index, term.value) for term in opened.terms] == [
        ("x", (1, 2, 3), 23.0),
        ("other", (1, 0, 2), 1.0),
        ("other", (0, 4, 1), 1.0),
    ]
    assert opened.kind == "analysis" and opened.formula == ""


def test_an_edit_keeps_masked_scores_masked() -> None:
    inf = math.inf
    assert made_of("edit(a, f, c)", a=-inf, f=-2.0, c=1.0) == -inf
    assert made_of("edit(a, f, c)", a=-inf, f=0.0, c=1.0) == 1.0
    assert made_of("edit(a, f, c)", a=3.0, f=-2.0, c=1.0) == -5.0


def test_a_replaced_value_opens_to_the_edit_alone() -> None:
    values = {name: torch.tensor([value]) for name, value in {"a": 3.0, "f": 0.0, "c": 7.0}.items()}
    (term,) = Evaluator(trace_of(values)).made(parse("edit(a, f, c)"), (0,)).leaves
    assert term.name == "c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frobnicate(a)", "frobnicate"),
        ("linear(a, a + a)", "parameter or module"),
        ("prev(a + a)", "prev"),
        ("heads(a, row)", "whole number"),
        ("column(a, 0.5)", "whole number"),
    ],
)
def test_formulas_that_mean_nothing(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Evaluator(TRACE).made(parse(text), (0, 0, 0, 0) if "heads" in text else (0, 0, 0))


# -- explaining


def test_an_index_must_fit() -> None:
    assert opened("a + b.0", (-1, -1, -1)).index == (B - 1, P - 1, D - 1)
    for index in [(0, 0), (0, 0, D), (0, -P - 1, 0), (0, 0, 0, 0)]:
        with pytest.raises(UserError, match="x y z"):
            opened("a + b.0", index)


def test_an_unknown_name_has_neighbours() -> None:
    with pytest.raises(UserError, match="stacked"):
        explain(TRACE, "staked", (0,))


def test_a_trace_that_left_something_out_says_so() -> None:
    recorder = Recorder(only=["top"])
    recorder.input("ids", VALUES["ids"], "batch pos")
    middle = recorder("middle", VALUES["a"], "batch pos d", by="embedding(ids, table)")
    recorder("top", middle.tanh(), "batch pos d", by="tanh(middle)")
    with pytest.raises(UserError, match="middle.*left out"):
        explain(Trace(recorder.activations, recorder.inputs), "top", (0, 0, 0))


# -- notation


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("linear(a, m)", "Σⱼ aⱼ · m.weightᵢⱼ + m.biasᵢ"),
        ("linear(a, w)", "Σⱼ aⱼ · wᵢⱼ"),
        ("linear(a + b.0, w)", "Σⱼ (a + b.0)ⱼ · wᵢⱼ"),
        ("linear(a, stacked[0:4], stacked_bias[0:4])", "Σⱼ aⱼ · stacked[0:4]ᵢⱼ + stacked_bias[0:4]ᵢ"),
        ("softmax(a)", "exp(aᵢ) / Σⱼ exp(aⱼ)"),
        ("(1 - a) * b.0 + a * prev(b.0)", "(1 − a) ⊙ b.0 + a ⊙ b.0ₜ₋₁"),
        ("a - (b.0 - row)", "a − (b.0 − row)"),
        ("a / (b.0 * row)", "a / (b.0 ⊙ row)"),
        ("a * b.0 / row", "a ⊙ b.0 / row"),
        ("-a", "−a"),
        ("sigmoid(a + b.0)", "σ(a + b.0)"),
        ("tanh(a)", "tanh(a)"),
        ("sqrt(mean(square(a - stat)) + 1e-05)", "√(1/n Σᵢ (a − stat)²ᵢ + 1e-05)"),
        ("concat(a, b.0, row)", "[a ; b.0 ; row]"),
        ("mask(dot(a, b.0), allowed)", "(Σ_d a · b.0) if allowed else −∞"),
        ("embedding(ids, table)", "table[ids]"),
        ("a * linear(b.0, w)", "a ⊙ (Σⱼ b.0ⱼ · wᵢⱼ)"),
    ],
)
def test_notation(text: str, written: str) -> None:
    assert notation(parse(text), TRACE) == written


def test_arrays_are_fetched_once_for_all_elements() -> None:
    fetched: list[str] = []

    class Counting(Trace):
        def array(self, name: str) -> np.ndarray:
            fetched.append(name)
            return super().array(name)

    trace = Counting({}, inputs=TRACE.inputs)
    Evaluator(trace).made(parse("mix(softmax(dot(a, b.0)), b.0)"), (0, 0, 0))
    assert sorted(fetched) == ["a", "b.0"]

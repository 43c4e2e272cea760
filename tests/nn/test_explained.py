"""Every number opens: what an explanation computes is what the network recorded, in every family."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import pytest

from nlptui.edits import Edit
from nlptui.formula import Derivation, Evaluator, Name, Term, explain, names_in, parse
from nlptui.trace import Trace
from tests.nn.families import CONFIGS, EACH_FAMILY, run

CELLS = 4
"""Random cells of each activation in one test."""
PADDED = pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
EDITS = (
    Edit("{attention}.scores", (0, 1), "scale", -0.5),
    Edit("{attention}.weights", (0, 0, slice(0, 2)), "force", 0.25),
    Edit("{attention}.z", (0, 2), "zero"),
)


def places(shape: tuple[int, ...], seed: str) -> Iterator[tuple[int, ...]]:
    """All indices of a small shape, or `CELLS` random ones."""
    if math.prod(shape) <= CELLS:
        yield from itertools.product(*map(range, shape))
        return
    generator = random.Random(seed)
    for _n in range(CELLS):
        yield tuple(generator.randrange(size) for size in shape)


def close(a: float, b: float, tolerance: float = 1e-5) -> bool:
    """|Δ| ≤ tolerance · max(1, |v|); an infinity equals itself only."""
    if math.isinf(a) or math.isinf(b):
        return a == b
    return abs(a - b) <= tolerance * max(1.0, abs(b))


def check(trace: Trace, name: str, index: tuple[int, ...]) -> Derivation:
    """One cell: its total, its sum, and all that its terms say."""
    found = explain(trace, name, index)
    assert close(found.total, found.value), found
    assert found.value == float(trace.array(name)[index])
    assert found.notation
    if found.sums:
        assert close(math.fsum(term.contribution for term in found.terms), found.total, 1e-9), found
    for term in found.terms:
        check_term(trace, found, term)
    return found


def check_term(trace: Trace, found: Derivation, term: Term) -> None:
    """A term is a number of the trace, and so is what its factor opens to."""
    kept = {"activation": trace.activations, "input": trace.inputs, "parameter": trace.parameters}
    assert term.name in kept[term.kind]
    assert term.value == float(trace.array(term.name)[term.index])
    assert (term.factor is not None) == found.sums
    if term.factor_name is None:
        assert term.factor_index is None and not term.factor_formula
        return
    assert term.factor is not None and term.factor_index is not None
    opened = float(trace.array(term.factor_name)[term.factor_index])
    if not term.factor_formula:
        assert term.factor == opened
        return
    node = parse(term.factor_formula)
    assert names_in(node) == (term.factor_name,)
    computed = Evaluator(trace).made(node, term.factor_index)
    assert close(computed.value, term.factor, 1e-12)


@PADDED
@pytest.mark.parametrize("name", CONFIGS)
def test_random_cells_of_every_activation(name: str, padded: bool) -> None:
    trace = run(name, padded=padded, size=2).trace
    for activation in trace.activations:
        for index in places(trace[activation].shape, activation):
            check(trace, activation, index)


@PADDED
@pytest.mark.parametrize("name", CONFIGS)
def test_formulas_name_what_is_there_and_have_the_shape_of_the_value(name: str, padded: bool) -> None:
    trace = run(name, padded=padded, size=2).trace
    for activation in trace.activations.values():
        assert len(activation.axes) == len(activation.shape)
        assert activation.axes[0] == "batch"
        assert activation.formula, f"{activation.name} says nothing of how it was made"
        node = parse(activation.formula)
        for part in names_in(node):
            assert part in trace or f"{part}.weight" in trace.parameters, activation.formula
        shape = Evaluator(trace).shape(node)
        whole = (1,) * (len(activation.shape) - len(shape)) + shape
        assert all(a in (1, b) for a, b in zip(whole, activation.shape, strict=True)), (
            f"{activation.name}: {activation.formula} has {shape}, the value {activation.shape}"
        )


def edits_of(name: str) -> list[Edit]:
    """Edits of every kind, several on one value, for the activations that a family has."""
    if name == "word2vec":
        return [Edit("token_embed", (0, 2), "zero"), Edit("logits", (0, slice(1, 3)), "scale", -2.0)]
    if name.startswith(("rnn", "lstm", "gru")):
        state = "cell" if name.startswith("lstm") else "hidden"
        tags = [
            Edit("emission", (0, 2), "scale", -1.0),
            Edit("transition", (0, 1, 0), "force", 2.0),
            Edit("score", (0, 3, 1), "force", 5.0),
            Edit("backpointer", (0, 5), "force", 3.4),
            Edit("path", (0, 2), "force", 7.0),
            Edit("backward_score", (0, 1), "scale", 2.0),
        ]
        return (tags if name == "lstm-crf" else []) + [
            Edit("embed", (0, 2), "zero"),
            Edit(f"layers.0.forward.{state}", (0, slice(1, 3)), "scale", -2.0),
            Edit(f"layers.0.backward.{state}", (0, 4, 1), "force", 0.5),
            Edit(f"layers.0.backward.{state}", (0,), "scale", 3.0),
            Edit("layers.1.hidden", (0, slice(None), slice(2, 5)), "force", -1.0),
        ]
    stack = {"b": "blocks.1", "g": "blocks.1", "t": "decoder.1"}[name[0]]
    attention = f"{stack}.cross_attn" if name.startswith("t") else f"{stack}.attn"
    found = [Edit(e.name.format(attention=attention), e.index, e.op, e.amount) for e in EDITS]
    norm = {"b": f"{stack}.attn_norm", "g": f"{stack}.norm2", "t": f"{stack}.self_attn_norm"}[name[0]]
    return [
        *found,
        Edit(f"{norm}.mean", (0, 1), "scale", 2.0),
        Edit(f"{norm}.scale", (0, 2), "force", 3.0),
        Edit(f"{stack}.mlp.post", (0, slice(None), 3), "zero"),
    ]


@pytest.mark.parametrize("name", EACH_FAMILY)
def test_random_cells_of_an_edited_run(name: str) -> None:
    edits = edits_of(name)
    trace = run(name, edits, size=2).trace
    for edit in edits:
        assert f"{edit.name}.unedited" in trace.activations
        for index in itertools.islice(itertools.product(*map(range, trace[edit.name].shape)), 400):
            check(trace, edit.name, index)
    for activation in trace.activations:
        for index in places(trace[activation].shape, activation):
            check(trace, activation, index)


def outputs_of(trace: Trace) -> list[str]:
    return [name for name in trace.activations if name == "probs" or name.endswith((".probs", "logits"))]


@pytest.mark.parametrize("name", CONFIGS)
def test_random_ways_down_end_at_an_embedding_or_another_parameter(name: str) -> None:
    """From an output, one term after another, each checked, in finitely many steps."""
    trace = run(name).trace
    ends = set()
    for seed in range(6):
        generator = random.Random(seed)
        place = generator.choice(outputs_of(trace))
        index = tuple(generator.randrange(size) for size in trace[place].shape)
        for _step in range(len(trace.activations) * 8):
            terms = check(trace, place, index).terms
            open_terms = [term for term in terms if term.kind == "activation"]
            if not open_terms:
                break
            chosen = generator.choice(open_terms)
            place, index = chosen.name, chosen.index
        assert terms, f"{place}{list(index)} opens to nothing"
        assert all(term.kind in ("input", "parameter") for term in terms), f"still at {place}"
        ends.update(term.name for term in terms)
    assert any("embedding" in end for end in ends), ends


@pytest.mark.parametrize("name", CONFIGS)
def test_every_recorded_value_is_used_or_is_an_output(name: str) -> None:
    """Nothing hangs loose: each activation is a term of a later one, or what the network returns."""
    found = run(name)
    used: set[str] = set()
    for activation in found.trace.activations.values():
        used.update(names_in(parse(activation.formula)))
    loose = set(found.trace.activations) - used
    ends = {f"{key.removesuffix('logits')}probs" for key in found.outputs if key.endswith("logits")}
    assert loose == (ends or {"probs"}), "recorded, and used by nothing"


def test_inputs_and_parameters_are_where_it_ends() -> None:
    trace = run("gpt-pre").trace
    for name, kind in (("ids", "input"), ("token_embedding.weight", "parameter")):
        found = explain(trace, name, (0, 1))
        assert (found.kind, found.terms, found.sums, found.formula) == (kind, (), False, "")
        assert found.total == found.value == float(trace.array(name)[0, 1])


@pytest.mark.parametrize(
    "name", [*EACH_FAMILY, "gpt-post", "bert-attention", "bert-question_answering", "gru-max"]
)
def test_each_value_is_the_one_that_its_users_name(name: str) -> None:
    """Each activation is changed alone: what names it in its formula is made of the changed value.

    Where it is another one under a second name, so is nothing that names the other one: all are opened.
    """
    plain = run(name).trace
    formulas = {user: parse(plain[user].formula) for user in plain.activations}
    for changed in plain.activations:
        trace = run(name, [Edit(changed, (), "scale", 1.75)]).trace
        users = [user for user, formula in formulas.items() if changed in names_in(formula)]
        for user in formulas if isinstance(formulas[changed], Name) else users:
            shape = trace[user].shape
            generator = random.Random(user)
            for _n in range(2):
                index = tuple(generator.randrange(size) for size in shape)
                found = explain(trace, user, index)
                if user == changed:
                    found = explain(trace, f"{user}.unedited", index)
                assert close(found.total, found.value), (changed, found)

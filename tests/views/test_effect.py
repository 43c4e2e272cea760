"""The answer before and after edits: held against a softmax over what the edit leaves of the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nlptui.edits import Edit
from nlptui.nn import Batch
from nlptui.trace import Recorder, Trace
from nlptui.views import VIEWS, Figure, State
from nlptui.views.effect import TOP
from tests.views.conftest import network, run, shared

EDITS = {
    "bert-tags": "blocks.1.mlp_norm=zero",
    "bert-class": "pooler.pooled=zero",
    "gpt": "norm_final=zero",
}


def edited(family: str, edit: str) -> Trace:
    """The shared trace's text, run with an edit, the run without it beside it."""
    plain = replace(shared(family), model=family)
    recorder = Recorder(plain.parameters, (Edit.parse(edit),))
    with torch.no_grad():
        network(family)(Batch(torch.tensor([plain.encoding.ids])), recorder)
    return replace(
        plain, activations=recorder.activations, inputs=recorder.inputs, edits=(Edit.parse(edit),),
        beside={family: plain},
    )  # fmt: skip


def drawn(trace: Trace, position: int = 2) -> Figure:
    return VIEWS["effect"].draw(trace, State(position=position))


def bias_of(trace: Trace) -> np.ndarray:
    """The bias of the last linear layer, or zeros where it has none."""
    width = trace["probs"].shape[-1]
    found = [name for name in trace.parameters if name.endswith("bias") and trace[name].shape == (width,)]
    return trace.array(found[-1]) if found else np.zeros(width, np.float32)


@pytest.mark.parametrize("family", EDITS)
def test_before_and_after_are_the_two_runs(family):
    trace = edited(family, EDITS[family])
    table, change = drawn(trace).parts[:2]
    logits = bias_of(trace).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum()
    for column, label in enumerate(table.cols):
        here, there = table.origin(1, column), table.origin(0, column)
        assert (here.trace, there.trace) == (1, 2)
        assert trace.labels("probs", trace["probs"].axes[-1])[here.index[-1]] == label
        np.testing.assert_allclose(table.values[1, column], expected[here.index[-1]], atol=1e-6)
        assert table.values[0, column] == shared(family).array("probs")[there.index]
    np.testing.assert_allclose(change.values[0], table.values[1] - table.values[0], atol=1e-7)
    assert EDITS[family] in drawn(trace).caption


def test_each_token_has_its_change_and_the_share_that_moved_is_said():
    trace = edited("bert-tags", EDITS["bert-tags"])
    change = drawn(trace).parts[2]
    differences = trace.array("probs")[0] - shared("bert-tags").array("probs")[0]
    np.testing.assert_allclose(change.values, differences, atol=1e-7)
    share = np.abs(differences).sum(-1).mean() / 2
    assert f"{share:.1%} of the probability has moved" in drawn(trace).caption


def test_of_a_vocabulary_the_likeliest_before_and_after_are_shown():
    trace = edited("gpt", "blocks.0.mlp.out=scale:5")
    table = drawn(trace, 3).parts[0]
    for values in (trace.array("probs")[0, 3], shared("gpt").array("probs")[0, 3]):
        assert {f"w{i}" for i in np.argsort(-values)[:TOP]} <= set(table.cols)


def test_without_edits_there_is_nothing_to_show_and_it_says_what_to_do():
    figure = drawn(shared("gpt"))
    assert figure.parts == () and "x on a number" in figure.caption
    assert VIEWS["effect"].beside(shared("gpt"), ()) == ()
    assert VIEWS["effect"].beside(run("gpt", model="mine", edits=(Edit("z", (), "zero"),)), ()) == ("mine",)

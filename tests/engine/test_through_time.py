"""Gradients through time with all kinds of weights: against torch's cells and finite differences."""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nlptui.edits import Edit
from nlptui.engine import Engine
from nlptui.engine.library import list_models
from nlptui.first_screen import figure_of
from nlptui.trace import Trace
from nlptui.views import VIEWS, Figure, State
from nlptui.views.figure import HeatTable, Lines
from tests.conftest import ROOT
from tests.engine.models import make_model

TEXT = "the old duck can open a can of rain and open"
TARGET = 2
STATES = ("", "@before", "@exploding")
CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
WRITERS = ("lm-rnn", "lm-lstm", "lm-gru")
TAGGERS = ("tag-rnn", "tag-lstm", "tag-gru")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    for family in (*WRITERS, *TAGGERS, "class-lstm"):
        make_model(path, family)
    return path


@pytest.fixture
def models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small models are the shipped ones."""
    monkeypatch.setenv("NLPTUI_MODELS", str(folder))
    return folder


def double(name: str) -> Engine:
    model = Engine.load(name, device="cpu")
    model.model.double()
    return model


def analysed(model: Engine) -> tuple[Trace, str]:
    """The gradient of one logit at the last token, and what its names begin with."""
    trace = model.trace(TEXT)
    prefix = f"analysis.gradient.at_{len(trace.encoding.ids) - 1}.to_{TARGET}."
    return model.analyse(trace, prefix), prefix


def by_cells(model: Engine, ids: tuple[int, ...]) -> list[list[float]]:
    """‖∂ logit / ∂ h_t‖ of each layer, by autograd through torch's own cells."""
    core, kind = model.model.layers, CELLS[model.config.arch]
    cells = []
    for layer in range(core.num_layers):
        cell = kind(core.input_size if layer == 0 else core.hidden_size, core.hidden_size).double()
        given = {key: value for key, value in core.state_dict().items() if key.endswith(f"_l{layer}")}
        cell.load_state_dict({key.removesuffix(f"_l{layer}"): value for key, value in given.items()})
        cells.append(cell)
    zero = torch.zeros(1, core.hidden_size, dtype=torch.float64)
    states = [(zero, zero) for _cell in cells]
    hidden: list[list[torch.Tensor]] = [[] for _cell in cells]
    for token in ids:
        x = model.model.token_embedding.weight[token][None]
        for layer, cell in enumerate(cells):
            found = cell(x, states[layer] if model.config.arch == "lstm" else states[layer][0])
            states[layer] = found if isinstance(found, tuple) else (found, zero)
            x = states[layer][0]
            hidden[layer].append(x)
    score = model.model.head(x)[0, TARGET]
    return [
        [float(g.norm()) for g in torch.autograd.grad(score, steps, retain_graph=True)] for steps in hidden
    ]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("family", WRITERS)
def test_norms_equal_autograd_through_torch_cells(models: Path, family: str, state: str) -> None:
    model = double(family + state)
    trace, prefix = analysed(model)
    for layer, expected in enumerate(by_cells(model, trace.encoding.ids)):
        found = trace.array(f"{prefix}layers.{layer}.forward.hidden.norm")[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("family", [*WRITERS, "tag-rnn"])
def test_gradients_equal_central_differences(models: Path, family: str, state: str) -> None:
    model = double(family + state)
    trace, prefix = analysed(model)
    position, choose = len(trace.encoding.ids) - 1, random.Random(2)
    names = [name for name in trace.analyses if name.endswith(("forward.hidden", "forward.cell"))]
    assert names
    for name in names:
        of = name.removeprefix(prefix)
        index = (0, choose.randrange(position), choose.randrange(trace[of].shape[2]))
        here, step = float(trace[of].value[index]), 1e-6
        ends = [
            float(
                model.trace(TEXT, edits=[Edit(of, index, "force", here + d)])["logits"].value[
                    0, position, TARGET
                ]
            )
            for d in (step, -step)
        ]
        slope = (ends[0] - ends[1]) / (2 * step)
        assert float(trace[name].value[index]) == pytest.approx(slope, rel=1e-5, abs=1e-8), name


@pytest.mark.parametrize("name", ["pos-rnn-en", "pos-lstm-en", "pos-gru-en"])
def test_before_training_gradients_vanish_and_with_large_matrices_they_explode(name: str) -> None:
    """Of the models that ship: over 27 words, from the last one back to the first."""
    ends = {}
    for state in STATES[1:]:
        model = Engine.load(str(ROOT / "models" / name) + state, device="cpu")
        trace = model.trace("the old keeper can open a can of paint before the young sailors come back " * 2)
        last = len(trace.encoding.ids) - 1
        prefix = f"analysis.gradient.at_{last}.to_{TARGET}."
        model.analyse(trace, prefix)
        norms = trace.array(f"{prefix}layers.0.forward.hidden.norm")[0]
        ends[state] = float(norms[0] / norms[-1])
    assert ends["@before"] < 1e-2 and ends["@exploding"] > 5


# ------------------------------------------------------------------------------------------------- the view


def figure(model: str, **state: object) -> tuple[Trace, Figure]:
    """The view as the command line draws it."""
    engine = Engine.load(model, device="cpu")
    trace = engine.trace(TEXT)
    run = lambda name: Engine.load(name, device="cpu").trace(TEXT)  # noqa: E731
    return trace, figure_of(trace, "through_time", state, engine.analyse, run)


def runs_of(trace: Trace) -> dict[int, Trace]:
    return {1: trace, **{2 + n: run for n, run in enumerate(trace.beside.values())}}


@pytest.mark.parametrize(
    ("model", "name", "lines"),
    [
        ("lm-rnn", "trained", {"RNN 0", "LSTM 0", "LSTM 1", "GRU 0"}),
        ("lm-gru", "exploding", {"GRU 0", "LSTM 0", "LSTM 1", "RNN 0"}),
        ("lm-rnn", "both", {"trained", "before training"}),
        ("tag-gru", "trained", {"GRU →", "GRU ←", "RNN →", "RNN ←", "LSTM →", "LSTM ←"}),
        ("tag-gru", "both", {"→ trained", "← trained", "→ before training", "← before training"}),
        ("lm-rnn@before", "before", {"RNN 0", "LSTM 0", "LSTM 1", "GRU 0"}),
        ("lm-rnn@before", "both", {"trained", "before training"}),
        ("class-lstm", "before", {"hidden"}),
    ],
)
def test_one_chart_has_the_lines_of_every_architecture(
    models: Path, model: str, name: str, lines: set[str]
) -> None:
    trace, drawn = figure(model, name=name)
    chart, table = drawn.parts[0], drawn.parts[1]
    assert isinstance(chart, Lines) and chart.log and isinstance(table, HeatTable)
    words = {series.name.replace("0 ", "", 1) if "tag" in model else series.name for series in chart.series}
    assert words == lines
    held = runs_of(trace)
    for row, source in enumerate(table.source):
        run = held[source.trace]
        assert source.name in run.analyses and run.analyses[source.name].kind == "analysis"
        np.testing.assert_array_equal(table.values[row], run.array(source.name)[0])
        position = len(run.encoding.ids) - 1
        if run["logits"].value.ndim == 3:
            likeliest = int(run["logits"].value[0, position].argmax())
            assert source.name.startswith(f"analysis.gradient.at_{position}.to_{likeliest}.")
        opened = run.engine.explain(run, source.name, (0, 1))
        assert opened.total == pytest.approx(opened.value, rel=1e-5)
        assert run.engine.explain(run, opened.terms[0].name, (0, 1, 0)).notation.startswith("∂ logits")
    for series in chart.series:
        there = np.nan_to_num(series.y, nan=0.0)
        assert any(np.array_equal(there, row.astype(float)) for row in table.values)


def test_what_was_done_to_the_weights_is_said(models: Path) -> None:
    trace, drawn = figure("tag-gru", name="exploding")
    factors = [factor for run in trace.beside.values() for factor in run.weights.factors]
    assert len(trace.beside) == 3 and not any(run.weights is None for run in trace.beside.values())
    assert f"× {min(factors):.2f} to {max(factors):.2f}" in drawn.caption
    assert "spectral radius 5." in drawn.caption and "seed 0" in drawn.caption
    assert "@exploding" not in drawn.caption, "the legend's short names tell the networks apart"
    assert "RNN" in drawn.caption and len(textwrap.wrap(drawn.caption, 56)) <= 5, "as wide as at 120×40"
    _trace, drawn = figure("tag-gru", name="both")
    assert "tag-gru@before: fresh weights as training makes them, seed 0." in drawn.caption


def test_a_run_of_other_tokens_is_left_out(models: Path) -> None:
    engine = Engine.load("lm-rnn", device="cpu")
    trace = engine.trace(TEXT)
    run = lambda name: Engine.load(name, device="cpu").trace(TEXT[:-1] if "gru" in name else TEXT)  # noqa: E731
    drawn = figure_of(trace, "through_time", {}, engine.analyse, run)
    assert {series.name for series in drawn.parts[0].series} == {"RNN 0", "LSTM 0", "LSTM 1"}


def test_only_models_for_the_same_texts_stand_beside(models: Path) -> None:
    trace = Engine.load("lm-rnn", device="cpu").trace(TEXT)
    beside = VIEWS["through_time"].beside
    assert beside(trace, list_models()) == ("lm-lstm", "lm-gru")
    own = str(models / "lm-rnn")
    assert beside(trace, list_models(), State(name="both")) == (f"{own}@before",)
    assert beside(trace, list_models(), State(name="before")) == (
        f"{own}@before",
        "lm-lstm@before",
        "lm-gru@before",
    )

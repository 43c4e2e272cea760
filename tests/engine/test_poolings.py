"""The pooler in use, changed while the model is loaded; training several; weights that do the work."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nlptui.engine import Engine
from nlptui.errors import UserError
from tests.engine.models import make_model

TEXT = "the old lighthouse keeper"
POOLINGS = ("cls", "mean", "max", "attention")


def probs(engine: Engine) -> list[float]:
    return [entry["prob"] for entry in engine.predict(TEXT)["output"]["labels"]]


def test_each_pooler_has_an_answer_of_its_own(tmp_path: Path) -> None:
    engine = Engine.load(make_model(tmp_path, "pool-bert"), device="cpu")
    assert (engine.pooling, engine.poolings) == ("mean", POOLINGS)
    answers = {}
    for name in POOLINGS:
        engine.pooling = name
        answers[name] = probs(engine)
        trace = engine.trace(TEXT)
        assert trace.config.pooling == name  # type: ignore[union-attr]
        traced = [entry["prob"] for entry in trace.output["labels"]]
        assert traced == pytest.approx(answers[name], abs=1e-6)
        assert f"poolers.{name}.pooled" in trace.activations
        assert max(engine.check().values()) <= 1e-5
    assert len({str(answer) for answer in answers.values()}) == 4
    other = Engine.load(engine.path, device="cpu", pooling="attention")
    assert probs(other) == answers["attention"]


def test_the_path_of_a_probability_leads_through_the_pooler_in_use(tmp_path: Path) -> None:
    engine = Engine.load(make_model(tmp_path, "pool-bert"), device="cpu", pooling="attention")
    trace = engine.trace(TEXT)
    derivation = engine.explain(trace, "logits", (0, 1))
    assert abs(derivation.value - derivation.total) <= 1e-5
    names = {term.name for term in derivation.terms}
    assert names <= {"poolers.attention.pooled", "heads.attention.weight", "heads.attention.bias"}
    pooled = engine.explain(trace, "poolers.attention.pooled", (0, 3))
    assert (
        "poolers.attention.weights"
        in {term.name for term in pooled.terms} | {term.factor for term in pooled.terms}
        or "poolers.attention.weights" in pooled.formula
    )


def test_a_pooler_that_is_not_there_is_told(engines: dict[str, Engine]) -> None:
    for family, name in (("pool-bert", "sum"), ("class-bert", "max"), ("gpt", "cls"), ("tag-bert", "cls")):
        with pytest.raises(UserError, match="pooler"):
            engines[family].pooling = name
    engines["class-bert"].pooling = "mean"  # the one that it has
    assert engines["gpt"].pooling == "" and engines["tag-bert"].poolings == ()


def test_another_pooler_needs_no_other_weights(tmp_path: Path) -> None:
    engine = Engine.load(make_model(tmp_path, "pool-bert"), device="cpu")
    before = {name: value.clone() for name, value in engine.model.state_dict().items()}
    engine.pooling = "cls"
    engine.trace(TEXT)
    assert all(torch.equal(value, before[name]) for name, value in engine.model.state_dict().items())


def test_all_poolers_side_by_side_are_those_of_one_run_each(tmp_path: Path) -> None:
    """And what each token gives: by hand from the top layer and the pooled vectors of those runs."""
    engine = Engine.load(make_model(tmp_path, "pool-bert"), device="cpu")
    trace = engine.analyse(engine.trace(TEXT), "analysis.pooling")
    layers = engine.config.n_layers  # type: ignore[union-attr]
    for name in POOLINGS:
        run = engine.pooled_by(name).trace(TEXT)
        for kind in ("logits", "probs"):
            found = trace[f"analysis.pooling.{name}.{kind}"].value
            torch.testing.assert_close(found, run[kind].value, atol=1e-6, rtol=0)
        top = run[f"blocks.{layers - 1}.mlp_norm"].value[0]
        expected = {
            "cls": torch.eye(len(top))[0],
            "mean": torch.full((len(top),), 1 / len(top)),
            "max": torch.bincount(top.argmax(0), minlength=len(top)) / top.shape[1],
            "attention": run["poolers.attention.weights"].value[0, 0] if name == "attention" else None,
        }[name]
        share = trace[f"analysis.pooling.{name}.share"].value[0]
        torch.testing.assert_close(share, expected, atol=1e-6, rtol=0)
        if name in ("mean", "attention"):
            pooled = run[f"poolers.{name}.pooled"].value[0]
            torch.testing.assert_close(share @ top, pooled, atol=1e-5, rtol=0)
        derivation = engine.explain(trace, f"analysis.pooling.{name}.logits", (0, 1))
        assert len(derivation.terms) > 1 and abs(derivation.value - derivation.total) <= 1e-5
    assert engine.pooling == "mean", "a run by another pooler leaves this one alone"
    table = "token_embedding.weight"
    assert engine.pooled_by("max").parameters[table] is engine.parameters[table]


def test_the_only_pooler_stands_alone(engines: dict[str, Engine]) -> None:
    model = engines["class-bert"]
    trace = model.analyse(model.trace(TEXT), "analysis.pooling")
    torch.testing.assert_close(trace["analysis.pooling.mean.probs"].value, trace["probs"].value)
    assert "analysis.pooling.max.probs" not in trace

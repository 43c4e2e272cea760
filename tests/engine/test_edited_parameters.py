"""Edits of parameters: a run with one is that of a copy of the network whose numbers were changed by hand."""

from __future__ import annotations

import copy
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nlptui.edits import Edit, with_pinned
from nlptui.engine import Engine
from nlptui.engine.inputs import batch_again
from nlptui.errors import Cancelled, UserError
from nlptui.formula import explain
from nlptui.nn import OFF
from nlptui.sampling import Sampling
from nlptui.trace import Trace
from tests.engine.classical_models import make_classical

TEXT, TARGET = "the old can of paint", "white duck"
NETWORKS = ("tag-rnn", "tag-lstm", "lm-gru", "bert", "pool-bert", "gpt", "gpt1", "translator", "word2vec")
CLASSICAL = ("tag-rules", "tag-hmm", "tag-crf")
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def classical(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Engine]:
    folder = tmp_path_factory.mktemp("classical")
    make_classical(folder)
    return {name: Engine.load(folder / name) for name in CLASSICAL}


def numbers(engine: Engine) -> list[str]:
    """The parameters that runs read and that hold numbers."""
    unread = {
        f"{name}.{leaf}".lstrip(".")
        for name, part in engine.model.named_modules()
        for leaf in getattr(part, "unread", ())
    }
    return [n for n, p in engine.parameters.items() if n not in unread and p.dtype != torch.bool]


def by_hand(engine: Engine, name: str, change: Any) -> Engine:
    """The engine around a deep copy of its network in which `change` was made of a parameter."""
    made = copy.copy(engine)
    made.model, made._last = copy.deepcopy(engine.model), None
    module = made.model.get_submodule(name.rpartition(".")[0])
    leaf, value = name.rpartition(".")[2], dict(made.parameters)[name]
    changed = change(value.detach() if value.is_floating_point() else value.detach().double())
    if value.is_floating_point():
        with torch.no_grad():
            value.copy_(changed)
    else:
        module._parameters[leaf] = torch.nn.Parameter(changed, requires_grad=False)
    return made


def assert_same(trace: Trace, expected: Trace, atol: float = TOLERANCE) -> None:
    assert set(expected.activations) == set(trace.activations)
    for name in expected.activations:
        np.testing.assert_allclose(trace.array(name), expected.array(name), rtol=0, atol=atol, err_msg=name)


def bits(trace: Trace) -> dict[str, bytes]:
    return {name: trace.array(name).tobytes() for name in trace.activations}


def first_row(value: Tensor) -> Tensor:
    changed = value.clone()
    changed[:1] *= -1.5
    return changed


@pytest.mark.parametrize("family", NETWORKS)
def test_a_run_is_that_of_a_network_changed_by_hand(family: str, engines: dict[str, Engine]) -> None:
    engine = engines[family]
    target = TARGET if family == "translator" else None
    before = bits(engine.trace(TEXT, target=target))
    held = {name: (value, value.detach().clone()) for name, value in engine.parameters.items()}
    for name in numbers(engine)[:: 5 if target else 1]:
        edited = engine.trace(TEXT, [f"{name}[0:1]=scale:-1.5"], target=target)
        assert_same(edited, by_hand(engine, name, first_row).trace(TEXT, target=target))
        torch.testing.assert_close(edited[name].value, first_row(held[name][1]))
        assert torch.equal(edited[f"{name}.unedited"].value, held[name][1])
    assert bits(engine.trace(TEXT, target=target)) == before, "the network itself is as it was, to the bit"
    assert all(engine.parameters[n] is p and torch.equal(p, was) for n, (p, was) in held.items())


@pytest.mark.parametrize("family", CLASSICAL)
def test_scores_and_counts_of_what_came_before_networks(family: str, classical: dict[str, Engine]) -> None:
    engine = classical[family]
    before = bits(engine.trace(TEXT))
    assert numbers(engine)
    for name in numbers(engine):
        edited = engine.trace(TEXT, [f"{name}[0:1]=scale:0.5"])
        half = by_hand(engine, name, lambda v: torch.cat([v[:1] * 0.5, v[1:]]))
        assert_same(edited, half.trace(TEXT), 1e-9)
        _check_sums(edited, name)
    assert bits(engine.trace(TEXT)) == before


def test_what_no_run_reads_is_refused_with_what_it_does(classical: dict[str, Engine]) -> None:
    for family, name, hint in (
        ("tag-crf", "state.values", "did you mean state.weight"),
        ("tag-hmm", "word_count.values", "word_count.weight"),
        ("tag-rules", "cost_of", "tag_of"),
    ):
        with pytest.raises(UserError, match=f"{name} is read by no run.*{hint}"):
            classical[family].trace(TEXT, [f"{name}=zero"])
    with pytest.raises(UserError, match="may_follow says what is allowed"):
        classical["tag-crf"].trace(TEXT, ["may_follow=zero"])


def _check_sums(trace: Trace, name: str, cells: int = 3) -> None:
    """Random cells of everything, and of the edited parameter, are what their terms come to."""
    generator = random.Random(name)
    for shown in (name, *trace.activations):
        for _n in range(cells):
            place = tuple(generator.randrange(size) for size in trace[shown].shape)
            found = explain(trace, shown, place)
            gap = abs(found.total - found.value)
            same = found.total == found.value  # infinities
            assert same or gap <= TOLERANCE * max(1.0, abs(found.value)), (shown, place, found)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("tag-lstm", "layers.weight_hh_l0"),
        ("lm-gru", "token_embedding.weight"),
        ("bert", "blocks.0.attn.wo.weight"),
        ("gpt", "token_embedding.weight"),
        ("translator", "pos_embedding"),
    ],
)
def test_every_derivation_adds_up(family: str, name: str, engines: dict[str, Engine]) -> None:
    edits = [f"{name}[2,:]=scale:-0.5", f"{name}[3,1]=force:0.75", f"{name}[4]=mean"]
    trace = engines[family].trace(TEXT, edits)
    _check_sums(trace, name, 5)
    was = trace[f"{name}.unedited"].value
    scaled = explain(trace, name, (2, 3))
    assert [(t.name, t.index, t.factor) for t in scaled.terms][0] == (f"{name}.unedited", (2, 3), -0.5)
    assert scaled.kind == "parameter" and scaled.value == pytest.approx(-0.5 * float(was[2, 3]), abs=1e-7)
    assert explain(trace, name, (3, 1)).value == 0.75
    mean = was.double().mean(0)[1]
    assert explain(trace, name, (4, 1)).total == pytest.approx(float(mean), abs=1e-6)
    assert explain(trace, f"{name}.unedited", (2, 3)).terms == ()


def test_a_tied_embedding_is_one_parameter(engines: dict[str, Engine]) -> None:
    """GPT's table of tokens is its head as well: both read the edited numbers."""
    engine = engines["gpt"]
    token = engine.encode(TEXT).ids[2]
    trace = engine.trace(TEXT, [f"token_embedding.weight[{token},:]=force:0.5"])
    assert np.all(trace.array("token_embed")[0, 2] == 0.5)
    top = trace.array("norm_final")[0]
    np.testing.assert_allclose(trace.array("logits")[0, :, token], top.sum(-1) * 0.5, atol=1e-5)


def test_edits_of_parameters_and_of_activations_go_together(engines: dict[str, Engine]) -> None:
    """The mean of an activation is that of the run with the edited parameters."""
    engine = engines["gpt"]
    weight, other = "blocks.0.attn.wv.weight=scale:2", "blocks.1.resid_pre[0,1]=mean"
    both = engine.trace(TEXT, [other, weight])
    expected = by_hand(engine, "blocks.0.attn.wv.weight", lambda v: 2 * v).trace(TEXT, [other])
    np.testing.assert_allclose(both.array("logits"), expected.array("logits"), atol=TOLERANCE)
    assert list(map(str, both.edits)) == [
        other.replace("=mean", "=mean"),
        "blocks.0.attn.wv.weight=scale:2.0",
    ]
    assert [edit.name for edit in both.activation_edits] == ["blocks.1.resid_pre"]


ANALYSES = {
    "gpt": ("attribution.at_3.to_2", "gradient.at_3.to_2", "left_out.at_3.to_2", "sources.to_2", "lens",
            "rollout", "beam.w_2.d_2", "cache", "positions", "neighbours.at_1", "next", "surprisal", "steps"),
    "lm-gru": ("attribution.at_3.to_2", "gradient.at_3.to_2", "left_out.at_3.to_2", "lens", "beam.w_2.d_2"),
    "tag-lstm": ("attribution.at_1.to_2", "left_out.at_1.to_2"),
    "bert": ("attribution.at_3.to_2", "left_out.at_3.to_2", "sources.to_2", "positions", "lens"),
    "pool-bert": ("pooling", "sources.to_1"),
    "translator": ("attribution.at_1.to_2", "left_out.at_1.to_2", "sources.to_2", "beam.w_2.d_2", "cache",
                   "lens"),
}  # fmt: skip
WEIGHT = {
    "tag-lstm": "layers.weight_hh_l0", "lm-gru": "layers.weight_ih_l0",
    "translator": "source_embedding.weight", "pool-bert": "blocks.0.attn.wq.weight",
}  # fmt: skip


@pytest.mark.parametrize("family", ANALYSES)
def test_analyses_run_the_same_edited_network(family: str, engines: dict[str, Engine]) -> None:
    """Also where they are asked of the engine whose own parameters are not edited."""
    engine = engines[family]
    name = WEIGHT.get(family, "token_embedding.weight")
    expected = by_hand(engine, name, lambda v: v * 1.75)
    asked = [f"analysis.{each}" for each in ANALYSES[family]]
    target = TARGET if family == "translator" else None
    found = engine.analyse(engine.trace(TEXT, [f"{name}=scale:1.75"], target=target), *asked)
    wanted = expected.analyse(expected.trace(TEXT, target=target), *asked)
    plain = engine.analyse(engine.trace(TEXT, target=target), *asked)
    assert set(found.analyses) == set(wanted.analyses)
    moved = set()
    for key, held in wanted.analyses.items():
        np.testing.assert_allclose(
            found.array(key), as_numbers(held.value), atol=1e-4, rtol=1e-4, err_msg=key
        )
        if key not in plain or not np.array_equal(plain.array(key), found.array(key), equal_nan=True):
            moved.add(key.split(".")[1])
    assert moved >= {each.split(".")[0] for each in ANALYSES[family]} - {"cache"}


def as_numbers(value: Any) -> np.ndarray:
    return np.asarray(value.detach())


def test_attribution_is_autograd_on_the_network_changed_by_hand(engines: dict[str, Engine]) -> None:
    engine, name = engines["gpt"], "blocks.1.mlp.up.weight"
    trace = engine.trace(TEXT, [f"{name}[3,:]=scale:4"])
    engine.analyse(trace, "analysis.attribution.at_4.to_6")

    def changed(value: Tensor) -> Tensor:
        value = value.clone()
        value[3] *= 4
        return value

    model: Any = by_hand(engine, name, changed).model
    kept: list[Tensor] = []

    def note(module: Any, given: Any, out: Tensor) -> Tensor:
        kept.append(out.detach().requires_grad_())
        return kept[-1]

    hook = model.token_embedding.register_forward_hook(note)
    logit = model(batch_again(trace, "cpu"), OFF)["logits"][0, 4, 6]
    (slope,) = torch.autograd.grad(logit, kept)
    hook.remove()
    expected = (slope * kept[0]).sum(-1).detach().numpy()
    np.testing.assert_allclose(
        trace.array("analysis.attribution.at_4.to_6.gradient_input"), expected, atol=TOLERANCE
    )


def test_what_comes_next_and_what_is_written_are_of_the_edited_network(engines: dict[str, Engine]) -> None:
    engine, sampling = engines["gpt"], Sampling(temperature=0.0)
    edits = ["token_embedding.weight[5,:]=scale:30", "blocks.0.mlp.down.bias=force:0.3"]
    edited = engine.with_edited(edits)
    step = engine.next_step(engine.trace(TEXT, edits), sampling)
    assert (
        step
        == edited.next_step(edited.trace(TEXT), sampling)
        != engine.next_step(engine.trace(TEXT), sampling)
    )
    for cache in (True, False):
        written = [step.id for step in edited.generate(TEXT, 4, temperature=0.0, cache=cache)]
        assert written[0] == step.id and written != [s.id for s in engine.generate(TEXT, 4, temperature=0.0)]
    assert engine.with_edited([]) is engine


def test_a_translator_decodes_with_the_edited_parameters(engines: dict[str, Engine]) -> None:
    engine, name = engines["translator"], "encoder.0.mlp.down.weight"
    trace = engine.trace(TEXT, [f"{name}=scale:-9"])
    expected = by_hand(engine, name, lambda v: v * -9)
    assert trace.output["text"] == expected.predict(TEXT)["output"]["text"]
    assert trace.output["text"] != engine.predict(TEXT)["output"]["text"]


def test_an_end_in_the_middle_leaves_the_network_as_it_was(engines: dict[str, Engine]) -> None:
    engine = engines["gpt"]
    before = bits(engine.trace(TEXT))
    weight = "token_embedding.weight=zero"
    with pytest.raises(UserError, match="the index does not fit"):
        engine.trace(TEXT, [weight, "blocks.1.resid_mid[0,99]=zero"])

    def stop(done: int, pieces: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        engine.analyse(engine.trace(TEXT, [weight]), "analysis.beam", watch=stop)
    assert bits(engine.trace(TEXT)) == before


def test_runs_one_after_the_other_share_what_was_edited(engines: dict[str, Engine]) -> None:
    engine = engines["gpt"]
    one, two = (engine.trace(text, ["pos_embedding.weight[1]=zero"]) for text in (TEXT, "the can"))
    assert one.engine is two.engine is not engine
    name = "blocks.0.attn.wq.weight"
    assert one[name].value is engine.parameters[name], "what no edit names is not copied"
    other = engine.trace(TEXT, ["pos_embedding.weight[2]=zero"])
    assert other.engine is not one.engine and not np.array_equal(other.array("logits"), one.array("logits"))


def test_a_pooler_of_its_own_keeps_its_edits_to_itself(engines: dict[str, Engine]) -> None:
    engine = engines["pool-bert"]
    edits = ["blocks.0.attn.wv.weight=scale:3"]
    own = engine.trace(TEXT, edits)
    other = engine.pooled_by("cls").trace(TEXT, edits)
    assert "poolers.cls.pooled" in other.activations and "poolers.mean.pooled" in own.activations


def test_a_parameter_is_taken_from_the_pinned_run_where_shapes_are_equal(engines: dict[str, Engine]) -> None:
    gpt, name = engines["gpt"], "blocks.0.attn.wq.weight"
    donor = by_hand(gpt, name, lambda v: v + 1).trace("paint")
    (edit,) = with_pinned([Edit.parse(f"{name}[2]=from:A")], donor)
    trace = gpt.trace(TEXT, [edit])
    np.testing.assert_array_equal(trace.array(name)[2], gpt.parameters[name].detach().numpy()[2] + 1)
    np.testing.assert_array_equal(trace.array(name)[3], gpt.parameters[name].detach().numpy()[3])
    bert = engines["tag-lstm"].trace(TEXT)
    (wrong,) = with_pinned([Edit.parse("token_embedding.weight=from:A")], bert)
    with pytest.raises(UserError, match="its tensor has the shape") as raised:
        gpt.trace(TEXT, [wrong])
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="has no activation named 'blocks.0.attn.wx.weight'; .*wq.weight"):
        with_pinned([Edit.parse("blocks.0.attn.wx.weight=from:A")], donor)


def test_a_parameter_is_read_from_a_file(engines: dict[str, Engine], tmp_path: Path) -> None:
    engine, name = engines["gpt"], "pos_embedding.weight"
    new = np.random.default_rng(1).normal(size=tuple(engine.parameters[name].shape))
    np.savez(tmp_path / "table.npz", **{name: new})
    trace = engine.trace(TEXT, [f"{name}=from:{tmp_path / 'table.npz'}"])
    np.testing.assert_allclose(trace.array("pos_embed")[0], new[: trace["pos_embed"].shape[1]], atol=1e-6)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("blocks.0.attn.wo.wieght=zero", "no activation or parameter named .*blocks.0.attn.wo.weight"),
        ("token_embedding=zero", "token_embedding.weight"),
        ("token_embedding.weight[9999,0]=zero", "the index does not fit token_embedding.weight"),
        ("token_embedding.weight[0,0,0]=zero", "the index does not fit token_embedding.weight"),
    ],
)
def test_what_fits_nothing_is_said_in_one_line(edit: str, said: str, engines: dict[str, Engine]) -> None:
    with pytest.raises(UserError, match=said) as raised:
        engines["gpt"].trace(TEXT, [edit])
    assert "\n" not in str(raised.value)


def test_an_empty_text_has_parameters_all_the_same(engines: dict[str, Engine]) -> None:
    trace = engines["gpt"].trace("", ["token_embedding.weight[3,:]=zero"])
    assert not trace.array("token_embedding.weight")[3].any() and not trace.activations


def test_only_activations_are_no_parameters(engines: dict[str, Engine]) -> None:
    with pytest.raises(UserError, match="blocks.0.attn.z is no parameter"):
        engines["gpt"].with_edited(["blocks.0.attn.z=zero"])


def test_a_mean_is_over_the_rows_and_infinities_stay(engines: dict[str, Engine]) -> None:
    trace = engines["gpt"].trace(TEXT, ["blocks.0.norm1.bias=mean", "token_embedding.weight[1,2]=mean"])
    bias = engines["gpt"].parameters["blocks.0.norm1.bias"].detach().numpy()
    np.testing.assert_allclose(trace.array("blocks.0.norm1.bias"), np.full_like(bias, bias.mean()), atol=1e-7)
    table = engines["gpt"].parameters["token_embedding.weight"].detach().numpy()
    assert math.isclose(trace.array("token_embedding.weight")[1, 2], table[:, 2].mean(), abs_tol=1e-6)


def test_no_parameter_has_the_name_of_an_activation(
    engines: dict[str, Engine], classical: dict[str, Engine]
) -> None:
    """An edit's name says which of them it is of."""
    for engine in (*engines.values(), *classical.values()):
        assert not set(engine.parameters) & set(engine.trace(TEXT).activations), engine.name

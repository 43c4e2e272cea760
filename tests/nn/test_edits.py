"""Edits in every family: the run with an edit is the computation made by hand with the changed value."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.edits import Edit, with_means
from nlptui.errors import UserError
from nlptui.formula import names_in, parse
from nlptui.nn import Batch
from nlptui.trace import Recorder, Trace
from tests.nn.families import EACH_FAMILY, Run, batch_for, network, run

ATTENTION_PARTS = ("attn.q", "attn.weights", "attn.z", "attn.out", "mlp.post", "mlp.out")
TARGETS = {
    "rnn-tagging": ["embed", "layers.0.forward.preact", "layers.1.backward.hidden", "layers.0.hidden"],
    "lstm-tagging": [
        "char_conv",
        "layers.0.forward.forget_gate",
        "layers.1.backward.cell",
        "layers.0.forward.kept",
    ],
    "gru-tagging": [
        "layers.0.backward.update_gate",
        "layers.1.forward.candidate.recurrent",
        "layers.0.forward.hidden",
    ],
    "lstm-crf": ["char_feature", "emission", "backward_score"],
    "bert-pretraining": ["segment_embed", "blocks.0.attn_norm", *(f"blocks.1.{p}" for p in ATTENTION_PARTS)],
    "gpt-pre": ["embed", "blocks.0.norm1.scale", *(f"blocks.0.{part}" for part in ATTENTION_PARTS)],
    "transformer-learned": [
        "encoder.1.mlp_norm",
        "decoder.0.self_attn.k",
        "decoder.1.cross_attn.weights",
        "decoder.embed",
    ],
}
CASES = [(family, target) for family, targets in TARGETS.items() for target in targets]
OPS: list[tuple[str, float | None]] = [
    ("zero", None),
    ("mean", None),
    ("scale", -1.5),
    ("force", 0.7),
    ("from", None),
]


def regions(shape: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """The whole, one position or head, a range of positions, one unit everywhere, one cell."""
    last = (slice(None),) * (len(shape) - 1)
    found = [
        (),
        (0, shape[1] - 1),
        (0, slice(0, 2)),
        (*last, shape[-1] - 1),
        tuple(size // 2 for size in shape),
    ]
    return [region for region in found if len(region) <= len(shape)]


def by_hand(edit: Edit, value: np.ndarray, plain: Trace) -> np.ndarray:
    """`value` with the edit made in numpy."""
    changed = value.copy()
    if edit.op == "zero":
        changed[edit.index] = 0.0
    elif edit.op == "scale":
        assert edit.amount is not None
        changed[edit.index] *= edit.amount
    elif edit.op == "force":
        changed[edit.index] = edit.amount
    elif edit.op == "from":
        assert edit.tensor is not None
        changed[edit.index] = edit.tensor[edit.index]
    else:
        axes = plain[edit.name].axes
        axis = axes.index("pos" if "pos" in axes else "query" if "query" in axes else "key")
        original = plain.array(edit.name)
        means = np.broadcast_to(original.mean(axis, keepdims=True), original.shape)
        changed[edit.index] = means[edit.index]
    return changed


def dependents(trace: Trace, name: str) -> set[str]:
    """Every activation that is made of `name`, directly or by way of others."""
    parts = {a.name: set(names_in(parse(a.formula))) for a in trace.activations.values()}
    found = {name}
    while True:
        more = {key for key, names in parts.items() if names & found} - found
        if not more:
            return found
        found |= more


@pytest.mark.parametrize(("family", "target"), CASES)
def test_an_edit_changes_its_region_and_what_is_made_of_it(family: str, target: str) -> None:
    plain = run(family)
    shape = plain.trace[target].shape
    stored = np.random.default_rng(0).normal(size=shape)
    downstream = dependents(plain.trace, target)
    upstream = set(plain.trace.activations) - downstream
    for n, region in enumerate(regions(shape)):
        op, amount = OPS[(n + len(target)) % len(OPS)]
        edit = Edit(target, region, op, amount, tensor=stored if op == "from" else None)
        edited = run(family, with_means([edit], plain.trace)).trace
        expected = by_hand(edit, edited.array(f"{target}.unedited"), plain.trace)
        np.testing.assert_allclose(edited.array(target), expected, rtol=1e-6, atol=1e-6)
        for name in upstream:
            assert torch.equal(edited[name].value, plain.trace[name].value), (
                f"{name} lies upstream of {target}"
            )
        consumers = [name for name in downstream if name.endswith(("logits", "probs"))]
        assert consumers
        changed = np.abs(edited.array(target) - plain.trace.array(target)).max() > 1e-3
        if changed and region == ():
            moved = [not torch.equal(edited[name].value, plain.trace[name].value) for name in consumers]
            assert any(moved)


@pytest.mark.parametrize(("family", "target"), CASES)
@pytest.mark.parametrize("op", ["mean", "from"])
def test_writing_back_what_was_there_changes_nothing(family: str, target: str, op: str) -> None:
    """`from` with the plain run's own values, and a mean over means, give the plain run's outputs."""
    plain = run(family)
    value = plain.trace.array(target)
    if op == "from":
        edit = Edit(target, (), "from", tensor=value)
        edited = run(family, [edit])
        expected = plain
    else:
        once = with_means([Edit(target, (), "mean")], plain.trace)
        expected = run(family, once)
        edited = run(family, with_means([Edit(target, (), "mean")], expected.trace))
    for name, output in edited.outputs.items():
        torch.testing.assert_close(output, expected.outputs[name], rtol=1e-5, atol=1e-5)


# -- attention, by hand and with changed weights


def fused(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The outputs without a recorder."""
    with torch.no_grad():
        found: dict[str, Tensor] = model(batch)
    return found


def assert_outputs(found: Run, expected: dict[str, Tensor]) -> None:
    for name, output in expected.items():
        torch.testing.assert_close(found.outputs[name], output, rtol=1e-5, atol=1e-5)


HEADS = {
    "bert-pretraining": ("blocks.1.attn", "z"),
    "gpt-pre": ("blocks.0.attn", "z"),
    "gpt-post": ("blocks.1.attn", "z"),
    "transformer-learned": ("decoder.1.cross_attn", "z"),
}


@pytest.mark.parametrize("family", HEADS)
def test_a_head_zeroed_is_the_model_without_its_columns_of_wo(family: str) -> None:
    attention, part = HEADS[family]
    model = network(family)
    layer = model.get_submodule(attention)
    head, width = 1, layer.d_head
    without = copy.deepcopy(model)
    with torch.no_grad():
        without.get_submodule(attention).wo.weight[:, head * width : (head + 1) * width] = 0.0
    edited = run(family, [Edit(f"{attention}.{part}", (0, head), "zero")])
    assert_outputs(edited, fused(without, edited.batch))
    assert (
        edited.outputs[next(iter(edited.outputs))] - next(iter(run(family).outputs.values()))
    ).abs().max() > 1e-4


def test_zeroed_weights_of_a_head_are_a_zeroed_head() -> None:
    by_weights = run("gpt-pre", [Edit("blocks.0.attn.weights", (0, 2), "zero")])
    by_output = run("gpt-pre", [Edit("blocks.0.attn.z", (0, 2), "zero")])
    assert_outputs(by_weights, by_output.outputs)


def test_a_scaled_unit_is_a_scaled_column() -> None:
    model = network("gpt-pre")
    with torch.no_grad():
        model.get_submodule("blocks.1.mlp").down.weight[:, 3] *= -2.5
    edited = run("gpt-pre", [Edit("blocks.1.mlp.post", (slice(None), slice(None), 3), "scale", -2.5)])
    assert_outputs(edited, fused(model, edited.batch))


def test_positions_zeroed_are_a_table_of_zeros() -> None:
    model = network("bert-pretraining")
    with torch.no_grad():
        model.get_submodule("pos_embedding").weight.zero_()
    edited = run("bert-pretraining", [Edit("pos_embed", (), "zero")])
    assert_outputs(edited, fused(model, edited.batch))


def test_one_cell_of_the_residual_stream_by_hand() -> None:
    """Block by block on the fused path, from an embedding in which one number was changed."""
    edited = run("gpt-pre", [Edit("embed", (0, 3, 2), "force", 4.0)])
    model: Any = network("gpt-pre")
    ids = edited.batch.ids
    with torch.no_grad():
        x = model.token_embedding(ids) + model.pos_embedding(torch.arange(ids.shape[1]))
        x[0, 3, 2] = 4.0
        for block in model.blocks:
            x = block(x, None)
        logits = F.linear(model.norm_final(x), model.token_embedding.weight)
    assert_outputs(edited, {"logits": logits})


def test_cross_attention_silenced_is_a_decoder_that_hears_nothing() -> None:
    model = network("transformer-learned")
    edits = []
    with torch.no_grad():
        for i in range(2):
            edits.append(Edit(f"decoder.{i}.cross_attn.out", (), "zero"))
            wo = model.get_submodule(f"decoder.{i}.cross_attn.wo")
            wo.weight.zero_()
            wo.bias.zero_()
    edited = run("transformer-learned", edits)
    assert_outputs(edited, fused(model, edited.batch))


# -- masked scores


def test_scaled_scores_stay_masked() -> None:
    name = "blocks.0.attn"
    plain = run("gpt-pre").trace
    edited = run("gpt-pre", [Edit(f"{name}.scores", (0, 1), "scale", -2.0)])
    trace = edited.trace
    scaled = plain[f"{name}.scaled"].value[0, 1] * -2.0
    future = torch.ones_like(scaled).triu(1).bool()
    expected = scaled.masked_fill(future, -torch.inf).softmax(-1)
    torch.testing.assert_close(trace[f"{name}.weights"].value[0, 1], expected)
    assert (trace[f"{name}.weights"].value[0, 1][future] == 0).all()
    assert not edited.outputs["logits"].isnan().any()


def test_mean_scores_look_at_no_future() -> None:
    """The mean of a key's scores is over the queries that may look at it; the others still may not."""
    name = "blocks.1.attn.scores"
    plain = run("gpt-pre").trace
    scores = plain.array(name)
    edited = run("gpt-pre", with_means([Edit(name, (), "mean")], plain)).trace.array(name)
    for query in range(scores.shape[2]):
        for key in range(scores.shape[3]):
            expected = scores[0, :, key:, key].mean(1) if key <= query else -np.inf
            np.testing.assert_allclose(edited[0, :, query, key], expected, rtol=1e-5)


def test_zero_and_force_write_over_the_mask() -> None:
    """They say what the value is: a masked score of 0 is no longer masked."""
    zeroed = run("gpt-pre", [Edit("blocks.0.attn.scores", (), "zero")]).trace
    weights = zeroed.array("blocks.0.attn.weights")
    np.testing.assert_allclose(weights, 1 / weights.shape[-1], rtol=1e-6)
    forced = run("gpt-pre", [Edit("blocks.0.attn.scores", (0, 0, 0, 5), "force", 50.0)]).trace
    assert forced.array("blocks.0.attn.weights")[0, 0, 0, 5] > 0.999


def test_a_row_masked_by_an_edit_has_weights_of_zero() -> None:
    nothing = np.full((1, 3, 7, 7), -np.inf)
    edited = run("bert-pretraining", [Edit("blocks.0.attn.scores", (0, 0, 2), "from", tensor=nothing)])
    assert (edited.trace.array("blocks.0.attn.weights")[0, 0, 2] == 0).all()
    assert not any(output.isnan().any() for output in edited.outputs.values())


def test_a_fully_masked_row_opened_by_an_edit() -> None:
    """With nothing but padding every weight is 0; a score forced there gets all the weight."""
    model, batch = network("bert-pretraining"), batch_for("bert-pretraining", size=1)
    batch.mask = torch.zeros(1, 7, dtype=torch.bool)
    recorder = Recorder(edits=[Edit("blocks.0.attn.scores", (0, 0, 2, 4), "force", 1.0)])
    with torch.no_grad():
        model(batch, recorder)
    weights = recorder.activations["blocks.0.attn.weights"].value[0, 0, 2]
    assert weights.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]


# -- recurrent, by hand


def parameters_of(model: Any, layer: int, way: str) -> tuple[Tensor, ...]:
    suffix = f"_l{layer}" + ("_reverse" if way == "backward" else "")
    return tuple(
        getattr(model.layers, f"{name}{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )


def lstm_by_hand(model: Any, x: Tensor, way: str, layer: int, change: Any) -> Tensor:
    """The hidden states of one direction; `change(t, name, value)` is asked for each value."""
    w_ih, w_hh, b_ih, b_hh = parameters_of(model, layer, way)
    h = c = torch.zeros(x.shape[0], w_hh.shape[1])
    hidden: dict[int, Tensor] = {}
    for t in range(x.shape[1]) if way == "forward" else reversed(range(x.shape[1])):
        i, f, g, o = (x[:, t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, 1)
        gates = {
            "input_gate": i.sigmoid(),
            "forget_gate": f.sigmoid(),
            "candidate": g.tanh(),
            "output_gate": o.sigmoid(),
        }
        gates = {name: change(t, name, value) for name, value in gates.items()}
        c = change(t, "cell", gates["forget_gate"] * c + gates["input_gate"] * gates["candidate"])
        h = hidden[t] = change(t, "hidden", gates["output_gate"] * c.tanh())
    return torch.stack([hidden[t] for t in range(x.shape[1])], 1)


def gru_by_hand(model: Any, x: Tensor, way: str, layer: int, change: Any) -> Tensor:
    w_ih, w_hh, b_ih, b_hh = parameters_of(model, layer, way)
    h = torch.zeros(x.shape[0], w_hh.shape[1])
    hidden: dict[int, Tensor] = {}
    for t in range(x.shape[1]) if way == "forward" else reversed(range(x.shape[1])):
        x_r, x_z, x_n = (x[:, t] @ w_ih.T + b_ih).chunk(3, 1)
        h_r, h_z, h_n = (h @ w_hh.T + b_hh).chunk(3, 1)
        r = change(t, "reset_gate", (x_r + h_r).sigmoid())
        z = change(t, "update_gate", (x_z + h_z).sigmoid())
        n = change(t, "candidate", (x_n + r * h_n).tanh())
        h = hidden[t] = change(t, "hidden", (1 - z) * n + z * h)
    return torch.stack([hidden[t] for t in range(x.shape[1])], 1)


def rnn_by_hand(model: Any, x: Tensor, way: str, layer: int, change: Any) -> Tensor:
    w_ih, w_hh, b_ih, b_hh = parameters_of(model, layer, way)
    h = torch.zeros(x.shape[0], w_hh.shape[1])
    hidden: dict[int, Tensor] = {}
    for t in range(x.shape[1]) if way == "forward" else reversed(range(x.shape[1])):
        preact = change(t, "preact", x[:, t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh)
        h = hidden[t] = change(t, "hidden", preact.tanh())
    return torch.stack([hidden[t] for t in range(x.shape[1])], 1)


RECURRENT = [
    ("rnn-tagging", rnn_by_hand, "preact", None, 2.0),
    ("rnn-tagging", rnn_by_hand, "hidden", 1, -1.0),
    ("lstm-tagging", lstm_by_hand, "forget_gate", None, 1.0),
    ("lstm-tagging", lstm_by_hand, "cell", 2, 3.0),
    ("lstm-tagging", lstm_by_hand, "input_gate", 0, 0.0),
    ("gru-tagging", gru_by_hand, "update_gate", None, 1.0),
    ("gru-tagging", gru_by_hand, "hidden", 3, 0.5),
    ("gru-tagging", gru_by_hand, "reset_gate", 2, 0.0),
]


@pytest.mark.parametrize(("family", "loop", "name", "unit", "amount"), RECURRENT)
@pytest.mark.parametrize("way", ["forward", "backward"])
def test_a_gate_forced_at_one_step(
    family: str, loop: Any, name: str, unit: int | None, amount: float, way: str
) -> None:
    """In layer 0, position 3: the hidden states of both layers and the logits are those of a loop by hand."""
    index = (0, 3) if unit is None else (0, 3, unit)
    edited = run(family, [Edit(f"layers.0.{way}.{name}", index, "force", amount)])
    model: Any = edited.model

    def change(t: int, of: str, value: Tensor) -> Tensor:
        if (t, of) != (3, name):
            return value
        value = value.clone()
        value[(0,) if unit is None else (0, unit)] = amount
        return value

    def unchanged(_t: int, _of: str, value: Tensor) -> Tensor:
        return value

    x = edited.trace["embed"].value
    with torch.no_grad():
        below = [loop(model, x, w, 0, change if w == way else unchanged) for w in ("forward", "backward")]
        middle = torch.cat(below, -1)
        top = torch.cat([loop(model, middle, w, 1, unchanged) for w in ("forward", "backward")], -1)
        logits = model.head(top)
    torch.testing.assert_close(edited.trace[f"layers.0.{way}.hidden"].value, below[way == "backward"])
    torch.testing.assert_close(edited.trace["layers.0.hidden"].value, middle, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(edited.outputs["logits"], logits, rtol=1e-5, atol=1e-5)
    assert (logits - run(family).outputs["logits"]).abs().max() > 1e-4


# -- edits that fit nothing


@pytest.mark.parametrize("family", EACH_FAMILY)
@pytest.mark.parametrize("name", ["nothing.like.it", "ids", "head.weight", "logit"])
def test_a_name_that_is_never_met(family: str, name: str) -> None:
    with pytest.raises(UserError, match=name):
        run(family, [Edit(name, (), "zero")])


BAD = {
    "blocks.0.attn.weights": [(0, 3), (-2,), (0, 0, 0, 0, 0), (0, slice(3, 9)), (0, slice(2, 2))],
    "blocks.0.mlp.out": [(1,), (0, 7), (0, 0, 15), (0, slice(5, 2))],
    "logits": [(0, 7), (0, 0, 19)],
}


@pytest.mark.parametrize(("name", "index"), [(name, index) for name, many in BAD.items() for index in many])
def test_an_index_that_does_not_fit(name: str, index: Any) -> None:
    with pytest.raises(UserError, match="shape"):
        run("gpt-pre", [Edit(name, index, "zero")])


def test_the_same_for_values_made_step_by_step() -> None:
    for index in [(0, 7), (0, 0, 4), (0, 0, 0, 0), (0, slice(9, 12))]:
        with pytest.raises(UserError, match="shape"):
            run("lstm-tagging", [Edit("layers.0.forward.cell", index, "zero")])


@pytest.mark.parametrize(
    ("family", "name"), [("gpt-pre", "embed"), ("gru-tagging", "layers.0.backward.hidden")]
)
def test_a_tensor_that_does_not_fit(family: str, name: str) -> None:
    with pytest.raises(UserError, match="shape"):
        run(family, [Edit(name, (), "from", tensor=np.zeros((1, 7, 2)))])
    with pytest.raises(UserError, match="without edits"):
        run(family, [Edit(name, (), "mean")])


def test_means_want_positions_and_a_name() -> None:
    plain = run("bert-cls").trace
    with pytest.raises(UserError, match="pooler.pooled"):
        with_means([Edit("pooler.pooled", (), "mean")], plain)
    unmet = with_means([Edit("blocks.0.attn.wieghts", (), "mean")], plain)
    with pytest.raises(UserError, match="did you mean blocks.0.attn.weights"):
        run("bert-cls", unmet)
    kept = with_means([Edit("embed", (), "zero")], plain)
    assert kept == (Edit("embed", (), "zero"),) and kept[0].tensor is None

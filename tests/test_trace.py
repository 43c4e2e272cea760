"""The recorder: scopes, names, edits, what is kept; and the trace that it leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nlptui.edits import Edit, with_means, with_pinned
from nlptui.errors import UserError
from nlptui.near_names import did_you_mean
from nlptui.trace import OFF, Activation, Recorder, Trace, as_array


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


# -- recording


def test_what_is_recorded_flows_on() -> None:
    rec, value = Recorder(), zeros(1, 2, 3)
    assert rec("embed", value, "batch pos d_model", by="token_embed") is value
    kept = rec.activations["embed"]
    assert kept.value is value and kept.axes == ("batch", "pos", "d_model") and kept.shape == (1, 2, 3)
    assert (kept.name, kept.kind, kept.step) == ("embed", "activation", 1)


def test_the_order_is_the_order_computed() -> None:
    rec = Recorder()
    for name in ("b", "a", "c"):
        rec(name, zeros(1), "batch", by="")
    assert list(rec.activations) == ["b", "a", "c"]


def test_an_activation_is_frozen_however_it_was_made() -> None:
    rec = Recorder()
    rec("a", zeros(1, 2), "batch pos", by="b")
    kept = rec.activations["a"]
    assert kept == Activation("a", kept.value, ("batch", "pos"), "b", rec)
    with pytest.raises(AttributeError):
        kept.name = "b"  # type: ignore[misc]


def test_formulas_hold_full_names() -> None:
    """Arguments stand for the parent's values, own values come first, parameters and modules are found."""
    parameters = {"blocks.0.attn.wq.weight": zeros(2, 2), "blocks.0.attn.scale": zeros(2), "table": zeros(2)}
    rec = Recorder(parameters)
    rec.input("ids", zeros(1, 2), "batch pos")
    rec("embed", zeros(1, 2, 2), "batch pos d_model", by="embedding(ids, table)")
    block = rec.at("blocks.0", x="embed")
    block("norm1", zeros(1, 2, 2), "batch pos d_model", by="x * 1e-05")
    attend = block.at("attn", source="norm1", x="x")
    attend("q", zeros(1, 2, 2), "batch pos d_model", by="linear(source, wq) * scale + x")
    attend("z", zeros(1, 2, 2), "batch pos d_model", by="tanh(q) / q + table")
    formulas = {name: activation.formula for name, activation in rec.activations.items()}
    assert formulas == {
        "embed": "embedding(ids, table)",
        "blocks.0.norm1": "embed * 1e-05",
        "blocks.0.attn.q": "linear(blocks.0.norm1, blocks.0.attn.wq) * blocks.0.attn.scale + embed",
        "blocks.0.attn.z": "tanh(blocks.0.attn.q) / blocks.0.attn.q + table",
    }
    assert Trace({}, inputs=rec.inputs)["ids"].formula == ""


def test_a_name_may_look_like_a_function() -> None:
    rec = Recorder()
    rec("mask", zeros(1), "batch", by="")
    scope = rec.at("attn", mask="mask")
    scope("scores", zeros(1), "batch", by="mask(mask, mask)")
    assert rec.activations["attn.scores"].formula == "mask(mask, mask)"


def test_bind_adds_names_in_the_same_scope() -> None:
    rec = Recorder()
    rec("layers.0.hidden", zeros(1), "batch", by="")
    rec.bind(x="layers.0.hidden")("logits", zeros(1), "batch", by="linear(x, head)")
    assert rec.activations["logits"].formula == "linear(layers.0.hidden, head)"


def test_off_records_nothing_and_hands_back_what_it_got() -> None:
    value = zeros(1)
    assert OFF("name", value, "batch", by="x") is value
    assert OFF.at("scope", x="y") is OFF and OFF.bind(x="y") is OFF
    assert OFF.input("ids", value, "batch") is None
    assert not OFF.on and Recorder().on


def test_only_keeps_what_its_globs_ask_for() -> None:
    rec = Recorder(only=["*.weights", "logits"])
    scope = rec.at("blocks.0.attn", x="embed")
    rec.input("ids", zeros(1), "batch")
    rec("embed", zeros(1), "batch", by="")
    scope("scores", zeros(1), "batch", by="x")
    scope("weights", zeros(1), "batch", by="softmax(scores)")
    rec("logits", zeros(1), "batch", by="linear(embed, head)")
    assert list(rec.activations) == ["blocks.0.attn.weights", "logits"]
    assert list(rec.inputs) == ["ids"]
    # Formulas keep their full names, even of what was not kept.
    assert rec.activations["blocks.0.attn.weights"].formula == "softmax(blocks.0.attn.scores)"


def test_only_keeps_both_sides_of_an_edit() -> None:
    rec = Recorder(edits=[Edit("a.x", (), "zero"), Edit("a.y", (), "zero")], only=["a.x"])
    scope = rec.at("a")
    scope("x", zeros(1), "batch", by="")
    edited = scope("y", torch.ones(1), "batch", by="x")
    assert edited == 0
    assert list(rec.activations) == ["a.x.unedited", "a.x"]
    rec.check_edits()


def test_values_made_step_by_step_come_out_in_text_order() -> None:
    for backward, order in ((False, [0, 1, 2]), (True, [2, 1, 0])):
        rec = Recorder()
        steps = rec.at("layers.0").steps(3, backward)
        for t in order:
            steps(t, "hidden", torch.full((2, 1), float(t)), by="prev(hidden)")
        whole = steps.close(lambda values: torch.stack(values, 1))["hidden"]
        kept = rec.activations["layers.0.hidden"]
        assert kept.value is whole and whole[0, :, 0].tolist() == [0.0, 1.0, 2.0]
        assert kept.step == (-1 if backward else 1)
        assert kept.axes == ("batch", "pos", "d_hidden")
        assert kept.formula == "prev(layers.0.hidden)"


# -- labels


def labelled() -> Trace:
    rec = Recorder()
    encoder = rec.at("encoder", pos="src", query="src", key="src")
    encoder("embed", zeros(1, 2, 3), "batch pos d_model", by="")
    encoder.at("0").at("attn")("weights", zeros(1, 1, 2, 2), "batch head query key", by="")
    decoder = rec.at("decoder", pos="tgt", query="tgt", key="tgt")
    block = decoder.at("0", x="embed")
    block.at("self_attn", x="x")("weights", zeros(1, 1, 3, 3), "batch head query key", by="")
    block.at("cross_attn", key="src")("weights", zeros(1, 1, 3, 2), "batch head query key", by="")
    rec.bind(pos="tgt")("logits", zeros(1, 3, 4), "batch pos vocab", by="")
    rec("tags", zeros(1, 2, 2), "batch pos label", by="")
    rec.at("nsp", label="nsp_label")("logits", zeros(1, 2), "batch label", by="")
    sets = {
        "src": ("ein", "Hund"),
        "tgt": ("<s>", "a", "dog"),
        "tokens": ("ein", "Hund"),
        "label": ("NOUN", "VERB"),
        "nsp_label": ("IsNext", "NotNext"),
    }
    return Trace(rec.activations, label_sets=sets, parameters={"head.weight": zeros(4, 3)})


@pytest.mark.parametrize(
    ("name", "axis", "labels"),
    [
        ("encoder.embed", "pos", ("ein", "Hund")),
        ("encoder.0.attn.weights", "key", ("ein", "Hund")),
        ("decoder.0.self_attn.weights", "key", ("<s>", "a", "dog")),
        ("decoder.0.self_attn.weights", "query", ("<s>", "a", "dog")),
        ("decoder.0.cross_attn.weights", "query", ("<s>", "a", "dog")),
        ("decoder.0.cross_attn.weights", "key", ("ein", "Hund")),
        ("decoder.0.cross_attn.weights", "head", ("0",)),
        ("logits", "pos", ("<s>", "a", "dog")),
        ("logits", "vocab", ("0", "1", "2", "3")),
        ("tags", "pos", ("ein", "Hund")),
        ("tags", "label", ("NOUN", "VERB")),
        ("nsp.logits", "label", ("IsNext", "NotNext")),
        ("head.weight", "row", ("0", "1", "2", "3")),
    ],
)
def test_labels(name: str, axis: str, labels: tuple[str, ...]) -> None:
    assert labelled().labels(name, axis) == labels


# -- edits: text


INDICES = st.lists(
    st.one_of(
        st.integers(-9, 99),
        st.builds(slice, st.none() | st.integers(-9, 99), st.none() | st.integers(-9, 99)),
    ),
    max_size=4,
).map(tuple)
NAMES = st.from_regex(r"[a-z_]{1,8}(\.[a-z0-9_]{1,8}){0,3}", fullmatch=True)
AMOUNTS = st.floats(allow_nan=False, allow_infinity=False)
EDITS = st.one_of(
    st.builds(Edit, NAMES, INDICES, st.sampled_from(["zero", "mean"])),
    st.builds(Edit, NAMES, INDICES, st.sampled_from(["scale", "force"]), AMOUNTS),
)


@given(EDITS)
def test_an_edit_reads_back_what_it_writes(edit: Edit) -> None:
    assert Edit.parse(str(edit)) == edit


def test_edits_as_people_write_them(tmp_path: Path) -> None:
    whole = slice(None)
    assert Edit.parse("blocks.3.attn.weights[0,2,:,:]=zero") == Edit(
        "blocks.3.attn.weights", (0, 2, whole, whole), "zero"
    )
    assert Edit.parse(" embed [ 0 , 1: , -2 ] = scale:-0.5 ") == Edit(
        "embed", (0, slice(1, None), -2), "scale", -0.5
    )
    assert Edit.parse("cell=force:1e-3") == Edit("cell", (), "force", 0.001)
    assert Edit.parse("cell[]=mean") == Edit("cell", (), "mean")
    file = tmp_path / "a=b.npz"
    np.savez(file, embed=np.arange(3.0))
    edit = Edit.parse(f"embed=from:{file}")
    assert edit.tensor is not None and edit.tensor.tolist() == [0.0, 1.0, 2.0]
    assert str(edit) == f"embed=from:{file}"
    assert Edit.parse(str(edit)) == edit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "embed",
        "=zero",
        "embed=",
        "embed=nothing",
        "embed=zero:1",
        "embed=mean:x",
        "embed[0=zero",
        "embed[x]=zero",
        "embed[0:1:2]=zero",
        "embed[0,,1]=zero",
        "embed[1.5]=zero",
        "embed=scale",
        "embed=scale:",
        "embed=scale:many",
        "embed=force:nan",
        "embed=force:inf",
        "em bed=zero",
        "embed=from:",
        "embed=from:/nowhere/x.npz",
        "\x1b[31m=zero",
    ],
)
def test_edits_that_say_nothing(text: str) -> None:
    with pytest.raises(UserError) as caught:
        Edit.parse(text)
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_do_not_hold_the_tensor(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", other=np.zeros(3))
    np.savez(tmp_path / "words.npz", embed=np.array(["a"]))
    np.savez(tmp_path / "pickled.npz", embed=np.array([{}], dtype=object))
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no more")
    for name, said in {
        "other": "holds no array 'embed'; it has other",
        "words": "no numbers",
        "pickled": "not readable",
        "broken": "not readable",
    }.items():
        with pytest.raises(UserError, match=said):
            Edit.parse(f"embed=from:{tmp_path}/{name}.npz")
    with pytest.raises(UserError, match="not readable"):
        Edit.parse(f"embed=from:{tmp_path}/one.npy")


def test_an_edit_knows_its_ops_and_wants_its_number() -> None:
    with pytest.raises(UserError, match="zero, mean, scale, force, from"):
        Edit("embed", (), "double")
    with pytest.raises(UserError, match="number"):
        Edit("embed", (), "scale")
    assert str(Edit("embed", (slice(0, 4, 2),), "zero")) == "embed[0:4:2]=zero"


# -- edits: values

SHAPE = (2, 3, 4)


def region(draw: Any) -> tuple[Any, ...]:
    """An index into SHAPE that selects something."""
    parts: list[Any] = []
    for size in SHAPE[: draw(st.integers(0, 3))]:
        if draw(st.booleans()):
            parts.append(draw(st.integers(-size, size - 1)))
        else:
            first = draw(st.integers(0, size - 1))
            parts.append(slice(first, draw(st.integers(first + 1, size))))
    return tuple(parts)


@st.composite
def several_edits(draw: Any) -> list[Edit]:
    found = []
    for _n in range(draw(st.integers(1, 4))):
        op = draw(st.sampled_from(["zero", "scale", "force", "from"]))
        amount = draw(st.sampled_from([-2.0, 0.0, 0.5, 3.0])) if op in ("scale", "force") else None
        tensor = np.random.default_rng(draw(st.integers(0, 9))).normal(size=SHAPE) if op == "from" else None
        found.append(Edit("x", region(draw), op, amount, tensor))
    return found


def one_after_another(value: np.ndarray, edits: list[Edit]) -> np.ndarray:
    changed = value.copy()
    for edit in edits:
        place = changed[edit.index]
        if edit.op == "scale":
            assert edit.amount is not None
            finite = np.where(np.isinf(place), 0.0, place) * edit.amount
            changed[edit.index] = np.where(np.isinf(place) & (edit.amount != 0), place, finite)
        elif edit.op == "from":
            assert edit.tensor is not None
            changed[edit.index] = edit.tensor[edit.index]
        else:
            changed[edit.index] = edit.amount if edit.op == "force" else 0.0
    return changed


@given(several_edits())
def test_edits_are_made_one_after_another(edits: list[Edit]) -> None:
    """Whole at once and step by step, with a masked score among the values."""
    value = np.random.default_rng(1).normal(size=SHAPE)
    value[1, 2, 3] = -np.inf
    expected = one_after_another(value, edits)
    rec = Recorder(edits=edits)
    edited = rec("x", torch.from_numpy(value), "batch pos d_hidden", by="")
    np.testing.assert_allclose(edited.numpy(), expected, rtol=1e-12, atol=1e-12)
    rec = Recorder(edits=edits)
    steps = rec.steps(SHAPE[1])
    for t in range(SHAPE[1]):
        step = steps(t, "x", torch.from_numpy(value[:, t]), by="")
        np.testing.assert_allclose(step.numpy(), expected[:, t], rtol=1e-12, atol=1e-12)
    whole = steps.close(lambda values: torch.stack(values, 1))["x"]
    np.testing.assert_allclose(whole.numpy(), expected, rtol=1e-12, atol=1e-12)
    rec.check_edits()


def test_an_edited_value_keeps_its_formula_beside_it() -> None:
    rec = Recorder(edits=[Edit("a.q", (0, 1), "force", 5.0)])
    rec("x", torch.ones(1, 2), "batch pos", by="")
    scope = rec.at("a", x="x")
    scope("q", torch.ones(1, 2), "batch pos", by="2 * x")
    scope("r", torch.ones(1, 2), "batch pos", by="tanh(q)")
    assert rec.activations["a.q.unedited"].formula == "2 * x"
    assert rec.activations["a.q"].formula == "edit(a.q.unedited, edits.a.q.factor, edits.a.q.constant)"
    assert rec.activations["a.r"].formula == "tanh(a.q)"
    assert rec.inputs["edits.a.q.factor"].value.tolist() == [[1.0, 0.0]]
    assert rec.inputs["edits.a.q.constant"].value.tolist() == [[0.0, 5.0]]
    assert rec.inputs["edits.a.q.factor"].axes == ("batch", "pos")


def test_an_edit_that_met_nothing_names_the_neighbours() -> None:
    rec = Recorder(edits=[Edit("blocks.0.attn.wieghts", (), "zero")], only=["logits"])
    rec.at("blocks.0.attn")("weights", zeros(1), "batch", by="")
    with pytest.raises(UserError, match="did you mean blocks.0.attn.weights"):
        rec.check_edits()


# -- means


def traced(**values: np.ndarray) -> Trace:
    rec = Recorder()
    for name, value in values.items():
        axes = {4: "batch head query key", 3: "batch pos d_model", 2: "batch key"}[value.ndim]
        rec(name, torch.from_numpy(value), axes, by="")
    return Trace(rec.activations)


def test_means_are_over_positions() -> None:
    generator = np.random.default_rng(0)
    embed, weights, keys = (
        generator.normal(size=(1, 5, 3)),
        generator.normal(size=(1, 2, 4, 6)),
        np.ones((1, 3)),
    )
    trace = traced(embed=embed, weights=weights, keys=keys)
    found = with_means([Edit(name, (0,), "mean") for name in ("embed", "weights", "keys")], trace)
    for edit, value, axis in zip(found, (embed, weights, keys), (1, 2, 1), strict=True):
        assert edit.tensor is not None and edit.tensor.shape == value.shape
        np.testing.assert_allclose(edit.tensor, np.broadcast_to(value.mean(axis, keepdims=True), value.shape))
        assert edit.index == (0,) and edit.op == "mean" and str(edit).endswith("[0]=mean")


def test_means_leave_masked_scores_out_and_masked() -> None:
    scores = np.array([[[[1.0, -np.inf, -np.inf], [3.0, 5.0, -np.inf]]]])
    (edit,) = with_means([Edit("scores", (), "mean")], traced(scores=scores))
    assert edit.tensor is not None
    assert edit.tensor.tolist() == [[[[2.0, -np.inf, -np.inf], [2.0, 5.0, -np.inf]]]]


def test_values_from_the_pinned_run() -> None:
    a = np.arange(6.0).reshape(1, 2, 3)
    edit = Edit.parse("embed [0, 1] = from:A")
    assert edit.patches and edit.tensor is None and str(edit) == "embed[0,1]=from:A"
    assert not Edit.parse("embed=zero").patches
    edits = with_pinned([edit, Edit("other", (), "zero")], traced(embed=a))
    assert edits[1].tensor is None
    rec = Recorder(edits=edits[:1])
    made = rec("embed", -torch.ones(1, 2, 3), "batch pos d_model", by="")
    assert made.tolist() == [[[-1.0, -1.0, -1.0], [3.0, 4.0, 5.0]]]


def test_what_the_pinned_run_does_not_hold_is_told() -> None:
    with pytest.raises(UserError, match="A, the pinned run, has no activation named 'embd'; .*embed"):
        with_pinned([Edit.parse("embd=from:A")], traced(embed=np.zeros((1, 2))))
    with pytest.raises(UserError, match="its text has no tokens"):
        with_pinned([Edit.parse("embed=from:A")], Trace({}))
    with pytest.raises(UserError, match="A stands for a pinned run, and no run is pinned"):
        Recorder(edits=[Edit.parse("embed=from:A")])("embed", zeros(1, 2), "batch pos", by="")


# -- the trace


def test_a_trace_finds_activations_inputs_and_parameters() -> None:
    trace = labelled()
    trace.inputs["ids"] = Activation("ids", torch.tensor([[3, 4]]), ("batch", "pos"), kind="input")
    assert "logits" in trace and "ids" in trace and "head.weight" in trace and "nothing" not in trace
    assert [trace[name].kind for name in ("logits", "ids", "head.weight")] == [
        "activation",
        "input",
        "parameter",
    ]
    assert trace["head.weight"].axes == ("row", "column")
    with pytest.raises(UserError, match="did you mean logits"):
        trace["logit"]
    with pytest.raises(UserError, match="⟨U\\+202E⟩"):
        trace["\u202e"]
    assert trace.with_output({"tags": []}).output == {"tags": []} and trace.output == {}


def test_arrays_of_every_type() -> None:
    assert as_array(torch.ones(2, dtype=torch.bfloat16)).dtype == np.float32
    assert as_array(torch.ones(2, dtype=torch.float16)).dtype == np.float32
    assert as_array(torch.ones(2, dtype=torch.float64)).dtype == np.float64
    assert as_array(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]
    assert as_array(torch.tensor([True])).dtype == np.bool_
    array = np.zeros(3)
    assert as_array(array) is array
    tensor = torch.zeros(3)
    as_array(tensor)[0] = 1.0
    assert tensor[0] == 1.0, "on the CPU there is no copy"


def test_hints() -> None:
    assert did_you_mean("wieghts", ["weights", "z"]) == "did you mean weights?"
    assert did_you_mean("xyzzy", ["weights", "z"]) == "there are weights, z"
    assert did_you_mean("xyzzy", []) == "there are —"


def test_tracing_and_formulas_load_no_torch() -> None:
    code = "import sys, nlptui.trace, nlptui.formula, nlptui.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

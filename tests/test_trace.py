"""The recorder: scopes, names, edits, what is kept; and the trace that it leaves."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from nlptui.edits import Edit
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

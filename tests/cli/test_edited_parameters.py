"""Edits of parameters on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nlptui.edits import Edit
from nlptui.engine import Engine
from tests.cli.conftest import Nlptui

TEXT = "the old can"


def test_trace_explain_view_and_predict_run_with_the_edited_parameter(nlptui: Nlptui, models: Path) -> None:
    edit, options = "blocks.0.attn.wo.weight[3,4]=force:2", ("-m", "gpt", "--edit")
    expected = Engine.load(models / "gpt", device="cpu").trace(TEXT, [edit])
    traced = nlptui("trace", TEXT, *options, edit, "--only", "logits", "--json").json
    found = np.array(traced["activations"]["logits"]["values"])
    np.testing.assert_allclose(found, expected.array("logits"), atol=1e-6)
    made = ("--name", "blocks.0.attn.wo.weight", "--index", "3,4", "--json")
    opened = nlptui("explain", TEXT, *options, edit, *made).json
    assert opened["value"] == 2.0 and "unedited" in opened["formula"]
    scaled = nlptui("explain", TEXT, *options, edit.replace("force:2", "scale:3"), *made).json
    (first, _constant) = scaled["terms"]
    assert first["name"] == "blocks.0.attn.wo.weight.unedited" and first["factor"] == 3.0
    assert first["value"] * 3 == pytest.approx(scaled["value"], abs=1e-6)
    assert "blocks.0.attn.wo.weight[3,4]=force:2" in nlptui("view", "effect", TEXT, *options, edit).out
    plain = nlptui("predict", TEXT, "-m", "gpt", "--json").json["output"]
    assert nlptui("predict", TEXT, *options, edit, "--json").json["output"] != plain
    assert nlptui("predict", TEXT, "-m", "gpt", "--json").json["output"] == plain


def test_generate_writes_with_the_edited_parameter(nlptui: Nlptui) -> None:
    options = ("generate", "the", "-m", "gpt", "--temperature", "0", "--max-tokens", "4", "--json")
    plain = json.loads(nlptui(*options).out)["tokens"]
    edited = json.loads(nlptui(*options, "--edit", f"token_embedding.weight[{plain[0]['id']},:]=zero").out)
    assert plain[0]["logprob"] > edited["tokens"][0]["logprob"]
    refused = nlptui(*options, "--edit", "blocks.0.attn.z=zero", status=1)
    assert "blocks.0.attn.z is no parameter" in refused.err and refused.err.count("\n") == 1


def test_a_parameter_is_patched_from_the_model_of_another_run(nlptui: Nlptui) -> None:
    """The weights before training, put back into one layer."""
    name, before = "blocks.1.mlp.down.weight", "gpt@before"
    patch = ("--edit", f"{name}=from:A", "--pin", TEXT, "--pin-model", before)
    found = nlptui("trace", TEXT, "-m", "gpt", *patch, "--only", "logits", "--json").json
    donor = Engine.load("gpt@before", device="cpu").parameters[name].detach().numpy()
    put_back = Edit(name, (), "from", tensor=donor)
    expected = Engine.load("gpt", device="cpu").trace(TEXT, [put_back]).array("logits")
    values = np.array(found["activations"]["logits"]["values"])
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert not np.allclose(values, Engine.load("gpt", device="cpu").trace(TEXT).array("logits"))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("blocks.0.atn.wo.weight=zero", "did you mean blocks.0.attn.wo.weight"),
        ("pos_embedding.weight[99,:]=zero", "the index does not fit pos_embedding.weight"),
    ],
)
def test_what_fits_no_parameter_is_one_line(nlptui: Nlptui, edit: str, said: str) -> None:
    refused = nlptui("trace", TEXT, "-m", "gpt", "--edit", edit, status=1)
    assert said in refused.err and refused.err.count("\n") == 1 and not refused.out

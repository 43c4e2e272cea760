"""Runs that take values from another one, the run A of --pin, and what a decoder has read: --written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlptui.engine import Engine
from tests.cli.conftest import Nlptui

CLEAN, CORRUPT = "the old can", "the red can"
LOGITS = ("--only", "logits", "--json")


def values(said: Any, name: str) -> np.ndarray:
    """A traced activation, infinities included."""
    return np.array(
        json.loads(json.dumps(said["activations"][name]["values"]), parse_float=float), dtype=float
    )


def traced(nlptui: Nlptui, text: str, *options: str, model: str = "gpt", name: str = "logits") -> np.ndarray:
    return values(nlptui("trace", text, "-m", model, *options, "--only", name, "--json").json, name)


def test_what_is_patched_everywhere_is_the_other_run(nlptui: Nlptui) -> None:
    """Denoising: after the last block taken whole from A, nothing of B is left."""
    clean, corrupt = traced(nlptui, CLEAN), traced(nlptui, CORRUPT)
    assert np.abs(clean - corrupt).max() > 1e-3
    last = ("--edit", "blocks.1.resid_post=from:A", "--pin", CLEAN)
    np.testing.assert_allclose(traced(nlptui, CORRUPT, *last), clean, atol=1e-6)
    noised = ("--edit", "blocks.1.resid_post=from:A", "--pin", CORRUPT)
    np.testing.assert_allclose(traced(nlptui, CLEAN, *noised), corrupt, atol=1e-6)


def test_a_patch_of_a_part_is_that_of_a_file(nlptui: Nlptui, tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    nlptui("trace", CLEAN, "-m", "gpt", "--npz", str(file))
    for place in ("blocks.0.attn.z[0,1,:,:]", "blocks.0.resid_post[:,4,:]", "embed"):
        pinned = ("--edit", f"{place}=from:A", "--pin", CLEAN)
        read = traced(nlptui, CORRUPT, "--edit", f"{place}=from:{file}")
        np.testing.assert_array_equal(traced(nlptui, CORRUPT, *pinned), read)
        assert not np.array_equal(read, traced(nlptui, CORRUPT))


def test_predict_says_what_the_patched_run_says(nlptui: Nlptui) -> None:
    ask = ("predict", "-m", "tag-lstm", "--json")
    patch = ("--edit", "layers.0.hidden=from:A", "--pin", "the old keeper")
    own = nlptui(*ask, "the old keeper").json["output"]
    # Every line of a pipe is patched.
    lines = nlptui(*ask, *patch, stdin="paint a can\nwind a can\n").out.splitlines()
    assert len(lines) == 2
    for line in lines:
        tags = json.loads(line)["output"]["tags"]
        assert [tag["tag"] for tag in tags] == [tag["tag"] for tag in own["tags"]]
        assert [tag["prob"] for tag in tags] == pytest.approx([tag["prob"] for tag in own["tags"]], abs=1e-6)


def test_explain_opens_a_patched_number(nlptui: Nlptui, models: Path) -> None:
    given = Engine.load(models / "gpt", device="cpu").trace(CLEAN).array("embed")
    patch = ("--edit", "embed[0,4,:]=from:A", "--pin", CLEAN)
    said = nlptui("explain", CORRUPT, "-m", "gpt", *patch, "--name", "embed", "--index", "0,4,3", "--json")
    assert said.json["value"] == pytest.approx(float(given[0, 4, 3]), abs=1e-6)
    assert said.json["total"] == pytest.approx(said.json["value"], abs=1e-6)
    assert "edits.embed.constant" in [term["name"] for term in said.json["terms"]]


def test_a_has_a_model_a_pair_and_edits_of_its_own(nlptui: Nlptui, models: Path) -> None:
    # pool-bert and class-bert are of one shape.
    embed = traced(
        nlptui, CORRUPT, "--edit", "embed=from:A", "--pin", CLEAN, "--pin-model", "class-bert", "--pooling",
        "max", model="pool-bert", name="embed",
    )  # fmt: skip
    np.testing.assert_array_equal(embed, Engine.load(models / "class-bert").trace(CLEAN).array("embed"))
    zero = ("--edit", "embed=from:A", "--pin", CLEAN, "--pin-edit", "embed=zero")
    np.testing.assert_array_equal(
        traced(nlptui, CORRUPT, *zero), traced(nlptui, CORRUPT, "--edit", "embed=zero")
    )
    pair = ("--edit", "blocks.1.mlp_norm=from:A", "--pin", "a can", "--pin-pair", "a cat")
    found = traced(nlptui, "a cat", "--pair", "a can", *pair, model="bert", name="nsp.logits")
    expected = traced(nlptui, "a can", "--pair", "a cat", model="bert", name="nsp.logits")
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("command", ["trace", "predict", "explain", "view"])
def test_what_a_decoder_has_read(nlptui: Nlptui, models: Path, command: str) -> None:
    trace = Engine.load(models / "translator", device="cpu").trace("a can", target=(5, 7))
    words = {"explain": ["--name", "logits", "--index", "0,1,3"], "trace": ["--only", "logits"]}.get(
        command, []
    )
    view = ["activation"] if command == "view" else []
    named = ["--name", "logits"] if command == "view" else []
    ask = [command, *view, "a can", "-m", "translator", "--json", *words, *named]
    said = nlptui(*ask, "--written", "5,7").json
    if command == "trace":
        np.testing.assert_array_equal(values(said, "logits"), trace.array("logits"))
    elif command == "explain":
        assert said["value"] == pytest.approx(float(trace.array("logits")[0, 1, 3]), abs=1e-6)
    elif command == "predict":
        assert [token["id"] for token in said["output"]["tokens"]] == [5, 7]
        scores = trace["logits"].value[0].double().log_softmax(-1)
        logprobs = [token["logprob"] for token in said["output"]["tokens"]]
        assert logprobs == pytest.approx([float(scores[0, 5]), float(scores[1, 7])], abs=1e-6)
    else:
        np.testing.assert_array_equal(np.array(said["parts"][0]["values"]), trace.array("logits")[0])
    assert nlptui(*ask, "--written", "6,7").json != said


def test_what_a_decoder_has_read_in_a(nlptui: Nlptui, models: Path) -> None:
    engine = Engine.load(models / "translator", device="cpu")
    given = engine.trace("a can", target=(5, 7)).array("decoder.1.mlp_norm")
    found = traced(
        nlptui, "a can", "--written", "5,9", "--edit", "decoder.1.mlp_norm=from:A", "--pin", "a can",
        "--pin-written", "5,7", model="translator", name="decoder.1.mlp_norm",
    )  # fmt: skip
    np.testing.assert_array_equal(found, given)
    assert not np.array_equal(given, engine.trace("a can", target=(5, 9)).array("decoder.1.mlp_norm"))


def test_a_view_is_compared_with_a(nlptui: Nlptui) -> None:
    view = ("view", "attention", "-m", "gpt", "--layer", "1", "--head", "2", "--json")
    compared = nlptui(*view, CORRUPT, "--pin", CLEAN).json["parts"]
    a, b = (np.array(nlptui(*view, text).json["parts"][0]["values"]) for text in (CLEAN, CORRUPT))
    assert [part["title"].split(" · ")[0] for part in compared] == ["A", "B", "A − B"]
    for part, expected in zip(compared, (a, b, a - b), strict=True):
        np.testing.assert_allclose(np.array(part["values"]), expected, atol=1e-7)
    text = nlptui(*view[:-1], CORRUPT, "--pin", CLEAN).out
    assert "A · " in text and "A − B · " in text


def test_two_heads_of_one_run_are_compared(nlptui: Nlptui) -> None:
    view = ("view", "attention", CLEAN, "-m", "gpt", "--json")
    one, two = (
        np.array(nlptui(*view, "--layer", layer, "--head", head).json["parts"][0]["values"])
        for layer, head in (("0", "1"), ("1", "2"))
    )
    a_at = ("--pin", CLEAN, "--pin-layer", "0", "--pin-head", "1")
    parts = nlptui(*view, "--layer", "1", "--head", "2", *a_at).json["parts"]
    for part, expected in zip(parts, (one, two, one - two), strict=True):
        np.testing.assert_allclose(np.array(part["values"]), expected, atol=1e-7)


def test_a_compared_view_asks_the_model_of_a_about_its_own_answer(nlptui: Nlptui) -> None:
    """The same letter has another number in another vocabulary."""
    view = ("view", "sources", "-m", "gpt", "--target", "c", "--json")
    parts = nlptui(*view, CORRUPT, "--pin", CLEAN).json["parts"]
    alone = nlptui(*view, CLEAN).json["parts"]
    assert parts[0]["values"] == alone[0]["values"]


def test_analyses_that_ask_about_a(nlptui: Nlptui, models: Path) -> None:
    """Cosines of the first token with those of A, by numpy."""
    layer = "blocks.1.resid_post"
    name = f"analysis.across.at_0.{layer}.cosine"
    found = traced(nlptui, CORRUPT, "--pin", "keeper", name=name)[0, 0]
    engine = Engine.load(models / "gpt", device="cpu")
    own, others = engine.trace(CORRUPT).array(layer)[0, 0], engine.trace("keeper").array(layer)[0]
    cosines = others @ own / np.linalg.norm(others, axis=1) / np.linalg.norm(own)
    np.testing.assert_allclose(found, cosines, atol=1e-6)
    explained = nlptui(
        "explain", CORRUPT, "-m", "gpt", "--pin", "keeper", "--name", name, "--index", "0,0,2", "--json"
    )
    assert explained.json["value"] == pytest.approx(float(cosines[2]), abs=1e-6)


def test_where_a_has_nothing_to_compare_the_caption_says_so(nlptui: Nlptui) -> None:
    said = nlptui(
        "view", "attention", CLEAN, "-m", "gpt", "--pin", CLEAN, "--pin-model", "tag-lstm", "--json"
    )
    assert len(said.json["parts"]) == 1 and "A, has nothing to show" in said.json["caption"]


def test_the_first_screen_is_compared_too(nlptui: Nlptui) -> None:
    out = nlptui(CORRUPT, "-m", "gpt", "--view", "attention", "--pin", CLEAN).out
    assert "A · " in out and "B · " in out
    assert "A · " not in nlptui(CORRUPT, "-m", "gpt", "--view", "attention").out


def test_a_text_too_long_for_a_is_said_of_a(nlptui: Nlptui) -> None:
    said = nlptui("view", "attention", CLEAN, "-m", "gpt", "--pin", "a can " * 9)
    assert said.err.startswith("--pin: ") and said.err.count("\n") == 1


WRONG_USE = [
    (["trace", "x", "--edit", "embed=from:A"], "--edit embed=from:A is about the run A"),
    (["trace", "x", "--edit", "embed = from:A"], "--pin TEXT"),
    (["predict", "x", "--pin-model", "gpt"], "--pin-model is about the run A"),
    (["predict", "x", "--pin-pair", ""], "--pin-pair is about the run A"),
    (["view", "attention", "x", "--pin-edit", "embed=zero"], "--pin-edit is about the run A"),
    (["view", "attention", "x", "--pin-head", "1"], "--pin-head is about the run A"),
    (["explain", "x", "--name", "logits", "--index", "0,0,0", "--pin-written", "1"], "--pin-written"),
    (["predict", "x", "--pin", "y"], "--pin changes nothing"),
    (["predict", "x", "--pin", "y", "--edit", "embed=zero"], "--pin changes nothing"),
    (["trace", "x", "--edit", "embed=from:A", "--pin", "y", "--pin-edit", "q=from:A"], "--pin-edit"),
    (["x", "--edit", "embed=from:A"], "--pin TEXT"),
    (["trace", "x", "--written", "a"], "--written a: write ids, as in --written 12,5,903"),
    (["trace", "x", "--edit", "embed=from:A", "--pin", "y", "--pin-written", "-1"], "--pin-written -1"),
    (["trace", "x", "--edit", "embed=form:A"], "from:A"),
]
FAILURES = [
    (["predict", "ab", "--edit", "embed=from:A", "--pin", "abc"], "[1, 3, 12], but embed has [1, 2, 12]"),
    (["predict", "ab", "--edit", "embd=from:A", "--pin", "ab"], "A, the pinned run, has no activation"),
    (["predict", "ab", "--edit", "embed=from:A", "--pin", ""], "its text has no tokens"),
    (["view", "attention", "ab", "--pin", "ab", "--pin-model", "gtp"], "no model named 'gtp'"),
    (["trace", "ab", "--written", "1"], "gpt writes no translation"),
    (["view", "attention", "ab", "--pin", "ab", "--pin-written", "1"], "gpt writes no translation"),
    (["view", "attention", "ab", "--pin", "ab", "--pin-head", "9"], "--pin-head 9: the view attention"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "hint"), WRONG_USE, ids=lambda value: " ".join(value) if value else "")
def test_wrong_use_of_a(nlptui: Nlptui, words: list[str], hint: str) -> None:
    said = nlptui(*words, "-m", "gpt", status=2)
    assert hint in said.err and said.err.count("\n") == 1 and not said.out


@pytest.mark.parametrize(("words", "hint"), FAILURES, ids=lambda value: " ".join(value) if value else "")
def test_what_a_cannot_give(nlptui: Nlptui, words: list[str], hint: str) -> None:
    said = nlptui(*words, "-m", "gpt", status=1)
    assert hint in said.err and said.err.count("\n") == 1 and not said.out


@pytest.mark.parametrize("words", [words for words, _hint in WRONG_USE + FAILURES], ids=" ".join)
def test_these_errors_are_translated(nlptui: Nlptui, words: list[str]) -> None:
    told = nlptui("--lang", "zh", *words, "-m", "gpt", status=None).err
    said = re.sub(r"nlptui [a-z ]+", "", told)
    assert re.search("[一-鿿]", told) and not re.search(r"[A-Za-z][a-z]+(?: [a-z]+){2,}", said), told


def test_a_file_that_is_called_a_is_read_by_its_path(
    nlptui: Nlptui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "A").open("wb") as file:
        np.savez(file, embed=np.zeros((1, 2, 12)))
    edited = traced(nlptui, "ab", "--edit", "embed=from:./A", name="embed")
    assert not edited.any()

"""A model is trained, watched, resumed and used, all from the command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow
Nlptui = Callable[..., subprocess.CompletedProcess[str]]
RECIPE = """
name = "tiny"
[data]
corpus = "en_shakespeare"
[tokenizer]
kind = "characters"
[model]
arch = "gpt"
task = "language_model"
d_model = 16
n_layers = 1
n_heads = 2
d_ff = 32
context = 16
[train]
steps = 20
batch_size = 4
log_every = 5
evaluate_every = 10
save_every = 10
device = "cpu"
nice = 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpora" / "en_shakespeare"
    corpus.mkdir(parents=True)
    (corpus / "input.txt").write_text("The keeper sees the sea; the sea sees the keeper.\n" * 80)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def nlptui(folder: Path, programs: Path) -> Nlptui:
    environment = os.environ | {
        "NLPTUI_HOME": str(folder / "home"),
        "NLPTUI_DATA": str(folder / "corpora"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [programs / "nlptui", *arguments], cwd=folder, env=environment,
            capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done

    return run


def test_from_recipe_to_text(folder: Path, nlptui: Nlptui) -> None:
    done = nlptui("train", "tiny.toml", "--foreground", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["step"] == 20 and "done at step 20/20" in done.stderr
    shown = json.loads(nlptui("runs", "show", "tiny", "--json").stdout)
    assert shown["state"] == "done" and shown["step"] == 20 and shown["metrics"]

    started = nlptui("runs", "resume", "tiny", "--set", "train.steps=30")
    assert started.stdout == "tiny\n"
    assert "done at step 30/30" in nlptui("runs", "follow", "tiny").stderr

    checkpoint = folder / "home" / "data" / "runs" / "tiny" / "step_000030"
    said = nlptui("generate", "The", "--model", str(checkpoint), "--max-tokens", "5", "--json").stdout
    assert len(json.loads(said)["tokens"]) == 5

    kept = nlptui("runs", "keep", "tiny", "mine")
    assert kept.stdout.startswith("mine: step ") and "on test: loss " in kept.stdout
    assert kept.stdout.count("\n") == 1
    assert "exists already" in nlptui("runs", "keep", "tiny", "mine", status=1).stderr
    named = nlptui("generate", "The", "--model", "mine", "--max-tokens", "5", "--json").stdout
    assert len(json.loads(named)["tokens"]) == 5
    nlptui("runs", "rm", "tiny")
    assert json.loads(nlptui("runs", "--json").stdout) == {"runs": []}


def test_a_wrong_setting_is_said_before_anything_starts(nlptui: Nlptui) -> None:
    done = nlptui("train", "tiny.toml", "--set", "train.stepz=5", status=1)
    assert "train.stepz" in done.stderr and done.stderr.count("\n") == 1
    assert json.loads(nlptui("runs", "--json").stdout) == {"runs": []}


WORD_VECTORS = """
name = "company"
[data]
corpus = "en_shakespeare"
[tokenizer]
kind = "words"
[model]
arch = "word2vec"
task = "skip_gram"
d_embed = 8
window = 2
subsample = 0.0
[train]
steps = 300
batch_size = 256
learning_rate = 0.03
log_every = 100
evaluate_every = 0
save_every = 0
device = "cpu"
nice = 0
"""


def test_word_vectors_from_recipe_to_explanation(folder: Path, nlptui: Nlptui) -> None:
    (folder / "company.toml").write_text(WORD_VECTORS)
    nlptui("train", "company.toml", "--foreground")
    model = str(next((folder / "home").rglob("step_000300")))
    assert json.loads(nlptui("runs", "show", "company", "--json").stdout)["state"] == "done"
    measured = json.loads(nlptui("evaluate", model, "--json").stdout)
    assert 0 < measured["metrics"]["loss"] < measured["baselines"]["loss"]
    said = json.loads(nlptui("predict", "the zyzzyva sees", "--model", model, "--json").stdout)
    assert [entry["pos"] for entry in said["output"]["candidates"]] == [0, 2]
    best = said["output"]["candidates"][0]["tokens"][0]
    assert best["text"] in ("keeper", "sea"), "who stands beside the article"
    traced = json.loads(nlptui("trace", "the zyzzyva sees", "--model", model, "--json").stdout)
    assert list(traced["activations"]) == ["token_embed", "logits", "probs"]
    index = f"0,0,{best['id']}"
    options = ("--model", model, "--name", "logits", "--index", index, "--json")
    made = json.loads(nlptui("explain", "the zyzzyva sees", *options).stdout)
    assert len(made["terms"]) == 8
    total = sum(term["value"] * term["factor"] for term in made["terms"])
    assert made["value"] == pytest.approx(total, abs=1e-5)
    nothing = nlptui("predict", "zyzzyva", "--model", model)
    assert "none of these words is in the model's vocabulary" in nothing.stderr
    shown = nlptui("view", "output", "the sea", "--model", model, "--text").stdout
    assert "words that 'the' (0) draws to itself" in shown

"""Wrong use and failures: one line on stderr that says what, where and what to do; nothing on stdout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Nlptui

WRONG_USE = [
    (["modles"], "did you mean models"),
    (["runs", "shw"], "did you mean show"),
    (["data", "lst"], "did you mean list"),
    (["models", "--jsn"], "did you mean --json"),
    (["predict", "x"], "there are"),
    (["predict", "x", "-m"], "option -m needs a value"),
    (["view", "attetion", "x", "-m", "gpt"], "did you mean attention"),
    (["view"], "VIEW"),
    (["explain", "x", "-m", "gpt", "--name", "logits", "--index", "0,a"], "--index 0,2,5"),
    (["explain", "x", "-m", "gpt", "--name", "logits"], "--index"),
    (["trace", "x", "-m", "gpt", "--json", "--npz", "a.npz"], "choose one"),
    (["--device", "gpu", "models"], "cuda"),
    (["models", "--device=gpu"], "cuda"),
    (["--lang", "fr", "models"], "zh"),
    (["x", "--at", "here"], "--at 3,17"),
    (["x", "--nothing"], "--nothing"),
    (["generate", "x", "-m", "gpt", "--max-tokens", "-1"], "--max-tokens"),
    (["generate", "x", "-m", "gpt", "--top-p", "0"], "--top-p"),
    (["completion", "tcsh"], "bash"),
    (["completion"], "choose one of bash, zsh, fish"),
    (["evaluate", "gpt", "--split", "foo"], "choose one of train, dev, test"),
    (["trace", "x", "-m", "no model is loaded", "--edit", "foo"], "NAME[0,2,:,:]=zero"),
    (["trace", "x", "-m", "gpt", "--edit", "embed=double"], "embed=double"),
    (["x", "-m", "no model is loaded", "--edit", "embed[a]=zero"], "--edit"),
    (["predict", "x", "-m", "gpt", "--edit", "embed=from:nowhere.npz"], "nowhere.npz"),
    (["trace", "x", "-m", "gpt", "--csv", ""], "--csv"),
    (["trace", "x", "-m", "gpt", "--npz", ""], "--npz"),
    (["view", "tokens", "x", "-m", "gpt", "--svg", ""], "--svg"),
    (["view", "tokens", "x", "-m", "gpt", "--html="], "the file's name is empty"),
    (["predict", "a", "b", "-m", "gpt"], "too many words: b"),
    (["a", "b"], "too many words: b"),
    (["train"], "RECIPE"),
    (["runs", "rm"], "RUN"),
]

FAILURES = [
    (["predict", "x", "-m", "gtp"], "gpt"),
    (["predict", "x", "-m", "./nowhere"], "nowhere"),
    (["tokenize", "x", "-t", "nothing"], "nothing"),
    (["tokenize", "x", "-t", "nothing"], "bytes"),
    (["explain", "x", "-m", "gpt", "--name", "logit", "--index", "0,0,0"], "logits"),
    (["explain", "x", "-m", "gpt", "--name", "logits", "--index", "0,0,9999"], "9999"),
    (["explain", "x", "-m", "gpt", "--name", "logits", "--index", "0"], "logits"),
    (["trace", "x", "-m", "gpt", "--only", "blocks.0.attn.wieghts"], "blocks.0.attn.weights"),
    (["trace", "x", "-m", "gpt", "--edit", "embd=zero"], "embed"),
    (["trace", "x", "-m", "gpt", "--edit", "embed[0,99]=zero"], "embed"),
    (["trace", "x", "-m", "gpt", "--npz", "/nowhere/a.npz"], "/nowhere"),
    (["view", "attention", "x", "-m", "tag-lstm"], "gates"),
    (["view", "attention", "x", "-m", "gpt", "--layer", "9"], "view attention of gpt has only 0 to 1"),
    (["view", "attention", "x", "-m", "gpt", "--head", "9"], "--head 9: the view attention"),
    (["view", "tree", "x", "-m", "gpt", "--layer", "1"], "leave --layer out"),
    (["view", "hidden", "a b", "-m", "tag-lstm", "--position", "2"], "the tokens 0 to 1"),
    (["view", "activation", "x", "-m", "gpt", "--name", "logit"], "logits, …"),
    (["view", "attention", "x", "-m", "gpt", "--name", "nope"], "weights, scores, scaled, dot"),
    (["view", "tokens", "x", "-m", "gpt", "--name", "nope"], "leave --name out"),
    (["x", "-m", "gpt", "--layer", "9"], "--layer 9"),
    (["x", "-m", "gpt", "--view", "activation", "--name", "nope"], "--name nope"),
    (["generate", "x", "-m", "tag-lstm"], "tag-lstm"),
    (["train", "nothing"], "nothing"),
    (["train", "nothing.toml"], "nothing.toml"),
]


def _words(value: list[str] | str) -> str:
    return " ".join(value) if isinstance(value, list) else ""


@pytest.mark.parametrize(("arguments", "hint"), WRONG_USE, ids=_words)
def test_wrong_use(nlptui: Nlptui, arguments: list[str], hint: str) -> None:
    result = nlptui(*arguments, status=2)
    assert hint in result.err and result.err.startswith("nlptui: ") and result.err.count("\n") == 1
    assert "--help" in result.err and not result.out


@pytest.mark.parametrize(("arguments", "hint"), FAILURES, ids=_words)
def test_failure(nlptui: Nlptui, arguments: list[str], hint: str) -> None:
    result = nlptui(*arguments, status=1)
    assert hint in result.err and result.err.startswith("nlptui: ") and result.err.count("\n") == 1
    assert not result.out


@pytest.mark.parametrize("arguments", [arguments for arguments, _hint in WRONG_USE + FAILURES], ids=_words)
def test_errors_are_in_the_language_that_was_asked_for(nlptui: Nlptui, arguments: list[str]) -> None:
    told = nlptui("--lang", "zh", *arguments, status=None)
    assert told.status in (1, 2) and re.search("[一-鿿]", told.err)
    # Commands, axes and what the system says stay as they are.
    said = re.sub(r"nlptui [a-z ]+|no model is loaded|batch pos vocab|\[Errno[^']*", "", told.err)
    assert not re.search(r"[A-Za-z][a-z]+(?: [a-z]+){2,}", said), told.err


def test_the_language_of_an_error_that_ends_before_options_are_read(nlptui: Nlptui) -> None:
    for line in ("models --foo --lang zh", "models --foo --lang=zh", "--lang zh models --foo"):
        assert "没有" in nlptui(*line.split(), status=2).err
    for line in ("models --foo", "models --foo -- --lang zh", "models --foo --lang fr"):
        assert "no option" in nlptui(*line.split(), status=2).err


def test_a_malformed_edit_is_said_before_torch_loads(models: Path) -> None:
    code = (
        "import sys; from nlptui import cli\n"
        "assert cli.run(['predict', 'x', '-m', 'gpt', '--edit', 'foo']) == 2\n"
        "assert 'torch' not in sys.modules"
    )
    environment = os.environ | {"NLPTUI_MODELS": str(models)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("ended", "status"), [(0, 0), (1, 1), (2, 2), (-9, 1)])
def test_bench_passes_wrong_use_on(
    nlptui: Nlptui, monkeypatch: pytest.MonkeyPatch, ended: int, status: int
) -> None:
    done = subprocess.CompletedProcess([], ended)
    monkeypatch.setattr(subprocess, "run", lambda *_words, **_options: done)
    nlptui("bench", "--foo", status=status)


HOSTILE = ["\x1b[31mred", "a\nb", "\u202eright", "[/bold]", "\udcff", "x" * 5000]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_reach_no_terminal(nlptui: Nlptui, name: str) -> None:
    for arguments in (
        ["predict", "x", "-m", name],
        ["predict", "x", "-m", f"./{name}"],
        ["tokenize", "x", "-t", name],
        ["data", "path", name],
        ["runs", "show", name],
        ["train", name],
        ["view", name, "x", "-m", "gpt"],
        ["trace", "x", "-m", "gpt", "--only", name],
        ["trace", "x", "-m", "gpt", "--edit", f"{name}=zero"],
        ["trace", "x", "-m", "gpt", "--npz", f"/nowhere/{name}/a"],
        ["runs", name],
    ):
        result = nlptui(*arguments, status=None)
        assert result.status in (1, 2) and result.err.count("\n") == 1, arguments
        assert not result.out and result.err[:-1].isprintable(), arguments


def test_a_folder_that_is_no_model(nlptui: Nlptui, tmp_path: Path) -> None:
    assert "config.json" in nlptui("predict", "x", "-m", str(tmp_path), status=1).err

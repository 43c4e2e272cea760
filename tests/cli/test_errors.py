"""Wrong use and failures: one line on stderr that says what, where and what to do; nothing on stdout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Nlptui

WRONG_USE = [
    (["modles"], "did you mean models"),
    (["runs", "shw"], "did you mean show"),
    (["data", "lst"], "did you mean list"),
    (["models", "--jsn"], "did you mean --json"),
    (["predict", "x"], "there are"),
    (["predict", "x", "-m"], "requires an argument"),
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
    (["train"], "RECIPE"),
    (["runs", "rm"], "RUN"),
]

FAILURES = [
    (["predict", "x", "-m", "gtp"], "gpt"),
    (["predict", "x", "-m", "./nowhere"], "nowhere"),
    (["tokenize", "x", "-t", "nothing"], "nothing"),
    (["explain", "x", "-m", "gpt", "--name", "logit", "--index", "0,0,0"], "logits"),
    (["explain", "x", "-m", "gpt", "--name", "logits", "--index", "0,0,9999"], "9999"),
    (["explain", "x", "-m", "gpt", "--name", "logits", "--index", "0"], "logits"),
    (["trace", "x", "-m", "gpt", "--only", "blocks.0.attn.wieghts"], "blocks.0.attn.weights"),
    (["trace", "x", "-m", "gpt", "--edit", "embed=double"], "embed=double"),
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

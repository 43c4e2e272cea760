"""`nlptui tokenize` and `nlptui tokenizer`: ids alone, steps, files by path, slow pipes, no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nlptui.tokenizers import build_tokenizer
from tests.cli.conftest import Nlptui
from tests.conftest import ROOT
from tests.tokenizers.tokenizer_cases import CHINESE, ENGLISH, TEXTS, TRICKY, made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_tokenizer("sentencepiece", TEXTS, vocab_size=300).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", ["wordpiece", "bytelevel", "sentencepiece-unigram", "words", "bytes"])
def test_ids_alone_are_the_ids_of_the_table(nlptui: Nlptui, tmp_path: Path, case: str) -> None:
    """Specials around the text, masks in it and hostile lines included."""
    made(case).save(tmp_path)
    texts = [text for text in [*ENGLISH, *CHINESE, *TRICKY] if "\n" not in text]
    pipe = "\n".join(text.encode("utf-8", "replace").decode() for text in texts)
    rows = nlptui("tokenize", "-t", str(tmp_path), "--ids", stdin=pipe).out.split("\n")[:-1]
    told = nlptui("tokenize", "-t", str(tmp_path), "--json", stdin=pipe).out.splitlines()
    assert len(rows) == len(told) == len(texts)
    for row, line in zip(rows, told, strict=True):
        assert row == " ".join(str(token["id"]) for token in json.loads(line)["tokens"])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_of_a_pipe_is_one_text(nlptui: Nlptui, end: str) -> None:
    for pipe, texts in (("a b", ["a b"]), (f"a{end}{end}船{end}", ["a", "", "船"]), ("", [])):
        told = nlptui("tokenize", "-t", "bytes", "--json", stdin=pipe).out.splitlines()
        assert [json.loads(line)["text"] for line in told] == texts
        assert nlptui("tokenize", "-t", "bytes", "--ids", stdin=pipe).out.count("\n") == len(texts)


def test_a_line_is_answered_before_the_next_one_comes() -> None:
    command = [sys.executable, "-m", "nlptui", "tokenize", "-t", "bytes", "--ids"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as made_by:
        assert made_by.stdin is not None and made_by.stdout is not None
        for text in ("a", "船"):
            made_by.stdin.write(text + "\n")
            made_by.stdin.flush()
            assert len(made_by.stdout.readline().split()) == len(text.encode())
        made_by.stdin.close()


def test_the_steps_are_printed(nlptui: Nlptui, folder: Path) -> None:
    path = str(folder / "tokenizer.model")
    ids = nlptui("tokenize", ENGLISH[0], "-t", path, "--ids").out.strip()
    shown = nlptui("tokenize", ENGLISH[0], "-t", path, "--steps", "--sample", "2", "--alpha", "0.2").out
    assert "lattice" in shown and "drawn segmentations" in shown and ids in shown
    told = nlptui("tokenize", ENGLISH[0], "-t", path, "--steps", "--json", "--best", "3").json
    assert told["steps"]["ids"] == list(map(int, ids.split())) and len(told["steps"]["best"]) == 3
    hostile = nlptui("tokenize", "a\x1b[31m\u202eb", "-t", path, "--steps").out
    assert "\x1b" not in hostile and "\u202e" not in hostile


def test_ids_go_with_neither_steps_nor_json(nlptui: Nlptui) -> None:
    for other in ("--json", "--steps"):
        assert "--ids" in nlptui("tokenize", "a", "-t", "bytes", "--ids", other, status=2).err


def test_one_is_trained_listed_used_and_looked_into(
    nlptui: Nlptui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path))
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(TEXTS), encoding="utf-8")
    nlptui("tokenizer", "train", str(corpus), "--kind", "unigram", "--vocab-size", "150", "--name", "mine")
    (one,) = nlptui("tokenizer", "list", "--json").json["tokenizers"]
    assert one == {"name": "mine", "kind": "sentencepiece", "vocab_size": 150}
    assert nlptui("tokenize", "the boat", "-t", "mine", "--ids").out.split()
    told = nlptui(
        "tokenizer", "vocabulary", "mine", "--sort", "length", "--descending", "-n", "3", "--json"
    ).json
    lengths = [len(token["token"]) for token in told["tokens"]]
    assert told["found"] == 150 and lengths == sorted(lengths, reverse=True)
    again = nlptui("tokenizer", "train", str(corpus), "--name", "mine", status=1)
    assert "already" in again.err and again.err.count("\n") == 1
    assert "unknown corpus" in nlptui("tokenizer", "train", "no_such", "--name", "x", status=1).err


def test_bpe_is_learnt_on_the_command_line(nlptui: Nlptui) -> None:
    merges = nlptui("tokenizer", "merges", "low low low", "--merges", "2", "--json").json["merges"]
    assert [(one["left"], one["right"], one["count"]) for one in merges] == [("l", "o", 3), ("▁", "lo", 3)]
    assert "l + o" in nlptui("tokenizer", "merges", "low low low").out


@pytest.mark.parametrize(
    "words",
    [
        ("tokenize", "a", "-t", "bert-en", "--steps"), ("tokenize", "a", "-t", "transformer-en-zh", "--ids"),
        ("tokenizer", "list"), ("tokenizer", "merges", "a b"), ("tokenizer", "vocabulary", "bytes"),
    ],
)  # fmt: skip
def test_no_torch_is_loaded(words: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "import sys; from nlptui import cli\n"
        f"assert cli.run({list(words)!r}) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    environment = os.environ | {"NLPTUI_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

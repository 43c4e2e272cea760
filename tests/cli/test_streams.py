"""The command line as a process: pipes, encodings, signals, hostile text, and what completion answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

Process = subprocess.CompletedProcess[bytes]


@pytest.fixture
def environment(models: Path, tmp_path: Path) -> dict[str, str]:
    return os.environ | {"NLPTUI_MODELS": str(models), "NLPTUI_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}


def nlptui(
    environment: dict[str, str], *arguments: str | bytes, stdin: bytes = b"", **changes: str
) -> Process:
    return subprocess.run(
        [sys.executable, "-m", "nlptui", *arguments],
        input=stdin, capture_output=True, env=environment | changes, cwd=ROOT, timeout=120, check=False,
    )  # fmt: skip


def test_arguments_and_pipes_that_are_no_utf8(environment: dict[str, str]) -> None:
    for done in (
        nlptui(environment, "tokenize", b"caf\xe9", "-t", "bytes", "--json"),
        nlptui(environment, "tokenize", "-t", "bytes", "--json", stdin=b"caf\xe9\n"),
    ):
        assert done.returncode == 0 and json.loads(done.stdout)["text"] == "caf\udce9"
        assert done.stdout.isascii()


def test_a_terminal_that_cannot_say_chinese(environment: dict[str, str]) -> None:
    done = nlptui(environment, "tokenize", "白", "-t", "gpt", "--json", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0 and b"\\u767d" in done.stdout


HOSTILE = "[/bold] [@click=app.quit]x[/] \x1b[2J\x1b]0;owned\x07 \x9b31m \u202eevil \u200b"


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("command", ["predict", "trace"])
def test_hostile_text_reaches_no_terminal(
    environment: dict[str, str], programs: Path, command: str, form: list[str]
) -> None:
    done = subprocess.run(
        [programs / "nlptui", command, HOSTILE, "-m", "tag-lstm", *form],
        stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    shown = done.stdout.decode() + done.stderr.decode()
    assert not any(bad in shown for bad in "\x1b\x07\x9b\u202e\u200b")


def test_a_reader_that_leaves_is_no_error(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"one\n" * 20000)
    command = [sys.executable, "-m", "nlptui", "tokenize", "-t", "bytes", "--json"]
    with (
        (tmp_path / "lines").open("rb") as lines,
        subprocess.Popen(
            command, stdin=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=ROOT
        ) as process,
    ):
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 128 + signal.SIGPIPE


def test_ctrl_c_is_one_line(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "nlptui", "tokenize", "-t", "bytes"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"one\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 128 + signal.SIGINT
        assert process.stderr.read() == b"nlptui: interrupted\n"
        process.stdin.close()


COMPLETIONS = [
    ("nlptui mo", "models"),
    ("nlptui ", "predict"),
    ("nlptui predict x --model ta", "tag-lstm"),
    ("nlptui --model ta", "tag-lstm"),
    ("nlptui tokenize -t by", "bytes"),
    ("nlptui evaluate qa", "qa-bert"),
    ("nlptui runs sh", "show"),
    ("nlptui data path en_e", "en_ewt"),
    ("nlptui view att", "attention"),
    ("nlptui predict --js", "--json"),
    ("nlptui --device cu", "cuda"),
    ("nlptui runs show mi", "mine"),
]


# What is completed is the same for each shell; how it is asked and told is not.
@pytest.mark.parametrize(
    ("shell", "words", "wanted"),
    [("bash", *asked) for asked in COMPLETIONS]
    + [(shell, *asked) for shell in ("zsh", "fish") for asked in COMPLETIONS[:3]],
)
def test_completion(environment: dict[str, str], programs: Path, shell: str, words: str, wanted: str) -> None:
    (Path(environment["NLPTUI_HOME"]) / "data" / "runs" / "mine").mkdir(parents=True)
    parts = words.split(" ")
    asked = {"_NLPTUI_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(parts) - 1)}
    if shell == "fish":
        asked |= {"COMP_CWORD": parts[-1]}
    done = subprocess.run(
        [programs / "nlptui"], stdin=subprocess.DEVNULL, capture_output=True, env=environment | asked,
        cwd=ROOT, timeout=120, check=False,
    )  # fmt: skip
    assert wanted in done.stdout.decode().replace(",", "\n").split()
    assert done.stderr == b""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_for_the_shell(environment: dict[str, str], shell: str) -> None:
    script = nlptui(environment, "completion", shell).stdout.decode()
    assert f"{shell}_complete" in script and "nlptui" in script

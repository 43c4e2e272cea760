"""Start-up: first paint against a bare Textual app, first attention numbers against `import torch`.

Each program starts in a pseudo-terminal of its own; a time runs from its start until the text that is waited
for stands in what it has sent. The programs take turns; the best of several counts.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from typing import Any

from nlptui.engine.library import list_models

ROUNDS = 7
COLUMNS, LINES = 120, 40
SENTENCE = "A lighthouse keeper paints."
TIMEOUT = 60.0
ESCAPES = re.compile(
    r"\x1b\[[0-9;?=>]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>A-Z]"
)

BARE = """
from textual.app import App, ComposeResult
from textual.widgets import Static
class Bare(App):
    def compose(self) -> ComposeResult:
        yield Static("A lighthouse keeper paints.")
Bare().run()
"""
WEIGHTS = r"0\.\d\d +0\.\d\d"


def seconds_until(command: list[str], pattern: str, environment: dict[str, str]) -> float:
    """From the start of `command` until `pattern` stands in its output."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment, start_new_session=True
    )
    os.close(follower)
    try:
        return _wait(leader, re.compile(pattern), started)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(leader)


def _wait(leader: int, pattern: re.Pattern[str], started: float) -> float:
    sent = b""
    while (now := time.perf_counter()) - started < TIMEOUT:
        if select.select([leader], [], [], 0.005)[0]:
            try:
                sent += os.read(leader, 1 << 16)
            except OSError:
                break
            if pattern.search(ESCAPES.sub("", sent.decode("utf-8", "replace"))):
                return now - started
    raise RuntimeError(f"{pattern.pattern!r} never appeared; the last output was {sent[-300:]!r}")


def attention_model() -> str:
    """The smallest shipped model that has attention."""
    entries = [entry for entry in list_models() if entry.arch in ("bert", "gpt") and not entry.problem]
    return min(entries, key=lambda entry: entry.parameters).name


def run() -> dict[str, Any]:
    model = attention_model()
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"NLPTUI_HOME": home, "TERM": "xterm-256color", "NLPTUI_LANG": "en"}
        environment.pop("SSH_CONNECTION", None)
        explorer = [sys.executable, "-m", "nlptui", SENTENCE, "--model", model, "--view", "attention"]
        programs = {
            "bare": ([sys.executable, "-c", BARE], re.escape(SENTENCE)),
            "paint": (explorer, re.escape(SENTENCE)),
            "torch": ([sys.executable, "-c", "import torch; print('imported')"], "imported"),
            "attention": (explorer, WEIGHTS),
        }
        best = dict.fromkeys(programs, float("inf"))
        for _n in range(ROUNDS):
            for name, (command, pattern) in programs.items():
                best[name] = min(best[name], seconds_until(command, pattern, environment))
    return {
        "first paint, s": best["paint"],
        "bare Textual app, s": best["bare"],
        "first paint / bare Textual app (aim 1.5)": best["paint"] / best["bare"],
        f"first attention numbers ({model}), s": best["attention"],
        "import torch, s": best["torch"],
        "first attention numbers / import torch (aim 1.6)": best["attention"] / best["torch"],
    }


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<52} {value:.3g}")

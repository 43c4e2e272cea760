"""From the last key to the last byte of the new picture: moves and edits in the real program, shipped models.

`nlptui TEXT --model M` runs in a pseudo-terminal with 32 tokens of text, in English and in Chinese. It gets
keys at random moments: cursor moves, layers, heads or directions in the common views, and letters typed into
the sentence. Each time runs to the last byte before the terminal falls quiet, and counts only if the picture
is another one then. The last two lines of figures are the same moves while two training runs of small models
take both cores.

Aims: 95 % of the moves within 50 ms, of the edits within 150 ms. Without more, a dozen of each kind for each
model (a quarter of an hour); NLPTUI_BENCH_FULL=1 takes forty, and more models.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlptui.config import ModelConfig
from nlptui.views import VIEWS
from tests.benchmarks import latency
from tests.benchmarks.latency import Answer
from tests.benchmarks.texts import sentence
from tests.tui.pty import ROOT, Terminal, environment, terminal

MODELS = ROOT / "models"
FULL = bool(os.environ.get("NLPTUI_BENCH_FULL"))
COUNT = 40 if FULL else 12
"""Moves of each kind, and edits, for each model and size."""
SHORT = ("pos-rnn-en", "pos-lstm-en", "pos-gru-en", "transformer-en-zh", "bert-en", "bert-zh", "gpt-stories")
MORE = ("pos-lstm-zh", "gpt-tang", "gpt-shakespeare", "lstm-shakespeare") if FULL else ()
COMMON = ("attention", "steps", "heads", "gates", "hidden", "output")
SIZES = ((80, 24), (120, 40))
LOADED = ("pos-lstm-en", "bert-en", "gpt-stories")
LIMITS = {"cursor": 0.05, "layer": 0.05, "head": 0.05, "edit": 0.15}
TOKENS = 32
QUIET = 0.3
"""Seconds without a byte after which a picture is complete."""
QUIET_EDIT = 0.6
WAIT = 1.5
"""Seconds after which a key has had no effect: the cursor was at the edge."""
PAUSES = (0.0, 0.1)
STANDS = {
    "layer": re.compile(r"\blayer (\d+) \(0–(\d+)\)"),
    "head": re.compile(r"\b(?:head|direction) (\d+) \(0–(\d+)\)"),
}
STEPS = {"layer": "[]", "head": ",."}
CURSOR = ("hl", "jk")
BACKSPACE = "\x7f"


@dataclass(frozen=True)
class Sample:
    """One answered key."""

    kind: str
    view: str
    answer: Answer


@dataclass
class Explorer:
    """The program in a terminal, and the hand that plays on it."""

    terminal: Terminal
    views: tuple[str, ...]
    rng: random.Random
    samples: list[Sample] = field(default_factory=list)
    _turn: dict[str, int] = field(default_factory=dict)
    """Which key of a pair goes where there is room."""

    def press(self, key: str, quiet: float = QUIET) -> Answer | None:
        """A key at a random moment."""
        time.sleep(self.rng.uniform(*PAUSES))
        pressed = latency.press(self.terminal, key, quiet, WAIT)
        while "running…" in self.terminal.text:  # a slow answer has a pause in it
            latency.listen(self.terminal, quiet, WAIT)
            pressed = None
        return pressed

    def lines(self, kind: str) -> Any:
        """The part of the picture that a key of this kind must change."""
        if kind in STANDS:
            found = STANDS[kind].search(self.terminal.text)
            return found and found.groups()
        lines = self.terminal.text.split("\n")
        return lines[-6:-1] if kind == "cursor" else lines[2:]

    def open(self, view: str) -> None:
        """Go to a view: its group's key until it is there."""
        chosen = VIEWS[view]
        for _n in range(30):  # a view may have stops of its own
            if f"▌{chosen.group} {chosen.title}" in self.terminal.text:
                return
            self.press(str(chosen.group))
        raise RuntimeError(f"the view {view} did not open:\n{self.terminal.text}")

    def play(self, count: int) -> None:
        """So many moves of each kind, spread over the views."""
        for number, view in enumerate(self.views):
            self.open(view)
            share = count // len(self.views) + (number < count % len(self.views))
            for kind in ("cursor", "layer", "head"):
                for _n in range(share):
                    self.move(kind, view)

    def move(self, kind: str, view: str) -> None:
        """One move that changes something; none where nothing can be moved."""
        before = self.lines(kind)
        if kind == "cursor":
            keys = self.rng.choice(CURSOR)
            key = keys[self._turn.get(keys, 1) if self.rng.random() < 0.8 else 0]
        elif before is None or before[1] == "0":
            return
        else:
            at, last = map(int, before)
            keys = STEPS[kind]
            key = keys[0] if at == last else keys[1] if at == 0 else self.rng.choice(keys)
        answer = self.press(key)
        if answer is not None and self.lines(kind) != before:
            self.samples.append(Sample(kind, view, answer))
        elif kind == "cursor":
            self._turn[keys] = 1 - keys.index(key)

    def edit(self, count: int) -> None:
        """Type a letter into the first words, each time another text; take it back, which does not count."""
        self.press("i")
        self.press("\x1b[H")
        for _n in range(count):
            for _step in range(self.rng.randint(1, 4)):
                self.press("\x1b[C", 0.1)
            before = self.lines("edit")
            answer = self.press(self.rng.choice("bcdfghklmnpqrst"), QUIET_EDIT)
            if answer is not None and self.lines("edit") != before:
                self.samples.append(Sample("edit", "", answer))
            self.press(BACKSPACE, QUIET_EDIT)
        self.press("\x1b")


@contextmanager
def explorer(model: str, size: tuple[int, int], home: Path) -> Iterator[Explorer]:
    """The program with a model and our text, everything drawn."""
    config = ModelConfig.read(MODELS / model / "config.json")
    views = tuple(view for view in COMMON if VIEWS[view].applies(config))
    text = sentence(config.language, model, TOKENS)
    env = environment(home, MODELS)
    with terminal(text, "--model", model, "--view", views[0], env=env, size=size) as opened:
        opened.wait_for(f"▌{VIEWS[views[0]].group}")
        latency.listen(opened, 1.0, 1.0)
        yield Explorer(opened, views, random.Random(0))


@contextmanager
def training(home: Path) -> Iterator[None]:
    """Two training runs, one for each core, until the end."""
    env = {**os.environ, "NLPTUI_HOME": str(home), "NLPTUI_RUNS": "2"}
    nlptui = [sys.executable, "-m", "nlptui"]
    recipe = str(MODELS / "recall-rnn" / "recipe.toml")
    names = ("load-a", "load-b")
    with ExitStack() as stack:
        for name in names:
            start = [
                "train",
                recipe,
                "--name",
                name,
                "--set",
                "train.steps=1000000",
                "--set",
                "train.evaluate_every=100000",
            ]
            subprocess.run([*nlptui, *start], env=env, cwd=ROOT, check=True, capture_output=True)
            # Its worker writes into the folder until it ends.
            for last in (["runs", "follow", name], ["runs", "stop", name]):
                stack.callback(subprocess.run, [*nlptui, *last], env=env, cwd=ROOT, capture_output=True)
        deadline = time.monotonic() + 120
        while not all((home / "data" / "runs" / name / "metrics.jsonl").exists() for name in names):
            if time.monotonic() > deadline:
                raise RuntimeError("the training runs did not begin")
            time.sleep(0.5)
        yield


def figures(samples: list[Sample], label: str) -> dict[str, Any]:
    """A line for each kind."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for sample in samples:
        times[sample.kind].append(sample.answer.seconds)
    return {f"{label}: {kind}": latency.summary(found, LIMITS[kind]) for kind, found in times.items()}


def slowest(samples: list[Sample], label: str) -> dict[str, Any]:
    """The view whose moves take longest."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for sample in samples:
        if sample.view:
            times[sample.view].append(sample.answer.seconds)
    worst = max(times, key=lambda view: latency.percentile(times[view], 0.95))
    return {f"{label}: slowest view, {worst}": latency.summary(times[worst], LIMITS["cursor"])}


def run() -> dict[str, Any]:
    """Medians, 95th percentiles and shares by size, model and kind; all models; and beside training runs."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            everything: list[Sample] = []
            for model in SHORT + MORE:
                with explorer(model, size, Path(folder) / "home") as played:
                    played.play(COUNT)
                    played.edit(COUNT)
                label = f"{size[0]}×{size[1]} {model}"
                found |= figures(played.samples, label) | slowest(played.samples, label)
                everything += played.samples
            found |= figures(everything, f"{size[0]}×{size[1]} all models")
        loaded: list[Sample] = []
        with training(Path(folder) / "runs"):
            for model in LOADED:
                with explorer(model, SIZES[-1], Path(folder) / "home") as played:
                    played.play(COUNT)
                loaded += played.samples
        moves = [sample.answer.seconds for sample in loaded]
        found["beside two training runs: all moves"] = latency.summary(moves, LIMITS["cursor"])
        found |= figures(loaded, "beside two training runs")
    return found


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<52} {value}", flush=True)

"""A long time of everything at once: `make soak`, half an hour; `python -m tests.soak --minutes 3 --kills 2`.

Three trainings run without end, and the explorer is driven at random in a terminal of its own: studio,
charts, samples, the weights of a run that learns, views of a shipped model. Its memory must stay flat. Beside
them one run is killed with SIGKILL at random moments and resumed each time; at its end its weights must be
those, bit for bit, of the same run that was left alone. The figures are printed; exit status 1 where
something is not so.

Needs no corpus: texts are made by `nlptui.data.recall`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tui.pty import ROOT, Terminal, environment, terminal

SIZE = (120, 40)
MODELS = ROOT / "models"
GROWTH = 0.05
"""How much more memory there may be in the last quarter than in the second."""
SECONDS = 5.0
"""Between two looks at the memory."""
PATIENCE = 300.0
ALIVE = ("queued", "running", "paused")

# Keys that the explorer gets, and those of the studio; none that stops, forks or deletes a run.
EXPLORER = ("1", "2", "3", "4", "5", "6", "9", "\t", "h", "j", "k", "l", "[", "]", ",", ".", "g", "G", "J",
            "K", "r", ">", "<", "\r", "\x1b", "F", "F")  # fmt: skip
STUDIO = ("j", "k", "\t", "\t", " ", "s", "o", "x", "i", "h", "l", "\x1b[H", "\x1b[F", "g", "G", "F", "M")


def recipe(name: str, arch: str, steps: int, **train: Any) -> Any:
    """A small network that learns who was named far back in a text; seeded, so that two runs are alike."""
    from nlptui.train.recipe import recipe_from_dict

    sizes = {
        "gpt": {"d_model": 32, "n_layers": 2, "n_heads": 2, "d_ff": 64, "dropout": 0.1},
        "lstm": {"d_embed": 16, "d_hidden": 32, "dropout": 0.1},
        "rnn": {"d_embed": 16, "d_hidden": 32},
    }[arch]
    table = {"steps": steps, "batch_size": 16, "evaluate_examples": 32, "threads": 1, "device": "cpu"}
    return recipe_from_dict(
        {
            "name": name,
            "data": {"corpus": "recall_en", "answer_only": True},
            "tokenizer": {"kind": "words", "lowercase": True, "min_count": 20},
            "model": {"arch": arch, "task": "language_model", "context": 112} | sizes,
            "train": table | train,
        },
        where="soak",
    )


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `true` gives as soon as that is something."""
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise RuntimeError("it takes too long")
        time.sleep(0.02)
    return found


# Killed and resumed.


@dataclass
class Killed:
    """The run that is killed again and again."""

    count: int
    rng: random.Random
    at: list[int] = field(default_factory=list)
    """The steps at which it was."""
    same: bool = False
    problem: str = ""

    def run(self) -> None:
        """Kill and resume, then compare. What goes wrong is kept as `problem`."""
        try:
            self._run()
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"

    def _run(self) -> None:
        from nlptui.train import client

        steps = 60 * self.count + 60
        settings = {"save_every": 20, "evaluate_every": 60, "log_every": 10, "nice": 0}
        whole = client.start(recipe("left-alone", "lstm", steps, **settings))
        killed = client.start(recipe("killed", "lstm", steps, **settings))
        for number in range(self.count):
            # Somewhere in its next stretch, while it trains, measures or saves.
            aim = max(killed.status().step, 60 * number) + self.rng.randrange(1, 40)
            until(lambda aim=aim: killed.status().step >= aim or killed.status().state == "done")
            time.sleep(self.rng.random() * 0.05)
            status = killed.status()
            if status.pid is None or status.state != "running":
                continue
            os.kill(status.pid, signal.SIGKILL)
            until(lambda: killed.status().state not in ALIVE)
            self.at.append(status.step)
            client.resume("killed")
        for run in (whole, killed):
            until(lambda run=run: run.status().state not in ALIVE, 3 * PATIENCE)
            if run.status().state != "done":
                raise RuntimeError(f"{run.name}: {run.status().state} {run.status().error}")
        self.same = self._alike(whole.path, killed.path)

    @staticmethod
    def _alike(one: Path, other: Path) -> bool:
        """Whether the last checkpoints hold the same bits: weights, optimizer, generators."""
        folders = [sorted(path.glob("step_*"))[-1] for path in (one, other)]
        files = ("model.safetensors", "train_state.safetensors")
        present = [file for file in files if (folders[0] / file).is_file()]
        return bool(present) and all(
            (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes() for file in present
        )


# The explorer.


@dataclass
class Driven:
    """The explorer, a hand that plays on it, and how much memory it had."""

    terminal: Terminal
    rng: random.Random
    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    keys: int = 0

    def play(self, minutes: float) -> None:
        """Press keys until the time is over."""
        start = looked = time.monotonic()
        self.look(0.0)
        while (now := time.monotonic()) < start + 60 * minutes:
            self.stretch()
            if now - looked >= SECONDS:
                self.look(now - start)
                looked = now

    def stretch(self) -> None:
        """A few keys in the studio or in the explorer."""
        if self.rng.random() < 0.3:
            self.send("\x1b", "\x1b", "C")
            self.send(*(self.rng.choice(STUDIO) for _ in range(8)))
            self.send("\x1b", "\x1b")
        else:
            self.send(*(self.rng.choice(EXPLORER) for _ in range(8)))

    def send(self, *keys: str) -> None:
        """One key after the other, as fast as a person."""
        for key in keys:
            if self.terminal.process.poll() is not None:
                raise RuntimeError(f"the explorer has ended:\n{self.terminal.text}")
            self.terminal.send(key)
            self.terminal.pump(self.rng.uniform(0.05, 0.3))
            self.terminal.output = b""
            self.keys += 1

    def look(self, seconds: float) -> None:
        """How much memory the program has now."""
        text = Path(f"/proc/{self.terminal.process.pid}/status").read_text(encoding="ascii")
        kilobytes = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))
        self.seconds.append(seconds)
        self.bytes.append(1024 * kilobytes)

    def quarters(self) -> list[float]:
        """The median of each quarter, in MB."""
        count = len(self.bytes)
        cuts = [round(count * part / 4) for part in range(5)]
        parts = [self.bytes[a:b] or self.bytes[-1:] for a, b in itertools.pairwise(cuts)]
        return [statistics.median(part) / 1e6 for part in parts]


def run(minutes: float, kills: int, seed: int) -> dict[str, Any]:
    """Everything at once, in a folder of its own; returns the figures."""
    from nlptui.train import client

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ |= {"NLPTUI_HOME": str(home), "NLPTUI_RUNS": "5", "OMP_NUM_THREADS": "1"}
        env = environment(home, MODELS, NLPTUI_RUNS="5")
        every = {"evaluate_every": 500, "save_every": 500, "log_every": 10}
        names = [f"endless-{arch}" for arch in ("gpt", "lstm", "rnn")]
        for name in names:
            client.start(recipe(name, name.removeprefix("endless-"), 10**7, **every))
        killed = Killed(kills, random.Random(seed))
        thread = threading.Thread(target=killed.run, daemon=True)
        try:
            until(lambda: all(client.status(name).step for name in names))
            thread.start()
            with terminal("-m", "recall-lstm", env=env, size=SIZE) as opened:
                opened.wait_for("hidden", 120)
                driven = Driven(opened, random.Random(seed))
                driven.play(minutes)
            thread.join(3 * PATIENCE)
            trained = {name: client.status(name).step for name in names}
        finally:
            for status in client.runs():
                if status.state in ALIVE:
                    client.cancel(status.name)
            until(lambda: not any(status.state in ALIVE for status in client.runs()))
        medians = driven.quarters()
        growth = medians[3] / medians[1] - 1
        return {
            "minutes": minutes,
            "keys": driven.keys,
            "steps of the three runs": trained,
            "explorer, MB in each quarter": [round(value, 1) for value in medians],
            "explorer, highest MB": round(max(driven.bytes) / 1e6, 1),
            f"growth from the second quarter to the last (aim ≤ {GROWTH:.0%})": round(growth, 4),
            "kill -9 at steps": killed.at,
            "ended in the same weights": killed.same,
            "problem": killed.problem,
            "good": growth <= GROWTH and killed.same and len(killed.at) == kills,
        }


def main() -> int:
    """Exit status 0 where memory stayed flat and the weights are the same."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    found = run(chosen.minutes, chosen.kills, chosen.seed)
    for key, value in found.items():
        print(f"{key:<56} {value}", flush=True)
    return 0 if found["good"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""The heat table against Textual's DataTable, 512×512 numbers, each in a real pseudo-terminal of 120×40.

A key makes the table appear, so that starting Python and Textual is not counted. A time runs from the key to
the last byte that the terminal gets; the best of several. DataTable gets plain text, its fastest form, where
the heat table draws colours. Bytes are counted in a terminal with true colour.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 512
COLUMNS, LINES = 120, 40
REPEATS = 7
QUIET = 0.3
"""Seconds without a byte after which an answer is over."""
KEYS = {"open": b"o", "page": b"\x1b[6~", "top": b"\x1b[5~", "right": b"\x1b[C", "down": b"\x1b[B"}


class Terminal:
    """A pseudo-terminal with a program in it, and how many bytes came when."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=child, stdout=child, stderr=child, env=environment, start_new_session=True
        )
        os.close(child)

    def read(self, wait: float, quiet: float = QUIET) -> tuple[int, float]:
        """Bytes until nothing came for `quiet` seconds (`wait` for the first), and when the last one came."""
        return self._read_since(time.perf_counter(), wait, quiet)

    def _read_since(self, started: float, wait: float, quiet: float) -> tuple[int, float]:
        last = started
        count = 0
        while time.perf_counter() - last < (quiet if count else wait):
            if select.select([self.fd], [], [], 0.002)[0]:
                try:
                    piece = os.read(self.fd, 1 << 16)
                except OSError:
                    break
                count += len(piece)
                last = time.perf_counter()
        return count, last - started

    def press(self, key: str, wait: float = 30.0) -> tuple[int, float]:
        """Send a key; bytes of the answer, and seconds until it was complete."""
        started = time.perf_counter()
        os.write(self.fd, KEYS[key])
        return self._read_since(started, wait, QUIET)

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.fd)


def measure(table: str, repeats: int = REPEATS) -> dict[str, float]:
    """Every figure for one of the two tables."""
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "OMP_NUM_THREADS": "1"}
    environment.pop("NO_COLOR", None)
    root = Path(__file__).parents[2]
    environment["PYTHONPATH"] = str(root)
    terminal = Terminal([sys.executable, "-m", "tests.benchmarks.bench_heat_table", table], environment)
    try:
        terminal.read(20.0, 1.0)
        _bytes, appear = terminal.press("open")
        pages = [terminal.press("page") for _ in range(repeats)]
        # The cursor stands in the middle of the screen, so that a move scrolls nothing.
        rights = [terminal.press("right") for _ in range(repeats)]
        terminal.press("top")
        downs = [terminal.press("down") for _ in range(repeats)]
        idle, _last = terminal.read(2.0)
    finally:
        terminal.close()
    moves = rights + downs
    return {
        "appear_seconds": appear,
        "page_down_ms": 1000 * min(seconds for _count, seconds in pages),
        "page_down_bytes": max(count for count, _seconds in pages),
        "cursor_move_ms": 1000 * min(seconds for _count, seconds in moves),
        "cursor_move_bytes": max(count for count, _seconds in moves),
        "idle_bytes_in_2_s": idle,
    }


def run() -> dict[str, Any]:
    """Both tables one after the other, and how much more DataTable takes."""
    ours = measure("heat_table")
    theirs = measure("data_table", 3)
    found: dict[str, Any] = {f"heat_table.{key}": value for key, value in ours.items()}
    found |= {f"data_table.{key}": value for key, value in theirs.items()}
    for key in ("appear_seconds", "page_down_ms", "cursor_move_ms", "page_down_bytes", "cursor_move_bytes"):
        found[f"data_table/heat_table.{key}"] = theirs[key] / ours[key]
    return found


def app(table: str) -> Any:
    """The app inside the pseudo-terminal: empty until `o` is pressed."""
    from textual.app import App
    from textual.binding import Binding
    from textual.widgets import DataTable

    from nlptui.tui.widgets.heat_table import HeatTableView
    from nlptui.views.figure import HeatTable

    values = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype(np.float32)
    names = tuple(map(str, range(SIZE)))

    def heat_table() -> HeatTableView:
        return HeatTableView(HeatTable("hidden", values, names, names, "pos", "unit"))

    def data_table() -> DataTable[str]:
        widget: DataTable[str] = DataTable(fixed_columns=0, cursor_type="cell")
        widget.add_columns(*names)
        for name, row in zip(names, values.tolist(), strict=True):
            widget.add_row(*(f"{value:5.2f}" for value in row), label=name)
        return widget

    class Bench(App[None]):
        BINDINGS = [Binding("o", "open", show=False)]

        async def action_open(self) -> None:
            widget = heat_table() if table == "heat_table" else data_table()
            await self.mount(widget)
            widget.focus()

    return Bench()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        app(sys.argv[1]).run()
    else:
        for name, figure in run().items():
            print(f"{name:<48} {figure:.4g}")

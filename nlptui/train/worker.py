"""The worker process of one run: `python -m nlptui.train.worker RUN_DIRECTORY`.

Claims the run, steps back for other programs, turns signals and files into wishes of the loop, and what
goes wrong into one line of the status and a traceback in the log. Never writes to a terminal.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _, preferred_language, set_language
from nlptui.train.run import RunDirectory, RunStatus, process_birth

# Kept on the disk while the run lives, and given up when the disk is full, so that there is room to say so.
_RESERVE_BYTES = 64 * 1024
_STATUS_SECONDS = 0.25


class Control:
    """What people want of a running worker: to go on, to wait, or to save and end."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._signalled = False

    def listen(self) -> None:
        """SIGTERM and SIGINT ask to save and end; the end of a terminal is nothing to a worker."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def stop_wanted(self) -> bool:
        return self._signalled or os.path.exists(self._run.stop_path)

    def pause_wanted(self) -> bool:
        return os.path.exists(self._run.pause_path) and not self.stop_wanted()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True


class Reporter:
    """Writes the status; the only writer while the worker lives."""

    def __init__(self, run: RunDirectory, before: RunStatus) -> None:
        self._run = run
        self._reserve = run.path / ".reserve"
        self._written = 0.0
        pid = os.getpid()
        self.status = replace(
            before, state="running", pid=pid, born=process_birth(pid), phase="loading", error=""
        )

    def reserve(self) -> None:
        self._reserve.write_bytes(b"\0" * _RESERVE_BYTES)

    def release(self) -> None:
        with suppress(OSError):
            self._reserve.unlink(missing_ok=True)

    def update(self, *, now: bool = True, **changes: Any) -> None:
        """Change fields of the status; with `now` false, write only if the last time is a while ago."""
        self.status = replace(self.status, **changes)
        if now or time.monotonic() - self._written > _STATUS_SECONDS:
            self._run.write_status(self.status)
            self._written = time.monotonic()

    def end(self, state: str, error: str = "") -> None:
        """The last word of this worker."""
        self.release()
        # An unlinked or full folder must not hide what went wrong: the log has it too.
        with suppress(OSError):
            self.update(state=state, error=error, phase="", left=None)


@contextmanager
def claim(run: RunDirectory) -> Iterator[bool]:
    """Whether this process may work on the run: one at a time, as the system's lock on a file decides."""
    try:
        import fcntl
    except ImportError:  # No such locks on this system; the front ends' check of the status must do.
        yield True
        return
    with (run.path / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def explain(error: BaseException) -> str:
    """One line for people about what ended the run."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _("the disk is full; free some space, then resume from the last checkpoint")
    if isinstance(error, MemoryError) or "out of memory" in text or "not enough memory" in text:
        return _("out of memory; resume with a smaller train.batch_size, or a larger train.accumulate")
    if "No space left on device" in text:
        return _("the disk is full; free some space, then resume from the last checkpoint")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def work(run: RunDirectory, control: Control, reporter: Reporter) -> str:
    """Train until the end or until asked to stop; return the state that the run is then in."""
    reporter.update()
    reporter.reserve()
    recipe = run.recipe()
    with suppress(OSError, AttributeError):
        os.nice(recipe.train.nice)
    # Not at the top: the status says "loading" while torch loads.
    from nlptui.train.loop import Trainer, settle_process

    settle_process(recipe.train)
    return Trainer(run, recipe, control, reporter).run()


def main(arguments: list[str]) -> int:
    """Exit status 0: the run is done or was stopped; 1: it failed; 2: there is nothing to work on."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m nlptui.train.worker RUN_DIRECTORY", file=sys.stderr)
        return 2
    set_language(preferred_language())
    run = RunDirectory(Path(arguments[0]).resolve())
    with claim(run) as mine:
        if not mine:
            print("another worker has this run", file=sys.stderr)
            return 2
        control, reporter = Control(run), Reporter(run, run.status())
        control.listen()
        try:
            state, error = work(run, control, reporter), ""
        except BaseException as failure:
            traceback.print_exc()
            state, error = "failed", explain(failure)
        reporter.end(state, error)
        with suppress(OSError):
            run.stop_path.unlink(missing_ok=True)
    return 0 if state in ("done", "stopped") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

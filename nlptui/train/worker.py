"""The worker process of one run: `python -m nlptui.train.worker RUN_DIRECTORY`.

Claims the run, steps back for other programs, turns signals and files into wishes of the loop, and what
goes wrong into one line of the status and a traceback in the log. Never writes to a terminal.

Several processes may work on one run, started by torch's launcher (see `ranks`): the first of them claims the
run and tells its state.
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

from nlptui.config import CLASSICAL
from nlptui.errors import UserError
from nlptui.locale import _, preferred_language, set_language
from nlptui.niceness import give_way
from nlptui.train import launcher, places
from nlptui.train.experiments.results import settings_of
from nlptui.train.run import RunDirectory, RunStatus, process_birth

# Kept on the disk while the run lives, and given up when the disk is full, so that there is room to say so.
_RESERVE_BYTES = 64 * 1024
_STATUS_SECONDS = 0.25
# How far this process has stepped back, for the next worker, which it may start.
_NICED = "NLPTUINICED"
# Of experiments, which have no recipe.
NICE = 10
# How the system, torch and safetensors say that a disk or a quota is full (or a file larger than it may be)
# and that there is no memory left.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_SPACE = ("No space left on device", "Disk quota exceeded", "quota exceeded", "File too large")
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "Cannot allocate memory")


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


class Silent:
    """What the other processes of a run report: nothing, the first speaks for all."""

    def update(self, *, now: bool = True, **changes: Any) -> None:
        """Nothing."""


class Reporter(Silent):
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

    def end(self, state: str, error: str = "", **changes: Any) -> None:
        """The last word of this worker."""
        self.release()
        changes |= {"state": state, "error": error, "phase": "", "left": None}
        # An unlinked or full folder must not hide what went wrong: the log has it too.
        try:
            self.update(**changes)
        except OSError:
            with suppress(OSError):
                self._run.overwrite_status(self.status)


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
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, UserError):
        return text
    if isinstance(error, MemoryError) or number == errno.ENOMEM or any(words in text for words in _NO_MEMORY):
        return _("out of memory; resume with a smaller train.batch_size, or a larger train.accumulate")
    if number in _FULL or any(words in text for words in _NO_SPACE):
        return _("the disk is full; free some space, then resume from the last checkpoint")
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _("the run cannot write its folder ({error}); put that right, then resume").format(error=text)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def train(run: RunDirectory, control: Control, report: Silent) -> str:
    """Train, or run an experiment, until the end or until asked to stop; return the state it is then in."""
    if (experiment := settings_of(run)) is not None:
        step_back(NICE)
        from nlptui.train.experiments.conduct import conduct
        from nlptui.train.loop import settle_process

        settle_process(1)
        return conduct(run, experiment, control, report)
    recipe = run.recipe()
    step_back(recipe.train.nice)
    if recipe.model.get("arch") in CLASSICAL:
        from nlptui.train.counting import learn
        from nlptui.train.loop import settle_process

        settle_process(recipe.train.threads)
        return learn(run, recipe, control, report)
    # Not at the top: the status says "loading" while torch loads.
    from nlptui.train import ranks
    from nlptui.train.loop import Trainer, settle_process

    settle_process(recipe.train.threads)
    together = ranks.join()
    control.listen()
    state = Trainer(run, recipe, control, report, together).run()
    together.close()
    return state


def step_back(nice: int) -> None:
    """Let other programs go before; a worker that started this one has handed its own niceness down."""
    already = int(os.environ.get(_NICED, "0"))
    give_way(nice, already)
    os.environ[_NICED] = str(max(nice, already))


def lead(run: RunDirectory, control: Control) -> str:
    """Do the work of the only process, or of the first, and tell its state; returns that."""
    reporter = Reporter(run, run.status())
    try:
        reporter.update()
        reporter.reserve()
        state, error = train(run, control, reporter), ""
    except BaseException as failure:
        reporter.release()
        log_failure()
        if launcher.restarts_left() and not isinstance(failure, UserError):
            # The launcher starts all processes anew, from the last checkpoint.
            reporter.end("queued", pid=None, born=None)
            return "queued"
        state, error = "failed", explain(failure)
    reporter.end(state, error)
    with suppress(OSError):
        run.stop_path.unlink(missing_ok=True)
    return state


def follow(run: RunDirectory, control: Control) -> str:
    """Do the work of another process of several."""
    try:
        return train(run, control, Silent())
    except BaseException:
        log_failure()
        return "failed"


def log_failure() -> None:
    """The traceback, where there is room for it."""
    with suppress(OSError):
        traceback.print_exc()


def main(arguments: list[str]) -> int:
    """Exit status 0: the run is done or was stopped; 1: it failed; 2: there is nothing to work on."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m nlptui.train.worker RUN_DIRECTORY", file=sys.stderr)
        return 2
    set_language(preferred_language())
    run = RunDirectory(Path(arguments[0]).resolve())
    control = Control(run)
    if not launcher.launched():
        control.listen()  # Others do once they have joined: before that there is nothing to save.
    if launcher.rank():
        return _exit_status(follow(run, control))
    with claim(run) as mine:
        if not mine:
            print("another worker has this run", file=sys.stderr)
            return 2
        if launcher.attempt() and run.status().state == "failed":
            return 1  # It failed for a reason that would come again.
        state = lead(run, control)
    # The run's place is free: the next may have it.
    with suppress(OSError, UserError):
        places.start_waiting()
    return _exit_status(state)


def _exit_status(state: str) -> int:
    return 0 if state in ("done", "stopped") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

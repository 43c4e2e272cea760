"""Which runs go at once: as many as half the machine's cores, and two at least; the others wait for a place.

No service keeps the queue. It is the runs themselves whose state is "queued" and whose phase is "waiting";
the first that came goes first. Whoever sees that a place is free starts the next: a worker that ends, a front
end that looks. A lock on a file in the folder of runs lets one of them at a time do so. A run that is paused
keeps its place. Starts processes and looks at runs; knows nothing of recipes or of torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nlptui.errors import UserError
from nlptui.locale import _, language
from nlptui.paths import runs_dir
from nlptui.text import visible
from nlptui.train import launcher
from nlptui.train.run import ALIVE, WAITING, RunDirectory, RunStatus, all_runs

VARIABLE = "NLPTUI_RUNS"
"""The environment variable that says how many runs go at once, in place of half the cores."""
_LOCK = ".queue"

# Workers that this process started: asked now and then, so that a dead one is no zombie that looks alive.
_started: list[subprocess.Popen[bytes]] = []


def places() -> int:
    """How many runs may go at once. Raises UserError where the environment names no number."""
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        if not named.isdecimal() or int(named) < 1:
            raise UserError(
                _("{variable} = {value}: how many runs go at once is a number, 1 or more").format(
                    variable=VARIABLE, value=visible(named)
                )
            )
        return int(named)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, cores // 2)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Inside, no other process starts, queues or unqueues a run. Not to be entered twice."""
    try:
        import fcntl
    except ImportError:  # No such locks on this system: the claim of each worker must do.
        yield
        return
    runs_dir().mkdir(parents=True, exist_ok=True)
    with (runs_dir() / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wait_for_place(run: RunDirectory, status: RunStatus) -> None:
    """Put `run` at the end of the queue; `start_waiting` is next."""
    queued = replace(status, state="queued", pid=None, born=None, error="", phase=WAITING, left=None)
    run.write_status(queued)


def start_waiting() -> None:
    """Start the runs that wait, as far as there are places."""
    reap()
    if not any(is_waiting(run.status()) for run in all_runs()):
        return
    with one_at_a_time():
        found = [(run, run.status()) for run in all_runs()]
        taken = sum(status.state in ALIVE and not is_waiting(status) for _run, status in found)
        waiting = [(run, status) for run, status in found if is_waiting(status)]
        waiting.sort(key=lambda pair: pair[1].updated)
        for run, status in waiting[: max(0, places() - taken)]:
            _start(run, status)


def _start(run: RunDirectory, status: RunStatus) -> None:
    # Written before there is a process, whose own word then comes after it.
    run.write_status(replace(status, phase=""))
    try:
        spawn(run)
    except OSError as error:
        problem = _("no worker could be started ({error})").format(error=visible(str(error)))
        run.write_status(replace(status, state="failed", phase="", error=problem))


def is_waiting(status: RunStatus) -> bool:
    """Whether a run waits for a place."""
    return status.state == "queued" and status.phase == WAITING


def spawn(run: RunDirectory) -> None:
    """Start the worker, tied to nothing of this process: no terminal, no group, no open files."""
    with run.log_path.open("ab") as log_file:
        worker = subprocess.Popen(
            [sys.executable, "-m", "nlptui.train.worker", str(run.path)],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            env=environment(),
            start_new_session=True,
            close_fds=True,
        )
    _started.append(worker)


def environment() -> dict[str, str]:
    """What a process of ours finds around it: this package, this language, no launcher."""
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (package_root, os.environ.get("PYTHONPATH", "")) if part)
    settings = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "NLPTUI_LANG": language()}
    return launcher.without(os.environ) | settings


def reap() -> None:
    """Ask after the workers that this process started."""
    _started[:] = [worker for worker in _started if worker.poll() is None]

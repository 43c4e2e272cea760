"""The states of runs, now and as they change. Whoever looks starts those that wait, where a place is free."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from nlptui.train import places
from nlptui.train.run import ALIVE, RunStatus, all_runs, find_run


def runs() -> list[RunStatus]:
    """Every run, oldest first. Runs that wait are started where a place has become free."""
    places.reap()
    found = [run.status() for run in all_runs()]
    if not any(map(places.is_waiting, found)):
        return found
    places.start_waiting()
    return [run.status() for run in all_runs()]


def status(name: str) -> RunStatus:
    """The state of the run `name`. Where it waits, and a place has become free, it is started."""
    places.reap()
    run = find_run(name)
    now = run.status()
    if not places.is_waiting(now):
        return now
    places.start_waiting()
    return run.status()


def follow(name: str, interval: float = 0.5) -> Iterator[tuple[RunStatus, list[dict[str, Any]]]]:
    """The status and the new rows, each time that there are some, until the run ends."""
    run = find_run(name)
    seen = 0
    last: RunStatus | None = None
    while True:
        now = status(name)
        rows = run.metrics()
        if len(rows) < seen:  # A resumed run forgot what was measured after its checkpoint.
            seen = 0
        if rows[seen:] or now != last:
            yield now, rows[seen:]
        seen, last = len(rows), now
        if now.state not in ALIVE:
            return
        time.sleep(interval)


def wait(name: str, timeout: float | None = None) -> RunStatus:
    """The status of the run once it has ended. Raises TimeoutError after `timeout` seconds."""
    limit = None if timeout is None else time.monotonic() + timeout
    while (now := status(name)).state in ALIVE:
        if limit is not None and time.monotonic() > limit:
            raise TimeoutError(f"{name} is still {now.state} after {timeout} s")
        time.sleep(0.05)
    return now

"""Workers as forked processes: real ones, to be killed, without the seconds that loading torch takes."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from nlptui.train import worker
from nlptui.train.run import RunDirectory

PATIENCE = 120.0


def until(condition: Callable[[], Any]) -> Any:
    """What `condition` gives as soon as that is something."""
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.005)
    return found


def fork(run: RunDirectory, environment: Mapping[str, str] | None = None) -> int:
    """Start a worker of `run`; returns its process number."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setsid()
        log = os.open(run.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(environment or {})
        status = worker.main([str(run.path)])
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    """Wait for a process to end; its exit status, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fork_together(
    run: RunDirectory, size: int, each: Mapping[int, Mapping[str, str]] | None = None, **more: str
) -> list[int]:
    """Start `size` workers that train together, as torch's launcher would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size),
        "TORCHELASTIC_RUN_ID": "test",
    }  # fmt: skip
    own = (each or {}).get
    return [
        fork(run, shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} | more | dict(own(rank, {})))
        for rank in range(size)
    ]

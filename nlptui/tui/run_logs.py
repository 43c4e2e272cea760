"""What training runs have measured, read from their files as they grow.

Keeps each run's points and how far its file has been read; a file that was written anew (a resumed run
forgets what came after its checkpoint) is read from the start. Used by the clerk, in its thread.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nlptui.paths import runs_dir
from nlptui.views.run_charts import Points, take

KEPT = 24
"""Runs whose points stay in memory."""


class RunLog:
    """The points of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.points: Points = {}
        self.version = 0
        """Another number each time that something was added or forgotten."""
        self._offset = 0
        self._file: tuple[int, int] = (0, 0)
        self._end = b""

    def read(self) -> None:
        """Take what was written since the last time; a line that is not whole yet waits."""
        try:
            with self.path.open("rb") as file:
                facts = os.fstat(file.fileno())
                same = (facts.st_dev, facts.st_ino) == self._file and facts.st_size >= self._offset
                if not same or not self._still(file):
                    self._forget()
                self._file = (facts.st_dev, facts.st_ino)
                file.seek(self._offset)
                text = file.read()
        except OSError:
            self._forget()
            return
        whole = text[: text.rfind(b"\n") + 1]
        if not whole:
            return
        self._offset += len(whole)
        self._end = whole[-64:]
        take(self.points, [row for row in map(_row, whole.splitlines()) if row is not None])
        self.version += 1

    def _still(self, file: Any) -> bool:
        """Whether the last line that was read still stands where it did: an inode may be used again."""
        file.seek(max(0, self._offset - len(self._end)))
        return bool(file.read(len(self._end)) == self._end)

    def _forget(self) -> None:
        if self._offset:
            self.points, self._offset, self._end = {}, 0, b""
            self.version += 1


class RunLogs:
    """The logs of the runs that were looked at, those of the last ones only."""

    def __init__(self) -> None:
        self._logs: dict[str, RunLog] = {}

    def read(self, name: str) -> RunLog:
        """The run's log, as it is now."""
        log = self._logs.pop(name, None) or RunLog(runs_dir() / name / "metrics.jsonl")
        self._logs[name] = log
        while len(self._logs) > KEPT:
            del self._logs[next(iter(self._logs))]
        log.read()
        return log


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None

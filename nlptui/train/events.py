"""A run's measurements as TensorBoard's event files, beside its metrics: `tensorboard --logdir RUNS`.

    train/loss, dev/accuracy, grad_norm/blocks.0.attn, entropy/blocks.0.h1, …

Written where `train.tensorboard` is set, by TensorBoard's own writer, which is an extra. Knows nothing of
what the numbers mean. Loads no torch.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _

FOLDER = "tensorboard"
_HEAD = frozenset({"step", "time", "split", "kind"})
_FLUSH_SECONDS = 5


def need_tensorboard() -> None:
    """Raise UserError where the package is missing."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            _("TensorBoard's files need its package: pip install 'nlptui[tensorboard]', or do without")
        )


class Events:
    """One event file of a run; a worker that goes on with the run writes another beside it."""

    def __init__(self, run: Path, step: int) -> None:
        """step: where the run goes on; what earlier files say of later steps is to be forgotten."""
        need_tensorboard()
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._writer = EventFileWriter(str(run / FOLDER), flush_secs=_FLUSH_SECONDS)
        if step:
            log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._writer.add_event(event_pb2.Event(wall_time=time.time(), step=step + 1, session_log=log))

    def add(self, row: Mapping[str, Any]) -> None:
        """A row of the metrics file."""
        values = [
            self._summary.Value(tag=tag(name, row), simple_value=value)
            for name, value in row.items()
            if name not in _HEAD and isinstance(value, int | float) and not isinstance(value, bool)
        ]
        event = self._event(wall_time=time.time(), step=row["step"], summary=self._summary(value=values))
        self._writer.add_event(event)

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()


def tag(name: str, row: Mapping[str, Any]) -> str:
    """Where TensorBoard shows `name`: under its split, or of layers under the kind of number."""
    kind, dot, layer = name.partition(".")
    return f"{kind}/{layer}" if dot else f"{row.get('split', 'train')}/{name}"

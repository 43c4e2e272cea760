"""A run's snapshots, as the explorer walks over them: whose folder a model is, and the line that shows them.

Pure functions. Knows nothing of widgets, and reads no files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len

from nlptui.paths import runs_dir

_STEP = re.compile(r"step_(\d{6,12})")
_KEPT = "snapshots"
_MORE = "…"


def run_of(model: str) -> tuple[str, int] | None:
    """The run that a model's folder belongs to, and the step; None for a model that is none of a run's."""
    path = Path(model).expanduser().absolute()
    match, runs = _STEP.fullmatch(path.name), runs_dir().absolute()
    folder = path.parent if path.parent.parent == runs else path.parent.parent
    if match is None or folder.parent != runs or path.parent not in (folder, folder / _KEPT):
        return None
    return folder.name, int(match[1])


def beside(steps: Sequence[int], step: int, stride: int) -> int:
    """The snapshot `stride` places after `step`, or before; the last there is that way."""
    if stride > 0:
        later = [one for one in steps if one > step]
        return later[min(stride, len(later)) - 1] if later else step
    earlier = [one for one in reversed(steps) if one < step]
    return earlier[min(-stride, len(earlier)) - 1] if earlier else step


def marks(steps: Sequence[int], step: int, width: int) -> str:
    """`0 1 2 4 [8] 16 32`, with those around the present one where not all have room."""
    shown = sorted({*steps, step})
    words = [f"[{one}]" if one == step else str(one) for one in shown]
    first = last = shown.index(step)
    while True:
        sides = [(first - 1, last)] if first else []
        sides += [(first, last + 1)] if last + 1 < len(words) else []
        # The shorter side grows first, so that the present one stays in the middle.
        sides.sort(key=lambda ends: abs((shown.index(step) - ends[0]) - (ends[1] - shown.index(step))))
        fitting = [ends for ends in sides if cell_len(_line(words, *ends)) <= width]
        if not fitting:
            return _line(words, first, last)
        first, last = fitting[0]


def _line(words: Sequence[str], first: int, last: int) -> str:
    before, after = [_MORE] if first else [], [_MORE] if last + 1 < len(words) else []
    return " ".join([*before, *words[first : last + 1], *after])

"""The training state in a checkpoint: what resuming needs to go on as if nothing had happened.

    train_state.safetensors   optimizer moments, weights under the average, generators, running sums
    train_state.json          step, place in the data, best so far, time spent

Plain tensors and plain JSON: no pickle is written or read. Knows nothing of what the numbers mean.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.train.ranks import ALONE, Ranks

TENSORS_FILE = "train_state.safetensors"
PROGRESS_FILE = "train_state.json"


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    """Updates made."""
    steps: int = 0
    """Updates to make."""
    seconds: float = 0.0
    """Time spent, over all workers."""
    data: dict[str, Any] = field(default_factory=dict)
    """The place in the stream of examples, as the stream describes it."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The latest value of everything measured."""
    best_value: float | None = None
    """The best dev metric so far."""
    best_folder: str = ""
    """The checkpoint that reached it."""
    logged_step: int = 0
    """The step of the last line of the metrics file."""
    evaluated_step: int = 0
    """The step of the last measurement on dev."""


def generator_tensors(ranks: Ranks = ALONE) -> dict[str, Tensor]:
    """The state of torch's generators in each process; the stream of examples draws from its place alone."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return {
        f"generators/{_generator(kind, rank)}": state
        for kind, own in states.items()
        for rank, state in enumerate(ranks.gathered(own))
    }


def restore_generators(tensors: Mapping[str, Tensor], ranks: Ranks = ALONE) -> None:
    """Put the state that `generator_tensors` gave back; a process that was not there goes on as it is."""
    setters = {"cpu": torch.set_rng_state}
    if torch.cuda.is_available():
        setters["cuda"] = torch.cuda.set_rng_state
    for kind, put in setters.items():
        state = tensors.get(f"generators/{_generator(kind, ranks.rank)}")
        if state is not None:
            put(state)


def _generator(kind: str, rank: int) -> str:
    return f"{kind}/{rank}" if rank else kind


def write_state(folder: Path, tensors: dict[str, Tensor], progress: Progress) -> None:
    """Write both files into `folder`, and push all of the folder's files to the disk."""
    safetensors.torch.save_file(
        {key: value.contiguous() for key, value in tensors.items()}, folder / TENSORS_FILE
    )
    text = json.dumps(asdict(progress), ensure_ascii=False, indent=1)
    (folder / PROGRESS_FILE).write_text(text + "\n", encoding="utf-8")
    push_to_disk(folder)


def push_to_disk(folder: Path) -> int:
    """Wait until the folder's files are on the disk; returns their bytes."""
    size = 0
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                size += path.stat().st_size
    return size


def read_state(folder: Path) -> tuple[dict[str, Tensor], Progress]:
    """The two files of `folder`. Raises UserError that names the one that is missing or broken."""
    path = folder / PROGRESS_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        progress = Progress(**{item.name: content[item.name] for item in fields(Progress)})
        if not (isinstance(progress.step, int) and isinstance(progress.seconds, int | float)):
            raise ValueError("step and seconds must be numbers")
        if not isinstance(progress.best_folder, str):
            raise ValueError("best_folder must be a name")
        path = folder / TENSORS_FILE
        tensors = safetensors.torch.load_file(path)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(
            _("{path}: not readable as a training state ({error})").format(
                path=path, error=visible(str(error))
            )
        ) from None
    return tensors, progress

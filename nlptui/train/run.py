"""A training run is a directory: its parts, who may write them, and how to read them when they are broken.

    config.json      the recipe, resolved
    status.json      replaced whole, never edited: what the run list shows
    metrics.jsonl    one line a measurement, appended: of training, of a `split`, of layers (see `inside`)
    log.txt          what the worker says, tracebacks included
    samples.jsonl    what the model made of a pinned sentence, a line at each measurement
    step_000500/     a checkpoint: a loadable model folder, and the training state beside it
    snapshots/       step_000064/ and others: weights alone, from all over the run (see `snapshots`)
    parent.json      of a fork: the run that it comes from, and the step
    stop, pause      files that ask the worker to save and end, or to wait

Knows nothing of torch, of starting processes, or of what is trained.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.paths import runs_dir
from nlptui.text import visible
from nlptui.train.recipe import Recipe, recipe_from_dict

STATES = (
    N_("queued"), N_("running"), N_("paused"), N_("stopped"), N_("done"), N_("failed"), N_("lost"),
)  # fmt: skip
ALIVE = ("queued", "running", "paused")
WAITING = "waiting"
"""The phase of a queued run that has no place yet: see `places`."""
LAYERS = "layers"
"""The `kind` of the rows of the metrics file that tell of a network's layers."""
_SNAPSHOTS = "snapshots"
_STEP_FOLDER = re.compile(r"step_(\d{6,12})")
_RUN_NAME = re.compile(r"\w[\w.\-]{0,99}")
# A run that was just created has no process yet; after this many seconds it will not get one any more.
_START_SECONDS = 30.0


@dataclass(frozen=True)
class RunStatus:
    """What the run list shows of one run."""

    name: str
    """The run's name, which is its directory's."""
    state: str = "queued"
    """One of STATES; `lost` is never written, but found by the reader."""
    pid: int | None = None
    """The worker's process, once it has one."""
    born: int | None = None
    """When that process started, in the kernel's clock ticks: the same number later is another process."""
    step: int = 0
    """Updates made."""
    steps: int = 0
    """Updates to make; 0 while not known."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The latest value of everything measured; what was measured on dev is named `dev_…`."""
    error: str = ""
    """Why it failed or was lost, in one line."""
    latest: str = ""
    """The folder of the newest checkpoint."""
    best: str = ""
    """The folder of the best checkpoint on dev."""
    phase: str = ""
    """What a running worker is at: loading, training, evaluating, saving. Of a queued run: waiting (for a
    place), or nothing, where its worker is about to come."""
    seconds: float = 0.0
    """Time spent training, over all of the run's workers."""
    left: float | None = None
    """Seconds that it still needs, as far as one can tell."""
    updated: float = 0.0
    """When this was written, in seconds since 1970."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {item.name: getattr(self, item.name) for item in fields(self)} | {
            "metrics": dict(self.metrics)
        }


@dataclass(frozen=True)
class Parent:
    """Where a fork comes from."""

    run: str
    """The name of the run; there may be none of that name any more."""
    step: int


class RunDirectory:
    """The files of one run. Readers meet broken ones, and say so; they never raise for them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    @property
    def config_path(self) -> Path:
        return self.path / "config.json"

    @property
    def status_path(self) -> Path:
        return self.path / "status.json"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples_path(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    @property
    def stop_path(self) -> Path:
        return self.path / "stop"

    @property
    def pause_path(self) -> Path:
        return self.path / "pause"

    # the recipe

    def write_recipe(self, recipe: Recipe) -> None:
        write_json(self.config_path, recipe.to_dict())

    def recipe(self) -> Recipe:
        """The resolved recipe. Raises UserError when `config.json` is missing or broken."""
        content = read_json(self.config_path)
        if content is None:
            raise UserError(
                _("{path}: missing or broken, so the run {name} cannot go on").format(
                    path=self.config_path, name=visible(self.name)
                )
            )
        if "experiment" in content:
            raise UserError(_("{name} is an experiment: it trains no model").format(name=visible(self.name)))
        return recipe_from_dict(content, where=str(self.config_path))

    # where it comes from

    def write_parent(self, parent: Parent) -> None:
        write_json(self.path / "parent.json", asdict(parent))

    def parent(self) -> Parent | None:
        """The run that this one was forked from; None where it began by itself, or the file is broken."""
        content = read_json(self.path / "parent.json") or {}
        run, step = content.get("run"), content.get("step")
        return Parent(run, step) if isinstance(run, str) and isinstance(step, int) else None

    # the status

    def write_status(self, status: RunStatus) -> None:
        write_json(self.status_path, strict(status.to_dict() | {"updated": time.time()}))

    def overwrite_status(self, status: RunStatus) -> None:
        """The same in the old file's own space, where a full disk has none for a new one beside it."""
        content = strict(status.to_dict() | {"updated": time.time()})
        self.status_path.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), "utf-8")

    def status(self) -> RunStatus:
        """The run's state as it is: `lost` when the status names a worker that no longer lives."""
        content = read_json(self.status_path)
        if content is None:
            return RunStatus(
                self.name,
                "lost",
                error=_("status.json is missing or broken; resume takes the last checkpoint"),
                latest=self._latest_name(),
            )
        status = _status_from(self.name, content)
        if status.state in ALIVE and not _has_worker(status):
            reason = _("the worker ended without a word (killed, or the machine went down)")
            status = _replace(
                status, state="lost", error=reason, latest=self._latest_name(), phase="", left=None
            )
        return status

    # the metrics

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add a line; a line that an earlier worker left torn is ended first."""
        _append_line(self.metrics_path, row)

    def metrics(self, since: int = 0) -> list[dict[str, Any]]:
        """The rows after the first `since`; lines that are torn or broken are left out."""
        return [row for row in self._rows() if row.get("kind") != LAYERS][since:]

    def layer_metrics(self, since: int = 0) -> list[dict[str, Any]]:
        """What was seen inside the network, layer by layer, after the first `since` rows of that."""
        return [row for row in self._rows() if row.get("kind") == LAYERS][since:]

    def rewind_metrics(self, step: int) -> None:
        """Forget rows after `step`: the worker that wrote them died before it saved what they measured."""
        for path in (self.metrics_path, self.samples_path):
            rows = _rows_in(path)
            kept = [row for row in rows if row["step"] <= step]
            if len(kept) < len(rows) or not _whole(path):
                _write_rows(path, kept)

    def copy_metrics(self, other: RunDirectory, step: int) -> None:
        """Take over what another run measured up to `step`, its samples too."""
        for path, own in ((other.metrics_path, self.metrics_path), (other.samples_path, self.samples_path)):
            if path == other.metrics_path or path.exists():
                _write_rows(own, [row for row in _rows_in(path) if row["step"] <= step])

    def _rows(self) -> list[dict[str, Any]]:
        return _rows_in(self.metrics_path)

    # the pinned sentence

    def append_sample(self, row: Mapping[str, Any]) -> None:
        """Add what the model made of it; a step that has its line, as after a resume, gets no second."""
        rows = self.samples()
        if not rows or rows[-1]["step"] < row["step"]:
            _append_line(self.samples_path, row)

    def samples(self, since: int = 0) -> list[dict[str, Any]]:
        """The rows after the first `since`."""
        return _rows_in(self.samples_path)[since:]

    # the checkpoints

    def checkpoints(self) -> list[Path]:
        """Checkpoint folders from the first step to the last; renamed into place, so each is whole."""
        return _step_folders(self.path)

    def step_folder(self, step: int) -> Path:
        return self.path / f"step_{step:06d}"

    def snapshots(self) -> list[Path]:
        """The folders of weights alone from the first step to the last; each is whole, as checkpoints are."""
        return _step_folders(self.path / _SNAPSHOTS)

    def snapshot_folder(self, step: int) -> Path:
        return self.path / _SNAPSHOTS / f"step_{step:06d}"

    def scratch_folder(self) -> Path:
        """An empty folder beside the checkpoints, for one that is being written."""
        self.clear_scratch()
        scratch = self.path / f".part_{os.getpid()}"
        scratch.mkdir()
        return scratch

    def drop(self, folder: Path) -> None:
        """Remove a checkpoint or a snapshot; renamed first, so that nobody ever finds half of one."""
        gone = self.path / ".".join((".part_", *folder.relative_to(self.path).parts))
        with suppress(OSError):
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def clear_scratch(self) -> None:
        """Remove what a worker that died while saving or removing left behind."""
        for path in self._entries():
            if path.name.startswith(".part_"):
                shutil.rmtree(path, ignore_errors=True)

    def _latest_name(self) -> str:
        folders = self.checkpoints()
        return folders[-1].name if folders else ""

    def _entries(self) -> list[Path]:
        return _entries(self.path)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _step_folders(parent: Path) -> list[Path]:
    """The folders called step_… from the first step to the last."""
    found = []
    for path in _entries(parent):
        match = _STEP_FOLDER.fullmatch(path.name)
        if match and path.is_dir():
            found.append((int(match[1]), path))
    return [path for _step, path in sorted(found)]


def step_of(folder: Path) -> int:
    """500 for `step_000500`."""
    match = _STEP_FOLDER.fullmatch(folder.name)
    if match is None:
        raise ValueError(f"{folder} is not a checkpoint folder")
    return int(match[1])


def check_run_name(name: str) -> str:
    """`name`, if it can be the name of a run's folder and cannot lead out of the folder of runs."""
    if _RUN_NAME.fullmatch(name) is None or visible(name) != name:
        raise UserError(
            _("{name} cannot be the name of a run; use letters, digits, - _ and .").format(
                name=visible(repr(name))
            )
        )
    return name


def find_run(name: str) -> RunDirectory:
    """The run called `name`. Raises UserError when there is none."""
    path = runs_dir() / check_run_name(name)
    if not path.is_dir():
        raise UserError(_("no run is called {name}; `nlptui runs` lists them").format(name=name))
    return RunDirectory(path)


def all_runs() -> list[RunDirectory]:
    """Every run directory, oldest first."""
    try:
        paths = [path for path in runs_dir().iterdir() if path.is_dir() and _RUN_NAME.fullmatch(path.name)]
    except OSError:
        return []
    return [RunDirectory(path) for path in sorted(paths, key=_created)]


def _created(path: Path) -> tuple[float, str]:
    try:
        return (path / "config.json").stat().st_mtime, path.name
    except OSError:
        return 0.0, path.name


# processes


def process_birth(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot; 0: the system does not tell; None: it is not alive."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _answers(pid)
    except OSError:
        return _answers(pid)
    # The second field is the program's name in parentheses, which may itself hold any character.
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18])


def _answers(pid: int) -> int | None:
    if os.name == "nt":
        return 0  # There os.kill would end the process; what the status says must do.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0


def _has_worker(status: RunStatus) -> bool:
    if status.pid is None:
        return status.phase == WAITING or time.time() - status.updated < _START_SECONDS
    birth = process_birth(status.pid)
    return birth is not None and (not status.born or birth in (0, status.born))


# files


def write_json(path: Path, content: Any) -> None:
    """Replace `path` by `content` as JSON, whole or not at all."""
    write_atomic(
        path, (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")
    )


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None when it is missing, broken, or something else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def strict(value: Any) -> Any:
    """`value` with infinities and NaN, which JSON does not have, as the strings "inf", "-inf", "nan"."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    return [strict(item) for item in value] if isinstance(value, list | tuple) else value


def _rows_in(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that has one JSON object a line; lines that are torn or broken are left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    return [row for row in map(_row, lines) if row is not None]


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8"))


def _append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Add a line; one that an earlier worker left torn is ended first."""
    line = json.dumps(strict(row), ensure_ascii=False, allow_nan=False) + "\n"
    with path.open("ab+") as file:
        if file.tell() and not _ends_line(file):
            line = "\n" + line
        file.write(line.encode("utf-8"))


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def _ends_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _whole(path: Path) -> bool:
    try:
        return path.read_bytes().endswith(b"\n")
    except OSError:
        return True


def _status_from(name: str, content: dict[str, Any]) -> RunStatus:
    """The status in `content`; a value of the wrong type counts as absent."""
    known: dict[str, Any] = {}
    whole = {"pid", "born", "step", "steps"}
    words = {"error", "latest", "best", "phase"}
    numbers = {"seconds", "left", "updated"}
    for key, value in content.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if (
            (key in whole and isinstance(value, int) and number)
            or (key in words and isinstance(value, str))
            or (key in numbers and number)
            or (key == "state" and value in STATES)
            or (key == "metrics" and isinstance(value, dict))
        ):
            known[key] = value
    return RunStatus(name, **known)


def _replace(status: RunStatus, **changes: Any) -> RunStatus:
    return RunStatus(**(status.to_dict() | changes))

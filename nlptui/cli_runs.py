"""What the command line prints of training runs: the list, one run, and its progress as it goes.

Talks to the run client only; loads no torch.
"""

from __future__ import annotations

import csv
import io
import math
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nlptui.cli_output import DASH, dumps, message, number, table, write_line
from nlptui.cli_show import metric_lines, spaced
from nlptui.locale import _
from nlptui.text import visible
from nlptui.train import client
from nlptui.train.client import RunStatus
from nlptui.wording import SPLITS, listed, metric_words

# What can go on with `nlptui runs resume`.
RESUMABLE = ("stopped", "failed", "lost")


def run_values(run: RunStatus) -> dict[str, Any]:
    """The JSON of a run."""
    values = {key: getattr(run, key) for key in ("name", "state", "pid", "step", "steps", "metrics")}
    return values | ({"error": run.error} if run.error else {})


def run_lines(runs: Sequence[RunStatus]) -> list[str]:
    """A table of runs."""
    if not runs:
        return [_("no runs yet; nlptui train starts one")]
    rows = [(run.name, _(run.state), _progress(run), run.metrics.get("loss"), _left(run)) for run in runs]
    lines = table((_("run"), _("state"), _("step"), _("loss"), _("time left")), rows, right=(2, 3, 4))
    return [*lines, *(f"{visible(run.name)}: {why_ended(run)}" for run in runs if run.state in RESUMABLE)]


def why_ended(run: RunStatus) -> str:
    """Why a run goes on no more, and how it could."""
    reason = visible(run.error) or _(run.state)
    return _("{reason}; nlptui runs resume {name} goes on").format(reason=reason, name=visible(run.name))


def run_page(run: RunStatus) -> list[str]:
    """One run: its state, and everything measured last."""
    words = _("{name}: {state}, step {step}")
    lines = [words.format(name=visible(run.name), state=_(run.state), step=_progress(run))]
    if run.state in RESUMABLE:
        lines.append(why_ended(run))
    elif run.error:
        lines.append(visible(run.error))
    return [*lines, *metric_lines(run.metrics)] if run.metrics else lines


@dataclass(frozen=True)
class Origin:
    """Where a run began, and what it has kept on its way."""

    parent: client.Parent | None
    checkpoints: list[int]
    """Steps that it can be forked from."""
    snapshots: list[int]
    """Steps whose weights can be looked at, those among them."""

    def values(self) -> dict[str, Any]:
        """Its part of the JSON of a run."""
        parent = {"parent": asdict(self.parent)} if self.parent else {}
        kept = {"checkpoints": self.checkpoints, "snapshots": self.snapshots}
        return parent | {key: steps for key, steps in kept.items() if steps}

    def lines(self) -> list[str]:
        """The same for people."""
        lines = []
        if self.parent:
            words = _("forked from {run} at step {step}")
            lines.append(words.format(run=visible(self.parent.run), step=self.parent.step))
        if self.checkpoints:
            steps = ", ".join(map(str, self.checkpoints))
            lines.append(_("checkpoints at steps {steps}").format(steps=steps))
        if self.snapshots:
            steps = ", ".join(map(str, self.snapshots))
            lines.append(_("weights to look at of steps {steps}").format(steps=steps))
        return lines


def sample_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The sentence whenever it is another, and under it a line a step: what the model made of it then."""
    if not rows:
        return [_("nothing yet; the run is asked at each measurement")]
    lines, before = [], ""
    for row in rows:
        text = " ||| ".join(visible(str(row[key])) for key in ("text", "pair") if key in row)
        lines += [text] if text != before else []
        said = visible(str(row["problem"])) if "problem" in row else _said(row.get("output"))
        lines.append(f"{row['step']:>8}  {said}")
        before = text
    return lines


def _said(output: Any) -> str:
    """The likeliest of an output of any task. What a broken file holds is shown as it is."""
    try:
        if "tags" in output:
            return " ".join(f"{spaced(tag['token'])}/{visible(tag['tag'])}" for tag in output["tags"])
        if "text" in output:
            return visible(str(output["text"]))
        if "labels" in output:
            return "  ".join(f"{visible(one['label'])} {number(one['prob'])}" for one in output["labels"])
        if "spans" in output:
            return "  ".join(f"{visible(one['text'])} {number(one['prob'])}" for one in output["spans"][:3])
        return "  ".join(
            f"{place['pos']}: " + " ".join(spaced(token["text"]) for token in place["tokens"][:3])
            for place in output["candidates"]
        )
    except (KeyError, TypeError, AttributeError):
        return visible(str(output))


def estimate_lines(found: client.Estimate) -> list[str]:
    """What a run would take."""
    seconds = round(found.seconds)
    time_taken = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    rows = [
        (_("parameters"), f"{found.parameters:,}"),
        (_("memory"), _("{n} MB").format(n=f"{found.memory / 1e6:,.0f}")),
        (_("time"), time_taken),
        (_("updates"), f"{found.steps:,}"),
        (_("an update"), _("{n} ms").format(n=f"{1e3 * found.seconds_a_step:,.1f}")),
    ]
    return table((_("what"), _("estimate")), rows, right=(1,))


def prepared_lines(run: client.RunHandle) -> list[str]:
    """How a run that was only made is started: by one process, or by several."""
    return [
        f"nlptui runs resume {visible(run.name)}",
        f"torchrun --nproc-per-node 2 --max-restarts 3 -m nlptui.train.worker {shlex.quote(str(run.path))}",
    ]


def csv_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as comma-separated values; a column for each name that any row has."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().splitlines()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values that have parts, as columns called NAME.PART."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        parts = value.items() if isinstance(value, Mapping) else None
        found |= {name: value} if parts is None else {f"{name}.{part}": one for part, one in parts}
    return {visible(name): visible(one) if isinstance(one, str) else one for name, one in found.items()}


def kept_values(kept: client.Kept, run: str) -> dict[str, Any]:
    """The JSON of a run that became a model."""
    keys = ("name", "path", "step", "split", "metrics", "baselines")
    values = {"run": run} | {key: getattr(kept, key) for key in keys}
    return values | ({"problem": kept.problem} if kept.problem else {})


def kept_line(kept: client.Kept) -> str:
    """What was measured of it, on what, in one line."""
    values = []
    for name, value in kept.metrics.items():
        beside = kept.baselines.get(name)
        baseline = "" if beside is None else _(" (baseline {value})").format(value=number(beside))
        values.append(f"{metric_words(name)} {number(value)}{baseline}")
    measured = {
        "test": _("{name}: step {step}, on test: {metrics}"),
        "dev": _("{name}: step {step}, on dev, as there is no test split: {metrics}"),
        "": _("{name}: step {step}, not measured: {problem}"),
    }[kept.split]
    problem = visible(kept.problem) or _("its corpus has neither a test nor a dev split")
    return measured.format(name=kept.name, step=kept.step, metrics=listed(values), problem=problem)


def _progress(run: RunStatus) -> str:
    return f"{run.step}/{run.steps}" if run.steps else str(run.step)


def _left(run: RunStatus) -> str:
    if run.left is None or not math.isfinite(run.left) or run.state != "running":
        return DASH
    minutes, seconds = divmod(round(run.left), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def progress_line(row: Mapping[str, Any], steps: int) -> str:
    """One measurement: the step, and what was measured."""
    hidden = ("step", "time", "split")
    values = [f"{metric_words(str(key))} {_told(value)}" for key, value in row.items() if key not in hidden]
    name = str(row.get("split", ""))
    split = [_(SPLITS.get(name, visible(name)))] if name else []
    place = f"{row.get('step', 0)}/{steps}" if steps else str(row.get("step", 0))
    return "  ".join([place.rjust(2 * len(str(steps)) + 1), *split, *values])


def _told(value: Any) -> str:
    """A number; of several things told together, each with its name."""
    if not isinstance(value, Mapping):
        return number(value)
    return " ".join(f"{visible(str(key))} {number(part)}" for key, part in value.items())


def follow(name: str, as_json: bool, stop: bool) -> bool:
    """Print measurements as they come until the run ends; whether it ended well.

    With `stop`, Ctrl+C asks the run to save and end, and waits for that; otherwise it leaves the run alone.
    """
    last = client.status(name)
    stopping = False
    while True:
        try:
            for last, rows in client.follow(name):
                for row in rows:
                    write_line(dumps(row) if as_json else progress_line(row, last.steps))
            break
        except KeyboardInterrupt:
            if not stop or stopping:
                raise
            stopping = True
            client.stop(name)
            message(_("stopping: the run saves first; Ctrl+C again does not wait for that"))
    end = _("{name}: {state} at step {step}")
    end = end.format(name=last.name, state=_(last.state), step=_progress(last))
    message(_("{what}: {problem}").format(what=end, problem=last.error) if last.error else end)
    return last.state not in ("failed", "lost")


class Download:
    """Says on stderr how a download goes: on a terminal in one line, written over, elsewhere once a file."""

    def __init__(self) -> None:
        self.shown = ""
        self.when = 0.0

    def __enter__(self) -> Download:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.shown and sys.stderr.isatty():
            print(file=sys.stderr)

    def __call__(self, file: str, here: int, size: int | None) -> None:
        """`here` bytes of `file` are here, of `size`."""
        if not sys.stderr.isatty():
            if file != self.shown:
                message(file)
            self.shown = file
            return
        now = time.monotonic()
        if file == self.shown and now - self.when < 0.1 and here != size:
            return
        of = f" / {size / 1e6:.1f}" if size else ""
        print(f"\r\x1b[K{visible(file)}  {here / 1e6:.1f}{of} MB", end="", file=sys.stderr, flush=True)
        self.shown, self.when = file, now

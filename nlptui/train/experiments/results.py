"""What a run directory holds of an experiment: which it is, the rows so far, and the table at the end.

The rows lie among the run's metrics, which are only ever appended; the table is written once, when all is
measured. Loads no torch.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nlptui.train.experiments.parts import COLUMNS, Part, Row
from nlptui.train.run import RunDirectory, read_json, write_atomic, write_json

TABLE_FILE = "experiment.csv"
MEASURED, FINISHED = "measured", "finished"
"""Keys of a line of the metrics that holds a row, and of one that says that a part is finished."""


@dataclass(frozen=True)
class Settings:
    """What an experiment's run is of: the content of its `config.json`."""

    experiment: str
    quick: bool = False
    """Whether it is only to be seen that it runs."""


def write_settings(run: RunDirectory, settings: Settings) -> None:
    """Make `run` the run of an experiment."""
    write_json(run.config_path, asdict(settings))


def settings_of(run: RunDirectory) -> Settings | None:
    """Which experiment the run is of; None where it is a training, or broken."""
    content = read_json(run.config_path) or {}
    name = content.get("experiment")
    return Settings(name, content.get("quick") is True) if isinstance(name, str) else None


def line_of_row(row: Row) -> dict[str, Any]:
    """What a line of the metrics says of a row."""
    return {MEASURED: asdict(row)}


def line_of_part(part: Part, seconds: float) -> dict[str, Any]:
    """What a line of the metrics says of a part that is finished, and of how long it took."""
    told = {"part": part.name, "series": part.series, "at": part.at, "seed": part.seed}
    return {FINISHED: told | {"seconds": round(seconds, 3)}}


def rows_in(lines: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows among lines of the metrics; one that is broken is left out."""
    return [row for line in lines if (row := _row(line.get(MEASURED))) is not None]


def finished_in(lines: Sequence[Mapping[str, Any]]) -> set[str]:
    """The names of the parts that are finished."""
    told = [line[FINISHED] for line in lines if isinstance(line.get(FINISHED), Mapping)]
    return {str(part["part"]) for part in told if "part" in part}


def write_table(run: RunDirectory, experiment: str) -> None:
    """Write all rows as `experiment.csv`, whole or not at all."""
    write_atomic(run.path / TABLE_FILE, table(experiment, rows_in(run.metrics())).encode("utf-8"))


def table(experiment: str, rows: Sequence[Row]) -> str:
    """Tidy CSV: a line for each measurement."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({"experiment": experiment} | asdict(row) for row in rows)
    return text.getvalue()


def _row(told: object) -> Row | None:
    """The row that a line told; a number that JSON has not stands in it as a word, "nan" or "inf"."""
    if not isinstance(told, Mapping):
        return None
    try:
        chart, series, seed = told["chart"], told["series"], told["seed"]
        x, y = (_number(told[key]) for key in ("x", "y"))
    except (KeyError, TypeError, ValueError):
        return None
    words = isinstance(chart, str) and isinstance(series, str) and isinstance(seed, int)
    return Row(chart, series, seed, x, y) if words else None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return value if isinstance(value, int) else float(value)

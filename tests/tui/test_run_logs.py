"""The files of measurements, read as they grow: torn lines wait, a file written anew is read anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nlptui.tui.run_logs import RunLog


def row(step: int, loss: float) -> str:
    return json.dumps({"step": step, "loss": loss}) + "\n"


def losses(log: RunLog) -> list[float]:
    return log.points["loss"]["train"][2] if log.points else []


def test_only_what_is_new_is_read_and_a_torn_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = RunLog(path)
    log.read()
    assert losses(log) == [] and log.version == 0
    path.write_text(row(1, 3.0) + '{"step": 2, "lo', encoding="utf-8")
    log.read()
    assert losses(log) == [3.0]
    version = log.version
    log.read()
    assert log.version == version
    with path.open("a", encoding="utf-8") as file:
        file.write('ss": 2.5}\nbroken\n[1]\n' + row(3, 2.0))
    log.read()
    assert losses(log) == [3.0, 2.5, 2.0]


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(row(1, 3.0) + row(2, 2.0) + row(3, 1.0), encoding="utf-8")
    log = RunLog(path)
    log.read()
    other = tmp_path / "other"
    other.write_text(row(1, 3.0) + row(2, 9.0) + row(3, 8.0) + row(4, 7.0), encoding="utf-8")
    os.replace(other, path)
    log.read()
    assert losses(log) == [3.0, 9.0, 8.0, 7.0]


def test_a_file_that_was_cut_in_its_place_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(row(1, 3.0) + row(2, 2.0), encoding="utf-8")
    log = RunLog(path)
    log.read()
    path.write_text(row(1, 4.0), encoding="utf-8")
    log.read()
    assert losses(log) == [4.0]
    path.write_text(row(1, 5.0) + row(2, 6.0), encoding="utf-8")
    log.read()
    assert losses(log) == [5.0, 6.0]
    path.unlink()
    log.read()
    assert losses(log) == []

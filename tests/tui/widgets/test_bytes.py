"""What reaches a real pseudo-terminal: few bytes for a cursor move, not too many for a page, none if idle."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_heat_table.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_heat_table", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_bytes_of_the_heat_table(bench: Any) -> None:
    found = bench.measure("heat_table", repeats=2)
    assert 0 < found["cursor_move_bytes"] <= 1000
    assert 5000 < found["page_down_bytes"] <= 18000
    assert found["idle_bytes_in_2_s"] == 0

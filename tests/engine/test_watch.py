"""Long analyses say how far they are, and end where they are told to."""

from __future__ import annotations

import pytest

from nlptui.engine import Engine
from nlptui.errors import Cancelled

LONG = (
    ("tag-bert", "analysis.attribution.at_2.to_1"),
    ("tag-bert", "analysis.left_out.at_2.to_1"),
    ("gpt", "analysis.beam"),
    ("gpt", "analysis.cache"),
    ("gpt", "analysis.timing"),
    ("gpt", "analysis.positions"),
)


@pytest.mark.parametrize(("family", "name"), LONG)
def test_it_says_how_far_it_is_and_keeps_nothing_where_it_is_ended(
    engines: dict[str, Engine], family: str, name: str
) -> None:
    engine = engines[family]
    trace = engine.trace("the old keeper can open a can of paint")
    told: list[tuple[int, int]] = []

    def end(done: int, pieces: int) -> None:
        told.append((done, pieces))
        raise Cancelled

    with pytest.raises(Cancelled):
        engine.analyse(trace, name, watch=end)
    assert len(told) == 1 and told[0][0] == 0
    short = name.split(".")[1]
    assert not any(held.startswith(f"analysis.{short}.") for held in trace.analyses)
    told.clear()
    engine.analyse(trace, name, watch=lambda done, pieces: told.append((done, pieces)))
    assert any(held.startswith(f"analysis.{short}.") for held in trace.analyses)
    assert all(done < pieces for done, pieces in told)
    assert [done for done, _pieces in told] == sorted(done for done, _pieces in told)

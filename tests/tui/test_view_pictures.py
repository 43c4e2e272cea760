"""A picture of every view, drawn by the real engine; `--snapshot-update` takes new ones. Look at them first.

The networks are small, with random weights, and run in double precision, so that the digits shown are the
same on every machine. What is measured live (milliseconds) is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.color import ColorSystem
from textual.pilot import Pilot

from nlptui.locale import set_language
from nlptui.tui.panes.words import Words
from nlptui.tui.place import Place
from nlptui.tui.program import NlptuiApp
from nlptui.tui.settings import Settings
from nlptui.tui.workbench import Ran, Workbench
from nlptui.views import VIEWS
from tests.tui.driving import Session
from tests.tui.test_snapshots import NARROW, WIDE, StillClerk

if TYPE_CHECKING:
    from nlptui.engine import Engine

pytestmark = pytest.mark.usefixtures("models")
LEFT_OUT = ("timing", "tree", "lattice", "evidence", "fired", "eras")
"""Measured live; pictures of their own, in `test_snapshots` and `test_classical_pictures`."""
MODELS = {
    "gates": "tag-lstm", "through_time": "tag-lstm", "units_on": "tag-lstm", "hidden": "tag-lstm",
    "tokens": "bert", "embedding": "bert", "add_norm": "bert", "effect": "class-lstm", "output": "bert",
    "outputs": "tag-lstm", "systems": "tag-lstm", "attribution": "class-lstm", "attention": "translator",
    "pooling": "class-lstm",
}  # fmt: skip
"""Which model a view is shown of, where it is not the GPT."""
TEXTS = {"bert": "a can of [MASK]", "gpt": "the old", "translator": "a can"}
MORE: dict[str, dict[str, Any]] = {
    "effect": {"edits": ("layers.0.forward.forget_gate[0,:,:]=force:1",)},
    "units_on": {"mark": 1, "position": 3},
    "through_time": {"position": 5},
    "next": {"position": 6},
    "neighbours": {"position": 2},
    "steps": {"name": "softmax"},
    "beam": {"position": 6},
    "attribution": {"name": "left_out"},  # the sum of the others is told to the last digit, which is noise
}
WAYS = {
    "narrow": (NARROW, "dark", "en", ColorSystem.TRUECOLOR),
    "wide": (WIDE, "dark", "zh", ColorSystem.TRUECOLOR),
    "light": (WIDE, "light", "en", ColorSystem.TRUECOLOR),
    "16": (NARROW, "dark", "en", ColorSystem.STANDARD),
}
PICTURES = [
    *((name, "narrow") for name in VIEWS if name not in LEFT_OUT),
    *(
        (name, "wide")
        for name in ("gates", "steps", "heads", "sources", "attribution", "effect", "beam", "outputs")
    ),
    *((name, "light") for name in ("space", "through_time", "add_norm", "surprisal")),
    *((name, "16") for name in ("attention", "gates", "heads", "space", "through_time", "next")),
]


class Double(Workbench):
    """The workbench with networks in double precision, whose runs all take as long."""

    def engine(self, name: str) -> Engine:
        engine = super().engine(name)
        engine.model.double()
        return engine

    def ran(self, place: Place) -> Ran:
        found = super().ran(place)
        found.trace.seconds = 0.0123
        return found


@pytest.mark.parametrize(("view", "way"), PICTURES, ids=[f"{view}-{way}" for view, way in PICTURES])
def test_picture_of_a_view(
    snap_compare: Callable[..., bool], view: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    size, theme, language, colours = WAYS[way]
    set_language(language)
    model = MODELS.get(view, "gpt")
    place = Place(model, TEXTS.get(model, "the old keeper can open a can"), view)
    place = replace(place, **MORE.get(view, {}))
    app = NlptuiApp(place, Settings(theme=theme, language=language), Double, StillClerk)
    app.console._color_system = colours

    async def run_before(pilot: Pilot[Any]) -> None:
        session = Session(app, pilot)
        await session.settle()
        assert session.explorer.problem == "" and session.place.view == view
        assert session.pane.figure is not None and session.pane.figure.parts
        await session.press("w", "j", "l")
        # All digits of a number: the last of them differ from processor to processor.
        session.explorer.query_one("#exact", Words).left = ()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=run_before)

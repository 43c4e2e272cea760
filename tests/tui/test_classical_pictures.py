"""Pictures of what came before the networks, and of the tokenizer bench, in both languages at both sizes.

The models are small and made by hand, their milliseconds are told; `--snapshot-update` takes new pictures.
Look at them first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.color import ColorSystem
from textual.pilot import Pilot

from nlptui.engine.analyses import eras
from nlptui.locale import set_language
from nlptui.tui.panes.words import Words
from nlptui.tui.place import Place
from nlptui.tui.program import NlptuiApp
from nlptui.tui.requests import BenchRequest, ListModels
from nlptui.tui.screens.tokenizers import TokenizersScreen
from nlptui.tui.settings import Settings
from nlptui.tui.tokenizer_desk import TokenizerDesk
from tests.engine.classical_models import make_classical
from tests.engine.models import make_model
from tests.tui.driving import Session
from tests.tui.test_snapshots import NARROW, WIDE, StillClerk
from tests.tui.test_view_pictures import Double

TEXT = "the old keeper can open a can"
VIEWS = {
    "lattice": ("tag-crf", ("j", "l", "l")),
    "lattice-pointers": ("tag-hmm", ("j", "l", "l")),
    "evidence-hmm": ("tag-hmm", ("l", "l", "l")),
    "evidence": ("tag-crf", ("j", "j", "l")),
    "fired": ("tag-rules", ("l", "l")),
    "eras": ("tag-hmm", ("j", "l", "l", "l")),
}
"""Model and keys of each picture."""
CHOICES = {"lattice-pointers": "lattice"}
WAYS = list(itertools.product((NARROW, WIDE), ("en", "zh")))


class NamedClerk(StillClerk):
    """Knows the small taggers, and answers the tokenizer bench."""

    def __init__(self) -> None:
        self.bench = TokenizerDesk()

    def answer(self, request: Any, watch: Any) -> Any:
        if isinstance(request, BenchRequest):
            return self.bench.answer(request)
        if isinstance(request, ListModels):
            archs = ("rules", "hmm", "crf", "lstm")
            return tuple(
                SimpleNamespace(
                    name=f"tag-{arch}", arch=arch, task="tagging", language="", parameters=1, context=128,
                    vocab_size=20, metrics={}, problem="", path=Path(arch),
                )
                for arch in archs
            )  # fmt: skip
        return super().answer(request, watch)


@pytest.fixture(scope="session")
def taggers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taggers")
    make_classical(folder)
    make_model(folder, "tag-lstm")
    return folder


@pytest.fixture
def app(taggers: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Place, str], NlptuiApp]:
    monkeypatch.setenv("NLPTUI_MODELS", str(taggers))
    monkeypatch.setenv("COLORTERM", "truecolor")
    times = {"tag-rules": 0.5, "tag-hmm": 1.25, "tag-crf": 1.5, "tag-lstm": 0.75}
    monkeypatch.setattr(eras, "milliseconds", lambda engine, trace: (times[engine.name], eras.RUNS))

    def opened(place: Place, language: str) -> NlptuiApp:
        set_language(language)
        made = NlptuiApp(place, Settings(language=language), Double, NamedClerk)
        made.console._color_system = ColorSystem.TRUECOLOR
        return made

    return opened


def named(way: tuple[tuple[int, int], str]) -> str:
    return f"{way[0][0]}-{way[1]}"


@pytest.mark.parametrize("way", WAYS, ids=named)
@pytest.mark.parametrize("name", VIEWS)
def test_picture_of_what_came_before_the_networks(
    snap_compare: Callable[..., bool], app: Callable[[Place, str], NlptuiApp], name: str, way: Any
) -> None:
    size, language = way
    model, keys = VIEWS[name]
    view = name.partition("-")[0]
    shown = app(Place(model, TEXT, view, name=CHOICES.get(name), position=3), language)

    async def run_before(pilot: Pilot[Any]) -> None:
        session = Session(shown, pilot)
        await session.settle()
        assert session.explorer.problem == "" and session.place.view == view
        assert session.pane.figure is not None and session.pane.figure.parts
        await session.press(*keys)
        session.explorer.query_one("#exact", Words).left = ()
        await pilot.pause()

    assert snap_compare(shown, terminal_size=size, run_before=run_before)


BENCH = {"steps": ("tab", "j", "j"), "vocabulary": ("v", "s", "j"), "learn": ("b", "j"), "train": ("t",)}


@pytest.mark.parametrize("way", WAYS, ids=named)
@pytest.mark.parametrize("name", BENCH)
def test_picture_of_the_tokenizer_bench(
    snap_compare: Callable[..., bool], app: Callable[[Place, str], NlptuiApp], name: str, way: Any
) -> None:
    size, language = way
    shown = app(Place("tag-lstm", "the ﬁne can 猫", "tokens"), language)

    async def run_before(pilot: Pilot[Any]) -> None:
        session = Session(shown, pilot)
        await session.settle()
        await session.press("V", *BENCH[name])
        assert any(isinstance(screen, TokenizersScreen) for screen in shown.screen_stack)
        await pilot.pause()

    assert snap_compare(shown, terminal_size=size, run_before=run_before)

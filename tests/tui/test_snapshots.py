"""Pictures of the whole program; `--snapshot-update` takes new ones. Look at them before you keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from nlptui.locale import set_language
from nlptui.train.run import RunStatus
from nlptui.tui.answers import Recipe, Runs
from nlptui.tui.place import Place
from nlptui.tui.program import NlptuiApp
from nlptui.tui.requests import ListModels, ListRecipes, LookAtRuns
from nlptui.tui.settings import Settings
from tests.tui.driving import Session
from tests.tui.still import Still

ENGLISH = "the old man the boats ."
CHINESE = "小狗 在 河边 sees [/bold] ."
NARROW, WIDE = (80, 24), (120, 40)
STATUS = RunStatus(
    "pos-lstm-en", "running", step=1200, steps=3000, metrics={"loss": 0.42, "dev_accuracy": 0.913},
    latest="step_001200", phase="training", left=95.0,
)  # fmt: skip
DONE = RunStatus("gpt-tang", "done", step=500, steps=500, metrics={"loss": 2.5}, latest="step_000500")


class StillClerk:
    """The same files on every machine."""

    def load(self) -> None:
        """There is nothing to load."""

    def answer(self, request: Any, watch: Any) -> Any:
        match request:
            case ListModels():
                return (
                    model("bert-en", "bert", "pretraining", {"mlm_accuracy": 0.412}),
                    model("still-gpt", "gpt", "language_model", {"perplexity": 18.2}),
                    model("still-lstm", "lstm", "tagging", {"accuracy": 0.934}),
                    SimpleNamespace(name="broken", problem="broken/config.json: no such key 'x'"),
                )
            case ListRecipes():
                path = Path("recipe.toml")
                return (
                    Recipe("gpt-tang", path, "gpt", "language_model", "zh_tang", 500, 0.0),
                    Recipe("pos-lstm-en", path, "lstm", "tagging", "en_ewt", 0, 6.0),
                )
            case LookAtRuns():
                rows = tuple({"step": 10 * i, "loss": round(2.5 / (1 + i / 6), 3)} for i in range(1, 60))
                return Runs((STATUS, DONE), "pos-lstm-en", 0, rows)
        raise AssertionError(request)


def model(name: str, arch: str, task: str, metrics: dict[str, float]) -> Any:
    return SimpleNamespace(
        name=name, arch=arch, task=task, language="en", parameters=1_234_567, context=128, metrics=metrics,
        problem="",
    )  # fmt: skip


PICTURES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "attention": ("still-gpt", ENGLISH, ("j", "j", "l")),
    "gates": ("still-lstm", ENGLISH, ("l",)),
    "chinese-text": ("still-lstm", CHINESE, ()),
    "embedding-row": ("still-gpt", ENGLISH, ("right_parenthesis", "2")),
    "everything": ("still-gpt", ENGLISH, ("9", "j", "j")),
    "comparison": ("still-gpt", ENGLISH, ("c", "x", "enter")),
    "edit": ("still-gpt", ENGLISH, ("x", "j", "tab", "j", "j")),
    "explanation": ("still-gpt", ENGLISH, ("enter", "j")),
    "models": ("still-gpt", ENGLISH, ("m",)),
    "training": ("still-gpt", ENGLISH, ("t", "j")),
    "runs": ("still-lstm", ENGLISH, ("r",)),
    "palette": ("still-gpt", ENGLISH, ("ctrl+p", "l", "a", "y")),
    "help": ("still-gpt", ENGLISH, ("question_mark",)),
    "empty": ("still-gpt", "", ()),
    "heads": ("still-gpt", ENGLISH, (*["tab"] * 12, "l")),
    "next": ("still-gpt", ENGLISH, ("8", "percent_sign", *"0.8", "tab", "6", "enter", "l")),
    "sampling": ("still-gpt", ENGLISH, ("8", "percent_sign")),
    "shades": ("still-gpt", ENGLISH, ("z",)),
}
WAYS = {
    "narrow": (NARROW, "dark", "en"),
    "wide": (WIDE, "dark", "en"),
    "light": (WIDE, "light", "en"),
    "zh": (WIDE, "dark", "zh"),
}
TAKEN = [
    *((name, "narrow") for name in PICTURES),
    *((name, "wide") for name in ("attention", "gates", "everything", "comparison", "explanation", "runs")),
    *((name, "wide") for name in ("heads", "next")),
    *((name, "light") for name in ("attention", "gates", "explanation", "heads")),
    *((name, "zh") for name in ("attention", "chinese-text", "explanation", "help", "edit", "runs", "next")),
]


@pytest.mark.parametrize(("name", "way"), TAKEN, ids=[f"{name}-{way}" for name, way in TAKEN])
def test_picture(
    snap_compare: Callable[..., bool], name: str, way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NLPTUI_HOME", "home")  # named on the help page
    (size, theme, language), (which, text, keys) = WAYS[way], PICTURES[name]
    set_language(language)
    app = NlptuiApp(Place(which, text), Settings(theme=theme, language=language), Still, StillClerk)

    async def run_before(pilot: Pilot[Any]) -> None:
        session = Session(app, pilot)
        await session.settle()
        await session.press(*keys)

    assert snap_compare(app, terminal_size=size, run_before=run_before)


@pytest.mark.parametrize("size", [(20, 5), (50, 20)])
def test_picture_of_too_little_room(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    app = NlptuiApp(Place("still-gpt", ENGLISH), Settings(), Still, StillClerk)
    assert snap_compare(app, terminal_size=size)

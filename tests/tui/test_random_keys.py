"""Keys at random: whatever is pressed, in whatever order, nothing breaks. RANDOM_KEYS=20 tries more."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from nlptui.tui.actions import ACTIONS
from tests.tui.driving import opened

pytestmark = pytest.mark.usefixtures("models")
LEFT_OUT = {"quit", "interrupt", "suspend", "train"}
KEYS = [key for action in ACTIONS if action.id not in LEFT_OUT for key in action.keys if key != "q"]
WORDS = [*"abcxyz", "space", "backspace", "0", "5", "full_stop", "minus"]
SEEDS = range(int(os.environ.get("RANDOM_KEYS", "1")))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", ["tag-lstm", "gpt", "bert", "translator"])
async def test_any_keys_in_any_order(
    model: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # exports go there
    rng = random.Random(f"{model} {seed}")
    size = rng.choice([(60, 16), (80, 24), (120, 40)])
    async with opened(model, text="the old can", size=size) as session:
        pressed = []
        for step in range(120):
            key = rng.choice(KEYS if rng.random() < 0.8 else [*WORDS, "escape", "enter", "tab"])
            pressed.append(key)
            await session.pilot.press(key)
            if step % 7 == 0:
                await session.settle()
            assert session.app._exception is None, pressed[-20:]
        await session.settle()
        assert session.app._exception is None, pressed[-20:]
        for _step in range(4):
            await session.press("escape")
        assert session.app.screen is session.explorer
        assert "\x1b" not in session.text()

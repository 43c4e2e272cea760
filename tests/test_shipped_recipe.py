"""A shipped recipe, trained again from its corpus and its seed, ends in the metric of the card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nlptui.data import find
from tests.conftest import ROOT

NAME = "sentiment-lstm-en"
NOISE = 0.013
"""Another processor sums in another order: of 1,000 test sentences, one standard error is 13 of them."""

pytestmark = pytest.mark.slow


def nlptui(home: Path, *arguments: str) -> str:
    """What a command printed, with an empty home folder and the corpora that are really there."""
    done = subprocess.run(
        [sys.executable, "-m", "nlptui", *arguments], cwd=ROOT,
        env=os.environ | {"NLPTUI_HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(find("en_polarity") is None, reason="needs the corpus en_polarity (NLPTUI_DATA)")
def test_a_recipe_reproduces_its_metric(tmp_path: Path) -> None:
    folder = ROOT / "models" / NAME
    nlptui(tmp_path, "train", str(folder / "recipe.toml"), "--name", "again", "--foreground")
    nlptui(tmp_path, "runs", "keep", "again")
    found = json.loads(nlptui(tmp_path, "evaluate", "again", "--json"))["metrics"]["accuracy"]
    shipped = json.loads((folder / "config.json").read_text(encoding="utf-8"))["metrics"]["accuracy"]
    assert found == pytest.approx(shipped, abs=NOISE)

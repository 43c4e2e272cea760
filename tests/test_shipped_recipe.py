"""A shipped recipe, trained again from its corpus and its seed, ends in the metrics of the card."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from nlptui.data import find
from tests.conftest import ROOT

ALL = "NLPTUI_RETRAIN"
"""Set: networks too, which takes minutes."""
RECIPES = [
    # Counted: the same on every machine.
    ("pos-hmm-zh", "zh_ud", "accuracy", 1e-6),
    # Another processor sums in another order: of 1,000 test sentences, one standard error is 13 of them.
    pytest.param(
        "sentiment-lstm-en", "en_polarity", "accuracy", 0.013,
        marks=pytest.mark.skipif(not os.environ.get(ALL), reason=f"takes minutes; set {ALL}=1"),
    ),
]  # fmt: skip

pytestmark = pytest.mark.slow


def nlptui(programs: Path, home: Path, *arguments: str) -> str:
    """What a command printed, with an empty home folder and the corpora that are really there."""
    done = subprocess.run(
        [programs / "nlptui", *arguments], cwd=ROOT,
        env=os.environ | {"NLPTUI_HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "corpus", "metric", "noise"), RECIPES)
def test_a_recipe_reproduces_its_metric(
    name: str, corpus: str, metric: str, noise: float, tmp_path: Path, programs: Path
) -> None:
    if find(corpus) is None:
        pytest.skip(f"needs the corpus {corpus} (NLPTUI_DATA)")
    folder = ROOT / "models" / name
    nlptui(programs, tmp_path, "train", str(folder / "recipe.toml"), "--name", "again", "--foreground")
    nlptui(programs, tmp_path, "runs", "keep", "again")
    found = json.loads(nlptui(programs, tmp_path, "evaluate", "again", "--json"))["metrics"][metric]
    shipped = json.loads((folder / "config.json").read_text(encoding="utf-8"))["metrics"][metric]
    assert found == pytest.approx(shipped, abs=noise)

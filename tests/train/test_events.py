"""TensorBoard's files hold what the metrics hold, as TensorBoard's own reader reads them."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys

import pytest

from nlptui.errors import UserError
from nlptui.train import events
from nlptui.train.loop import Trainer
from nlptui.train.run import RunDirectory
from nlptui.train.worker import Reporter
from tests.train.small import small
from tests.train.test_loop import Wish, directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")
needs_tensorboard = pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="the extra nlptui[tensorboard] is not installed"
)


def scalars(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    """tag → (step, value), by TensorBoard's EventAccumulator."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.path / events.FOLDER), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def single(value: float) -> float:
    """As a float of 32 bits, which is what event files hold."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def expected(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    rows = sorted([*run.metrics(), *run.layer_metrics()], key=lambda row: row["step"])
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name in ("step", "time", "split", "kind"):
                continue
            first, dot, rest = name.partition(".")
            place = f"{first}/{rest}" if dot else f"{row.get('split', 'train')}/{name}"
            found.setdefault(place, []).append((row["step"], single(value)))
    return found


@needs_tensorboard
def test_tensorboard_reads_what_was_measured() -> None:
    run = directory("one")
    train(run, small("bert", tensorboard=True))
    found = scalars(run)
    assert found == expected(run)
    assert {
        "train/loss",
        "train/learning_rate",
        "dev/mlm_accuracy",
        "grad_norm/blocks.0.attn",
    } <= found.keys()
    assert [step for step, _loss in found["train/loss"]] == [1, 2, 4, 6, 8, 10, 12]


@needs_tensorboard
def test_what_a_killed_worker_measured_after_its_checkpoint_is_forgotten() -> None:
    recipe = small("lstm", tensorboard=True)
    run = directory("killed")
    trainer = Trainer(run, recipe, Wish(), Reporter(run, run.status()))
    trainer.prepare()
    for _step in range(7):  # Checkpoint at 4, measured up to 6.
        trainer.update()
        trainer.after_update()
    assert trainer.events is not None
    trainer.events.close()
    assert [step for step, _loss in scalars(run)["train/loss"]] == [1, 2, 4, 6]
    train(run, recipe)
    assert scalars(run) == expected(run)


def test_without_the_wish_nothing_is_written_or_loaded() -> None:
    code = (
        "import sys; from nlptui.train.worker import main\n"
        "sys.exit(main(sys.argv[1:]) or 'tensorboard' in sys.modules)"
    )
    run = directory("one")
    run.write_recipe(small("lstm", steps=2))
    assert subprocess.run([sys.executable, "-c", code, str(run.path)], check=False).returncode == 0
    assert not (run.path / events.FOLDER).exists()


def test_a_missing_package_is_one_line_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    run = directory("one")
    with pytest.raises(UserError, match=r"nlptui\[tensorboard\]"):
        train(run, small("lstm", tensorboard=True))
    assert not run.metrics()

"""The pinned sentence: a line at each measurement, as `predict` answers, and none twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nlptui.engine import Engine
from nlptui.train import client
from nlptui.train.samples import default_sample
from nlptui.train.worker import Reporter
from tests.train.small import FAMILIES, small
from tests.train.test_loop import Trainer, Wish, directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_line_is_what_the_checkpoint_of_that_step_answers(family: str) -> None:
    run = directory("one")
    train(run, small(family, keep=0, save_every=6, average=0.9, snapshots=0))
    rows = client.samples("one")
    assert [row["step"] for row in rows] == [6, 12] and client.samples("one", 1) == rows[1:]
    for row in rows:
        engine = Engine.load(run.step_folder(row["step"]), device="cpu")
        said: dict[str, Any] = engine.predict(row["text"], row.get("pair"))["output"]
        if engine.config.task == "language_model":
            steps = engine.generate(row["text"], 20, temperature=0.0)
            said = said | {"text": "".join(step.text for step in steps)}
        assert _close(row["output"], said)
        assert row["text"] == default_sample(engine.config.task, engine.config.language)


def test_each_snapshot_has_its_line() -> None:
    run = directory("one")
    train(run, small("lstm", snapshots=5, evaluate_every=6))
    kept = {int(path.name.removeprefix("step_")) for path in run.snapshots()}
    assert len(kept) == 5 and {0, 12} <= kept
    assert [row["step"] for row in run.samples()] == sorted(kept | {6, 12})


def _close(one: Any, other: Any) -> bool:
    """The same, but for the last digits, as what came through JSON."""
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in other)
    if isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_close, one, other))
    return one == (pytest.approx(other, rel=1e-4, abs=1e-6) if isinstance(other, float) else other)


def test_ones_own_sentence_of_one_text_or_two() -> None:
    run = directory("one")
    train(run, small("lstm", sample="the dog sees a bird .", snapshots=0))
    assert [row["text"] for row in run.samples()] == ["the dog sees a bird ."] * 2
    pair = directory("pair")
    train(pair, small("poolers", sample="the cat ||| the dog", steps=2, snapshots=0))
    (row,) = pair.samples()
    assert (row["text"], row["pair"]) == ("the cat", "the dog") and row["output"]["labels"]


def test_a_sentence_that_the_model_cannot_read_ends_no_run() -> None:
    run = directory("one")
    assert train(run, small("lstm", sample="one ||| two", snapshots=0)) == "done"
    assert [sorted(row) for row in run.samples()] == [["pair", "problem", "step", "text"]] * 2


def test_a_resumed_run_has_no_line_twice_and_a_killed_one_none_too_many() -> None:
    recipe = small("lstm")
    whole, parts, killed = directory("whole"), directory("parts"), directory("killed")
    train(whole, recipe)
    for step in (3, 6, 7):
        assert train(parts, recipe, stop_after=step) == "stopped"
    train(parts, recipe)
    train(parts, recipe)  # nothing is left to do
    assert parts.samples() == whole.samples() and len(whole.samples()) == 13
    trainer = Trainer(killed, small("lstm", save_every=4), Wish(), Reporter(killed, killed.status()))
    trainer.prepare()
    for _ in range(5):
        trainer.update()
        trainer.after_update()
    killed.append_sample({"step": 5, "text": "of the life that is forgotten", "output": {}})
    with killed.samples_path.open("ab") as file:
        file.write(b'{"step": 5, "te')
    train(killed, recipe)
    assert killed.samples() == whole.samples()


def test_without_a_dev_split_it_is_asked_all_the_same(corpora: Path) -> None:
    run = directory("one")
    recipe = small("gpt", snapshots=0)
    trainer = Trainer(run, recipe, Wish(), Reporter(run, run.status()))
    trainer.prepare()
    trainer.parts.dev_examples = []
    trainer._train()
    assert [row["step"] for row in run.samples()] == [6, 12]


def test_asking_leaves_generators_and_the_mode_alone() -> None:
    run = directory("one")
    trainer = Trainer(run, small("gpt"), Wish(), Reporter(run, run.status()))
    trainer.prepare()
    before = torch.get_rng_state()
    trainer.ask_about_sentence()
    assert torch.equal(torch.get_rng_state(), before) and trainer.parts.model.training


def test_there_is_a_sentence_for_every_task_and_language() -> None:
    tasks = ("tagging", "classification", "pretraining", "language_model", "translation",
             "question_answering", "skip_gram")  # fmt: skip
    for task in tasks:
        for language in ("en", "zh", "en-zh"):
            text = default_sample(task, language)
            assert text and any("一" <= letter <= "鿿" for letter in text) == (language == "zh")

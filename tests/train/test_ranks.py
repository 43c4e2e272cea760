"""Several processes on one run: the curve of one process, every example once, restarts, one that writes."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nlptui.data import generators
from nlptui.tasks import DataStream, Dealer
from nlptui.train.build import build
from nlptui.train.recipe import Recipe, recipe_from_dict
from nlptui.train.run import RunDirectory
from nlptui.train.state import TENSORS_FILE
from tests.train.processes import ended, fork, fork_together, until
from tests.train.small import FAMILIES, small
from tests.train.test_loop import curve, directory

pytestmark = [
    pytest.mark.usefixtures("tiny_data"),
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
]


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """What DistributedDataParallel loads, once for all forked processes."""
    importlib.import_module("torch._dynamo")


QUESTIONS = {
    "data": {"corpus": "stories_en"},
    "tokenizer": {"kind": "words", "template": "cls_sep"},
    "model": {
        "arch": "bert", "task": "question_answering", "d_model": 16, "n_layers": 2, "n_heads": 2, "d_ff": 32,
        "context": 96, "deep_supervision": 0.5,
    },
}  # fmt: skip
"""A network whose lower blocks are taught too."""
SOME = {"rnn", "gru", "classifier", "cutter"}
"""Families that share their code with another here."""


@pytest.fixture
def few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = generators.STORIES["stories_en"]("dev")[:40]
    monkeypatch.setitem(generators.STORIES, "stories_en", lambda split, first: rows)


def without_dropout(recipe: Recipe, **changes: Any) -> Recipe:
    """Dropout draws from each process's own generator, so that only without it two curves can be the same."""
    overrides = {"model.dropout": 0.0} | {f"train.{key}": value for key, value in changes.items()}
    content = recipe.to_dict()
    if content["model"]["arch"] == "word2vec":
        del overrides["model.dropout"]
    return recipe_from_dict(content, "here", overrides)


def prepared(name: str, recipe: Recipe) -> RunDirectory:
    run = directory(name)
    run.write_recipe(recipe)
    return run


def log(run: RunDirectory) -> str:
    return run.log_path.read_text(encoding="utf-8")


def train_both(recipe: Recipe) -> tuple[RunDirectory, RunDirectory]:
    """The run of one process, and that of two."""
    alone, two = prepared("alone", recipe), prepared("two", recipe)
    assert ended(fork(alone)) == 0, log(alone)
    assert [ended(pid) for pid in fork_together(two, 2)] == [0, 0], log(two)
    assert (two.status().state, two.status().pid != alone.status().pid) == ("done", True)
    return alone, two


def assert_same_curve(alone: RunDirectory, two: RunDirectory) -> None:
    """Losses, gradients and norms within 1e-4; of what rounding alone decides, as near as it can be.

    The bias of a span's scores does nothing to their softmax: its gradient is rounding, which Adam divides by
    its own size. And of two labels that are as likely as each other the last digit says which is right.
    """
    ours, theirs = curve(alone), curve(two)
    assert [row.keys() for row in ours] == [row.keys() for row in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        for key, value in mine.items():
            near = {"abs": 1e-4, "rel": 1e-4}
            if key.startswith("accuracy"):
                near = {"abs": 1 / 8}
            elif key == "weight_norm.span":
                near = {"rel": 3e-3}
            assert value == pytest.approx(other[key], **near), (key, mine, other)


@pytest.mark.usefixtures("few_questions")
@pytest.mark.parametrize("family", [*(name for name in FAMILIES if name not in SOME), "questions"])
def test_two_processes_make_the_curve_of_one(family: str) -> None:
    """Twelve steps of batches of unlike lengths, the last of an epoch too small to be shared evenly."""
    changes: dict[str, Any] = {"average": 0.9, "learning_rate": 0.003}
    if family in ("gpt", "entities"):
        changes |= {"optimizer": "muon", "accumulate": 2, "clip": 0.1}
    if family == "questions":
        settings = small("gpt").to_dict()["train"] | {"batch_size": 9}
        recipe = recipe_from_dict(QUESTIONS | {"name": "questions", "train": settings}, "here")
    else:
        recipe = small(family)
    assert_same_curve(*train_both(without_dropout(recipe, **changes)))


def test_the_weights_are_those_of_one_process() -> None:
    alone, two = train_both(without_dropout(small("lstm"), average=0.9))
    for file in ("model.safetensors", TENSORS_FILE):
        one, other = (load_file(run.path / "step_000012" / file) for run in (alone, two))
        for key in one:
            if not key.startswith("generators/"):
                torch.testing.assert_close(one[key], other[key], atol=1e-4, rtol=1e-3)


def test_an_epoch_is_seen_once_and_each_process_has_its_share() -> None:
    """Sixty sentences in batches of 7: eight whole ones and one of 4, between three processes."""
    parts = build(small("lstm"), "cpu")
    numbered = {id(example): number for number, example in enumerate(parts.train_examples)}
    assert len(numbered) == 60
    drawn: list[Counter[int]] = []
    sizes: list[list[int]] = []
    for rank in range(3):
        stream = DataStream(parts.task, parts.train_examples, 7, seed=1)
        seen: Counter[int] = Counter()
        sizes.append([])
        parts.task.config.data.pop("word_dropout", None)
        for _batch in range(stream.batches_per_epoch):
            own = parts.task.share(stream.draw(), rank, 3)
            sizes[-1].append(len(own))
            seen.update(numbered[id(example)] for example in own)
        drawn.append(seen)
    assert sum(drawn, Counter()) == Counter(range(60))
    assert all(sum(column) in (7, 4) for column in zip(*sizes, strict=True))
    assert all(max(column) - min(column) <= 1 for column in zip(*sizes, strict=True))


def test_a_batch_smaller_than_the_processes_leaves_nobody_out_of_step() -> None:
    parts = build(small("word2vec"), "cpu")
    for examples, size in ((parts.train_examples, 16 * 3), (parts.train_examples[:1], 5)):
        deals = []
        for rank in range(4):
            stream = DataStream(parts.task, examples, size, seed=1)
            deals.append(Dealer(stream, 1, rank, 4).next())
        weights = [deal.parts[0].weight for deal in deals]
        assert weights[0] == 1.0 and set(weights) <= {0.0, 1.0}
        assert 0.0 in weights or size == 5
        answers = [deal.parts[0].batch.ids.numel() * deal.parts[0].weight for deal in deals]
        assert sum(answers) == deals[0].over["pair"] == sum(deal.parts[0].tokens for deal in deals)
        assert len({tuple(deal.position.items()) for deal in deals}) == 1


def test_dropout_differs_between_processes_and_is_resumed_exactly() -> None:
    recipe = small("gpt", steps=8, save_every=4, evaluate_every=0)
    whole, parts = prepared("whole", recipe), prepared("parts", recipe)
    assert [ended(pid) for pid in fork_together(whole, 2)] == [0, 0], log(whole)
    first = recipe_from_dict(recipe.to_dict(), "here", {"train.steps": 4, "train.schedule": "constant"})
    constant = recipe_from_dict(recipe.to_dict(), "here", {"train.schedule": "constant"})
    whole = prepared("constant", constant)
    assert [ended(pid) for pid in fork_together(whole, 2)] == [0, 0], log(whole)
    parts.write_recipe(first)
    assert [ended(pid) for pid in fork_together(parts, 2)] == [0, 0], log(parts)
    parts.write_recipe(constant)
    assert [ended(pid) for pid in fork_together(parts, 2)] == [0, 0], log(parts)
    one, other = (load_file(run.path / "step_000008" / "model.safetensors") for run in (whole, parts))
    assert all(torch.equal(one[key], other[key]) for key in one)
    states = load_file(parts.path / "step_000008" / TENSORS_FILE)
    assert not torch.equal(states["generators/cpu"], states["generators/cpu/1"])


def test_a_wish_to_stop_reaches_all(tmp_path: Path) -> None:
    run = prepared("one", small("lstm", steps=10**6, evaluate_every=0, save_every=0))
    pids = fork_together(run, 2)
    until(lambda: run.status().step > 5)
    run.pause_path.touch()
    until(lambda: run.status().state == "paused")
    os.kill(pids[1], signal.SIGTERM)  # The one that does not write.
    assert [ended(pid) for pid in pids] == [0, 0], log(run)
    status = run.status()
    assert status.state == "stopped" and status.latest == f"step_{status.step:06d}"


def test_where_one_dies_the_others_end_and_the_run_waits_for_the_restart() -> None:
    run = prepared("one", small("lstm", steps=10**6, evaluate_every=0, save_every=5))
    pids = fork_together(run, 2, TORCHELASTIC_RESTART_COUNT="0", TORCHELASTIC_MAX_RESTARTS="1")
    until(lambda: run.status().step > 5)
    os.kill(pids[1], signal.SIGKILL)
    assert [ended(pid) for pid in pids] == [1, -signal.SIGKILL]
    assert (run.status().state, run.status().error) == ("queued", "")
    run.write_recipe(small("lstm", steps=run.status().step + 5, evaluate_every=0))
    last = {"TORCHELASTIC_RESTART_COUNT": "1", "TORCHELASTIC_MAX_RESTARTS": "1"}
    assert [ended(pid) for pid in fork_together(run, 2, **last)] == [0, 0], log(run)
    assert run.status().state == "done"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up in /proc")
def test_the_launcher_starts_all_anew_after_a_killed_process_and_the_end_is_the_same() -> None:
    """The one test with torchrun itself; what is dropped goes on in each process as if nothing had been."""
    recipe = small("gpt", steps=60, save_every=10, evaluate_every=20)
    whole, killed = prepared("whole", recipe), prepared("killed", recipe)
    assert [ended(pid) for pid in fork_together(whole, 2)] == [0, 0], log(whole)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    with killed.log_path.open("ab") as output:
        torchrun = subprocess.Popen(
            [*launcher, "--max-restarts", "2", "-m", "nlptui.train.worker", str(killed.path)],
            stdout=output, stderr=output, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    until(lambda: killed.status().step > 12)
    os.kill(process_of_rank(1, killed.path), signal.SIGKILL)
    assert torchrun.wait() == 0, log(killed)
    assert killed.status().state == "done"
    assert curve(killed) == curve(whole)
    one, other = (load_file(run.path / "step_000060" / "model.safetensors") for run in (whole, killed))
    assert all(torch.equal(one[key], other[key]) for key in one)


def process_of_rank(rank: int, run: Path) -> int:
    for folder in Path("/proc").iterdir():
        try:
            command, environment = (
                (folder / file).read_bytes().split(b"\0") for file in ("cmdline", "environ")
            )
        except OSError:
            continue
        if str(run).encode() in command and f"RANK={rank}".encode() in environment:
            return int(folder.name)
    raise AssertionError(f"no process has the rank {rank}")


def test_processes_with_unlike_data_are_told(tiny_data: Path, tmp_path: Path) -> None:
    run = prepared("one", small("lstm"))
    other = tmp_path / "other" / "en_ewt"
    other.mkdir(parents=True)
    for file in (tiny_data / "en_ewt").iterdir():
        text = file.read_text(encoding="utf-8")
        sentences = text.split("\n\n")[:-1]
        kept = sentences if file.stem != "train" else sentences[:40]
        (other / file.name).write_text("".join(f"{sentence}\n\n" for sentence in kept), encoding="utf-8")
    pids = fork_together(run, 2, each={1: {"NLPTUI_DATA": str(other.parent)}})
    assert [ended(pid) for pid in pids] == [1, 1]
    assert run.status().state == "failed" and "same corpora" in run.status().error

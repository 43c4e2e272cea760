"""What training on a GPU needs, as far as a CPU can try it; the rest is tried where there is a GPU."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nlptui.errors import UserError
from nlptui.tasks import TASK_CLASSES, DataStream, Dealer
from nlptui.train import learner as learners
from nlptui.train.build import build
from nlptui.train.loop import Trainer
from nlptui.train.muon import Muon
from nlptui.train.optimize import AdamW
from nlptui.train.recipe import TrainConfig
from nlptui.train.worker import Reporter
from tests.train.small import FAMILIES, small
from tests.train.test_loop import Wish, curve, directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")


def trainer_of(name: str, recipe: Any) -> Trainer:
    run = directory(name)
    return Trainer(run, recipe, Wish(), Reporter(run, run.status()))


# Half the precision in the forward pass.


@pytest.mark.parametrize("family", FAMILIES)
def test_bf16_forward_keeps_the_weights_and_the_loss_in_fp32(family: str) -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        trainer = trainer_of(precision, small(family, precision=precision, evaluate_every=0))
        trainer.prepare()
        seen = dtypes_of(trainer.learner.model)
        for _step in range(4):
            trainer.update()
        losses[precision] = float(trainer.learner.loss_sum)
        assert (torch.bfloat16 in seen) == (precision == "bf16" and family != "word2vec")
        assert trainer.learner.loss_sum.dtype == torch.float32
        assert {weight.dtype for weight in trainer.learner.parameters.values()} == {torch.float32}
        assert trainer.learner.finite()
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)


def dtypes_of(model: torch.nn.Module) -> set[torch.dtype]:
    """The types of what the matrix products of the network give, filled as it runs."""
    seen: set[torch.dtype] = set()

    def note(_module: Any, _given: Any, result: Any) -> None:
        seen.update(value.dtype for value in (result if isinstance(result, tuple) else (result,)))

    for module in model.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv1d):
            module.register_forward_hook(note)
    return seen


def test_bf16_is_measured_and_saved_as_fp32() -> None:
    trainer = trainer_of("one", small("bert", precision="bf16"))
    assert trainer.run() == "done"
    weights = load_file(trainer.directory.checkpoints()[-1] / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float32}


# Batches made ahead.


@pytest.mark.parametrize("family", ["lstm", "bert", "word2vec"])
def test_deals_made_ahead_are_the_same_and_the_place_is_that_of_the_last_one_given(family: str) -> None:
    parts = build(small(family), "cpu")
    plain, ahead = (
        Dealer(DataStream(parts.task, parts.train_examples, 8, seed=2), 2, ahead=ahead) for ahead in (0, 3)
    )
    try:
        for _step in range(6):
            one, other = plain.next(), ahead.next()
            assert plain.position == ahead.position == one.position and one.over == other.over
            for mine, theirs in zip(one.parts, other.parts, strict=True):
                assert torch.equal(mine.batch.ids, theirs.batch.ids) and mine.tokens == theirs.tokens
    finally:
        ahead.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "dealer"]


def test_what_goes_wrong_while_dealing_ahead_is_raised_by_the_deal() -> None:
    parts = build(small("lstm"), "cpu")
    dealer = Dealer(DataStream(parts.task, parts.train_examples, 8, seed=2), ahead=2)
    dealer.stream.draw = lambda: (_ for _ in ()).throw(UserError("the corpus is gone"))  # type: ignore[method-assign]
    with pytest.raises(UserError, match="the corpus is gone"):
        dealer.next()
    dealer.close()


def test_resuming_is_exact_with_deals_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small("bert", average=0.9)
    train(directory("plain"), recipe)
    made = learners.Dealer

    def dealer(*given: Any, **more: Any) -> Dealer:
        return made(*given, **more | {"ahead": 2})

    monkeypatch.setattr(learners, "Dealer", dealer)
    train(directory("ahead"), recipe, stop_after=5)
    train(directory("ahead"), recipe)
    assert curve(directory("ahead")) == curve(directory("plain"))


# No step that is no number, without a look at the device.


@pytest.mark.parametrize("kind", [AdamW, Muon])
def test_a_step_that_is_skipped_on_the_device_moves_nothing(kind: Any) -> None:
    torch.manual_seed(0)
    settings = TrainConfig(steps=1, learning_rate=0.1, matrix_rate=0.1)
    shapes = {"blocks.0.w": (4, 3), "layers.weight_ih_l0": (8, 3), "head.weight": (3, 3), "blocks.0.b": (3,)}
    weights = {name: torch.nn.Parameter(torch.randn(*shape)) for name, shape in shapes.items()}
    twins = {name: torch.nn.Parameter(weight.detach().clone()) for name, weight in weights.items()}
    ours, plain = kind(weights, settings), kind(twins, settings)
    for step in range(4):
        for name, weight in weights.items():
            weight.grad = torch.randn_like(weight)
            twins[name].grad = weight.grad.clone()
        if step == 2:
            state = {key: value.clone() for key, value in (ours.tensors() | dict(weights)).items()}
            weights["head.weight"].grad[0, 0] = float("nan")
            weights["blocks.0.w"].grad[:] = float("inf")
            ours.step(0.1, skip=torch.tensor(1.0))
            now = ours.tensors() | dict(weights)
            assert all(torch.equal(now[key], value) for key, value in state.items())
            continue
        ours.step(0.1, skip=torch.tensor(0.0))
        plain.step(0.1)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, twins[name], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_on_a_device_that_is_not_waited_for_the_bad_step_is_named_at_the_next_line(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(
        "one", small("gpt", optimizer=optimizer, log_every=4, save_every=4, evaluate_every=0)
    )
    trainer.prepare()
    trainer.learner.reads_are_free = False
    poison("language_model", 6, monkeypatch)
    before: dict[str, torch.Tensor] = {}
    with pytest.raises(UserError, match=r"nan at step 6.*step_000004.*learning_rate"):
        for step in range(1, 13):
            trainer.update()
            if step in (5, 6):
                now = {name: weight.detach().clone() for name, weight in trainer.learner.parameters.items()}
                assert step == 5 or all(torch.equal(now[name], value) for name, value in before.items())
                before = now
            trainer.after_update()
    assert trainer.progress.step == 8 and trainer.learner.finite()
    assert [folder.name for folder in trainer.directory.checkpoints()] == ["step_000004"]


def poison(task: str, call: int, monkeypatch: pytest.MonkeyPatch, value: float = float("nan")) -> None:
    """Let the loss number `call` of a task be multiplied by `value`."""
    loss, calls = TASK_CLASSES[task].loss, []

    def poisoned(*arguments: Any) -> Any:
        calls.append(1)
        found, numbers = loss(*arguments)
        return found * (value if len(calls) == call else 1.0), numbers

    monkeypatch.setattr(TASK_CLASSES[task], "loss", poisoned)


# Where there is a GPU.


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("family", ["lstm", "entities", "bert", "gpt", "transformer", "word2vec"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_on_a_gpu(family: str, precision: str) -> None:
    recipe = small(family, device="cuda", precision=precision, average=0.9, steps=40, evaluate_every=20)
    run = directory("gpu")
    assert train(run, recipe) == "done"
    losses = [row["loss"] for row in run.metrics() if "split" not in row]
    assert losses[-1] < losses[0]

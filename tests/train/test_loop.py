"""The loop: it learns, saves loadable models, and goes on bit for bit as if it had never been interrupted."""

from __future__ import annotations

import copy
import errno
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nlptui.engine import checkpoint
from nlptui.errors import UserError
from nlptui.locale import set_language
from nlptui.paths import runs_dir
from nlptui.tasks import TASK_CLASSES
from nlptui.train import loop
from nlptui.train.loop import Trainer
from nlptui.train.muon import Muon, orthogonal
from nlptui.train.optimize import AdamW, Average, clip_gradients, learning_rate
from nlptui.train.recipe import Recipe, TrainConfig, recipe_from_dict
from nlptui.train.run import RunDirectory
from nlptui.train.state import PROGRESS_FILE, TENSORS_FILE, read_state
from nlptui.train.worker import Control, Reporter
from tests.train.small import FAMILIES, small

pytestmark = pytest.mark.usefixtures("tiny_data")
TIMES = {"time", "tokens_per_second", "seconds_left"}


class Wish:
    """Asks to stop once `steps` updates are made."""

    def __init__(self, steps: int = 10**9) -> None:
        self.steps = steps
        self.trainer: Trainer | None = None

    def stop_wanted(self) -> bool:
        return self.trainer is not None and self.trainer.progress.step >= self.steps

    def pause_wanted(self) -> bool:
        return False


def directory(name: str) -> RunDirectory:
    path = runs_dir() / name
    path.mkdir(parents=True, exist_ok=True)
    return RunDirectory(path)


def train(run: RunDirectory, recipe: Recipe, stop_after: int = 10**9) -> str:
    wish = Wish(stop_after)
    wish.trainer = Trainer(run, recipe, wish, Reporter(run, run.status()))
    return wish.trainer.run()


def curve(run: RunDirectory) -> list[dict[str, Any]]:
    """All that was measured, layers included, but how long it took."""
    rows = [*run.metrics(), *run.layer_metrics()]
    return [
        {key: value for key, value in row.items() if key not in TIMES and not key.startswith("share.")}
        for row in rows
    ]


@pytest.mark.parametrize(
    ("family", "average", "optimizer"),
    [
        *((family, 0.9, "muon") for family in FAMILIES),
        *((family, 0.0, "adamw") for family in ("lstm", "gpt")),
    ],
)
def test_resumed_equals_uninterrupted_bit_for_bit(family: str, average: float, optimizer: str) -> None:
    recipe = small(family, average=average, optimizer=optimizer, warmup=3)
    whole, parts = directory("whole"), directory("parts")
    assert train(whole, recipe) == "done"
    # Between two log lines, and past an evaluation and an epoch.
    for step in (3, 7):
        assert train(parts, recipe, stop_after=step) == "stopped"
    assert train(parts, recipe) == "done"
    assert curve(parts) == curve(whole)
    assert [row["step"] for row in whole.metrics() if "split" not in row] == [1, 2, 4, 6, 8, 10, 12]
    assert [row["step"] for row in whole.metrics() if "split" in row] == [6, 12]
    for file in ("model.safetensors", TENSORS_FILE):
        one, other = (load_file(run.path / "step_000012" / file) for run in (whole, parts))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), file


def test_what_a_killed_worker_did_after_its_checkpoint_is_redone_the_same() -> None:
    recipe = small("lstm")
    whole, killed = directory("whole"), directory("killed")
    train(whole, recipe)
    trainer = Trainer(killed, recipe, Wish(), Reporter(killed, killed.status()))
    trainer.prepare()
    for _ in range(7):  # Checkpoint at 4, metrics up to 6, then silence.
        trainer.update()
        trainer.after_update()
    (killed.path / ".part_1").mkdir()
    assert [row["step"] for row in killed.metrics()] == [1, 2, 4, 6, 6]
    train(killed, recipe)
    assert curve(killed) == curve(whole)
    assert not (killed.path / ".part_1").exists()


def test_an_unreadable_checkpoint_is_passed_over() -> None:
    recipe = small("lstm")
    whole, broken = directory("whole"), directory("broken")
    train(whole, recipe)
    train(broken, recipe, stop_after=9)
    assert [path.name for path in broken.checkpoints()][-1] == "step_000009"
    (broken.path / "step_000009" / TENSORS_FILE).write_bytes(b"")
    train(broken, recipe)
    assert curve(broken) == curve(whole)


@pytest.mark.parametrize("family", ["lstm", "gpt"])
def test_training_lowers_the_loss(family: str) -> None:
    run = directory("one")
    train(run, small(family, steps=60, evaluate_every=0, save_every=0))
    losses = [row["loss"] for row in run.metrics() if "split" not in row]
    assert losses[-1] < 0.8 * losses[0]


def test_a_checkpoint_is_a_loadable_model_folder() -> None:
    run = directory("one")
    train(run, small("lstm"))
    model, config, tokenizer = checkpoint.load(run.checkpoints()[-1])
    assert config.name == "small-lstm" and set(config.labels) >= {"NOUN", "VERB"}
    assert config.vocab_size == tokenizer.vocab_size
    assert not model.training


def test_no_pickle_is_written() -> None:
    run = directory("one")
    train(run, small("gpt"))
    for path in run.path.rglob("*"):
        if path.is_file():
            assert path.read_bytes()[:2] not in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"), path
            assert path.suffix not in (".pt", ".pth", ".bin", ".pkl", ".npy")


def test_the_last_checkpoints_and_the_best_are_kept() -> None:
    run = directory("one")
    # Best on dev at the first measurement: the rate is so high that it only gets worse, or stays.
    train(run, small("lstm", steps=20, save_every=2, evaluate_every=4, keep=2, schedule="constant"))
    kept = [path.name for path in run.checkpoints()]
    best = read_state(run.checkpoints()[-1])[1].best_folder
    assert kept[-2:] == ["step_000018", "step_000020"] and set(kept) == {*kept[-2:], best}
    measured = {row["step"]: row["accuracy"] for row in run.metrics() if "split" in row}
    top = max(measured.values())
    assert best == f"step_{min(step for step, value in measured.items() if value == top):06d}"


def test_the_first_lines_come_at_once() -> None:
    run = directory("one")
    train(run, small("lstm", steps=25, log_every=20, evaluate_every=0, save_every=0))
    assert [row["step"] for row in run.metrics() if "split" not in row] == [1, 2, 4, 8, 16, 20, 25]


def test_between_two_lines_the_status_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directory("one")
    trainer = Trainer(run, small("lstm", log_every=12), Wish(), Reporter(run, run.status()))
    monkeypatch.setattr(loop, "_TELL_SECONDS", 0.0)
    trainer.prepare()
    seen = []
    trainer.report.update = lambda **changes: seen.append(changes["step"])
    for _step in range(3):
        trainer.update()
        trainer.after_update()
    assert seen[-1] == 3 and run.metrics()[-1]["step"] == 2


def test_epochs_become_steps() -> None:
    run = directory("one")
    train(run, small("lstm", steps=0, epochs=1.5, batch_size=10, evaluate_every=0))
    assert run.metrics()[-1]["step"] == 9  # 60 sentences, 6 batches an epoch.


def test_measuring_does_not_change_training() -> None:
    often, never = directory("often"), directory("never")
    train(often, small("bert", evaluate_every=1))
    train(never, small("bert", evaluate_every=0))
    losses = [[row["loss"] for row in run.metrics() if "split" not in row] for run in (often, never)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_accumulated_parts_make_the_step_of_the_whole_batch(family: str) -> None:
    """The mean over all tokens of the step, not the mean of the parts' means: their lengths differ."""
    recipe = recipe_from_dict(small(family, steps=1).to_dict(), "small", {"model.dropout": 0.0})
    found: dict[int, tuple[float, float]] = {}
    for accumulate in (1, 2):
        run = directory(f"parts-{accumulate}")
        changed = recipe_from_dict(recipe.to_dict(), "small", {"train.accumulate": accumulate})
        trainer = Trainer(run, changed, Wish(), Reporter(run, run.status()))
        trainer.prepare()
        stream, task = trainer.learner.dealer.stream, trainer.parts.task
        if accumulate == 1:
            whole = sorted(stream.draw(), key=task.length)
            parts = [whole]
        else:
            parts = [task.share(whole, 0, 3), task.share(whole, 1, 3) + task.share(whole, 2, 3)]
        stream.draw = iter(parts).__next__  # type: ignore[method-assign]
        trainer.update()
        found[accumulate] = (float(trainer.learner.gradient_norm), float(trainer.learner.loss_sum))
    assert found[1] == pytest.approx(found[2], rel=1e-5)


def test_nothing_waits_for_the_device_between_two_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directory("one")
    trainer = Trainer(run, small("gpt"), Wish(), Reporter(run, run.status()))
    trainer.prepare()
    trainer.learner.reads_are_free = False  # As on a GPU.

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a value was fetched from the device")

    for name in ("item", "tolist", "__float__", "__bool__", "cpu", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, forbidden)
    trainer.update()
    trainer.update()


# what goes wrong


def test_a_loss_that_is_no_number_ends_with_the_last_good_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directory("one")
    trainer = Trainer(run, small("lstm", clip=0), Wish(), Reporter(run, run.status()))
    loss, calls = TASK_CLASSES["tagging"].loss, []

    def poisoned(*arguments: Any) -> Any:
        calls.append(1)
        value, numbers = loss(*arguments)
        return value * (float("nan") if len(calls) > 5 else 1.0), numbers

    monkeypatch.setattr(TASK_CLASSES["tagging"], "loss", poisoned)
    with pytest.raises(UserError, match=r"nan at step 6.*learning_rate"):
        trainer.run()
    assert [path.name for path in run.checkpoints()] == ["step_000004"]
    weights = load_file(run.path / "step_000004" / "model.safetensors")
    assert all(value.isfinite().all() for value in weights.values())


def test_weights_that_are_no_numbers_are_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directory("one")
    trainer = Trainer(run, small("lstm", log_every=100), Wish(), Reporter(run, run.status()))
    step = AdamW.step

    def breaks_at_8(optimizer: AdamW, rate: float) -> None:
        step(optimizer, rate)
        if trainer.progress.step == 7:
            with torch.no_grad():
                next(iter(optimizer.parameters.values())).view(-1)[0] = float("inf")

    monkeypatch.setattr(AdamW, "step", breaks_at_8)
    with pytest.raises(UserError, match="nan at step 8"):
        trainer.prepare()
        for _ in range(8):
            trainer.update()
            if trainer.progress.step % 4 == 0:
                trainer.save()
    assert [path.name for path in run.checkpoints()] == ["step_000004"]


def test_a_measurement_that_is_no_number_is_never_the_best() -> None:
    trainer = Trainer(
        directory("one"), small("gpt"), Wish(), Reporter(directory("one"), directory("one").status())
    )
    trainer.prepare()
    assert not trainer._judge({"loss": float("nan")})
    assert trainer._judge({"loss": 2.0}) and not trainer._judge({"loss": float("nan")})
    assert not trainer._judge({"loss": 2.0}) and trainer._judge({"loss": 1.5})


def test_a_full_disk_while_saving_leaves_the_earlier_checkpoint_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = directory("one")
    train(run, small("lstm"), stop_after=4)
    save = checkpoint.save

    def fills_up(folder: Path, *rest: Any, **more: Any) -> None:
        save(folder, *rest, **more)
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(checkpoint, "save", fills_up)
        train(run, small("lstm"))
    assert [path.name for path in run.checkpoints()] == ["step_000004"]
    assert not [path for path in run.path.iterdir() if path.name.startswith(".part")]
    assert train(run, small("lstm")) == "done"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"step": 1}', b"\xff"])
def test_a_broken_training_state_is_one_error_with_its_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PROGRESS_FILE).write_bytes(content)
    with pytest.raises(UserError, match=PROGRESS_FILE):
        read_state(tmp_path)


def test_unknown_best_metric_is_named() -> None:
    with pytest.raises(UserError, match=r"wit.*accuracy"):
        train(directory("one"), small("lstm", best="wit"))


def test_starting_from_another_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = directory("first")
    train(run, small("lstm"))
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    run.checkpoints()[-1].rename(tmp_path / "models" / "first")
    content = small("lstm", steps=1).to_dict() | {"init": "first", "tokenizer": {"from": "first"}}
    second = Trainer(directory("second"), recipe_from_dict(content, "x"), Wish(), Reporter(run, run.status()))
    second.prepare()
    given = load_file(tmp_path / "models" / "first" / "model.safetensors")
    assert all(torch.equal(value, given[name]) for name, value in second.learner.model.state_dict().items())


# the parts


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (12, 5)])
def test_orthogonal_steps_point_as_the_gradient_does(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, *shape, dtype=torch.float64)
    u, _s, v = torch.linalg.svd(x, full_matrices=False)
    found = orthogonal(x)
    inner = u.mT @ found @ v.mT  # The same directions, each about as long as the others.
    lengths = torch.diagonal(inner, dim1=-2, dim2=-1)
    torch.testing.assert_close(inner, torch.diag_embed(lengths), atol=1e-9, rtol=0)
    assert float(lengths.min()) > 0.3 and float(lengths.max()) < 1.3


def test_muon_equals_torchs() -> None:
    torch.manual_seed(0)
    weights = {f"blocks.{i}.w": torch.nn.Parameter(torch.randn(8, 4 + 4 * i)) for i in range(2)}
    weights["head.weight"] = torch.nn.Parameter(torch.randn(5, 4))
    weights["blocks.0.bias"] = torch.nn.Parameter(torch.randn(4))
    theirs = {name: copy.deepcopy(weight) for name, weight in weights.items()}
    settings = TrainConfig(steps=1, weight_decay=0.3, learning_rate=0.1, matrix_rate=0.5)
    ours = Muon(weights, settings)
    matrices = [w for name, w in theirs.items() if name.endswith(".w")]
    # Torch turns matrices in bfloat16, so to two digits only.
    plain = torch.optim.Muon(matrices, lr=0.5, weight_decay=0.3, momentum=0.95, nesterov=True)
    head = {name: w for name, w in theirs.items() if not name.endswith(".w")}
    adam = AdamW(head, settings)
    for step in range(3):
        for name in weights:
            weights[name].grad = torch.randn(weights[name].shape)
            theirs[name].grad = weights[name].grad.clone()
        plain.param_groups[0]["lr"] = 0.5 / (step + 1)
        ours.step(0.1 / (step + 1))
        plain.step()
        adam.step(0.1 / (step + 1))
    for name, weight in weights.items():
        exact = name in head
        torch.testing.assert_close(weight, theirs[name], atol=0 if exact else 0.03, rtol=0)
    ours.zero_grad()
    assert all(weight.grad is None for weight in weights.values())


def test_muon_turns_each_gate_by_itself() -> None:
    torch.manual_seed(0)
    names = ("layers.weight_ih_l0", "layers.weight_hh_l0")
    weights = {name: torch.nn.Parameter(torch.zeros(12, 3)) for name in names}
    for weight in weights.values():
        weight.grad = torch.randn(12, 3)
        weight.grad[:3] *= 1000  # One loud gate leaves the others as they are.
    Muon(weights, TrainConfig(steps=1, learning_rate=1.0, matrix_rate=1.0)).step(1.0)
    for weight in weights.values():
        for gate in weight.detach().chunk(4):
            assert 0.9 < float(gate.norm()) < 2.1


def test_schedules() -> None:
    def rates(schedule: str) -> list[float]:
        settings = TrainConfig(steps=10, learning_rate=1.0, warmup=2, schedule=schedule, final_rate=0.1)
        return [learning_rate(settings, step, 10) for step in range(1, 11)]

    assert rates("constant") == [0.5, *[1.0] * 9]
    assert rates("linear")[:2] == [0.5, 1.0] and rates("linear")[-1] == pytest.approx(0.1)
    assert rates("linear")[5] == pytest.approx(0.1 + 0.9 * 0.5)
    assert rates("cosine")[5] == pytest.approx(0.1 + 0.9 * 0.5) and rates("cosine")[-1] == pytest.approx(0.1)
    assert rates("cosine")[3] > rates("linear")[3]


def test_adamw_equals_torchs() -> None:
    torch.manual_seed(0)
    ours = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)).double()
    theirs = copy.deepcopy(ours)
    settings = TrainConfig(steps=1, weight_decay=0.3, beta1=0.8, beta2=0.95)
    optimizer = AdamW(dict(ours.named_parameters()), settings)
    matrices, vectors = ([p for p in theirs.parameters() if (p.ndim == 2) is flat] for flat in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.3}, {"params": vectors, "weight_decay": 0.0}]
    plain = torch.optim.AdamW(groups, lr=0.1, betas=(0.8, 0.95), foreach=False)
    for step in range(5):
        x, skipped = torch.randn(5, 3, dtype=torch.float64), step in (0, 2)  # The middle layer joins late.
        optimizer.zero_grad()
        plain.zero_grad()
        for network in (ours, theirs):
            hidden = network[0](x) if skipped else network[1](network[0](x))
            network[2](hidden).square().sum().backward()
        plain.param_groups[0]["lr"] = plain.param_groups[1]["lr"] = 0.1 / (step + 1)
        optimizer.step(0.1 / (step + 1))
        plain.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("limit", [0.0, 0.5, 100.0])
def test_clipping_equals_torchs(limit: float) -> None:
    torch.manual_seed(0)
    ours = [
        torch.nn.Parameter(torch.randn(3, 2)),
        torch.nn.Parameter(torch.randn(4)),
        torch.nn.Parameter(torch.ones(1)),
    ]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    for mine, other in zip(ours[:2], theirs[:2], strict=True):  # The third has no gradient.
        mine.grad = torch.randn_like(mine)
        other.grad = mine.grad.clone()
    norm = clip_gradients(ours, limit)
    expected = torch.nn.utils.clip_grad_norm_(theirs, limit or 1e9)
    torch.testing.assert_close(norm, expected)
    for mine, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_the_average_follows_its_definition_and_gives_the_weights_back() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    average = Average({"w": weight}, decay=0.5)
    expected = weight.detach().clone()
    for step in range(1, 9):
        with torch.no_grad():
            weight.mul_(1.5)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight.detach()
    torch.testing.assert_close(average.values["w"], expected)
    own = weight.detach().clone()
    with average.in_place():
        torch.testing.assert_close(weight.detach(), expected)
    assert torch.equal(weight.detach(), own)
    torch.testing.assert_close(average.values["w"], expected)


def test_control_is_what_the_loop_wishes_for() -> None:
    run = directory("one")
    control = Control(run)
    assert not control.stop_wanted() and not control.pause_wanted()
    run.pause_path.touch()
    assert control.pause_wanted()
    run.stop_path.touch()
    assert control.stop_wanted() and not control.pause_wanted()


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_a_device_that_is_not_here_is_said_in_one_line() -> None:
    run, recipe = directory("one"), small("lstm", device="cuda")
    run.write_recipe(recipe)
    with pytest.raises(UserError, match="device 'cuda' is not available here; there is cpu"):
        train(run, recipe)


@pytest.mark.parametrize(
    ("family", "setting"),
    [
        ("gpt", {"n_heads": 3}),
        ("gpt", {"norm_order": "middle"}),
        ("gpt", {"activation": "relu"}),
        ("bert", {"pooling": "median"}),
        ("transformer", {"positions": "rotary"}),
        ("lstm", {"char_kernel": 2}),
    ],
)
def test_settings_that_fit_no_network_are_said_in_the_language_of_the_reader(
    family: str, setting: dict[str, Any]
) -> None:
    """By the recipe, or by the network."""
    set_language("zh")
    table = small(family).to_dict()
    with pytest.raises(UserError, match="[一-鿿]") as raised:
        recipe = recipe_from_dict(table | {"model": dict(table["model"]) | setting}, where="here")
        run = directory("one")
        run.write_recipe(recipe)
        train(run, recipe)
    assert next(iter(setting)) in str(raised.value)

"""What a run will take, before it starts: `python -m nlptui.train.estimate`, a recipe as JSON on its input.

Everything is made as the worker makes it, in a process like the worker's; a few steps from all over an epoch,
one measurement and one checkpoint are timed, and counted up to the whole. The answer is one line of JSON.
Writes nothing but a checkpoint in a temporary folder. Loads torch when it measures, not before.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlptui.config import CLASSICAL
from nlptui.errors import UserError
from nlptui.locale import _, preferred_language, set_language
from nlptui.niceness import give_way
from nlptui.text import visible
from nlptui.train.recipe import Recipe, recipe_from_dict

if TYPE_CHECKING:
    from nlptui.train.build import Parts
    from nlptui.train.learner import Learner

_BEGAN = time.monotonic()
# Steps are timed for so many seconds, but so many of them at least and at most; the first few warm up.
_SECONDS, _LEAST, _MOST, _WARM = 4.0, 4, 32, 2
# Of more dev examples than this, a part is measured.
_MANY, _PART = 64, 8


@dataclass(frozen=True)
class Estimate:
    """What a run takes."""

    parameters: int
    """Numbers that training may change; exact."""
    memory: int
    """Bytes at the highest: of the whole process, or, on a GPU, of what lies there."""
    weights: int
    """Of them the weights; the rest but the following is the program, the texts and the activations."""
    optimizer: int
    """Bytes of what it takes to move them: gradients, the optimizer's state, the average of the weights."""
    seconds: float
    """From the start to the end: loading, training, measuring and saving."""
    steps: int
    """Updates."""
    seconds_a_step: float
    seconds_to_load: float
    """Before the first step: the program, the texts, the tokenizer."""
    seconds_to_measure: float
    """Of one measurement on dev."""
    seconds_to_save: float
    """Of one checkpoint."""


def estimate(recipe: Recipe) -> Estimate:
    """Make what `recipe` asks for and try it for some seconds, in this process. Raises UserError."""
    if recipe.model["arch"] in CLASSICAL:
        words = _("{name}: a model of arch {arch} is made in seconds; there is nothing to estimate")
        raise UserError(words.format(name=visible(recipe.name), arch=recipe.model["arch"]))

    from nlptui.engine.devices import pick_device
    from nlptui.train.build import build
    from nlptui.train.learner import Learner
    from nlptui.train.loop import steps_to_make

    device = pick_device(recipe.train.device)
    parts = build(recipe, device)
    learner = Learner(parts, recipe.train, recipe.seed, device)
    loading = time.monotonic() - _BEGAN
    steps = steps_to_make(recipe.train, learner.steps_per_epoch)
    try:
        each = _seconds_a_step(learner, steps)
    finally:
        learner.dealer.close()
    measuring, saving = _seconds_to_measure(learner, recipe), _seconds_to_save(learner)
    saved = _times(recipe.train.save_every, steps) + min(recipe.train.snapshots, steps + 1)
    weights = _bytes(learner.parameters.values())
    average = _bytes(learner.average.values.values()) if learner.average else 0
    return Estimate(
        parameters=sum(weight.numel() for weight in learner.parameters.values()),
        memory=_peak(device),
        weights=weights,
        optimizer=weights + _bytes(learner.optimizer.tensors().values()) + average,
        seconds=(
            loading + each * steps + measuring * _times(recipe.train.evaluate_every, steps) + saving * saved
        ),
        steps=steps,
        seconds_a_step=each,
        seconds_to_load=loading,
        seconds_to_measure=measuring,
        seconds_to_save=saving,
    )


def _times(every: int, steps: int) -> int:
    """How often something is done that is due every so many steps, and at the end."""
    return (steps - 1) // every + 1 if every else 1


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _seconds_a_step(learner: Learner, steps: int) -> float:
    """The mean over steps from all over an epoch, the widest batch of it among those that warm up."""
    times: list[float] = []
    spent = 0.0
    for number, index in enumerate(_places(learner)):
        learner.dealer.stream.index = index
        began = time.perf_counter()
        learner.update(1, steps)
        learner.loss_sum.item()  # Waits for the device.
        took = time.perf_counter() - began
        spent += took
        if number >= _WARM:
            times.append(took)
        if len(times) >= _LEAST and (spent > _SECONDS or len(times) >= _MOST):
            break
    return sum(times) / len(times)


def _places(learner: Learner) -> Iterator[int]:
    """Batches of the epoch: the widest, and then others, evenly spread, again and again."""
    stream, parts = learner.dealer.stream, learner.settings.accumulate
    count = stream.batches_per_epoch
    last = max(0, count - parts)
    widest = _widest(learner.parts, stream.plan)
    yield from [min(widest, last)] * _WARM
    # Steps of the golden section fall everywhere, and never twice on one place for long.
    at = 0.5
    while True:
        yield min(int(at * count), last)
        at = (at + 0.6180339887498949) % 1.0


def _widest(parts: Parts, plan: Sequence[Sequence[Any]]) -> int:
    """The batch with the longest example, where the plan names examples; else the first."""
    if not isinstance(plan[0][0], int):
        return 0
    lengths = [max(parts.task.length(parts.train_examples[key]) for key in keys) for keys in plan]
    return max(range(len(plan)), key=lambda number: (lengths[number], len(plan[number])))


def _seconds_to_measure(learner: Learner, recipe: Recipe) -> float:
    examples = learner.parts.dev_examples[: recipe.train.evaluate_examples or None]
    if not len(examples):
        return 0.0
    times = _PART if len(examples) > _MANY else 1
    began = time.perf_counter()
    with learner.weights_to_keep():
        some = list(examples)[::times]
        learner.parts.task.metrics(learner.model, some, learner.device, recipe.train.batch_size)
    return (time.perf_counter() - began) * times


def _seconds_to_save(learner: Learner) -> float:
    from nlptui.engine import checkpoint
    from nlptui.train.state import Progress, write_state

    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="nlptui-") as folder:
        model = Path(folder) / "model"
        checkpoint.save(model, learner.model, learner.parts.config, learner.parts.tokenizer)
        write_state(model, learner.tensors(), Progress())
    return time.perf_counter() - began


def _peak(device: str) -> int:
    """The most bytes in use so far: on a GPU there, else of this process."""
    import torch

    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated())
    return peak_of("self")


def peak_of(process: int | str) -> int:
    """The most bytes that a process has had in memory; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    if process != "self" or sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> int:
    """The answer, or the error, as one line on the output that this process was given."""
    set_language(preferred_language())
    # What libraries print must not come between.
    answer, sys.stdout = sys.stdout, sys.stderr
    try:
        recipe = recipe_from_dict(json.load(sys.stdin), where="recipe")
        give_way(recipe.train.nice)
        from nlptui.train.loop import settle_process

        settle_process(recipe.train.threads)
        print(json.dumps(asdict(estimate(recipe))), file=answer)
    except UserError as error:
        print(json.dumps({"error": str(error)}), file=answer)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

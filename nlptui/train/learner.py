"""What learns: a network, its optimizer, the average of its weights, and the batches dealt to it.

One update at a time; nothing waits for the device. Knows nothing of run directories, of measuring, or of when
to end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from nlptui.tasks import DataStream, Dealer, Part
from nlptui.tasks.base import Asked
from nlptui.train.build import Parts
from nlptui.train.muon import Muon
from nlptui.train.optimize import AdamW, Average, clip_gradients, learning_rate
from nlptui.train.ranks import ALONE, Ranks
from nlptui.train.recipe import TrainConfig
from nlptui.train.state import generator_tensors, restore_generators

# Deals that are made ready in a thread while a GPU is at work.
_AHEAD = 2


class Learner:
    """What a run trains, from one update to the next."""

    def __init__(
        self, parts: Parts, settings: TrainConfig, seed: int, device: str, ranks: Ranks = ALONE
    ) -> None:
        self.parts, self.settings, self.seed, self.device, self.ranks = parts, settings, seed, device, ranks
        self.model: nn.Module = parts.model.train()
        self.network = ranks.shared(self.model)
        self.parameters = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        optimizer = Muon if settings.optimizer == "muon" else AdamW
        self.optimizer: AdamW | Muon = optimizer(self.parameters, settings)
        self.average = Average(self.parameters, settings.average) if settings.average else None
        size = settings.batch_size // settings.accumulate
        stream = DataStream(parts.task, parts.train_examples, size, seed)
        gpu = device.startswith("cuda")
        self.dealer = Dealer(
            stream, settings.accumulate, ranks.rank, ranks.size, device, ahead=_AHEAD if gpu else 0, pin=gpu
        )
        self.reads_are_free = device == "cpu"
        """Whether a value can be looked at without waiting for the device."""
        self.loss_sum = torch.zeros((), device=device)
        """Of the steps since it was last set to 0; in this process only."""
        self.tokens = 0
        """The same for tokens."""
        self.rate = 0.0
        self.gradient_norm = torch.zeros((), device=device)
        self.gradient_norms: dict[str, Tensor] = {}
        """Before clipping, of each parameter, after a step that was asked for them."""
        self.trouble = torch.zeros(3, device=device)
        """The first step whose gradient was no number, that norm, and the loss; 0 while there is none."""
        if not ranks.first:
            # The weights were made from the seed by all alike; what is dropped is each one's own affair.
            torch.manual_seed(seed + 7919 * ranks.rank)

    @property
    def steps_per_epoch(self) -> float:
        """Updates that go once through the training examples."""
        return self.dealer.stream.batches_per_epoch / self.settings.accumulate

    # One update.

    def update(self, step: int, steps: int, look: bool = False) -> None:
        """Update number `step` of `steps`: gradients of the mean loss over the batch, clipped, then a move.

        Where the gradient is no number nothing moves, and `trouble` says so. look: keep `gradient_norms`.
        """
        deal = self.dealer.next()
        self.optimizer.zero_grad()
        losses = [self._gradients(part, deal.over) for part in deal.parts[:-1]]
        losses.append(self._gradients(deal.parts[-1], deal.over, last=True))
        loss = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
        self.loss_sum += loss
        self.tokens += sum(part.tokens for part in deal.parts)
        if look:
            self.gradient_norms = norms(self.parameters)
        self.gradient_norm = clip_gradients(self.parameters.values(), self.settings.clip)
        self.rate = learning_rate(self.settings, step, steps)
        self._move(step, loss)
        if self.average:
            self.average.update(step)

    def _move(self, step: int, loss: Tensor) -> None:
        norm = self.gradient_norm
        if self.reads_are_free and norm.isfinite().item():
            self.optimizer.step(self.rate)
            return
        bad = ~norm.isfinite()
        here = torch.stack([torch.full_like(loss, step), norm.to(loss), loss])
        self.trouble = torch.where(bad & (self.trouble[0] == 0), here, self.trouble)
        if not self.reads_are_free:
            self.optimizer.step(self.rate, skip=bad.float())

    def _gradients(self, part: Part, over: Asked, last: bool = False) -> Tensor:
        """Add the gradients of one part; returns its share of the loss."""
        with nullcontext() if last else self.ranks.quietly(self.network):
            with self._precision():
                outputs = self.network(part.batch)
            if self.settings.precision != "fp32":
                outputs = {name: value.float() for name, value in outputs.items()}
            loss, _numbers = self.parts.task.loss(outputs, part.targets, over)
            if part.weight != 1.0:
                loss = loss * part.weight
            # The mean of what the processes add up is wanted, and what comes is the mean over processes.
            (loss * self.ranks.size if self.ranks.size > 1 else loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _precision(self) -> AbstractContextManager[object]:
        if self.settings.precision == "fp32":
            return nullcontext()
        kind = torch.device(self.device).type
        cast = torch.autocast(kind, dtype=torch.bfloat16)
        return _plain_kernels(cast) if kind == "cpu" and not _cpu_has_bf16() else cast

    # Between updates.

    @contextmanager
    def weights_to_keep(self) -> Iterator[None]:
        """The weights that are measured and kept: the average where there is one."""
        with self.average.in_place() if self.average else nullcontext():
            yield

    def finite(self) -> bool:
        """Whether all weights are numbers. Waits for the device."""
        each = torch.stack([weight.isfinite().all() for weight in self.parameters.values()])
        return bool(each.all().item())

    def tensors(self) -> dict[str, Tensor]:
        """What going on exactly from here needs, beside the weights to keep. All processes take part."""
        tensors = self.optimizer.tensors() | generator_tensors(self.ranks)
        tensors["sums/loss"] = self.ranks.total(self.loss_sum)
        if self.average:
            tensors |= {f"weights/{name}": parameter.detach() for name, parameter in self.parameters.items()}
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], position: Mapping[str, int]) -> None:
        """Put everything where `tensors` and the dealer's position say that it was."""
        self._restore_optimizer(tensors)
        if self.ranks.first:
            self.loss_sum.copy_(tensors["sums/loss"])
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                if self.average and f"weights/{name}" in tensors:
                    self.average.values[name].copy_(parameter)
                if f"weights/{name}" in tensors:
                    parameter.copy_(tensors[f"weights/{name}"])
        self.dealer.restore(self._place(position))
        if position["seed"] == self.seed:
            restore_generators(tensors, self.ranks)

    def _restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        wanted = self.optimizer.tensors()
        if wanted.keys() <= tensors.keys():
            self.optimizer.restore(tensors)
        else:
            print(f"{self.settings.optimizer} begins anew: the checkpoint was of another", flush=True)

    def _place(self, position: Mapping[str, int]) -> dict[str, int]:
        """The place in this stream that comes nearest to `position`, which may be one of another stream."""
        here = self.dealer.stream.state()
        place = dict(position) | {"seed": here["seed"]}
        if position["batch_size"] != here["batch_size"]:
            # Resumed with other batches: as many examples of the epoch are taken as read.
            seen = position["index"] * position["batch_size"]
            place |= {"batch_size": here["batch_size"], "index": seen // here["batch_size"]}
        return place


def norms(parameters: Mapping[str, nn.Parameter], gradients: bool = True) -> dict[str, Tensor]:
    """The norm of each parameter's gradient, where it has one; or of each parameter."""
    given = {
        name: value
        for name, parameter in parameters.items()
        if (value := parameter.grad if gradients else parameter.detach()) is not None
    }
    return dict(zip(given, torch._foreach_norm(list(given.values())), strict=True))


def _cpu_has_bf16() -> bool:
    """Whether oneDNN has kernels of that precision for this processor."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def _plain_kernels(within: AbstractContextManager[object]) -> Iterator[None]:
    """`within`, with torch's own kernels: oneDNN's LSTM would refuse, where autocast asks it for bf16."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        with within:
            yield
    finally:
        torch._C._set_mkldnn_enabled(before)

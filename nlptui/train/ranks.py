"""The processes that train one model together: who this one is, and what they have to tell each other.

One process alone is the usual case, and costs nothing. Several are started by torch's elastic launcher, all
with the same run:

    torchrun --nproc-per-node 2 --max-restarts 3 -m nlptui.train.worker RUN_DIRECTORY

They share every batch, add up their gradients (torch's DistributedDataParallel; gloo between CPUs, nccl
between GPUs) and so hold the same weights after every step. The first alone measures, saves and writes.
Knows nothing of what is trained.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, cast

import torch
from torch import Tensor, nn

from nlptui.train import launcher

# While the first process measures, which may take long, the others wait for a word from it. A process that
# dies is noticed at once.
_PATIENCE = timedelta(hours=12)


class Ranks:
    """One process alone."""

    rank = 0
    size = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that measures, saves and writes."""
        return self.rank == 0

    def device(self, wanted: str) -> str:
        """The device of this process, where the recipe means `wanted`."""
        return wanted

    def shared(self, model: nn.Module) -> nn.Module:
        """`model` as it is called in training, with the same weights in every process."""
        return model

    def quietly(self, network: nn.Module) -> AbstractContextManager[object]:
        """Inside, gradients pile up in each process for itself."""
        return nullcontext()

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether a process has it set."""
        return flags

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes."""
        return value

    def gathered(self, value: Tensor) -> list[Tensor]:
        """The value in each process; they have the same shape and lie on the CPU."""
        return [value]

    def from_first(self, value: Any) -> Any:
        """What the first process has; the others give anything."""
        return value

    @contextmanager
    def first_first(self) -> Iterator[None]:
        """Inside, the first process goes before all others (it may download what all need)."""
        yield

    def close(self) -> None:
        """Part from the others."""


class Together(Ranks):
    """One of several processes, as the launcher's environment says."""

    def __init__(self) -> None:
        # Not every torch has it, and one process alone needs none of it.
        from torch.distributed.rendezvous import rendezvous

        self.rank, self.size = launcher.rank(), int(os.environ["WORLD_SIZE"])
        self.local = int(os.environ.get("LOCAL_RANK", self.rank))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        store, _rank, _size = next(iter(rendezvous("env://")))
        # The launcher keeps one store over all attempts: what dead processes left in it would be in the way.
        store = torch.distributed.PrefixStore(f"attempt {launcher.attempt()}", store)  # type: ignore[attr-defined]
        torch.distributed.init_process_group(
            backend, store=store, rank=self.rank, world_size=self.size, timeout=_PATIENCE
        )

    def device(self, wanted: str) -> str:
        if wanted != "cuda":
            return "cpu"  # gloo knows no others
        torch.cuda.set_device(self.local)
        return f"cuda:{self.local}"

    def shared(self, model: nn.Module) -> nn.Module:
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(model, broadcast_buffers=False)

    def quietly(self, network: nn.Module) -> AbstractContextManager[object]:
        return cast(AbstractContextManager[object], network.no_sync())  # type: ignore[operator]

    def any(self, *flags: bool) -> tuple[bool, ...]:
        values = torch.tensor(flags, dtype=torch.uint8)
        torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX)
        return tuple(bool(value) for value in values.tolist())

    def total(self, value: Tensor) -> Tensor:
        value = value.clone()
        torch.distributed.all_reduce(value)
        return value

    def gathered(self, value: Tensor) -> list[Tensor]:
        found = [torch.empty_like(value) for _rank in range(self.size)]
        torch.distributed.all_gather(found, value)
        return found

    def from_first(self, value: Any) -> Any:
        box = [value]
        torch.distributed.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    @contextmanager
    def first_first(self) -> Iterator[None]:
        if not self.first:
            self.from_first(None)
        yield
        if self.first:
            self.from_first(None)

    def close(self) -> None:
        torch.distributed.destroy_process_group()


ALONE = Ranks()


def join() -> Ranks:
    """The processes that this one belongs to."""
    return Together() if launcher.launched() else ALONE

"""What a step of training gets: the batches that make it up, and of each this process's share.

A batch is drawn whole by every process, from the same place of the same stream, and cut: so all know what
the others have without a word, and how many answers there are in all. Knows nothing of networks or
optimizers, nor of how processes talk to each other.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nlptui.nn.batch import Batch
from nlptui.tasks.base import Asked, Targets
from nlptui.tasks.stream import DataStream


@dataclass(frozen=True)
class Part:
    """One forward pass of a step."""

    batch: Batch
    targets: Targets
    tokens: int
    """Real tokens in the batch that count."""
    weight: float = 1.0
    """0 where nothing of a batch was left for this process, which then learns nothing from what it is given:
    it only keeps step with the others."""

    def to(self, device: str, non_blocking: bool = False) -> Part:
        """The same on `device`."""
        targets = {key: value.to(device, non_blocking=non_blocking) for key, value in self.targets.items()}
        return Part(self.batch.to(device, non_blocking), targets, self.tokens, self.weight)

    def pin(self) -> Part:
        """The same in memory from which a GPU can fetch it while the program goes on."""
        targets = {key: value.pin_memory() for key, value in self.targets.items()}
        return Part(self.batch.pin(), targets, self.tokens, self.weight)


@dataclass(frozen=True)
class Deal:
    """One step's worth."""

    parts: tuple[Part, ...]
    over: Asked
    """Answers in all parts of all processes."""
    position: Mapping[str, int]
    """The place in the stream after it."""


class Dealer:
    """Steps of `parts` batches each; process number `rank` of `size` gets its share of every one."""

    def __init__(
        self,
        stream: DataStream,
        parts: int = 1,
        rank: int = 0,
        size: int = 1,
        device: str = "cpu",
        ahead: int = 0,
        pin: bool = False,
    ) -> None:
        """ahead: deals that a thread makes ready before they are asked for; 0: no thread."""
        self.stream = stream
        self.parts, self.rank, self.size, self.device = parts, rank, size, device
        self.ahead, self.pin = ahead, pin
        self.position: Mapping[str, int] = stream.state()
        """The place in the stream after the last deal that was given out."""
        self._ready: queue.Queue[Deal | BaseException] = queue.Queue(max(ahead, 1))
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def restore(self, position: Mapping[str, int]) -> None:
        """Go on where another dealer's `position` was, before the first deal."""
        self.stream.restore(position)
        self.position = self.stream.state()

    def next(self) -> Deal:
        """The next step's worth, on the device."""
        deal = self._fetch() if self.ahead else self.make()
        self.position = deal.position
        moved = tuple(part.to(self.device, non_blocking=self.pin) for part in deal.parts)
        return Deal(moved, deal.over, deal.position)

    def make(self) -> Deal:
        """The next step's worth, on the CPU."""
        parts: list[Part] = []
        over: Counter[str] = Counter()
        for _turn in range(self.parts):
            drawn = self.stream.draw()
            over.update(self.stream.task.asked(drawn))
            parts.append(self._part(drawn))
        return Deal(tuple(parts), dict(over), self.stream.state())

    def _part(self, drawn: list[Any]) -> Part:
        task = self.stream.task
        own = task.share(drawn, self.rank, self.size) if self.size > 1 else drawn
        weight = 1.0 if own else 0.0
        # Without a share of its own it goes through the motions with another's, so that all stay in step.
        own = own or task.share(drawn, 0, self.size)
        batch, targets = task.collate(own, "cpu")
        part = Part(batch, targets, sum(map(task.length, own)) if weight else 0, weight)
        return part.pin() if self.pin else part

    # Ahead of time.

    def _fetch(self) -> Deal:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="dealer", daemon=True)
            self._thread.start()
        deal = self._ready.get()
        if isinstance(deal, BaseException):
            raise deal
        return deal

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                deal: Deal | BaseException = self.make()
            except BaseException as error:
                deal = error
            self._offer(deal)
            if isinstance(deal, BaseException):
                return

    def _offer(self, deal: Deal | BaseException) -> None:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._ready.put(deal, timeout=0.1)
                return

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

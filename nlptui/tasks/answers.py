"""What a language model is asked for where the last token of each text is an answer: scores and a baseline.

Knows nothing of what the texts are about; the distance of each is its corpus's own count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F

from nlptui.tasks.base import IGNORED, Ids, Outputs, Targets


class Answered(Protocol):
    """A text whose last token is its answer."""

    @property
    def ids(self) -> Ids: ...

    @property
    def distance(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """What one answer was worth."""

    distance: int | None
    right: bool
    nats: float
    """−ln of the probability that the right answer got."""


def judged(texts: Sequence[Answered], outputs: Outputs, targets: Targets) -> Iterator[Judged]:
    """Each text's answer in the logits (batch pos vocab) of a batch; a text of one token has none."""
    wanted = targets["next"]
    rows, places = torch.where(wanted != IGNORED)
    logits, wanted = outputs["logits"][rows, places].float(), wanted[rows, places]
    right = (logits.argmax(-1) == wanted).tolist()
    nats = F.cross_entropy(logits, wanted, reduction="none").tolist()
    for number, row in enumerate(rows.tolist()):
        yield Judged(texts[row].distance, right[number], nats[number])


def scores(answers: Iterable[Judged]) -> dict[str, float]:
    """accuracy, the same at each distance (accuracy_at_N), and loss, in nats an answer."""
    rows = list(answers)
    by_distance: dict[int, list[bool]] = defaultdict(list)
    for row in rows:
        if row.distance is not None:
            by_distance[row.distance].append(row.right)
    found = {"accuracy": _mean([row.right for row in rows])}
    found |= {f"accuracy_at_{distance}": _mean(by_distance[distance]) for distance in sorted(by_distance)}
    return found | {"loss": _mean([row.nats for row in rows])}


def most_frequent(vocab_size: int, train: Iterable[Answered], test: Iterable[Answered]) -> dict[str, float]:
    """The scores of the answer that came most often in training, and of how often each came, one added."""
    counts = np.ones(vocab_size)
    for text in train:
        counts[text.ids[-1]] += 1
    likeliest, nats = int(counts.argmax()), -np.log(counts / counts.sum())
    return scores(Judged(t.distance, int(t.ids[-1]) == likeliest, float(nats[t.ids[-1]])) for t in test)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)

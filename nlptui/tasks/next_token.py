"""What tasks that predict the next token share: the loss, its sum for metrics, and the unigram baseline.

Knows nothing of where the tokens come from. Losses are in nats a token; perplexity is their exponential.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from nlptui.tasks.base import IGNORED, Asked, Ids, Outputs, Targets, mean_cross_entropy


def mean_loss(outputs: Outputs, targets: Targets, over: Asked, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of `logits` (batch pos vocab) with `next` (batch pos), IGNORED positions left out."""
    logits, wanted = outputs["logits"].flatten(0, 1), targets["next"].flatten()
    return mean_cross_entropy(logits, wanted, over.get("next"), smoothing)


def summed_loss(outputs: Outputs, targets: Targets) -> float:
    """The same, summed over the tokens of the batch."""
    logits, wanted = outputs["logits"].float().flatten(0, 1), targets["next"].flatten()
    return float(F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum").double())


def loss_and_perplexity(total: float, tokens: int) -> dict[str, float]:
    """Nats a token, and its exponential (infinite beyond what a float holds)."""
    loss = total / max(tokens, 1)
    return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}


def unigram(vocab_size: int, seen: Iterable[Ids], predicted: Sequence[Ids]) -> dict[str, float]:
    """How often each token came in `seen`, one added to each count, whatever stands before it."""
    counts = np.ones(vocab_size)
    for ids in seen:
        counts += np.bincount(ids, minlength=vocab_size)
    nats = -np.log(counts / counts.sum())
    return loss_and_perplexity(float(sum(nats[ids].sum() for ids in predicted)), sum(map(len, predicted)))

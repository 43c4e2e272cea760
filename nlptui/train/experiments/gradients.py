"""Gradients against distance: how much an error at the end of a text says to the states before it.

    g_d = ‖∂L/∂h_{T−d}‖ / ‖∂L/∂h_T‖        L: the loss of the answer, at the last token T

is what is left of it after d steps back, of each text; drawn is the median over texts, before and after
training, and after training the text in twenty where most is left. An LSTM hands on two vectors, h and c, so
it has a line for each. Networks and texts are those of `recall`; those measured have the same length.
Sources: Hochreiter 1991; Bengio et al. 1994; Pascanu et al. 2013.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.locale import N_
from nlptui.tasks.language_model import RunningText
from nlptui.train.experiments import recall
from nlptui.train.experiments.parts import Made, Part, Row

NETWORKS = ("RNN", "LSTM", "GRU")
CELL = N_("LSTM, cell")
"""The line of an LSTM's second vector."""
CELLS: dict[str, Callable[[int, int], nn.RNNCellBase]] = {
    "RNN_TANH": nn.RNNCell,
    "LSTM": nn.LSTMCell,
    "GRU": nn.GRUCell,
}


@dataclass(frozen=True)
class Budget:
    """How much one network learns from, and how many texts are measured."""

    recall: recall.Budget
    measured: int
    """Texts of one length whose gradients are taken."""
    networks: tuple[str, ...] = NETWORKS
    seeds: tuple[int, ...] = (1, 2)


FULL = Budget(recall.FULL, measured=64)
QUICK = Budget(recall.QUICK, measured=3, networks=("RNN", "LSTM"), seeds=(1,))


def reach(model: Any, ids: Tensor, answers: Tensor) -> list[Tensor]:
    """Norms of the gradients of each vector that a step hands to the next: h; of an LSTM also c.

    ids (batch pos), answers (batch) → (distance batch) each, from the last step back.
    """
    cell = cell_of(model.layers)
    embed = model.token_embedding(ids)
    state, states = None, []
    for t in range(ids.shape[1]):
        state = cell(embed[:, t], state)
        states.append(state if isinstance(state, tuple) else (state,))
    loss = F.cross_entropy(model.head(states[-1][0]), answers, reduction="sum")
    flat = [vector for vectors in reversed(states) for vector in vectors]
    norms = [gradient.norm(dim=-1) for gradient in torch.autograd.grad(loss, flat)]
    kinds = len(states[0])
    return [torch.stack(norms[kind::kinds]) for kind in range(kinds)]


def cell_of(core: nn.RNNBase) -> nn.RNNCellBase:
    """One step of a recurrent layer: between the steps of the fused kernel no gradient can be had."""
    one = CELLS[core.mode](core.input_size, core.hidden_size)
    one.load_state_dict({name.removesuffix("_l0"): weight for name, weight in core.state_dict().items()})
    return one


def same_length(texts: tuple[RunningText, ...], most: int) -> tuple[Tensor, Tensor]:
    """The farthest texts of the commonest length, without their answers; and the answers."""
    far = [text for text in texts if text.distance == recall.FARTHEST]
    length = Counter(len(text.ids) for text in far).most_common(1)[0][0]
    ids = torch.stack([torch.from_numpy(t.ids).long() for t in far if len(t.ids) == length][:most])
    return ids[:, :-1], ids[:, -1]


def rows(quantile: float, chart: str, name: str, seed: int, norms: list[Tensor]) -> Iterator[Row]:
    """What is left of the gradient at each distance, in the text at `quantile` among the others."""
    for line, found in zip((name, CELL), norms, strict=False):
        left = (found / norms[0][0]).quantile(quantile, dim=1)
        for distance, share in enumerate(left.tolist()):
            yield Row(chart, line, seed, distance, share)


def measure(name: str, seed: int, budget: Budget) -> Iterator[Made]:
    """The gradients of a new network, its training, and its gradients again."""
    known = recall.texts(budget.recall)
    asked = same_length(known.test, budget.measured)
    torch.manual_seed(seed)
    model, _config = recall.network(name, known.tokenizer.vocab_size)
    yield from rows(0.5, "before", name, seed, reach(model, *asked))
    model, _task = yield from recall.learned(name, seed, budget.recall)
    norms = reach(model, *asked)
    yield from rows(0.5, "after", name, seed, norms)
    yield from rows(0.95, "most", name, seed, norms)


def parts(quick: bool) -> list[Part]:
    """One for each network and seed."""
    budget = QUICK if quick else FULL
    return [
        Part(name, seed, budget.recall.steps, partial(measure, name, seed, budget))
        for name in budget.networks
        for seed in budget.seeds
    ]

"""What experiments measure, by other means: equations, torch's optimizer, its count of operations, hands."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nlptui.config import GPTConfig
from nlptui.engine.analyses.timing import SYSTEMS, WIDTH, operations
from nlptui.nn.batch import Batch
from nlptui.nn.gpt import GPT
from nlptui.train.experiments import causal, depth, gradients, heads, length, positions, recall
from nlptui.train.experiments.parts import Row, Step
from nlptui.train.experiments.sentences import HELD_OUT, WORDS, sentences
from nlptui.train.experiments.training import generator_of, parameter_count, share_right, updates
from nlptui.train.optimize import learning_rate
from nlptui.train.recipe import TrainConfig


def rows_of(made: Any) -> list[Row]:
    return [one for one in made if isinstance(one, Row)]


# training


def test_the_updates_are_those_of_torchs_adamw() -> None:
    torch.manual_seed(3)
    ours, theirs = nn.Linear(4, 2), nn.Linear(4, 2)
    theirs.load_state_dict(ours.state_dict())
    x, y = torch.randn(40, 8, 4), torch.randn(40, 8, 2)
    mine = iter(range(40))

    def loss_of_next() -> Tensor:
        step = next(mine)
        return F.mse_loss(ours(x[step]), y[step])

    losses = [step.loss for step in updates(ours, loss_of_next, 40, 0.1)]
    optimizer = torch.optim.AdamW(
        [{"params": [theirs.weight], "weight_decay": 0.01}, {"params": [theirs.bias], "weight_decay": 0.0}]
    )
    settings = TrainConfig(steps=40, learning_rate=0.1, warmup=4, final_rate=0.05)
    for step in range(40):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step + 1, 40)
        optimizer.zero_grad()
        loss = F.mse_loss(theirs(x[step]), y[step])
        loss.backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step()
        assert losses[step] == pytest.approx(loss.item(), abs=1e-5)
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-5) and not ours.training


def test_the_share_right_is_counted() -> None:
    scores = torch.tensor([[[0.1, 0.9], [0.8, 0.2]], [[0.3, 0.4], [0.5, 0.1]]])
    assert share_right(scores, torch.tensor([[1, 1], [0, 0]])) == 0.5


# recall


def test_the_four_networks_are_of_one_size_and_see_no_test_text() -> None:
    known = recall.texts(recall.QUICK)
    counts = [parameter_count(recall.network(name, 231)[0]) for name in recall.NETWORKS]
    assert max(counts) <= 1.03 * min(counts), counts
    assert {text.distance for text in known.test} == set(recall.distances()) and max(recall.distances()) == 40
    assert max(text.distance or 0 for text in known.train) <= 40
    assert recall.FULL.splits == ("train", "test"), "facts of the test are told in no text to learn from"


def test_recall_is_how_often_the_likeliest_word_is_the_answer() -> None:
    budget = recall.QUICK
    found = {row.x: row.y for row in rows_of(recall.measure("LSTM", 1, budget))}
    with pytest.raises(StopIteration) as trained:
        learning = recall.learned("LSTM", 1, budget)
        while True:
            next(learning)
    model, _task = trained.value.value
    for distance in recall.distances():
        texts = [text for text in recall.texts(budget).test if text.distance == distance]
        right = 0
        for text in texts:
            hidden = torch.zeros(1, 48)
            cell = torch.zeros(1, 48)
            for token in text.ids[:-1]:  # by the equations of the LSTM
                pre = F.linear(model.token_embedding.weight[int(token)][None], *_weights(model, "ih"))
                i, f, g, o = (pre + F.linear(hidden, *_weights(model, "hh"))).chunk(4, 1)
                cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
                hidden = o.sigmoid() * cell.tanh()
            right += int(model.head(hidden).argmax()) == int(text.ids[-1])
        assert found[distance] == pytest.approx(right / len(texts))


def _weights(model: Any, way: str) -> tuple[Tensor, Tensor]:
    return getattr(model.layers, f"weight_{way}_l0"), getattr(model.layers, f"bias_{way}_l0")


# gradients


def by_equations(name: str, core: Any, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One step of one text, as the course writes it."""
    of_x, of_h = (
        getattr(core, f"weight_{way}_l0") @ v + getattr(core, f"bias_{way}_l0")
        for way, v in (("ih", x), ("hh", state[0]))
    )
    if name == "RNN":
        return ((of_x + of_h).tanh(),)
    if name == "LSTM":
        i, f, g, o = (of_x + of_h).chunk(4)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
    (x_r, x_z, x_n), (h_r, h_z, h_n) = of_x.chunk(3), of_h.chunk(3)
    z = (x_z + h_z).sigmoid()
    return ((1 - z) * (x_n + (x_r + h_r).sigmoid() * h_n).tanh() + z * state[0],)


@pytest.mark.parametrize("name", gradients.NETWORKS)
def test_gradients_are_those_of_autograd_through_the_equations(name: str) -> None:
    torch.manual_seed(5)
    model: Any = recall.network(name, 30)[0]
    ids, answers = torch.randint(30, (3, 9)), torch.randint(30, (3,))
    found = gradients.reach(model, ids, answers)
    assert len(found) == (2 if name == "LSTM" else 1)
    for text in range(3):
        state: tuple[Tensor, ...] = (torch.zeros(model.layers.hidden_size),) * len(found)
        kept: list[tuple[Tensor, ...]] = []
        for token in ids[text]:
            state = by_equations(name, model.layers, model.token_embedding.weight[token], state)
            kept.append(state)
            for vector in state:
                vector.retain_grad()
        F.cross_entropy(model.head(state[0]), answers[text]).backward()
        for kind, norms in enumerate(found):
            wanted = [vectors[kind].grad.norm().item() for vectors in reversed(kept)]  # type: ignore[union-attr]
            assert norms[:, text].tolist() == pytest.approx(wanted, rel=1e-3, abs=1e-9)


def test_the_rows_are_the_median_share_of_the_last_gradient() -> None:
    hidden, cell = [[2.0, 4.0, 1.0], [1.0, 1.0, 1.0]], [[1.0, 2.0, 3.0], [3.0, 2.0, 4.0]]
    norms = [torch.tensor(hidden), torch.tensor(cell)]
    rows = list(gradients.rows(0.5, "after", "LSTM", 1, norms))
    told = [(row.series, row.x, row.y) for row in rows]
    assert told == [("LSTM", 0, 1.0), ("LSTM", 1, 0.5), ("LSTM, cell", 0, 0.5), ("LSTM, cell", 1, 1.5)]


def test_only_texts_of_one_length_are_measured() -> None:
    ids, answers = gradients.same_length(recall.texts(recall.QUICK).test, 64)
    assert ids.ndim == 2 and len(ids) == len(answers) > 0
    whole = [text.ids.tolist() for text in recall.texts(recall.QUICK).test if text.distance == 40]
    assert all([*row, answer] in whole for row, answer in zip(ids.tolist(), answers.tolist(), strict=True))


# positions


def swapped(ids: Tensor, who: Tensor) -> Tensor:
    """The texts with the two names of each in each other's place."""
    other = ids.clone()
    for row in range(len(ids)):
        at = int((ids[row] == positions.CALLS).nonzero())
        assert ids[row, at - 1] == who[row] != ids[row, at + 1] and ids[row, at + 2] == positions.FULL_STOP
        other[row, at - 1], other[row, at + 1] = ids[row, at + 1], ids[row, at - 1]
    return other


def test_without_positions_who_and_whom_are_the_same_to_the_network() -> None:
    generator = generator_of(0)
    ids, who = positions.examples(50, generator)
    assert (ids[:, -1] == positions.WHO).all() and ids.shape == (50, positions.LENGTH)
    mask = positions.causal_mask(positions.LENGTH, positions.LENGTH, ids.device)
    for kind in positions.FULL.readers:
        model = positions.Reader(positions.table_of(kind, 16))
        nn.init.normal_(model.table) if kind == positions.LEARNED else None
        given = mask if kind == positions.CAUSAL else None
        apart = (model(ids, given) - model(swapped(ids, who), given)).abs().max().item()
        assert (apart < 1e-6) == (kind == positions.NONE), (kind, apart)


def test_readers_are_of_one_size_but_for_the_table() -> None:
    counts = {
        kind: parameter_count(positions.Reader(positions.table_of(kind, 16)))
        for kind in positions.FULL.readers
    }
    assert counts.pop(positions.LEARNED) - 16 * positions.LENGTH == next(iter(counts.values()))
    assert len(set(counts.values())) == 1


def test_guessing_between_the_two_is_right_half_of_the_time() -> None:
    budget = positions.Budget(steps=150, every=50, asked=400, width=16)
    rows = rows_of(positions.measure(positions.NONE, 1, budget))
    assert [row.x for row in rows] == [50, 100, 150] and max(row.y for row in rows) < 0.6


# depth


def by_hand(model: Any, ids: Tensor, residuals: bool, norms: bool) -> Tensor:
    """The scores of a stack, one head at a time, in other words than those of `nlptui.nn`."""
    x = model.token_embedding.weight[ids] + model.pos_embedding.weight[: ids.shape[1]]
    hidden_later = torch.full((ids.shape[1],) * 2, -math.inf).triu(1)
    for block in model.blocks:
        at, mlp = block.attn, block.mlp
        given = F.layer_norm(x, x.shape[-1:], block.norm1.weight, block.norm1.bias) if norms else x
        split = [F.linear(given, w.weight, w.bias).chunk(at.n_heads, -1) for w in (at.wq, at.wk, at.wv)]
        z = [
            (q @ k.mT / math.sqrt(at.d_head) + hidden_later).softmax(-1) @ v
            for q, k, v in zip(*split, strict=True)
        ]
        out = at.wo(torch.cat(z, -1))
        x = x + out if residuals else out
        given = F.layer_norm(x, x.shape[-1:], block.norm2.weight, block.norm2.bias) if norms else x
        out = mlp.down(F.gelu(mlp.up(given)))
        x = x + out if residuals else out
    return F.linear(x, model.head.weight, model.head.bias)


@pytest.mark.parametrize(
    ("kind", "residuals", "norms"),
    [
        (depth.BOTH, True, True),
        (depth.RESIDUAL, True, False),
        (depth.NORM, False, True),
        (depth.BARE, False, False),
    ],
)
def test_each_stack_is_wired_as_it_is_called(kind: str, residuals: bool, norms: bool) -> None:
    torch.manual_seed(1)
    budget = replace(depth.QUICK, heads=2)
    model = depth.Stack(kind, 3, 20, budget)
    ids = torch.randint(20, (2, 6))
    assert torch.allclose(model(ids), by_hand(model, ids, residuals, norms), atol=1e-5)


def test_stacks_are_of_one_size_but_for_the_norms() -> None:
    counts = {kind: parameter_count(depth.Stack(kind, 3, 20, depth.QUICK)) for kind in depth.BLOCKS}
    assert counts[depth.BOTH] == counts[depth.NORM] == counts[depth.BARE] + 3 * 4 * depth.QUICK.width
    assert counts[depth.RESIDUAL] == counts[depth.BARE]


def test_every_depth_and_rate_is_measured_alike() -> None:
    parts = depth.parts(quick=False)
    assert len(parts) == (4 * len(depth.FULL.depths) + 2 * len(depth.FULL.rates)) * len(depth.FULL.seeds)
    (row,) = rows_of(depth.measure("rate", 0.5, depth.BARE, 1, 1e9, 1, depth.QUICK))
    assert (row.chart, row.x) == ("rate", 0.5)  # A loss that is no number any more is a row too.


# heads


def test_readers_have_the_same_number_of_parameters_whatever_their_heads() -> None:
    counts = {parameter_count(heads.Reader(number, 4, 64)) for number in heads.FULL.heads}
    assert len(counts) == 1


def test_lists_are_told_back_in_their_order() -> None:
    ids, told = heads.examples(7, 4, generator_of(0))
    assert torch.equal(ids[:, :-1], told) and (ids[:, -1] == heads.ASKED).all() and told.max() < heads.NAMES
    model = heads.Reader(2, 4, 8)
    scores = model(ids)
    assert scores.shape == (7, 4, heads.NAMES)
    hidden = model.gpt.hidden(Batch(ids))[:, -1]
    third = F.linear(hidden, model.places.weight[2 * heads.NAMES : 3 * heads.NAMES])
    third = third + model.places.bias[2 * heads.NAMES : 3 * heads.NAMES]
    assert torch.allclose(scores[:, 2], third, atol=1e-6)


# the causal mask


def test_the_text_is_cut_and_counted_right() -> None:
    text = sentences()
    assert (len(text.train), len(text.test)) == (WORDS, HELD_OUT)
    given, wanted = text.draw(5, 6, generator_of(0))
    whole = " ".join(map(str, text.train.tolist()))
    for row, after in zip(given.tolist(), wanted.tolist(), strict=True):
        assert row[1:] == after[:-1] and " ".join(map(str, [row[0], *after])) in whole
    given, wanted = text.held_out(7)
    assert given.flatten().tolist() == text.test[: given.numel()].tolist()
    assert wanted.flatten().tolist() == text.test[1 : 1 + given.numel()].tolist()
    train = text.train.tolist()
    seen = set(zip(train, train[1:], strict=False))
    assert {(int(a), int(b)) for a, b in text.pairs().nonzero()} == seen


@pytest.mark.parametrize("kind", [causal.MASKED, causal.OPEN])
def test_a_word_to_come_is_seen_without_the_mask_alone(kind: str) -> None:
    torch.manual_seed(0)
    model = causal.Network(20, causal.QUICK)
    ids = torch.randint(20, (1, 6))
    other = ids.clone()
    other[0, 4] = (other[0, 4] + 1) % 20
    mask = causal.mask_of(kind, 6)
    apart = (model(ids, mask) - model(other, mask)).abs().amax(-1)[0]
    assert (apart[:4].max() == 0) == (kind == causal.MASKED) and apart[4:].min() > 0


def test_with_the_mask_the_network_is_gpt() -> None:
    torch.manual_seed(0)
    model = causal.Network(20, causal.QUICK)
    gpt = GPT(GPTConfig(arch="gpt", vocab_size=20, context=6, d_model=8, n_heads=4, n_layers=2, d_ff=32))
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith("head.")}
    gpt.load_state_dict(weights)
    ids = torch.randint(20, (3, 6))
    wanted = F.linear(gpt.hidden(Batch(ids)), model.head.weight, model.head.bias)
    assert torch.allclose(model(ids, causal.mask_of(causal.MASKED, 6)), wanted, atol=1e-5)


def test_left_to_right_is_one_pass_with_the_mask_and_is_not_without_it() -> None:
    torch.manual_seed(0)
    model = causal.Network(20, causal.QUICK)
    ids = torch.randint(20, (4, 7))
    given, wanted = ids[:, :-1], ids[:, 1:]
    for kind in (causal.MASKED, causal.OPEN):
        steps = dict(causal.left_to_right(model, kind, given, wanted))
        scores = model(given, causal.mask_of(kind, 6)).log_softmax(-1)
        at_once = -scores.gather(-1, wanted[..., None])[..., 0].mean(0)
        same = np.allclose(list(steps.values()), at_once.detach().numpy(), atol=1e-5)
        assert same == (kind == causal.MASKED) and list(steps) == [1, 2, 3, 4, 5, 6]


def test_the_leak_shows_after_a_few_steps() -> None:
    """Without the mask the loss in training sinks below what any reader from left to right can reach."""
    small = replace(causal.FULL, steps=250, every=50, texts=5, blocks=1, batch=16)
    budget = replace(small, length=12, prompt=4, rate=6e-3)
    rows = rows_of(causal.measure(causal.OPEN, 1, budget))
    last = [row.y for row in rows if row.chart == "training"][-1]
    unseen = [row.y for row in rows if row.chart == "held_out" and row.series == causal.OPEN]
    seen = [row.y for row in rows if row.chart == "held_out" and row.series == causal.IN_SIGHT]
    assert last < 1.2 and np.mean(seen[:-1]) < 1.0 < 3 < np.mean(unseen[:-1])
    assert seen[-1] == pytest.approx(unseen[-1], abs=1e-5), "nobody sees what comes after the last word"


# length


def test_the_arithmetic_is_what_torch_counts() -> None:
    n = 12
    x = torch.randn(1, n, WIDTH)
    # The fused kernel is not counted; the same in single products is.
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        SYSTEMS["attention"]()(x)
    assert counter.get_total_flops() == operations("attention", n)
    for name, cell in (("RNN", nn.RNNCell), ("LSTM", nn.LSTMCell)):
        one, state = cell(WIDTH, WIDTH), None
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            for t in range(n):
                made = one(x[:, t], state)
                state = made
        assert counter.get_total_flops() == operations(name, n)


def test_every_length_is_timed_and_the_gradients_are_taken() -> None:
    made = list(length.measure("LSTM", 1, length.QUICK))
    assert [row.chart for row in rows_of(made)] == ["reading", "step", "operations"] * 2
    assert sum(isinstance(one, Step) for one in made) == 2 and all(row.y > 0 for row in rows_of(made))
    calls: list[int] = []
    assert length.milliseconds(lambda: calls.append(1), 3) >= 0 and len(calls) == 4
    assert length.output(nn.LSTM(2, 3, batch_first=True), torch.zeros(1, 4, 2)).shape == (1, 4, 3)

"""Greedy and beam search: against enumeration of every sequence, and the cached decoder against the whole."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from nlptui.config import TransformerConfig
from nlptui.nn import Batch, build_model
from nlptui.nn.search import PATIENCE, Found, search
from tests.nn.families import ATTENTION, VOCAB

START, END, LONGEST = 1, 2, 4
SIZE = 4


def table(seed: int) -> dict[tuple[int, ...], Tensor]:
    """Scores of the next of 4 tokens after every short sequence."""
    generator = torch.Generator().manual_seed(seed)
    return {
        ids: torch.randn(SIZE, generator=generator, dtype=torch.float64)
        for length in range(LONGEST)
        for ids in itertools.product(range(SIZE), repeat=length)
    }


def found(tables: list[dict[tuple[int, ...], Tensor]], beams: int, power: float) -> list[Found]:
    """The search over one row a table; `step` keeps the sequences as a cache would."""
    written: list[tuple[int, ...]] = [() for _row in range(len(tables) * beams)]

    def step(last: Tensor, rows: Tensor | None) -> Tensor:
        nonlocal written
        if rows is not None:
            written = [(*written[row], int(token)) for row, token in zip(rows, last, strict=True)]
        return torch.stack([tables[row // beams][ids] for row, ids in enumerate(written)])

    return search(step, torch.full((len(written),), START), END, LONGEST, beams, power)


def score(ids: tuple[int, ...], scores: dict[tuple[int, ...], Tensor], power: float) -> float:
    total = sum(float(scores[ids[:t]].log_softmax(-1)[ids[t]]) for t in range(len(ids)))
    return float(total / len(ids) ** power)


@pytest.mark.parametrize("power", [0.0, 0.6, 1.0])
def test_a_wide_beam_finds_the_best_of_all_sequences(power: float) -> None:
    every = [
        ids
        for length in range(1, LONGEST + 1)
        for ids in itertools.product(range(SIZE), repeat=length)
        if END not in ids[:-1] and (ids[-1] == END or length == LONGEST)
    ]
    tables = [table(seed) for seed in range(6)]
    for scores, one in zip(tables, found(tables, SIZE**LONGEST, power), strict=True):
        best = max(every, key=lambda ids: score(ids, scores, power))
        assert tuple(one.ids) == tuple(i for i in best if i != END)
        expected = [float(scores[best[:t]].log_softmax(-1)[best[t]]) for t in range(len(one.ids))]
        assert one.logprobs == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_one_beam_is_greedy(power: float) -> None:
    tables = [table(seed) for seed in range(20)]
    for scores, one in zip(tables, found(tables, 1, power), strict=True):
        ids: tuple[int, ...] = ()
        while len(ids) < LONGEST and (token := int(scores[ids].argmax())) != END:
            ids = (*ids, token)
        assert tuple(one.ids) == ids


def test_more_beams_find_no_worse_and_sometimes_better() -> None:
    tables = [table(seed) for seed in range(20)]
    totals = {beams: [sum(one.logprobs) for one in found(tables, beams, 0.0)] for beams in (1, SIZE**LONGEST)}
    assert totals[1] != totals[SIZE**LONGEST]


def test_a_beam_that_never_ends_is_given_up() -> None:
    """One that ends at once, and stays the best, beside one that says the same for ever."""
    steps = 0

    def step(last: Tensor, rows: Tensor | None) -> Tensor:
        nonlocal steps
        steps += 1
        begun = torch.tensor([-9.0, -9.0, 2.0, 1.0])
        return torch.where((last == START)[:, None], begun, torch.tensor([0.0, -9.0, -9.0, 0.1])).double()

    one = search(step, torch.full((2,), START), END, 100, 2, 1.0)[0]
    assert one.ids == []
    assert steps == 1 + PATIENCE


def translator(beams: int) -> Any:
    config = TransformerConfig(
        arch="transformer", task="translation", vocab_size=VOCAB, beams=beams, **ATTENTION
    )
    torch.manual_seed(3)
    model: Any = build_model(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("beams", [1, 3])
def test_a_translation_holds_what_the_whole_decoder_says(beams: int) -> None:
    """Log-probabilities of the search, with caches and padding, against one pass over the finished target."""
    model = translator(beams)
    ids = torch.randint(3, VOCAB, (5, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(7) < torch.tensor([7, 3, 5, 1, 6])[:, None]
    for row, one in enumerate(model.translate(Batch(ids, mask=mask), START, END, 8)):
        given = torch.tensor([[START, *one.ids]])
        alone = Batch(ids[row : row + 1, : int(mask[row].sum())], target_ids=given)
        with torch.no_grad():
            logprobs = model(alone)["logits"][0].log_softmax(-1)
        for place, (token, logprob) in enumerate(zip(one.ids, one.logprobs, strict=True)):
            assert math.isclose(float(logprobs[place, token]), logprob, abs_tol=1e-12)
            if beams == 1:
                assert int(logprobs[place].argmax()) == token
        if beams == 1 and len(one.ids) < 8:
            assert int(logprobs[len(one.ids)].argmax()) == END


def test_a_row_is_translated_alike_alone_and_among_others() -> None:
    model = translator(3)
    ids = torch.randint(3, VOCAB, (4, 7), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(7) < torch.tensor([7, 2, 4, 6])[:, None]
    together = model.translate(Batch(ids, mask=mask), START, END, 8)
    for row, one in enumerate(together):
        alone = model.translate(Batch(ids[row : row + 1, : int(mask[row].sum())]), START, END, 8)[0]
        assert alone.ids == one.ids
        assert alone.logprobs == pytest.approx(one.logprobs, abs=1e-12)

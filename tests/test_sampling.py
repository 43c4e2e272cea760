"""Settings of sampling: their name and back, what is out of range, and draws that are spread evenly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlptui.engine.generation import choose, drawn
from nlptui.errors import UserError
from nlptui.sampling import PLAIN, Sampling


@pytest.mark.parametrize(
    "sampling",
    [
        PLAIN,
        Sampling(),
        Sampling(0.8, 40, 0.95, 7),
        Sampling(0.001, 0, 0.001),
        Sampling(0.123456789, 0, 1e-7, -3),
    ],
)
def test_a_suffix_and_back(sampling: Sampling) -> None:
    assert Sampling.read(sampling.suffix) == sampling


@pytest.mark.parametrize("text", ["", "t_1", "t_1.k_0.p_1000", "t_x.k_0.p_1.s_0", "t_1.k_0.p_1.s_0.more"])
def test_another_text_is_no_suffix(text: str) -> None:
    with pytest.raises(ValueError):
        Sampling.read(text)


def test_a_suffix_out_of_range_is_told() -> None:
    with pytest.raises(UserError, match="top-p"):
        Sampling.read("t_1000.k_0.p_0.s_0")


def test_draws_are_spread_evenly_and_depend_on_seed_and_place_alone() -> None:
    draws = np.array([Sampling(seed=3).draw(n) for n in range(4000)])
    counts, _edges = np.histogram(draws, bins=10, range=(0, 1))
    assert counts.min() > 330 and counts.max() < 470
    assert Sampling(1.0, 5, 0.5, 3).draw(17) == draws[17] != Sampling(seed=4).draw(17)


def test_a_draw_takes_the_token_whose_stretch_it_falls_in() -> None:
    probs = torch.tensor([0.25, 0.0, 0.5, 0.25])
    assert [drawn(probs, u) for u in (0.0, 0.2499, 0.25, 0.7499, 0.75, 0.999999, 1.0)] == [
        0,
        0,
        2,
        2,
        3,
        3,
        3,
    ]
    assert drawn(torch.tensor([0.5, 0.5, 0.0]), 1.0) == 1, "never a token that was cut"


def test_tokens_come_as_often_as_they_are_probable() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    taken = [choose(logits, PLAIN, n)[0] for n in range(8000)]
    shares = np.bincount(taken, minlength=4) / len(taken)
    np.testing.assert_allclose(shares, logits.softmax(-1).numpy(), atol=0.015)

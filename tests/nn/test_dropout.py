"""Dropout: the share that is dropped, the mean that stays, gradients, and no change outside training."""

from __future__ import annotations

import pytest
import torch

from nlptui.nn.dropout import dropout


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_share_is_dropped_and_the_mean_stays(share: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(500, 401)
    y = dropout(x, share, training=True)
    dropped = (y == 0).double().mean().item()
    assert dropped == pytest.approx(share, abs=1 / 256 + 0.01)
    assert y.double().mean().item() == pytest.approx(1, abs=0.1 if share > 0.9 else 0.01)
    assert y.unique().numel() == 2


def test_every_value_by_its_own_chance() -> None:
    torch.manual_seed(0)
    kept = (dropout(torch.ones(64, 64), 0.5, training=True) != 0).double()
    assert (kept.mean(0) - 0.5).abs().max() < 0.3 and (kept.mean(1) - 0.5).abs().max() < 0.3
    other = (dropout(torch.ones(64, 64), 0.5, training=True) != 0).double()
    assert 0.4 < (kept == other).double().mean() < 0.6


def test_the_gradient_passes_where_the_value_did() -> None:
    x = torch.randn(3, 7, 5, dtype=torch.float64, requires_grad=True)
    y = dropout(x, 0.4, training=True)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(y.detach(), x.detach() * x.grad)


def test_nothing_is_dropped_outside_training() -> None:
    x = torch.randn(4)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


def test_a_seed_repeats_it() -> None:
    first, again = [], []
    for found in (first, again):
        torch.manual_seed(3)
        found.append(dropout(torch.ones(100), 0.3, training=True))
    assert torch.equal(first[0], again[0])

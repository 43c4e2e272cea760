"""Attention against `torch.nn.MultiheadAttention`: self, cross, padding, masks, rows that see nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nlptui.nn.attention import Attention, causal_mask, safe_softmax
from tests.parity import weights
from tests.parity.compare import assert_close, recorded
from tests.parity.weights import randomised

WIDTH, HEADS, QUERIES, KEYS, BATCH = 15, 3, 5, 7, 2
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])


def pair(dtype: torch.dtype) -> tuple[nn.MultiheadAttention, Attention]:
    """Torch's layer and ours with its weights."""
    oracle = randomised(nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, dtype=dtype))
    assert isinstance(oracle, nn.MultiheadAttention)
    ours = Attention(WIDTH, HEADS).to(dtype).eval()
    ours.load_state_dict(weights.attention(oracle.state_dict(), "", ""))
    return oracle, ours


def check(dtype: torch.dtype, source: Tensor | None, allowed: Tensor | None, **theirs: Tensor) -> None:
    """Both paths and the weights of each head agree with torch; `allowed` is our mask, `theirs` torch's."""
    oracle, ours = pair(dtype)
    torch.manual_seed(1)
    x = torch.randn(BATCH, QUERIES if source is not None else KEYS, WIDTH, dtype=dtype)
    keys = x if source is None else source
    with torch.no_grad():
        expected, their_weights = oracle(x, keys, keys, average_attn_weights=False, **theirs)
        fused = ours(x, source, allowed)
    stepped, activations = recorded(ours, lambda rec: ours(x, source, allowed, rec))
    assert_close(fused, expected)
    assert_close(stepped, expected)
    assert_close(activations["weights"], their_weights)


def some_keys(dtype: torch.dtype) -> Tensor:
    torch.manual_seed(2)
    return torch.randn(BATCH, KEYS, WIDTH, dtype=dtype)


def real_keys() -> Tensor:
    """True at real keys: the second text ends in padding."""
    return torch.arange(KEYS) < torch.tensor([KEYS, 4])[:, None]


@DTYPES
def test_self(dtype: torch.dtype) -> None:
    check(dtype, None, None)


@DTYPES
def test_cross(dtype: torch.dtype) -> None:
    check(dtype, some_keys(dtype), None)


@DTYPES
def test_key_padding(dtype: torch.dtype) -> None:
    real = real_keys()
    check(dtype, some_keys(dtype), real[:, None, None], key_padding_mask=~real)


@DTYPES
def test_a_mask_of_pairs(dtype: torch.dtype) -> None:
    allowed = torch.rand(QUERIES, KEYS, generator=torch.Generator().manual_seed(3)) < 0.5
    allowed[:, 0] = True
    check(dtype, some_keys(dtype), allowed[None, None], attn_mask=~allowed)


@DTYPES
def test_causal_with_padding(dtype: torch.dtype) -> None:
    causal, real = causal_mask(KEYS, KEYS, torch.device("cpu")), real_keys()
    allowed = causal & real[:, None, None]
    check(dtype, None, allowed, attn_mask=~causal[0, 0], key_padding_mask=~real)


@DTYPES
def test_the_fused_causal_kernel(dtype: torch.dtype) -> None:
    oracle, ours = pair(dtype)
    x = some_keys(dtype)
    mask = causal_mask(KEYS, KEYS, torch.device("cpu"))
    with torch.no_grad():
        expected, _weights = oracle(x, x, x, attn_mask=~mask[0, 0])
        assert_close(ours(x, causal=True), expected)


@DTYPES
def test_rows_that_see_nothing(dtype: torch.dtype) -> None:
    """Weights 0, z 0, nothing NaN, the recorded path equal to the fused one, and gradients finite in both."""
    _oracle, ours = pair(dtype)
    allowed = real_keys()[:, None, None].expand(BATCH, 1, KEYS, KEYS).clone()
    allowed[0, :, 2] = False
    allowed[1] = False
    dead = ~allowed.any(-1)[:, 0]
    x = some_keys(dtype).requires_grad_()
    stepped, activations = recorded(ours, lambda rec: ours(x, mask=allowed, rec=rec))
    fused = ours(x, mask=allowed)
    assert_close(stepped, fused.detach())
    assert not any(value.isnan().any() for value in activations.values())
    for head in range(HEADS):
        assert (activations["weights"][:, head][dead] == 0).all()
        assert (activations["z"][:, head][dead] == 0).all()
    fused.sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_a_softmax_of_nothing_has_no_gradient() -> None:
    scores = torch.tensor([[1.0, 2.0], [-torch.inf, -torch.inf]], requires_grad=True)
    weights = safe_softmax(scores)
    (weights * torch.tensor([[1.0, 0.0], [3.0, 1.0]])).sum().backward()
    assert (weights[1] == 0).all()
    assert scores.grad is not None and scores.grad.isfinite().all()
    assert (scores.grad[1] == 0).all() and (scores.grad[0] != 0).all()


def test_causal_attention_on_record_wants_its_mask() -> None:
    _oracle, ours = pair(torch.float32)
    with pytest.raises(ValueError, match="mask"):
        recorded(ours, lambda rec: ours(some_keys(torch.float32), rec=rec, causal=True))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="15"):
        Attention(15, 4)

"""RNN, LSTM and GRU against `torch.nn`: step by step and fused, padded, stacked, one or both directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlptui.nn.recurrent import CELLS
from nlptui.trace import Recorder
from tests.parity.compare import assert_close, recorded
from tests.parity.weights import randomised

ORACLES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
WIDTH, HIDDEN, LAYERS = 5, 7, 3
LENGTHS = (9, 4, 1, 6)


@pytest.fixture(params=["rnn", "lstm", "gru"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["one-way", "both-ways"])
def bidirectional(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["fp32", "fp64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


def pair(
    kind: str, bidirectional: bool, dtype: torch.dtype, bias: bool = True
) -> tuple[nn.Module, nn.Module]:
    """Torch's layer and ours with its state dict."""
    options = {"batch_first": True, "bidirectional": bidirectional, "dtype": dtype, "bias": bias}
    oracle = randomised(ORACLES[kind](WIDTH, HIDDEN, LAYERS, **options))
    ours = CELLS[kind](WIDTH, HIDDEN, LAYERS, **options).eval()
    ours.load_state_dict(oracle.state_dict())
    return oracle, ours


def inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A padded batch whose padding holds numbers that must not matter, and its mask."""
    torch.manual_seed(1)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, dtype=dtype), mask


def zero_state(kind: str, bidirectional: bool, dtype: torch.dtype) -> Any:
    """The state before the first step, as torch has it: (layers · ways, batch, hidden)."""
    zeros = torch.zeros(LAYERS * (2 if bidirectional else 1), len(LENGTHS), HIDDEN, dtype=dtype)
    return (zeros, zeros) if kind == "lstm" else zeros


def each_alone(oracle: nn.Module, x: Tensor) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """(row, length, hidden states, last hidden states) of torch's layer on each sequence without padding."""
    for row, length in enumerate(LENGTHS):
        with torch.no_grad():
            hidden, state = oracle(x[row : row + 1, :length])
        yield row, length, hidden[0], (state[0] if isinstance(state, tuple) else state)[:, 0]


def test_without_padding(kind: str, bidirectional: bool, dtype: torch.dtype) -> None:
    oracle, ours = pair(kind, bidirectional, dtype)
    x, _mask = inputs(dtype)
    with torch.no_grad():
        expected, _state = oracle(x)
        fused, _state = ours.run(x)
    (stepped, state), _activations = recorded(ours, lambda rec: ours.run(x, rec))
    assert_close(fused, expected)
    assert_close(stepped, expected)
    assert state is None


def test_with_padding(kind: str, bidirectional: bool, dtype: torch.dtype) -> None:
    oracle, ours = pair(kind, bidirectional, dtype)
    x, mask = inputs(dtype)
    keep = mask[..., None].to(dtype)
    with torch.no_grad():
        fused, _state = ours.run(x, mask=mask)
        # Given a state, the batch is packed, as it is on a GPU.
        packed, last_state = ours.run(x, mask=mask, state=zero_state(kind, bidirectional, dtype))
    last_hidden = last_state[0] if kind == "lstm" else last_state

    def record(rec: Recorder) -> Any:
        rec.input("keep", keep, "batch pos stat")
        return ours.run(x, rec, mask)

    (stepped, _state), _activations = recorded(ours, record)
    for row, length, expected, last in each_alone(oracle, x):
        for hidden in (fused, packed, stepped):
            assert_close(hidden[row, :length], expected)
            assert (hidden[row, length:] == 0).all()
        assert_close(last_hidden[:, row], last)


def test_every_layer_and_direction_in_text_order(kind: str, bidirectional: bool, dtype: torch.dtype) -> None:
    """Torch tells the last state of each: forward at the last token, backward at the first."""
    oracle, ours = pair(kind, bidirectional, dtype)
    x, mask = inputs(dtype)
    _result, activations = recorded(ours, lambda rec: ours.run(x, rec, mask))
    for row, length, _hidden, last in each_alone(oracle, x):
        for layer in range(LAYERS):
            at = layer * (2 if bidirectional else 1)
            assert_close(activations[f"{layer}.forward.hidden"][row, length - 1], last[at])
            if bidirectional:
                assert_close(activations[f"{layer}.backward.hidden"][row, 0], last[at + 1])


def test_lstm_cells(bidirectional: bool, dtype: torch.dtype) -> None:
    oracle, ours = pair("lstm", bidirectional, dtype)
    x, _mask = inputs(dtype)
    with torch.no_grad():
        _hidden, (_h, cells) = oracle(x)
    _result, activations = recorded(ours, lambda rec: ours.run(x, rec))
    for layer in range(LAYERS):
        at = layer * (2 if bidirectional else 1)
        assert_close(activations[f"{layer}.forward.cell"][:, -1], cells[at])
        if bidirectional:
            assert_close(activations[f"{layer}.backward.cell"][:, 0], cells[at + 1])


def test_without_biases(kind: str) -> None:
    oracle, ours = pair(kind, True, torch.float64, bias=False)
    x, mask = inputs(torch.float64)
    with torch.no_grad():
        expected, _state = oracle(x)
    (stepped, _state), _activations = recorded(ours, lambda rec: ours.run(x, rec))
    assert_close(stepped, expected)


def test_a_state_goes_on_where_it_stopped(kind: str, dtype: torch.dtype) -> None:
    oracle, ours = pair(kind, False, dtype)
    x, _mask = inputs(dtype)
    with torch.no_grad():
        expected, _state = oracle(x)
        first, state = ours.run(x[:, :4])
        second, _state = ours.run(x[:, 4:], state=state)
    assert_close(torch.cat([first, second], 1), expected)


def test_a_sequence_of_padding_only(kind: str, bidirectional: bool) -> None:
    _oracle, ours = pair(kind, bidirectional, torch.float32)
    x, mask = inputs(torch.float32)
    mask[2] = False
    with torch.no_grad():
        fused, _state = ours.run(x, mask=mask)
    (stepped, _state), activations = recorded(ours, lambda rec: ours.run(x, rec, mask))
    assert (fused[2] == 0).all() and (stepped[2] == 0).all()
    assert_close(stepped, fused)
    assert not any(value.isnan().any() for value in activations.values())


def test_recording_takes_no_state(kind: str) -> None:
    _oracle, ours = pair(kind, False, torch.float32)
    x, _mask = inputs(torch.float32)
    _hidden, state = ours.run(x)
    with pytest.raises(ValueError, match="zeros"):
        recorded(ours, lambda rec: ours.run(x, rec, state=state))

"""RNN, LSTM and GRU against the reference evaluator of ONNX, which shares no code with torch."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from nlptui.nn.recurrent import CELLS
from tests.parity.compare import assert_close, recorded
from tests.parity.weights import randomised

WIDTH, HIDDEN, LAYERS, LENGTH = 5, 7, 2, 6
# Order of the gates in ONNX, as places in torch's: i f g o → i o f g; r z n → z r n.
GATES = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


def in_onnx_order(kind: str, value: np.ndarray) -> np.ndarray:
    """Torch's stacked gates, stacked as ONNX has them."""
    parts = np.split(value, len(GATES[kind]))
    return np.concatenate([parts[i] for i in GATES[kind]])


def layer_in_onnx(
    kind: str, weights: dict[str, np.ndarray], layer: int, ways: list[str], x: np.ndarray
) -> np.ndarray:
    """One layer's hidden states for x (pos batch width): (pos batch ways·hidden)."""

    def stacked(*names: str) -> np.ndarray:
        each = [
            np.concatenate([in_onnx_order(kind, weights[f"{n}_l{layer}{way}"]) for n in names])
            for way in ways
        ]
        return np.stack(each)

    given = {"X": x, "W": stacked("weight_ih"), "R": stacked("weight_hh"), "B": stacked("bias_ih", "bias_hh")}
    options = {"linear_before_reset": 1} if kind == "gru" else {}
    direction = "bidirectional" if len(ways) == 2 else "forward"
    node = helper.make_node(
        kind.upper(), list(given), ["Y"], hidden_size=HIDDEN, direction=direction, **options
    )
    described = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, v.shape) for n, v in given.items()]
    result = helper.make_tensor_value_info("Y", TensorProto.DOUBLE, (None,) * 4)
    graph = helper.make_graph([node], kind, described, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    onnx.checker.check_model(model)
    (hidden,) = ReferenceEvaluator(model).run(None, given)
    return hidden.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[1], -1)


def in_onnx(kind: str, weights: dict[str, np.ndarray], ways: list[str], x: Tensor) -> Tensor:
    """The top layer's hidden states for x (batch pos width)."""
    hidden = x.numpy().transpose(1, 0, 2)
    for layer in range(LAYERS):
        hidden = layer_in_onnx(kind, weights, layer, ways, hidden)
    return torch.from_numpy(np.ascontiguousarray(hidden.transpose(1, 0, 2)))


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_against_onnx(kind: str, bidirectional: bool) -> None:
    options = {"batch_first": True, "bidirectional": bidirectional, "dtype": torch.float64}
    ours = randomised(CELLS[kind](WIDTH, HIDDEN, LAYERS, **options))
    weights = {name: value.numpy() for name, value in ours.state_dict().items()}
    ways = ["", "_reverse"] if bidirectional else [""]
    torch.manual_seed(0)
    x = torch.randn(3, LENGTH, WIDTH, dtype=torch.float64)
    lengths = (LENGTH, 3, 1)
    mask = torch.arange(LENGTH) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        fused, _state = ours.run(x, mask=mask)
    (stepped, _state), _activations = recorded(ours, lambda rec: ours.run(x, rec, mask))
    for row, length in enumerate(lengths):
        expected = in_onnx(kind, weights, ways, x[row : row + 1, :length])[0]
        assert_close(fused[row, :length], expected)
        assert_close(stepped[row, :length], expected)

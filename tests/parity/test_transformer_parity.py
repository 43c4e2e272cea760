"""The Transformer of 2017 against `torch.nn.Transformer`: post-LN, relu, no final norms, padding, causal."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nlptui.config import TransformerConfig
from nlptui.nn import Batch
from nlptui.nn.layers import sinusoids
from nlptui.nn.transformer import Transformer
from tests.parity import weights
from tests.parity.compare import assert_close, recorded
from tests.parity.weights import randomised

WIDTH, HEADS, LAYERS, FF, VOCAB, TARGET_VOCAB = 15, 3, 2, 11, 19, 17
SOURCE, TARGET = 7, 5
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
POSITIONS = pytest.mark.parametrize("positions", ["sinusoidal", "learned"])


def oracle_for(dtype: torch.dtype) -> nn.Transformer:
    """Torch's Transformer of our shape, with stacks that do not end in a LayerNorm."""
    options = {"dim_feedforward": FF, "dropout": 0.0, "batch_first": True, "dtype": dtype}
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(WIDTH, HEADS, **options), LAYERS, enable_nested_tensor=False
    )
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(WIDTH, HEADS, **options), LAYERS)
    oracle = nn.Transformer(
        WIDTH, HEADS, batch_first=True, dtype=dtype, custom_encoder=encoder, custom_decoder=decoder
    )
    found = randomised(oracle)
    assert isinstance(found, nn.Transformer)
    return found


def ours_for(oracle: nn.Transformer, positions: str, dtype: torch.dtype) -> Transformer:
    """Our network with torch's layers; the embeddings, which torch has none of, stay random."""
    config = TransformerConfig(
        arch="transformer",
        task="translation",
        vocab_size=VOCAB,
        target_vocab_size=TARGET_VOCAB,
        positions=positions,
        context=SOURCE + 2,
        d_model=WIDTH,
        n_heads=HEADS,
        n_layers=LAYERS,
        d_ff=FF,
    )
    torch.manual_seed(0)
    ours = Transformer(config).to(dtype).eval()
    missing, surplus = ours.load_state_dict(
        weights.transformer_layers(oracle.state_dict(), LAYERS), strict=False
    )
    assert not surplus
    assert all("embedding" in name for name in missing)
    return ours


def embedded(table: Tensor, positions: Tensor, ids: Tensor) -> Tensor:
    """√d · E[id] + P[pos]."""
    return table[ids] * math.sqrt(WIDTH) + positions[: ids.shape[1]]


@POSITIONS
@DTYPES
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_against_torch(positions: str, dtype: torch.dtype, padded: bool) -> None:
    oracle = oracle_for(dtype)
    ours = ours_for(oracle, positions, dtype)
    torch.manual_seed(1)
    ids, target = torch.randint(0, VOCAB, (3, SOURCE)), torch.randint(0, TARGET_VOCAB, (3, TARGET))
    mask = torch.arange(SOURCE) < torch.tensor([SOURCE, 4, 1])[:, None] if padded else None
    target_mask = torch.arange(TARGET) < torch.tensor([2, TARGET, 3])[:, None] if padded else None
    batch = Batch(ids, mask=mask, target_ids=target, target_mask=target_mask)
    stepped, activations = recorded(ours, lambda rec: ours(batch, rec))
    with torch.no_grad():
        fused = ours(batch)["logits"]
    table = ours.pos_embedding.detach()
    source_embed = embedded(ours.source_embedding.weight.detach(), table, ids)
    target_embed = embedded(ours.target_embedding.weight.detach(), table, target)
    # With gradients on, torch takes its plain path, which keeps padded positions.
    memory = oracle.encoder(source_embed, src_key_padding_mask=None if mask is None else ~mask)
    future = torch.ones(TARGET, TARGET, dtype=torch.bool).triu(1)
    hidden = oracle.decoder(
        target_embed,
        memory,
        tgt_mask=future,
        tgt_key_padding_mask=None if target_mask is None else ~target_mask,
        memory_key_padding_mask=None if mask is None else ~mask,
    ).detach()
    top = LAYERS - 1
    assert_close(activations["encoder.embed"], source_embed)
    assert_close(activations["decoder.embed"], target_embed)
    assert_close(activations[f"encoder.{top}.mlp_norm"], memory.detach(), mask)
    assert_close(activations[f"decoder.{top}.mlp_norm"], hidden, target_mask)
    logits = hidden @ ours.target_embedding.weight.detach().T
    assert_close(stepped["logits"], logits, target_mask)
    assert_close(fused, logits, target_mask)


@pytest.mark.parametrize("width", [1, 6, 7])
def test_sinusoids(width: int) -> None:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i + 1) = cos(the same)."""
    table = sinusoids(50, width).double().numpy()
    for position in range(50):
        for column in range(width):
            angle = position / 10000 ** (2 * (column // 2) / width)
            expected = math.sin(angle) if column % 2 == 0 else math.cos(angle)
            assert abs(table[position, column] - expected) <= 1e-6
    assert np.abs(table).max() <= 1.0

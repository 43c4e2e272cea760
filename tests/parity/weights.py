"""Weights of other people's networks under our names, so that both compute the same thing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


def randomised(module: nn.Module, seed: int = 0, spread: float = 0.3) -> nn.Module:
    """`module` in evaluation mode, every weight moved at random: no bias is 0 and no norm is plain."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += spread * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return module.eval()


def renamed(weights: Weights, names: dict[str, str], theirs: str = "", ours: str = "") -> Weights:
    """Weight and bias of each module in `names` (theirs → ours), within a prefix each."""
    found = {}
    for their_name, our_name in names.items():
        for kind in ("weight", "bias"):
            if f"{theirs}{their_name}.{kind}" in weights:
                found[f"{ours}{our_name}.{kind}"] = weights[f"{theirs}{their_name}.{kind}"]
    return found


def attention(weights: Weights, theirs: str, ours: str) -> Weights:
    """`torch.nn.MultiheadAttention`: q, k and v are one matrix there."""
    found = renamed(weights, {"out_proj": "wo"}, theirs, ours)
    for kind in ("weight", "bias"):
        for letter, part in zip("qkv", weights[f"{theirs}in_proj_{kind}"].chunk(3), strict=True):
            found[f"{ours}w{letter}.{kind}"] = part
    return found


def transformer_layers(weights: Weights, n_layers: int) -> Weights:
    """`torch.nn.Transformer`, encoder and decoder, without final norms."""
    found = {}
    for i in range(n_layers):
        theirs, ours = f"encoder.layers.{i}.", f"encoder.{i}."
        names = {"norm1": "attn_norm", "norm2": "mlp_norm", "linear1": "mlp.up", "linear2": "mlp.down"}
        found |= renamed(weights, names, theirs, ours)
        found |= attention(weights, f"{theirs}self_attn.", f"{ours}attn.")
        theirs, ours = f"decoder.layers.{i}.", f"decoder.{i}."
        names = {"norm1": "self_attn_norm", "norm2": "cross_attn_norm", "norm3": "mlp_norm"}
        found |= renamed(weights, names | {"linear1": "mlp.up", "linear2": "mlp.down"}, theirs, ours)
        found |= attention(weights, f"{theirs}self_attn.", f"{ours}self_attn.")
        found |= attention(weights, f"{theirs}multihead_attn.", f"{ours}cross_attn.")
    return found


def bert(weights: Weights, n_layers: int, prefix: str = "bert.") -> Weights:
    """The encoder of a `transformers` BERT, and its pooler if it has one."""
    names = {
        "embeddings.word_embeddings": "token_embedding",
        "embeddings.position_embeddings": "pos_embedding",
        "embeddings.token_type_embeddings": "segment_embedding",
        "embeddings.LayerNorm": "embed_norm",
        "pooler.dense": "pooler.dense",
    }
    found = renamed(weights, names, prefix)
    for i in range(n_layers):
        names = {
            "attention.self.query": "attn.wq",
            "attention.self.key": "attn.wk",
            "attention.self.value": "attn.wv",
            "attention.output.dense": "attn.wo",
            "attention.output.LayerNorm": "attn_norm",
            "intermediate.dense": "mlp.up",
            "output.dense": "mlp.down",
            "output.LayerNorm": "mlp_norm",
        }
        found |= renamed(weights, names, f"{prefix}encoder.layer.{i}.", f"blocks.{i}.")
    return found


def gpt(weights: Weights, n_layers: int, norms: tuple[str, str]) -> Weights:
    """The stack of a `transformers` GPT-2 or GPT-1; their Conv1D matrices are ours transposed."""
    found = {}
    for i in range(n_layers):
        theirs, ours = f"h.{i}.", f"blocks.{i}."
        found |= renamed(weights, {"ln_1": norms[0], "ln_2": norms[1]}, theirs, ours)
        matrices = {"attn.c_proj": "attn.wo", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down"}
        found |= {name: value.t() for name, value in renamed(weights, matrices, theirs, ours).items()}
        for kind in ("weight", "bias"):
            for letter, part in zip("qkv", weights[f"{theirs}attn.c_attn.{kind}"].chunk(3, -1), strict=True):
                found[f"{ours}attn.w{letter}.{kind}"] = part.t()
    return found


def gpt1(weights: Weights, n_layers: int) -> Weights:
    """A `transformers` OpenAIGPTModel: LayerNorm after each sum."""
    names = {"tokens_embed": "token_embedding", "positions_embed": "pos_embedding"}
    return renamed(weights, names) | gpt(weights, n_layers, ("attn_norm", "mlp_norm"))


def gpt2(weights: Weights, n_layers: int) -> Weights:
    """A `transformers` GPT2Model: LayerNorm before each part, and one at the end."""
    names = {"wte": "token_embedding", "wpe": "pos_embedding", "ln_f": "norm_final"}
    return renamed(weights, names) | gpt(weights, n_layers, ("norm1", "norm2"))

"""GPT-2 (norm before) and GPT-1 (norm after) against `transformers`: hidden states, attentions, logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from nlptui.config import GPTConfig
from nlptui.nn import Batch
from nlptui.nn.gpt import GPT
from tests.parity import weights
from tests.parity.compare import assert_close, recorded
from tests.parity.weights import randomised

VOCAB, WIDTH, HEADS, LAYERS, CONTEXT = 23, 15, 3, 3, 13
LENGTHS = (9, 4, 1)
SHAPE = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": CONTEXT, "vocab_size": VOCAB}
PLAIN = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 0, "eos_token_id": 0}


def gpt2() -> tuple[torch.nn.Module, GPT]:
    """GPT-2 of `transformers`, and ours with all its weights."""
    config = transformers.GPT2Config(**SHAPE, **PLAIN, attn_implementation="eager")
    oracle = randomised(transformers.GPT2LMHeadModel(config))
    ours = ours_for("pre")
    ours.load_state_dict(weights.gpt2(oracle.transformer.state_dict(), LAYERS))
    return oracle, ours


def gpt1() -> tuple[torch.nn.Module, GPT]:
    """GPT-1 of `transformers`, and ours with all its weights."""
    config = transformers.OpenAIGPTConfig(**SHAPE, **PLAIN, afn="gelu")
    oracle = randomised(transformers.OpenAIGPTLMHeadModel(config))
    ours = ours_for("post")
    ours.load_state_dict(weights.gpt1(oracle.transformer.state_dict(), LAYERS))
    return oracle, ours


def ours_for(norm_order: str) -> GPT:
    config = GPTConfig(
        arch="gpt",
        vocab_size=VOCAB,
        context=CONTEXT,
        d_model=WIDTH,
        n_layers=LAYERS,
        n_heads=HEADS,
        d_ff=4 * WIDTH,
        norm_order=norm_order,
    )
    return GPT(config).eval()


NETWORKS = pytest.mark.parametrize("make", [gpt2, gpt1])


def inputs(padded: bool) -> tuple[Batch, dict[str, Tensor]]:
    torch.manual_seed(1)
    ids = torch.randint(0, VOCAB, (len(LENGTHS), max(LENGTHS)))
    if not padded:
        return Batch(ids), {"input_ids": ids}
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return Batch(ids, mask=mask), {"input_ids": ids, "attention_mask": mask.long()}


def expected(oracle: torch.nn.Module, theirs: dict[str, Tensor]) -> Any:
    with torch.no_grad():
        return oracle(**theirs, output_hidden_states=True, output_attentions=True)


def hidden_states(activations: dict[str, Tensor], pre: bool) -> list[Tensor]:
    """What `transformers` returns: the embedding, each block's output, the last one after the final norm."""
    out = "resid_post" if pre else "mlp_norm"
    states = [activations["embed"], *(activations[f"blocks.{i}.{out}"] for i in range(LAYERS))]
    return [*states[:-1], activations["norm_final"]] if pre else states


@NETWORKS
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_against_transformers(make: Any, padded: bool) -> None:
    oracle, ours = make()
    batch, theirs = inputs(padded)
    answer = expected(oracle, theirs)
    stepped, activations = recorded(ours, lambda rec: ours(batch, rec))
    with torch.no_grad():
        fused = ours(batch)
    for hidden, their_hidden in zip(
        hidden_states(activations, make is gpt2), answer.hidden_states, strict=True
    ):
        assert_close(hidden, their_hidden, batch.mask)
    assert len(answer.attentions) == LAYERS
    for i, attention in enumerate(answer.attentions):
        ours_of_layer = activations[f"blocks.{i}.attn.weights"]
        assert_close(ours_of_layer.transpose(1, 2), attention.transpose(1, 2), batch.mask)
    for logits in (stepped["logits"], fused["logits"], activations["logits"]):
        assert_close(logits, answer.logits, batch.mask)


@NETWORKS
def test_step_by_step_with_a_cache(make: Any) -> None:
    """Ids in pieces, keys and values kept: the scores of `transformers` at the last of each piece."""
    oracle, ours = make()
    batch, theirs = inputs(padded=False)
    logits = expected(oracle, theirs).logits
    memory, start = None, 0
    with torch.no_grad():
        for end in (1, 4, 6, 9):
            scores, memory = ours.next_logits(batch.ids[:, start:end], memory)
            assert_close(scores, logits[:, end - 1])
            start = end

"""BERT against `transformers`: every hidden state, attention and logit, padded, with segments, both paths."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from nlptui.config import BertConfig
from nlptui.nn import Batch
from nlptui.nn.bert import Bert
from tests.parity import weights
from tests.parity.compare import assert_close, recorded
from tests.parity.weights import randomised, renamed

SIZES = {"vocab_size": 23, "d_model": 15, "n_heads": 3, "n_layers": 3, "d_ff": 11, "context": 13}
LABELS = ("a", "b", "c")
LENGTHS = (9, 4, 1)


def pair(name: str, task: str) -> tuple[torch.nn.Module, Bert]:
    """A BERT of `transformers` and ours with all its weights."""
    config = transformers.BertConfig(
        vocab_size=SIZES["vocab_size"],
        hidden_size=SIZES["d_model"],
        num_attention_heads=SIZES["n_heads"],
        num_hidden_layers=SIZES["n_layers"],
        intermediate_size=SIZES["d_ff"],
        max_position_embeddings=SIZES["context"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=len(LABELS) if task != "question_answering" else 2,
        attn_implementation="eager",
    )
    oracle = randomised(getattr(transformers, name)(config))
    theirs = oracle.state_dict()
    found = weights.bert(theirs, SIZES["n_layers"]) | heads(theirs, task)
    ours = Bert(BertConfig(arch="bert", task=task, labels=LABELS, **SIZES)).eval()
    ours.load_state_dict(found)
    return oracle, ours


def heads(theirs: dict[str, Tensor], task: str) -> dict[str, Tensor]:
    """The weights of what stands on the encoder."""
    if task == "pretraining":
        names = {"transform.dense": "mlm.dense", "transform.LayerNorm": "mlm.norm"}
        found = renamed(theirs, names, "cls.predictions.") | renamed(theirs, {"cls.seq_relationship": "nsp"})
        return found | {"mlm.bias": theirs["cls.predictions.bias"]}
    if task == "question_answering":
        found = {}
        for kind in ("weight", "bias"):
            for i, end in enumerate(("start", "end")):
                found[f"span.{end}.{kind}"] = theirs[f"qa_outputs.{kind}"][i : i + 1]
        return found
    return renamed(theirs, {"classifier": "head"})


def inputs() -> tuple[Batch, dict[str, Tensor]]:
    """A padded batch of two segments, for us and for `transformers`."""
    torch.manual_seed(1)
    ids = torch.randint(0, SIZES["vocab_size"], (len(LENGTHS), max(LENGTHS)))
    segments = (torch.arange(max(LENGTHS)) >= 3).long().expand_as(ids)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    theirs = {"input_ids": ids, "token_type_ids": segments, "attention_mask": mask.long()}
    return Batch(ids, mask=mask, segments=segments), theirs


def expected(oracle: torch.nn.Module, theirs: dict[str, Tensor]) -> Any:
    with torch.no_grad():
        return oracle(**theirs, output_hidden_states=True, output_attentions=True)


PRETRAINING = {"mlm.logits": "prediction_logits", "nsp.logits": "seq_relationship_logits"}
SPAN = {"start.logits": "start_logits", "end.logits": "end_logits"}
CASES = {
    "pretraining": ("BertForPreTraining", PRETRAINING),
    "tagging": ("BertForTokenClassification", {"logits": "logits"}),
    "classification": ("BertForSequenceClassification", {"logits": "logits"}),
    "question_answering": ("BertForQuestionAnswering", SPAN),
}


@pytest.mark.parametrize("task", CASES)
def test_against_transformers(task: str) -> None:
    name, outputs = CASES[task]
    oracle, ours = pair(name, task)
    batch, theirs = inputs()
    assert batch.mask is not None
    answer = expected(oracle, theirs)
    stepped, activations = recorded(ours, lambda rec: ours(batch, rec))
    with torch.no_grad():
        fused = ours(batch)
    check_encoder(activations, answer, batch.mask)
    assert set(stepped) == set(fused) == set(outputs)
    for our_name, their_name in outputs.items():
        logits = getattr(answer, their_name)
        keep = batch.mask if logits.shape[:2] == batch.mask.shape else None
        assert_close(stepped[our_name], logits, keep)
        assert_close(fused[our_name], logits, keep)
        assert_close(activations[our_name], logits, keep)


def check_encoder(activations: dict[str, Tensor], answer: Any, mask: Tensor) -> None:
    """Every hidden state and attention at real tokens."""
    layers = range(SIZES["n_layers"])
    ours = [activations["embed_norm"], *(activations[f"blocks.{i}.mlp_norm"] for i in layers)]
    assert len(answer.hidden_states) == len(ours) and len(answer.attentions) == len(layers)
    for hidden, theirs in zip(ours, answer.hidden_states, strict=True):
        assert_close(hidden, theirs, mask)
    for i, theirs in enumerate(answer.attentions):
        attention = activations[f"blocks.{i}.attn.weights"]
        assert_close(attention.transpose(1, 2), theirs.transpose(1, 2), mask)


def test_the_pooler_against_bert_model() -> None:
    oracle, ours = pair("BertForPreTraining", "pretraining")
    batch, theirs = inputs()
    with torch.no_grad():
        pooled = oracle.bert(**theirs).pooler_output
    _stepped, activations = recorded(ours, lambda rec: ours(batch, rec))
    assert_close(activations["pooler.pooled"], pooled)


def test_chosen_positions_of_the_mlm_head() -> None:
    """Where training names positions, the head's scores are those of the whole text, at these positions."""
    _oracle, ours = pair("BertForPreTraining", "pretraining")
    batch, _theirs = inputs()
    whole = ours(batch)["mlm.logits"].flatten(0, 1)
    batch.mlm_positions = torch.tensor([1, 5, 9])
    assert_close(ours(batch)["mlm.logits"], whole[[1, 5, 9]])

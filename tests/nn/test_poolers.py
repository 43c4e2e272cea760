"""Several poolers on one encoder: each is what it would be alone, and one of them is in use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from nlptui.config import BertConfig
from nlptui.errors import UserError
from nlptui.nn import build_model
from nlptui.nn.pooling import POOLINGS
from nlptui.trace import Recorder
from tests.nn.families import CONFIGS, batch_for, network

NAME = "bert-poolings"


def alone(model: Any, pooling: str) -> Any:
    """The same encoder with one pooler and one head."""
    config = CONFIGS[NAME]
    assert isinstance(config, BertConfig)
    single = build_model(replace(config, pooling=pooling, poolings=()))
    renamed = {
        name.replace(f"poolers.{pooling}.", "pooler.").replace(f"heads.{pooling}.", "head."): value
        for name, value in model.state_dict().items()
        if not name.startswith(("poolers.", "heads.")) or f".{pooling}." in name
    }
    single.load_state_dict(renamed)
    return single.eval()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_each_is_what_it_would_be_alone(pooling: str, padded: bool) -> None:
    model: Any = network(NAME)
    batch = batch_for(NAME, padded=padded)
    with torch.no_grad():
        expected = alone(model, pooling)(batch)["logits"]
        model.pooling = pooling
        outputs = model(batch)
        recorder = Recorder(dict(model.named_parameters()), (), None)
        on_record = model(batch, recorder)
    assert set(outputs) == {"logits", *(f"{name}.logits" for name in POOLINGS)}
    for logits in (outputs["logits"], outputs[f"{pooling}.logits"], on_record["logits"]):
        assert float((logits - expected).abs().max()) <= 1e-6
    others = [outputs[f"{name}.logits"] for name in POOLINGS if name != pooling]
    assert all(float((logits - expected).abs().max()) > 1e-3 for logits in others)
    assert f"poolers.{pooling}.pooled" in recorder.activations and set(on_record) == {"logits"}
    pooled = {name for name in recorder.activations if name.endswith(".pooled")}
    assert pooled == {f"poolers.{pooling}.pooled"}


def test_every_pooler_learns_from_the_summed_loss() -> None:
    model: Any = network(NAME)
    outputs = model(batch_for(NAME))
    sum(outputs[f"{name}.logits"].square().sum() for name in POOLINGS).backward()
    assert all(parameter.grad is not None for name, parameter in model.named_parameters() if "heads" in name)


@pytest.mark.parametrize(
    "changes",
    [
        {"poolings": ("mean", "sum")},
        {"poolings": ("mean", "max")},
        {"poolings": POOLINGS, "task": "tagging"},
        {"poolings": ("attention", "attention")},
    ],
    ids=["unknown", "the one in use is not among them", "no classifier", "twice"],
)
def test_settings_that_do_not_fit_are_told(changes: dict[str, Any]) -> None:
    config = CONFIGS[NAME]
    with pytest.raises(UserError, match="poolings"):
        build_model(replace(config, **changes))

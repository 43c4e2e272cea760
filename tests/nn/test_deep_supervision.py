"""The lower blocks of a question answerer are taught in training, and only there."""

from __future__ import annotations

from dataclasses import replace

import torch

from nlptui.config import BertConfig
from nlptui.nn import Batch, build_model

CONFIG = BertConfig(
    arch="bert", task="question_answering", vocab_size=20, context=12, d_model=12, n_layers=3, n_heads=2,
    d_ff=16, deep_supervision=0.5,
)  # fmt: skip


def test_in_training_the_head_reads_each_block() -> None:
    torch.manual_seed(0)
    model = build_model(CONFIG).train()
    batch = Batch(torch.randint(1, 20, (2, 6)))
    outputs = model(batch)
    names = {f"early.{i}.{edge}.logits" for i in range(2) for edge in ("start", "end")}
    assert set(outputs) == {"start.logits", "end.logits"} | names
    # What it says after a block is what a network cut off there says.
    short = build_model(replace(CONFIG, n_layers=1)).eval()
    kept = {name: value for name, value in model.state_dict().items() if name in short.state_dict()}
    short.load_state_dict(kept)
    torch.testing.assert_close(outputs["early.0.start.logits"], short(batch)["start.logits"])
    again = model(batch)
    assert set(again) == set(outputs), "nothing is left from the step before"


def test_elsewhere_it_costs_nothing() -> None:
    torch.manual_seed(0)
    batch = Batch(torch.randint(1, 20, (2, 6)))
    assert set(build_model(CONFIG).eval()(batch)) == {"start.logits", "end.logits"}
    assert set(build_model(replace(CONFIG, deep_supervision=0.0)).train()(batch)) == {
        "start.logits",
        "end.logits",
    }

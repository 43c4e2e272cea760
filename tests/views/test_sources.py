"""Where a logit comes from: the rows under a token add up to its logit, with edits in force too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlptui.edits import Edit
from nlptui.nn import Batch
from nlptui.trace import Recorder, Trace
from nlptui.views import State, describe
from nlptui.views.figure import Figure
from tests.views.conftest import CONFIGS, TOKENS, drawn, encoding_of, network, shared


def edited(family: str, *edits: str) -> Trace:
    model, encoding = network(family), encoding_of(TOKENS)
    parameters = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    changes = tuple(map(Edit.parse, edits))
    recorder = Recorder(parameters, changes)
    with torch.no_grad():
        model(Batch(torch.tensor([encoding.ids])), recorder)
    return Trace(
        recorder.activations, recorder.inputs, parameters, config=CONFIGS[family], encoding=encoding,
        label_sets=shared(family).label_sets, edits=changes,
    )  # fmt: skip


def rows(figure: Figure, part: int = 0) -> dict[str, np.ndarray]:
    table = figure.parts[part]
    return dict(zip(table.rows, table.values, strict=True))


@pytest.mark.parametrize("family", ["bert", "bert-tags", "gpt", "gpt-post"])
def test_the_rows_add_up_to_the_last_one(family: str) -> None:
    """A head's bias is the same number under every token."""
    figure = drawn("sources", shared(family), State(position=2))
    found = rows(figure)
    total = found.pop("= the logit")
    np.testing.assert_allclose(sum(found.values()), total, atol=1e-4)
    assert ("bias head" in found) == family.startswith("bert")
    if "bias head" in found:
        assert len(set(found["bias head"].tolist())) == 1
        assert figure.parts[0].origin(list(found).index("bias head"), 3).index == (0, 0)


@pytest.mark.parametrize(
    ("family", "edit", "row"),
    [
        ("gpt", "blocks.1.resid_mid[0,3,:4]=force:0.5", "the edit at blocks.1.resid_mid"),
        ("gpt", "blocks.0.attn.out[0,1,:4]=force:1", "the edit at blocks.0.attn.out"),
        ("bert", "blocks.0.mlp_sum[0,2,:4]=force:-1", "the edit at blocks.0.mlp_sum"),
        ("bert-tags", "blocks.1.attn_norm=scale:0.5", "the edit at blocks.1.attn_norm"),
    ],
)
def test_what_an_edit_puts_in_is_a_row(family: str, edit: str, row: str) -> None:
    figure = drawn("sources", edited(family, edit), State(position=3))
    found = rows(figure)
    total = found.pop("= the logit")
    assert row in found and "What an edit puts in is a part of its own" in figure.caption
    np.testing.assert_allclose(sum(found.values()), total, atol=1e-4)
    number = figure.parts[0].rows.index(row)
    assert describe(figure, 0, number, 3).startswith("what an edit puts into the logit at '中文'")
    if "force" in edit:
        assert np.abs(found[row]).max() > 1e-4 and np.count_nonzero(found[row]) == 1


def test_what_adds_once_to_the_logit_of_a_text_stands_apart() -> None:
    figure = drawn("sources", edited("bert-class", "pooler.pooled[0,3]=force:2"), State())
    once = rows(figure, 1)
    assert set(once) == {"bias head", "the edit at pooler.pooled", "bias pooler.dense"}
    assert figure.parts[1].title == "once for the whole text"
    total = sum(values.sum() for values in (*rows(figure).values(), *once.values()))
    trace = edited("bert-class", "pooler.pooled[0,3]=force:2")
    assert total == pytest.approx(float(trace.array("logits")[0].max()), abs=1e-4)

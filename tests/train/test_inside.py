"""What is told of layers equals what autograd, torch.nn's layers and numpy say, and changes nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nlptui.tasks.base import evaluating
from nlptui.train.inside import Sample, layer_of
from nlptui.train.loop import Trainer
from nlptui.train.worker import Reporter
from tests.train.small import FAMILIES, small
from tests.train.test_loop import Wish, directory, train

pytestmark = pytest.mark.usefixtures("tiny_data")

LAYERS = {
    "blocks.0.attn.wq.weight": "blocks.0.attn",
    "blocks.11.mlp.down.bias": "blocks.11.mlp",
    "blocks.0.norm1.weight": "blocks.0.norm1",
    "encoder.1.attn.wo.weight": "encoder.1.attn",
    "decoder.0.cross_attn_norm.bias": "decoder.0.cross_attn_norm",
    "layers.weight_ih_l0": "layers.0.forward",
    "layers.bias_hh_l1_reverse": "layers.1.backward",
    "token_embedding.weight": "token_embedding",
    "pos_embedding": "pos_embedding",
    "norm_final.weight": "norm_final",
    "head.bias": "head",
    "crf.transition": "crf",
    "mlm.dense.weight": "mlm",
    "mlm.bias": "mlm",
    "span.start.weight": "span",
    "char.conv.weight": "char.conv",
    "poolers.attention.score.weight": "poolers.attention",
    "heads.max.bias": "heads.max",
}


@pytest.mark.parametrize(("parameter", "layer"), LAYERS.items())
def test_the_layer_of_a_parameter(parameter: str, layer: str) -> None:
    assert layer_of(parameter) == layer


def prepared(family: str, **settings: Any) -> Trainer:
    run = directory("one")
    trainer = Trainer(run, small(family, **settings), Wish(), Reporter(run, run.status()))
    trainer.prepare()
    return trainer


def norm_of(arrays: list[np.ndarray]) -> float:
    return math.sqrt(sum(float((array.astype(np.float64) ** 2).sum()) for array in arrays))


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_of_gradients_are_those_before_clipping_and_cover_every_weight(family: str) -> None:
    trainer = prepared(family, clip=1e-3, evaluate_every=1, optimizer="adamw")
    learner = trainer.learner
    gradients: dict[str, np.ndarray] = {}
    for name, weight in learner.parameters.items():
        keep = lambda g, n=name: gradients.__setitem__(n, gradients.get(n, 0.0) + g.numpy().copy())  # noqa: E731
        weight.register_hook(keep)
    trainer.update()
    weights = {name: weight.detach().numpy().copy() for name, weight in learner.parameters.items()}
    trainer.look_inside()
    (row,) = trainer.directory.layer_metrics()
    assert row["step"] == 1 and trainer.directory.metrics() == []
    for kind, arrays in (("grad_norm", gradients), ("weight_norm", weights)):
        found = {
            key.removeprefix(f"{kind}."): value for key, value in row.items() if key.startswith(f"{kind}.")
        }
        layers = {layer: [a for name, a in arrays.items() if layer_of(name) == layer] for layer in found}
        assert sum(map(len, layers.values())) == len(arrays)
        assert found == pytest.approx({layer: norm_of(each) for layer, each in layers.items()}, rel=1e-4)
    norms = [value for key, value in row.items() if key.startswith("grad_norm.")]
    assert math.sqrt(sum(v * v for v in norms)) == pytest.approx(float(learner.gradient_norm), rel=1e-4)


def seen(family: str) -> tuple[Trainer, Sample, dict[str, float]]:
    """A network after a few steps, the sample that it is looked at with, and what is seen."""
    trainer = prepared(family)
    for _step in range(5):
        trainer.update()
    sample = Sample(trainer.parts.task, trainer.parts.dev_examples, "cpu")
    return trainer, sample, sample.look(trainer.learner.model)


def kinds(found: dict[str, float]) -> set[str]:
    return {name.split(".")[0] for name in found}


@pytest.mark.parametrize("family", ["bert", "gpt", "transformer", "poolers"])
def test_entropies_are_those_of_torchs_attention(family: str) -> None:
    """Every attention layer again by torch.nn.MultiheadAttention, on what the layer was given."""
    trainer, sample, found = seen(family)
    model = trainer.learner.model
    assert sample.batch is not None
    given: dict[str, Any] = {}
    for name, module in model.named_modules():
        if name.endswith("attn"):
            module.register_forward_hook(
                lambda m, args, kwargs, _out, n=name: given.__setitem__(n, (m, args, kwargs)),
                with_kwargs=True,
            )
    with evaluating(model):
        model(sample.batch)
    assert len(given) == sum(name.endswith("attn") for name, _module in model.named_modules())
    checked = 0
    for name, (module, args, _kwargs) in given.items():
        x = args[0]
        source = args[1] if len(args) > 1 and args[1] is not None else x
        entropies = by_torch(module, x, source, mask_of(name, sample, x, source))
        queries = sample.batch.target_mask if name.startswith("decoder") else sample.mask
        rows = entropies if queries is None else entropies[queries]
        for head in range(module.n_heads):
            expected = float((rows.reshape(-1, module.n_heads)[:, head]).mean())
            assert found[f"entropy.{name.removesuffix('.attn')}.h{head}"] == pytest.approx(expected, abs=1e-5)
            checked += 1
    assert checked == sum(name.startswith("entropy.") for name in found)


def mask_of(name: str, sample: Sample, x: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """What may not be looked at (batch query key)."""
    assert sample.batch is not None
    forbidden = torch.zeros(len(x), x.shape[1], source.shape[1], dtype=torch.bool)
    if name.startswith("blocks") and sample.batch.segments is None or "self_attn" in name:
        forbidden |= torch.ones(x.shape[1], source.shape[1], dtype=torch.bool).triu(1)
    keys = sample.batch.target_mask if "self_attn" in name else sample.batch.mask
    return forbidden if keys is None else forbidden | ~keys[:, None, :]


def by_torch(module: Any, x: torch.Tensor, source: torch.Tensor, forbidden: torch.Tensor) -> torch.Tensor:
    """Entropies (batch query head) of the weights that torch's own layer has."""
    theirs = nn.MultiheadAttention(x.shape[-1], module.n_heads, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([module.wq.weight, module.wk.weight, module.wv.weight]))
        theirs.in_proj_bias.copy_(torch.cat([module.wq.bias, module.wk.bias, module.wv.bias]))
        mask = forbidden.repeat_interleave(module.n_heads, 0)
        weights = theirs(x, source, source, attn_mask=mask, average_attn_weights=False)[1].double().numpy()
    logs = np.log(np.where(weights > 0, weights, 1.0))
    return torch.from_numpy(-(weights * logs).sum(-1)).transpose(1, 2)


@pytest.mark.parametrize("family", ["bert", "gpt", "transformer"])
def test_dead_units_of_feed_forward_layers(family: str) -> None:
    trainer, sample, _found = seen(family)
    model = trainer.learner.model
    mlps = {name: module for name, module in model.named_modules() if name.endswith(".mlp")}
    with torch.no_grad():
        for mlp in mlps.values():
            mlp.up.bias[:3] = -100.0  # Three units that nothing can wake.
    inputs: dict[str, torch.Tensor] = {}
    for name, mlp in mlps.items():
        mlp.down.register_forward_pre_hook(lambda _m, args, n=name: inputs.__setitem__(n, args[0]))
    found = sample.look(model)
    assert sample.batch is not None
    for name, post in inputs.items():
        mask = sample.batch.target_mask if name.startswith("decoder") else sample.mask
        rows = post.numpy().reshape(-1, post.shape[-1])
        if mask is not None:
            rows = rows[mask.numpy().reshape(-1)]
        expected = float((rows.max(0) <= 0).mean())
        assert expected >= 3 / rows.shape[1] > 0
        assert found[f"dead.{name.removesuffix('.mlp')}"] == pytest.approx(expected)
    assert kinds(found) == {"dead", "entropy"}


@pytest.mark.parametrize("family", ["rnn", "lstm", "gru"])
def test_dead_and_saturated_units_of_recurrent_layers(family: str) -> None:
    """Every text by itself through torch.nn's cells: no padding, no code of ours."""
    trainer, sample, _found = seen(family)
    model: Any = trainer.learner.model
    width, gates = model.config.d_hidden, {"rnn": 1, "lstm": 4, "gru": 3}[family]
    with torch.no_grad():
        for way in ("", "_reverse"):
            bias = getattr(model.layers, f"bias_ih_l0{way}").view(gates, width)
            if family == "lstm":
                bias[3, 0] = -100.0  # An output gate that never opens: a dead unit.
                bias[:3, 1] = 100.0  # A cell that grows: a saturated one.
            else:
                bias[-1, 1] = 100.0
                bias[gates - 2, 1] += -100.0 if family == "gru" else 0.0  # Its update gate lets it through.
    embedded: list[torch.Tensor] = []
    run = model.layers.run
    model.layers.run = lambda x, *rest: embedded.append(x) or run(x, *rest)
    found = sample.look(model)
    assert sample.batch is not None
    lengths = [x.shape[1] for x in embedded] if sample.mask is None else sample.mask.sum(1).tolist()
    lengths = lengths * len(embedded[0]) if sample.mask is None else lengths
    for way, suffix in (("forward", ""), ("backward", "_reverse")):
        hidden, squashed = by_cells(family, model.layers, embedded[0], lengths, suffix)
        dead, saturated = (
            (np.abs(hidden) < 0.01).all(0).mean(),
            ((np.abs(squashed) > 0.99).mean(0) >= 0.5).mean(),
        )
        assert found[f"dead.layers.0.{way}"] == pytest.approx(float(dead))
        assert found[f"saturated.layers.0.{way}"] == pytest.approx(float(saturated))
        assert saturated > 0 and (family != "lstm" or dead > 0)
    assert kinds(found) == {"dead", "saturated"}


def by_cells(family: str, core: Any, x: torch.Tensor, lengths: list[int], suffix: str) -> Any:
    """All hidden states, and what a tanh gave, of all texts (token unit)."""
    cell: Any = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[family](
        x.shape[-1], core.hidden_size
    )
    names = [f"{part}_{way}" for part in ("weight", "bias") for way in ("ih", "hh")]
    cell.load_state_dict({name: getattr(core, f"{name}_l0{suffix}") for name in names})
    hidden, squashed = [], []
    with torch.no_grad():
        for text, length in zip(x, lengths, strict=True):
            state = None
            for row in text[:length].flip(0) if suffix else text[:length]:
                state = cell(row[None], state)
                h = state[0] if family == "lstm" else state
                hidden.append(h[0].numpy())
                squashed.append(state[1].tanh()[0].numpy() if family == "lstm" else h[0].numpy())
    return np.stack(hidden), np.stack(squashed)


def test_a_look_at_the_network_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, sample, first = seen("gpt")
    state = torch.get_rng_state()
    weights = {name: value.clone() for name, value in trainer.learner.model.state_dict().items()}
    assert sample.look(trainer.learner.model) == first
    assert torch.equal(torch.get_rng_state(), state) and trainer.learner.model.training
    assert all(torch.equal(value, weights[key]) for key, value in trainer.learner.model.state_dict().items())


@pytest.mark.parametrize("family", ["lstm", "gpt", "word2vec"])
def test_rows_of_layers_stand_beside_the_others(family: str) -> None:
    run = directory("one")
    train(run, small(family))
    rows = run.layer_metrics()
    assert [row["step"] for row in rows] == [6, 12] and all(row["kind"] == "layers" for row in rows)
    assert all("kind" not in row for row in run.metrics())
    assert {"share.evaluating", "share.saving", "share.logging"} <= rows[-1].keys()
    assert all(0 <= row[key] <= 1 for row in rows for key in row if key.startswith(("share.", "dead.")))
    assert "seconds_left" in run.metrics()[0] and run.metrics()[-2]["seconds_left"] == 0
    run.rewind_metrics(6)
    assert [row["step"] for row in run.layer_metrics()] == [6]

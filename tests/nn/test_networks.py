"""Every network: recorded and fused path agree, padding makes no NaN, memory goes on, labels are right."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlptui.config import BertConfig, GPTConfig, ModelConfig, RecurrentConfig, TransformerConfig
from nlptui.errors import UserError
from nlptui.nn import OFF, Batch, build_model
from nlptui.nn.decoding import DecoderSteps
from nlptui.nn.layers import LayerNorm
from nlptui.nn.pooling import POOLINGS, Pooler
from nlptui.nn.recurrent_model import CharacterFeatures
from nlptui.trace import Recorder, Trace
from tests.nn.families import CONFIGS, LENGTH, TARGET_LENGTH, VOCAB, batch_for, network, run
from tests.parity.compare import assert_close, recorded, recorder_for
from tests.parity.weights import randomised

PADDED = pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])


@PADDED
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_recorded_and_the_fused_path_agree(name: str, dtype: torch.dtype, padded: bool) -> None:
    found = run(name, padded=padded, size=2, dtype=dtype)
    with torch.no_grad():
        fused = found.model(found.batch)
    # Of several poolers only the one in use is on record.
    others = {f"{pooling}.logits" for pooling in getattr(found.model.config, "poolings", ())}
    assert set(fused) - others == set(found.outputs)
    for key in found.outputs:
        theirs = fused[key]
        keep = real_positions(found.batch, theirs)
        assert_close(found.outputs[key], theirs, keep)
        assert found.outputs[key] is found.trace[key].value, "the output is the activation of its name"


def real_positions(batch: Batch, value: Tensor) -> Tensor | None:
    """Where an output stands at a token that is not padding; None: everywhere."""
    mask = batch.target_mask if batch.target_ids is not None else batch.mask
    return mask if mask is not None and value.shape[:2] == mask.shape else None


@pytest.mark.parametrize("name", CONFIGS)
def test_padding_changes_nothing_at_real_tokens(name: str) -> None:
    """The second text of a padded batch has the outputs that it has alone."""
    model, batch = network(name), batch_for(name, padded=True)
    assert batch.mask is not None
    length = int(batch.mask[1].sum())
    alone = Batch(batch.ids[1:, :length])
    if batch.segments is not None:
        alone.segments = batch.segments[1:, :length]
    if batch.chars is not None:
        alone.chars = batch.chars[1:, :length]
    if batch.target_ids is not None:
        assert batch.target_mask is not None
        length = int(batch.target_mask[1].sum())
        alone.target_ids = batch.target_ids[1:, :length]
    with torch.no_grad():
        together, single = model(batch), model(alone)
    for key, value in single.items():
        per_position = value.shape[1] == length and together[key].shape[1] > length
        assert_close(together[key][1:, :length] if per_position else together[key][1:], value)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_text_of_padding_only_makes_no_nan(name: str) -> None:
    """On record, fused, and in the gradients."""
    model, batch = network(name), batch_for(name, padded=True)
    assert batch.mask is not None
    batch.mask[1] = False
    if batch.target_mask is not None:
        batch.target_mask[1] = False
    recorder = recorder_for(model)
    stepped, fused = model(batch, recorder), model(batch)
    for activation in recorder.activations.values():
        assert not activation.value.isnan().any(), activation.name
    for key, value in fused.items():
        assert value.isfinite().all()
        if key in stepped:
            assert_close(stepped[key].detach()[:1], value.detach()[:1], None)
    for outputs in (stepped, fused):
        model.zero_grad()
        sum(value.sum() for value in outputs.values()).backward()
        for key, parameter in model.named_parameters():
            assert parameter.grad is None or parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("name", ["gpt-pre", "bert-tagging", "transformer-sinusoidal"])
def test_fully_masked_rows_have_weights_of_zero(name: str) -> None:
    model, batch = network(name), batch_for(name, padded=True)
    assert batch.mask is not None
    batch.mask[1] = False
    recorder = recorder_for(model)
    model(batch, recorder)
    parts = [n for n in recorder.activations if n.endswith(".weights") and "self_attn" not in n]
    assert len(parts) == (4 if name.startswith("t") else 2)
    for part in parts:
        weights = recorder.activations[part].value
        assert (weights[1] == 0).all() and (weights[0] > 0).any()


@pytest.mark.parametrize("name", CONFIGS)
def test_edges_are_named_after_their_size(name: str) -> None:
    """An axis has one size within a run; pos, query and key have two in a Transformer."""
    trace = run(name).trace
    sizes: dict[str, set[int]] = {}
    for activation in trace.activations.values():
        assert len(set(activation.axes)) == len(activation.axes)
        for axis, size in zip(activation.axes, activation.shape, strict=True):
            sizes.setdefault(axis, set()).add(size)
    assert sizes["batch"] == {1}
    both = {LENGTH, TARGET_LENGTH} if name.startswith("transformer") else {LENGTH}
    for axis in ("pos", "query", "key"):
        assert sizes.get(axis, both) <= both
    assert sizes.get("stat", {1}) == {1} and sizes.get("hop", {1}) == {1}
    assert sizes.get("head", {3}) == {3} and sizes.get("d_head", {5}) == {5}


def test_labels_of_a_translators_attention() -> None:
    found = run("transformer-learned")
    source, target = tuple("abcdefg"), tuple("vwxyz")
    trace = dataclasses.replace(found.trace, label_sets={"src": source, "tgt": target, "tokens": source})
    for layer in range(2):
        assert trace.labels(f"encoder.{layer}.attn.weights", "query") == source
        assert trace.labels(f"encoder.{layer}.attn.k", "key") == source
        assert trace.labels(f"encoder.{layer}.mlp.pre", "pos") == source
        assert trace.labels(f"decoder.{layer}.self_attn.weights", "key") == target
        assert trace.labels(f"decoder.{layer}.cross_attn.weights", "query") == target
        assert trace.labels(f"decoder.{layer}.cross_attn.weights", "key") == source
        assert trace.labels(f"decoder.{layer}.cross_attn.v", "key") == source
        assert trace.labels(f"decoder.{layer}.mlp_norm", "pos") == target
    assert trace.labels("logits", "pos") == target and trace.labels("probs", "pos") == target
    assert trace.labels("ids", "src") == source and trace.labels("target_ids", "tgt") == target


# -- memory


def pieces(length: int) -> list[tuple[int, int]]:
    return [(0, 1), (1, 4), (4, length)]


@pytest.mark.parametrize(
    "name", ["rnn-language", "lstm-language", "gru-language", "gpt-pre", "gpt-post", "gpt-no-bias"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_next_logits_go_on_from_their_memory(name: str, dtype: torch.dtype) -> None:
    model: Any = network(name, dtype)
    ids = batch_for(name).ids
    with torch.no_grad():
        whole = model(Batch(ids))["logits"]
        memory = None
        for first, last in pieces(LENGTH):
            scores, memory = model.next_logits(ids[:, first:last], memory)
            assert_close(scores, whole[:, last - 1])


@PADDED
def test_a_decoder_goes_on_from_its_caches(padded: bool) -> None:
    model: Any = network("transformer-learned")
    batch = batch_for("transformer-learned", padded=padded)
    batch.target_mask = None
    assert batch.target_ids is not None
    mask = None if batch.mask is None else batch.mask[:, None, None]
    with torch.no_grad():
        whole = model(batch)["logits"]
        memory = model.encode(batch.ids, mask)
        caches = model.caches()
        for first, last in pieces(TARGET_LENGTH):
            scores = model.next_logits(batch.target_ids[:, first:last], memory, caches, mask)
            assert_close(scores, whole[:, last - 1])
    assert [cache.target.length for cache in caches] == [TARGET_LENGTH] * 2


@PADDED
@pytest.mark.parametrize("name", ["transformer-learned", "transformer-sinusoidal"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_the_steps_of_a_search_are_those_of_the_decoder(name: str, dtype: torch.dtype, padded: bool) -> None:
    """Three beams a source; after each step some of them go on from others, and some from the same."""
    model: Any = network(name, dtype)
    batch = batch_for(name, padded=padded)
    mask = None if batch.mask is None else batch.mask[:, None, None]
    count, beams = len(batch.ids), 3
    generator = torch.Generator().manual_seed(1)
    written = torch.ones(count * beams, 1, dtype=torch.int64)
    with torch.no_grad():
        memory = model.encode(batch.ids, mask)
        step = DecoderSteps(model, memory, mask)
        rows = None
        for _n in range(5):
            scores = step(written[:, -1], rows)
            given = Batch(
                batch.ids.repeat_interleave(beams, 0),
                None if batch.mask is None else batch.mask.repeat_interleave(beams, 0),
                target_ids=written,
            )
            assert_close(scores, model(given)["logits"][:, -1])
            parents = torch.randint(beams, (count, beams), generator=generator)
            rows = (torch.arange(count)[:, None] * beams + parents).flatten()
            new = torch.randint(3, 9, (count * beams, 1), generator=generator)
            written = torch.cat([written[rows], new], 1)


# -- the recorder off


@pytest.mark.parametrize("name", CONFIGS)
def test_off_takes_the_fused_kernels_and_records_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = network(name), batch_for(name)
    fused: list[str] = []
    for module in model.modules():
        if isinstance(module, nn.RNNBase | nn.LayerNorm):
            module.register_forward_hook(lambda m, _args, _out: fused.append(type(m).__name__))
    kernel = torch.nn.functional.scaled_dot_product_attention

    def attend(*args: Any, **options: Any) -> Tensor:
        fused.append("attention")
        return kernel(*args, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attend)
    made: list[str] = []
    monkeypatch.setattr("nlptui.trace.Activation.quick", lambda *args: made.append("activation"))
    monkeypatch.setattr("nlptui.nn.recurrent._stepwise", lambda *args: made.append("steps"))
    with torch.no_grad():
        assert set(model(batch, OFF))
    # word2vec is two lookups and a product: nothing in it to fuse.
    assert (fused or name == "word2vec") and not made


@pytest.mark.parametrize("name", CONFIGS)
def test_every_weight_is_trained(name: str) -> None:
    """Each parameter has a gradient from the outputs on the fused path.

    Only what reads the first position alone has nothing from the recurrent weights below it, forward.
    """
    untouched = {"layers.weight_hh_l1"} if name.endswith(("rnn-cls", "lstm-cls", "gru-cls")) else set()
    model, batch = network(name), batch_for(name)
    model.train()
    sum((value * torch.randn_like(value)).sum() for value in model(batch).values()).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert (parameter.grad.abs().max() > 0) == (key not in untouched), key


# -- poolers, by hand


@pytest.mark.parametrize("method", POOLINGS)
@PADDED
def test_poolers(method: str, padded: bool) -> None:
    torch.manual_seed(0)
    pooler = randomised(Pooler(method, 5).double())
    x = torch.randn(2, 4, 5, dtype=torch.float64)
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]]) if padded else None

    def record(rec: Recorder) -> Tensor:
        if mask is not None:
            rec.input("mask", mask, "batch pos")
        rec.input("x", x, "batch pos d_model")
        result: Tensor = pooler(x, mask, rec)
        return result

    stepped, activations = recorded(pooler, record)
    with torch.no_grad():
        fused = pooler(x, mask)
    for row in range(2):
        kept = x[row] if mask is None else x[row][mask[row]]
        expected = pooled_by_hand(pooler, method, kept)
        assert_close(fused[row], expected)
        assert_close(stepped[row], expected)
    assert_close(activations["pooled"], stepped)
    if method == "attention":
        assert_close(activations["weights"].sum(-1), torch.ones(2, 1, dtype=torch.float64))
        assert not padded or (activations["weights"][1, 0, 2:] == 0).all()


def pooled_by_hand(pooler: Any, method: str, x: Tensor) -> Tensor:
    with torch.no_grad():
        if method == "cls":
            return torch.tanh(pooler.dense.weight @ x[0] + pooler.dense.bias)
        if method == "attention":
            scores = torch.exp(x @ pooler.score.weight[0] + pooler.score.bias)
            return (scores[:, None] * x).sum(0) / scores.sum()
        return x.sum(0) / len(x) if method == "mean" else torch.stack([column.max() for column in x.T])


@pytest.mark.parametrize("method", ["mean", "max", "attention"])
def test_a_pool_of_padding_is_zero(method: str) -> None:
    pooler = randomised(Pooler(method, 5))
    x = torch.randn(1, 4, 5, requires_grad=True)
    pooled = pooler(x, torch.zeros(1, 4, dtype=torch.bool))
    assert (pooled == 0).all()
    pooled.sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_an_unknown_pooling_is_named() -> None:
    with pytest.raises(ValueError, match="'median' is not one of cls, mean, max, attention"):
        Pooler("median", 5)


# -- other parts, by hand


def test_character_features() -> None:
    """Each filter's greatest value over windows of 3 characters, zeros beyond the ends, padding left out."""
    part: Any = randomised(CharacterFeatures(9, 3, 2, 3))
    chars = torch.tensor([[[1, 5, 7, 2], [4, 8, 0, 0], [0, 0, 0, 0]]])
    with torch.no_grad():
        feature = part(chars)
        for token, length in ((0, 4), (1, 2)):
            vectors = torch.zeros(6, 3)
            vectors[1:5] = part.embedding(chars[0, token])
            windows = [
                sum(part.conv.weight[:, :, k] @ vectors[c + k] for k in range(3)) + part.conv.bias
                for c in range(length)
            ]
            torch.testing.assert_close(feature[0, token], torch.stack(windows).amax(0))
    assert (feature[0, 2] == 0).all()


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm(bias: bool) -> None:
    norm: Any = randomised(LayerNorm(5, eps=1.5e-5, bias=bias).double())
    x = torch.randn(2, 3, 5, dtype=torch.float64)
    recorder = recorder_for(nn.ModuleDict({"norm": norm}))
    recorder.input("x", x, "batch pos d_model")
    with torch.no_grad():
        stepped, fused = norm.norm(x, recorder, "norm"), norm.norm(x)
    assert_close(stepped, fused)
    assert "+ 1.5e-05)" in recorder.activations["norm.scale"].formula
    assert ("norm.bias" in recorder.activations["norm"].formula) is bias


def test_the_head_of_a_gpt_is_its_embedding() -> None:
    names = dict(network("gpt-pre").named_parameters())
    assert not any("head" in name for name in names)
    model: Any = network("gpt-pre")
    found = run("gpt-pre")
    with torch.no_grad():
        expected = found.trace["norm_final"].value @ model.token_embedding.weight.T
    torch.testing.assert_close(found.outputs["logits"], expected)


# -- settings that fit no network

WRONG: list[tuple[ModelConfig, str]] = [
    (GPTConfig(arch="gpt", vocab_size=5, norm_order="middle"), "norm_order 'middle'"),
    (GPTConfig(arch="gpt", vocab_size=5, activation="relu"), "activation 'relu'"),
    (TransformerConfig(arch="transformer", vocab_size=5, positions="rotary"), "positions 'rotary'"),
    (
        BertConfig(arch="bert", task="classification", vocab_size=5, labels=("a",), pooling="median"),
        "pooling 'median'",
    ),
    (RecurrentConfig(arch="lstm", vocab_size=5, n_chars=4, char_kernel=2), "char_kernel must be odd, not 2"),
    (RecurrentConfig(arch="gru", vocab_size=5, forget_bias=1.0), "forget_bias is for an lstm; a gru has no"),
]


@pytest.mark.parametrize(("config", "said"), WRONG)
def test_settings_that_fit_no_network(config: ModelConfig, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_model(config)


@pytest.mark.parametrize(("bias", "kept"), [(0.0, 0.5), (2.0, 0.8808)])
def test_a_forget_gate_begins_as_open_as_asked(bias: float, kept: float) -> None:
    config = RecurrentConfig(
        arch="lstm",
        vocab_size=VOCAB,
        d_hidden=6,
        n_layers=2,
        bidirectional=True,
        forget_bias=bias,
        embed_std=0.0,
    )
    torch.manual_seed(0)
    recorder = Recorder()
    build_model(config).eval()(Batch(torch.ones(1, 1, dtype=torch.int64)), recorder)
    found = recorder.activations
    gates = torch.cat(
        [found[f"layers.0.{way}.forget_gate"].value for way in ("forward", "backward")]
    ).detach()
    if bias:
        torch.testing.assert_close(gates, torch.full_like(gates, kept), atol=1e-4, rtol=0)
    else:  # as torch begins: about half open, each unit otherwise
        assert abs(float(gates.mean()) - kept) < 0.1 and float(gates.std()) > 0.02


def test_the_spread_of_a_new_embedding() -> None:
    for std in (0.1, 1.0):
        model = build_model(RecurrentConfig(arch="rnn", vocab_size=400, d_embed=50, embed_std=std))
        weight = dict(model.named_parameters())["token_embedding.weight"].detach()
        assert float(weight.std()) == pytest.approx(std, rel=0.03)


def test_what_a_batch_must_hold() -> None:
    with pytest.raises(ValueError, match="chars"):
        network("lstm-tagging")(Batch(torch.zeros(1, 3, dtype=torch.int64)))
    with pytest.raises(ValueError, match="target_ids"):
        network("transformer-learned")(Batch(torch.zeros(1, 3, dtype=torch.int64)))


def test_a_batch_moves_whole() -> None:
    batch = batch_for("transformer-learned", padded=True)
    moved = batch.to("meta")
    for item in dataclasses.fields(Batch):
        before, after = getattr(batch, item.name), getattr(moved, item.name)
        assert (before is None) == (after is None)
        assert after is None or (after.device.type == "meta" and after.shape == before.shape)


def test_shapes_are_checked_in_tests() -> None:
    """The annotations are enforced here, so that a wrong one cannot stay."""
    with pytest.raises(Exception, match="batch pos d_model"):
        network("gpt-pre").get_submodule("blocks.0.mlp")(torch.zeros(3, 15))


def test_a_trace_holds_its_config() -> None:
    found = run("gpt-pre")
    assert isinstance(found.trace, Trace) and found.trace.config is CONFIGS["gpt-pre"]

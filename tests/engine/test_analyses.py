"""What analyses make of a run: against definitions by hand, networks cut short, and finite differences."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlptui.edits import Edit
from nlptui.engine import Engine
from nlptui.engine.analyses import ANALYSES, attribution, integral, parse, shared_runs, timing
from nlptui.engine.analyses.kinks import averaged
from nlptui.engine.analyses.one_logit import logits
from nlptui.engine.inputs import batch_again
from nlptui.errors import UserError
from nlptui.nn import Batch, build_model
from nlptui.nn.layers import FeedForward
from nlptui.nn.search import search
from nlptui.sampling import Sampling
from nlptui.trace import Trace
from tests.engine.models import FAMILIES, make_model

TEXT = "the old duck can open a can"
ATTENTIVE = [name for name, family in FAMILIES.items() if family["arch"] in ("bert", "gpt", "transformer")]
TARGET = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    for family in FAMILIES:
        make_model(path, family)
    return path


@pytest.fixture(scope="module")
def engines(folder: Path) -> dict[str, Engine]:
    """Each family loaded once, for tests that leave it as it is."""
    return {family: engine(folder, family) for family in FAMILIES}


def engine(folder: Path, family: str) -> Engine:
    """The family loaded anew, for a test to change."""
    return Engine.load(folder / family, device="cpu")


def ran(model: Engine, text: str = TEXT, edits: list[Edit] | None = None) -> Trace:
    """A run in which a translator is told what to write: looking for it takes longer than all else."""
    return model.trace(text, edits, target=[5, 6, 7] if model.config.task == "translation" else None)


def fitting(name: str) -> list[str]:
    from nlptui.config import config_from_dict

    return [
        family
        for family, content in FAMILIES.items()
        if ANALYSES[name].fits(
            config_from_dict(
                {key: value for key, value in content.items() if key != "characters"} | {"vocab_size": 9},
                where=family,
            )
        )
    ]


ASKED = {name: f"analysis.{name}.at_1.to_0" for name in ("gradient", "attribution", "finer", "left_out")}
ASKED["sources"] = "analysis.sources.to_0"
ASKED["units_on"] = "analysis.units_on.at_1.to_3"
ASKED["neighbours"] = "analysis.neighbours.at_1"
ASKED["across"] = "analysis.across.at_1"
CASES = [(name, family) for name in ANALYSES for family in fitting(name)]


@pytest.mark.parametrize(("name", "family"), CASES)
def test_every_cell_opens_and_comes_to_its_value(
    engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch, name: str, family: str
) -> None:
    monkeypatch.setattr(timing, "WIDTH", 16)
    model = engines[family]
    trace = ran(model)
    if name == "across":
        trace.pin(ran(model, "the old can"))
    before = set(trace.activations)
    prefix = ASKED.get(name, f"analysis.{name}")
    model.analyse(trace, prefix)
    assert set(trace.activations) == before
    made = [key for key, value in trace.analyses.items() if value.kind == "analysis"]
    assert made and all(
        key.startswith((prefix + ".", "analysis.rollout.", "analysis.space.")) for key in trace.analyses
    )
    choose = random.Random(3)
    for key in made:
        shape = trace[key].shape
        assert len(shape) == len(trace[key].axes), key
        if 0 in shape:
            assert name == "beam", "a search that had no room"
            continue
        opened = model.explain(trace, key, tuple(choose.randrange(size) for size in shape))
        same = opened.value == opened.total or (math.isnan(opened.value) and math.isnan(opened.total))
        assert same or abs(opened.value - opened.total) <= 1e-5 * max(1.0, abs(opened.value)), (key, opened)
        assert opened.terms or not any(opened.formula), key


@pytest.mark.parametrize("name", ["nothing", "rollouts", "patterns-"])
def test_an_unknown_analysis_is_one_line(folder: Path, name: str) -> None:
    model = engine(folder, "gpt")
    with pytest.raises(UserError, match=r"no analysis named"):
        model.analyse(model.trace(TEXT), f"analysis.{name}")


def test_what_an_analysis_needs_is_said(folder: Path) -> None:
    model = engine(folder, "gpt")
    trace = model.trace(TEXT)
    with pytest.raises(UserError, match=r"analysis.sources needs a target from 0 to \d+"):
        model.analyse(trace, "analysis.sources")
    with pytest.raises(UserError, match=r"needs a position from 0 to 11"):
        model.analyse(trace, "analysis.gradient.at_99.to_1")
    with pytest.raises(UserError, match=r"tag-rnn has nothing that the analysis rollout could read"):
        engine(folder, "tag-rnn").analyse(engine(folder, "tag-rnn").trace("a can"), "analysis.rollout")


def test_a_name_asks_for_its_analysis(folder: Path) -> None:
    asked = parse("analysis.gradient.at_5.to_17.layers.0.forward.hidden.norm")
    assert (asked.name, asked.position, asked.target) == ("gradient", 5, 17)
    assert asked.prefix == "analysis.gradient.at_5.to_17"
    model = engine(folder, "gpt")
    trace = model.trace(TEXT)
    opened = model.explain(trace, "analysis.rollout.blocks.1.rollout", (0, 2, 0))
    assert opened.total == pytest.approx(opened.value, abs=1e-6)


# -- rollout


@pytest.mark.parametrize("family", ATTENTIVE)
def test_rollout_by_hand(folder: Path, family: str) -> None:
    model = engine(folder, family)
    trace = model.analyse(model.trace(TEXT), "analysis.rollout")
    stacks = {"translator": [("encoder", "attn"), ("decoder", "self_attn")]}.get(family, [("blocks", "attn")])
    for stack, attn in stacks:
        rolled = np.eye(trace.array(f"{stack}.0.{attn}.weights").shape[-1])
        for i in range(2):
            weights = trace.array(f"{stack}.{i}.{attn}.weights")[0].astype(np.float64).mean(0)
            rolled = (0.5 * weights + 0.5 * np.eye(len(weights))) @ rolled
            found = trace.array(f"analysis.rollout.{stack}.{i}.rollout")[0]
            np.testing.assert_allclose(found, rolled, atol=1e-6)
            np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    labels = trace.labels(f"analysis.rollout.{stacks[-1][0]}.1.rollout", "key")
    assert labels == trace.labels(f"{stacks[-1][0]}.1.{stacks[-1][1]}.weights", "key")


# -- patterns


def score(weights: np.ndarray, ids: list[int], kind: str) -> float:
    """The mean, over queries that have a key of the kind, of the weight on such keys."""
    found = []
    for q in range(len(weights)):
        keys = {
            "previous": [q - 1] if q else [],
            "first": [0] if q else [],
            "self": [q] if q else [],
            "duplicate": [k for k in range(q) if ids[k] == ids[q]],
            "induction": [k + 1 for k in range(q) if ids[k] == ids[q]],
        }[kind]
        if keys:
            found.append(sum(weights[q, k] for k in keys))
    return float(np.mean(found)) if found else 0.0


def by_chance(weights: np.ndarray, ids: list[int], kind: str) -> float:
    """The same weights, given by the later tokens that have no such reason to look there."""
    step = int(kind == "induction")
    keys = [[k + step for k in range(q) if ids[k] == ids[q]] for q in range(len(ids))]
    found = []
    for asking in filter(None, keys):
        given = 0.0
        for key in asking:
            rest = [weights[q, key] for q in range(key + 1, len(ids)) if key not in keys[q]]
            given += float(np.mean(rest)) if rest else 0.0
        found.append(given)
    return float(np.mean(found)) if found else 0.0


@pytest.mark.parametrize("family", ATTENTIVE)
def test_patterns_by_hand(folder: Path, family: str) -> None:
    model = engine(folder, family)
    trace = model.analyse(model.trace(TEXT), "analysis.patterns")
    modules = [name.removesuffix(".weights") for name in trace.activations if name.endswith("attn.weights")]
    for module in modules:
        weights = trace.array(f"{module}.weights")[0].astype(np.float64)
        assert f"analysis.patterns.{module}.entropy" in trace
        for h, head in enumerate(weights):
            entropy = np.mean([-sum(w * math.log(w) for w in row if w > 0) for row in head])
            distance = np.mean([sum(w * abs(q - k) for k, w in enumerate(row)) for q, row in enumerate(head)])
            of = {
                key: trace.array(f"analysis.patterns.{module}.{key}")[0, h] for key in ("entropy", "distance")
            }
            assert of["entropy"] == pytest.approx(entropy, abs=1e-5)
            assert of["distance"] == pytest.approx(distance, abs=1e-5)
            if "cross_attn" in module:
                continue
            ids = trace["target_ids" if module.startswith("decoder") else "ids"].value[0].tolist()
            for kind in ("previous", "first", "self", "duplicate", "induction"):
                found = trace.array(f"analysis.patterns.{module}.{kind}")[0, h]
                assert found == pytest.approx(score(head, ids, kind), abs=1e-5), kind
            for kind in ("duplicate", "induction"):
                found = trace.array(f"analysis.patterns.{module}.{kind}.others")[0, h]
                assert found == pytest.approx(by_chance(head, ids, kind), abs=1e-5), kind


# -- the logit lens


@pytest.mark.parametrize("family", ["gpt", "gpt1", "bert", "tag-bert", "lm-lstm", "tag-rnn"])
def test_the_lens_equals_a_network_cut_short(folder: Path, family: str) -> None:
    """A network of i layers with the same weights and the same head: by torch, without a recorder."""
    model = engine(folder, family)
    trace = model.analyse(model.trace(TEXT), "analysis.lens")
    top = "mlm.logits" if family == "bert" else "logits"
    config: Any = model.config
    stack = "layers" if config.arch in ("rnn", "lstm", "gru") else "blocks"
    layers = config.n_layers
    for i in range(layers):
        short = build_model(replace(config, n_layers=i + 1)).eval()
        short.load_state_dict({key: model.model.state_dict()[key] for key in short.state_dict()})
        with torch.no_grad():
            expected = short(Batch(torch.tensor([trace.encoding.ids])))[top]
        found = trace[f"analysis.lens.{stack}.{i}.{top}"].value
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    last = f"analysis.lens.{stack}.{layers - 1}.{top}"
    torch.testing.assert_close(trace[last].value, trace[top].value, atol=1e-5, rtol=1e-5)


def test_the_lens_of_a_translator_ends_in_its_answer(folder: Path) -> None:
    model = engine(folder, "translator")
    trace = model.analyse(model.trace(TEXT), "analysis.lens")
    torch.testing.assert_close(
        trace["analysis.lens.decoder.1.logits"].value, trace["logits"].value, atol=1e-5, rtol=1e-5
    )
    assert trace.labels("analysis.lens.decoder.0.logits", "pos") == trace.labels("logits", "pos")


# -- direct logit attribution


@pytest.mark.parametrize("family", ATTENTIVE)
def test_the_parts_of_a_logit_make_it_up(folder: Path, family: str) -> None:
    model = engine(folder, family)
    for target in range(2):
        trace = model.analyse(model.trace(TEXT), f"analysis.sources.to_{target}")
        found = trace[f"analysis.sources.to_{target}.total"].value
        if family == "qa-bert":
            expected = trace[f"{('start', 'end')[target]}.logits"].value
        else:
            expected = trace["mlm.logits" if family == "bert" else "logits"].value[..., target]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert float(expected.abs().max()) > 1e-3


@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "attention"])
def test_the_parts_of_a_class_make_it_up_with_every_pooler(folder: Path, pooling: str) -> None:
    model = Engine.load(folder / "pool-bert", device="cpu", pooling=pooling)
    trace = model.analyse(model.trace(TEXT), "analysis.sources.to_1")
    found = trace["analysis.sources.to_1.total"].value
    torch.testing.assert_close(found, trace["logits"].value[..., 1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ATTENTIVE)
def test_the_parts_of_a_logit_make_it_up_whatever_is_edited(folder: Path, family: str) -> None:
    """Each recorded activation in turn: some of its numbers forced, others scaled."""
    model = engine(folder, family)
    plain = ran(model, TEXT[:8])
    scores = next(name for name in ("logits", "mlm.logits", "start.logits") if name in plain)
    own = 0
    for name in [name for name in plain.activations if ".0." not in name and not name.endswith("probs")]:
        size, *more = plain[name].shape[1:]
        last = (0, size - 1, *(slice(None) for _size in more[:-1]), *(0 for _size in more[-1:]))
        edits = [Edit(name, (0, slice(0, size // 2)), "scale", 1.5), Edit(name, last, "force", 0.3)]
        trace = ran(model, TEXT[:8], edits)
        model.analyse(trace, "analysis.sources.to_0")
        value = trace[scores].value
        expected = value if scores == "start.logits" else value[..., 0]
        found = trace["analysis.sources.to_0.total"].value
        torch.testing.assert_close(
            found, expected, atol=1e-4, rtol=1e-5, msg=lambda text, n=name: f"{n}: {text}"
        )
        parts = [key for key in trace.analyses if key.endswith(".edit_part")]
        assert not parts or parts == [f"analysis.sources.to_0.{name}.edit_part"]
        own += len(parts)
        for key in parts:
            opened = model.explain(trace, key, (0, trace[key].shape[1] - 1))
            assert opened.total == pytest.approx(opened.value, abs=1e-5), key
    assert own > 6, "sums, norms and outputs of attention"


def test_parts_and_heads_of_gpt_by_hand(folder: Path) -> None:
    model = engine(folder, "gpt")
    trace = model.analyse(model.trace(TEXT), f"analysis.sources.to_{TARGET}")

    def of(name: str) -> np.ndarray:
        return trace.array(name).astype(np.float64)

    row, weight, scale = (
        of("token_embedding.weight")[TARGET],
        of("norm_final.weight"),
        of("norm_final.scale")[0],
    )

    def part(vectors: np.ndarray) -> np.ndarray:
        return (((vectors - vectors.mean(-1, keepdims=True)) / scale * weight) * row).sum(-1)

    prefix = f"analysis.sources.to_{TARGET}."
    for name in ("token_embed", "pos_embed", "blocks.0.mlp.out", "blocks.1.attn.out"):
        np.testing.assert_allclose(of(f"{prefix}{name}_part")[0], part(of(name)[0]), atol=1e-5)
    z, out = of("blocks.1.attn.z")[0], of("blocks.1.attn.wo.weight")
    width = z.shape[-1]
    for head in range(z.shape[0]):
        written = z[head] @ out[:, head * width : (head + 1) * width].T
        np.testing.assert_allclose(of(f"{prefix}blocks.1.attn.heads")[0, head], part(written), atol=1e-5)


# -- gradients


def logit(model: Engine, trace: Trace, position: int, edits: list[Edit], target: int = TARGET % 2) -> float:
    changed = ran(model, edits=edits)
    name = "mlm.logits" if "mlm.logits" in changed else "logits"
    value = changed[name].value
    return float(value[0, position, target] if value.ndim == 3 else value[0, target])


@pytest.mark.parametrize(
    "family", ["tag-rnn", "tag-lstm", "tag-gru", "lm-lstm", "class-lstm", "bert", "gpt", "translator"]
)
def test_gradients_equal_finite_differences(folder: Path, family: str) -> None:
    model = engine(folder, family)
    model.model.double()
    trace = ran(model)
    position, step = 3, 1e-6
    prefix = f"analysis.gradient.at_{position}.to_{TARGET % 2}."
    model.analyse(trace, prefix)
    names = [name for name in trace.analyses if not name.endswith("norm") or name.endswith("mlp_norm")]
    choose = random.Random(5)
    for name in (name for name in names if trace[name].definition):
        of = name.removeprefix(prefix)
        index = tuple(choose.randrange(size) for size in trace[of].shape)
        here = float(trace[of].value[index])
        up, down = (
            logit(model, trace, position, [Edit(of, index, "force", here + d)]) for d in (step, -step)
        )
        slope = (up - down) / (2 * step)
        assert float(trace[name].value[index]) == pytest.approx(slope, abs=1e-8), name


def test_gradients_of_a_translator_reach_the_source_and_what_was_written(folder: Path) -> None:
    model = engine(folder, "translator")
    trace = model.trace(TEXT, target=[5, 6, 7])
    model.analyse(trace, "analysis.gradient.at_2.to_9")
    before = "analysis.gradient.at_2.to_9."
    source, written = (trace.array(f"{before}{side}.embed.norm")[0] for side in ("encoder", "decoder"))
    assert (source > 0).all() and (written[:3] > 0).all() and written[3] == 0
    assert trace.labels(f"{before}encoder.embed.norm", "pos") == trace.encoding.tokens
    assert trace.labels(f"{before}decoder.0.mlp_norm", "pos") == trace.labels("logits", "pos")


def test_gradients_see_the_edits(folder: Path) -> None:
    model = engine(folder, "lm-lstm")
    edit = "layers.1.forward.forget_gate=zero"
    trace = model.trace(TEXT, edits=[edit, "layers.1.forward.hidden[0,2]=zero"])
    model.analyse(trace, "analysis.gradient.at_4.to_1")
    cut = trace["analysis.gradient.at_4.to_1.layers.1.forward.cell"].value[0]
    assert float(cut[2].abs().max()) == 0.0 and float(cut[4].abs().max()) > 0.0


# -- attribution


@pytest.mark.parametrize("family", ["tag-lstm", "lm-gru", "class-lstm", "bert", "class-bert", "gpt"])
def test_integrated_gradients_add_up_and_equal_a_fine_sum(folder: Path, family: str) -> None:
    model = engine(folder, family)
    model.model.double()
    trace = model.trace(TEXT)
    prefix = "analysis.attribution.to_1." if "class" in family else "analysis.attribution.at_3.to_1."
    model.analyse(trace, prefix)
    found = trace[f"{prefix}integrated"].value[0]
    embed = trace["token_embed"].value[0]

    def score(share: float) -> float:
        return logit(model, trace, 3, [Edit("token_embed", (), "scale", share)], target=1)

    gain = score(1.0) - score(0.0)
    assert float(found.sum()) == pytest.approx(gain, abs=1e-6)
    assert float(trace[f"{prefix}gap"].value[0]) == pytest.approx(0.0, abs=1e-6)
    # The derivative of the score along the way, for one token alone: by differences of forced embeddings.
    token, step, total = 1, 1e-5, 0.0
    for point, weight in zip(*np.polynomial.legendre.leggauss(16), strict=True):
        share, ends = float(point + 1) / 2, []
        for sign in (1, -1):
            more = Edit("token_embed", (0, token), "scale", 1 + sign * step / share)
            moved = [Edit("token_embed", (), "scale", share), more]
            ends.append(logit(model, trace, 3, moved, target=1))
        total += (ends[0] - ends[1]) / (2 * step) * float(weight) / 2
    assert embed.shape[0] > token
    assert float(found[token]) == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize(("family", "read"), [("lm-gru", 4), ("gpt", 4), ("tag-lstm", 7), ("bert", 24)])
def test_what_is_read_after_the_answer_is_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, family: str, read: int
) -> None:
    """Of a model that reads from left to right; others need the whole text."""
    model = engine(folder, family)
    seen: list[int] = []

    def counted(asked: Engine, batch: Batch, *more: Any) -> torch.Tensor:
        seen.append(batch.ids.shape[1])
        return logits(asked, batch, *more)

    monkeypatch.setattr(attribution, "logits", counted)
    prefix = "analysis.attribution.at_3.to_1."
    trace = model.analyse(model.trace(TEXT), prefix)
    assert set(seen) == {read}
    for method in ("gradient_input", "integrated"):
        found = trace.array(f"{prefix}{method}")[0]
        assert len(found) == len(trace.encoding.ids) >= read
        assert not found[read:].any() and found[:read].all()


SIDES = {"translator": ("encoder.", "decoder.")}


@pytest.mark.parametrize("family", ["tag-lstm", "lm-gru", "gpt", "translator"])
def test_an_edit_that_changes_nothing_changes_no_attribution(folder: Path, family: str) -> None:
    """With edits the slopes are taken on record, and not by the fused kernels."""
    model = engine(folder, family)
    model.model.double()
    trace = model.trace(TEXT)
    name = next(name for name in trace.activations if name.endswith((".hidden", ".resid_pre")))
    edited = model.trace(TEXT, edits=[Edit(name, (0, 1), "scale", 1.0)])
    prefix = "analysis.attribution.at_3.to_1."
    for run in (trace, edited):
        model.analyse(run, prefix)
    for side in SIDES.get(family, ("",)):
        for method in ("gradient_input", "integrated"):
            full = f"{prefix}{side}{method}"
            np.testing.assert_allclose(edited.array(full), trace.array(full), atol=1e-9)
            assert np.abs(trace.array(full)).max() > 1e-3


def test_whether_a_sentence_follows_is_attributed_to_both(folder: Path) -> None:
    """The gain by a run on embeddings of zeros, gradients by autograd, and each token deleted by hand."""
    model = engine(folder, "bert")
    model.model.double()
    trace = model.trace("the old can", pair="a can")
    model.analyse(trace, "analysis.attribution.to_1", "analysis.left_out.to_1")
    whole = float(trace["nsp.logits"].value[0, 1])

    def score(*edits: Edit) -> float:
        other = model.trace("the old can", pair="a can", edits=edits)
        return float(other["nsp.logits"].value[0, 1])

    found = trace["analysis.attribution.to_1.integrated"].value[0]
    gain = whole - score(Edit("token_embed", (), "scale", 0.0))
    assert float(found.sum()) == pytest.approx(gain, abs=1e-3) and len(found) == len(trace.encoding.ids)
    slope = (score(Edit("token_embed", (), "scale", 1 + 1e-6)) - whole) / 1e-6
    by_gradient = trace["analysis.attribution.to_1.gradient_input"].value[0]
    assert float(by_gradient.sum()) == pytest.approx(slope, abs=1e-4)
    ids, segments = trace["ids"].value, trace["segments"].value
    kept = [i for i in range(ids.shape[1]) if i != 2]
    with torch.no_grad():
        short = model.model(Batch(ids[:, kept], segments=segments[:, kept]))["nsp.logits"][0, 1]
    fall = trace["analysis.left_out.to_1.fall"].value[0]
    assert float(fall[2]) == pytest.approx(whole - float(short), abs=1e-6) and not fall.isnan().any()


def test_integrated_gradients_see_the_edits(folder: Path) -> None:
    model = engine(folder, "gpt")
    model.model.double()
    silent = [f"blocks.{block}.attn.z=zero" for block in range(2)]
    trace = model.trace(TEXT, edits=[*silent, "token_embed[0,3]=scale:2"])
    model.analyse(trace, "analysis.attribution.at_3.to_1")
    found = trace.array("analysis.attribution.at_3.to_1.integrated")[0]
    assert np.abs(np.delete(found, 3)).max() == 0.0, "without attention there is no way from another token"
    score = lambda share: logit(  # noqa: E731
        model, trace, 3, [*map(Edit.parse, silent), Edit("token_embed", (), "scale", share)], target=1
    )
    assert found[3] == pytest.approx(score(2.0) - score(0.0), abs=1e-3)


def test_attributions_of_a_translation_add_up_over_both_texts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And for one token of each, as a fine sum of finite differences says."""
    monkeypatch.setattr(integral, "CLOSE", 1e-6)
    monkeypatch.setattr(attribution, "WORK", 1e12)
    model = engine(folder, "translator")
    model.model.double()
    target = [5, 6, 7]
    trace = model.trace(TEXT, target=target)
    prefix = "analysis.attribution.at_2.to_7."
    model.analyse(trace, prefix)
    embeds = ("encoder.token_embed", "decoder.token_embed")

    def score(*more: Edit, share: float) -> float:
        edits = [Edit(name, (), "scale", share) for name in embeds]
        return float(model.trace(TEXT, edits=[*edits, *more], target=target)["logits"].value[0, 2, 7])

    found = {side: trace.array(f"{prefix}{side}integrated")[0] for side in SIDES["translator"]}
    total = sum(float(values.sum()) for values in found.values())
    assert total == pytest.approx(score(share=1.0) - score(share=0.0), abs=1e-5)
    assert float(trace[f"{prefix}gap"].value[0]) == pytest.approx(0.0, abs=1e-5)
    assert found["decoder."][3] == 0.0, "what is read later"
    for name, token in zip(embeds, (4, 1), strict=True):
        step, steps, expected = 1e-6, 40, 0.0
        for n in range(steps):
            share = (n + 0.5) / steps
            up, down = (
                score(Edit(name, (0, token), "scale", 1 + sign * step / share), share=share)
                for sign in (1, -1)
            )
            expected += (up - down) / (2 * step) / steps
        assert found[f"{name.split('.')[0]}."][token] == pytest.approx(expected, abs=2e-3), name


def test_a_translators_attention_to_the_source_is_the_mean_of_all_heads(folder: Path) -> None:
    model = engine(folder, "translator")
    trace = model.trace(TEXT, target=[5, 6, 7])
    model.analyse(trace, "analysis.attribution.at_1.to_6")
    weights = [trace.array(f"decoder.{block}.cross_attn.weights")[0, :, 1] for block in range(2)]
    found = trace.array("analysis.attribution.at_1.to_6.encoder.attention")[0]
    np.testing.assert_allclose(found, np.concatenate(weights).mean(0), atol=1e-6)
    own = trace.array("analysis.attribution.at_1.to_6.decoder.attention")[0]
    np.testing.assert_allclose(own, trace.array("analysis.rollout.decoder.1.rollout")[0, 1])
    assert trace.labels("analysis.attribution.at_1.to_6.encoder.attention", "pos") == trace.encoding.tokens


def test_gauss_lobatto_holds_the_ends_and_is_exact_for_polynomials() -> None:
    points, weights = integral.lobatto(6)
    assert (points[0], points[-1]) == (0.0, 1.0) and sum(weights) == pytest.approx(1.0)
    for power in range(10):
        found = sum(w * x**power for x, w in zip(points, weights, strict=True))
        assert found == pytest.approx(1 / (power + 1), abs=1e-12)
    assert abs(sum(w * x**10 for x, w in zip(points, weights, strict=True)) - 1 / 11) > 1e-9


def test_the_mean_slope_of_relu_is_exact_where_what_goes_in_is_straight() -> None:
    """Units that switch on or off anywhere on the way; two stretches in one batch."""
    points, weights = integral.lobatto(6)
    layer = FeedForward(3, 50, "relu").double()
    x, y = torch.randn(2, 3, dtype=torch.float64)
    ways = [(0.0, 0.25), (0.25, 1.0)]
    shares = torch.tensor([low + (high - low) * p for low, high in ways for p in points], dtype=torch.float64)
    given = (x + shares[:, None] * y)[:, None].requires_grad_()
    up, down = layer.up, layer.down
    with averaged(layer, points, weights):
        out = layer(given).sum((1, 2))
        (slopes,) = torch.autograd.grad(out.sum(), given)
    torch.testing.assert_close(out, down(up(given).relu()).sum((1, 2)))
    rates = torch.tensor([(high - low) * w for low, high in ways for w in weights], dtype=torch.float64)
    total = float((slopes[:, 0] @ y * rates).sum())
    assert total == pytest.approx(float((out[-1] - out[0]).detach()), abs=1e-9)
    plain = torch.autograd.grad(layer(given).sum(), given)[0]
    assert abs(float((plain[:, 0] @ y * rates).sum()) - total) > 1e-4, "points alone are off"


LEFT_OUT = {
    "gpt": (0, 6, 10), "gpt1": (7,), "lm-rnn": (0, 6, 26), "lm-gru": (6,), "lm-lstm": (7,),
    "tag-gru": (0, 3, 6), "tag-lstm": (2,), "tag-rnn": (2,), "class-lstm": (None,), "bert": (4,),
    "tag-bert": (3,), "pool-bert": (None,), "qa-bert": (0, 1), "translator": (0, 2),
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "position"), [(family, at) for family, places in LEFT_OUT.items() for at in places]
)
def test_left_out_equals_a_run_of_the_text_without_the_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch, family: str, position: int | None
) -> None:
    """Whatever the texts have in common is run again here, one text after the other."""
    monkeypatch.setattr(shared_runs, "AT_ONCE", 4)
    model = engine(folder, family)
    model.model.double()
    trace = model.trace(TEXT, target=[5, 6, 7]) if family == "translator" else model.trace(TEXT)
    target, spans = 1, family == "qa-bert"
    before = f"analysis.left_out.{'' if position is None else f'at_{position}.'}to_{target}."
    model.analyse(trace, before)
    names = ("mlm.logits",) if family == "bert" else ("start.logits", "end.logits") if spans else ("logits",)
    name, own = names[position if spans and position else 0], target if spans else position
    whole = batch_again(trace, "cpu")

    def score(batch: Batch, at: int | None) -> float:
        with torch.no_grad():
            row = model.model(batch)[name][0]
        return float(row[at] if spans else row[target] if at is None else row[at, target])

    value = score(whole, own)
    for side, key in (
        (("encoder.", "ids"), ("decoder.", "target_ids")) if family == "translator" else (("", "ids"),)
    ):
        found = trace.array(f"{before}{side}fall")[0]
        length = getattr(whole, key).shape[1]
        assert len(found) == length
        for i in range(length):
            if i == own and side != "encoder.":
                assert math.isnan(found[i])
                continue
            kept = [n for n in range(length) if n != i]
            changed = ("target_ids",) if key == "target_ids" else ("ids", "segments", "chars")
            parts = {part: getattr(whole, part) for part in changed}
            batch = replace(whole, **{part: v[:, kept] for part, v in parts.items() if v is not None})
            at = own if own is None or side == "encoder." else own - (i < own)
            assert found[i] == pytest.approx(value - score(batch, at), abs=1e-10), i


def test_with_edits_nothing_is_left_out(folder: Path) -> None:
    model = engine(folder, "gpt")
    trace = model.trace(TEXT, edits=["blocks.0.attn.z=zero"])
    model.analyse(trace, "analysis.left_out.at_3.to_1")
    assert np.isnan(trace.array("analysis.left_out.at_3.to_1.fall")).all()


def test_attention_is_the_row_of_the_rollout(folder: Path) -> None:
    model = engine(folder, "gpt")
    trace = model.analyse(model.trace(TEXT), "analysis.attribution.at_4.to_1")
    found = trace["analysis.attribution.at_4.to_1.attention"].value[0]
    expected = trace["analysis.rollout.blocks.1.rollout"].value[0, 4]
    assert torch.equal(found, expected) and float(found[5:].abs().sum()) == 0.0


# -- the space of vectors


@pytest.mark.parametrize("family", ["word2vec", "tag-lstm", "bert", "gpt", "translator"])
def test_cosines_and_maps_by_numpy(folder: Path, family: str) -> None:
    model = engine(folder, family)
    trace = model.analyse(model.trace(TEXT), "analysis.space")
    names = [name.removeprefix("analysis.space.").removesuffix(".cosine") for name in trace.analyses]
    names = [name for name in names if f"analysis.space.{name}.cosine" in trace.analyses]
    assert len(names) == {"word2vec": 1, "tag-lstm": 2, "bert": 3, "gpt": 3, "translator": 6}[family]
    for name in names:
        x = trace.array(name)[0].astype(np.float64)
        norms = np.linalg.norm(x, axis=1)
        cosine = trace.array(f"analysis.space.{name}.cosine")[0]
        np.testing.assert_allclose(cosine, x @ x.T / np.outer(norms, norms), atol=1e-5)
        values, vectors = np.linalg.eigh(np.cov(x.T))
        plane = (x - x.mean(0)) @ vectors[:, [-1, -2]]
        found = trace.array(f"analysis.space.{name}.map")[0]
        for axis in range(2):
            np.testing.assert_allclose(np.abs(found[:, axis]), np.abs(plane[:, axis]), atol=1e-4)
            assert found[np.abs(found[:, axis]).argmax(), axis] >= 0
        share = trace.array(f"analysis.space.{name}.share")[0]
        np.testing.assert_allclose(share, values[[-1, -2]] / values.sum(), atol=1e-4)


def test_one_token_has_a_map(folder: Path) -> None:
    model = engine(folder, "word2vec")
    trace = model.analyse(model.trace("can"), "analysis.space")
    assert trace["analysis.space.token_embed.map"].value.tolist() == [[[0.0, 0.0]]]


# -- surprisal


@pytest.mark.parametrize("family", ["gpt", "gpt1", "lm-lstm"])
def test_surprisal_is_the_cross_entropy(folder: Path, family: str) -> None:
    model = engine(folder, family)
    trace = model.analyse(model.trace(TEXT), "analysis.surprisal")
    ids = torch.tensor(trace.encoding.ids)
    with torch.no_grad():
        logits = model.model(Batch(ids[None]))["logits"][0]
    expected = torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")
    found = trace["analysis.surprisal.surprisal"].value[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert float(trace["analysis.surprisal.perplexity"].value) == pytest.approx(
        math.exp(expected.mean()), rel=1e-5
    )
    assert trace.labels("analysis.surprisal.prob", "pos") == tuple(trace.encoding.tokens[1:])


def test_one_token_has_no_surprisal(folder: Path) -> None:
    model = engine(folder, "gpt")
    assert not model.analyse(model.trace("a"), "analysis.surprisal").analyses


def test_a_stretch_that_misses_its_gain_is_cut_in_two(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = engine(folder, "gpt")
    model.model.double()
    gaps, counts = [], []
    tokens = 4 * (attribution.BESIDE + attribution._weights(model.model))
    for close, most in ((1.0, 600), (1e-9, 600), (1e-9, 30)):
        monkeypatch.setattr(integral, "CLOSE", close)
        monkeypatch.setattr(attribution, "WORK", tokens * most)
        trace = model.trace(TEXT)
        told: list[tuple[int, int]] = []
        model.analyse(
            trace,
            "analysis.attribution.at_3.to_1",
            watch=lambda done, pieces, told=told: told.append((done, pieces)),
        )
        gaps.append(abs(float(trace["analysis.attribution.at_3.to_1.gap"].value[0])))
        counts.append(told[-1][0])
    assert counts[1] > counts[0] and gaps[1] < 1e-9 < gaps[0] < 1.0
    assert counts[2] <= 30 // integral.COUNT, "no more than what there is time for"


def test_finer_integrated_gradients_take_what_they_need(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is time for five stretches only, they add up all the same, to the same numbers."""
    monkeypatch.setattr(attribution, "WORK", 0.0)
    monkeypatch.setattr(integral, "CLOSE", 1e-9)
    model = engine(folder, "gpt")
    model.model.double()
    place = "at_3.to_1"
    trace = model.analyse(model.trace(TEXT), f"analysis.attribution.{place}", f"analysis.finer.{place}")
    few, many = (trace.array(f"analysis.{name}.{place}.integrated")[0] for name in ("attribution", "finer"))
    gaps = [abs(float(trace.array(f"analysis.{name}.{place}.gap")[0])) for name in ("attribution", "finer")]
    assert gaps[1] < 1e-9 < gaps[0] < 0.1
    assert 0 < np.abs(few - many).max() < 0.1
    assert float(many.sum()) == pytest.approx(
        float(trace.array("logits")[0, 3, 1])
        - logit(model, trace, 3, [Edit("token_embed", (), "scale", 0.0)], target=1),
        abs=1e-9,
    )


@pytest.mark.parametrize("family", ATTENTIVE)
def test_the_steps_of_attention_have_the_tokens_of_attention_beside_them(folder: Path, family: str) -> None:
    model = engine(folder, family)
    trace = model.analyse(model.trace(TEXT), "analysis.steps", "analysis.steps.at_0")
    modules = [name.removesuffix("weights") for name in trace.activations if name.endswith("attn.weights")]
    for module in modules:
        query, key = (trace.labels(f"{module}weights", axis) for axis in ("query", "key"))
        for name in ("max", "exp", "sum", "head_out"):
            assert trace.labels(f"analysis.steps.{module}{name}", "query") == query
        assert trace.labels(f"analysis.steps.{module}exp", "key") == key
        assert trace.labels(f"analysis.steps.{module}concat", "pos") == query
        for name in ("product", "weighted"):
            assert trace.labels(f"analysis.steps.at_0.{module}{name}", "key") == key


@pytest.mark.parametrize("family", ATTENTIVE)
def test_the_steps_of_attention_by_numpy(folder: Path, family: str) -> None:
    model = engine(folder, family)
    trace = model.analyse(model.trace(TEXT), "analysis.steps", "analysis.steps.at_2")
    modules = [name.removesuffix("weights") for name in trace.activations if name.endswith("attn.weights")]
    assert modules
    for module in modules:
        q, k, v, z = (trace.array(module + name)[0].astype(np.float64) for name in ("q", "k", "v", "z"))
        scores = trace.array(f"{module}scores")[0].astype(np.float64)
        made = {name: trace.array(f"analysis.steps.{module}{name}")[0] for name in ("max", "exp", "sum")}
        np.testing.assert_array_equal(made["max"][..., 0], scores.max(-1))
        exp = np.exp(scores - scores.max(-1, keepdims=True))
        np.testing.assert_allclose(made["exp"], exp, atol=1e-6)
        np.testing.assert_allclose(made["sum"][..., 0], exp.sum(-1), rtol=1e-6)
        query = min(2, q.shape[1] - 1)
        product = trace.array(f"analysis.steps.at_2.{module}product")[0]
        np.testing.assert_allclose(product, np.einsum("hd,hkd->hkd", q[:, query], k), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(product.sum(-1), trace.array(f"{module}dot")[0][:, query], atol=1e-5)
        weighted = trace.array(f"analysis.steps.at_2.{module}weighted")[0]
        weights = exp[:, query] / exp[:, query].sum(-1, keepdims=True)
        np.testing.assert_allclose(weighted, np.einsum("hk,hkd->hkd", weights, v), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(weighted.sum(1), z[:, query], atol=1e-6)
        side_by_side = np.concatenate(list(z), axis=-1)
        np.testing.assert_allclose(trace.array(f"analysis.steps.{module}concat")[0], side_by_side)
        matrix = model.parameters[f"{module}wo.weight"].detach().numpy().astype(np.float64)
        width = z.shape[-1]
        for head, own in enumerate(trace.array(f"analysis.steps.{module}head_out")[0]):
            expected = z[head] @ matrix[:, head * width : (head + 1) * width].T
            np.testing.assert_allclose(own, expected, atol=1e-6)


def test_norms_by_torch(folder: Path) -> None:
    model = engine(folder, "bert")
    trace = model.analyse(model.trace(TEXT), "analysis.norms")
    before = trace["blocks.1.attn_sum"].value
    after = trace["blocks.1.attn_norm"].value
    made = {name: trace[f"analysis.norms.blocks.1.attn_norm.{name}"].value[..., 0] for name in NORMS}
    torch.testing.assert_close(made["variance"], before.var(-1, unbiased=False))
    torch.testing.assert_close(made["after_mean"], after.mean(-1), atol=1e-6, rtol=0.0)
    torch.testing.assert_close(made["after_variance"], after.var(-1, unbiased=False))
    layer = model.model.get_submodule("blocks.1.attn_norm")
    fused = torch.nn.functional.layer_norm(before, before.shape[-1:], layer.weight, layer.bias, layer.eps)
    torch.testing.assert_close(after, fused, atol=1e-5, rtol=0.0)


NORMS = ("variance", "after_mean", "after_variance")


def test_a_unit_that_never_fires_is_dead(folder: Path) -> None:
    model = engine(folder, "bert")
    size = model.model.get_submodule("blocks.0.mlp.up").bias.numel()  # type: ignore[union-attr]
    with torch.no_grad():
        model.model.get_submodule("blocks.0.mlp.up").bias.fill_(50.0)[: size // 4] = -50.0  # type: ignore[union-attr, operator]
    trace = model.analyse(model.trace(TEXT), "analysis.units")
    assert trace.array("analysis.units.blocks.0.mlp.dead")[0, 0] == pytest.approx((size // 4) / size)
    post = trace.array("blocks.1.mlp.post")[0]
    silent = trace.array("analysis.units.blocks.1.mlp.silent")[0, :, 0]
    np.testing.assert_allclose(silent, (post <= 0).mean(-1), atol=1e-6)
    dead = trace.array("analysis.units.blocks.1.mlp.dead")[0, 0]
    assert dead == pytest.approx((post <= 0).all(0).mean(), abs=1e-6) and dead <= silent.max() + 1e-6


@pytest.mark.parametrize("family", ["gpt", "lm-lstm", "translator"])
def test_the_next_token_by_numpy(folder: Path, family: str) -> None:
    """Temperature, top-k and top-p written in another way than the engine's."""
    model = engine(folder, family)
    trace = model.trace("the old")
    logits = trace.array("logits")[0, -1].astype(np.float64)
    k, p, temperature = 6, 0.7, 1.7
    how = Sampling(temperature, k, p, 5)
    before = f"analysis.next.{how.suffix}."
    model.analyse(trace, before)
    made = {name.removeprefix(before): trace.array(name)[0] for name in trace.analyses if before in name}
    probs = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    np.testing.assert_allclose(made["probs"], probs, atol=1e-6)
    order = sorted(range(len(logits)), key=lambda i: -logits[i])[:k]
    assert set(np.flatnonzero(made["keep_k"])) == set(order)
    kept, total = [], 0.0
    for token in order:
        if total < p:
            kept.append(token)
        total += probs[token] / probs[order].sum()
    assert set(np.flatnonzero(made["keep_p"])) == set(kept)
    final = np.zeros(len(logits))
    final[kept] = probs[kept] / probs[kept].sum()
    np.testing.assert_allclose(made["final"], final, atol=1e-6)
    np.testing.assert_allclose(made["cumulative"], np.cumsum(final), atol=1e-6)
    assert int(made["choice"]) == int(np.argmax(np.cumsum(final) > float(made["draw"])))
    step = model.next_step(trace, how)
    assert step is None or step.id == int(made["choice"])


def test_greedy_keeps_the_likeliest_alone(folder: Path) -> None:
    model = engine(folder, "gpt")
    trace = model.analyse(model.trace(TEXT), f"analysis.next.{Sampling().suffix}")
    final = trace.array(f"analysis.next.{Sampling().suffix}.final")[0]
    assert final.max() == 1.0 and final.sum() == 1.0
    assert int(final.argmax()) == int(trace.array("logits")[0, -1].argmax())


@pytest.mark.parametrize(
    ("family", "beams", "depth"), [("gpt", 3, 4), ("lm-gru", 2, 5), ("translator", 4, 6)]
)
def test_the_beam_tree_finds_what_the_search_finds(folder: Path, family: str, beams: int, depth: int) -> None:
    """Against nn.search, and against every continuation tried where the text is short enough for that."""
    model = engine(folder, family)
    translates = model.config.task == "translation"
    trace = model.trace("the", target=[]) if translates else model.trace("the")
    before = f"analysis.beam.w_{beams}.d_{depth}."
    model.analyse(trace, before)
    made = {
        key: trace.array(before + key)[0] for key in ("token", "prob", "score", "kept", "depth", "parent")
    }
    ids = trace[("target_ids" if translates else "ids")].value[0].tolist()
    end = model.tokenizer.specials.get("eos", -1)

    def path(node: int) -> list[int]:
        above = int(made["parent"][node])
        return [*(path(above) if above >= 0 else []), int(made["token"][node])]

    def logits(texts: list[list[int]]) -> torch.Tensor:
        rows = torch.tensor(texts)
        source = torch.tensor([trace.encoding.ids]).expand(len(texts), -1)
        batch = Batch(source, target_ids=rows) if translates else Batch(rows)
        with torch.no_grad():
            return model.model(batch)["logits"][:, -1]

    for node in range(len(made["token"])):
        *front, token = path(node)
        prob = logits([[*ids, *front]]).softmax(-1)[0, token]
        assert made["prob"][node] == pytest.approx(float(prob), rel=1e-4)
        assert len(front) + 1 == made["depth"][node]
    texts: list[list[int]] = [list(ids)] * beams

    def step(last: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        nonlocal texts
        chosen = range(beams) if rows is None else rows.tolist()
        if rows is not None:
            texts = [[*texts[row], token] for row, token in zip(chosen, last.tolist(), strict=True)]
        return logits(texts)

    power = float(getattr(model.config, "length_power", 0.0))
    found = search(step, torch.tensor([ids[-1]] * beams), end, depth, beams, power)[0]
    inner = set(made["parent"].astype(int))
    leaves = [n for n in range(len(made["token"])) if made["kept"][n] and n not in inner]
    best = max(leaves, key=lambda n: made["score"][n])
    assert [token for token in path(best) if token != end] == found.ids


def test_the_cache_holds_what_one_run_computes(folder: Path) -> None:
    for family in ("gpt", "translator"):
        model = engine(folder, family)
        trace = model.analyse(model.trace("the old"), "analysis.cache")
        n = trace["logits"].shape[1]
        used = trace.array("analysis.cache.used")[0]
        np.testing.assert_array_equal(used, np.tril(np.ones((n, n))) + np.eye(n))
        np.testing.assert_array_equal(trace.array("analysis.cache.with")[0], np.ones(n))
        np.testing.assert_array_equal(trace.array("analysis.cache.without")[0], np.arange(1, n + 1))
        off = [trace.array(name).max() for name in trace.analyses if name.endswith(".off")]
        assert len(off) == 2 * model.config.n_layers and max(off) < 1e-5


def test_without_positions_an_encoder_is_blind_to_order_and_a_decoder_is_not(folder: Path) -> None:
    """Against a network whose table of positions is zero, run on the text turned round."""
    words = TEXT.split()[:4]
    for family in ("tag-bert", "gpt"):
        model = engine(folder, family)
        text = " ".join(words) if family == "tag-bert" else "abcd"
        made = model.analyse(model.trace(text), "analysis.positions")
        table = model.parameters["pos_embedding.weight"].detach()
        np.testing.assert_allclose(
            made.array("analysis.positions.dot"), table.numpy() @ table.numpy().T, atol=1e-6
        )
        with torch.no_grad():
            table.zero_()
        inside = slice(1, -1) if family == "tag-bert" else slice(None)
        here = model.trace(text).array("blocks.1.attn.z")[0][:, inside]
        turned = " ".join(reversed(words)) if family == "tag-bert" else text[::-1]
        there = model.trace(turned).array("blocks.1.attn.z")[0][:, inside][:, ::-1]
        expected = np.abs(there - here).max((0, 2))
        found = made.array("analysis.positions.blocks.1.attn.without")[0][inside]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        with_them = made.array("analysis.positions.blocks.1.attn.with")[0]
        assert with_them.max() > 1e-3
        assert (found.max() < 1e-5) == (family == "tag-bert"), "a causal network sees what stands before"


def test_of_two_texts_each_word_keeps_its_segment(folder: Path) -> None:
    """Turned round with it, a word without its position is the same word: nothing moves."""
    model = engine(folder, "bert")
    made = model.analyse(model.trace("the old can", pair="the can old the"), "analysis.positions")
    assert made["segments"].value.float().std() > 0
    for block in range(2):
        assert made.array(f"analysis.positions.blocks.{block}.attn.without").max() < 1e-5
        assert made.array(f"analysis.positions.blocks.{block}.attn.with").max() > 1e-3


def test_neighbours_are_those_of_the_engine(folder: Path) -> None:
    model = engine(folder, "word2vec")
    trace = model.analyse(model.trace("the old duck"), "analysis.neighbours.at_1")
    similarity = trace.array("analysis.neighbours.at_1.similarity")[0]
    for entry in model.neighbours("old", top=5):
        assert similarity[entry["id"]] == pytest.approx(entry["similarity"], abs=1e-6)
    assert similarity[trace.encoding.ids[1]] == pytest.approx(1.0)


@pytest.mark.parametrize("family", ["tag-lstm", "tag-gru"])
def test_units_on_a_span_by_sets(folder: Path, family: str) -> None:
    """A unit made to be on exactly there matches with 1, and the others as sets of tokens say."""
    model = engine(folder, family)
    kind = "cell" if family == "tag-lstm" else "hidden"
    name = f"layers.0.forward.{kind}"
    edits = [f"{name}[0,:,2]=force:0", f"{name}[0,1:4,2]=force:-0.9"]
    trace = model.trace(TEXT, edits=edits)
    model.analyse(trace, "analysis.units_on.at_3.to_1")
    match = trace.array(f"analysis.units_on.at_3.to_1.{name}.match")[0]
    side = trace.array(f"analysis.units_on.at_3.to_1.{name}.side")[0]
    assert match[2] == 1 and side[2] == -1
    states, span = trace.array(name)[0], {1, 2, 3}
    for unit in range(states.shape[1]):
        found = []
        for sign in (1, -1):
            on = {t for t, value in enumerate(states[:, unit]) if sign * value > 0.3}
            found.append(len(on & span) / max(1, len(on | span)))
        assert match[unit] == pytest.approx(max(found))
    best = sorted(range(len(match)), key=lambda u: -match[u])[:8]
    share = trace.array(f"analysis.units_on.at_3.to_1.{name}.share")[0]
    for t in range(len(states)):
        assert share[t] == pytest.approx(np.mean([side[u] * states[t, u] > 0.3 for u in best]))


def test_operations_by_counting_and_times_that_are_times(folder: Path) -> None:
    """FLOPs as torch counts them, of the matrix products; the rest is measured and only looked at."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from nlptui.nn.attention import Attention

    n, d = 32, timing.WIDTH
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        Attention(d, 4)(torch.randn(1, n, d))
    assert counter.get_total_flops() == timing.operations("attention", n)
    for system, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
        assert timing.operations(system, n) == n * gates * 2 * (2 * d * d)
    model = engine(folder, "tag-rnn")
    trace = model.analyse(model.trace(TEXT), "analysis.timing")
    assert (trace.array("analysis.timing.ms") > 0).all()
    serial = trace.array("analysis.timing.serial")[0]
    assert serial[-1].tolist() == [1] * len(timing.LENGTHS) and serial[0].tolist() == list(timing.LENGTHS)

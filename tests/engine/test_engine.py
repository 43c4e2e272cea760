"""The engine on every family: traces that explain themselves, answers that agree, hostile input."""

import copy
import json
import math
import random

import numpy as np
import pytest
import torch

from nlptui.engine import Engine
from nlptui.engine.explain import Derivation, Edit, Trace
from nlptui.errors import UserError
from tests.engine.models import FAMILIES

SENTENCE = "the old wind can open"
HOSTILE = [
    "",
    "x",
    " ",
    "[/bold]",
    "[@click=app.quit]x[/]",
    "\x1b[2J\x1b]0;title\x07",
    "a\0b",
    "\ud800 lone \udfff",
    "مرحبا بالعالم",
    "\u202eevil\u202c",
    "👩‍👩‍👧 é é",
    "word " * 100,
]


def close(derivation: Derivation) -> bool:
    value, total = derivation.value, derivation.total
    return value == total or abs(value - total) <= 1e-5 * max(1.0, abs(value))


@pytest.mark.parametrize("family", FAMILIES)
def test_random_cells_of_every_activation_are_explained(engines: dict[str, Engine], family: str) -> None:
    engine, chance = engines[family], random.Random(family)
    trace = engine.trace(SENTENCE, pair="a white duck" if family in ("bert", "qa-bert") else None)
    assert trace.activations
    for name, activation in trace.activations.items():
        for _n in range(4):
            index = tuple(chance.randrange(size) for size in activation.shape)
            derivation = engine.explain(trace, name, index)
            assert close(derivation), derivation
            for term in derivation.terms:
                assert term.name in trace
                assert float(trace.array(term.name)[term.index]) == pytest.approx(
                    term.value, abs=1e-12, nan_ok=True
                )


@pytest.mark.parametrize("family", FAMILIES)
def test_chains_of_terms_end_at_parameters_or_inputs(engines: dict[str, Engine], family: str) -> None:
    engine, chance = engines[family], random.Random(family)
    trace = engine.trace(SENTENCE)
    for _n in range(10):
        name = "mlm.logits" if family == "bert" else "start.logits" if family == "qa-bert" else "logits"
        index = tuple(chance.randrange(size) for size in trace[name].shape)
        for _step in range(2000):
            derivation = engine.explain(trace, name, index)
            assert close(derivation)
            if not derivation.terms:
                break
            term = chance.choice(derivation.terms)
            name, index = term.name, term.index
        else:
            pytest.fail(f"no end is in sight at {name}")
        assert trace[name].kind in ("parameter", "input") or at_the_start(trace, name, index)


def at_the_start(trace: Trace, name: str, index: tuple[int, ...]) -> bool:
    """Whether the element is of the first step of a chain, before which everything is 0."""
    step = trace[name].step
    return "prev(" in trace[name].formula and not 0 <= index[1] - step < trace[name].shape[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_predicting_and_tracing_agree(engines: dict[str, Engine], family: str) -> None:
    sentence = f"[MASK] {SENTENCE}"
    traced, predicted = engines[family].trace(sentence).output, engines[family].predict(sentence)["output"]

    def numbers(value: object) -> list[object]:
        if isinstance(value, dict):
            return [n for key in sorted(value) for n in numbers(value[key])]
        return [n for item in value for n in numbers(item)] if isinstance(value, list) else [value]

    assert len(numbers(traced)) == len(numbers(predicted)) > 0
    for one, other in zip(numbers(traced), numbers(predicted), strict=True):
        assert one == (pytest.approx(other, abs=1e-5) if isinstance(other, float) else other)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_a_trace(engines: dict[str, Engine], family: str, text: str) -> None:
    engine = engines[family]
    trace = engine.trace(text)
    json.dumps(trace.output, allow_nan=False)
    json.dumps(engine.predict(text), allow_nan=False)
    for activation in trace.activations.values():
        assert not activation.value.isnan().any(), activation.name
    limit = engine.config.context
    assert trace.truncated == (len(engine.tokenizer.encode(text).ids) > limit)
    assert len(trace.encoding.ids) <= limit


@pytest.mark.parametrize("family", FAMILIES)
def test_the_check_passes_and_fails_when_one_weight_is_moved(engines: dict[str, Engine], family: str) -> None:
    engine = engines[family]
    found = engine.check()
    assert len(found) >= 2
    assert all(value <= 1e-5 for value in found.values()), found
    other = copy.deepcopy(engine.model)
    for name, moved in other.named_parameters():
        if name.startswith(("poolers.", "heads.")) and engine.pooling != name.split(".")[1]:
            continue  # Only the pooler in use takes part.
        before = moved.detach().clone()
        with torch.no_grad():
            # One alone may be of a token that does not occur, or of a unit that is off: move every other one.
            moved[..., ::2] += 0.5
        assert max(engine.check(reference=other).values()) > 1e-5, name
        with torch.no_grad():
            moved.copy_(before)
    assert max(engine.check(reference=other).values()) <= 1e-5


def test_labels_of_cross_attention_are_source_and_target(engines: dict[str, Engine]) -> None:
    trace = engines["translator"].trace("a can of paint")
    source = tuple(trace.encoding.tokens)
    name = "decoder.0.cross_attn.weights"
    assert trace.labels(name, "key") == source
    assert trace.labels(name, "query")[0] == "<s>"
    assert trace.labels("encoder.1.attn.weights", "query") == source
    assert trace.labels("decoder.1.self_attn.weights", "key") == trace.labels(name, "query")
    assert trace.labels("decoder.0.mlp_norm", "pos") == trace.labels(name, "query")


def test_labels_of_outputs(engines: dict[str, Engine]) -> None:
    trace = engines["tag-lstm"].trace(SENTENCE)
    assert trace.labels("probs", "label") == ("NOUN", "VERB", "DET", "X")
    assert trace.labels("probs", "pos") == tuple(SENTENCE.split())
    trace = engines["bert"].trace(SENTENCE, pair="a duck")
    assert trace.labels("nsp.probs", "label") == ("next", "not next")
    assert trace.labels("mlm.probs", "vocab") == tuple(engines["bert"].tokenizer.vocabulary())


def test_only_keeps_what_matches(engines: dict[str, Engine]) -> None:
    trace = engines["gpt"].trace(SENTENCE, only=["*.weights", "logits"])
    assert list(trace.activations) == ["blocks.0.attn.weights", "blocks.1.attn.weights", "logits"]


def test_a_forced_translation_is_traced(engines: dict[str, Engine]) -> None:
    trace = engines["translator"].trace("a can", target="rain")
    assert trace.labels("decoder.0.mlp_norm", "pos") == ("<s>", "r", "a", "i", "n")
    probs = trace["probs"].value[0]
    assert trace.output["text"] == "rain"
    for position, token in enumerate(trace.output["tokens"]):
        assert math.exp(token["logprob"]) == pytest.approx(float(probs[position, token["id"]]), rel=1e-4)


def test_an_edited_translator_writes_what_its_edited_scores_say(engines: dict[str, Engine]) -> None:
    plain = engines["translator"].trace("a can")
    edited = engines["translator"].trace("a can", ["encoder.1.mlp_norm=zero", "logits[0,0,7]=force:50"])
    assert edited.output != plain.output
    first = edited.output["tokens"][0]
    assert first["id"] == 7 and first["logprob"] == pytest.approx(0.0, abs=1e-6)


def test_probabilities_cannot_be_edited_since_nothing_follows_from_them(engines: dict[str, Engine]) -> None:
    with pytest.raises(UserError, match="edit logits instead"):
        engines["tag-lstm"].trace(SENTENCE, ["probs[0,0,0]=force:5"])
    with pytest.raises(UserError, match=r"edit mlm\.logits instead"):
        engines["bert"].trace(SENTENCE, ["mlm.probs=zero"])


def test_an_edit_of_no_text_is_told(engines: dict[str, Engine]) -> None:
    with pytest.raises(UserError, match="empty"):
        engines["gpt"].trace("", ["embed=zero"])


@pytest.mark.parametrize("family", ["tag-lstm", "gpt", "lm-gru", "translator", "tag-bert", "class-lstm"])
def test_a_model_of_one_text_refuses_a_pair(engines: dict[str, Engine], family: str) -> None:
    for ask in (engines[family].trace, engines[family].predict):
        with pytest.raises(UserError, match="one text"):
            ask(SENTENCE, pair="a duck")


def test_explaining_what_the_trace_left_out_names_it(engines: dict[str, Engine]) -> None:
    engine = engines["gpt"]
    trace = engine.trace(SENTENCE, only=["logits"])
    with pytest.raises(UserError, match="logits is made of norm_final, which this trace left out"):
        engine.explain(trace, "logits", (0, 0, 0))


EDITS = {
    "zero": Edit.parse("blocks.0.attn.weights[0,1]=zero"),
    "mean": Edit.parse("blocks.0.mlp.post[:,:,2]=mean"),
    "scale": Edit.parse("blocks.0.attn.z[0,2]=scale:0.5"),
    "force": Edit.parse("blocks.0.norm1[0,3,1]=force:2"),
}


def outcome(trace: Trace) -> torch.Tensor:
    return trace["logits"].value


@pytest.mark.parametrize("op", EDITS)
def test_an_edit_changes_what_follows_and_is_explained(engines: dict[str, Engine], op: str) -> None:
    engine, edit = engines["gpt"], EDITS[op]
    plain, edited = engine.trace(SENTENCE), engine.trace(SENTENCE, edits=[edit])
    assert not torch.equal(outcome(plain), outcome(edited))
    assert torch.equal(plain["embed"].value, edited["embed"].value)
    assert edited.edits[0].op == op
    chance = random.Random(op)
    for name in (edit.name, f"{edit.name}.unedited", "blocks.1.resid_post", "logits"):
        for _n in range(10):
            index = tuple(chance.randrange(size) for size in edited[name].shape)
            assert close(engine.explain(edited, name, index))


def test_a_mean_edit_of_a_recurrent_state_uses_the_run_without_it(engines: dict[str, Engine]) -> None:
    engine = engines["tag-gru"]
    plain = engine.trace(SENTENCE)
    edited = engine.trace(SENTENCE, edits=[Edit.parse("layers.0.forward.hidden[0,:,3]=mean")])
    mean = plain["layers.0.forward.hidden"].value[0, :, 3].mean()
    assert torch.allclose(edited["layers.0.forward.hidden"].value[0, :, 3], mean.expand(len(plain.encoding)))


@pytest.mark.parametrize(
    "text",
    [
        "nowhere=zero",
        "blocks.0.attn.weights[0,9]=zero",
        "blocks.0.attn.weights[0,0,0,0,0]=zero",
        "logits=from:none.npz",
    ],
)
def test_an_edit_that_fits_nothing_is_told(engines: dict[str, Engine], text: str) -> None:
    with pytest.raises(UserError):
        engines["gpt"].trace(SENTENCE, edits=[Edit.parse(text)])


def test_an_unknown_device_is_told(engines: dict[str, Engine]) -> None:
    for device in ("tpu", "cuda:9"):
        if device.startswith("cuda") and torch.cuda.is_available():
            continue
        with pytest.raises(UserError, match="cpu"):
            Engine.load(engines["gpt"].path, device=device)


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbours_are_the_rows_of_the_largest_cosine(engines: dict[str, Engine], family: str) -> None:
    engine = engines[family]
    name = "source_embedding.weight" if family == "translator" else "token_embedding.weight"
    table = engine.parameters[name].detach().double().numpy()
    word = engine.tokenizer.vocabulary()[-1]
    own, special = len(table) - 1, set(engine.tokenizer.specials.values())
    cosines = table @ table[own] / np.linalg.norm(table, axis=1) / np.linalg.norm(table[own])
    order = [i for i in np.argsort(-cosines).tolist() if i != own and i not in special]
    found = engine.neighbours(word, top=5)
    assert [entry["id"] for entry in found] == order[:5]
    assert [entry["text"] for entry in found] == [engine.tokenizer.token(i) for i in order[:5]]
    np.testing.assert_allclose([entry["similarity"] for entry in found], cosines[order[:5]], atol=1e-6)
    assert len(engine.neighbours(word, top=10_000)) == len(order)


@pytest.mark.parametrize("family", ["word2vec", "translator", "bert"])
def test_cosines_of_words_with_each_other(engines: dict[str, Engine], family: str) -> None:
    engine = engines[family]
    name = "source_embedding.weight" if family == "translator" else "token_embedding.weight"
    rows = engine.parameters[name].detach().double().numpy()[[-1, -3, -2]]
    words = [engine.tokenizer.vocabulary()[i] for i in (-1, -3, -2)]
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(engine.cosines(words), rows @ rows.T / np.outer(lengths, lengths), atol=1e-6)


def test_a_model_without_a_table_of_embeddings_says_so(
    engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    word = engines["gpt"].tokenizer.vocabulary()[-1]
    monkeypatch.setattr(Engine, "parameters", {})
    for ask in (engines["gpt"].neighbours, lambda word: engines["gpt"].cosines([word])):
        with pytest.raises(UserError, match="gpt has no table of token embeddings"):
            ask(word)


def test_a_word_without_a_vector_is_named(engines: dict[str, Engine]) -> None:
    with pytest.raises(UserError, match="word2vec has no vector for 'zyzzyva'"):
        engines["word2vec"].neighbours("zyzzyva")
    with pytest.raises(UserError, match="no vector for 'the old'"):
        engines["word2vec"].neighbours("the old")

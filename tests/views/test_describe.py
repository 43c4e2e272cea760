"""The sentence that says what a cell means: one template for each kind, in the reader's language."""

from __future__ import annotations

import gettext

import numpy as np
import pytest

import nlptui.locale
from nlptui.locale import _
from nlptui.views import VIEWS, State, describe
from nlptui.views import describe as describe_function
from nlptui.views.describe import _PARAMETER, TEMPLATES, number, placeholders, templates
from nlptui.views.figure import Bars, Figure, HeatTable, Lines, Series, Token, Tokens
from nlptui.views.names import place
from tests.views.conftest import analysed, drawn, run, shared

assert describe is describe_function

# Every activation of the table of names in the design, with its kind's sentence to be found.
NAMES = (
    "token_embed", "pos_embed", "segment_embed", "embed", "embed_norm", "q", "z", "k", "v", "dot", "scaled",
    "scores", "weights", "out", "head_out", "resid_pre", "norm1", "norm1.mean", "norm1.scale", "resid_mid",
    "norm2", "resid_post", "attn_sum", "attn_norm", "mlp_sum", "mlp_norm", "mlp.pre", "mlp.post", "mlp.out",
    "preact", "hidden", "input_gate", "forget_gate", "candidate", "output_gate", "kept", "written", "cell",
    "input_gate.pre", "forget_gate.pre", "candidate.pre", "output_gate.pre", "reset_gate", "update_gate",
    "reset_gate.pre", "update_gate.pre", "candidate.recurrent", "char_embed", "char_conv", "char_feature",
    "norm_final", "pooled", "logits", "probs", "mlm.logits", "mlm.probs", "nsp.logits", "nsp.probs",
    "start.logits", "start.probs", "end.logits", "end.probs", "emission", "transition", "score",
    "backpointer", "path",
)  # fmt: skip


@pytest.fixture
def language():
    """Set the language, and set it back."""
    yield nlptui.locale.set_language
    nlptui.locale.set_language("en")


def sentence(family, view, part, row, col, **state):
    return describe(VIEWS[view].draw(shared(family), State(**state)), part, row, col)


def test_every_kind_of_the_table_of_names_has_a_template():
    for name in NAMES:
        assert templates(f"blocks.0.{name}") is not _PARAMETER, name
        assert templates(name) is not _PARAMETER, name


def test_one_of_several_poolers_is_told_as_a_single_one():
    for name in ("pre", "pooled"):
        assert templates(f"poolers.cls.{name}") == templates(f"pooler.{name}")
    assert templates("poolers.attention.raw") == templates("pooler.raw")


def test_every_recorded_activation_and_input_has_a_template(trace):
    unknown = [name for name in (*trace.activations, *trace.inputs) if templates(name) is _PARAMETER]
    assert unknown == []


def test_gates_say_what_they_keep_and_where():
    trace = shared("lstm")
    value = number(trace.array("layers.1.forward.forget_gate")[0, 1, 3])
    words = sentence("lstm", "gates", 2, 3, 1, layer=1)
    assert words == f"how much of the old cell state unit 3 keeps at 'can' (layer 1, forward): {value}"
    one_step = sentence("lstm", "gates", 0, 1, 3, layer=1, position=1)
    assert one_step == words
    backward = sentence("gru", "gates", 0, 0, 2, head=1)
    assert "unit 2" in backward and "'the' (layer 0, backward)" in backward


def test_attention_names_both_tokens_by_number_because_words_repeat():
    value = number(shared("bert").array("blocks.0.attn.weights")[0, 1, 0, 4])
    words = sentence("bert", "attention", 0, 0, 4, head=1)
    assert words == f"how much 'the' (query 0) looks at 'the' (key 4) (block 0, head 1): {value}"
    cross = sentence("transformer", "attention", 0, 1, 3, layer=3)
    assert "'le' (query 1) looks at '中文' (key 3) (decoder block 0, cross-attention, head 0)" in cross
    assert sentence("gpt", "attention", 0, 0, 2, name="scores").endswith("(block 0, head 0): -inf")


def test_outputs_name_label_word_and_class():
    assert "label NOUN for '中文'" in sentence("lstm", "output", 1, 3, 0)
    assert "class" in sentence("bert-class", "output", 0, 0, 0)
    assert "as the next token after 'can'" in sentence("gpt", "output", 0, 0, 0, position=1)
    assert "in the place of '[/bold]'" in sentence("bert", "output", 0, 0, 0, position=2)
    assert "starts at 'can'" in sentence("bert-qa", "output", 0, 0, 1)


def test_parameters_say_which_element():
    words = sentence("gpt", "activation", 0, 2, 1, name="blocks.0.attn.wq.weight")
    assert words.startswith("element [2, 1] of the parameter blocks.0.attn.wq.weight: ")
    assert sentence("lstm", "embedding", 0, 0, 5).startswith(
        "component 5 of row 0 of the embedding matrix token_emb"
    )


def test_tokens_trees_bars_lines_and_differences():
    figure = Figure(
        "any",
        "any",
        (
            Tokens("t", (Token("{can}", 7, 4, 7, tag="NOUN", prob=0.5), Token("[CLS]", 1, special=True))),
            Bars("answers", ("can {x}",), np.array([0.25])),
            Lines("loss", (Series("train", np.array([1, 2]), np.array([3.5, 2.5])),), x_label="step"),
            HeatTable("A − B", np.array([[0.5]]), ("can",), ("12",), "pos", "d_hidden"),
        ),
    )
    assert describe(figure, 0, 0) == "token 0: '{can}', id 7, characters 4 to 7, tag NOUN, probability 0.5"
    assert describe(figure, 0, 1) == "token 1: '[CLS]', id 1, added by the tokenizer"
    assert describe(figure, 1, 0) == "answers, can {x}: 0.25"
    assert describe(figure, 2, 0, 1) == "train at step 2: 2.5"
    assert describe(figure, 3, 0, 0) == "A − B, can × 12: 0.5"
    tree = VIEWS["tree"].draw(shared("gpt"), State())
    rows = [row.path for row in tree.parts[0].rows]
    assert describe(tree, 0, rows.index("blocks.1.mlp.post")) == (
        "blocks.1.mlp.post (batch 1, pos 5, d_ff 12) = gelu_tanh(blocks.1.mlp.pre)"
    )
    assert describe(tree, 0, rows.index("blocks.1.mlp")) == "blocks.1.mlp: 3 arrays"
    assert describe(tree, 0, 0) == "ids (batch 1, pos 5), given to the network"


def test_numbers_keep_six_digits():
    assert [number(v) for v in (3, np.int64(-2), 0.123456789, 1e-9, float("-inf"), float("nan"))] == [
        "3",
        "-2",
        "0.123457",
        "1e-09",
        "-inf",
        "nan",
    ]


@pytest.mark.parametrize("code", nlptui.locale.LANGUAGES)
def test_every_template_keeps_its_placeholders_in_every_language(language, code):
    language(code)
    for kind, alternatives in {**TEMPLATES, "a parameter": _PARAMETER}.items():
        for template in alternatives:
            assert placeholders(_(template)) == placeholders(template), (kind, _(template))
            assert "{value}" in _(template)


class Reversed(gettext.NullTranslations):
    """A language that says the value first, as another grammar might."""

    def gettext(self, message: str) -> str:
        return message if "{value}" not in message else "值 {value} ← " + message.replace(": {value}", "")


def test_sentences_are_translated_when_they_are_made(monkeypatch):
    monkeypatch.setattr(nlptui.locale, "_current", Reversed())
    words = sentence("lstm", "gates", 2, 3, 1)
    assert words.startswith("值 0.") and "unit 3 keeps at 'can'" in words


def test_places_in_words():
    assert place("layers.2.backward.cell") == "layer 2, backward"
    assert place("decoder.0.cross_attn.weights") == "decoder block 0, cross-attention"
    assert place("encoder.embed") == "encoder"
    assert place("logits") == ""


def test_a_point_of_a_chart_over_tokens_says_which_token_it_is():
    trace = analysed(run("lstm-lm"), "analysis.surprisal")
    curve = VIEWS["surprisal"].draw(trace, State()).parts[2]
    words = describe(Figure("v", "t", (curve,)), 0, 0, 1)
    assert words.startswith("surprisal at token '[/bold]' (2): ")
    figure = drawn("through_time", trace, State(position=3))
    assert " at token 'can' (1): " in describe(figure, 0, 0, 1)

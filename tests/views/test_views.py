"""Each view over each family: shapes, labels, sources, and the numbers by other means."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from nlptui.edits import Edit
from nlptui.locale import set_language
from nlptui.tokenizers.base import Encoding
from nlptui.trace import Recorder, Trace
from nlptui.views import GROUPS, VIEWS, State, describe
from nlptui.views.choices import SHORT
from nlptui.views.figure import Bars, HeatTable, Lines, Points, Thumbnails, Tokens, Tree
from nlptui.views.names import TOKEN_AXES
from tests.test_catalogue import ASCII_MARKS
from tests.views.conftest import (
    CONFIGS,
    DIFFERENT,
    TAGS,
    TARGET,
    TOKENS,
    VOCABULARY,
    analysed,
    drawn,
    encoding_of,
    network,
    run,
    shared,
)  # fmt: skip

RECURRENT = ("rnn", "lstm", "gru")


def draw(view, trace, **state):
    return drawn(view, trace, State(**state))


def cells(part):
    """Every (row, col) of a part."""
    if isinstance(part, HeatTable):
        return [(r, c) for r in range(len(part.rows)) for c in range(len(part.cols))]
    if isinstance(part, Bars):
        return [(r, 0) for r in range(len(part.labels))]
    if isinstance(part, Points):
        return [(r, c) for r in range(len(part.labels)) for c in range(2)]
    return []


def every_figure(trace, positions=(0, 2)):
    """All figures of all views that apply: each layer, head and choice, and a few positions."""
    for view in VIEWS.values():
        if not view.applies(trace):
            continue
        for layer in range(view.layers(trace)):
            for head in range(view.heads(trace)):
                for name in view.choices(trace) or (None,):
                    for position in positions:
                        yield drawn(view.name, trace, State(layer, head, position, name))


def test_every_cell_equals_the_element_that_its_source_names(trace):
    checked = 0
    for figure in every_figure(trace):
        for part in figure.parts:
            assert isinstance(part, HeatTable | Bars | Lines | Points | Thumbnails | Tokens | Tree)
            everywhere = cells(part)
            shown, expected = [], []
            for row, col in [*everywhere[:: max(1, len(everywhere) // 20)], *everywhere[-1:]]:
                origin = part.origin(row, col)
                assert origin is not None, (figure.title, part.title)
                value = trace[origin.name].value
                assert len(origin.index) == value.ndim
                expected.append(value.detach().numpy()[origin.index])
                shown.append(
                    part.values[row, col] if isinstance(part, HeatTable | Points) else part.values[row]
                )
            np.testing.assert_array_equal(shown, expected, err_msg=f"{figure.title}, {part.title}")
            checked += len(shown)
    assert checked > (200 if trace.config.arch == "word2vec" else 1000), "word2vec has three activations"


def test_every_cell_has_a_sentence_with_its_value(trace):
    for figure in every_figure(trace, (2,)):
        for number, part in enumerate(figure.parts):
            for row, col in cells(part)[:: max(1, len(cells(part)) // 7)]:
                words = describe(figure, number, row, col)
                assert "{" not in words and "}" not in words
                name = part.origin(row, col).name
                # Its kind is told in words; these names are words themselves.
                if name not in ("score", "path"):
                    assert (name in words) == (name in trace.parameters), words


@pytest.mark.parametrize("family", ["lstm", "gpt", "transformer"])
def test_chinese_words_are_punctuated_in_chinese_where_pieces_come_together(family):
    set_language("zh")
    for figure in every_figure(shared(family), (2,)):
        told = [figure.title, figure.caption, *(part.title for part in figure.parts)]
        told += [describe(figure, n, *cells(part)[0]) for n, part in enumerate(figure.parts) if cells(part)]
        assert not [words for words in told if ASCII_MARKS.search(words)]


def test_what_a_run_did_not_record_is_said_not_raised(trace):
    bare = Trace({}, config=trace.config, encoding=trace.encoding)
    for view in VIEWS.values():
        figure = view.draw(bare, State())
        assert view.layers(bare) == 1 and view.heads(bare) == 1
        if view.name not in ("tokens", "tree"):
            assert figure.parts == () and "did not record" in figure.caption
    empty = Trace({}, config=trace.config, encoding=encoding_of(()))
    for view in VIEWS.values():
        assert not any(cells(part) for part in view.draw(empty, State()).parts)
    assert draw("hidden", empty).caption == "The text is empty."


def test_states_out_of_range_take_the_nearest(trace):
    for view in VIEWS.values():
        if view.applies(trace):
            last = State(view.layers(trace) - 1, view.heads(trace) - 1, len(TOKENS) - 1)
            last = drawn(view.name, trace, last)
            beyond = drawn(view.name, trace, State(99, 99, 99, "no such thing"))
            assert last.title == beyond.title
            assert [part.title for part in last.parts] == [part.title for part in beyond.parts]


def test_groups_are_keys_and_titles_are_marked():
    assert set(GROUPS) <= set(range(1, 10))
    for name, view in VIEWS.items():
        assert view.name == name and view.group in GROUPS and view.heading == view.title


def test_every_choice_has_a_short_word(trace):
    for view in VIEWS.values():
        if view.applies(trace) and view.name != "activation":
            assert set(view.choices(trace)) <= set(SHORT), view.name


@pytest.mark.parametrize("family", CONFIGS)
def test_views_apply_by_the_config_alone(family):
    names = {name for name, view in VIEWS.items() if view.applies(CONFIGS[family])}
    assert ("gates" in names) == (CONFIGS[family].arch in RECURRENT)
    assert ("attention" in names) == (CONFIGS[family].arch in ("bert", "gpt", "transformer"))
    assert names == {name for name, view in VIEWS.items() if view.applies(shared(family))}


# -- tokens


def test_tokens_carry_ids_offsets_and_segments():
    encoding = Encoding(
        text="a bc",
        ids=(5, 7, 8, 5),
        tokens=("[CLS]", "a", "\x1b[31m", "z"),
        offsets=(None, (0, 1), (2, 4), (0, 1)),
        segments=(0, 0, 0, 1),
        special=(True, False, False, False),
        pair="z",
    )
    (part,) = draw("tokens", Trace({}, encoding=encoding, truncated=True)).parts
    assert [(t.text, t.id, t.start, t.end, t.segment, t.special) for t in part.tokens] == [
        ("[CLS]", 5, None, None, 0, True),
        ("a", 7, 0, 1, 0, False),
        ("␛[31m", 8, 2, 4, 0, False),
        ("z", 5, 0, 1, 1, False),
    ]
    assert part.origin(0) is None
    assert "only its beginning" in draw("tokens", Trace({}, encoding=encoding, truncated=True)).caption
    assert draw("tokens", Trace({}, encoding=encoding)).caption == "4 tokens, 5 characters"


def test_the_decoder_has_its_own_tokens():
    trace = shared("transformer")
    source, target = draw("tokens", trace).parts
    assert [token.text for token in source.tokens] == list(TOKENS)
    assert [token.text for token in target.tokens] == list(TARGET)
    for part in (source, target):
        for i, token in enumerate(part.tokens):
            origin = part.origin(i)
            assert trace.array(origin.name)[origin.index] == token.id


# -- embedding


@pytest.mark.parametrize("family", ["lstm", "bert", "gpt"])
def test_one_hot_times_the_matrix_is_the_row(family):
    trace = shared(family)
    product, strip = draw("embedding", trace, position=3).parts[:2]
    assert strip.title == "token embedding"
    matrix = network(family).token_embedding.weight.detach().numpy()
    one_hot = np.zeros(23)
    one_hot[trace.encoding.ids[3]] = 1
    np.testing.assert_allclose(strip.values[3], one_hot @ matrix, rtol=1e-6)
    factors = [int(label.split(" × ")[0]) for label in product.rows]
    rows = [int(label.split(" × ")[1]) for label in product.rows]
    assert sum(factors) == 1 and rows[factors.index(1)] == trace.encoding.ids[3]
    np.testing.assert_array_equal(product.values, matrix[rows])
    assert "中文" in product.title


def test_three_embeddings_add_up_in_bert():
    token, position, segment, total, normed = draw("embedding", shared("bert")).parts[1:]
    np.testing.assert_allclose(total.values, token.values + position.values + segment.values, rtol=1e-6)
    norm = network("bert").embed_norm
    expected = torch.nn.functional.layer_norm(
        torch.tensor(total.values), (8,), norm.weight, norm.bias, norm.eps
    )
    np.testing.assert_allclose(normed.values, expected.detach().numpy(), atol=1e-6)


def test_a_sum_is_named_only_where_something_is_added(trace):
    titles = [part.title.split(" · ")[0] for part in draw("embedding", trace).parts[1:]]
    added = {"position embedding", "segment embedding"} & set(titles)
    assert ("their sum" in titles) == bool(added)
    assert added or titles[-1] in ("embedding", "both, side by side", "token embedding")


def test_source_and_target_have_embeddings_of_their_own():
    trace = shared("transformer")
    assert VIEWS["embedding"].layers(trace) == 2
    assert draw("embedding", trace, layer=0).parts[1].rows == TOKENS
    assert draw("embedding", trace, layer=1).parts[1].rows == TARGET


def test_character_features_stand_beside_the_word():
    parts = {part.title: part for part in draw("embedding", shared("lstm-chars")).parts}
    joined = parts["both, side by side"].values
    np.testing.assert_array_equal(joined[:, :6], parts["token embedding"].values)
    np.testing.assert_array_equal(joined[:, 6:], parts["character feature"].values)


def test_a_token_of_spaces_is_seen_everywhere():
    trace = run("gpt", ("a", " ", "   ", "b c"))
    shown = ("a", "␣", "␣␣␣", "b c")
    assert tuple(token.text for token in draw("tokens", trace).parts[0].tokens) == shown
    (table,) = draw("attention", trace).parts
    assert table.rows == table.cols == shown
    assert "'␣'" in draw("embedding", trace, position=1).parts[0].title
    assert "'␣'" in draw("hidden", trace, position=1).parts[1].title
    bars = draw("output", trace, position=1).parts[0]
    assert "'␣'" in bars.title and bars.fixed[0].label == "␣"
    assert "'␣'" in describe(draw("output", trace, position=1), 0, 0)


# -- hidden


@pytest.mark.parametrize("family", RECURRENT)
def test_hidden_states_are_those_of_torch(family):
    trace, model = shared(family), network(family)
    oracle = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[family](
        6, 7, 2, batch_first=True, bidirectional=True
    )
    oracle.load_state_dict(model.layers.state_dict())
    with torch.no_grad():
        expected = oracle(model.token_embedding(torch.tensor([trace.encoding.ids])))[0][0].numpy()
    assert VIEWS["hidden"].layers(trace) == 2
    top = draw("hidden", trace, layer=1).parts[0]
    assert top.rows == TOKENS and top.cols == tuple(map(str, range(14)))
    np.testing.assert_allclose(top.values, expected, atol=1e-6)


def test_the_lstm_shows_the_cell_of_each_direction():
    trace = shared("lstm")
    assert VIEWS["hidden"].heads(trace) == 2
    titles = [draw("hidden", trace, layer=1, head=head).parts[1].title for head in (0, 1)]
    assert titles == ["cell state · layer 1, forward", "cell state · layer 1, backward"]


@pytest.mark.parametrize("family, layers", [("bert", 3), ("gpt", 4), ("gpt-post", 3), ("transformer", 6)])
def test_the_residual_stream_runs_from_the_embedding_to_the_last_block(family, layers):
    trace = shared(family)
    assert VIEWS["hidden"].layers(trace) == layers
    figures = [draw("hidden", trace, layer=layer, position=1) for layer in range(layers)]
    first = "embed_norm" if family == "bert" else "encoder.embed" if family == "transformer" else "embed"
    np.testing.assert_array_equal(figures[0].parts[0].values, trace.array(first)[0])
    for layer, figure in enumerate(figures):
        token, across = figure.parts
        here = layer % 3 if family == "transformer" else layer
        if token.title != "after the final LayerNorm":
            np.testing.assert_array_equal(across.values[here], token.values[1])
        assert len(across.rows) == 3
        assert token.rows[1] in across.title


# -- gates


def numpy_lstm(trace, prefix, suffix, x, backward):
    """The equations of the LSTM, one step after the other."""
    w, u, b, c = (
        trace.array(f"layers.{kind}_{suffix}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    hidden, cell, steps = np.zeros(7), np.zeros(7), []
    for row in x[::-1] if backward else x:
        i, f, g, o = np.split(w @ row + b + u @ hidden + c, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        kept, written = f * cell, i * g
        cell = kept + written
        hidden = o * np.tanh(cell)
        steps.append([i, f, g, o, kept, written, cell, hidden])
    return np.array(steps[::-1] if backward else steps)  # step × value × unit


@pytest.mark.parametrize("head, suffix", [(0, "l0"), (1, "l0_reverse")])
def test_lstm_gates_follow_the_equations(head, suffix):
    trace = shared("lstm")
    expected = numpy_lstm(trace, "", suffix, trace.array("embed")[0], backward=head == 1)
    figure = draw("gates", trace, layer=0, head=head, position=2)
    step, *tables = figure.parts
    order = ["input gate", "forget gate", "candidate", "output gate", "kept of the old cell"]
    order += ["written to the cell", "cell state", "hidden state"]
    assert [table.title for table in tables] == order == list(step.rows)
    for n, table in enumerate(tables):
        assert table.cols == TOKENS and table.col_axis == "pos"
        np.testing.assert_allclose(table.values, expected[:, n].T, atol=1e-6)
    np.testing.assert_allclose(step.values, expected[2], atol=1e-6)
    assert [table.scale for table in tables].count("probability") == 3
    assert ("backward" if head else "forward") in figure.title


def test_gru_mixes_the_old_state_with_the_candidate():
    parts = {part.title: part.values for part in draw("gates", shared("gru"), layer=1).parts[1:]}
    z, n, h = parts["update gate"], parts["candidate"], parts["hidden state"]
    before = np.concatenate([np.zeros((7, 1)), h[:, :-1]], 1)
    np.testing.assert_allclose(h, (1 - z) * n + z * before, atol=1e-6)
    assert "reset gate" in parts


def test_rnn_has_no_gates_but_a_preactivation():
    figure = draw("gates", shared("rnn"))
    parts = {part.title: part.values for part in figure.parts[1:]}
    assert list(parts) == ["preactivation", "hidden state"]
    np.testing.assert_allclose(parts["hidden state"], np.tanh(parts["preactivation"]), atol=1e-6)
    assert VIEWS["gates"].choices(shared("rnn")) == ("gates", "active")


@pytest.mark.parametrize("family", RECURRENT)
def test_units_by_activity_stand_in_the_same_order_in_every_table(family):
    trace = shared(family)
    plain, sorted_ = (draw("gates", trace, layer=1, name=name) for name in ("gates", "active"))
    hidden = trace.array("layers.1.forward.hidden")[0]
    order = sorted(range(hidden.shape[1]), key=lambda unit: -abs(hidden[:, unit]).mean())
    for before, after in zip(plain.parts, sorted_.parts, strict=True):
        axis = 1 if before.row_axis == "activation" else 0
        assert np.array_equal(after.values, np.take(before.values, order, axis))
        assert (after.cols if axis else after.rows) == tuple(map(str, order))


def test_gates_before_the_squashing():
    trace = shared("lstm")
    before = draw("gates", trace, name="pre").parts
    after = {part.title: part.values for part in draw("gates", trace).parts}
    forget = next(part for part in before if part.title == "forget gate before σ")
    np.testing.assert_allclose(1 / (1 + np.exp(-forget.values)), after["forget gate"], atol=1e-6)


# -- attention


@pytest.mark.parametrize("family, layer, head", [("bert", 0, 1), ("gpt", 1, 0), ("gpt-post", 1, 1)])
def test_attention_weights_are_the_softmax_of_scaled_products(family, layer, head):
    trace = shared(family)
    assert VIEWS["attention"].layers(trace) == 2 and VIEWS["attention"].heads(trace) == 2
    q, k = (trace.array(f"blocks.{layer}.attn.{name}")[0, head] for name in "qk")
    scores = q @ k.T / np.sqrt(4)
    if family.startswith("gpt"):
        scores = np.where(np.tril(np.ones_like(scores)) == 1, scores, -np.inf)
    exp = np.exp(scores - scores.max(1, keepdims=True))
    figure = draw("attention", trace, layer=layer, head=head)
    (table,) = figure.parts
    assert table.rows == table.cols == TOKENS and table.scale == "probability"
    np.testing.assert_allclose(table.values, exp / exp.sum(1, keepdims=True), atol=1e-6)
    assert figure.title == f"Attention · block {layer} · head {head}"
    (shown,) = draw("attention", trace, layer=layer, head=head, name="scores").parts
    np.testing.assert_allclose(shown.values, scores, atol=1e-6)
    (dots,) = draw("attention", trace, layer=layer, head=head, name="dot").parts
    np.testing.assert_allclose(dots.values, q @ k.T, atol=1e-6)


def test_the_causal_triangle_is_exactly_zero():
    (table,) = draw("attention", shared("gpt"), layer=1).parts
    assert (table.values[np.triu_indices(len(TOKENS), 1)] == 0).all()


def test_cross_attention_has_target_rows_and_source_columns():
    trace = shared("transformer")
    titles = [
        draw("attention", trace, layer=layer).title for layer in range(VIEWS["attention"].layers(trace))
    ]
    assert titles == [
        "Attention · encoder block 0 · head 0",
        "Attention · encoder block 1 · head 0",
        "Attention · decoder block 0, self-attention · head 0",
        "Attention · decoder block 0, cross-attention · head 0",
        "Attention · decoder block 1, self-attention · head 0",
        "Attention · decoder block 1, cross-attention · head 0",
    ]
    (table,) = draw("attention", trace, layer=3, head=1).parts
    assert table.rows == TARGET and table.cols == TOKENS
    np.testing.assert_allclose(table.values.sum(1), 1, atol=1e-6)
    assert draw("attention", trace, layer=0).parts[0].rows == TOKENS
    assert draw("attention", trace, layer=2).parts[0].cols == TARGET


# -- output


def softmax(logits):
    exp = np.exp(logits - logits.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


@pytest.mark.parametrize("family", ["lstm", "bert-tags"])
def test_a_label_a_token(family):
    trace = shared(family)
    output = {
        "tags": [
            {"token": "the", "tag": "DET", "prob": 0.75},
            {"token": "can\x1b", "tag": "NOUN", "prob": 0.5},
        ]
    }
    tags, bars, table = draw("output", trace.with_output(output), position=1).parts
    assert [(t.text, t.tag, t.prob) for t in tags.tokens] == [("the", "DET", 0.75), ("can␛", "NOUN", 0.5)]
    assert table.rows == TOKENS and table.cols == TAGS
    np.testing.assert_allclose(table.values, softmax(trace.array("logits")[0]), atol=1e-6)
    order = np.argsort(-table.values[1])
    assert bars.labels == tuple(TAGS[i] for i in order)
    np.testing.assert_allclose(bars.values, np.sort(table.values[1])[::-1])


def test_one_sentence_has_no_next_sentence():
    alone = draw("output", shared("bert"), position=3)
    paired = draw("output", dataclasses.replace(shared("bert"), pair="the second"), position=3)
    assert len(paired.parts) == 2 and [part.title for part in alone.parts] == [paired.parts[0].title]


@pytest.mark.parametrize("family", ["bert-class", "gru-class"])
def test_a_label_a_sequence(family):
    (bars,) = draw("output", shared(family)).parts
    expected = softmax(shared(family).array("logits")[0])
    assert set(bars.labels) == set(TAGS)
    for label, value in zip(bars.labels, bars.values, strict=True):
        np.testing.assert_allclose(value, expected[TAGS.index(label)], atol=1e-6)
    assert list(bars.values) == sorted(bars.values, reverse=True)


@pytest.mark.parametrize("family", ["gpt", "lstm-lm", "transformer"])
def test_next_token_candidates(family):
    trace = shared(family).with_output({"candidates": [{"pos": 2, "tokens": []}]})
    answer, here = draw("output", trace, position=1).parts
    expected = softmax(trace.array("logits")[0])
    for bars, position in ((answer, 2), (here, 1)):
        assert len(bars.labels) == 10
        top = np.argsort(-expected[position])[:10]
        assert bars.labels == tuple(VOCABULARY[i] for i in top)
        np.testing.assert_allclose(bars.values, expected[position][top], atol=1e-6)
    assert "next token after" in answer.title


def test_mask_candidates_and_next_sentence():
    figure = draw("output", dataclasses.replace(shared("bert"), pair="the second"), position=3)
    titles = [part.title for part in figure.parts]
    assert titles == ["what could stand at 3 ('中文')", "does the second sentence follow?"]
    expected = softmax(shared("bert").array("mlm.logits")[0, 3])
    np.testing.assert_allclose(figure.parts[0].values, np.sort(expected)[::-1][:10], atol=1e-6)
    np.testing.assert_allclose(
        sorted(figure.parts[1].values), sorted(softmax(shared("bert").array("nsp.logits")[0]))
    )


def test_spans():
    output = {"spans": [{"text": "can", "start": 4, "end": 7, "prob": 0.5}]}
    answers, table = draw("output", shared("bert-qa").with_output(output)).parts
    assert answers.labels == ("can (4–7)",) and answers.origin(0) is None
    assert table.rows == ("start of the answer", "end of the answer") and table.cols == TOKENS
    np.testing.assert_allclose(table.values[1], softmax(shared("bert-qa").array("end.logits")[0]), atol=1e-6)


def test_a_text_made_token_by_token():
    output = {"text": "le chat", "tokens": [{"id": 3, "text": "le", "logprob": np.log(0.25)}]}
    figure = draw("output", Trace({}, output=output))
    (token,) = figure.parts[0].tokens
    assert (token.text, token.id) == ("le", 3) and token.prob == pytest.approx(0.25)
    assert figure.caption == "le chat"


def test_an_answer_without_recorded_probabilities():
    output = {
        "labels": [{"label": "good", "prob": 0.75}, {"label": "bad", "prob": 0.25}],
        "candidates": [{"pos": 1, "tokens": [{"id": 4, "text": "cat", "prob": 0.5}]}],
    }
    classes, candidates = draw("output", Trace({}, output=output)).parts
    assert classes.labels == ("good", "bad") and list(classes.values) == [0.75, 0.25]
    assert candidates.labels == ("cat",) and candidates.origin(0) is None


# -- tree and activation


def test_the_tree_holds_everything_once(trace):
    (tree,) = draw("tree", trace).parts
    leaves = [row for row in tree.rows if row.leaf]
    assert {row.path for row in leaves} == {*trace.activations, *trace.inputs}
    assert len({row.path for row in tree.rows}) == len(tree.rows)
    for row in leaves:
        assert row.shape == trace[row.path].shape and row.formula == trace[row.path].formula
    depths = [row.depth for row in tree.rows]
    assert depths[0] == 0 and all(b <= a + 1 for a, b in zip(depths, depths[1:], strict=False))
    open_branches = {}
    for row in tree.rows:  # a row lies under the branch whose path begins its own
        open_branches[row.depth] = row.path
        assert row.depth == 0 or row.path.startswith(open_branches[row.depth - 1] + ".")


def test_any_activation_input_and_parameter_can_be_shown(trace):
    for name in VIEWS["activation"].choices(trace):
        (table,) = draw("activation", trace, name=name, head=1, position=1).parts
        array = trace[name].value.detach().numpy()
        shape = array.shape[1:] if trace[name].axes[0] == "batch" else array.shape
        assert table.values.shape == tuple([1] * (2 - len(shape)) + list(shape[-2:]))
        assert describe(draw("activation", trace, name=name), 0, 0, 0)


def test_heads_choose_the_slice():
    trace = shared("bert")
    for head in (0, 1):
        (table,) = draw("activation", trace, name="blocks.0.attn.q", head=head).parts
        np.testing.assert_array_equal(table.values, trace.array("blocks.0.attn.q")[0, head])


def test_a_number_alone_is_a_table_of_one():
    trace = Trace({}, parameters={"temperature": torch.tensor(0.5)})
    (table,) = draw("activation", trace, name="temperature").parts
    assert table.values.tolist() == [[0.5]] and table.origin(0, 0).index == ()


# -- empty, edited, long


def emptied(held, axes):
    """The activation with no positions on any axis of tokens."""
    at = tuple(slice(0, 0) if axis in (*TOKEN_AXES, "tgt") else slice(None) for axis in axes)
    return dataclasses.replace(held, value=held.value[at])


def test_no_tokens_at_all(trace):
    empty = dataclasses.replace(
        trace,
        activations={name: emptied(held, held.axes) for name, held in trace.activations.items()},
        inputs={name: emptied(held, held.axes) for name, held in trace.inputs.items()},
        label_sets={"vocab": VOCABULARY, "label": TAGS},
        encoding=encoding_of(()),
    )
    drawn = 0
    for figure in every_figure(empty, (0,)):
        for number, part in enumerate(figure.parts):
            drawn += 1
            for row, col in cells(part)[:3]:  # what does not depend on tokens is still there
                assert describe(figure, number, row, col)
    assert drawn > 10


@pytest.mark.parametrize("trace", DIFFERENT, indirect=True)
def test_one_token(trace):
    short = run(next(name for name in CONFIGS if CONFIGS[name] is trace.config), ("a",))
    assert sum(len(figure.parts) for figure in every_figure(short, (0,))) > 10


def test_an_edited_activation_keeps_its_raw_values_apart():
    edit = Edit.parse("layers.0.forward.forget_gate[0,:,2]=force:1")
    model = network("lstm")
    recorder = Recorder(dict(model.named_parameters()), edits=[edit])
    from nlptui.nn import Batch

    with torch.no_grad():
        model(Batch(torch.tensor([[1, 2, 3]])), recorder)
    trace = Trace(
        recorder.activations, recorder.inputs, dict(model.named_parameters()), config=CONFIGS["lstm"]
    )
    tables = draw("gates", trace).parts[1:]
    assert [table.title for table in tables].count("forget gate") == 1
    forget = next(table for table in tables if table.title == "forget gate")
    assert (forget.values[2] == 1).all()
    figure = draw("activation", trace, name="layers.0.forward.forget_gate.unedited")
    assert describe(figure, 0, 0, 2).startswith(
        "before the edit, how much of the old cell state unit 2 keeps at '0'"
    )


@pytest.mark.parametrize("family", ["lstm", "bert", "gpt", "transformer"])
def test_a_figure_of_512_tokens_is_drawn_at_once_and_copies_nothing_large(family):
    trace = run(family, tuple(f"t{i}" for i in range(512)))
    for view in VIEWS.values():
        if not view.applies(trace):
            continue
        analysed(trace, *view.needs(trace, State(position=511)))
        times = []
        for _ in range(3):
            start = time.perf_counter()
            figure = view.draw(trace, State(position=511))
            times.append(time.perf_counter() - start)
        assert min(times) < 0.1, (view.name, times)
        for part in figure.parts:
            if isinstance(part, HeatTable) and part.values.size > 100_000:
                assert np.shares_memory(part.values, trace.array(part.source.name))


def test_views_load_no_torch():
    code = "import sys, nlptui.views.render, nlptui.views.runs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

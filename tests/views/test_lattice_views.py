"""The views of rules, HMMs and CRFs, and the eras side by side, on the models that ship."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

import nlptui.locale
from nlptui.engine import Engine
from nlptui.engine.library import list_models
from nlptui.trace import Trace
from nlptui.views import VIEWS, State, describe, eras
from nlptui.views.figure import Bars, Figure, HeatTable, Tokens
from nlptui.views.render_text import to_text
from nlptui.views.view import BEGIN

TEXTS = {"en": "The old man the boats, she said.", "zh": "我们在海边看见一只白猫，1987年。"}
MODELS = [
    f"{task}-{arch}-{language}"
    for task, language in (("pos", "en"), ("pos", "zh"), ("seg", "zh"), ("ner", "zh"))
    for arch in ("rules", "hmm", "crf")
]
SHOWN = ("lattice", "evidence", "fired")


@cache
def engine(name: str) -> Engine:
    return Engine.load(name, device="cpu")


def trace(name: str, text: str | None = None) -> Trace:
    return engine(name).trace(TEXTS[name[-2:]] if text is None else text)


def drawn(view: str, made: Trace, state: State = BEGIN) -> Figure:
    engine(made.model).analyse(made, *VIEWS[view].needs(made, state))
    return VIEWS[view].draw(made, state)


@pytest.mark.parametrize("name", MODELS)
def test_every_cell_is_the_element_that_it_opens_and_has_a_sentence(name: str) -> None:
    made, checked = trace(name), 0
    for view in (VIEWS[one] for one in SHOWN):
        if not view.applies(made):
            continue
        for choice in view.choices(made) or (None,):
            for position in (0, 3):
                figure = drawn(view.name, made, State(position=position, name=choice))
                assert figure.parts
                for number, part in enumerate(figure.parts):
                    if isinstance(part, Tokens):
                        continue
                    assert isinstance(part, HeatTable | Bars)
                    cols = part.values.shape[1] if isinstance(part, HeatTable) else 1
                    for row in range(len(part.values)):
                        col = (row * 3) % cols
                        origin = part.origin(row, col)
                        assert origin is not None
                        shown = part.values[row, col] if isinstance(part, HeatTable) else part.values[row]
                        np.testing.assert_equal(shown, made.array(origin.name)[origin.index])
                        words = describe(figure, number, row, col)
                        assert "{" not in words
                        known = origin.name in made.parameters or origin.name in ("score", "rule", "fits")
                        assert known or origin.name not in words.split(), words
                        checked += 1
    assert checked >= 2


@pytest.mark.parametrize("name", ["pos-hmm-en", "pos-crf-zh", "ner-lstm-zh"])
def test_a_column_adds_up_along_the_best_path(name: str) -> None:
    made = trace(name)
    path = made.array("path")[0].astype(int)
    for position in range(1, len(path)):
        figure = drawn("lattice", made, State(position=position))
        row, table, pointers = figure.parts[:3]
        assert isinstance(row, Tokens) and isinstance(table, HeatTable) and isinstance(pointers, HeatTable)
        assert [token.tag for token in row.tokens] == [made.labels("score", "tag")[tag] for tag in path]
        tag, before = path[position], path[position - 1]
        emission, way, score = (float(table.values[i, tag]) for i in range(3))
        assert pointers.values[0, tag] == before
        name = made.labels("score", "tag")[before]
        assert pointers.texts[0][tag] == name
        assert describe(figure, 2, 0, tag).endswith(f": {name}, number {before}")
        assert name in to_text(figure).split("back-pointers")[1]
        assert score == pytest.approx(emission + way + float(made.array("score")[0, position - 1, before]))


def test_features_are_told_as_strings_and_add_up() -> None:
    made = trace("pos-crf-en")
    table, total, most, least = drawn("evidence", made, State(position=1)).parts
    assert isinstance(table, HeatTable) and isinstance(total, HeatTable)
    assert "lower=old" in table.rows and "before=the" in table.rows and "(before_ends2)" not in table.rows
    np.testing.assert_allclose(table.values.sum(0), total.values[0])
    assert isinstance(most, Bars) and isinstance(least, Bars)
    assert "ADJ" in most.title and "ADJ" in least.title
    assert (np.diff(most.values) <= 0).all() and (np.diff(least.values) >= 0).all()
    model = engine("pos-crf-en").model
    weights = model.state.weight[:, engine("pos-crf-en").config.labels.index("ADJ")]
    assert most.values[0] == float(weights.max()) and most.labels[0] == model.features[int(weights.argmax())]


def test_counts_lead_to_the_emission() -> None:
    made = trace("pos-hmm-en")
    table, words = drawn("evidence", made, State(position=0)).parts
    assert isinstance(table, HeatTable) and len(table.rows) == 5
    np.testing.assert_allclose(np.log(table.values[3].astype(float)), table.values[4].astype(float))
    assert isinstance(words, Bars) and words.labels[0] == "the" and "DET" in words.title


def test_the_rule_that_fired_is_named() -> None:
    row, table = drawn("fired", trace("pos-rules-en")).parts
    assert isinstance(row, Tokens) and isinstance(table, HeatTable)
    assert row.tokens[0].tag == "articles and other determiners"
    words = describe(drawn("fired", trace("pos-rules-en")), 0, 0)
    assert words.endswith("'The', decided by the rule articles and other determiners")
    assert row.tokens[5].tag == "marks"
    first = [table.cols[int(values.argmax())] for values in table.values]
    assert first == [token.tag for token in row.tokens], "the first that fits decides"


def test_a_word_that_the_vocabulary_lacks_is_shown_by_its_characters() -> None:
    made = trace("pos-hmm-en", "The zorblax ran.")
    assert made.encoding.tokens[1] == "[UNK]"
    assert made.label_sets["tokens"] == ("The", "zorblax⁇", "ran", ".")
    assert trace("pos-crf-en", "The zorblax ran.").label_sets["tokens"][1] == "zorblax", "it reads characters"
    figure = drawn("tokens", made)
    (row,) = figure.parts
    assert isinstance(row, Tokens) and [token.text for token in row.tokens] == list(made.label_sets["tokens"])
    assert "⁇ behind a token" in figure.caption and "[UNK]" in figure.caption
    assert describe(figure, 0, 1).startswith("token 1: 'zorblax (unknown)', id 1")
    assert "'zorblax (unknown)'" in describe(VIEWS["activation"].draw(made, State(name="emission")), 0, 1)


@pytest.mark.parametrize("name", MODELS)
def test_every_token_opens_what_the_model_reads_of_it(name: str) -> None:
    made = trace(name)
    (row,) = drawn("tokens", made).parts
    for place in range(len(made.encoding.tokens)):
        origin = row.origin(place)
        assert origin is not None and engine(name).explain(made, origin.name, origin.index).value == float(
            made.array(origin.name)[origin.index]
        )


@pytest.mark.parametrize(("name", "word"), [("pos-rules-en", "其余"), ("seg-rules-zh", "词典")])
def test_where_no_rule_fits_what_decides_is_named_in_the_language_of_the_reader(name: str, word: str) -> None:
    made = trace(name)
    nlptui.locale.set_language("zh")
    row = drawn("fired", made).parts[0]
    table = VIEWS["activation"].draw(made, State(name="fits")).parts[0]
    assert isinstance(row, Tokens) and word in [token.tag for token in row.tokens]
    if "fits" in made:
        assert isinstance(table, HeatTable) and table.cols[-1] == word


def eras_of(name: str, text: str | None = None) -> tuple[Trace, Figure]:
    made = trace(name, text)
    for other in eras.every_era(made, list_models()):
        made.beside[other] = engine(other).trace(made.text)
        engine(other).analyse(made.beside[other], "analysis.eras")
    return made, drawn("eras", made)


def in_order(made: Trace, figure: Figure) -> tuple[HeatTable, list[Trace]]:
    """The table of tags, and the run of each of its rows."""
    table, numbered = figure.parts[0], [None, made, *made.beside.values()]
    assert isinstance(table, HeatTable)
    return table, [numbered[source.trace] for source in table.source]


def test_the_eras_stand_under_each_other_oldest_first() -> None:
    made, figure = eras_of("pos-lstm-en", "The horse raced past the barn fell.")
    table, rows = in_order(made, figure)
    order = [f"pos-{era}-en" for era in ("rules", "hmm", "crf", "rnn", "lstm", "gru", "bert")]
    assert [run.model for run in rows] == order
    models = {entry.name: entry for entry in list_models()}
    assert table.cols == ("The", "horse", "raced", "past", "the", "barn", "fell", ".")
    for number, (label, run) in enumerate(zip(table.rows, rows, strict=True)):
        answer = engine(run.model).predict(made.text)["output"]["tags"]
        assert [text.removesuffix(" ≠") for text in table.texts[number]] == [tag["tag"] for tag in answer]
        assert table.values[number].tolist() == pytest.approx([tag["prob"] for tag in answer])
        assert label.endswith(f" {models[run.model].metrics['accuracy']:.3f}")
        words = describe(figure, 0, number, 3)
        tag = table.texts[number][3].removesuffix(" ≠")
        assert label in words and f"'past' is {tag}, with" in words
    for column in zip(*table.texts, strict=True):
        tags = [text.removesuffix(" ≠") for text in column]
        usual = max(tags, key=lambda tag: (tags.count(tag), -tags.index(tag)))
        assert [text.endswith("≠") for text in column] == [tag != usual for tag in tags]
    assert any(text.endswith("≠") for row in table.texts for text in row)


def test_what_each_era_takes_stands_below() -> None:
    made, figure = eras_of("pos-lstm-en")
    models = {entry.name: entry for entry in list_models()}
    _table, rows = in_order(made, figure)
    accuracy, ms, parameters = figure.parts[1:]
    for bars in (accuracy, ms, parameters):
        assert isinstance(bars, Bars) and [label.split(" · ")[1] for label in bars.labels] == [
            run.model for run in rows
        ]
    assert accuracy.values.tolist() == [models[run.model].metrics["accuracy"] for run in rows]
    assert parameters.values.tolist() == [models[run.model].parameters for run in rows]
    assert all(0 < value < 10_000 for value in ms.values)
    assert f"{models['pos-bert-en'].parameters:,}" in to_text(figure)


def test_a_model_that_was_never_measured_has_no_bar_of_accuracy() -> None:
    made, _figure = eras_of("pos-lstm-en")
    name, kind = "pos-crf-en", f"{eras.PREFIX}accuracy"
    made.beside[name].activations[kind] = replace(made.beside[name][kind], value=torch.tensor([[torch.nan]]))
    figure = drawn("eras", made)
    table, rows = in_order(made, figure)
    accuracy, ms = figure.parts[1:3]
    assert isinstance(accuracy, Bars) and isinstance(ms, Bars)
    assert len(accuracy.labels) == 6 and len(ms.labels) == 7
    assert not any(name in label for label in accuracy.labels)
    assert table.rows[[run.model for run in rows].index(name)] == "CRF"


def test_numbers_of_the_eras_open_in_their_own_runs() -> None:
    made, figure = eras_of("pos-rnn-en")
    numbered = [None, made, *made.beside.values()]
    _table, rows = in_order(made, figure)
    for number, part in enumerate(figure.parts):
        assert isinstance(part, HeatTable | Bars)
        for row, owner in enumerate(rows):
            origin = part.origin(row, 1)
            run = numbered[origin.trace]
            assert run is owner
            shown = part.values[row] if isinstance(part, Bars) else part.values[row, 1]
            assert shown == run.array(origin.name)[origin.index]
            found = engine(run.model).explain(run, origin.name, origin.index)
            assert found.notation, "it opens to what it is"
            if isinstance(part, Bars):
                assert run.model in describe(figure, number, row)


def test_models_that_cut_a_text_otherwise_stand_under_each_other() -> None:
    made, figure = eras_of("pos-crf-zh")
    table, rows = in_order(made, figure)
    assert len(rows) == 4 and "".join(table.cols) == made.text
    assert any("…" in texts for texts in table.texts)
    for texts, run in zip(table.texts, rows, strict=True):
        shown = [text.removesuffix(" ≠") for text in texts if text != "…"]
        assert shown == [tag["tag"] for tag in run.output["tags"]]


def test_a_model_that_reads_less_of_a_text_has_no_words_at_its_end() -> None:
    made, figure = eras_of("pos-lstm-en", "The old man walks home. " * 20)
    table, rows = in_order(made, figure)
    bert = [run.model for run in rows].index("pos-bert-en")
    end = len(table.cols) - 1
    assert table.texts[bert][end] == "" and np.isnan(table.values[bert, end])
    assert table.origin(bert, end) is None and table.origin(0, end) is not None
    assert describe(figure, 0, bert, end)


def test_only_taggers_of_the_same_kind_are_compared() -> None:
    made = trace("seg-crf-zh")
    assert eras.every_era(made, list_models()) == ("seg-rules-zh", "seg-hmm-zh")
    made = trace("ner-crf-zh")
    assert eras.every_era(made, list_models()) == ("ner-rules-zh", "ner-hmm-zh", "ner-lstm-zh")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [78, 118])
@pytest.mark.parametrize("name", ["pos-rules-en", "pos-hmm-zh", "seg-rules-zh", "ner-crf-zh"])
def test_in_both_languages_at_both_sizes(name: str, width: int, language: str) -> None:
    nlptui.locale.set_language(language)
    try:
        made = trace(name)
        for view in (VIEWS[one] for one in (*SHOWN, "eras")):
            if view.applies(made):
                text = to_text(drawn(view.name, made), width)
                assert view.heading in text and len(text.splitlines()) > 3
    finally:
        nlptui.locale.set_language("en")


@pytest.mark.parametrize("name", ["pos-hmm-en", "pos-crf-en", "pos-rules-en"])
def test_an_empty_text_is_said(name: str) -> None:
    made = trace(name, "")
    for view in (*SHOWN, "eras"):
        if VIEWS[view].applies(made):
            assert drawn(view, made).caption == "The text is empty."


def test_f1_stands_beside_each_where_it_is_what_counts() -> None:
    made, figure = eras_of("ner-crf-zh")
    models = {entry.name: entry for entry in list_models()}
    table, rows = in_order(made, figure)
    assert len(rows) == 4
    for label, run in zip(table.rows, rows, strict=True):
        assert label.endswith(f" {models[run.model].metrics['f1']:.3f}")
    bars = figure.parts[2]
    assert isinstance(bars, Bars) and bars.values.tolist() == [models[r.model].metrics["f1"] for r in rows]
    _made, figure = eras_of("pos-lstm-zh")
    assert "F1" not in to_text(figure), "only one of the models has it"

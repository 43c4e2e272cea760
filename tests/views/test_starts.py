"""Where a view begins as long as nobody has chosen a token, and what attribution shows of a translator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nlptui.first_screen import figure_of
from nlptui.trace import Trace
from nlptui.views import VIEWS, State
from nlptui.views.figure import Bars, HeatTable
from tests.views.conftest import CONFIGS, TARGET, TOKENS, analysed, drawn, run, shared

GAP = {"candidates": [{"pos": 3, "tokens": []}, {"pos": 4, "tokens": []}]}


def figure(trace: Trace, view: str, **state: object):  # type: ignore[no-untyped-def]
    return figure_of(trace, view, state, lambda trace, *names: analysed(trace, *names))


def masked() -> Trace:
    """A run of a text with [MASK] at 3 and 4, as the engine's answer says."""
    return replace(run("bert"), output=GAP)


@pytest.mark.parametrize("view", ["lens", "attribution", "sources"])
def test_a_view_of_answers_begins_at_the_mask(view: str) -> None:
    trace = masked()
    assert {VIEWS[name].start(trace) for name in ASKED} == {3}
    begun, chosen, first = (
        figure(masked(), view, **state) for state in ({}, {"position": 3}, {"position": 0})
    )
    assert begun.title == chosen.title and begun.caption == chosen.caption
    assert [part.title for part in begun.parts] == [part.title for part in chosen.parts]
    told = figure(masked(), view, position=None)
    assert told.title == begun.title, "what is not said is where the view begins"
    if view != "sources":
        assert [part.title for part in first.parts] + [first.title] != [p.title for p in begun.parts] + [
            begun.title
        ], "who asks for the first token gets it"


ASKED = ("lens", "attribution", "sources", "hidden", "feed_forward", "steps")
"""Views of what the model makes of one token: the one whose answer a text asks for."""


@pytest.mark.parametrize("family", CONFIGS)
def test_other_texts_begin_at_their_first_token_and_what_comes_next_is_asked_at_the_end(family: str) -> None:
    trace = replace(shared(family), output=GAP if family != "bert" else {})
    language_model = CONFIGS[family].task == "language_model"
    assert language_model == (family in ("lstm-lm", "gpt", "gpt-post"))
    for view in VIEWS.values():
        if view.applies(trace):
            at_the_end = view.name == "through_time" or language_model and view.name in ASKED
            assert view.start(trace) == (len(TOKENS) - 1 if at_the_end else 0), view.name


def test_of_two_sentences_it_is_asked_whether_one_follows() -> None:
    """Unless a word is missing from them, or one of the words is asked about."""
    needs = VIEWS["attribution"].needs
    pair = replace(run("bert"), pair="the", output={})
    likeliest = int(pair.array("nsp.logits")[0].argmax())
    assert needs(pair, State())[0] == f"analysis.attribution.to_{likeliest}."
    assert needs(pair, State(target=1 - likeliest))[0] == f"analysis.attribution.to_{1 - likeliest}."
    assert needs(pair, State(position=2, target=9))[0] == "analysis.attribution.at_2.to_9."
    assert needs(replace(pair, output=GAP), State(position=3))[0].startswith("analysis.attribution.at_3.")
    assert needs(replace(pair, pair=None), State())[0].startswith("analysis.attribution.at_0.")


def test_nothing_comes_after_the_mark_of_the_end() -> None:
    tokens = ("<s>", "春", "眠", "</s>")
    trace = run("gpt", tokens)
    trace = replace(trace, encoding=replace(trace.encoding, special=(True, False, False, True)))
    assert {VIEWS[name].start(trace) for name in ASKED} == {2}
    alone = replace(trace, encoding=replace(trace.encoding, special=(True, True, True, True)))
    assert VIEWS["lens"].start(alone) == 0


@pytest.mark.parametrize("method", ["integrated", "gradient_input", "left_out", "attention"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_translation_comes_from_the_source_and_from_what_was_written(method: str, position: int) -> None:
    trace = shared("transformer")
    found = drawn("attribution", trace, State(position=position, name=method))
    source, written, source_table, written_table = found.parts
    assert isinstance(source, Bars) and source.labels == TOKENS
    assert isinstance(written, Bars) and written.labels == TARGET[: position + 1]
    for bars, table in ((source, source_table), (written, written_table)):
        assert isinstance(table, HeatTable) and table.cols == bars.labels and len(table.rows) == 4
        name = bars.origin(0).name
        np.testing.assert_array_equal(bars.values, trace.array(name)[0, : len(bars.values)])
        row = [origin.name for origin in (table.origin(n, 0) for n in range(4))].index(name)
        np.testing.assert_array_equal(table.values[row], bars.values)
    assert f"after {TARGET[position]} ({position})" in found.title
    if method == "attention":
        assert source.values.sum() == pytest.approx(1, abs=1e-5)
        assert written.values.sum() == pytest.approx(1, abs=1e-5)
    if method == "integrated":
        assert "Sum − gain: " in found.caption and "too abruptly" not in found.caption


def test_a_translator_is_asked_about_what_it_wrote() -> None:
    """The token after the position, likely or not; after the last one, the likeliest."""
    trace = shared("transformer")
    written = trace.array("target_ids")[0]
    for position in range(2):
        before = VIEWS["attribution"].needs(trace, State(position=position))[0]
        assert before == f"analysis.attribution.at_{position}.to_{written[position + 1]}."
    likeliest = int(trace.array("logits")[0, 2].argmax())
    assert VIEWS["attribution"].needs(trace, State(position=2))[0].endswith(f"at_2.to_{likeliest}.")
    assert VIEWS["attribution"].needs(trace, State(position=1, target=4))[0].endswith("at_1.to_4.")


def test_of_a_long_text_only_the_method_asked_for_is_made() -> None:
    trace = run("gpt", tuple(f"t{i}" for i in range(70)))
    needs = VIEWS["attribution"].needs
    assert [name.split(".")[1] for name in needs(trace, State())] == ["attribution"]
    assert [name.split(".")[1] for name in needs(trace, State(name="left_out"))] == ["left_out"]
    assert [name.split(".")[1] for name in needs(trace, State(name="finer"))] == ["attribution", "finer"]
    assert [name.split(".")[1] for name in needs(shared("gpt"), State())] == ["attribution", "left_out"]


def test_a_tagger_begins_at_the_first_word_that_it_tags() -> None:
    plain, marked = (run("bert-tags", tokens) for tokens in (("the", "can"), ("[CLS]", "the", "can")))
    for view in ("output", "embedding", "attribution", "hidden"):
        assert (VIEWS[view].start(plain), VIEWS[view].start(marked)) == (0, 1)
    assert VIEWS["output"].start(run("bert-class", ("[CLS]", "the", "can"))) == 0

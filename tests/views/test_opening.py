"""Points of charts and words of an answer open to the recorded number that they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nlptui.trace import Trace
from nlptui.views import State
from nlptui.views.compare import compare
from nlptui.views.figure import Figure, Lines, Tokens
from nlptui.views.output import answered, beginnings
from tests.views.conftest import TAGS, TOKENS, drawn, encoding_of, run, shared


def recorded(trace: Trace, origin: object) -> float:
    """The element of the trace that is named."""
    return float(trace.array(origin.name)[origin.index])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("family", "view"), [("lstm", "through_time"), ("lstm-lm", "surprisal"), ("gru", "timing")]
)
def test_a_point_of_a_chart_is_the_element_that_it_opens(family: str, view: str) -> None:
    trace, checked = run(family), 0
    for part in drawn(view, trace, State(position=4)).parts:
        for row, series in enumerate(part.series if isinstance(part, Lines) else ()):
            for col, value in enumerate(series.y):
                origin = part.origin(row, col)
                # A gradient of exactly zero is a gap on a logarithmic scale, and opens all the same.
                assert recorded(trace, origin) == (0.0 if np.isnan(value) else pytest.approx(value))
                checked += 1
    assert checked >= 4


@pytest.mark.parametrize(
    ("family", "view"), [("lstm", "lens"), ("lstm-lm", "surprisal"), ("lstm-crf", "lattice")]
)
def test_a_token_with_a_probability_opens_it(family: str, view: str) -> None:
    trace = run(family)
    found = [part for part in drawn(view, trace, State(position=2)).parts if isinstance(part, Tokens)]
    assert found
    for part in found:
        for row, token in enumerate(part.tokens):
            assert recorded(trace, part.origin(row)) == pytest.approx(token.prob)


def tagged(tags: list[tuple[str, str, float]], trace: Trace) -> Tokens:
    """The row of tags of an answer."""
    output = {"tags": [{"token": token, "tag": tag, "prob": prob} for token, tag, prob in tags]}
    (row,) = answered(replace(trace, output=output))
    assert isinstance(row, Tokens)
    return row


def test_the_tags_of_an_answer_open_their_probabilities() -> None:
    trace = shared("lstm")
    probs = trace.array("probs")[0]
    words = [(TOKENS[n], TAGS[n % 3], float(probs[n, n % 3])) for n in (0, 1, 2, 4)]
    origins = [tagged(words, trace).origin(n) for n in range(4)]
    assert [origin.index for origin in origins] == [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 4, 1)]
    # The tag of a word that is tagged as one whole is no label of a token, and its probability no element.
    assert tagged([*words[:3], ("the", "B-NOUN", 0.5)], trace).source is None
    assert tagged([*words[:3], ("the", "VERB", float(probs[4, 1]) + 0.01)], trace).source is None


def test_words_begin_at_the_tokens_that_they_are_made_of() -> None:
    encoding = replace(
        encoding_of(("[CLS]", "un", "##do", " ", "un", "[SEP]")),
        text="undo un",
        offsets=(None, (0, 2), (2, 4), (4, 5), (5, 7), None),
    )
    trace = Trace({}, encoding=encoding)
    assert beginnings(trace, ["undo", "un"]) == [1, 4]
    assert beginnings(trace, ["un", "undo"]) is None


def test_a_translation_opens_the_probabilities_of_its_tokens() -> None:
    trace = shared("transformer")
    probs = trace.array("probs")[0]
    ids = probs.argmax(-1)[:2]
    tokens = [
        {"id": int(i), "text": f"w{i}", "logprob": float(np.log(row[i]))}
        for i, row in zip(ids, probs, strict=False)
    ]
    (row,) = answered(replace(trace, output={"text": "w", "tokens": tokens}))
    assert [row.origin(n).index for n in range(2)] == [(0, n, int(ids[n])) for n in range(2)]
    assert [row.origin(n).name for n in range(2)] == ["probs", "probs"]


def test_compared_charts_and_tags_open_in_their_own_runs() -> None:
    trace = shared("lstm")
    probs = trace.array("probs")[0]
    tags = tagged([(token, "NOUN", float(row[0])) for token, row in zip(TOKENS, probs, strict=True)], trace)
    chart = drawn("through_time", trace, State(position=4)).parts[0]
    figure = Figure("output", "t", (tags, chart))
    assert [part.origin(1, 1).trace for part in compare(figure, figure).parts] == [0, 1, 0, 1]

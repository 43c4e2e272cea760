"""Answers are whole words: a span that begins or ends inside one is taken to the word's ends."""

from __future__ import annotations

import pytest

from nlptui.tasks.question_answering import whole_words

#         [CLS] who  ?  [SEP] li  ##an ##g  ran .   [SEP]
INSIDE = [False, False, False, False, False, True, True, False, False, False]
PASSAGE = (4, 9)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ((5, 6), (4, 6)),
        ((4, 4), (4, 6)),
        ((6, 7), (4, 7)),
        ((7, 7), (7, 7)),
        ((4, 6), (4, 6)),
        ((8, 8), (8, 8)),
    ],
)
def test_a_span_grows_to_the_ends_of_its_words(span: tuple[int, int], words: tuple[int, int]) -> None:
    assert whole_words(INSIDE, PASSAGE, *span) == words


def test_it_never_leaves_the_passage() -> None:
    assert whole_words([True] * 10, PASSAGE, 5, 6) == (4, 8)

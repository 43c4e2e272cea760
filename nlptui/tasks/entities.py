"""Entities in IOB2 tags: where each begins and ends, and how many of them two sets share.

Knows nothing of models. Source of the measure: Tjong Kim Sang & De Meulder 2003 (CoNLL), whole spans only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlptui.tokenizers.base import locate

Entity = tuple[int, int, str]
"""Where an entity begins, where it ends, and its kind."""


def entity_spans(tags: Sequence[str]) -> set[Entity]:
    """(start, end, kind) of each entity in IOB2 tags; an I- that follows no entity of its kind begins one."""
    spans: set[Entity] = set()
    start, kind = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        goes_on = tag.startswith("I-") and tag[2:] == kind
        if kind and not goes_on:
            spans.add((start, position, kind))
            kind = ""
        if tag != "O" and not goes_on:
            start, kind = position, tag[2:]
    return spans


def repaired(tags: Sequence[str]) -> list[str]:
    """The same entities in IOB2 proper: an I- that follows no entity of its kind becomes a B-."""
    found = list(tags)
    for position, tag in enumerate(tags):
        before = tags[position - 1] if position else "O"
        if tag.startswith("I-") and before not in (f"B-{tag[2:]}", tag):
            found[position] = f"B-{tag[2:]}"
    return found


def in_text(spans: set[Entity], words: Sequence[str], text: str) -> set[Entity]:
    """Spans of words as spans of the characters of `text`, in which the words stand in order."""
    places = list(locate(words, text))
    return {(places[start][0], places[end - 1][1], kind) for start, end, kind in spans}


def f1(gold: Sequence[set[Any]], predicted: Sequence[set[Any]]) -> float:
    """Harmonic mean of precision and recall over all sets; 0 where nothing is right."""
    right = sum(len(g & p) for g, p in zip(gold, predicted, strict=True))
    total = sum(map(len, gold)) + sum(map(len, predicted))
    return 2 * right / total if total else 0.0

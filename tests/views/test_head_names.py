"""What a head is called: after a pattern that it shows, and not after one that it fits by chance."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nlptui.trace import Trace
from nlptui.views import State
from nlptui.views.figure import Thumbnails
from tests.views.conftest import drawn, run, shared

WORDS = ("the", "cat", "sat", "on", "the", "mat", "today")
MODULE = "blocks.0.attn.weights"


def looking(rows: dict[int, int], elsewhere: int | None = None) -> Trace:
    """A run in which the first head's queries look at the keys of `rows`, the others at `elsewhere` or at
    all that they may.
    """
    trace = run("gpt", WORDS)
    weights = trace[MODULE].value.clone()
    for query in range(len(WORDS)):
        key = rows.get(query, elsewhere)
        row = torch.zeros(len(WORDS))
        if key is None or key > query:
            row[: query + 1] = 1 / (query + 1)
        else:
            row[key] = 1
        weights[0, 0, query] = row
    trace.activations[MODULE] = replace(trace[MODULE], value=weights)
    return trace


def note(trace: Trace) -> str:
    part = drawn("heads", trace, State()).parts[0]
    assert isinstance(part, Thumbnails)
    return part.notes[0]


@pytest.mark.parametrize(("key", "name"), [(1, "induction"), (0, "duplicate")])
def test_a_head_that_looks_where_a_pattern_says_is_named_after_it(key: int, name: str) -> None:
    """The second 'the' looks at what followed the first one, or at the first one; nobody else does."""
    assert note(looking({4: key})) == f"{name} 1.00"


@pytest.mark.parametrize("key", [0, 1])
def test_a_head_that_looks_there_whoever_asks_is_not(key: int) -> None:
    """All queries look at one word: that the second 'the' does too says nothing about repetition."""
    told = note(looking({}, elsewhere=key))
    assert "induction" not in told and "duplicate" not in told
    assert told.startswith("first" if key == 0 else "entropy")
    numbers = drawn("heads", looking({}, elsewhere=key), State(name="numbers"))
    assert "induction (" not in numbers.caption and "duplicate (" not in numbers.caption


def test_a_translators_layers_say_which_attention_they_are() -> None:
    """Of the encoder, of the decoder itself, or across: by number alone that cannot be told."""
    trace = shared("transformer")
    titles = [drawn("attention", trace, State(layer)).parts[0].title for layer in range(6)]
    assert [title.split(" · ")[1] for title in titles] == [
        "encoder block 0", "encoder block 1", "decoder block 0, self-attention",
        "decoder block 0, cross-attention", "decoder block 1, self-attention",
        "decoder block 1, cross-attention",
    ]  # fmt: skip
    assert "Here: decoder block 0, cross-attention." in drawn("steps", trace, State(3)).caption
    assert " · " not in drawn("attention", shared("gpt"), State()).parts[0].title


def test_a_head_that_is_switched_off_has_entropy_zero_without_a_sign() -> None:
    trace = run("gpt", WORDS)
    off = trace[MODULE].value.clone()
    off[0, 0] = 0
    trace.activations[MODULE] = replace(trace[MODULE], value=off)
    assert note(trace) == "entropy 0.00"

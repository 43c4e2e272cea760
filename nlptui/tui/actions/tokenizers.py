"""What is done on the tokenizer bench."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import TOKENIZERS, Action

TOKENIZER_ACTIONS = (
    Action(
        "bench_text", ("i",), N_("text"), N_("Edit the text; all tokenizers follow as you type."), TOKENIZERS,
        "tokenizers", show=True,
    ),
    Action(
        "bench_leave", ("escape",), N_("back"),
        N_("Leave the text field; from the tables, go back to the explorer."), TOKENIZERS, "tokenizers",
        show=True,
    ),
    Action(
        "bench_next", ("tab",), N_("other table"), N_("Go from the tokenizers to the steps and back."),
        TOKENIZERS, "tokenizers", show=True,
    ),
    Action(
        "bench_vocabulary", ("v",), N_("vocabulary"),
        N_("Show the vocabulary of the chosen tokenizer; again: the steps."), TOKENIZERS, "tokenizers",
        show=True,
    ),
    Action(
        "bench_find", ("slash",), N_("find"), N_("Keep only the tokens that hold a text, or have an id."),
        TOKENIZERS, "tokenizers",
    ),
    Action(
        "bench_sort", ("s",), N_("sort"), N_("Sort the vocabulary by id, token, length or score."),
        TOKENIZERS, "tokenizers",
    ),
    Action(
        "bench_turn", ("S",), N_("turn round"), N_("Turn the order of the vocabulary round."), TOKENIZERS,
        "tokenizers",
    ),
    Action(
        "bench_draw", ("d",), N_("draw"), N_("Draw segmentations of a unigram tokenizer; again: others."),
        TOKENIZERS, "tokenizers", show=True,
    ),
    Action(
        "bench_less", ("left_curly_bracket",), N_("alpha lower"), N_("Lower alpha: all segmentations alike."),
        TOKENIZERS, "tokenizers",
    ),
    Action(
        "bench_more", ("right_curly_bracket",), N_("alpha higher"), N_("Raise alpha: the best one alone."),
        TOKENIZERS, "tokenizers",
    ),
    Action(
        "bench_learn", ("b",), N_("learn BPE"),
        N_("Learn BPE on this text, merge by merge; again: the steps."), TOKENIZERS, "tokenizers", show=True,
    ),
    Action(
        "bench_train", ("t",), N_("train"), N_("Train a tokenizer on a corpus or a file."), TOKENIZERS,
        "tokenizers", show=True,
    ),
)  # fmt: skip

"""What is done in the explorer: the sentence and its model, views, finding, numbers."""

from __future__ import annotations

from nlptui.locale import N_
from nlptui.tui.actions.action import CURSOR, NUMBER, SENTENCE, VIEW, Action

SENTENCE_ACTIONS = (
    Action(
        "edit_text",
        ("i",),
        N_("sentence"),
        N_("Edit the sentence; the screen follows as you type."),
        SENTENCE,
        show=True,
    ),
    Action(
        "leave_text",
        ("escape",),
        N_("back to view"),
        N_("Leave the text field and go back to the view; there, cancel what takes long."),
        SENTENCE,
    ),
    Action(
        "example",
        ("O",),
        N_("example"),
        N_("Put a sentence into the prompt on which this model shows what it can do."),
        SENTENCE,
    ),
    Action("choose_model", ("m",), N_("model"), N_("Choose another model."), SENTENCE, show=True),
    Action(
        "next_pooler",
        ("P",),
        N_("pooler"),
        N_("Pool the text another way, where a classifier has learned several: cls, mean, max, attention."),
        SENTENCE,
    ),
    Action(
        "choose_tokenizer",
        ("T",),
        N_("tokenizer"),
        N_("Cut the sentence with another tokenizer, beside the model's own."),
        SENTENCE,
    ),
    Action(
        "tokenizer_bench",
        ("V",),
        N_("tokenizer bench"),
        N_("Open all tokenizers on this sentence: how they cut it, step by step, and their vocabularies."),
        SENTENCE,
    ),
    Action(
        "next_reading",
        ("o",),
        N_("token as…"),
        N_("Show the token as its id, its one-hot vector, or its embedding row."),
        SENTENCE,
    ),
    Action(
        "previous_token", ("left_parenthesis",), N_("token before"), N_("Choose the token before."), SENTENCE
    ),
    Action("next_token", ("right_parenthesis",), N_("token after"), N_("Choose the token after."), SENTENCE),
    Action(
        "mark",
        ("v",),
        N_("mark a span"),
        N_("Mark the chosen token as one end of a span; the other end follows. Again: no mark."),
        SENTENCE,
    ),
)

VIEW_ACTIONS = (
    *(
        Action(f"group_{n}", (str(n),), N_("view group {n}"), N_("Open group {n} of views."), VIEW)
        for n in range(1, 10)
    ),
    Action(
        "next_view", ("tab",), N_("next view"), N_("Walk to the next view of the group."), VIEW, show=True
    ),
    Action("previous_view", ("shift+tab",), N_("view before"), N_("Walk to the view before."), VIEW),
    Action(
        "layer_down", ("left_square_bracket",), N_("layer down"), N_("Show the layer below."), VIEW, show=True
    ),
    Action(
        "layer_up", ("right_square_bracket",), N_("layer up"), N_("Show the layer above."), VIEW, show=True
    ),
    Action(
        "head_before",
        ("comma",),
        N_("head before"),
        N_("Show the head, or the direction, before."),
        VIEW,
        show=True,
    ),
    Action(
        "head_after",
        ("full_stop",),
        N_("head after"),
        N_("Show the head, or the direction, after."),
        VIEW,
        show=True,
    ),
    Action("next_part", ("w",), N_("next table"), N_("Go to the next table of the view."), VIEW),
    Action("previous_part", ("W",), N_("table before"), N_("Go to the table before."), VIEW),
    Action("scale_by", ("s",), N_("scale"), N_("Compare colours by row or within the whole table."), VIEW),
    Action(
        "show_output", ("p",), N_("output"), N_("Go to the output beside the view; Esc comes back."), VIEW
    ),
    Action(
        "choose_target",
        ("equals_sign",),
        N_("ask about this"),
        N_("Let attribution ask about the answer under the output's cursor; elsewhere: the likeliest."),
        VIEW,
    ),
    Action(
        "switch_digits", ("z",), N_("numbers or shades"), N_("Show tables as numbers or as shades."), VIEW
    ),
    Action(
        "widen",
        ("f",),
        N_("whole width"),
        N_("Give the view the whole width; again: show what stands beside it."),
        VIEW,
    ),
    Action(
        "show_tree", ("a",), N_("trace tree"), N_("Go to the list of everything that was computed."), VIEW
    ),
    Action("view_back", ("backspace",), N_("back"), N_("Go back to the view before this one."), VIEW),
)

FIND_ACTIONS = (
    Action(
        "find", ("slash",), N_("find"), N_("Find a token, a word or a value in the view."), CURSOR, show=True
    ),
    Action("find_next", ("n",), N_("next match"), N_("Go to the next match."), CURSOR),
    Action("find_previous", ("N",), N_("match before"), N_("Go to the match before."), CURSOR),
)

NUMBER_ACTIONS = (
    Action("copy_cell", ("y",), N_("copy"), N_("Copy the number under the cursor."), NUMBER),
    Action(
        "copy_command",
        ("Y",),
        N_("copy command"),
        N_("Copy the command line that opens exactly this screen."),
        NUMBER,
    ),
    Action("export", ("e",), N_("export"), N_("Write the view to a file: SVG, HTML, text or CSV."), NUMBER),
)

"""The one table of what a person can do on screen. Key bindings, palette, help page, key bar and the docs
are made from it.

Knows nothing of how an action is carried out: a screen has a method `action_<id>` for each action of its
scope.
Users rebind by id in the settings file: `"keys": {"layer_up": "ctrl+up,]"}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType

from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.text import visible


@dataclass(frozen=True)
class Action:
    """One thing a person can do: its keys, its name, one sentence of help, and where it holds."""

    id: str
    keys: tuple[str, ...]
    label: str
    """Two or three words, for the key bar and the palette; marked with N_, shown through `_`."""
    help: str
    """One sentence, for the help page and the palette."""
    group: str
    """The heading on the help page under which it stands."""
    scope: str = "explorer"
    """app: everywhere outside text fields. explorer, explain: on that screen. table: in every table,
    on every screen. dialog: in every dialog. edits: in the list of edits. help: on the help page."""
    show: bool = False
    """Whether the key bar names it."""
    priority: bool = False
    """Whether the key acts inside text fields and dialogs too."""

    @property
    def call(self) -> str:
        """The call that Textual runs: `layer_up`, `group(3)`, `cursor_left`."""
        name, _, number = self.id.rpartition("_")
        return f"{name}({number})" if number.isdigit() else self.id.replace(".", "_")


SENTENCE, VIEW, CURSOR = N_("Sentence and model"), N_("Views"), N_("Cursor")
NUMBER, EDIT, RUNS, PROGRAM = N_("Numbers"), N_("Editing and comparing"), N_("Training"), N_("Program")
WRITING = N_("Writing")
TOKENIZERS = N_("Tokenizer bench")
STUDIO = N_("Studio")
GROUPS = (SENTENCE, VIEW, CURSOR, NUMBER, EDIT, WRITING, RUNS, STUDIO, PROGRAM, TOKENIZERS)
TOGETHER = (
    ("app", "explorer", "table"),
    ("app", "explain", "table"),
    ("app", "studio"),
    ("app", "tokenizers", "table"),
    ("dialog", "edits", "table"),
    ("dialog", "help", "table"),
)
"""Scopes whose keys hold at the same time."""
SCOPES = tuple(dict.fromkeys(scope for scopes in TOGETHER for scope in scopes))

_SENTENCE = (
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

_VIEWS = (
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

# The widgets of tables bind these themselves (widgets/keys.py); a test holds the two lists together.
_CURSOR = (
    Action("cursor.left", ("h", "left"), N_("left"), N_("Move the cell cursor left."), CURSOR, "table"),
    Action("cursor.down", ("j", "down"), N_("down"), N_("Move the cell cursor down."), CURSOR, "table"),
    Action("cursor.up", ("k", "up"), N_("up"), N_("Move the cell cursor up."), CURSOR, "table"),
    Action("cursor.right", ("l", "right"), N_("right"), N_("Move the cell cursor right."), CURSOR, "table"),
    Action("cursor.top", ("g",), N_("first row"), N_("Move to the first row."), CURSOR, "table"),
    Action("cursor.bottom", ("G",), N_("last row"), N_("Move to the last row."), CURSOR, "table"),
    Action("cursor.start", ("home",), N_("first column"), N_("Move to the first column."), CURSOR, "table"),
    Action("cursor.end", ("end",), N_("last column"), N_("Move to the last column."), CURSOR, "table"),
    Action("cursor.page_up", ("pageup",), N_("page up"), N_("Move one screen up."), CURSOR, "table"),
    Action("cursor.page_down", ("pagedown",), N_("page down"), N_("Move one screen down."), CURSOR, "table"),
    Action("cursor.page_left", ("ctrl+left",), N_("page left"), N_("Move one screen left."), CURSOR, "table"),
    Action(
        "cursor.page_right", ("ctrl+right",), N_("page right"), N_("Move one screen right."), CURSOR, "table"
    ),
    Action(
        "cursor.open",
        ("enter",),
        N_("open"),
        N_("Open the number under the cursor: how it was made, term by term."),
        NUMBER,
        "table",
        show=True,
    ),
)

_FIND = (
    Action(
        "find", ("slash",), N_("find"), N_("Find a token, a word or a value in the view."), CURSOR, show=True
    ),
    Action("find_next", ("n",), N_("next match"), N_("Go to the next match."), CURSOR),
    Action("find_previous", ("N",), N_("match before"), N_("Go to the match before."), CURSOR),
)

_NUMBERS = (
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

_EDITS = (
    Action(
        "edit_number",
        ("x",),
        N_("edit"),
        N_("Change the number, its row, column, head or all: zero, mean, scale or force."),
        EDIT,
        show=True,
    ),
    Action("clear_edits", ("X",), N_("clear edits"), N_("Take back all edits."), EDIT),
    Action(
        "list_edits",
        ("E",),
        N_("edits"),
        N_("List the edits in force: switch each off and on, take it back, go to it."),
        EDIT,
    ),
    Action("undo_edit", ("u",), N_("undo"), N_("Take back the last edit."), EDIT),
    Action(
        "compare",
        ("c",),
        N_("compare"),
        N_("Pin this run and compare it with the next: another model, sentence or edit. Again: unpin."),
        EDIT,
        show=True,
    ),
)

_WRITING = (
    Action(
        "write_token",
        ("space",),
        N_("write on"),
        N_("Write one token more: the one that the model and the sampling choose."),
        WRITING,
    ),
    Action("take_back", ("b",), N_("take back"), N_("Take the last token back."), WRITING),
    Action(
        "write_this",
        ("plus",),
        N_("write this"),
        N_("Write the token under the cursor, and go on from there."),
        WRITING,
    ),
    Action("auto_write", ("A",), N_("write by itself"), N_("Write on by itself; again: stop."), WRITING),
    Action(
        "write_anew",
        ("B",),
        N_("from the start"),
        N_("Begin a translation again, with nothing written; again: the model's own."),
        WRITING,
    ),
    Action(
        "choose_sampling",
        ("percent_sign",),
        N_("sampling"),
        N_("Set temperature, top-k, top-p and the seed."),
        WRITING,
    ),
    Action("cooler", ("left_curly_bracket",), N_("cooler"), N_("Lower the temperature by 0.1."), WRITING),
    Action("warmer", ("right_curly_bracket",), N_("warmer"), N_("Raise the temperature by 0.1."), WRITING),
)

_RUNS = (
    Action("train", ("t",), N_("train"), N_("Train a model in the background."), RUNS, show=True),
    Action("show_runs", ("r",), N_("runs"), N_("Open or close the panel of training runs."), RUNS),
    Action("next_run", ("greater_than_sign",), N_("next run"), N_("Choose the next training run."), RUNS),
    Action(
        "previous_run", ("less_than_sign",), N_("run before"), N_("Choose the training run before."), RUNS
    ),
    Action("stop_run", ("S",), N_("stop run"), N_("Ask the chosen run to save and stop."), RUNS),
    Action("resume_run", ("R",), N_("resume run"), N_("Resume the chosen run where it stopped."), RUNS),
    Action(
        "open_run",
        ("M",),
        N_("open run's model"),
        N_("Open the newest checkpoint of the chosen run in the explorer."),
        RUNS,
    ),
    Action(
        "follow_run",
        ("F",),
        N_("follow run"),
        N_("Show the newest weights of a run in this view, again and again as it learns; again: stay."),
        RUNS,
    ),
    Action(
        "older_snapshot", ("J",), N_("older weights"), N_("Show the weights that the run had before."), RUNS
    ),
    Action("newer_snapshot", ("K",), N_("newer weights"), N_("Show the weights that came after."), RUNS),
)

_STUDIO = (
    Action(
        "studio",
        ("C",),
        N_("studio"),
        N_("Open the studio: the charts of all training runs, and what can be done with them."),
        RUNS,
        show=True,
    ),
    *(
        Action(f"studio_{name}", keys, label, words, STUDIO, "studio", show)
        for name, keys, label, words, show in (
            ("train", ("t",), N_("train"), N_("Train a model in the background."), True),
            ("down", ("j", "down"), N_("run below"), N_("Choose the run below."), False),
            ("up", ("k", "up"), N_("run above"), N_("Choose the run above."), False),
            ("top", ("g",), N_("newest run"), N_("Choose the newest run."), False),
            ("bottom", ("G",), N_("oldest run"), N_("Choose the oldest run."), False),
            ("follow", ("F",), N_("watch it learn"),
             N_("See the run's newest weights in the explorer, on its own sentence, as it learns."), True),
            ("chart", ("tab",), N_("next chart"), N_("Show the next measurement."), True),
            ("chart_before", ("shift+tab",), N_("chart before"), N_("Show the measurement before."), False),
            ("mark", ("space",), N_("overlay"),
             N_("Draw this run over the chosen one, wherever one goes; again: no more."), True),
            ("left", ("h", "left"), N_("left"), N_("Move the chart's cursor to the point before."), False),
            ("right", ("l", "right"), N_("right"), N_("Move the chart's cursor to the next point."), False),
            ("far_left", ("pageup", "ctrl+left"), N_("far left"),
             N_("Move the chart's cursor a tenth of the chart to the left."), False),
            ("far_right", ("pagedown", "ctrl+right"), N_("far right"),
             N_("Move the chart's cursor a tenth of the chart to the right."), False),
            ("start", ("home",), N_("first point"), N_("Move the chart's cursor to the first point."), False),
            ("end", ("end",), N_("newest point"),
             N_("Move the chart's cursor to the newest point, and stay there."), False),
            ("smooth", ("s",), N_("smooth"),
             N_("Smooth what is measured in training, more and more, then not at all."), False),
            ("log", ("o",), N_("log scale"), N_("Draw y on a logarithmic scale, or a plain one."), False),
            ("axis", ("x",), N_("steps or time"), N_("Draw x in steps, or in seconds of training."), False),
            ("page", ("i",), N_("facts, samples, log"),
             N_("Show below the chart what the run is, what it makes of its sentence, or its log."), False),
            ("find", ("slash",), N_("filter"),
             N_("List only the runs whose name, state or error has these letters."), False),
            ("pause", ("p",), N_("pause"), N_("Let the run wait, keeping everything in memory."), True),
            ("resume", ("r",), N_("resume"),
             N_("Go on with a run that is paused, stopped, failed or lost."), True),
            ("stop", ("S",), N_("stop"), N_("Ask the run to save and stop."), True),
            ("fork", ("f",), N_("fork"),
             N_("Start a run from one of this run's checkpoints, with changed settings."), True),
            ("keep", ("K",), N_("keep as model"),
             N_("Make the run's best checkpoint a model of one's own, measured, with its card."), True),
            ("experiments", ("E",), N_("experiments"),
             N_("Start one of the experiments; its charts show here."), True),
            ("cancel", ("c",), N_("cancel"), N_("End the run at once, without saving; asks first."), False),
            ("delete", ("d", "delete"), N_("delete"),
             N_("Delete the run with all that it saved; asks first."), False),
            ("export", ("e",), N_("export"),
             N_("Write the chart to a file: SVG, HTML, text or CSV."), False),
            ("open", ("M", "enter"), N_("open its model"),
             N_("Open the run's newest checkpoint in the explorer."), False),
            ("close", ("escape", "backspace"), N_("to the explorer"),
             N_("Leave the filter, or the studio."), True),
        )
    ),
)  # fmt: skip

_PROGRAM = (
    Action(
        "help", ("question_mark", "f1"), N_("help"), N_("Show this page."), PROGRAM, scope="app", show=True
    ),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        N_("palette"),
        N_("Find any action by its name."),
        PROGRAM,
        scope="app",
        show=True,
    ),
    Action(
        "switch_language",
        ("L",),
        N_("language"),
        N_("Switch between English and Chinese."),
        PROGRAM,
        scope="app",
    ),
    Action(
        "switch_theme",
        ("D",),
        N_("light or dark"),
        N_("Switch between the light and the dark theme."),
        PROGRAM,
        scope="app",
    ),
    Action("redraw", ("ctrl+l",), N_("redraw"), N_("Draw the whole screen again."), PROGRAM, scope="app"),
    Action(
        "suspend",
        ("ctrl+z",),
        N_("suspend"),
        N_("Stop the program and go to the shell; `fg` comes back."),
        PROGRAM,
        scope="app",
        priority=True,
    ),
    Action(
        "quit",
        ("q",),
        N_("quit"),
        N_("Leave at once; training goes on in the background."),
        PROGRAM,
        scope="app",
        show=True,
    ),
    Action(
        "interrupt",
        ("ctrl+c", "ctrl+q"),
        N_("quit now"),
        N_("Leave at once, from a text field or a dialog too."),
        PROGRAM,
        scope="app",
        priority=True,
    ),
)

_DIALOG = (
    Action(
        "close_dialog",
        ("escape",),
        N_("close"),
        N_("Close the dialog; nothing is changed."),
        PROGRAM,
        scope="dialog",
    ),
    Action(
        "close_help",
        ("question_mark", "f1", "q"),
        N_("close"),
        N_("Close the help page."),
        PROGRAM,
        scope="help",
    ),
)

_EDIT_LIST = (
    Action(
        "toggle_edit", ("space",), N_("on or off"), N_("Switch the edit off, or on again."), EDIT, "edits"
    ),
    Action(
        "remove_edit", ("d", "delete"), N_("take back"), N_("Take this edit back for good."), EDIT, "edits"
    ),
)

_EXPLAIN = (
    Action(
        "open_factor",
        ("f",),
        N_("open factor"),
        N_("Open what the term under the cursor is multiplied by."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "term_back",
        ("backspace",),
        N_("back"),
        N_("Go back to the number before; from the first one, to the view."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "close_explain",
        ("escape",),
        N_("to the view"),
        N_("Go back to the view at once."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "sort_terms",
        ("s",),
        N_("sort"),
        N_("Order the terms as computed, or by the size of their contribution."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "locate_number",
        ("v",),
        N_("show in its table"),
        N_("Show the whole activation that this number is an element of."),
        NUMBER,
        scope="explain",
        show=True,
    ),
    Action(
        "copy_term",
        ("y",),
        N_("copy"),
        N_("Copy the number, its name and its index."),
        NUMBER,
        scope="explain",
    ),
)

_TOKENIZERS = (
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

ACTIONS: tuple[Action, ...] = (
    *_SENTENCE,
    *_VIEWS,
    *_CURSOR,
    *_FIND,
    *_NUMBERS,
    *_EDITS,
    *_EDIT_LIST,
    *_EXPLAIN,
    *_TOKENIZERS,
    *_WRITING,
    *_RUNS,
    *_STUDIO,
    *_PROGRAM,
    *_DIALOG,
)
BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}

_KEY_NAMES = {
    "left_square_bracket": "[", "right_square_bracket": "]",
    "left_parenthesis": "(", "right_parenthesis": ")",
    "equals_sign": "=", "comma": ",", "full_stop": ".", "slash": "/",
    "question_mark": "?", "colon": ":", "dollar_sign": "$", "percent_sign": "%", "plus": "+",
    "left_curly_bracket": "{", "right_curly_bracket": "}", "space": "Space",
    "greater_than_sign": ">", "less_than_sign": "<", "escape": "Esc", "enter": "Enter", "tab": "Tab",
    "shift+tab": "Shift+Tab", "backspace": "Backspace", "left": "←", "right": "→", "up": "↑", "down": "↓",
    "pageup": "PageUp", "pagedown": "PageDown", "home": "Home", "end": "End", "f1": "F1",
}  # fmt: skip


def key_name(key: str) -> str:
    """How a key is written for people: `left_square_bracket` is `[`, `ctrl+p` is `Ctrl+P`."""
    if key in _KEY_NAMES:
        return _KEY_NAMES[key]
    *modifiers, last = key.split("+")
    return "+".join([*(part.capitalize() for part in modifiers), last.upper() if modifiers else last])


def label_of(action: Action) -> str:
    """The action's name in the language in force; `{n}` of the view groups is filled in."""
    return _(action.label).format(n=action.id.rpartition("_")[2])


def help_of(action: Action) -> str:
    """The action's sentence of help in the language in force."""
    return _(action.help).format(n=action.id.rpartition("_")[2])


def rebound(keys: Mapping[str, str]) -> tuple[Action, ...]:
    """The table with a user's keys (`{id: "key,key"}`) in it. Raises UserError for an unknown id, no key, or
    a clash.
    """
    unknown = sorted(set(keys) - set(BY_ID))
    if unknown:
        raise UserError(_("settings, keys: no action is called {id!r}").format(id=visible(unknown[0])))
    table = tuple(replace(a, keys=_keys(a.id, keys[a.id])) if a.id in keys else a for a in ACTIONS)
    clash = next(clashes(table), None)
    if clash:
        first, second, key = clash
        raise UserError(
            _("settings, keys: {key} is bound to both {first} and {second}").format(
                key=visible(key_name(key)), first=first.id, second=second.id
            )
        )
    return table


def _keys(action: str, text: object) -> tuple[str, ...]:
    """The keys in a user's setting; a single character may stand for its name."""
    names = {shown: name for name, shown in _KEY_NAMES.items()}
    parts = (
        [str(text)] if text in names or text == "," else str(text).split(",") if isinstance(text, str) else []
    )
    found = tuple(names.get(part.strip(), part.strip()) for part in parts if part.strip())
    if not found:
        raise UserError(_('settings, keys: {id} needs at least one key, as in "ctrl+n,n"').format(id=action))
    return found


def clashes(table: Iterable[Action]) -> Iterator[tuple[Action, Action, str]]:
    """Pairs of actions that hold at the same time and share a key."""
    table = tuple(table)
    for together in TOGETHER:
        seen: dict[str, Action] = {}
        for action in table:
            for key in action.keys if action.scope in together else ():
                if seen.setdefault(key, action) is not action:
                    yield seen[key], action, key


def bindings(scope: str) -> list[BindingType]:
    """Textual's bindings for the actions of one scope; the ids are what a keymap rebinds."""
    return [
        Binding(",".join(a.keys), a.call, a.id, show=False, priority=a.priority, id=a.id)
        for a in ACTIONS
        if a.scope == scope
    ]


# What a Chinese input method sends for a key that it does not take for itself.
FULL_WIDTH: Mapping[str, str] = {
    **{chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)},
    "【": "[", "】": "]", "「": "[", "」": "]", "。": ".", "、": "/", "《": "<", "》": ">", "·": "`",
    "—": "_", "￥": "$", "“": '"', "”": '"', "‘": "'", "’": "'", "　": " ",
}  # fmt: skip

"""What an action is, the headings under which actions stand, and the scopes in which they hold."""

from __future__ import annotations

from dataclasses import dataclass

from nlptui.locale import N_, _

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


def label_of(action: Action) -> str:
    """The action's name in the language in force; `{n}` of the view groups is filled in."""
    return _(action.label).format(n=action.id.rpartition("_")[2])


def help_of(action: Action) -> str:
    """The action's sentence of help in the language in force."""
    return _(action.help).format(n=action.id.rpartition("_")[2])

"""The options and arguments that commands share, and the types of their values.

Says what can be written on a command line; what it stands for is found in `cli_engine` and in the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from nlptui import cli_names
from nlptui.cli_base import Choice, Decorator, Settings, argument, option, options
from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.text import visible

# ------------------------------------------------------------------------------------------------------ types


class Name(click.ParamType[str]):
    """A name of which the known ones complete; the engine says what is wrong with another."""

    def __init__(self, name: str, known: Callable[[], Iterable[str]]) -> None:
        self.name = name
        self.known = known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        names = [visible(name) for name in self.known() if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


class File(click.Path):
    """A file to write."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail(_("the file's name is empty"), param, ctx)
        return super().convert(value, param, ctx)


class EditText(click.ParamType[str]):
    """An edit in the form of the command line: a wrong form is said before a model loads."""

    name = "edit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from nlptui.engine.explain import Edit

        try:
            edit = Edit.parse(str(value))
        except UserError as error:
            self.fail(str(error), param, ctx)
        # The explorer knows such an edit by how it ends.
        return str(edit) if edit.patches else str(value)


MODEL = Name("model", cli_names.model_names)
TOKENIZER = Name("tokenizer", cli_names.tokenizer_names)
RECIPE = Name("recipe", cli_names.recipe_names)
RUN = Name("run", cli_names.run_names)
CORPUS = Name("corpus", cli_names.corpus_names)
VIEW = Name("view", cli_names.view_names)
FILE = File(path_type=Path, dir_okay=False)
COUNT = click.IntRange(min=0)


# -------------------------------------------------------------------------------------------------- callbacks


def _set_pooling(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value and not ctx.resilient_parsing:
        ctx.find_root().ensure_object(Settings).pooling = value


def _need_model(ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    if value or ctx.resilient_parsing:
        return value or ""
    names = ", ".join(map(visible, cli_names.model_names())) or _("none yet: nlptui train makes one")
    raise click.UsageError(_("--model is missing; there are {names}").format(names=names), ctx)


# ---------------------------------------------------------------------------------------------------- options

json_option = option("--json", "as_json", is_flag=True, help=N_("Print strict JSON, one object a line."))
text_argument = argument("text", required=False)
model_option = option("--model", "-m", type=MODEL, metavar="MODEL", callback=_need_model,
                      help=N_("Name or folder of a model."))  # fmt: skip
pair_option = option("--pair", metavar="TEXT", help=N_("The second text, for a model that reads two."))
edit_option = option(
    "--edit", "edits", multiple=True, metavar="NAME=OP", type=EditText(),
    help=N_("Change a value as it is made, or a parameter: "
            "NAME[0,2,:,:]=zero, mean, scale:F, force:F, from:FILE.npz or from:A."),
)  # fmt: skip
parameter_edit_option = option(
    "--edit", "edits", multiple=True, metavar="NAME=OP", type=EditText(),
    help=N_("Change a parameter: NAME[5,:]=zero, mean, scale:F, force:F or from:FILE.npz."),
)  # fmt: skip
written_option = option(
    "--written", metavar="IDS", help=N_("What a translator's decoder has read so far: 12,5,903.")
)
pooling_option = option("--pooling", metavar="NAME", callback=_set_pooling, expose_value=False,
                        help=N_("Of a model with several poolers: cls, mean, max or attention."))  # fmt: skip
recipe_options = options(
    option("--set", "changes", multiple=True, metavar="KEY=VALUE",
           help=N_("Change the recipe: train.steps=500.")),
    option("--foreground", is_flag=True,
           help=N_("Stay and show the progress; Ctrl+C saves and stops the run.")),
)  # fmt: skip
sampling_options = options(
    option("--temperature", type=click.FloatRange(min=0),
           help=N_("Below 1 keeps to the likely; 0 always takes the likeliest.")),
    option("--top-k", type=COUNT, help=N_("Only the K likeliest tokens; 0: all.")),
    option("--top-p", type=click.FloatRange(0, 1, min_open=True),
           help=N_("Only the likeliest tokens that have probability P together.")),
    option("--seed", type=COUNT, help=N_("The same seed writes the same text.")),
)  # fmt: skip


def pin_options(compares: bool) -> Decorator:
    """The run A, which edits take values from; `compares`: the command also shows it beside the other run."""
    text = N_("Run A: the text that an edit from:A takes its values from.")
    if compares:
        text = N_("Run A: the text to compare with; an edit from:A takes its values from it.")
    return options(
        option("--pin", metavar="TEXT", help=text),
        option("--pin-pair", metavar="TEXT", help=N_("The second text of A.")),
        option("--pin-model", type=MODEL, metavar="MODEL", help=N_("The model of A; else the same one.")),
        option("--pin-edit", "pin_edits", multiple=True, metavar="NAME=OP", type=EditText(),
               help=N_("An edit of A.")),
        option("--pin-written", metavar="IDS",
               help=N_("What a translator's decoder has read so far, in A.")),
    )  # fmt: skip


pin_standing_options = options(
    option("--pin-layer", type=COUNT, help=N_("The layer at which A is shown; else that of the view.")),
    option("--pin-head", type=COUNT, help=N_("The head or direction at which A is shown.")),
    option("--pin-pooling", metavar="NAME", help=N_("The pooler of A, where its model has several.")),
)


def run_options(compares: bool = False) -> Decorator:
    """A text, a model, the changes to the run, and the run A."""
    return options(
        text_argument, model_option, pair_option, edit_option, written_option, pin_options(compares),
        pooling_option,
    )  # fmt: skip


def standing_options(first: int | None, by: str | None) -> Decorator:
    """Where a view stands: at layer and head `first`, coloured `by`, unless it is said.

    A token that is not said is the view's own choice.
    """
    return options(
        option("--layer", type=COUNT, default=first, help=N_("The layer, counted from 0.")),
        option("--head", type=COUNT, default=first, help=N_("The head or direction, counted from 0.")),
        option("--name", metavar="NAME", help=N_("For a view of one activation: which.")),
        option("--position", type=COUNT, help=N_("The token that the view is about.")),
        option("--mark", type=COUNT, help=N_("The token at the other end of a span from --position.")),
        option("--target", metavar="TOKEN",
               help=N_("The token or label of the output asked about; else the likeliest.")),
        option("--by", type=Choice(("table", "row")), default=by, help=N_("What the colours compare.")),
    )  # fmt: skip

"""The command line: the same engine without a screen.

Options, commands and errors; what they print is made in `cli_output` and `cli_runs`. torch loads inside the
commands that run a model, so that the others answer at once.
"""

from __future__ import annotations

import dataclasses
import gettext
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem, get_completion_class

from nlptui import __version__, cli_names
from nlptui.errors import UserError
from nlptui.locale import LANGUAGES, N_, _, language, preferred_language, set_language
from nlptui.sampling import PLAIN, Sampling
from nlptui.text import visible

if TYPE_CHECKING:
    from nlptui.engine import Engine
    from nlptui.trace import Trace

Decorator = Callable[[Callable[..., Any]], Any]
Function = TypeVar("Function", bound=Callable[..., Any])

DEVICES = ("auto", "cpu", "cuda", "mps")
TOLERANCE = 1e-5
"""How far our numbers may be from torch's fused ones before `check` fails."""
INTERRUPTED, BROKEN_PIPE = 128 + signal.SIGINT, 128 + 13

# What click itself says; listed here so that the catalogue holds it.
CLICK_WORDS = (
    N_("Usage:"), N_("Options"), N_("Commands"), N_("default: {default}"), N_("required"),
    N_("Missing argument"), N_("Missing option"), N_("Invalid value for {param_hint}: {message}"), N_("file"),
    N_("{value!r} is not a valid {number_type}."), N_("{value} is not in the range {range}."),
    N_("{name} {filename!r} is a directory."), N_("{name} {filename!r} is not readable."),
    N_("Option {name!r} does not take a value."),
)  # fmt: skip


# -------------------------------------------------------------------------------- options, commands and names


class _Translated:
    """Help that is translated when it is shown, not when the command is made."""

    _help: str | None = None

    @property
    def help(self) -> str | None:
        return _(self._help) if self._help else None

    @help.setter
    def help(self, text: str | None) -> None:
        self._help = text


class _Explained(_Translated):
    """A command's translated help, in full in the list of commands too."""

    def get_short_help_str(self, limit: int = 45) -> str:
        return self.help or ""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found: click.Option | None = super().get_help_option(ctx)  # type: ignore[misc]
        if found:
            found.help = _("Show this message and exit.")  # click says it in the language of the start
        return found


class Option(_Translated, click.Option):
    """An option with translated help."""


class Command(_Explained, click.Command):
    """A command with translated help, which takes the global options after its name too."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.extend(global_options(hidden=True))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True  # click's own words for them have plurals, which our catalogue has not
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            words = " ".join(map(visible, extra))
            problem = _("too many words: {words}; quote a text of several")
            raise click.UsageError(problem.format(words=words), ctx)
        return extra


class Group(_Explained, click.Group):
    """Commands under a name; without one of them it runs `default`."""

    command_class = Command

    def __init__(self, *args: Any, default: str = "list", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.default = default
        self.params = [*global_options(hidden=default == "list"), *self.params]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        valued = {name for option in self.params for name in option.opts if name in ("--device", "--lang")}
        place = cli_names.command_place(args, valued)
        word = args[place] if place < len(args) else None
        answers = ("--help", "-h", "--version")
        if word not in self.commands and word not in answers and not (word is None and ctx.resilient_parsing):
            self.check_slip(ctx, args[place:])
            args = [*args[:place], self.default, *args[place:]]
        return super().parse_args(ctx, args)

    def check_slip(self, ctx: click.Context, words: list[str]) -> None:
        """Raise UsageError where the first word is meant as a command, but is none."""
        if words and not words[0].startswith("-"):
            hint = cli_names.hint(words[0], self.commands)
            problem = _("no command {name!r}; {hint}").format(name=visible(words[0]), hint=hint)
            raise click.UsageError(problem, ctx)


class Interrupted(click.ClickException):
    """Ctrl+C."""


class ReaderLeft(click.ClickException):
    """Whoever read our output has closed it."""


class FrontDoor(Group):
    """The program: a word that names no command is the text to open in the explorer."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("") from None  # click itself would add an empty line
        except BrokenPipeError:
            raise ReaderLeft("") from None  # and would make this a failure

    def check_slip(self, ctx: click.Context, words: list[str]) -> None:
        # One word alone that nearly is a command's name is more likely a slip than a sentence.
        hint = cli_names.hint(words[0], self.commands, cutoff=0.81) if len(words) == 1 else ""
        if hint and hint != cli_names.hint("", self.commands):
            message = _("no command {name!r}; {hint} To open it as text: nlptui -- {name}")
            raise click.UsageError(message.format(name=visible(words[0]), hint=hint), ctx)


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


class Choice(click.Choice[str]):
    """One of a few words."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return _("{value} is unknown: choose one of {choices}").format(
            value=visible(str(value)), choices=", ".join(self.choices)
        )

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return _("choose one of {choices}").format(choices=", ".join(self.choices))


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
            Edit.parse(str(value))
        except UserError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class Device(click.ParamType[str]):
    """Where models run."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(value)):
            self.fail(_("{device!r} is no device; there are auto, cpu, cuda, cuda:1 … and mps").format(
                device=visible(str(value))))  # fmt: skip
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in DEVICES if name.startswith(incomplete)]


MODEL = Name("model", cli_names.model_names)
TOKENIZER = Name("tokenizer", cli_names.tokenizer_names)
RECIPE = Name("recipe", cli_names.recipe_names)
RUN = Name("run", cli_names.run_names)
CORPUS = Name("corpus", cli_names.corpus_names)
VIEW = Name("view", cli_names.view_names)
FILE = File(path_type=Path, dir_okay=False)
COUNT = click.IntRange(min=0)


@dataclass
class Settings:
    """What the global options say."""

    device: str = "auto"
    pooling: str | None = None
    language: str | None = field(
        default_factory=lambda: preferred_language() if os.environ.get("NLPTUI_LANG") else None
    )
    """The language that was asked for, with --lang or NLPTUI_LANG; None where it was guessed."""


def settings() -> Settings:
    """The settings of the command that runs."""
    found = click.get_current_context().find_root().ensure_object(Settings)
    assert isinstance(found, Settings)
    return found


def speak(name: str) -> None:
    """Use the language `name` for our words and for click's."""
    set_language(name)
    # click asks the standard library's gettext, which goes by these.
    os.environ["LANGUAGE"] = language()
    gettext.bindtextdomain("nlptui", str(Path(__file__).parent / "locale"))
    gettext.textdomain("nlptui")


def _set_device(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value and not ctx.resilient_parsing:
        ctx.find_root().ensure_object(Settings).device = value


def _set_pooling(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value and not ctx.resilient_parsing:
        ctx.find_root().ensure_object(Settings).pooling = value


def _set_language(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.find_root().ensure_object(Settings).language = value
        speak(value)


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"nlptui {__version__}")
        ctx.exit()


def global_options(hidden: bool = False) -> list[click.Parameter]:
    """--device and --lang."""
    common: dict[str, Any] = {"expose_value": False, "hidden": hidden}
    return [
        Option(["--device"], type=Device(), metavar="DEVICE", callback=_set_device,
               help=N_("Where models run: auto, cpu, cuda or mps."), **common),
        Option(["--lang"], type=Choice(LANGUAGES), callback=_set_language, is_eager=True,
               help=N_("The language of the program."), **common),
    ]  # fmt: skip


def option(*names: str, **attributes: Any) -> Decorator:
    """An option with translated help."""
    return click.option(*names, cls=Option, **attributes)


def argument(name: str, **attributes: Any) -> Decorator:
    """An argument, shown in capitals."""
    return click.argument(name, metavar=attributes.pop("metavar", name.upper()), **attributes)


def options(*decorators: Decorator) -> Decorator:
    """Several options as one decorator, in this order in the help."""

    def decorate(function: Callable[..., Any]) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _need_model(ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    if value or ctx.resilient_parsing:
        return value or ""
    names = ", ".join(map(visible, cli_names.model_names())) or _("none yet: nlptui train makes one")
    raise click.UsageError(_("--model is missing; there are {names}").format(names=names), ctx)


json_option = option("--json", "as_json", is_flag=True, help=N_("Print strict JSON, one object a line."))
model_option = option("--model", "-m", type=MODEL, metavar="MODEL", callback=_need_model,
                      help=N_("Name or folder of a model."))  # fmt: skip
pair_option = option("--pair", metavar="TEXT", help=N_("The second text, for a model that reads two."))
edit_option = option(
    "--edit", "edits", multiple=True, metavar="NAME=OP", type=EditText(),
    help=N_("Change a value as it is made: NAME[0,2,:,:]=zero, mean, scale:F, force:F or from:FILE.npz."),
)  # fmt: skip
pooling_option = option("--pooling", metavar="NAME", callback=_set_pooling, expose_value=False,
                        help=N_("Of a model with several poolers: cls, mean, max or attention."))  # fmt: skip
run_options = options(
    argument("text", required=False), model_option, pair_option, edit_option, pooling_option
)
recipe_options = options(
    option("--set", "changes", multiple=True, metavar="KEY=VALUE",
           help=N_("Change the recipe: train.steps=500.")),
    option("--foreground", is_flag=True,
           help=N_("Stay and show the progress; Ctrl+C saves and stops the run.")),
)  # fmt: skip
layer_option = option("--layer", type=COUNT, default=0, help=N_("The layer, counted from 0."))
head_option = option("--head", type=COUNT, default=0, help=N_("The head or direction, counted from 0."))
name_option = option("--name", metavar="NAME", help=N_("For a view of one activation: which."))
mark_option = option("--mark", type=COUNT, help=N_("The token at the other end of a span from --position."))
target_option = option(
    "--target", metavar="TOKEN", help=N_("The token or label of the output asked about; else the likeliest.")
)
sampling_options = options(
    option("--temperature", type=click.FloatRange(min=0),
           help=N_("Below 1 keeps to the likely; 0 always takes the likeliest.")),
    option("--top-k", type=COUNT, help=N_("Only the K likeliest tokens; 0: all.")),
    option("--top-p", type=click.FloatRange(0, 1, min_open=True),
           help=N_("Only the likeliest tokens that have probability P together.")),
    option("--seed", type=COUNT, help=N_("The same seed writes the same text.")),
    option("--written", metavar="IDS", help=N_("What a translator's decoder has read so far: 12,5,903.")),
)  # fmt: skip


# ------------------------------------------------------------------------------------------- texts and models


def texts(text: str | None) -> Iterator[str]:
    """The text of the argument, or the lines of a pipe where it is `-` or missing."""
    if text is not None and text != "-":
        return iter([text])
    if text is None and sys.stdin.isatty():
        raise click.UsageError(
            _("TEXT is missing; give a sentence, or - to read lines"), click.get_current_context()
        )
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    return (line.rstrip("\r\n") for line in sys.stdin)


def whole_text(text: str | None) -> str:
    """The text of the argument, or all of a pipe without its last line end."""
    return "\n".join(texts(text))


def load(model: str) -> Engine:
    """The engine with `model` in it; a wrong name is said before torch loads."""
    from nlptui.engine.library import find_model

    find_model(model)
    from nlptui.engine import Engine

    return Engine.load(model, device=settings().device, pooling=settings().pooling)


def traced(
    engine: Engine, text: str, pair: str | None, edits: tuple[str, ...], written: str | None = None
) -> Trace:
    """The trace of a text; says so where the text was too long. `written`: what the decoder has read."""
    from nlptui.engine.explain import Edit

    ids = None if written is None else written_ids(written)
    made: Trace = engine.trace(text, pair=pair, edits=tuple(map(Edit.parse, edits)), target=ids)
    if made.truncated:
        say_truncated(len(made.encoding.ids))
    return made


def other_runs(text: str) -> Callable[[str], Trace]:
    """Runs the same text through the model of a name."""
    return lambda name: load(name).trace(text)


def written_ids(text: str) -> tuple[int, ...]:
    """The ids of `--written`."""
    if not re.fullmatch(r"\s*(\d{1,9}\s*(,\s*\d{1,9}\s*)*)?", text):
        problem = _("--written {text}: write ids, as in --written 12,5,903").format(text=visible(text))
        raise click.UsageError(problem, click.get_current_context())
    return tuple(int(part) for part in text.split(",") if part.strip())


def chosen_sampling(options: Mapping[str, Any]) -> Sampling | None:
    """The settings of the options that are given; None where none is."""
    given = {name: value for name, value in options.items() if value is not None}
    return dataclasses.replace(PLAIN, **given) if given else None


def say_truncated(used: int) -> None:
    """Say that only the first `used` tokens of a text were read."""
    from nlptui.cli_output import message

    message(_("the text is longer than the model reads; its first {n} tokens were used").format(n=used))


# --------------------------------------------------------------------------------------------------- commands


@click.group(
    cls=FrontDoor, name="nlptui", default="explore", subcommand_metavar="[TEXT] | COMMAND …",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=N_("A terminal microscope for language models. Without a command, TEXT opens in the explorer."),
)  # fmt: skip
@option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help=N_("Show the version and exit."),
)
def cli() -> None:
    pass


@cli.command(help=N_("Open the explorer; where there is no terminal, print its first screen as plain text."))
@argument("text", required=False)
@option("--model", "-m", type=MODEL, metavar="MODEL", help=N_("Name or folder of a model."))
@pair_option
@option("--view", type=VIEW, metavar="VIEW", help=N_("The view to open."))
@option("--layer", type=COUNT, help=N_("The layer, counted from 0."))
@option("--head", type=COUNT, help=N_("The head or direction, counted from 0."))
@name_option
@option("--position", type=COUNT, help=N_("The token that the view is about."))
@mark_option
@target_option
@sampling_options
@option("--at", metavar="ROW,COL[,TABLE]", help=N_("Where the cell cursor stands."))
@edit_option
@option("--low-bandwidth", is_flag=True, help=N_("Send as little as possible to the terminal."))
def explore(
    text: str | None, model: str | None, pair: str | None, view: str | None, layer: int | None,
    head: int | None, name: str | None, position: int | None, target: str | None, at: str | None,
    edits: tuple[str, ...], low_bandwidth: bool, written: str | None, mark: int | None, **sampling: Any,
) -> None:  # fmt: skip
    how = chosen_sampling(sampling)
    cursor = None if at is None else _cell(at)
    from nlptui.cli_output import message
    from nlptui.tui.guards import no_screen

    sentence = None if text is None else whole_text(text)
    if reason := no_screen():
        state: dict[str, Any] = {
            "layer": layer or 0,
            "head": head or 0,
            "name": name,
            "position": position or 0,
        }
        state |= {"target": target, "sampling": how or PLAIN, "mark": mark}
        print_screen(sentence, model, pair, view, edits, state, written)
        hint = _("{reason}: this is the first screen as text; in a terminal, nlptui opens the explorer")
        message(hint.format(reason=reason))
        return
    from nlptui.tui.app import run_app

    status = run_app(
        sentence, model, view, layer, head, cursor, pair=pair, name=name, position=position, target=target,
        edits=edits, sampling=how, written=written, mark=mark,
        device=settings().device, language=settings().language, low_bandwidth=low_bandwidth,
    )  # fmt: skip
    raise click.exceptions.Exit(status)


def _cell(at: str) -> tuple[int, ...]:
    """Row, column, and which table of the view, where it is not the first."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?(?:,\s*(\d{1,9})\s*)?", at)
    if match is None:
        problem = _("--at {at}: write ROW,COL, as in --at 3,17").format(at=visible(at))
        raise click.UsageError(problem, click.get_current_context())
    return int(match[1]), int(match[2] or 0), *([int(match[3])] if match[3] else [])


def print_screen(
    text: str | None, model: str | None, pair: str | None, view: str | None, edits: tuple[str, ...],
    state: dict[str, Any], written: str | None = None,
) -> None:  # fmt: skip
    """The explorer's first screen on stdout."""
    from nlptui.cli_output import text_width, write_line
    from nlptui.engine.library import default_model
    from nlptui.first_screen import plain_screen
    from nlptui.tui.app import EXAMPLES

    engine = load(model or default_model())
    sentence = EXAMPLES.get(engine.config.language, EXAMPLES["en"]) if text is None else text
    trace = traced(engine, sentence, pair, edits, written)
    state["target"] = engine.target(state["target"]) if state["target"] else None
    others = other_runs(sentence)
    write_line(plain_screen(trace, view or "", state, text_width(), engine.analyse, others))


@cli.command(help=N_("List the models that are here."))
@json_option
def models(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import model_lines, model_values
    from nlptui.engine.library import list_models

    entries = list_models()
    emit(as_json, {"models": [model_values(entry) for entry in entries]}, lambda: model_lines(entries))


@cli.command(help=N_("Show the tokens of a text, or of every line of a pipe."))
@argument("text", required=False)
@option(
    "--tokenizer",
    "-t",
    required=True,
    type=TOKENIZER,
    metavar="TOKENIZER",
    help=N_("A model's name, a folder, or the file of a tokenizer."),
)
@json_option
def tokenize(text: str | None, tokenizer: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import token_lines, tokens_of
    from nlptui.engine.tokenizer import find_tokenizer

    lines = texts(text)
    try:
        found = find_tokenizer(tokenizer)
    except UserError as error:
        if Path(tokenizer).name != tokenizer:
            raise
        raise UserError(_("{problem}; or bytes, which needs no model").format(problem=error)) from None
    for line in lines:
        tokens = tokens_of(found.encode(line))
        emit(as_json, {"text": line, "tokenizer": tokenizer, "tokens": tokens}, partial(token_lines, tokens))


@cli.command(help=N_("Write down everything that a model computes from a text."))
@run_options
@option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help=N_("Only activations named so, as in '*.weights'; analyses too, as 'analysis.rollout.*'."),
)
@option("--npz", type=FILE, metavar="FILE", help=N_("Write the arrays into an .npz file."))
@option("--csv", type=FILE, metavar="FILE", help=N_("Write a CSV file with one line an element."))
@json_option
def trace(
    text: str | None, model: str, pair: str | None, edits: tuple[str, ...], only: tuple[str, ...],
    npz: Path | None, csv: Path | None, as_json: bool,
) -> None:  # fmt: skip
    from nlptui import cli_show as show
    from nlptui.cli_output import emit, message

    if (npz is not None) + (csv is not None) + as_json > 1:
        raise click.UsageError(_("choose one of --json, --npz and --csv"), click.get_current_context())
    sentence = whole_text(text)
    engine = load(model)
    made = traced(engine, sentence, pair, edits)
    engine.analyse(made, *(name for name in only if name.startswith("analysis.")))
    names = show.chosen(made, only)
    if file := npz or csv:
        (show.write_npz if npz else show.write_csv)(file, made, names)
        message(_("{n} arrays written to {file}").format(n=len(names), file=file))
    else:
        values = show.trace_values(made, names) if as_json else None
        emit(as_json, values, lambda: show.trace_lines(made, names))


@cli.command(help=N_("Show what a model says about a text, or about every line of a pipe."))
@run_options
@json_option
def predict(text: str | None, model: str, pair: str | None, edits: tuple[str, ...], as_json: bool) -> None:
    from nlptui.cli_output import emit, message
    from nlptui.cli_show import heading, output_lines

    lines = texts(text)
    engine = load(model)
    for line in lines:
        said = heading(traced(engine, line, pair, edits)) if edits else engine.predict(line, pair)
        if "truncated" in said and not edits:
            say_truncated(len(said["tokens"]))
        emit(as_json, said, partial(output_lines, said["output"]))
        if not any(said["output"].values()):
            message(_why_nothing(line, said["output"], engine.config.task))


def _why_nothing(text: str, output: dict[str, Any], task: str) -> str:
    if not text.strip():
        return _("the text is empty")
    if task == "skip_gram":
        return _("nothing to say: none of these words is in the model's vocabulary")
    if "candidates" in output:
        return _("nothing to say: write [MASK] where a word is missing, or give a second text with --pair")
    return _("the model has nothing to say about this text")


@cli.command(help=N_("Measure a model on its corpus."))
@argument("model", type=MODEL)
@option(
    "--split",
    type=Choice(("train", "dev", "test")),
    default="test",
    show_default=True,
    help=N_("The part of the corpus: train, dev or test."),
)
@pooling_option
@json_option
def evaluate(model: str, split: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import metric_lines

    found = load(model).evaluate(split)
    values = {"model": model, "split": split, "metrics": {}, "baselines": {}} | found
    emit(as_json, values, lambda: metric_lines(values["metrics"], values["baselines"]))


@cli.command(help=N_("Let a language model go on from a text."))
@argument("prompt", required=False)
@model_option
@option("--max-tokens", type=COUNT, default=100, show_default=True, help=N_("How many tokens at most."))
@option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help=N_("Below 1 keeps to the likely; 0 always takes the likeliest."),
)
@option("--top-k", type=COUNT, default=0, help=N_("Only the K likeliest tokens; 0: all."))
@option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    help=N_("Only the likeliest tokens that have probability P together."),
)
@option("--seed", type=int, default=0, show_default=True, help=N_("The same seed writes the same text."))
@json_option
def generate(prompt: str | None, model: str, as_json: bool, **sampling: Any) -> None:
    from nlptui.cli_output import dumps, message, write_line, write_piece

    prompt = whole_text(prompt)
    engine = load(model)
    steps = engine.generate(prompt, **sampling)
    if (used := engine.prompt_used(prompt)) is not None:
        hint = _("the prompt is longer than the {n} tokens that {model} reads; it goes on from: {used}")
        message(hint.format(n=engine.config.context, model=visible(engine.name), used=visible(used)))
    if as_json:
        tokens = [{"id": step.id, "text": step.text, "logprob": step.logprob} for step in steps]
        text = "".join(str(token["text"]) for token in tokens)
        write_line(dumps({"model": model, "prompt": prompt, "text": text, "tokens": tokens}))
        return
    write_piece(prompt)
    for step in steps:
        write_piece(step.text)
    write_line("")


@cli.command(help=N_("Show how one number was made, term by term."))
@run_options
@option("--name", required=True, metavar="NAME", help=N_("The activation, as nlptui trace lists it."))
@option("--index", required=True, metavar="I,J,…", help=N_("Which element, with the batch axis: 0,2,5."))
@option(
    "--terms",
    "shown",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help=N_("How many of the largest terms to print; --json has all."),
)
@json_option
def explain(
    text: str | None, model: str, pair: str | None, edits: tuple[str, ...], name: str, index: str, shown: int,
    as_json: bool,
) -> None:  # fmt: skip
    from nlptui.cli_output import emit
    from nlptui.cli_show import derivation_lines, derivation_values

    if not re.fullmatch(r"\s*-?\d{1,9}\s*(,\s*-?\d{1,9}\s*)*", index):
        problem = _("--index {index}: write numbers, as in --index 0,2,5").format(index=visible(index))
        raise click.UsageError(problem, click.get_current_context())
    sentence = whole_text(text)
    engine = load(model)
    found = engine.explain(traced(engine, sentence, pair, edits), name, tuple(map(int, index.split(","))))
    emit(as_json, derivation_values(found), lambda: derivation_lines(found, shown))


@cli.command("view", help=N_("Draw a view of a text, as plain text, SVG or HTML."))
@argument("view_name", type=VIEW, metavar="VIEW")
@run_options
@layer_option
@head_option
@option("--position", type=COUNT, default=0, help=N_("The token that the view is about."))
@mark_option
@target_option
@sampling_options
@name_option
@option("--by", type=Choice(("table", "row")), default="table", help=N_("What the colours compare."))
@option("--text", "as_text", is_flag=True, help=N_("Print plain text (the default)."))
@option("--svg", type=FILE, metavar="FILE", help=N_("Write an SVG file."))
@option("--html", type=FILE, metavar="FILE", help=N_("Write an HTML file."))
@option("--width", type=click.IntRange(min=20), help=N_("Columns of the text; else as the terminal."))
@json_option
def draw(
    view_name: str, text: str | None, model: str, pair: str | None, edits: tuple[str, ...], as_text: bool,
    svg: Path | None, html: Path | None, width: int | None, as_json: bool, written: str | None,
    temperature: float | None, top_k: int | None, top_p: float | None, seed: int | None, **state: Any,
) -> None:  # fmt: skip
    from nlptui.cli_output import dumps, text_width, write_line, write_text
    from nlptui.cli_show import figure_values
    from nlptui.first_screen import figure_of
    from nlptui.views import VIEWS

    if view_name not in VIEWS:
        hint = cli_names.hint(view_name, VIEWS)
        problem = _("no view {name!r}; {hint}").format(name=visible(view_name), hint=hint)
        raise click.UsageError(problem, click.get_current_context())
    sentence = whole_text(text)
    engine = load(model)
    state["target"] = engine.target(state["target"]) if state["target"] else None
    how = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    state["sampling"] = chosen_sampling(how) or PLAIN
    trace = traced(engine, sentence, pair, edits, written)
    figure = figure_of(trace, view_name, state, engine.analyse, other_runs(sentence))
    from nlptui.views import render

    if svg:
        write_text(svg, render.to_svg(figure))
    if html:
        write_text(html, render.to_html(figure))
    if as_json:
        write_line(dumps(figure_values(figure)))
    elif as_text or not (svg or html):
        write_line(render.to_text(figure, width or text_width()))


# --------------------------------------------------------------------------------------------------- training


def _end(good: bool) -> None:
    if not good:
        raise click.exceptions.Exit(1)


def _started(run: str, foreground: bool, as_json: bool, before: str = "") -> None:
    """Follow a run that was just started, or say where it is; `before` is the state that it was in."""
    from nlptui.cli_output import emit, message
    from nlptui.cli_runs import follow, run_values
    from nlptui.train import client

    if foreground:
        message(_("run {name}; Ctrl+C saves and stops it").format(name=run))
        _end(follow(run, as_json, stop=True))
        return
    emit(as_json, run_values(client.status(run)), lambda: [run])
    said = _("started; nlptui runs follow {name} shows how it goes")
    if before in ("queued", "running"):
        said = _("{name} goes on already; nlptui runs follow {name} shows how it goes")
    message(said.format(name=run))


@cli.command(help=N_("Train a model in the background; RECIPE is a TOML file or the name of a model."))
@argument("recipe", type=RECIPE)
@option("--name", metavar="RUN", help=N_("What to call the run."))
@recipe_options
@json_option
def train(recipe: str, name: str | None, changes: tuple[str, ...], foreground: bool, as_json: bool) -> None:
    from nlptui.train import client

    run = client.start(recipe, name=name, overrides=client.parse_overrides(changes))
    _started(run.name, foreground, as_json)


@cli.group(cls=Group, help=N_("List the training runs; watch, stop, resume, keep or remove one."))
def runs() -> None:
    pass


@runs.command("list", help=N_("List the runs."))
@json_option
def runs_list(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import run_lines, run_values
    from nlptui.train import client

    found = client.runs()
    emit(as_json, {"runs": [run_values(run) for run in found]}, lambda: run_lines(found))


@runs.command("show", help=N_("Show the state of a run and what it has measured."))
@argument("run", type=RUN)
@json_option
def runs_show(run: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import run_page, run_values
    from nlptui.train import client

    found = client.status(run)
    emit(as_json, run_values(found), lambda: run_page(found))


@runs.command("follow", help=N_("Show how a run goes until it ends; Ctrl+C leaves it running."))
@argument("run", type=RUN)
@json_option
def runs_follow(run: str, as_json: bool) -> None:
    from nlptui.cli_runs import follow

    _end(follow(run, as_json, stop=False))


@runs.command("stop", help=N_("Ask a run to save and end."))
@argument("run", type=RUN)
def runs_stop(run: str) -> None:
    from nlptui.cli_output import message
    from nlptui.train import client

    client.stop(run)
    message(_("{name} saves and ends; nlptui runs resume {name} goes on").format(name=run))


@runs.command("pause", help=N_("Ask a run to wait."))
@argument("run", type=RUN)
def runs_pause(run: str) -> None:
    from nlptui.cli_output import message
    from nlptui.train import client

    client.pause(run)
    message(_("{name} waits; nlptui runs resume {name} goes on").format(name=run))


@runs.command("resume", help=N_("Go on with a run that waits, was stopped, failed or was lost."))
@argument("run", type=RUN)
@recipe_options
@json_option
def runs_resume(run: str, changes: tuple[str, ...], foreground: bool, as_json: bool) -> None:
    from nlptui.train import client

    before = client.status(run).state
    client.resume(run, overrides=client.parse_overrides(changes))
    _started(run, foreground, as_json, before)


@runs.command("keep", help=N_("Make a run's best checkpoint one of your models, measured and with a card."))
@argument("run", type=RUN)
@argument("name", required=False, metavar="[NAME]")
@option("--force", is_flag=True, help=N_("Replace a model of yours that has this name."))
@json_option
def runs_keep(run: str, name: str | None, force: bool, as_json: bool) -> None:
    from nlptui.cli_output import emit, message
    from nlptui.cli_runs import kept_line, kept_values
    from nlptui.train import client

    kept = client.keep(run, name, force)
    emit(as_json, kept_values(kept, run), lambda: [kept_line(kept)])
    message(_("nlptui -m {name} opens it; it lies in {path}").format(name=kept.name, path=kept.path))


@runs.command("rm", help=N_("Remove runs with all their checkpoints."))
@argument("names", nargs=-1, required=True, type=RUN, metavar="RUN…")
def runs_rm(names: tuple[str, ...]) -> None:
    from nlptui.cli_output import message
    from nlptui.train import client

    for name in names:
        client.remove(name)
        message(_("{name} removed").format(name=name))


# ---------------------------------------------------------------------------------------------------- corpora


@cli.group(cls=Group, help=N_("List the corpora, download one, or say where it is."))
def data() -> None:
    pass


@data.command("list", help=N_("List the corpora."))
@json_option
def data_list(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import corpus_lines, corpus_values
    from nlptui.engine.corpora import corpora

    found = list(map(corpus_values, corpora()))
    emit(as_json, {"corpora": found}, lambda: corpus_lines(found))


@data.command("get", help=N_("Download a corpus, where it is not here, and print its folder."))
@argument("name", type=CORPUS)
@json_option
def data_get(name: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_runs import Download
    from nlptui.engine.corpora import get

    with Download() as progress:
        folder = str(get(name, progress))
    emit(as_json, {"name": name, "path": folder}, lambda: [visible(folder)])


@data.command("path", help=N_("Print the folder of a corpus that is here."))
@argument("name", type=CORPUS)
@json_option
def data_path(name: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.engine.corpora import find

    folder = find(name)
    if folder is None:
        raise UserError(_("{name} is not here; nlptui data get {name} downloads it").format(name=name))
    emit(as_json, {"name": name, "path": str(folder)}, lambda: [visible(str(folder))])


# ----------------------------------------------------------------------------------------- the program itself


@cli.command(help=N_("Compare our step-by-step numbers with torch's fused ones, for one model or all."))
@argument("model", required=False, type=MODEL)
@json_option
def check(model: str | None, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import check_lines

    names = [model] if model else cli_names.model_names()
    if not names:
        raise UserError(_("there are no models to check; nlptui train makes one"))
    good = True
    for name in names:
        differences = load(name).check()
        # A NaN is never near enough.
        near = bool(differences) and all(value <= TOLERANCE for value in differences.values())
        values = {"model": name, "ok": near, "tolerance": TOLERANCE, "differences": differences}
        emit(as_json, values, partial(check_lines, values))
        good = good and near
    _end(good)


@cli.command(help=N_("Say where settings, models, runs and corpora live, and which versions run."))
@json_option
def locate(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import locate_lines, locate_values

    values = locate_values()
    emit(as_json, values, lambda: locate_lines(values))


@cli.command(
    help=N_("Run the benchmarks (from a checkout only)."),
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)
@argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="…")
def bench(arguments: tuple[str, ...]) -> None:
    root = Path(__file__).resolve().parents[1]
    if not (root / "tests" / "benchmarks" / "__main__.py").is_file():
        raise UserError(_("the benchmarks are not part of an installed nlptui; run make bench in a checkout"))
    done = subprocess.run([sys.executable, "-m", "tests.benchmarks", *arguments], cwd=root, check=False)
    if done.returncode:
        raise click.exceptions.Exit(2 if done.returncode == 2 else 1)


@cli.command(help=N_("Print what makes bash, zsh or fish complete commands and names."))
@argument("shell", type=Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(cli, {}, "nlptui", "_NLPTUI_COMPLETE").source())


# ----------------------------------------------------------------------------------------- the way in and out


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 wrong use, or a signal's."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    speak(cli_names.language_of(sys.argv[1:] if arguments is None else arguments) or preferred_language())
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # What Python would still flush at its end must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(arguments: list[str] | None) -> int:
    try:
        status = cli.main(arguments, prog_name="nlptui", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except (BrokenPipeError, ReaderLeft):
        raise BrokenPipeError from None
    except (KeyboardInterrupt, click.Abort, Interrupted):
        if sys.stderr.isatty():
            click.echo(err=True)  # the terminal has written ^C on this line
        return _say(_("interrupted"), INTERRUPTED)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "nlptui"
        return _say(_("{error} (see {command} --help)").format(error=_wrong_use(error), command=path), 2)
    except click.ClickException as error:
        return _say(error.format_message(), 1)
    except UserError as error:
        return _say(str(error), 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}", 1)


def _say(problem: str, status: int) -> int:
    from nlptui.cli_output import message

    message(f"nlptui: {problem}")
    return status


def _wrong_use(error: click.UsageError) -> str:
    """What is wrong, in one line, with the nearest option."""
    if isinstance(error, click.NoSuchOption):
        known = [name for option in (error.ctx.command.params if error.ctx else ()) for name in option.opts]
        hint = cli_names.hint(error.option_name, [name for name in known if name.startswith("-")])
        return _("no option {name}; {hint}").format(name=visible(error.option_name), hint=hint)
    if isinstance(error, click.BadOptionUsage) and error.message.endswith("requires an argument."):
        return _("option {name} needs a value").format(name=visible(error.option_name))
    return " ".join(error.format_message().split()).rstrip(".。")

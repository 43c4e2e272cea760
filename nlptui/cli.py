"""The command line: the same engine without a screen.

The program itself: all commands in the order of the help page, what is text and what a command, errors, and
the exit status. What the commands do stands in `cli_explorer`, `cli_models`, `cli_training` and `cli_places`.
torch loads inside the commands that run a model, so that the others answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import click

from nlptui import __version__, cli_names
from nlptui.cli_base import Group, option, speak
from nlptui.cli_experiments import experiment
from nlptui.cli_explorer import explore
from nlptui.cli_models import draw, evaluate, explain, generate, models, neighbours, predict, tokenize, trace
from nlptui.cli_places import bench, check, completion, data, locate
from nlptui.cli_tokenizer import tokenizer
from nlptui.cli_training import runs, train
from nlptui.errors import UserError
from nlptui.locale import N_, _, preferred_language
from nlptui.text import visible

INTERRUPTED, BROKEN_PIPE = 128 + signal.SIGINT, 128 + 13

# ------------------------------------------------------------------------------------------------ the program


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


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"nlptui {__version__}")
        ctx.exit()


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


COMMANDS = (
    explore, models, tokenize, tokenizer, trace, predict, evaluate, generate, explain, neighbours, draw,
    train, runs, experiment, data, check, locate, bench, completion,
)  # fmt: skip
"""In the order of the help page."""
for each in COMMANDS:
    cli.add_command(each)


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

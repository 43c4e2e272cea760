"""What every command is made of: click's commands, groups and options with our translations, and the global
options.

Knows no command by name, and nothing of models.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from nlptui import cli_names
from nlptui.locale import LANGUAGES, N_, _, language, preferred_language, set_language
from nlptui.text import visible

Decorator = Callable[[Callable[..., Any]], Any]

DEVICES = ("auto", "cpu", "cuda", "mps")

# What click itself says; listed here so that the catalogue holds it.
CLICK_WORDS = (
    N_("Usage:"), N_("Options"), N_("Commands"), N_("default: {default}"), N_("required"),
    N_("Missing argument"), N_("Missing option"), N_("Invalid value for {param_hint}: {message}"), N_("file"),
    N_("{value!r} is not a valid {number_type}."), N_("{value} is not in the range {range}."),
    N_("{name} {filename!r} is a directory."), N_("{name} {filename!r} is not readable."),
    N_("Option {name!r} does not take a value."),
)  # fmt: skip


def speak(name: str) -> None:
    """Use the language `name` for our words and for click's."""
    set_language(name)
    # click asks the standard library's gettext, which goes by these.
    os.environ["LANGUAGE"] = language()
    gettext.bindtextdomain("nlptui", str(Path(__file__).parent / "locale"))
    gettext.textdomain("nlptui")


def wrong_use(problem: str) -> click.UsageError:
    """The error that says how the command that runs was used wrongly."""
    return click.UsageError(problem, click.get_current_context())


def end(good: bool) -> None:
    """End the command as failed where something was not `good`."""
    if not good:
        raise click.exceptions.Exit(1)


# -------------------------------------------------------------------------------------- commands and options


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


def command(name: str | None = None, **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """A command with translated help; `cli` puts it into the program."""
    return click.command(name, cls=Command, **attributes)


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


class Choice(click.Choice[str]):
    """One of a few words."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return _("{value} is unknown: choose one of {choices}").format(
            value=visible(str(value)), choices=", ".join(self.choices)
        )

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return _("choose one of {choices}").format(choices=", ".join(self.choices))


# --------------------------------------------------------------------------------------- the global options


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


def _set_device(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value and not ctx.resilient_parsing:
        ctx.find_root().ensure_object(Settings).device = value


def _set_language(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.find_root().ensure_object(Settings).language = value
        speak(value)


def global_options(hidden: bool = False) -> list[click.Parameter]:
    """--device and --lang."""
    common: dict[str, Any] = {"expose_value": False, "hidden": hidden}
    return [
        Option(["--device"], type=Device(), metavar="DEVICE", callback=_set_device,
               help=N_("Where models run: auto, cpu, cuda or mps."), **common),
        Option(["--lang"], type=Choice(LANGUAGES), callback=_set_language, is_eager=True,
               help=N_("The language of the program."), **common),
    ]  # fmt: skip

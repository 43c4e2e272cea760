"""`nlptui [TEXT]`: the explorer on a terminal, its first screen as plain text elsewhere.

Knows the state that the options ask for; what the screen makes of it is the explorer's business.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import click

from nlptui.cli_base import Choice, argument, command, option, settings, wrong_use
from nlptui.cli_engine import Asked, Pin, Runs, asked_run, chosen_sampling, whole_text
from nlptui.cli_options import (
    MODEL,
    TOKENIZER,
    VIEW,
    edit_option,
    pair_option,
    pin_options,
    pin_standing_options,
    pooling_option,
    sampling_options,
    standing_options,
    written_option,
)
from nlptui.locale import N_, _
from nlptui.sampling import PLAIN
from nlptui.text import visible
from nlptui.tui.place import READINGS, Place, prompt_of

if TYPE_CHECKING:
    from nlptui.views.figure import Tokens


@command(help=N_("Open the explorer; where there is no terminal, print its first screen as plain text."))
@argument("text", required=False)
@option("--model", "-m", type=MODEL, metavar="MODEL", help=N_("Name or folder of a model."))
@pair_option
@option("--view", type=VIEW, metavar="VIEW", help=N_("The view to open."))
@standing_options(None, None)
@option("--at", metavar="ROW,COL[,TABLE]", help=N_("Where the cell cursor stands."))
@option(
    "--tokenizer", type=TOKENIZER, metavar="TOKENIZER", help=N_("A second tokenizer, for the tokens on top.")
)
@option("--reading", type=Choice(READINGS), help=N_("What the screen shows of the chosen token."))
@sampling_options
@written_option
@edit_option
@pin_options(compares=True)
@pin_standing_options
@pooling_option
@option("--low-bandwidth", is_flag=True, help=N_("Send as little as possible to the terminal."))
@asked_run(compares=True)
def explore(
    asked: Asked, view: str | None, at: str | None, tokenizer: str | None, reading: str | None,
    low_bandwidth: bool, temperature: float | None, top_k: int | None, top_p: float | None, seed: int | None,
    **standing: Any,
) -> None:  # fmt: skip
    how = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    sampling = chosen_sampling(how)
    cursor = None if at is None else _cell(at)
    from nlptui.tui.guards import no_screen

    text = None if asked.text is None else whole_text(asked.text)
    if reason := no_screen():
        from nlptui.cli_output import message

        # What is not said is where a view begins.
        state = {name: value for name, value in standing.items() if value is not None}
        asked = dataclasses.replace(asked, text=text)
        print_screen(asked, view, state | {"sampling": sampling or PLAIN}, tokenizer)
        hint = _("{reason}: this is the first screen as text; in a terminal, nlptui opens the explorer")
        message(hint.format(reason=reason))
        return
    from nlptui.tui.app import run_app

    status = run_app(
        text, asked.model or None, view, standing.pop("layer"), standing.pop("head"), cursor, pair=asked.pair,
        edits=asked.edits, written=asked.written, sampling=sampling, tokenizer=tokenizer, reading=reading,
        pooling=settings().pooling, pinned=_pinned(asked.pin), a_at=asked.pin.at if asked.pin else None,
        **standing, device=settings().device, language=settings().language, low_bandwidth=low_bandwidth,
    )  # fmt: skip
    raise click.exceptions.Exit(status)


def _cell(at: str) -> tuple[int, ...]:
    """Row, column, and which table of the view, where it is not the first."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?(?:,\s*(\d{1,9})\s*)?", at)
    if match is None:
        problem = _("--at {at}: write ROW,COL, as in --at 3,17").format(at=visible(at))
        raise wrong_use(problem)
    return int(match[1]), int(match[2] or 0), *([int(match[3])] if match[3] else [])


def _pinned(pin: Pin | None) -> Place | None:
    """The run A as the explorer knows it."""
    if pin is None:
        return None
    text = prompt_of(pin.text, pin.pair)
    return Place(
        model=pin.model or "", text=text, edits=pin.edits, written=pin.written, pooling=pin.pooling or ""
    )


def print_screen(asked: Asked, view: str | None, state: dict[str, Any], tokenizer: str | None) -> None:
    """The explorer's first screen on stdout."""
    from nlptui.cli_output import text_width, write_line
    from nlptui.engine.library import default_model
    from nlptui.first_screen import plain_screen
    from nlptui.tui.examples import example

    runs = Runs(dataclasses.replace(asked, model=asked.model or default_model()))
    config = runs.engine.config
    text = example(config.name, config.task, config.language) if asked.text is None else asked.text
    place = Place(text=prompt_of(text, asked.pair))  # the prompt may hold two sentences
    text, runs.asked = place.sentence, dataclasses.replace(asked, pair=place.pair)
    tokens = _tokens(tokenizer, text, place.pair) if tokenizer else None
    target = state.get("target")
    state |= {"target": runs.target(target)}
    analyse, others, beside = runs.engine.analyse, runs.other(text), runs.beside(target)
    write_line(
        plain_screen(runs.trace(text), view or "", state, text_width(), analyse, others, beside, tokens)
    )


def _tokens(tokenizer: str, text: str, pair: str | None) -> Tokens:
    """The tokens that another tokenizer makes of the text."""
    from nlptui.engine.tokenizer import find_tokenizer
    from nlptui.views.tokens import token_row

    encoding = find_tokenizer(tokenizer).encode(text, pair)
    return token_row(_("tokens of {name}").format(name=visible(tokenizer)), encoding)

"""The explorer's first screen as plain text, for where there is no terminal, and any single view of a trace.

Knows nothing of models and commands, and draws nothing itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

if TYPE_CHECKING:
    from nlptui.trace import Trace
    from nlptui.views.figure import Figure, Part, Tokens
    from nlptui.views.view import State, View

Analyse = Callable[..., Any]
"""`Engine.analyse`."""
Run = Callable[[str], "Trace"]
"""The text through the model of a name."""
ROWS = 8
"""Rows and columns of a table, and bars, on the first screen."""
TOKENS = 32
"""Tokens of a row on the first screen."""


@dataclass(frozen=True)
class Beside:
    """A run A that a view is compared with."""

    trace: Trace
    analyse: Analyse
    """That of its own engine."""
    target: int | None = None
    """What the view asks about, in its model's numbers."""
    at: tuple[int, int] | None = None
    """The layer and head at which it is shown; None: those of the other run."""


def fitting_views(trace: Trace) -> list[str]:
    """The names of the views that have something to show of a trace."""
    from nlptui.views import VIEWS

    return [name for name, view in VIEWS.items() if view.applies(trace.config)]


def figure_of(
    trace: Trace,
    view: str,
    state: Mapping[str, Any],
    analyse: Analyse,
    run: Run | None = None,
    beside: Beside | None = None,
) -> Figure:
    """A view of a trace; `state` has the fields of `State`; `analyse` is the engine's; `run` runs another
    model on the same text; `beside` is the run to compare with.

    Raises UserError for a view, layer, head, token or name that the trace does not have: who asks for one
    number is not shown another.
    """
    from nlptui.views import VIEWS, State

    names = fitting_views(trace)
    if view not in names:
        raise UserError(
            _("{model} has nothing that the view {view} shows; it has {views}").format(
                model=visible(trace.model), view=visible(view), views=", ".join(names)
            )
        )
    chosen = VIEWS[view]
    wanted = State(**{"position": chosen.start(trace), **_said(state)})
    if trace.encoding.tokens:
        _check_counts(trace, chosen, wanted)
        _check_name(chosen.choices(trace), view, wanted.name)
    if run is not None and chosen.shows_others and trace.encoding.tokens:
        from nlptui.engine.library import list_models

        trace.beside = {name: run(name) for name in chosen.beside(trace, list_models(), wanted)}
        for other in trace.beside.values():
            if needed := chosen.needs(other, wanted):
                other.engine.analyse(other, *needed)
    figure = _drawn(chosen, trace, wanted, analyse)
    if beside is None:
        return figure
    from nlptui.views.compare import with_pinned

    a, asked = beside, replace(wanted, target=beside.target)
    if a.at is not None:
        asked = replace(asked, layer=a.at[0], head=a.at[1])
        _check_counts(a.trace, chosen, asked, "--pin-")
    return with_pinned(chosen, figure, a.trace, lambda: _drawn(chosen, a.trace, asked, a.analyse))


def _drawn(view: View, trace: Trace, state: State, analyse: Analyse) -> Figure:
    """The view, with the analyses that it needs; of an empty text, it says so."""
    if trace.encoding.tokens:
        analyse(trace, *view.needs(trace, state))
    return view.draw(trace, state)


def _said(state: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that somebody has said; a view knows where it begins without the others."""
    return {name: value for name, value in state.items() if value is not None}


def _check_counts(trace: Trace, view: View, wanted: State, prefix: str = "--") -> None:
    """Raise UserError where the layer, the head or the token is beyond what there is; `prefix`: of options
    that say it.
    """
    counts = (
        (f"{prefix}layer", wanted.layer, view.layers(trace)),
        (f"{prefix}head", wanted.head, view.heads(trace)),
    )
    for option, number, count in counts:
        if 0 <= number < count:
            continue
        problem = _("{option} {number}: the view {view} of {model} has only 0 to {last}")
        if count <= 1:
            problem = _("{option} {number}: the view {view} of {model} has only one; leave {option} out")
        raise UserError(
            problem.format(
                option=option, number=number, view=view.name, model=visible(trace.model), last=count - 1
            )
        )
    tokens = _positions(trace)
    if prefix == "--" and not 0 <= wanted.position < tokens:
        raise UserError(
            _("--position {number}: the text has the tokens 0 to {last}").format(
                number=wanted.position, last=tokens - 1
            )
        )


def _positions(trace: Trace) -> int:
    """Tokens of the text, or of the decoder where it has more of them."""
    target = trace.inputs.get("target_ids")
    return max(len(trace.encoding.tokens), target.shape[1] if target is not None else 0)


def _check_name(choices: tuple[str, ...], view: str, name: str | None) -> None:
    """Raise UserError where the view has nothing called `name`."""
    if name is None or name in choices:
        return
    if not choices:
        raise UserError(
            _("--name {name}: the view {view} has nothing to choose by name; leave --name out").format(
                name=visible(name), view=view
            )
        )
    near = difflib.get_close_matches(name, choices, n=3) or choices[:6]
    problem = _("--name {name}: the view {view} has no such name; there are {names}")
    more = ", …" if len(near) < len(choices) else ""
    raise UserError(problem.format(name=visible(name), view=view, names=", ".join(map(visible, near)) + more))


def plain_screen(
    trace: Trace,
    view: str,
    state: Mapping[str, Any],
    width: int,
    analyse: Analyse,
    run: Run | None = None,
    beside: Beside | None = None,
    tokens: Tokens | None = None,
) -> str:
    """The tokens, the view and the output, one under the other; `state` is the view's.

    beside: the run that the view is compared with. tokens: to stand on top, instead of the trace's own.
    """
    from nlptui.tui.workbench import EARLIEST

    names = fitting_views(trace)
    chosen = view or next(name for name in (*EARLIEST, *names) if name in names)
    figures = {
        name: figure_of(trace, name, state, analyse, run, beside)
        if name == chosen
        else figure_of(trace, name, {}, analyse, run)
        for name in dict.fromkeys(("tokens", chosen, "output"))
        if name == chosen or name in names
    }
    if tokens is not None and chosen != "tokens":
        figures["tokens"] = replace(figures["tokens"], parts=(tokens,), caption="")
    return "\n\n".join(_brief(figure, width, 2 if name == chosen else 1) for name, figure in figures.items())


def _brief(figure: Figure, width: int, tables: int) -> str:
    """The figure in few lines: tokens, the beginning of its first tables, and which command prints more."""
    from nlptui.views import render
    from nlptui.views.figure import Tokens

    tokens: list[Part] = [part for part in figure.parts if isinstance(part, Tokens)]
    others = [part for part in figure.parts if not isinstance(part, Tokens)]
    short = replace(figure, parts=(*tokens, *others[:tables]))
    text = render.to_text(short, width, limit=ROWS, tokens=TOKENS)
    if others[tables:] or text != render.to_text(short, width):
        text += "\n" + _("{command} prints more").format(command=f"nlptui view {figure.view} …")
    return text.rstrip("\n")

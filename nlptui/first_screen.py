"""The explorer's first screen as plain text, for where there is no terminal, and any single view of a trace.

Knows nothing of models and commands, and draws nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

if TYPE_CHECKING:
    from nlptui.trace import Trace
    from nlptui.views.figure import Figure


def fitting_views(trace: Trace) -> list[str]:
    """The names of the views that have something to show of a trace."""
    from nlptui.views import VIEWS

    return [name for name, view in VIEWS.items() if view.applies(trace.config)]


def figure_of(trace: Trace, view: str, state: Mapping[str, Any]) -> Figure:
    """A view of a trace; `state` has the fields of `State`. Raises UserError where nothing fits."""
    from nlptui.views import VIEWS, State

    names = fitting_views(trace)
    if view not in names:
        raise UserError(
            _("{model} has nothing that the view {view} shows; it has {views}").format(
                model=visible(trace.model), view=visible(view), views=", ".join(names)
            )
        )
    return VIEWS[view].draw(trace, State(**state))


def plain_screen(trace: Trace, view: str, state: Mapping[str, Any], width: int) -> str:
    """The tokens, the view and the output, one under the other."""
    from nlptui.tui.workbench import EARLIEST
    from nlptui.views import render

    names = fitting_views(trace)
    chosen = view or next(name for name in (*EARLIEST, *names) if name in names)
    wanted = dict.fromkeys(("tokens", chosen, "output"))
    figures = [figure_of(trace, name, state) for name in wanted if name == chosen or name in names]
    return "\n\n".join(render.to_text(figure, width).rstrip("\n") for figure in figures)

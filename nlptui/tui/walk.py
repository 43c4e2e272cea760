"""How keys change the place: next view, next layer, an edit more, an edit less. Pure functions from place to
place.

Knows nothing of widgets or threads, so that every rule of moving about can be tested by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.tui.place import FROM_PINNED, LAST_CHOICE, READINGS, WALKED_CHOICES, Place

if TYPE_CHECKING:
    from nlptui.tui.answers import Shown, ViewName


def to_view(place: Place, view: str, name: str | None = None) -> Place:
    """Another view, its cursor at the top."""
    if (view, name) == (place.view, place.name):
        return place
    return replace(place, view=view, name=name, part=0, row=0, col=0)


def group_of(shown: Shown) -> int:
    """The group of the view on screen."""
    return next((view.group for view in shown.model.views if view.name == shown.place.view), 1)


def in_group(shown: Shown, group: int) -> list[ViewName]:
    """The views of a group that the model has."""
    return [view for view in shown.model.views if view.group == group]


def to_group(shown: Shown, group: int) -> Place | None:
    """The first view of a group; None where the model has none. Asked again, the next view of it."""
    views = in_group(shown, group)
    if not views:
        return None
    if group == group_of(shown):
        return next_view(shown, 1)
    return to_view(shown.place, views[0].name)


def next_view(shown: Shown, step: int) -> Place:
    """The next (1) or previous (-1) stop of the group: the choices of a view, then the view beside it, round
    at the end; backwards, that view's last choice, so that one key takes back the other. In a group with one
    stop only, that one.
    """
    place = shown.place
    choices = shown.choices if len(shown.choices) <= WALKED_CHOICES else ()
    at = choices.index(place.name) if place.name in choices else 0
    if choices and 0 <= at + step < len(choices):
        return to_view(place, place.view, choices[at + step])
    views = in_group(shown, group_of(shown))
    if len(views) == 1:
        return to_view(place, place.view, choices[(at + step) % len(choices)]) if len(choices) > 1 else place
    names = [view.name for view in views]
    view = names[(names.index(place.view) + step) % len(names)]
    return to_view(place, view, LAST_CHOICE if step < 0 else None)


def to_layer(shown: Shown, step: int) -> Place:
    """A layer up or down, as far as there is one."""
    return replace(shown.place, layer=max(0, min(shown.place.layer + step, shown.layers - 1)))


def to_head(shown: Shown, step: int) -> Place:
    """A head (or direction) on or back, as far as there is one."""
    return replace(shown.place, head=max(0, min(shown.place.head + step, shown.heads - 1)))


def to_token(shown: Shown, position: int) -> Place:
    """Another token of the sentence, as far as there is one."""
    last = max(0, max(len(shown.tokens.tokens), shown.positions) - 1)
    return replace(shown.place, position=max(0, min(position, last)), chosen=True)


def next_reading(place: Place) -> Place:
    """The token as its id, its one-hot vector, its embedding row, and round again."""
    return replace(place, reading=READINGS[(READINGS.index(place.reading) + 1) % len(READINGS)])


def with_edit(place: Place, edit: str) -> Place:
    """One more edit in force."""
    return replace(place, edits=(*place.edits, edit))


def undone(place: Place) -> Place:
    """The last edit taken back."""
    return replace(place, edits=place.edits[:-1])


def pinned(place: Place) -> Place:
    """The run at hand pinned as A; or, where one is pinned, unpinned."""
    if place.pinned is not None:
        kept, off = (
            tuple(edit for edit in edits if not edit.endswith(FROM_PINNED))
            for edits in (place.edits, place.off)
        )
        return replace(place, pinned=None, a_at=None, part=0, edits=kept, off=off)
    return replace(place, pinned=replace(place, pinned=None))

"""The rules of moving about, without a screen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from nlptui.tui import walk
from nlptui.tui.answers import ViewName
from nlptui.tui.place import LAST_CHOICE, Place

VIEWS = (
    ViewName("tokens", "Tokens", 1),
    ViewName("hidden", "Hidden", 3),
    ViewName("resid", "Residual", 3),
    ViewName("attention", "Attention", 5),
    ViewName("tree", "Everything", 9),
)


@dataclass(frozen=True)
class Here:
    """As much of `Shown` as the rules look at."""

    place: Place
    choices: tuple[str, ...] = ()
    layers: int = 3
    heads: int = 2
    model: Any = field(default_factory=lambda: SimpleNamespace(views=VIEWS))
    tokens: Any = field(default_factory=lambda: SimpleNamespace(tokens=("a", "b", "c")))
    positions: int = 0


def at(view: str, name: str | None = None, **more: Any) -> Here:
    return Here(Place(view=view, name=name, row=4, col=2, part=1), **more)


def test_the_views_of_a_group_are_walked_round() -> None:
    seen = []
    here = at("hidden")
    for _step in range(3):
        here = replace(here, place=walk.next_view(here, 1))
        seen.append(here.place.view)
    assert seen == ["resid", "hidden", "resid"]
    assert walk.next_view(at("hidden"), -1).view == "resid"


def test_choices_come_before_the_next_view() -> None:
    stages = ("weights", "scores", "dot")
    names = []
    here = at("attention", choices=stages)
    for _step in range(4):
        here = replace(here, place=walk.next_view(here, 1))
        names.append((here.place.view, here.place.name))
    assert names == [
        ("attention", "scores"),
        ("attention", "dot"),
        ("attention", "weights"),
        ("attention", "scores"),
    ]


def test_backwards_a_view_is_entered_at_its_last_choice() -> None:
    here = walk.next_view(at("resid"), -1)
    assert (here.view, here.name) == ("hidden", LAST_CHOICE)
    assert walk.next_view(at("attention", "scores", choices=("weights", "scores")), -1).name == "weights"


@pytest.mark.parametrize("step", [1, -1])
def test_a_group_with_one_stop_is_not_left(step: int) -> None:
    here = at("tokens")
    assert walk.next_view(here, step) == here.place
    assert walk.next_view(at("tokens", choices=("one",)), step).view == "tokens"


def test_many_choices_are_not_walked() -> None:
    here = at("tree", choices=tuple(map(str, range(50))))
    assert walk.next_view(here, 1) == here.place


def test_another_view_begins_at_its_first_cell() -> None:
    place = walk.to_view(at("hidden").place, "resid")
    assert (place.part, place.row, place.col) == (0, 0, 0)
    assert walk.to_view(at("hidden").place, "hidden") == at("hidden").place


def test_a_group_is_its_first_view_and_then_the_next() -> None:
    assert walk.to_group(at("tokens"), 3).view == "hidden"
    assert walk.to_group(at("hidden"), 3).view == "resid"
    assert walk.to_group(at("hidden"), 7) is None


@pytest.mark.parametrize(("step", "start", "end"), [(1, 0, 1), (1, 2, 2), (-1, 0, 0), (-1, 2, 1)])
def test_layers_end_where_the_model_ends(step: int, start: int, end: int) -> None:
    here = at("hidden")
    assert walk.to_layer(replace(here, place=replace(here.place, layer=start)), step).layer == end


def test_heads_and_tokens_end_too() -> None:
    assert walk.to_head(at("hidden"), 5).head == 1
    assert walk.to_token(at("hidden"), 9).position == 2
    assert walk.to_token(at("hidden", positions=5), 9).position == 4, "a decoder's"
    assert walk.to_token(at("hidden"), -3).position == 0


def test_readings_go_round() -> None:
    place, seen = Place(), []
    for _step in range(4):
        place = walk.next_reading(place)
        seen.append(place.reading)
    assert seen == ["one-hot", "embedding", "ids", "one-hot"]


def test_edits_stack_and_unstack() -> None:
    place = walk.with_edit(walk.with_edit(Place(), "a=zero"), "b=mean")
    assert place.edits == ("a=zero", "b=mean")
    assert walk.undone(place).edits == ("a=zero",)
    assert walk.undone(Place()).edits == ()


def test_pinning_keeps_the_run_and_pinning_again_lets_it_go() -> None:
    place = walk.pinned(Place(model="m", text="t", part=2))
    assert place.pinned == Place(model="m", text="t", part=2)
    assert walk.pinned(replace(place, model="other")).pinned is None

"""The table of actions: every action has a key, a palette entry and a help line, and no two clash."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nlptui.errors import UserError
from nlptui.tui.actions import ACTIONS
from nlptui.tui.actions.action import GROUPS, SCOPES, TOGETHER, help_of, label_of
from nlptui.tui.actions.binding import bindings, clashes, rebound
from nlptui.tui.actions.keys import FULL_WIDTH, key_name
from nlptui.tui.program import NlptuiApp
from nlptui.tui.screens.edits import EditsScreen
from nlptui.tui.screens.explain import ExplainScreen
from nlptui.tui.screens.explorer import ExplorerScreen
from nlptui.tui.screens.help import HelpScreen, help_lines
from nlptui.tui.screens.palette import PaletteScreen
from nlptui.tui.screens.studio import StudioScreen
from nlptui.tui.screens.tokenizers import TokenizersScreen
from nlptui.tui.widgets.heat_table import HeatTableView
from nlptui.tui.widgets.keys import CURSOR_KEYS

OWNERS = {
    "app": NlptuiApp,
    "explorer": ExplorerScreen,
    "explain": ExplainScreen,
    "table": HeatTableView,
    "help": HelpScreen,
    "dialog": PaletteScreen,
    "edits": EditsScreen,
    "tokenizers": TokenizersScreen,
    "studio": StudioScreen,
}


def test_ids_are_unique() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_keys_words_and_a_place(action) -> None:
    assert action.keys
    assert label_of(action).strip() and help_of(action).strip().endswith(".")
    assert action.group in GROUPS and action.scope in SCOPES


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_carried_out_where_it_holds(action) -> None:
    method = "action_" + action.call.partition("(")[0]
    assert callable(getattr(OWNERS[action.scope], method))


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope != "table"])
def test_bindings_of_a_scope_are_those_of_the_table(scope: str) -> None:
    made = {(b.id, b.key) for b in bindings(scope)}
    assert made == {(a.id, ",".join(a.keys)) for a in ACTIONS if a.scope == scope}
    bound = {b.id for binding in OWNERS[scope].BINDINGS for b in [binding]}
    assert {a.id for a in ACTIONS if a.scope == scope} <= bound


def test_the_cursor_keys_of_the_widgets_are_those_of_the_table() -> None:
    of_widgets = {(binding.id, binding.key) for binding in CURSOR_KEYS}
    assert of_widgets == {(a.id, ",".join(a.keys)) for a in ACTIONS if a.scope == "table"}


def test_no_two_actions_clash() -> None:
    assert list(clashes(ACTIONS)) == []


def test_a_clash_is_found() -> None:
    broken = [replace(a, keys=("i",)) if a.id == "choose_model" else a for a in ACTIONS]
    assert [(a.id, b.id, key) for a, b, key in clashes(broken)] == [("edit_text", "choose_model", "i")]


@pytest.mark.parametrize("together", TOGETHER)
def test_help_and_palette_name_every_action_that_holds_together(together: tuple[str, ...]) -> None:
    actions = tuple(a for a in ACTIONS if a.scope in together)
    words = " ".join(f"{keys} {sentence}" for keys, sentence in help_lines(actions, 400))
    listed = {item.key for item in PaletteScreen(actions).items()}
    for action in actions:
        assert action.id in listed
        assert help_of(action) in words or action.id.startswith("group_")


def test_users_rebind_by_id() -> None:
    table = {a.id: a for a in rebound({"layer_up": "ctrl+up,]", "quit": "ctrl+x"})}
    assert table["layer_up"].keys == ("ctrl+up", "right_square_bracket")
    assert table["quit"].keys == ("ctrl+x",)
    assert table["layer_down"] == next(a for a in ACTIONS if a.id == "layer_down")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"fly": "f"}, "no action is called 'fly'"),
        ({"quit": ""}, "quit needs at least one key"),
        ({"quit": "i"}, "i is bound to both"),
        ({"\x1b[31m": "f"}, "␛[31m"),
    ],
)
def test_a_wrong_rebinding_is_said_in_one_line(keys: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=".*") as error:
        rebound(keys)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_keys_are_written_for_people() -> None:
    assert [key_name(k) for k in ("left_square_bracket", "ctrl+p", "f1", "G")] == ["[", "Ctrl+P", "F1", "G"]


def test_full_width_punctuation_is_its_ascii_key() -> None:
    assert [FULL_WIDTH[c] for c in "【】，。？／：ｑ１"] == ["[", "]", ",", ".", "?", "/", ":", "q", "1"]

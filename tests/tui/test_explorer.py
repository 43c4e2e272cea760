"""The explorer by its keys, with the real engine and small models."""

from __future__ import annotations

import numpy as np
import pytest

from nlptui.engine import Engine
from nlptui.tui.panes.reading_line import ReadingLine
from nlptui.tui.panes.view_tabs import ViewTabs
from nlptui.tui.screens.chooser import ItemList
from nlptui.tui.screens.explain import ExplainScreen
from nlptui.tui.screens.models import ModelsScreen
from nlptui.tui.widgets.heat_table import HeatTableView
from nlptui.tui.widgets.prompt import Prompt
from nlptui.tui.widgets.token_row import TokenRow
from nlptui.tui.widgets.trace_tree import TraceTree
from nlptui.views.figure import Thumbnails
from nlptui.views.steps import STAGES
from tests.tui.driving import TEXT, Session, opened

pytestmark = pytest.mark.usefixtures("models")


def view(session: Session) -> tuple[str, str | None, int, int]:
    """Which view is on screen."""
    place = session.explorer.shown.place
    return place.view, place.name, place.layer, place.head


async def test_it_shows_tokens_view_output_and_tree() -> None:
    async with opened("tag-lstm") as session:
        text = session.text()
        assert "LSTM" in text and "tagging" in text
        for word in TEXT.split():
            assert word in text
        assert "forget gate" in text and "NOUN" in text and "token_embed" in text
        assert "No training runs." in text


async def test_the_numbers_on_screen_are_those_of_the_engine(models) -> None:
    async with opened("gpt", view="attention", head=1) as session:
        trace = Engine.load(models / "gpt").trace(TEXT)
        weights = trace.array("blocks.0.attn.weights")[0, 1]
        np.testing.assert_array_equal(session.pane.box.part.values, weights)
        await session.press("j", "j", "l")
        assert str(weights[2, 1]) in session.text()


async def test_layers_and_heads() -> None:
    async with opened("gpt") as session:
        assert view(session) == ("attention", None, 0, 0)
        await session.press("]", ".", ".")
        assert view(session) == ("attention", None, 1, 2)
        await session.press("]")
        assert view(session)[2] == 1 and "highest layer" in session.text()
        await session.press("[", ",")
        assert view(session) == ("attention", None, 0, 1)


async def test_keys_pressed_faster_than_answers_come_add_up() -> None:
    async with opened("gpt") as session:
        await session.pilot.press("]", ".", ".")
        await session.settle()
        assert view(session) == ("attention", None, 1, 2)


async def test_tab_walks_the_stages_of_attention_and_back() -> None:
    async with opened("gpt") as session:
        seen = []
        for _step in range(17):
            await session.press("tab")
            seen.append(view(session)[0] if session.place.name is None else session.place.name)
        walk = [
            "scores",
            "scaled",
            "dot",
            "steps",
            *list(STAGES)[1:],
            "heads",
            "numbers",
            "rollout",
            "attention",
        ]
        assert seen == walk
        await session.press("shift+tab", "shift+tab")
        assert view(session)[0] == "heads"


ANALYSES = {
    "gpt": {
        2: ("space", "neighbours", "positions"),
        3: ("add_norm", "feed_forward", "lens", "sources"),
        5: ("steps", "rollout"),
        8: ("beam", "cache"),
    },
    "tag-lstm": {4: ("through_time", "units_on"), 9: ("timing",)},
}


@pytest.mark.parametrize("family", ANALYSES)
async def test_views_of_analyses_show_numbers_that_open(family: str) -> None:
    async with opened(family) as session:
        groups = {v.name: v.group for v in session.explorer.shown.model.views}
        for group, name in [(group, name) for group, names in ANALYSES[family].items() for name in names]:
            assert groups[name] == group
            session.explorer.open_view(name)
            await session.settle()
            if name == "steps":
                await session.press("tab", "tab", "w")
            assert view(session)[0] == name and session.pane.figure.view == name
            assert session.pane.figure.parts and not session.explorer.problem, name
            if name in ("through_time", "timing"):
                await session.press("w")
            if name in ("neighbours", "add_norm", "positions"):
                await session.press(*["w"] * (1 if name != "add_norm" else 0), "j")
            assert session.explorer.origin().name.startswith("analysis."), name
            await session.press("enter")
            assert isinstance(session.app.screen, ExplainScreen) and "analysis." in session.text(), name
            await session.press("escape")


async def test_attribution_asks_about_the_answer_under_the_cursor() -> None:
    async with opened("tag-lstm") as session:
        await session.press("7", "p", "j", "equals_sign")
        first = session.explorer.shown.figure.parts[0].source.name
        label = session.explorer.query_one("#output").figure.parts[0].labels[1]
        assert session.place.target and label in session.explorer.shown.figure.title
        await session.press("escape", "equals_sign")
        assert session.place.target == "" and session.explorer.shown.figure.parts[0].source.name != first
        assert "likeliest" in session.text()


@pytest.mark.parametrize(
    ("key", "name"), [("1", "tokens"), ("2", "embedding"), ("6", "output"), ("9", "tree")]
)
async def test_numbers_open_groups_of_views(key: str, name: str) -> None:
    async with opened("tag-lstm") as session:
        await session.press(key)
        assert view(session)[0] == name
        assert session.pane.figure.view == name


async def test_a_group_that_the_model_lacks_is_said_so() -> None:
    async with opened("tag-lstm") as session:
        before = view(session)
        await session.press("5")
        assert view(session) == before and "no views in group 5" in session.text()


async def test_backspace_goes_back_to_the_view_and_the_cell() -> None:
    async with opened("gpt") as session:
        await session.press("j", "l", "2")
        assert view(session)[0] == "embedding"
        await session.press("backspace")
        assert view(session)[0] == "attention" and session.pane.cell == (1, 1)


async def test_the_cursor_moves_with_vi_keys_and_arrows() -> None:
    async with opened("gpt") as session:
        await session.press("j", "j", "l", "l", "k", "h")
        assert session.pane.cell == (1, 1)
        await session.press("down", "right")
        assert session.pane.cell == (2, 2)
        await session.press("G", "end")
        assert session.pane.cell == (11, 11)
        await session.press("g", "home")
        assert session.pane.cell == (0, 0)
        assert (session.place.row, session.place.col) == (0, 0)


async def test_typing_changes_the_picture() -> None:
    async with opened("tag-lstm") as session:
        await session.press("i")
        assert isinstance(session.app.focused, Prompt)
        await session.pilot.press("space", "q", "7")
        await session.settle()
        assert session.place.text == TEXT + " q7"
        assert len(session.explorer.shown.tokens.tokens) == 10
        await session.press("escape")
        assert isinstance(session.app.focused, HeatTableView)


async def test_enter_in_the_prompt_keeps_the_sentence_and_goes_to_the_view() -> None:
    async with opened("tag-lstm") as session:
        await session.press("i", "x", "enter")
        assert session.app.settings.history[-1] == TEXT + "x"
        assert isinstance(session.app.focused, HeatTableView)


async def test_an_emptied_sentence_shows_an_empty_view_and_comes_back() -> None:
    async with opened("gpt") as session:
        await session.press("i", "ctrl+u")
        assert session.explorer.shown.tokens.tokens == ()
        await session.press("t", "escape")
        assert [token.text for token in session.explorer.shown.tokens.tokens] == ["t"]


async def test_another_model_is_chosen_by_typing_its_name() -> None:
    async with opened("tag-lstm") as session:
        await session.press("m")
        assert isinstance(session.app.screen, ModelsScreen)
        assert "class-lstm" in session.text() and "BERT" in session.text()
        await session.press("g", "p", "t")
        assert [item.name for item in session.app.screen.query_one(ItemList).items] == ["gpt"]
        await session.press("enter")
        assert session.explorer.shown.model.arch == "gpt" and view(session)[0] == "attention"


async def test_escape_leaves_the_models_as_they_were() -> None:
    async with opened("tag-lstm") as session:
        await session.press("m", "down", "escape")
        assert session.place.model == "tag-lstm"


async def test_another_tokenizer_cuts_the_same_sentence() -> None:
    async with opened("tag-lstm") as session:
        await session.press("T", *"bytes", "enter")
        tokens = session.explorer.shown.tokens.tokens
        assert len(tokens) == len(TEXT.encode())
        assert view(session)[0] == "gates"  # the model still reads its own tokens
        await session.press("T", *"tag-lstm", "enter")
        assert len(session.explorer.shown.tokens.tokens) == 9


async def test_a_token_as_id_one_hot_and_embedding_row(models) -> None:
    async with opened("tag-lstm") as session:
        line = session.explorer.query_one(ReadingLine)
        assert not line.display
        await session.press(")", ")", "o")
        token = session.explorer.shown.tokens.tokens[2]
        assert token.text == "keeper" and f"a 1 at place {token.id} of" in session.text()
        await session.press("o")
        row = Engine.load(models / "tag-lstm").parameters["token_embedding.weight"][token.id]
        assert (
            f"token_embedding.weight[{token.id}]" in session.text()
            and f"{row[0]:z.2f} {row[1]:z.2f}" in session.text()
        )
        await session.press("o")
        assert not line.display


async def test_the_chosen_token_follows_the_cursor_and_leads_the_output() -> None:
    async with opened("tag-lstm", view="hidden") as session:
        assert session.pane.box.part.row_axis == "pos" or session.pane.box.part.col_axis == "pos"
        key = "j" if session.pane.box.part.row_axis == "pos" else "l"
        await session.press(key, key, key)
        assert session.place.position == 3
        assert session.explorer.query_one("#tokens", TokenRow).row == 3
        assert "labels of 'can'" in session.text()


async def test_enter_in_the_tree_opens_that_activation() -> None:
    async with opened("gpt") as session:
        await session.press("a")
        tree = session.explorer.query_one(TraceTree)
        assert tree.has_focus
        tree.move_to(next(n for n, row in enumerate(tree.part.rows) if row.path == "blocks.0.attn.q"))
        await session.press("enter")
        assert view(session)[:2] == ("activation", "blocks.0.attn.q")
        await session.press("escape", "enter")
        assert isinstance(session.app.screen, ExplainScreen)


async def test_where_there_is_no_room_for_the_tree_its_view_opens() -> None:
    async with opened("gpt", size=(80, 24)) as session:
        await session.press("a")
        assert view(session)[0] == "tree"
        await session.press("enter")
        assert view(session)[0] == "activation"


async def test_find_goes_to_tokens_words_and_values() -> None:
    async with opened("tag-lstm", view="hidden") as session:
        await session.press("slash", *"keeper", "enter")
        part = session.pane.box.part
        row, col = session.pane.cell
        assert "keeper" in (part.rows[row], part.cols[col])
        await session.press("slash", *"nowhere", "enter")
        assert "“nowhere” is not in this table." in session.text()
        value = part.values[5, 5] if part.values.shape[1] > 5 else part.values[5, 2]
        await session.press("slash", *f"{value:.6f}", "enter")
        assert part.values[session.pane.cell] == value


async def test_n_and_shift_n_walk_the_matches() -> None:
    async with opened("tag-lstm", view="hidden") as session:
        await session.press("slash", *"can", "enter")
        first = session.pane.cell
        await session.press("n")
        second = session.pane.cell
        assert first != second
        await session.press("N")
        assert session.pane.cell == first


async def test_colours_by_row_or_by_table() -> None:
    async with opened("gpt", view="embedding") as session:
        await session.press("s")
        assert session.pane.box.part.by == "row" and "within each row" in session.text()
        await session.press("s")
        assert session.pane.box.part.by == "table"


async def test_the_view_can_have_the_whole_width() -> None:
    async with opened("gpt") as session:
        narrow = session.pane.size.width
        await session.press("p", "f")
        assert session.pane.size.width > narrow + 50 and session.pane.has_focus_within
        assert "token_embed" not in session.text()
        await session.press("f")
        assert session.pane.size.width == narrow


async def test_numbers_or_shades() -> None:
    async with opened("gpt") as session:
        await session.press("z")
        assert {table.show for table in session.explorer.query(HeatTableView)} == {"shades"}
        await session.press("2")
        assert {table.show for table in session.explorer.query(HeatTableView)} == {"shades"}
        await session.press("z")
        assert {table.show for table in session.explorer.query(HeatTableView)} == {"numbers"}


async def test_w_walks_the_tables_of_a_view() -> None:
    async with opened("tag-lstm", size=(80, 24)) as session:
        count = len(session.pane.figure.parts)
        assert count > 3
        await session.press("w")
        assert session.pane.current == 1 and "input gate" in session.text()
        await session.press("W", "W")
        assert session.pane.current == count - 1
        assert session.pane.widget.has_focus


async def test_the_output_can_be_walked_and_opened() -> None:
    async with opened("gpt") as session:
        await session.press("p", "j")
        assert session.explorer.active_pane().id == "output"
        await session.press("enter")
        assert isinstance(session.app.screen, ExplainScreen)
        assert session.app.screen.trail[0].explained.derivation.name == "probs"


async def test_full_width_punctuation_acts_as_its_ascii_key() -> None:
    async with opened("gpt") as session:
        await session.typed("】．")
        assert view(session)[2:] == (1, 1)
        await session.typed("【，。")
        assert view(session)[2:] == (0, 1)
        await session.typed("？")
        assert "Keys" in session.text()


async def test_full_width_punctuation_is_text_in_the_prompt() -> None:
    async with opened("gpt", text="") as session:
        await session.press("i")
        await session.typed("。】")
        assert session.place.text == "。】"


async def test_two_sentences_for_a_model_that_reads_pairs() -> None:
    async with opened("bert", text="the old can ||| a paint") as session:
        segments = [token.segment for token in session.explorer.shown.tokens.tokens]
        assert set(segments) == {0, 1}
        assert "not next" in session.text()


async def test_a_text_over_the_context_is_said_and_what_is_used_is_shown() -> None:
    async with opened("gpt") as session:
        assert "Too long for the context of 12 tokens; what is used ends at “the old keep”." in session.text()


async def test_a_masked_word_gets_candidates() -> None:
    async with opened("bert", text="the [MASK] can") as session:
        mask = [token.text for token in session.explorer.shown.tokens.tokens].index("[MASK]")
        titles = [part.title for part in session.explorer.shown.output]
        assert any(f"at {mask} ('[MASK]')" in title for title in titles)


async def test_class_probabilities_are_shown() -> None:
    async with opened("class-lstm") as session:
        assert "good" in session.text() and "bad" in session.text()


async def test_a_translator_shows_both_sides() -> None:
    async with opened("translator", text="the old can") as session:
        assert session.explorer.problem == ""
        assert "decoder" in session.text()


async def test_every_view_draws_and_leaves_every_group_its_key_on_a_small_screen() -> None:
    """Of each model what no model before it has; long titles and names of choices give way to the keys."""
    drawn: set[str] = set()
    async with opened("gpt", text="the can", size=(80, 24)) as session:
        for model in ("gpt", "tag-lstm", "bert", "class-lstm", "translator"):
            session.explorer.go(session.place.__class__(model=model, text="the old can"))
            await session.settle()
            assert session.explorer.problem == "" and session.pane.figure.parts, model
            views = session.explorer.shown.model.views
            groups = {str(v.group) for v in views}
            for name in [v.name for v in views if v.name not in drawn]:
                session.explorer.open_view(name)
                await session.settle()
                assert session.explorer.problem == "", (model, name)
                assert session.explorer.shown.figure.view == name
                line = next(line for line in session.text().splitlines() if "▌" in line and "▐" in line)
                before, _open, after = line.partition("▌")
                closed = before.split() + after.partition("▐")[2].partition("[")[0].split()
                assert groups <= {*closed, after[0]}, line
                drawn.add(name)


async def test_nothing_to_pin_is_said() -> None:
    async with opened("gpt", text="") as session:
        session.explorer.shown = None
        await session.press("c")
        assert session.explorer.note == "There is no run yet that could be pinned."


async def test_tabs_and_keys_can_be_clicked() -> None:
    async with opened("gpt") as session:
        tabs = session.explorer.query_one(ViewTabs)
        at = next(start for start, word in tabs._placed() if word.action == "group_2")
        await session.pilot.click(tabs, offset=(at + 1, 0))
        await session.settle()
        assert view(session)[0] == "embedding"


async def test_a_click_moves_the_cursor_and_a_second_opens_the_number() -> None:
    async with opened("gpt") as session:
        table = session.pane.widget
        grid = table._grid
        await session.pilot.click(table, offset=(grid.header + grid.cell, 3))
        await session.settle()
        assert session.pane.cell == (2, 1)
        await session.pilot.click(table, offset=(grid.header + grid.cell, 3))
        await session.settle()
        assert isinstance(session.app.screen, ExplainScreen)


async def test_a_click_on_a_token_chooses_it() -> None:
    async with opened("tag-lstm") as session:
        row = session.explorer.query_one("#tokens", TokenRow)
        at = row.render_line(0).text.index("keeper")
        await session.pilot.click(row, offset=(row.content_region.x - row.region.x + at, 0))
        await session.settle()
        assert session.place.position == 2


async def test_pictures_of_heads_are_walked_and_opened() -> None:
    async with opened("gpt") as session:
        while view(session)[0] != "heads":
            await session.press("tab")
        grid = session.pane.widget
        part = session.pane.box.part
        assert isinstance(part, Thumbnails) and len(part.images) == 2 * part.columns
        await session.press("j", "l")
        assert grid.row == part.columns + 1
        assert part.labels[grid.row] in session.text()
        await session.press("enter")
        assert view(session)[:1] == ("attention",)
        assert (session.place.layer, session.place.head) == (1, 1)
        await session.press("backspace")
        assert view(session)[0] == "heads"


async def test_the_other_models_of_a_view_open_in_their_own_run() -> None:
    async with opened("tag-lstm", view="outputs") as session:
        assert session.pane.figure.view == "outputs"
        titles = [part.title for part in session.pane.figure.parts]
        assert any("class-lstm" in title for title in titles) and any(
            "translator" in title for title in titles
        )
        number = next(n for n, title in enumerate(titles) if "class-lstm" in title)
        session.pane.choose(number)
        origin = session.explorer.origin()
        assert origin is not None and origin.trace >= 2
        await session.press("x")
        assert "another model's" in session.text()
        await session.press("enter")
        assert (
            origin.name in session.text()
            and "together" in session.text().lower()
            or "probs" in session.text()
        )


async def test_the_eras_open_by_their_group_and_stand_oldest_first() -> None:
    async with opened("tag-lstm", view="output") as session:
        for _step in range(12):
            if session.pane.figure.view == "eras":
                break
            await session.press("tab")
        assert session.pane.figure.view == "eras"
        rows = {part.title: getattr(part, "labels", ()) for part in session.pane.figure.parts}
        assert rows["milliseconds for this text"] == ("LSTM · tag-lstm",)


async def test_the_keys_of_one_query_are_walked_without_leaving_the_query() -> None:
    async with opened("gpt", text="the can the old", view="steps", name="softmax", position=2) as session:
        first = session.pane.box.part
        await session.press("l", "j")
        assert session.place.position == 2 and session.pane.cell == (1, 1)
        assert session.pane.box.part.title == first.title
        origin = session.explorer.origin()
        assert origin is not None and origin.index[2:] == (2, 1)
        await session.press("w", "l")
        assert session.place.position == 1


async def test_what_attribution_was_asked_about_stays_while_the_cursor_walks() -> None:
    async with opened("gpt", text="the can the old", view="attribution", position=2) as session:
        name = session.pane.box.part.source.name
        assert ".at_2." in name
        await session.press("j", "w", "l")
        assert session.place.position == 2 and session.pane.figure.parts[0].source.name == name


async def test_backwards_the_views_of_a_group_stand_in_the_other_order() -> None:
    async with opened("tag-lstm", view="units_on") as session:
        await session.press("shift+tab")
        assert view(session)[:2] == ("through_time", "exploding")
        await session.press("shift+tab")
        assert view(session)[:2] == ("through_time", "both")
        await session.press("tab", "tab")
        assert view(session)[:2] == ("units_on", None)

"""Tokens as chips: what stands where, the cursor over several lines, and texts of 100,000 characters."""

from __future__ import annotations

import time

from textual.geometry import Region

from nlptui.tui.widgets.token_row import TokenRow
from nlptui.views.figure import Token, Tokens
from tests.tui.widgets.hostile import HOSTILE, is_clean
from tests.tui.widgets.widget_host import Host


def tokens(words: list[str], *, tagged: bool = False) -> Tokens:
    """`words` with ids from 100 on and offsets as if one space stood between them."""
    found, at = [], 0
    for number, word in enumerate(words):
        special = word in ("[CLS]", "[SEP]")
        tag = "NOUN" if tagged and not special else None
        found.append(
            Token(
                word,
                100 + number,
                None if special else at,
                None if special else at + len(word),
                tag,
                0.5 if tag else None,
                special,
            )
        )
        at += 0 if special else len(word) + 1
    return Tokens("tokens", tuple(found))


async def test_text_id_and_offsets_stand_below_one_another() -> None:
    app = Host(TokenRow(tokens(["[CLS]", "the", "cat", "[SEP]"])))
    async with app.run_test(size=(60, 8)):
        lines = app.lines()
        styles = {text.strip(): style for text, style in app.styles_on(0)}
    assert lines[0].split() == ["[CLS]", "the", "cat", "[SEP]"]
    assert lines[1].split() == ["100", "101", "102", "103"]
    assert lines[2].split() == ["–", "0–3", "4–7", "–"]
    assert lines[0].index("cat") == lines[1].index("102") == lines[2].index("4–7")
    assert styles["[SEP]"] != styles["cat"]


async def test_tags_and_probabilities_have_their_line() -> None:
    app = Host(TokenRow(tokens(["the", "cat"], tagged=True)))
    async with app.run_test(size=(60, 8)):
        assert app.lines()[1].split() == ["NOUN", "0.50", "NOUN", "0.50"]


async def test_words_of_the_output_have_no_id() -> None:
    words = Tokens("tags", (Token("the", tag="DET"), Token("cat", tag="NOUN")))
    app = Host(TokenRow(words))
    async with app.run_test(size=(60, 8)):
        assert [line.split() for line in app.lines() if line.strip()] == [["the", "cat"], ["DET", "NOUN"]]
    app = Host(TokenRow(Tokens("tokens", (Token("the", 7), Token("cat")))))
    async with app.run_test(size=(60, 8)):
        assert app.lines()[1].split() == ["7", "–"]


async def test_with_little_height_offsets_and_ids_go_first() -> None:
    app = Host(TokenRow(tokens(["the", "cat"], tagged=True)))
    async with app.run_test(size=(60, 2)):
        assert [line.split() for line in app.lines()] == [["the", "cat"], ["NOUN", "0.50", "NOUN", "0.50"]]
    app = Host(TokenRow(tokens(["the", "cat"])))
    async with app.run_test(size=(60, 1)):
        assert app.lines() == [" the   cat"]


async def test_lines_break_by_cells_not_by_characters() -> None:
    view = TokenRow(tokens(["床前明月光"] * 4))
    app = Host(view)
    async with app.run_test(size=(30, 9)):
        # A chip takes 12 cells: two and the space between them in a line.
        assert view._starts == [0, 2]
        assert all(strip.cell_length == 30 for strip in app.screen._compositor.render_strips())
        assert app.lines()[3].split() == ["床前明月光", "床前明月光"]


async def test_keys_walk_tokens_and_lines() -> None:
    view = TokenRow(tokens([f"w{n:03}" for n in range(100)]))
    app = Host(view)
    async with app.run_test(size=(40, 9)) as pilot:
        a_line = view._starts[1]
        for key, row in [
            ("l", 1), ("right", 2), ("h", 1), ("left", 0), ("h", 0), ("end", a_line - 1), ("home", 0),
            ("j", a_line), ("down", 2 * a_line), ("k", a_line), ("up", 0), ("k", 0), ("pagedown", 3 * a_line),
            ("pageup", 0), ("G", 99), ("l", 99), ("g", 0),
        ]:  # fmt: skip
            await pilot.press(key)
            assert view.row == row, key
            await pilot.pause()
            assert f"w{row:03}" in "".join(app.lines())
        await pilot.press("l", "enter")
    assert app.seen()[-2:] == [("CellMoved", 1, 0), ("CellOpened", 1, 0)]


async def test_down_goes_to_the_token_below() -> None:
    view = TokenRow(tokens(["a", "b", "c", "a-long-word-here", "x", "y"]))
    app = Host(view)
    async with app.run_test(size=(22, 9)) as pilot:
        view.move_to(2)
        await pilot.press("j")
        below = view.token_at(view._centre(2), 3)
        assert view.row == below and below is not None and below >= view._starts[1]


async def test_mouse_on_chips() -> None:
    view = TokenRow(tokens(["the", "cat", "sat"]))
    app = Host(view)
    async with app.run_test(size=(60, 8)) as pilot:
        x = app.lines()[0].index("cat")
        await pilot.click(TokenRow, offset=(x, 1))
        await pilot.click(TokenRow, offset=(59, 0))
        await pilot.pause()
        assert view.row == 1
        await pilot.click(TokenRow, offset=(x, 0), times=2)
        await pilot.pause()
    assert app.seen() == [("CellMoved", 1, 0), ("CellOpened", 1, 0)]


async def test_a_cursor_move_repaints_two_chips() -> None:
    view = TokenRow(tokens(["the", "cat", "sat", "on"] * 10))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        regions: list[Region] = []
        original = view._set_dirty
        view._set_dirty = lambda *dirty: (regions.extend(dirty or [Region(0, 0, 60, 12)]), original(*dirty))  # type: ignore[method-assign,func-returns-value]
        await pilot.press("l")
        await pilot.pause()
        assert regions and {region.y for region in regions} == {0}
        assert sum(region.width for region in set(regions)) <= 16


async def test_typing_at_the_end_repaints_only_the_end() -> None:
    view = TokenRow(tokens(["the", "cat", "sat"] * 10))
    app = Host(view)
    async with app.run_test(size=(60, 12)) as pilot:
        regions: list[Region] = []
        original = view._set_dirty
        view._set_dirty = lambda *dirty: (regions.extend(dirty or [Region(0, 0, 60, 12)]), original(*dirty))  # type: ignore[method-assign,func-returns-value]
        view.part = tokens(["the", "cat", "sat"] * 10 + ["down"])
        await pilot.pause()
        assert "down" in "".join(app.lines())
        assert min(region.y for region in regions) >= 3 * (len(view._starts) - 1)


async def test_a_hundred_thousand_tokens_are_on_screen_at_once() -> None:
    part = tokens([f"w{n}" for n in range(100_000)])
    view = TokenRow()
    app = Host(view)
    async with app.run_test(size=(100, 12)) as pilot:
        view.part = part
        assert view._laid < 2000, "only what is in sight is put into lines at first"
        await pilot.pause()
        assert "w0" in app.lines()[0]
        await pilot.press("G")
        await pilot.pause()
        assert view.row == 99_999 and "w99999" in "".join(app.lines())
        started = time.perf_counter()
        await pilot.press("g", "l", "l", "j", "j")
        assert view.row > 2
        assert time.perf_counter() - started < 30, "moving must not lay out everything again"


async def test_hostile_tokens_stay_text() -> None:
    view = TokenRow(tokens(list(HOSTILE), tagged=True))
    app = Host(view)
    async with app.run_test(size=(60, 24)) as pilot:
        for _ in HOSTILE:
            await pilot.press("l")
        await pilot.press("enter")
        text = "".join(app.lines())
        assert app.is_running
    assert is_clean(text) and "[/bold]" in text and "[@click=app.quit]x[/]" in text


async def test_a_token_longer_than_the_line() -> None:
    view = TokenRow(tokens(["x" * 5000, "床" * 5000, "end"]))
    app = Host(view)
    async with app.run_test(size=(20, 12)) as pilot:
        await pilot.press("l", "l")
        assert all(strip.cell_length == 20 for strip in app.screen._compositor.render_strips())
        assert "…" in app.lines()[0]


async def test_no_tokens() -> None:
    for part in (None, Tokens("t", ())):
        app = Host(TokenRow(part))
        async with app.run_test(size=(40, 4)) as pilot:
            await pilot.press("l", "j", "G", "end", "home", "pagedown", "enter")
            assert app.lines()[0] == "No tokens."
        assert app.seen() == []


async def test_search_looks_at_texts_and_tags() -> None:
    view = TokenRow(tokens(["the", "cat", "sat", "The"]))
    app = Host(view)
    async with app.run_test(size=(60, 8)):
        assert view.search("the") and view.row == 3
        assert view.search_again() and view.row == 0
        assert not view.search("dog")


async def test_another_width_breaks_lines_anew() -> None:
    view = TokenRow(tokens([f"w{n:03}" for n in range(50)]))
    app = Host(view)
    async with app.run_test(size=(60, 9)) as pilot:
        view.move_to(40)
        before = view._starts[1]
        await pilot.resize_terminal(30, 9)
        await pilot.pause()
        assert view._starts[1] < before and view.row == 40
        assert "w040" in "".join(app.lines())
        await pilot.resize_terminal(1, 1)
        await pilot.resize_terminal(60, 9)
        await pilot.pause()
        assert "w040" in "".join(app.lines())


async def test_signs_point_at_what_is_out_of_sight() -> None:
    view = TokenRow(tokens([f"w{n:03}" for n in range(50)]))
    app = Host(view)
    async with app.run_test(size=(40, 6)) as pilot:
        assert app.lines()[5].endswith("▾") and not app.lines()[0].endswith("▴")
        await pilot.press("G")
        await pilot.pause()
        assert app.lines()[0].endswith("▴") and not app.lines()[5].endswith("▾")
        await pilot.resize_terminal(40, 1)
        view.move_to(25)
        await pilot.pause()
        assert app.lines()[0].endswith("↕")
        view.part = tokens(["one"])
        await pilot.pause()
        assert app.lines()[0] == " one"
    assert app.seen()[-1] == ("CellMoved", 0, 0)

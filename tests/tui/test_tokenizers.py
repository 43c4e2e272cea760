"""The tokenizer bench on screen: tokenizers side by side, steps, vocabulary, drawing, training."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlptui.engine import Engine
from nlptui.engine.tokenizer import find_tokenizer
from nlptui.paths import tokenizers_dir
from nlptui.tokenizers import build_tokenizer
from nlptui.tui.panes.bench_lists import StepList, TokenizerTable, VocabularyList
from nlptui.tui.screens.tokenizers import TokenizersScreen
from tests.tokenizers.tokenizer_cases import ENGLISH, TEXTS
from tests.tui.driving import Session, opened

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def unigram() -> str:
    """A unigram tokenizer among the user's own."""
    folder = tokenizers_dir() / "bench-unigram"
    if not folder.is_dir():
        build_tokenizer("sentencepiece", TEXTS, vocab_size=300).save(folder)
    return folder.name


def screen(session: Session) -> TokenizersScreen:
    found = session.app.screen
    assert isinstance(found, TokenizersScreen), session.text()
    return found


async def to_row(session: Session, name: str) -> None:
    table = screen(session).query_one(TokenizerTable)
    await session.wait_for(lambda: bool(table.rows))
    table.move_to(next(n for n, row in enumerate(table.rows) if name in (row.name, *row.others)))
    await session.settle()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_all_tokenizers_stand_side_by_side_and_follow_the_text(unigram: str, size) -> None:
    async with opened("bert", ENGLISH[0], size=size) as session:
        await session.press("V")
        table = screen(session).query_one(TokenizerTable)
        await session.wait_for(lambda: bool(table.rows))
        assert "bert" in (table.rows[table.row].name, *table.rows[table.row].others)
        await session.press("i")
        await session.typed("船")
        text = screen(session).query_one("#bench-prompt").text
        await session.wait_for(lambda: bool(table.rows) and table.rows[0].characters == len(text))
        for row in table.rows:
            encoding = find_tokenizer(row.name).encode(text, special=False)
            assert row.tokens == encoding.tokens and row.bytes == len(text.encode())
            assert row.unknown == encoding.ids.count(find_tokenizer(row.name).specials.get("unk", -1))
        assert {"bytes", unigram} <= {row.name for row in table.rows}
        await session.press("escape", "escape")
        assert session.app.screen is session.explorer


async def test_where_nothing_can_be_drawn_the_steps_stay() -> None:
    async with opened("bert", ENGLISH[0]) as session:
        await session.press("V")
        await to_row(session, "bert")
        steps = screen(session).query_one(StepList)
        before = [step.text for step in steps.rows]
        assert before
        await session.press("d")
        await session.wait_for(lambda: "✗" in session.text())
        assert [step.text for step in steps.rows] == before


async def test_the_steps_end_in_the_ids_and_the_lattice_is_drawn_from(unigram: str) -> None:
    async with opened("bert", ENGLISH[0]) as session:
        await session.press("V")
        await to_row(session, unigram)
        steps = screen(session).query_one(StepList)
        ids = find_tokenizer(unigram).encode_ids(ENGLISH[0])
        assert steps.rows[-1].text == " ".join(map(str, ids))
        assert "lattice" in session.text()
        await session.press(*["left_curly_bracket"] * 8, "d")
        before = [step.after for step in steps.rows]
        assert any(step.text.startswith("drawn") for step in steps.rows)
        await session.press("d")
        assert [step.after for step in steps.rows] != before
        await session.press("right_curly_bracket")
        assert "alpha 0.3" in session.text()
        await session.press("b")
        assert "merge 1:" in session.text()


async def test_the_vocabulary_is_searched_and_sorted(unigram: str) -> None:
    async with opened("bert", ENGLISH[0]) as session:
        await session.press("V")
        await to_row(session, unigram)
        await session.press("v")
        listing = screen(session).query_one(VocabularyList)
        vocabulary = find_tokenizer(unigram).vocabulary()
        assert [entry.token for entry in listing.rows] == vocabulary
        await session.press("s", "s", "S")
        assert [len(entry.token) for entry in listing.rows] == sorted(map(len, vocabulary), reverse=True)
        await session.press("slash")
        await session.typed("the")
        await session.press("enter")
        assert {entry.token for entry in listing.rows} == {t for t in vocabulary if "the" in t.casefold()}


async def test_a_tokenizer_is_trained_and_stands_in_the_table(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(TEXTS), encoding="utf-8")
    async with opened("bert", ENGLISH[0]) as session:
        await session.press("V", "t")
        await session.press("tab")
        session.app.screen.query_one("#tokenizer-source").value = str(corpus)
        session.app.screen.query_one("#tokenizer-name").value = f"trained-{tmp_path.name}"
        session.app.screen.query_one("#tokenizer-size").value = "200"
        await session.press("enter")
        table = screen(session).query_one(TokenizerTable)
        name = f"trained-{tmp_path.name}"
        await session.wait_for(lambda: any(row.name == name for row in table.rows))
        assert table.rows[table.row].name == name and table.rows[table.row].kind == "bpe"
        assert find_tokenizer(name).vocab_size == 200


async def test_enter_on_a_token_shows_what_is_near_it_in_the_model() -> None:
    async with opened("bert", ENGLISH[0]) as session:
        await session.press("V")
        await to_row(session, "bert")
        await session.press("v", "j", "j", "j", "j", "j", "j", "j", "enter")
        listing = screen(session).query_one(VocabularyList)
        model = screen(session).chosen
        near = Engine.load(model).neighbours(listing.rows[listing.row].token)
        assert f"{near[0]['text']} {near[0]['similarity']:.3f}" in session.text()
        await to_row(session, "bytes")
        listing.focus()
        await session.press("enter")
        assert "belongs to no model" in session.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_screen_in_chinese(unigram: str, size) -> None:
    """Another language on the open screen: the same rows, drawn again."""
    async with opened("bert", ENGLISH[0], size=size) as session:
        await session.press("V")
        await to_row(session, unigram)
        rows = screen(session).query_one(TokenizerTable).rows
        await session.press("L")
        await session.wait_for(lambda: bool(screen(session).query_one(StepList).rows))
        table = screen(session).query_one(TokenizerTable)
        assert [row.name for row in table.rows] == [row.name for row in rows]
        assert table.rows[table.row].name == unigram
        await session.press("L")

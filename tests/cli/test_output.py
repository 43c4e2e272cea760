"""Strict JSON, tables and files, without any command."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from nlptui.cli_output import dumps, number, strict, table, whole_file, write_text
from nlptui.errors import UserError
from nlptui.text import visible

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=40)


@given(ANY_TEXT)
def test_json_gives_any_text_back_and_holds_nothing_a_terminal_obeys(text: str) -> None:
    line = dumps({"text": text})
    assert json.loads(line) == {"text": text}
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in line)
    assert not any(character in line for character in "\u202e\u200b\u2066\ufeff\u2028")
    line.encode("utf-8")


@given(st.recursive(st.floats() | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3)))
def test_json_is_strict(value: object) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(dumps(value), parse_constant=refuse)


def test_json_says_infinities_and_nan_as_strings() -> None:
    values = np.array([[-math.inf, 0.5], [math.nan, math.inf]], dtype=np.float32)
    assert strict({"a": values, "b": (math.inf, np.float64(2))}) == {
        "a": [["-inf", 0.5], ["nan", "inf"]],
        "b": ["inf", 2.0],
    }


def test_json_leaves_chinese_readable() -> None:
    assert dumps({"text": "白猫 🐈"}) == '{"text": "白猫 🐈"}'


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.5, "0.5000"), (1234567, "1,234,567"), (1e-9, "1e-09"), (-math.inf, "-inf"), (0.0, "0")],
)
def test_numbers_for_people(value: float | None, text: str) -> None:
    assert number(value) == text


def test_columns_are_aligned_by_the_cells_that_characters_take() -> None:
    lines = table(("word", "n"), [("白猫", 1), ("cat", 10), ("\x1b[31mx", 2)], right=(1,))
    assert len({cell_len(line) for line in lines}) == 1
    assert "\x1b" not in "".join(lines) and visible("\x1b") in lines[3]


def test_a_table_without_rows_has_its_head() -> None:
    assert table(("a", "bc"), []) == ["a  bc"]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    write_text(file, "first")
    with pytest.raises(RuntimeError), whole_file(file) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert file.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        write_text(tmp_path / "nowhere" / "out.txt", "x")


def test_text_that_is_no_unicode_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "\udcff")
    assert (tmp_path / "a").read_text() == "\\udcff"

"""Readers: what they read from files of a few lines, and which line an error names."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlptui.data.readers import (
    TaggedWord,
    read_conllu,
    read_iob2,
    read_lines,
    read_text,
    read_tsv,
    sentence_text,
    split_sentences,
)
from nlptui.errors import UserError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def row(number: str, form: str, tag: str, misc: str = "_") -> str:
    return "\t".join([number, form, "_", tag, "_", "_", "_", "_", "_", misc])


def test_conllu_reads_words_tags_and_spaces(tmp_path: Path) -> None:
    lines = [
        "# text = We don't, thanks.",
        row("1", "We", "PRON"),
        row("2-3", "don't", "_", "SpaceAfter=No"),
        row("2", "do", "AUX"),
        row("3", "n't", "PART"),
        row("4", ",", "PUNCT"),
        row("4.1", "say", "VERB"),
        row("5", "thanks", "NOUN", "Gloss=x|SpaceAfter=No"),
        row("6", ".", "PUNCT"),
        "",
        row("1", "#", "SYM"),
        "",
    ]
    first, second = read_conllu(write(tmp_path, "a.conllu", "\n".join(lines)))
    assert [word.form for word in first] == ["We", "do", "n't", ",", "thanks", "."]
    assert [word.upos for word in first] == ["PRON", "AUX", "PART", "PUNCT", "NOUN", "PUNCT"]
    assert sentence_text(first) == "We don't, thanks."
    assert second == [TaggedWord("#", "SYM")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\tWe\tPRON", "line 2"),
        (row("1", "We", "PRN"), "'PRN'"),
        (row("x", "We", "PRON"), "'x'"),
    ],
)
def test_conllu_errors_name_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, "bad.conllu", f"# a comment\n{line}\n")
    with pytest.raises(UserError, match=message) as caught:
        read_conllu(path)
    assert str(path) in str(caught.value) and "line 2" in str(caught.value)


def test_iob2_reads_two_and_more_columns(tmp_path: Path) -> None:
    two = read_iob2(write(tmp_path, "a.conll", "Ann\tB-person,B-group\n#tag\tO\n\n\nof\tO\n"))
    assert [[(word.form, word.tag) for word in words] for words in two] == [
        [("Ann", "B-person"), ("#tag", "O")],
        [("of", "O")],
    ]
    more = read_iob2(write(tmp_path, "a.iob2", "# text = x\n1\tRome\tB-LOC\t-\t-\n2\tis\tO\t-\t-\n"))
    assert [(word.form, word.tag) for word in more[0]] == [("Rome", "B-LOC"), ("is", "O")]


@pytest.mark.parametrize(("text", "line"), [("Ann\n", 1), ("Ann\tO\nBob\tPER\n", 2)])
def test_iob2_errors_name_the_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(UserError, match=f"bad.conll, line {line}"):
        read_iob2(write(tmp_path, "bad.conll", text))


def test_tsv_wants_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "good\tfine\n\nbad\tpoor\tmore\n")
    with pytest.raises(UserError, match="line 3"):
        read_tsv(path)
    assert read_tsv(write(tmp_path, "b.tsv", "good\tfine\r\n")) == [("good", "fine")]


def test_text_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo\n\xff\xfe\n")
    with pytest.raises(UserError, match="line 3"):
        read_text(path)
    with pytest.raises(UserError, match="no such file"):
        read_text(tmp_path / "none.txt")
    assert read_lines(write(tmp_path, "b.txt", "one\n \ntwo")) == ["one", "two"]


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ("It rained. We stayed in.", ["It rained.", "We stayed in."]),
        ("Mr. Hill met J. Ross. They spoke.", ["Mr. Hill met J. Ross.", "They spoke."]),
        ('"Go!" she said. "Why?" he asked.', ['"Go!" she said.', '"Why?" he asked.']),
        ('So did I. "Yes." Then it ended...', ["So did I.", '"Yes."', "Then it ended..."]),
        ("no end", ["no end"]),
        ("", []),
        ("天黑了。我们回家吧！“好。”他说。", ["天黑了。", "我们回家吧！", "“好。”他说。"]),
    ],
)
def test_sentences_end_where_they_should(paragraph: str, sentences: list[str]) -> None:
    assert split_sentences(paragraph) == sentences


def test_splitting_loses_nothing_but_space() -> None:
    text = 'He left at 5 p.m. on Monday. "Really?" A. B. Cole asked (twice). Then... Well!  好的。走吧。'
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_spaces_of_entity_files_are_those_of_the_text(tmp_path: Path) -> None:
    """Where a comment holds the text it says where spaces are; where it does not fit, it says nothing."""
    path = tmp_path / "a.iob2"
    blocks = [
        "# newdoc id = 1\n# text = 老周在 Blue Harbour 等\n1\t老周\tB-PER\n2\t在\tO\n3\tBlue\tB-LOC\n"
        "4\tHarbour\tI-LOC\n5\t等\tO",
        "# text = 别的话\n1\t海\tO\n2\t鸥\tO",
        "# only a comment",
        "#\tO\n山\tB-LOC",
    ]
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    known, other, bare = read_iob2(path)
    assert [word.space_after for word in known] == [False, True, True, True, False]
    assert sentence_text(known) == "老周在 Blue Harbour 等"
    assert sentence_text(other) == "海 鸥" and [word.form for word in bare] == ["#", "山"]
    known, other, bare = read_iob2(path, spaced=False)
    assert sentence_text(known) == "老周在 Blue Harbour 等" and sentence_text(other) == "海鸥"

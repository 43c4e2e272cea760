"""The corpora on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Nlptui


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One corpus of our own making is here, the others are not."""
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path))
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    (tmp_path / "en_shakespeare").mkdir()
    (tmp_path / "en_shakespeare" / "input.txt").write_text("To see or not to see.\n")
    return tmp_path


def test_list(nlptui: Nlptui, corpora: Path) -> None:
    listed = {corpus["name"]: corpus for corpus in nlptui("data", "--json").json["corpora"]}
    assert listed == {corpus["name"]: corpus for corpus in nlptui("data", "list", "--json").json["corpora"]}
    assert listed["en_shakespeare"]["path"] == str(corpora / "en_shakespeare")
    assert listed["en_ewt"]["path"] is None and listed["en_ewt"]["licence"]
    assert "en_ewt" in nlptui("data").out


@pytest.mark.parametrize("verb", ["path", "get"])
def test_a_corpus_that_is_here(nlptui: Nlptui, corpora: Path, verb: str) -> None:
    assert nlptui("data", verb, "en_shakespeare").out == f"{corpora / 'en_shakespeare'}\n"
    assert nlptui("data", verb, "en_shakespeare", "--json").json["path"] == str(corpora / "en_shakespeare")


def test_a_corpus_that_is_not_here(nlptui: Nlptui, corpora: Path) -> None:
    result = nlptui("data", "path", "en_ewt", status=1)
    assert "nlptui data get en_ewt" in result.err and not result.out


def test_an_unknown_corpus(nlptui: Nlptui, corpora: Path) -> None:
    assert "en_ewt" in nlptui("data", "path", "en_ewd", status=1).err

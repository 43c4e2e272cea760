"""The registry's facts, where corpora are looked for, and downloads from a server on this machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from nlptui import paths
from nlptui.data import registry
from nlptui.data.download import fetch_one, matches
from nlptui.data.prepare import PREPARED, differing_files
from nlptui.data.registry import Corpus, Original, corpora, corpus, find, get
from nlptui.errors import UserError

from .conftest import TEXT, Server, git_blob


def test_every_corpus_says_what_a_user_must_know() -> None:
    listed = corpora()
    assert len(listed) == 10
    for entry in listed:
        assert entry.licence and entry.homepage.startswith("https://") and entry.title
        assert set(entry.splits) == {"train", "dev", "test"}
        assert entry.originals and entry.bytes > 0
        for original in entry.originals:
            assert len(original.git_blob_sha1) == 40 and len(original.commit) == 40
            assert original.url.startswith("https://raw.githubusercontent.com/" + original.repository)
            assert original.url.isascii() and " " not in original.url
        known = {file.name for file in entry.files}
        assert known == {name for names in entry.splits.values() for name in names}
    assert {entry.name for entry in listed} == set(PREPARED)


def test_weights_from_unclear_terms_are_not_to_be_passed_on() -> None:
    assert [entry.name for entry in corpora() if not entry.open] == ["zh_waimai"]


def test_books_are_in_one_split_only() -> None:
    splits = corpus("en_stories").splits
    assert splits["test"] == ("the-secret-garden.txt", "the-wonderful-wizard-of-oz.txt")
    books = [name for names in splits.values() for name in names]
    assert len(books) == len(set(books)) == 15


def test_an_unknown_name_gets_close_ones() -> None:
    with pytest.raises(UserError, match="en_stories"):
        corpus("en_storys")


def test_found_in_named_folders_first(tide: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(tide.name) is None
    at_home = paths.home_data() / "data" / tide.name
    at_home.mkdir(parents=True)
    (at_home / "input.txt").write_text("home")
    assert find(tide.name) == at_home
    named = tmp_path / "named" / tide.name
    named.mkdir(parents=True)
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path / "named"))
    assert find(tide.name) == at_home, "an empty folder is no corpus"
    (named / "input.txt").write_text("named")
    assert find(tide.name) == named


def test_get_downloads_checks_and_prepares(tide: Corpus, server: Server) -> None:
    seen: list[tuple[str, int, int | None]] = []
    folder = get(tide.name, lambda *step: seen.append(step))
    assert (folder / "input.txt").read_text() == TEXT
    assert seen[-1] == ("data/input.txt", len(TEXT), len(TEXT))
    assert [step[1] for step in seen] == sorted(step[1] for step in seen)
    assert differing_files(tide, folder) == []
    note = (folder / "SOURCE.txt").read_text()
    assert tide.licence in note and tide.originals[0].url in note
    assert get(tide.name) == folder
    assert len(server.ranges) == 1, "what is here is not fetched again"
    (folder / "input.txt").write_text("changed")
    assert differing_files(tide, folder) == ["input.txt"]


def test_a_truncated_answer_is_kept_and_gone_on_with(tide: Corpus, server: Server) -> None:
    server.mode = "truncated"
    with pytest.raises(UserError, match=f"after {len(TEXT) // 2} of {len(TEXT)} bytes"):
        get(tide.name)
    assert find(tide.name) is None
    server.mode = "good"
    assert (get(tide.name) / "input.txt").read_text() == TEXT
    assert server.ranges == [None, f"bytes={len(TEXT) // 2}-"]


def test_a_server_without_ranges_starts_again(tide: Corpus, server: Server) -> None:
    server.mode = "truncated"
    with pytest.raises(UserError):
        get(tide.name)
    server.mode = "no ranges"
    assert (get(tide.name) / "input.txt").read_text() == TEXT


def test_a_wrong_file_is_never_used(tide: Corpus, server: Server) -> None:
    server.mode = "changed"
    with pytest.raises(UserError, match="wrong checksum"):
        get(tide.name)
    assert find(tide.name) is None
    assert not list((paths.home_data() / "downloads").rglob("*.*"))
    server.mode = "good"
    assert (get(tide.name) / "input.txt").read_text() == TEXT


@pytest.mark.parametrize(
    ("mode", "message"), [("broken", "broke off|cannot be reached"), ("missing", "answered 404")]
)
def test_a_broken_answer_is_one_clear_error(tide: Corpus, server: Server, mode: str, message: str) -> None:
    server.mode = mode
    with pytest.raises(UserError, match=message) as caught:
        get(tide.name)
    assert "\n" not in str(caught.value) and tide.originals[0].url in str(caught.value)


def test_nobody_listens(tide: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="cannot be reached"):
        get(tide.name)


def test_a_part_that_is_whole_needs_no_server(tide: Corpus, tmp_path: Path) -> None:
    original = tide.originals[0]
    part = tmp_path / original.repository / original.commit / (original.path + ".part")
    part.parent.mkdir(parents=True)
    part.write_text(TEXT)
    assert fetch_one(original, tmp_path).read_text() == TEXT


def test_a_part_that_is_too_long_is_dropped(tide: Corpus, server: Server, tmp_path: Path) -> None:
    original = dataclasses.replace(tide.originals[0], bytes=None)
    part = tmp_path / original.repository / original.commit / (original.path + ".part")
    part.parent.mkdir(parents=True)
    part.write_text(TEXT + "more")
    with pytest.raises(UserError, match="416"):
        fetch_one(original, tmp_path)
    assert fetch_one(original, tmp_path).read_text() == TEXT


def test_git_blob_ids_check_where_sha256_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"some content\n")
    original = Original("a/b", "0" * 40, "file", git_blob(b"some content\n"))
    assert matches(path, original)
    assert not matches(path, dataclasses.replace(original, git_blob_sha1="0" * 40))
    # `git hash-object` of a file with "hello\n".
    path.write_bytes(b"hello\n")
    assert matches(
        path, dataclasses.replace(original, git_blob_sha1="ce013625030ba8dba906f756967f9e9ca394464a")
    )

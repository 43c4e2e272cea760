"""The settings file: read with care, written whole, and never lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlptui.tui.settings import Settings, read_settings, save, write_settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_a_file_there_are_defaults(path: Path) -> None:
    assert read_settings(path) == (Settings(), "")


def test_what_is_written_is_read(path: Path) -> None:
    settings = Settings("light", "zh", {"quit": "ctrl+x"}, True, {"model": "m"}, ("a", "猫"))
    assert write_settings(path, settings) == ""
    assert read_settings(path) == (settings, "")
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("text", ["{", "[1]", "\x00", '"x"', "[" * 100_000])
def test_a_broken_file_is_put_aside_and_said_so(path: Path, text: str) -> None:
    write(path, text)
    settings, said = read_settings(path)
    assert settings == Settings()
    assert "settings.json.broken" in said and "\n" not in said
    assert (path.parent / "settings.json.broken").read_text() == text and not path.exists()


def test_one_wrong_value_costs_only_itself(path: Path) -> None:
    write(path, json.dumps({"theme": "pink", "language": "zh", "keys": {"quit": 3}}))
    settings, said = read_settings(path)
    assert settings == Settings(language="zh")
    assert "theme" in said


def test_unknown_keys_are_kept(path: Path) -> None:
    write(path, json.dumps({"future": {"a": 1}}))
    save(path, theme="light")
    assert json.loads(path.read_text())["future"] == {"a": 1}
    assert json.loads(path.read_text())["theme"] == "light"


def test_a_key_bound_by_hand_while_the_program_runs_is_kept(path: Path) -> None:
    write_settings(path, Settings())
    write(path, json.dumps({"keys": {"quit": "ctrl+x"}}))
    save(path, theme="light", last={"model": "m"})
    settings, _said = read_settings(path)
    assert settings.keys == {"quit": "ctrl+x"} and settings.last == {"model": "m"}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = write_settings(tmp_path / "file" / "settings.json", Settings())
    assert "could not be written" in said and "\n" not in said


def test_lone_surrogates_survive(path: Path) -> None:
    assert write_settings(path, Settings(last={"text": "a\ud800b"})) == ""
    assert read_settings(path)[0].last == {"text": "a\ud800b"}

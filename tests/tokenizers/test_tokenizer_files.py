"""Tokenizer folders that are broken, one way after another: always one error, which names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlptui.errors import UserError
from nlptui.tokenizers import load_tokenizer
from nlptui.tokenizers.files import CONFIG_NAME, read_vocabulary, write_atomic, write_vocabulary
from tests.tokenizers.tokenizer_cases import made

FILES = {
    "words-lower-characters": ["vocab.txt", "characters.txt"],
    "characters": ["vocab.txt"],
    "bytes": [],
    "sentencepiece-bpe": ["tokenizer.model"],
    "wordpiece": ["tokenizer.json"],
    "bytelevel": ["tokenizer.json"],
}


@pytest.fixture(params=FILES)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The folder of every kind in turn."""
    made(request.param).save(tmp_path)
    return request.param, tmp_path


def refused(path: Path, *says: str) -> None:
    """Loading gives one line that says all this."""
    with pytest.raises(UserError) as caught:
        load_tokenizer(path)
    message = str(caught.value)
    assert "\n" not in message and message.isprintable()
    assert all(part in message for part in says), message


def change(folder: Path, **values: Any) -> None:
    path = folder / CONFIG_NAME
    settings = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(
        json.dumps({key: value for key, value in settings.items() if value != "gone"}), encoding="utf-8"
    )


def test_files_of_each_kind(saved: tuple[str, Path]) -> None:
    case, folder = saved
    assert sorted(file.name for file in folder.iterdir()) == sorted([CONFIG_NAME, *FILES[case]])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "letters"}, "letters"),
        ({"kind": 3}, "kind 3 is unknown"),
        ({"kind": "gone"}, "kind null is unknown"),
        ({"vocab_size": "gone"}, "has no vocab_size"),
        ({"vocab_size": 7}, "special token"),
        ({"vocab_size": "many"}, 'vocab_size is "many"'),
        ({"vocab_size": True}, "vocab_size is true"),
        ({"template": "cls"}, "unknown template cls"),
        ({"template": "bos"}, "special token bos"),
        ({"joiner": None}, "joiner is null"),
        ({"specials": []}, "specials is []"),
        ({"specials": {"pad": 0, "unk": 1, "cls": 99999, "sep": 3}}, "cls cannot have the id 99999"),
        ({"specials": {"pad": 0, "unk": 1, "cls": "2", "sep": 3}}, 'cls cannot have the id "2"'),
        ({"specials": {"first": 0}}, "special token first"),
        ({"\x1b[31m": 1}, "unknown key ␛[31m"),
    ],
)
def test_wrong_settings(saved: tuple[str, Path], values: dict[str, Any], says: str) -> None:
    case, folder = saved
    if "vocab_size" in values and values["vocab_size"] == 7:
        values = {"vocab_size": 2}
    change(folder, **values)
    refused(folder, str(folder / CONFIG_NAME), says)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_settings_that_are_not_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CONFIG_NAME).write_bytes(content)
    refused(tmp_path, str(tmp_path / CONFIG_NAME))


def test_no_settings_or_no_folder(tmp_path: Path) -> None:
    refused(tmp_path, str(tmp_path / CONFIG_NAME), "cannot be read")
    refused(tmp_path / "nowhere", "nowhere", "does not exist")
    (tmp_path / "notes.txt").write_text("a")
    refused(tmp_path / "notes.txt", "notes.txt is no tokenizer")
    (tmp_path / CONFIG_NAME).mkdir()
    refused(tmp_path, CONFIG_NAME, "cannot be read")


def test_vocabulary_of_the_wrong_size(saved: tuple[str, Path]) -> None:
    case, folder = saved
    size = made(case).vocab_size
    change(folder, vocab_size=size + 1)
    named = FILES[case][0] if FILES[case] else CONFIG_NAME
    refused(folder, str(folder / named), str(size), str(size + 1))


def breakages() -> list[tuple[str, Callable[[bytes], bytes]]]:
    return [
        ("empty", lambda _: b""),
        ("cut short", lambda content: content[: len(content) // 2]),
        ("noise", lambda _: bytes(range(256)) * 4),
        ("a pickle", lambda _: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94K\x01K\x02s."),
        ("an archive", lambda _: b"PK\x03\x04" + bytes(100)),
    ]


@pytest.mark.parametrize(("how", "broken"), breakages(), ids=[how for how, _ in breakages()])
def test_broken_vocabularies(
    saved: tuple[str, Path],
    how: str,
    broken: Callable[[bytes], bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    case, folder = saved
    for name in FILES[case]:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(broken(content))
        refused(folder, str(folder / name))
        (folder / name).unlink()
        refused(folder, str(folder / name), "cannot be read")
        (folder / name).write_bytes(content)
        load_tokenizer(folder)
    assert capfd.readouterr() == ("", "")  # the libraries are silent


@pytest.mark.parametrize(("how", "broken"), breakages(), ids=[how for how, _ in breakages()])
def test_broken_files_by_path(tmp_path: Path, how: str, broken: Callable[[bytes], bytes]) -> None:
    for case, name in (("sentencepiece-bpe", "tokenizer.model"), ("bytelevel", "tokenizer.json")):
        made(case).save(tmp_path)
        (tmp_path / name).write_bytes(broken((tmp_path / name).read_bytes()))
        refused(tmp_path / name, str(tmp_path / name))


def test_files_of_another_kind(tmp_path: Path) -> None:
    made("bytelevel").save(tmp_path)
    change(tmp_path, kind="wordpiece")
    refused(tmp_path, str(tmp_path / "tokenizer.json"), "bytelevel", "wordpiece")
    word_level = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    (tmp_path / "words.json").write_text(
        json.dumps({"version": "1.0", "added_tokens": [], "model": word_level})
    )
    refused(tmp_path / "words.json", "words.json", "type WordLevel")


def test_repeated_tokens(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("a\nb\na\n")
    with pytest.raises(UserError, match="holds a twice, on lines 1 and 3"):
        read_vocabulary(tmp_path / "vocab.txt", 3)


def test_vocabulary_files_keep_every_string(tmp_path: Path) -> None:
    tokens = [
        "",
        "\n",
        "\r",
        "\\",
        "\\n",
        "\\\\n",
        "a\\",
        "\u2028",
        "\x85",
        "\0",
        " ",
        "\ufeff",
        "釉",
        "\x1c",
    ]
    write_vocabulary(tmp_path / "vocab.txt", tokens)
    assert read_vocabulary(tmp_path / "vocab.txt", len(tokens)) == tokens


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        write_atomic(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["file"] and path.read_bytes() == b"old"


def test_a_library_file_says_what_its_special_tokens_are(tmp_path: Path) -> None:
    made("wordpiece").save(tmp_path)
    opened = load_tokenizer(tmp_path / "tokenizer.json")
    assert opened.kind == "wordpiece" and opened.template == "none"
    assert opened.specials == made("wordpiece").specials
    made("sentencepiece-bpe", "bos_eos").save(tmp_path)
    opened = load_tokenizer(tmp_path / "tokenizer.model")
    assert opened.kind == "sentencepiece" and set(opened.specials) == {"pad", "unk", "bos", "eos"}

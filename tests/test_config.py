"""Model configs: they are `config.json`, and every mistake in one is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from nlptui.config import (
    ARCHS,
    CONFIG_CLASSES,
    BertConfig,
    GPTConfig,
    ModelConfig,
    RecurrentConfig,
    TransformerConfig,
    config_from_dict,
)
from nlptui.errors import UserError
from tests.nn.families import CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_written_reads_back(name: str, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIGS[name], name=name, metrics={"accuracy": 0.5, "loss": 2})
    config.write(tmp_path / "config.json")
    again = ModelConfig.read(tmp_path / "config.json")
    assert again == config and type(again) is type(config)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"], "no scratch file stays behind"


def test_a_config_is_plain_json_in_its_own_words(tmp_path: Path) -> None:
    config = GPTConfig(arch="gpt", name="诗", labels=("名",), data={"corpus": ["a", "b"]})
    config.write(tmp_path / "config.json")
    text = (tmp_path / "config.json").read_text(encoding="utf-8")
    assert '"诗"' in text
    content = json.loads(text)
    assert (
        content["labels"] == ["名"] and content["d_model"] == 128 and content["data"]["corpus"] == ["a", "b"]
    )


def test_every_arch_has_one_class() -> None:
    assert ARCHS == ("rnn", "lstm", "gru", "bert", "gpt", "transformer", "word2vec", "hmm", "crf", "rules")
    for arch in ARCHS:
        assert sum(arch in cls.ARCHS for cls in CONFIG_CLASSES) == 1
        assert config_from_dict({"arch": arch}, "here").arch == arch


def test_every_field_says_what_it_is() -> None:
    """The docstring under each field is part of the format's documentation."""
    source = Path(__import__("nlptui.config").config.__file__).read_text(encoding="utf-8").splitlines()
    for cls in (ModelConfig, *CONFIG_CLASSES):
        for item in dataclasses.fields(cls):
            at = next(i for i, line in enumerate(source) if line.startswith(f"    {item.name}: "))
            assert source[at + 1].strip().startswith('"""'), item.name


BASE: dict[str, Any] = {"arch": "gpt", "vocab_size": 10}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_haeds": 4}, "unknown key 'n_haeds'; gpt knows .*n_heads"),
        ({"arch": "gtp"}, "unknown arch 'gtp'; choose one of rnn"),
        ({"arch": ["gpt"]}, "unknown arch"),
        ({"task": "poetry"}, "unknown task 'poetry'"),
        ({"n_heads": "4"}, "key 'n_heads' has the value \"4\", which is not of type int"),
        ({"n_heads": 4.0}, "n_heads"),
        ({"n_heads": True}, "n_heads"),
        ({"n_heads": 0}, "n_heads is 0, but must be at least 1"),
        ({"d_model": -8}, "d_model is -8"),
        ({"d_model": 10, "n_heads": 3}, "d_model is 10, but must be a multiple of n_heads, which is 3"),
        ({"vocab_size": -1}, "vocab_size is -1, but must be at least 0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": float("nan")}, "dropout is nan"),
        ({"bias": 1}, "bias"),
        ({"labels": "abc"}, "labels"),
        ({"labels": [1]}, "labels"),
        ({"metrics": {"accuracy": "good"}}, "metrics"),
        ({"metrics": []}, "metrics"),
        ({"name": None}, "name"),
        ({"\x1b[2J": 1}, "unknown key"),
    ],
)
def test_a_mistake_is_named_with_its_file(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(BASE | change), encoding="utf-8")
    with pytest.raises(UserError, match=said) as caught:
        ModelConfig.read(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not readable as JSON"),
        (b"{", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[1]", 'a JSON object is needed, with a key "arch"'),
        (b"{}", "unknown arch ''"),
    ],
)
def test_a_broken_file_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        ModelConfig.read(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        ModelConfig.read(tmp_path / "config.json")
    with pytest.raises(UserError, match="not readable"):
        ModelConfig.read(tmp_path)


def test_a_class_takes_its_own_archs_only() -> None:
    assert RecurrentConfig(arch="lstm").arch == "lstm"
    for cls in CONFIG_CLASSES:
        with pytest.raises(UserError, match="unknown arch"):
            cls(arch="elman")
    with pytest.raises(UserError, match="choose one of bert"):
        BertConfig(arch="gpt")
    with pytest.raises(UserError):
        TransformerConfig()


def test_configs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        GPTConfig(arch="gpt").d_model = 3  # type: ignore[misc]

"""Model folders: what is written is read again, and each kind of damage is told in one line."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nlptui.engine import checkpoint
from nlptui.engine.library import describe, find_model, list_models
from nlptui.errors import UserError
from tests.engine.models import FAMILIES, make_model


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_saved_is_loaded(family: str, tmp_path: Path) -> None:
    path = make_model(tmp_path, family)
    model, config, tokenizer = checkpoint.load(path)
    checkpoint.save(tmp_path / "again", model, config, tokenizer)
    again, same, _tokenizer = checkpoint.load(tmp_path / "again")
    assert same == config
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_half_precision_is_half_the_size_and_loads_as_float32(tmp_path: Path) -> None:
    model, config, tokenizer = checkpoint.load(make_model(tmp_path, "gpt"))
    checkpoint.save(tmp_path / "half", model, config, tokenizer, half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("gpt", "half")]
    assert sizes[1] < 0.75 * sizes[0]
    half, _config, _tokenizer = checkpoint.load(tmp_path / "half")
    for name, value in model.state_dict().items():
        assert half.state_dict()[name].dtype == torch.float32
        assert torch.allclose(half.state_dict()[name], value, atol=2e-3)


def test_saving_over_a_model_keeps_its_other_files_and_leaves_no_scraps(model_folder: Path) -> None:
    (model_folder / "recipe.toml").write_text("name = 'x'\n")
    model, config, tokenizer = checkpoint.load(model_folder)
    checkpoint.save(model_folder, model, config, tokenizer, card="# gpt\n")
    assert (model_folder / "recipe.toml").exists()
    assert (model_folder / "README.md").read_text() == "# gpt\n"
    assert [path.name for path in model_folder.parent.iterdir()] == ["gpt"]


def test_a_save_that_fails_leaves_the_old_model_whole(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, config, tokenizer = checkpoint.load(model_folder)
    before = {path.name: path.read_bytes() for path in model_folder.iterdir()}

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError):
        checkpoint.save(model_folder, model, config, tokenizer)
    assert {path.name: path.read_bytes() for path in model_folder.iterdir()} == before
    assert [path.name for path in model_folder.parent.iterdir()] == ["gpt"]


def damage_config(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | changes))


def damage_weights(folder: Path, change: str) -> None:
    path = folder / "model.safetensors"
    weights = load_file(str(path))
    if change == "missing":
        del weights["blocks.0.attn.wq.weight"]
    elif change == "surplus":
        weights["blocks.7.extra"] = torch.zeros(2)
    elif change == "shape":
        weights["pos_embedding.weight"] = torch.zeros(3, 12)
    save_file(weights, str(path))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("missing", "blocks.0.attn.wq.weight is missing"),
        ("surplus", "blocks.7.extra"),
        ("shape", "pos_embedding.weight has the shape [3, 12]"),
    ],
)
def test_wrong_weights_are_named(model_folder: Path, change: str, told: str) -> None:
    damage_weights(model_folder, change)
    with pytest.raises(UserError, match="model.safetensors") as error:
        checkpoint.load(model_folder)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"d_modle": 3}, "unknown key 'd_modle'"),
        ({"arch": "mamba"}, "unknown arch 'mamba'"),
        ({"d_model": "wide"}, "key 'd_model'"),
        ({"n_heads": 5}, "multiple of n_heads"),
        ({"vocab_size": 7}, "they do not fit"),
        ({"norm_order": "sideways"}, "sideways"),
        ({"task": "cooking"}, "unknown task 'cooking'"),
    ],
)
def test_a_wrong_config_is_told_in_one_line(
    model_folder: Path, changes: dict[str, object], told: str
) -> None:
    damage_config(model_folder, **changes)
    with pytest.raises(UserError) as error:
        checkpoint.load(model_folder)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_file_is_told(model_folder: Path) -> None:
    path = model_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut off"):
        checkpoint.load(model_folder)
    path.write_bytes(b"abc")
    with pytest.raises(UserError, match="model.safetensors"):
        checkpoint.load(model_folder)


def test_weights_that_are_no_numbers_are_refused(model_folder: Path) -> None:
    path = model_folder / "model.safetensors"
    weights = load_file(str(path))
    weights["blocks.1.attn.wk.bias"][3] = float("nan")
    save_file(weights, str(path))
    with pytest.raises(UserError, match=r"model.safetensors: the weight blocks\.1\.attn\.wk\.bias holds"):
        checkpoint.load(model_folder)


def test_more_layers_than_weights_are_refused_before_they_are_built(model_folder: Path) -> None:
    damage_config(model_folder, n_layers=10**9)
    with pytest.raises(UserError, match="'n_layers' is 1000000000"):
        checkpoint.load(model_folder)


class Bomb:
    """Leaves a trace if it is ever unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return (os.mkdir, ("unpickled", 0o700))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_pickle_is_never_loaded(model_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_folder.parent)
    (model_folder / "model.safetensors").unlink()
    (model_folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="pickle"):
        checkpoint.load(model_folder)
    assert not (model_folder.parent / "unpickled").exists()


def test_a_missing_config_or_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="config.json"):
        checkpoint.load(tmp_path)
    with pytest.raises(UserError, match="no model folder"):
        find_model(str(tmp_path / "nowhere"))


def test_the_list_shows_broken_models_with_their_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path))
    make_model(tmp_path, "gpt")
    make_model(tmp_path, "bert")
    (tmp_path / "bert" / "model.safetensors").write_bytes(b"")
    entries = {entry.name: entry for entry in list_models()}
    assert entries["gpt"].problem == "" and entries["gpt"].arch == "gpt"
    model, _config, _tokenizer = checkpoint.load(tmp_path / "gpt")
    assert entries["gpt"].parameters == sum(p.numel() for p in model.parameters())
    assert "model.safetensors" in entries["bert"].problem
    assert describe(tmp_path / "bert").problem


def test_an_unknown_model_is_told_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path))
    make_model(tmp_path, "tag-lstm")
    with pytest.raises(UserError, match="tag-lstm"):
        find_model("tag-lstn")
    for hostile in ("../tag-lstm\0", "", "\x1b[2J"):
        with pytest.raises(UserError) as error:
            find_model(hostile)
        assert "\x1b" not in str(error.value)

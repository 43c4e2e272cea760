"""A model as a folder: config.json, model.safetensors, tokenizer files, card. Saved whole, checked when read.

No pickle is written or loaded. Knows nothing of training state.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nlptui.classical.files import keeps_weights, read_model, write_lists
from nlptui.config import CLASSICAL, ModelConfig
from nlptui.engine.library import CONFIG_FILE, WEIGHTS_FILE, read_header
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn import build_model
from nlptui.text import visible
from nlptui.tokenizers import Tokenizer, load_tokenizer

CARD_FILE = "README.md"


def save(
    folder: Path,
    model: nn.Module,
    config: ModelConfig,
    tokenizer: Tokenizer,
    card: str | None = None,
    half: bool = False,
) -> None:
    """Write the model folder. A new one appears whole or not at all; in an old one, file by file.

    half: store float32 weights as float16.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir()
        _write_files(scratch, model, config, tokenizer, card, half)
        if not folder.exists():
            os.replace(scratch, folder)
            return
        # The config comes last: a reader that finds the new one finds the rest as well.
        for file in sorted(scratch.iterdir(), key=lambda path: path.name == CONFIG_FILE):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_files(
    folder: Path, model: nn.Module, config: ModelConfig, tokenizer: Tokenizer, card: str | None, half: bool
) -> None:
    tokenizer.save(folder)
    if config.arch in CLASSICAL:
        write_lists(model, folder)
    if keeps_weights(config):
        weights = {name: _storable(value, half) for name, value in model.state_dict().items()}
        save_file(weights, str(folder / WEIGHTS_FILE), metadata={"format": "pt"})
        # safetensors writes for the owner alone; a model is for everyone that may read its config.
        (folder / WEIGHTS_FILE).chmod(0o644)
    if card is not None:
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    config.write(folder / CONFIG_FILE)


def _storable(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    if value.dtype == torch.int32:  # counts, most of them small
        return value.short() if int(value.abs().max()) < 2**15 else value.clone()
    return value.half() if half and value.dtype == torch.float32 else value.clone()


def load(folder: Path) -> tuple[nn.Module, ModelConfig, Tokenizer]:
    """The network (on the CPU, float32 or float64, evaluation mode), its config and its tokenizer.

    Raises UserError that names the file and the key at fault.
    """
    folder = Path(folder)
    config = ModelConfig.read(folder / CONFIG_FILE)
    tokenizer = load_tokenizer(folder)
    check_vocabulary(config, tokenizer, folder)
    if config.arch in CLASSICAL:
        return _load_classical(config, folder), config, tokenizer
    _check_depth(config, folder)
    model = build_model(config)
    load_weights(model, folder / WEIGHTS_FILE)
    return model.eval(), config, tokenizer


def _load_classical(config: ModelConfig, folder: Path) -> nn.Module:
    model = read_model(config, folder)
    if keeps_weights(config):
        load_weights(model, folder / WEIGHTS_FILE)
    return model.eval()


def check_vocabulary(config: ModelConfig, tokenizer: Tokenizer, folder: Path) -> None:
    """Raise UserError if the tokenizer's ids are not the rows of the model's embedding."""
    if tokenizer.vocab_size != config.vocab_size:
        raise UserError(
            _(
                "{folder}: the tokenizer has {tokens} tokens, the model {rows} embeddings; they do not fit"
            ).format(folder=visible(str(folder)), tokens=tokenizer.vocab_size, rows=config.vocab_size)
        )
    n_chars = getattr(config, "n_chars", 0)
    if n_chars and tokenizer.char_vocab_size != n_chars:
        raise UserError(
            _("{folder}: the tokenizer has {tokens} characters, the model {rows}; they do not fit").format(
                folder=visible(str(folder)), tokens=tokenizer.char_vocab_size, rows=n_chars
            )
        )


def _check_depth(config: ModelConfig, folder: Path) -> None:
    """Refuse more layers than there are weights, before they are built."""
    weights = len(read_header(folder / WEIGHTS_FILE))
    layers = getattr(config, "n_layers", 0)
    if layers > weights:
        raise UserError(
            _("{file}: key 'n_layers' is {layers}, but {weights_file} holds only {weights} weights").format(
                file=visible(str(folder / CONFIG_FILE)),
                layers=layers,
                weights_file=WEIGHTS_FILE,
                weights=weights,
            )
        )


def load_weights(model: nn.Module, path: Path) -> None:
    """Read the weights at `path` into `model`. Raises UserError for missing, surplus or misshapen ones."""
    found = {name: tuple(item["shape"]) for name, item in read_header(path).items()}
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    file = visible(str(path))
    for name in wanted:
        if name not in found:
            raise UserError(_("{file}: the weight {name} is missing").format(file=file, name=name))
    for name in found:
        if name not in wanted:
            message = _(
                "{file}: the weight {name} belongs to no part of the model that config.json describes"
            )
            raise UserError(message.format(file=file, name=visible(name)))
    for name, shape in wanted.items():
        if found[name] != shape:
            raise UserError(
                _("{file}: the weight {name} has the shape {got}, config.json asks for {wanted}").format(
                    file=file, name=name, got=list(found[name]), wanted=list(shape)
                )
            )
    try:
        values = load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise UserError(
            _("{file}: not readable ({error})").format(file=file, error=visible(str(error)))
        ) from None
    for name, value in values.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            message = _(
                "{file}: the weight {name} holds values that are no numbers; train or copy the model again"
            )
            raise UserError(message.format(file=file, name=name))
    model.load_state_dict(
        {name: value.float() if value.dtype == torch.float16 else value for name, value in values.items()}
    )

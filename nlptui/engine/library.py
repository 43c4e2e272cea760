"""The models there are: names, descriptions and folders, read from configs and weight headers alone.

Loads no torch and no weights.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlptui.config import ModelConfig, RulesConfig
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.paths import models_dirs
from nlptui.text import visible

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
STATES = ("before", "exploding")
"""Other weights in the network of a model, see `untrained`: `NAME@before`."""


@dataclass(frozen=True)
class ModelEntry:
    """One line of the list of models."""

    name: str
    path: Path
    arch: str = ""
    task: str = ""
    language: str = ""
    parameters: int = 0
    context: int = 0
    vocab_size: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    problem: str = ""
    """Why it cannot be opened; empty if nothing is known against it."""


def list_models() -> list[ModelEntry]:
    """Every model folder, shipped ones first; a name that occurs twice means its first folder."""
    entries: dict[str, ModelEntry] = {}
    for folder in models_dirs():
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if (path / CONFIG_FILE).is_file() and path.name not in entries:
                entries[path.name] = describe(path)
    return list(entries.values())


def describe(path: Path) -> ModelEntry:
    """The entry of the model folder at `path`; what is wrong with a broken one is its `problem`."""
    try:
        config = ModelConfig.read(path / CONFIG_FILE)
        parameters = 0 if isinstance(config, RulesConfig) else count_parameters(path / WEIGHTS_FILE)
    except UserError as error:
        return ModelEntry(path.name, path, problem=str(error))
    return ModelEntry(
        path.name,
        path,
        config.arch,
        config.task,
        config.language,
        parameters,
        config.context,
        config.vocab_size,
        dict(config.metrics),
    )


def count_parameters(path: Path) -> int:
    """Numbers in a safetensors file, from its header; bytes only say where the others of a table stand."""
    return sum(math.prod(item["shape"]) for item in read_header(path).values() if item["dtype"] != "U8")


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """Name → {dtype, shape, data_offsets} of a safetensors file. Raises UserError for anything else.

    Source: the safetensors format, 8 bytes of length (little-endian), JSON, then the data.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            text = file.read(length) if 0 < length <= min(size, 100_000_000) else b""
        header = json.loads(text.decode("utf-8"))
        header.pop("__metadata__", None)
        end = max((item["data_offsets"][1] for item in header.values()), default=0)
    except FileNotFoundError:
        raise UserError(_missing_weights(path)) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise UserError(_broken_weights(path)) from None
    if size != 8 + length + end:
        raise UserError(
            _(
                "{path}: has {size} bytes, its header says {wanted}; it is cut off or damaged, copy it again"
            ).format(path=visible(str(path)), size=size, wanted=8 + length + end)
        )
    return dict(header)


def _missing_weights(path: Path) -> str:
    pickles = [
        file.name for file in path.parent.glob("*") if file.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt")
    ]
    if pickles:
        return _(
            "{path}: missing; {pickle} is a pickle, which is never loaded: convert it to safetensors"
        ).format(path=visible(str(path)), pickle=visible(pickles[0]))
    return _("{path}: no such file; a model folder needs its weights there").format(path=visible(str(path)))


def _broken_weights(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return _("{path}: is a pickle, which is never loaded: convert it to safetensors").format(
            path=visible(str(path))
        )
    return _("{path}: is no safetensors file, or is cut off; copy it again").format(path=visible(str(path)))


def find_model(name: str) -> Path:
    """The folder of the model called `name`, or the folder that `name` is a path to. Raises UserError."""
    return find_state(name)[0]


def find_state(name: str) -> tuple[Path, str]:
    """The folder of a model, and which of STATES its weights are to be in; empty: as they were trained.

    Raises UserError for a model that is not there.
    """
    base, mark, state = name.rpartition("@")
    if (path := _folder(name)) is not None:
        return path, ""
    if mark and state in STATES and (path := _folder(base)) is not None:
        return path, state
    if _is_path(name):
        raise UserError(
            _("{path}: no model folder (it has no {file})").format(
                path=visible(str(Path(name).expanduser())), file=CONFIG_FILE
            )
        )
    known = [entry.name for entry in list_models()]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:6]
    raise UserError(
        _("no model named {name!r}; there are {known} (all: nlptui models)").format(
            name=visible(name), known=visible(", ".join(near)) or "—"
        )
    )


def _is_path(name: str) -> bool:
    return os.sep in name or name.startswith((".", "~")) or bool(os.altsep and os.altsep in name)


def _folder(name: str) -> Path | None:
    """The model folder of that name or path, if there is one."""
    if not name or "\0" in name:
        return None
    places = [Path(name).expanduser()] if _is_path(name) else [folder / name for folder in models_dirs()]
    return next((place for place in places if (place / CONFIG_FILE).is_file()), None)


def default_model() -> str:
    """The name of the model to open when none is asked for. Raises UserError where there is none."""
    entries = [entry for entry in list_models() if not entry.problem]
    if not entries:
        raise UserError(_("no models found in {folder}").format(folder=models_dirs()[0]))
    preferred = [
        entry
        for entry in entries
        if entry.task == "tagging" and entry.arch == "lstm" and entry.language == "en"
    ]
    return (preferred or entries)[0].name

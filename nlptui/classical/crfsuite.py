"""Models of CRFsuite (a .crfsuite file of python-crfsuite), read without it.

The file is a header, one record for each weight, and two dictionaries (labels and attributes) in CQDB.
Checked as it is read: a file that is none, or that is cut off, is a UserError. Source: Okazaki's CRFsuite,
`crf1d_model.c` and `cqdb.c`.
"""

from __future__ import annotations

import struct
from pathlib import Path

import torch

from nlptui.classical.crf import NONE, ChainCRF
from nlptui.classical.table import SparseTable
from nlptui.config import CRFConfig
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

_HEADER = struct.Struct("<4sI4s9I")
_FEATURE = struct.Struct("<IIId")
_STATE, _TRANSITION = 0, 1


def read_crfsuite(path: Path, features: tuple[str, ...] = (), name: str = "") -> ChainCRF:
    """The model at `path`. Its attributes are our features where they are written `template=value`.

    features: the templates that make them. It has no scores for the first and the last tag, which are then 0.
    """
    try:
        content = path.read_bytes()
        magic, _size, kind, _version, _f, n_labels, n_attributes, at, labels_at, names_at = (
            _HEADER.unpack_from(content)[:10]
        )
        if magic != b"lCRF" or kind != b"FOMC":
            raise ValueError(magic)
        labels = _dictionary(content, labels_at, n_labels)
        attributes = _dictionary(content, names_at, n_attributes)
        state = torch.zeros(n_attributes + 1, n_labels, dtype=torch.float64)
        moves = torch.zeros(n_labels, n_labels, dtype=torch.float64)
        (count,) = struct.unpack_from("<I", content, at + 8)
        for n in range(count):
            which, source, target, weight = _FEATURE.unpack_from(content, at + 12 + n * _FEATURE.size)
            if which == _STATE:
                state[source + 1, target] = weight
            elif which == _TRANSITION:
                moves[source, target] = weight
    except (OSError, struct.error, ValueError, IndexError) as error:
        raise UserError(
            _("{path}: no model of CRFsuite, or cut off ({error})").format(
                path=visible(str(path)), error=visible(str(error))
            )
        ) from None
    table = SparseTable.of(state)
    config = CRFConfig(
        name=name,
        arch="crf",
        task="tagging",
        labels=tuple(labels),
        features=features or ("bias",),
        n_features=len(attributes) + 1,
        entries=len(table.values),
    )
    model = ChainCRF(config, (NONE, *attributes))
    model.state = table
    model.transition_weight.copy_(moves)
    return model


def _dictionary(content: bytes, at: int, size: int) -> list[str]:
    """The strings of a CQDB dictionary, in the order of their numbers."""
    magic, _size, _flag, _order, backward, links = struct.unpack_from("<4s5I", content, at)
    if magic != b"CQDB" or backward < size:
        raise ValueError(magic)
    strings = []
    for number in range(size):
        (place,) = struct.unpack_from("<I", content, at + links + 4 * number)
        _id, length = struct.unpack_from("<II", content, at + place)
        text = content[at + place + 8 : at + place + 8 + length]
        strings.append(text.rstrip(b"\0").decode("utf-8"))
    return strings

"""Reads the names of activations: which part of the network a name belongs to, in the reader's language.

A name is a path such as `layers.0.forward.cell` or `blocks.3.attn.weights`: a place, then the kind of value.
Knows nothing of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nlptui.locale import N_, _
from nlptui.wording import listed

UNEDITED = ".unedited"
DIFFERS = "≠"
"""What stands after a tag that most of the models beside each other do not give."""
TOKEN_AXES = ("pos", "src", "tgt", "query", "key")

_LAYER = re.compile(r"(?:^|\.)(layers|blocks|encoder|decoder)\.(\d+)(?=\.)")
_LAYER_WORDS = {
    "layers": N_("layer {n}"),
    "blocks": N_("block {n}"),
    "encoder": N_("encoder block {n}"),
    "decoder": N_("decoder block {n}"),
}
_SIDE_WORDS = {
    "forward": N_("forward"),
    "backward": N_("backward"),
    "self_attn": N_("self-attention"),
    "cross_attn": N_("cross-attention"),
    "encoder": N_("encoder"),
    "decoder": N_("decoder"),
    "source": N_("source"),
    "target": N_("target"),
    "mlm": N_("masked words"),
    "nsp": N_("next sentence"),
}


def kind(name: str) -> str:
    """What sort of value the name holds: the last part of the path, an edit's `.unedited` aside."""
    return name.removesuffix(UNEDITED).rsplit(".", 1)[-1]


def prefix(name: str) -> str:
    """The path before the last part, with its dot; empty at the top."""
    return name[: len(name) - len(name.rsplit(".", 1)[-1])]


def place(name: str) -> str:
    """Where in the network the name belongs, for people: "layer 0, forward"; empty at the top."""
    words = []
    found = _LAYER.search(name)
    rest = name
    if found:
        words.append(_(_LAYER_WORDS[found[1]]).format(n=found[2]))
        rest = name[found.end() :]
    words += [_(_SIDE_WORDS[part]) for part in rest.split(".") if part in _SIDE_WORDS]
    return listed(words)


def of_kind(names: Iterable[str], *kinds: str) -> list[str]:
    """Those names whose value is of one of `kinds`, in their order; what an edit replaced is left out."""
    return [name for name in names if not name.endswith(UNEDITED) and name.rsplit(".", 1)[-1] in kinds]


def clamp(number: int, size: int) -> int:
    """`number` moved into 0 … size − 1; 0 where there is nothing."""
    return max(0, min(number, size - 1))

"""Which tokens of the vocabulary are nearest to one token of the text, by the cosine of their embeddings.

    similarity = e_w · e_x / (|e_w| |e_x|)

Source: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.config import CLASSICAL
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

TINY = 1e-12
TABLES = ("token_embedding.weight", "source_embedding.weight")


def fits(config: Any) -> bool:
    """Every network has vectors of its tokens."""
    return config.arch not in CLASSICAL


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`dot` with, and `length` of, every row of the table; `own` length; `similarity` (batch vocab)."""
    name = next(table for table in TABLES if table in trace.parameters)
    table: Any = trace[name].value.detach()
    token = trace.encoding.ids[asked.position_of(len(trace.encoding.ids))]
    size = table.square().sum(-1).sqrt()
    dot = rec("dot", (table @ table[token])[None], "batch vocab", by=f"sum({name} * row({name}, {token}))")
    length = rec("length", size[None], "batch vocab", by=f"sqrt(sum(square({name})))")
    own = rec("own", size[token : token + 1], "batch", by=f"sqrt(sum(square(row({name}, {token}))))")
    rec("similarity", dot / (length * own).clamp(min=TINY), "batch vocab", by="dot / (length * own)")

"""Which tokens of the vocabulary are nearest to one token of the text, by the cosine of their embeddings.

    similarity = e_w · e_x / (|e_w| |e_x|)

Source: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

TABLES = ("token_embedding.weight", "source_embedding.weight")


def fits(config: Any) -> bool:
    """Every model has an embedding of its tokens."""
    return True


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`length` and `unit` of every row of the table; `similarity` (batch vocab) to the token asked about."""
    name = next(table for table in TABLES if table in trace.parameters)
    table: Any = trace[name].value.detach()
    token = trace.encoding.ids[asked.position_of(len(trace.encoding.ids))]
    size = table.square().sum(-1, keepdim=True).sqrt()
    by = f"sqrt(row_sum(square({name})))"
    size = rec("length", size[None], "batch vocab stat", by=by)
    unit = rec("unit", table[None] / size.clamp(min=1e-12), "batch vocab d_model", by=f"{name} / length")
    rec(
        "similarity",
        (unit * unit[:, token : token + 1]).sum(-1),
        "batch vocab",
        by=f"sum(unit * row(unit, {token}))",
    )

"""Where a token stands: the table of positions, its products, and what attention sees of order without it.

    dot       p_i · p_j                               two rows of the table
    order     the words of the text are turned round, and each word's z is compared with its z before:
              max over heads and units of |z of the word there − z of the word here|, layer by layer,
              with positions and without

Without positions an encoder sees a bag of words: z of each word stays what it was. A causal network does see
order without positions, by what stands before. Sources: Vaswani et al. 2017, section 3.5; Haviv et al. 2022,
"Transformer Language Models without Positional Encodings Still Learn Positional Information".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.edits import Edit
from nlptui.engine.analyses.gradient import define
from nlptui.formula import reads
from nlptui.locale import _
from nlptui.nn import Batch
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine


def fits(config: Any) -> bool:
    """Whether a network adds vectors of positions to its embeddings."""
    return config.arch in ("transformer", "bert", "gpt")


def table_of(trace: Trace) -> str:
    """The parameter that holds the vectors of all positions."""
    module = reads(trace, positions_of(trace))[-1]
    return module if module in trace.parameters else f"{module}.weight"


def positions_of(trace: Trace) -> str:
    """The recorded vectors of the text's positions; of a translator, of the source's."""
    return next(name for name in trace.activations if name.split(".")[-1] == "pos_embed")


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`dot` (row column) of the table; of each layer `{module}.with` and `{module}.without` (batch pos)."""
    name = table_of(trace)
    table: Any = trace[name].value.detach()
    rec("dot", table @ table.T, "row column", by=f"dot({name}, {name})")
    side = "src" if engine.config.arch == "transformer" else "tokens"
    rec = rec.bind(pos=side)
    order = turned(trace)
    silent = Edit(positions_of(trace), (), "zero")
    for number, (kind, edits) in enumerate((("with", ()), ("without", (silent,)))):
        asked.watch(number, 2)
        here, there = (_z(engine, trace, places, edits) for places in (torch.arange(len(order)), order))
        words = {
            "with": _("the largest change of z at this word when the words of the text are turned round"),
            "without": _("the same in a network whose position vectors are set to 0"),
        }[kind]
        back = order.argsort()
        for module, z in here.items():
            off = (there[module][:, :, back] - z).abs().amax((1, 3))
            define(rec, f"{module}.{kind}", off, ("batch", "pos"), words, ((f"{module}.z", None),))


def turned(trace: Trace) -> Tensor:
    """The places of the tokens, turned round; special tokens stay where they are."""
    special = list(trace.encoding.special)
    words = [place for place, is_special in enumerate(special) if not is_special]
    order = torch.arange(len(special))
    order[words] = torch.tensor(words[::-1], dtype=torch.int64)
    return order


def _z(engine: Engine, trace: Trace, order: Tensor, edits: tuple[Edit, ...]) -> dict[str, Tensor]:
    """z of every layer of self-attention that reads the text, with its tokens in this order, each of them
    still of its own segment.
    """
    ids: Any = trace["ids"].value
    segments: Any = trace["segments"].value[:, order.to(ids.device)] if "segments" in trace else None
    target: Any = trace["target_ids"].value if "target_ids" in trace else None
    recorder = Recorder(trace.parameters, edits, ["*.z"])
    with torch.no_grad():
        engine.model(Batch(ids[:, order.to(ids.device)], segments=segments, target_ids=target), recorder)
    ours = {name.removesuffix(".z"): held.value for name, held in recorder.activations.items()}
    return {name: torch.as_tensor(z).cpu() for name, z in ours.items() if not name.startswith("decoder")}

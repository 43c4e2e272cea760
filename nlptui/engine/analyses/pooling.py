"""Every pooler of a classifier on the same text: what it makes of the top layer, and the class it leads to.

    pooled     the vector that stands for the text        probs   what the pooler's own classifier says
    share      how much of it each token gave: the first one all (cls), each alike (mean), the share of units
               whose largest value is the token's (max), the weights (attention)

Recorded from the run's top layer, so that poolers that the run does not use can be opened too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.engine.analyses.gradient import define
from nlptui.locale import _
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine


def fits(config: Any) -> bool:
    """Whether a network labels a text by one vector of it."""
    return config.task == "classification" and bool(getattr(config, "pooling", ""))


def names_of(config: Any) -> tuple[str, ...]:
    """The poolers of a network: several on one encoder, or the only one."""
    return getattr(config, "poolings", ()) or (config.pooling,)


def top_of(config: Any) -> str:
    """The recorded name of what poolers read."""
    last = config.n_layers - 1
    return f"blocks.{last}.mlp_norm" if config.arch == "bert" else f"layers.{last}.hidden"


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`{pooler}.pooled`, `.logits` and `.probs` (batch …), `.share` (batch pos), of every pooler."""
    config: Any = trace.config
    model: Any = engine.model
    top = top_of(config)
    x: Any = trace[top].value
    several = bool(getattr(config, "poolings", ()))
    for name in names_of(config):
        at = f"poolers.{name}" if several else "pooler"
        head = f"heads.{name}" if several else "head"
        own = {part: f"{at}.{part}" for part in ("dense", "score")}
        scope = rec.at(name, x=top, **own)
        pooler = model.poolers[name] if several else model.pooler
        with torch.no_grad():
            pooled = pooler(x, None, scope)
            of_head = rec.at(name, x=f"{name}.pooled")
            (model.heads[name] if several else model.head).logits(pooled, of_head, module=head)
        words = {
            "cls": _("1 for the first token, the only one that this pooler reads"),
            "mean": _("the same for every token: 1 over how many there are"),
            "max": _("the share of units whose largest value over the text is this token's"),
            "attention": _("the weight of this token, by softmax over the text"),
        }[name]
        made_of = ((top, None), (f"{rec.prefix}{name}.pooled", None))
        define(scope, "share", _share(name, x, pooled, rec), ("batch", "pos"), words, made_of)


def _share(name: str, x: Tensor, pooled: Tensor, rec: Recorder) -> Tensor:
    """How much each token gives (batch pos)."""
    if name == "attention":
        weights: Any = rec.root.activations[f"{rec.prefix}{name}.weights"].value
        return weights[:, 0]  # type: ignore[no-any-return]
    share = x.new_zeros(x.shape[:2])
    if name == "cls":
        share[:, 0] = 1
    elif name == "mean":
        share += 1 / x.shape[1]
    else:
        share = (x == pooled[:, None]).to(x).mean(-1)
    return share

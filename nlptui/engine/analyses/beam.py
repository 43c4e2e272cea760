"""Beam search from the end of the text, with everything that was tried: kept, and dropped.

Each step tries, for every text kept so far, the likeliest next tokens, as many as there are beams, and keeps
the best of all by

    score = Σ log P(token | what stands before it) / length^power        power 0 for language models

The tries are the nodes of a tree, written down from top to bottom as it is drawn: each node, then what was
tried after it. Sources: Graves 2012; Wu et al. 2016, section 7 (the power of the length).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nlptui.engine.analyses.asked import Asked, Watch, unwatched
from nlptui.engine.analyses.gradient import define
from nlptui.engine.analyses.next_token import fits
from nlptui.engine.generation import written
from nlptui.locale import _
from nlptui.nn import OFF, Batch
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.engine import Engine

__all__ = ["fits", "record"]

BEAMS, DEPTH = 3, 5
"""Where nothing else is asked for."""


@dataclass(eq=False)
class Node:
    """One token that was tried."""

    token: int
    logprob: float
    total: float
    """The log-probability of everything down to it."""
    depth: int
    kept: bool = False
    ended: bool = False
    """Whether it ends the text."""
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """The tokens from the first one tried down to this one."""
        above = self.parent.ids if self.parent is not None else []
        return [*above, self.token] if self.depth else above


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`token`, `prob`, `score`, `kept`, `depth` and `parent` of every node (batch node).

    The number of a parent is that of its node; −1 for what follows the text itself.
    """
    beams, depth = asked.search or (BEAMS, DEPTH)
    power = float(getattr(engine.config, "length_power", 0.0))
    nodes = in_order(grow(engine, trace, beams, depth, power, asked.watch))
    numbers = {id(node): number for number, node in enumerate(nodes)}
    probs = f"{rec.prefix}prob"
    columns = {
        "token": ([node.token for node in nodes], _("the id of the token that was tried")),
        "prob": ([node.logprob for node in nodes], _("softmax of the logits of a run that ends before it")),
        "score": (
            [node.total / max(node.depth, 1) ** power for node in nodes],
            _("the sum of log prob from the top down to it, over length to the power {power:g}").format(
                power=power
            ),
        ),
        "kept": ([float(node.kept) for node in nodes], _("1 where the score is among the best of its step")),
        "depth": ([node.depth for node in nodes], _("how many tokens have been written with it")),
        "parent": ([numbers.get(id(node.parent), -1) for node in nodes], _("the node that it goes on from")),
    }
    for name, (values, words) in columns.items():
        value = torch.tensor(
            [values], dtype=torch.float32 if name in ("prob", "score", "kept") else torch.int64
        )
        source = ("logits", None) if name in ("token", "prob") else (probs, None)
        define(rec, name, value.exp() if name == "prob" else value, ("batch", "node"), words, (source,))


def grow(
    engine: Engine, trace: Trace, beams: int, depth: int, power: float, watch: Watch = unwatched
) -> Node:
    """The tree, whose root is the text as it stands."""
    root = Node(-1, 0.0, 0.0, 0)
    live = [root]
    end = engine.tokenizer.specials.get("eos")
    for step in range(depth):
        watch(step, depth)
        going = [node for node in live if not node.ended]
        if not going or not _room(engine, trace, going[0]):
            break
        tried = [node for node in live if node.ended]
        for node, logprobs in zip(going, _logprobs(engine, trace, [node.ids for node in going]), strict=True):
            best = logprobs.topk(min(beams, len(logprobs)))
            for value, token in zip(best.values.tolist(), best.indices.tolist(), strict=True):
                child = Node(
                    token, value, node.total + value, node.depth + 1, ended=token == end, parent=node
                )
                node.children.append(child)
                tried.append(child)
        tried.sort(key=lambda node: -node.total / node.depth**power)
        live = tried[:beams]
        for node in live:
            node.kept = True
    return root


def in_order(root: Node) -> list[Node]:
    """The nodes below `root`, each before what was tried after it, the likelier first."""
    found = []
    for child in root.children:
        found += [child, *in_order(child)]
    return found


def _room(engine: Engine, trace: Trace, node: Node) -> bool:
    """Whether the network can read one token more; of a language model a window slides."""
    if engine.config.task != "translation":
        return True
    return int(trace["target_ids"].shape[1]) + node.depth < engine.config.context


def _logprobs(engine: Engine, trace: Trace, more: list[list[int]]) -> Tensor:
    """log P of the next token (sequence vocab) after the text and each of `more`."""
    before = written(trace, engine.tokenizer.specials.get("eos"))
    rows = torch.tensor([[*before, *ids] for ids in more], device=engine.device)
    with torch.no_grad():
        if engine.config.task == "translation":
            source = torch.tensor([trace.encoding.ids], device=engine.device).expand(len(more), -1)
            logits = engine.model(Batch(source, target_ids=rows), OFF)["logits"]
        else:
            window = rows[:, -engine.config.context :] if engine.config.arch == "gpt" else rows
            logits = engine.model(Batch(window), OFF)["logits"]
    return logits[:, -1].cpu().double().log_softmax(-1)  # type: ignore[no-any-return]

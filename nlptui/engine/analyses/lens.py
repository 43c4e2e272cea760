"""The logit lens: what the model would answer if each layer were the last one.

    logits_l = head(x_l)        the final norm first, where the network has one

Layer by layer the guess takes shape; the last one is the model's own answer. Source: nostalgebraist 2020,
"interpreting GPT: the logit lens"; the 2017 Transformer's decoder and recurrent layers are read the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from nlptui.nn.heads import record_logits
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

TASKS = {"gpt": ("language_model",), "bert": ("pretraining", "tagging"), "transformer": ("translation",)}
RECURRENT = ("rnn", "lstm", "gru")


def fits(config: Any) -> bool:
    """Whether one head reads every position of the top layer, and layers below are as wide."""
    if config.arch in RECURRENT:
        return config.task in ("language_model", "tagging") and not config.crf
    return config.task in TASKS.get(config.arch, ())


def layers(trace: Trace) -> list[str]:
    """The names of what the head is given, from the embedding (where it is as wide) to the top layer."""
    config: Any = trace.config
    if config.arch in RECURRENT:
        return [f"layers.{i}.hidden" for i in range(config.n_layers)]
    top = "resid_post" if getattr(config, "norm_order", "") == "pre" else "mlp_norm"
    stack, bottom = ("decoder", "decoder.embed") if config.arch == "transformer" else ("blocks", "embed")
    bottom = "embed_norm" if config.arch == "bert" else bottom
    return [bottom, *(f"{stack}.{i}.{top}" for i in range(config.n_layers))]


def place(name: str) -> str:
    """What the lens calls a layer: `blocks.0` for blocks.0.resid_post; `embed` as it is."""
    return name.rsplit(".", 1)[0] if name.split(".")[-1] in ("resid_post", "mlp_norm", "hidden") else name


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`top`, the model's own answer at each position (batch pos); of every layer `{layer}.logits` and
    `{layer}.probs` (batch pos vocab), the norm before them, and `{layer}.answer`, the probability of `top`.
    """
    config: Any = trace.config
    mlm = "mlm." if config.task == "pretraining" else ""
    scope = rec.bind(pos="tgt") if config.arch == "transformer" else rec
    with torch.no_grad():
        final: Any = trace[f"{mlm}logits"].value
        top = scope("top", final.argmax(-1), "batch pos", by=f"argmax({mlm}logits)")
        for name in layers(trace):
            x: Any = trace[name].value
            inner = scope.at(place(name), x=name, top="top")
            _read(engine.model, config, x, inner)
            probs: Any = rec.root.activations[f"{inner.prefix}{mlm}probs"].value
            answer = probs.gather(-1, top[..., None])[..., 0]
            inner("answer", answer, "batch pos", by=f"pick({mlm}probs, top)")


def _read(model: Any, config: Any, x: Any, scope: Recorder) -> None:
    """The head's logits of `x`, which the scope calls `x`."""
    if config.arch == "bert" and config.task == "pretraining":
        own = {name: f"mlm.{name}" for name in ("dense", "norm.weight", "norm.bias", "bias")}
        inner = scope.at("mlm", x="x", embedding="token_embedding.weight", **own)
        model.mlm(x, model.token_embedding.weight, inner)
    elif config.task == "tagging":
        model.head.logits(x, scope)
    elif config.arch in RECURRENT:
        record_logits(model.head(x), scope, "batch pos vocab", by="linear(x, head)")
    elif config.arch == "transformer":
        weight = getattr(model, model.target).weight
        record_logits(F.linear(x, weight), scope, "batch pos vocab", by=f"linear(x, {model.target})")
    else:
        if config.norm_order == "pre":
            x = model.norm_final.norm(x, scope, "norm_final", of="x")
        weight = model.token_embedding.weight
        by = f"linear({'norm_final' if config.norm_order == 'pre' else 'x'}, token_embedding)"
        record_logits(F.linear(x, weight), scope, "batch pos vocab", by=by)

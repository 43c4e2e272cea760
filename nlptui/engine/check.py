"""Our step-by-step numbers against torch's fused ones, part by part, for a loaded model.

The recorded path computes every gate, score and norm by its equation; the other path runs torch's fused
recurrent, attention and LayerNorm kernels. Both must tell the same story.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.engine.inputs import batch_of
from nlptui.nn import OFF, Batch
from nlptui.tokenizers import Tokenizer
from nlptui.trace import Recorder


def differences(model: nn.Module, reference: nn.Module, batch: Batch) -> dict[str, float]:
    """Part or output → max |Δ| of `model` on record from `reference` run fused, over max(1, max |value|)."""
    recorder = Recorder({**dict(model.named_parameters()), **dict(model.named_buffers())})
    with torch.no_grad():
        outputs = model(batch, recorder)
        fused, fused_outputs = _parts(reference, batch)
    ours = {name: activation.value for name, activation in recorder.activations.items()}
    pairs = {name: (_recorded(name, value, ours), value) for name, value in fused.items()}
    found = {name: _difference(mine, theirs) for name, (mine, theirs) in pairs.items() if mine is not None}
    return found | {name: _difference(outputs[name], fused_outputs[name]) for name in outputs}


def invented_batch(config: ModelConfig) -> Batch:
    """One text of random ids, always the same, with all that the network can be given beside it."""
    length = min(config.context, 24)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, config.vocab_size, (1, length), generator=generator)
    n_chars = getattr(config, "n_chars", 0)
    chars = torch.randint(1, n_chars, (1, length, 6), generator=generator) if n_chars else None
    rows = getattr(config, "target_vocab_size", 0) or config.vocab_size
    target = (
        torch.randint(0, rows, (1, length), generator=generator) if config.task == "translation" else None
    )
    segments = torch.arange(length)[None] * getattr(config, "n_segments", 1) // length
    return Batch(ids, segments=segments, chars=chars, target_ids=target)


def _parts(model: nn.Module, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs of every module in a fused run."""
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            if isinstance(value, Tensor):
                seen[name] = value

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in model.named_modules() if name]
    try:
        return seen, model(batch, OFF)
    finally:
        for handle in handles:
            handle.remove()


RENAMED = {
    "up": "pre",
    "down": "out",
    "wo": "out",
    "dense": "pre",
    "head": "logits",
    "nsp": "nsp.logits",
    "token_embedding": "token_embed",
    "pos_embedding": "pos_embed",
    "segment_embedding": "segment_embed",
    "embedding": "char_embed",
    "char": "char_feature",
}
"""Modules whose output is recorded under another name, in the scope that the module stands in or in the
root's.
"""


def _recorded(part: str, value: Tensor, ours: dict[str, Tensor]) -> Tensor | None:
    """What we recorded of a module's output; None where it has no activation of its own."""
    parent, _dot, last = part.rpartition(".")
    if last in ("wq", "wk", "wv"):
        return ours[f"{parent}.{last[1]}"].transpose(1, 2).flatten(2)
    if last == "score":
        raw = ours.get(f"{parent}.raw")  # None: of several poolers, one that is not in use
        return None if raw is None else raw.transpose(1, 2)
    if part == "layers":
        return ours[max(filter(_is_layer, ours), key=lambda name: int(name.split(".")[1]))]
    names = [part, *(f"{part}.{end}" for end in ("out", "resid_post", "mlp_norm", "pooled", "logits"))]
    if last in RENAMED:
        names += [f"{parent}.{RENAMED[last]}", RENAMED[last]]
    if last == "head":
        names.append("emission")  # under a CRF
    return next((ours[name] for name in names if name in ours and ours[name].shape == value.shape), None)


def _is_layer(name: str) -> bool:
    parts = name.split(".")
    return len(parts) == 3 and parts[0] == "layers" and parts[2] == "hidden"


def _difference(ours: Tensor, theirs: Tensor) -> float:
    scale = max(1.0, float(theirs.abs().max())) if theirs.numel() else 1.0
    return float((ours - theirs).abs().max()) / scale if theirs.numel() else 0.0


_TRIED = {"en": ["The", "dog", "walks", "."], "zh": list("我们走了")}
"""Few words, so that all paths of tags through them can be tried."""


def lattice_differences(model: nn.Module, tokenizer: Tokenizer, language: str) -> dict[str, float]:
    """Of a model without a network: what it says of a few words, from the recorded run, against what all
    paths through its lattice say, one by one; of rules, against the same run off the record.
    """
    words = _TRIED.get(language, _TRIED["en"])
    encoding = tokenizer.encode_words(words)
    batch = batch_of(encoding, "cpu")
    recorder = Recorder({**dict(model.named_parameters()), **dict(model.named_buffers())})
    with torch.no_grad():
        outputs = model(batch, recorder)
        plain = model(batch, OFF)
    found = {name: _difference(outputs[name], plain[name]) for name in outputs}
    ours = {name: activation.value for name, activation in recorder.activations.items()}
    if "score" not in ours:
        return found
    best, probs = _of_all_paths(ours)
    top = (ours["score"][0, -1] + ours["transition.end"][0]).max()
    return found | {"score": _difference(top, best), "posteriors": _difference(ours["probs"][0], probs)}


def _of_all_paths(ours: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The score of the best path and the share of each tag, by adding up every path there is."""
    emission, transition = ours["emission"][0], ours["transition"][0]
    length, tags = emission.shape
    paths = torch.tensor(list(itertools.product(range(tags), repeat=length)))
    scores = emission[torch.arange(length), paths].sum(1)
    scores = scores + transition[paths[:, :-1], paths[:, 1:]].sum(1)
    scores = scores + ours["transition.start"][0, paths[:, 0]] + ours["transition.end"][0, paths[:, -1]]
    shares = scores.softmax(0)
    columns = [torch.zeros(tags, dtype=shares.dtype).index_add(0, paths[:, t], shares) for t in range(length)]
    return scores.max(), torch.stack(columns)

"""Direct logit attribution: what each part of a network adds to one logit, so that the parts make it up.

A logit is a product with the vector on top, and that vector a sum: of embeddings, of what each head adds, of
what each feed-forward layer adds. The product is taken down the sum. Where a norm stands in the way its mean
and scale are held as they were in this run, which leaves a linear map; so are the factor Φ(x) of GELU, the
factor tanh(x) / x of BERT's pooler, the weights of an attention pooler and the choice of a max pooler.

    direction at the top    u = the head's row for the target
    through a norm          u' = (w ⊙ u − mean(w ⊙ u)) / scale       and b · u goes to `biases`
    a part                  Σ_d part · u'                            for every position
    an edit, x' = f ⊙ x + c   u' = f ⊙ u                             and c · u is a part: what the edit put in

Sources: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Nostalgebraist 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

AXES = "batch pos"
VECTORS = "batch pos d_model"
TASKS = {
    "gpt": ("language_model",),
    "bert": ("pretraining", "tagging", "classification", "question_answering"),
    "transformer": ("translation",),
}


def fits(config: Any) -> bool:
    """Whether the network is a stack of attention blocks with a linear head."""
    return config.task in TASKS.get(config.arch, ())


@dataclass
class Walk:
    """The way down from a logit: where the direction stands now, and the parts met so far."""

    trace: Trace
    rec: Recorder
    direction: Tensor
    """(batch pos d_model), or what broadcasts to it."""
    name: str
    """What the recorder calls the direction."""
    parts: dict[str, Tensor] = field(default_factory=dict)
    """Recorded name → contribution (batch pos)."""

    def value(self, name: str) -> Any:
        """A recorded activation, input or parameter."""
        return self.trace[name].value

    def turn(self, name: str, direction: Tensor, by: str, axes: str = VECTORS) -> None:
        """Go on with another direction."""
        self.direction, self.name = self.rec(f"{name}.direction", direction, axes, by=by), f"{name}.direction"

    def add(self, name: str, value: Tensor, by: str) -> None:
        """One part's contribution."""
        self.parts[name] = self.rec(name, value, AXES, by=by)

    def part(self, name: str, of: str) -> None:
        """What the activation `of` adds, under the name `name`."""
        value = (self.value(of) * self.direction).sum(-1)
        self.add(name, value, f"sum({of} * {self.name})")

    def bias(self, name: str, vector: str) -> None:
        """What a bias (d_model) adds at every position."""
        value = (self.value(vector) * self.direction).sum(-1)
        self.add(name, value, f"sum({vector} * {self.name})")

    def edit(self, name: str) -> None:
        """Down through the edits of `name`, where there are some; what they put in is a part of its own."""
        factor, constant = f"edits.{name}.factor", f"edits.{name}.constant"
        if factor in self.trace.inputs:
            self.part(f"{name}.edit_part", constant)
            by = f"{self.name} * {factor}"
            self.turn(f"{name}.edited", self.direction * self.value(factor), by)

    def unedited(self, name: str) -> str:
        """What the network made of `name`, before any edit."""
        before = f"{name}.unedited"
        return before if before in self.trace.activations else name

    def norm(self, place: str) -> None:
        """Down through the LayerNorm whose output is called `place`."""
        self.edit(place)
        if f"{place}.bias" in self.trace:
            self.bias(f"{place}.bias_part", f"{place}.bias")
        by = f"{place}.weight * {self.name}"
        weighted = self.rec(
            f"{place}.weighted", self.value(f"{place}.weight") * self.direction, VECTORS, by=by
        )
        mean, before = f"{place}.mean", f"{place}.mean.unedited"
        if before in self.trace.activations:
            moved = (self.value(before) - self.value(mean)) / self.value(f"{place}.scale") * weighted
            by = f"sum(({before} - {mean}) / {place}.scale * {place}.weighted)"
            self.add(f"{mean}.edit_part", moved.sum(-1), by)
        centred = weighted - weighted.mean(-1, keepdim=True)
        by = f"({place}.weighted - mean({place}.weighted)) / {place}.scale"
        self.turn(place, centred / self.value(f"{place}.scale"), by)

    def attention(self, module: str) -> None:
        """What each head of an attention layer adds, and its output's bias."""
        above = self.direction, self.name
        self.edit(f"{module}.out")
        weight, z = self.value(f"{module}.wo.weight"), self.value(f"{module}.z")
        width = z.shape[-1]
        pulled = (self.direction @ weight).unflatten(-1, (-1, width)).transpose(1, 2)
        axes = "batch head query d_head"
        by = f"heads(mix({self.name}, {module}.wo.weight), {width})"
        pulled = self.rec(f"{module}.pull", pulled, axes, by=by)
        heads = (z * pulled).sum(-1)
        self.rec(f"{module}.heads", heads, "batch head query", by=f"sum({module}.z * {module}.pull)")
        bias = ""
        total = heads.sum(1)
        if f"{module}.wo.bias" in self.trace:
            bias = f" + sum({module}.wo.bias * {self.name})"
            total = total + (self.value(f"{module}.wo.bias") * self.direction).sum(-1)
        by = f"{z.shape[1]} * mean_head({module}.heads){bias}"
        self.add(f"{module}.out_part", total, by)
        self.direction, self.name = above  # what flows past this layer


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """Contributions (batch pos) of every part to the target's logit at each position, and their `total`.

    Of a model with one answer for the whole text, they add up over positions too, and `total` is (batch).
    """
    config: Any = trace.config
    rec = rec.bind(pos="tgt", query="tgt") if config.arch == "transformer" else rec
    with torch.no_grad():
        walk = _top(engine, trace, asked, rec)
        if config.arch == "transformer":
            _decoder(walk, config)
        elif config.arch == "gpt" and config.norm_order == "pre":
            _pre_norm(walk, config)
        else:
            _post_norm(walk, config)
        if config.task == "classification":
            total = torch.stack([part.sum(-1) for part in walk.parts.values()]).sum(0)
            rec("total", total, "batch", by=" + ".join(f"sum({name})" for name in walk.parts))
        else:
            total = sum(walk.parts.values(), torch.zeros(()))
            rec("total", total, AXES, by=" + ".join(walk.parts))


# ------------------------------------------------------------------------------------------ from the top down


def _top(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> Walk:
    """The direction of the target's logit in the vectors on top of the stack, with the head's bias noted."""
    config: Any = trace.config
    if config.arch == "gpt" or config.arch == "transformer":
        table = "token_embedding.weight"
        if config.arch == "transformer":
            table = f"{engine.model.target}.weight"
        row = asked.target_of(trace[table].shape[0])
        return _scored(_from_row(trace, rec, table, row), "logits", row)
    if config.task == "pretraining":
        return _from_mlm(trace, rec, asked.target_of(config.vocab_size))
    if config.task == "question_answering":
        side = ("start", "end")[asked.target_of(2)]
        return _scored(_from_row(trace, rec, f"span.{side}.weight", 0), f"{side}.logits", None)
    pooler, head = "pooler", "head"
    if config.poolings:
        pooler, head = f"poolers.{config.pooling}", f"heads.{config.pooling}"
    row = asked.target_of(len(config.labels))
    walk = _scored(_from_row(trace, rec, f"{head}.weight", row), "logits", row)
    if config.task == "classification":
        _unpool(walk, pooler, config.pooling)
    return walk


def _from_row(trace: Trace, rec: Recorder, matrix: str, row: int) -> Walk:
    """The row of a head that makes the target's logit, and the bias beside it."""
    weight: Any = trace[matrix].value
    by = f"{matrix}[{row}:{row + 1}]"
    direction = rec("head.direction", weight[row : row + 1][None], VECTORS, by=by)
    walk = Walk(trace, rec, direction, "head.direction")
    bias = matrix.replace(".weight", ".bias")
    if bias in trace and bias != matrix:
        _spread(walk, bias, row)
    return walk


def _scored(walk: Walk, scores: str, row: int | None) -> Walk:
    """The edits of the scores themselves, of which the target's are number `row`; None: there is one only."""
    before = f"{scores}.unedited"
    if before in walk.trace.activations:
        moved = walk.value(scores) - walk.value(before)
        by = f"{scores} - {before}" if row is None else f"column({scores} - {before}, {row})"
        value = moved if row is None else moved[..., row]
        walk.add(f"{scores}.edit_part", value.reshape(1, -1), by)
    return walk


def _spread(walk: Walk, bias: str, row: int) -> None:
    """The head's bias of the target, once for each logit that there is."""
    value: Any = walk.value(bias)[row : row + 1][None]
    walk.add("head.bias_part", value, f"{bias}[{row}:{row + 1}]")


def _from_mlm(trace: Trace, rec: Recorder, target: int) -> Walk:
    """Through BERT's head for masked tokens: the embedding's row, the norm, GELU, the dense layer."""
    walk = _scored(_from_row(trace, rec, "token_embedding.weight", target), "mlm.logits", target)
    _spread(walk, "mlm.bias", target)
    walk.norm("mlm.norm")
    walk.edit("mlm.act")
    name = walk.unedited("mlm.act")
    act, pre = walk.value(name), walk.value("mlm.pre")
    # Φ(0) is ½; the quotient has no value there.
    passed = rec("mlm.passed", torch.where(pre == 0, 0.5, act / pre), VECTORS, by=f"{name} / mlm.pre")
    walk.turn("mlm.act", walk.direction * passed, f"{walk.name} * mlm.passed")
    walk.edit("mlm.pre")
    walk.bias("mlm.dense.bias_part", "mlm.dense.bias")
    weight = walk.value("mlm.dense.weight")
    walk.turn("mlm.dense", walk.direction @ weight, f"mix({walk.name}, mlm.dense.weight)")
    return walk


def _unpool(walk: Walk, pooler: str, method: str) -> None:
    """From the pooled vector's direction to one for each position."""
    walk.edit(f"{pooler}.pooled")
    x = _pooled_from(walk.trace)
    length = x.shape[1]
    if method == "cls":
        name = walk.unedited(f"{pooler}.pooled")
        top, pre = walk.value(name), walk.value(f"{pooler}.pre")
        quotient = torch.where(pre == 0, 1.0, top / pre)[:, None]
        passed = walk.rec(f"{pooler}.passed", quotient, VECTORS, by=f"{name} / {pooler}.pre")
        walk.turn(f"{pooler}.pre", walk.direction * passed, f"{walk.name} * {pooler}.passed")
        walk.edit(f"{pooler}.pre")
        bias = (walk.value(f"{pooler}.dense.bias") * walk.direction).sum(-1)
        walk.add(f"{pooler}.dense.bias_part", bias, f"sum({pooler}.dense.bias * {walk.name})")
        weight = walk.value(f"{pooler}.dense.weight")
        by = f"mix({walk.name}, {pooler}.dense.weight)"
        walk.turn(f"{pooler}.dense", walk.direction @ weight, by)
    walk.rec.input(f"{pooler}.place", _places(walk.trace, pooler, method, x, length), VECTORS)
    place: Any = walk.rec.root.inputs[f"{walk.rec.prefix}{pooler}.place"].value
    walk.turn(f"{pooler}.place", walk.direction * place, f"{walk.name} * {pooler}.place")


def _pooled_from(trace: Trace) -> Any:
    """The vectors that the pooler reads (batch pos d_model)."""
    config: Any = trace.config
    top = f"blocks.{config.n_layers - 1}.mlp_norm" if config.n_layers else "embed_norm"
    return trace[top].value


def _places(trace: Trace, pooler: str, method: str, x: Tensor, length: int) -> Tensor:
    """With which factor the pooler took each position (and unit, where that decides)."""
    if method == "attention":
        weights: Tensor = trace[f"{pooler}.weights"].value
        return weights.transpose(1, 2)
    if method == "max":
        return torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), 1.0)
    places = x.new_zeros(1, length, 1)
    places[:, :1] = 1.0
    return x.new_full((1, length, 1), 1.0 / length) if method == "mean" else places


# ------------------------------------------------------------------------------------------ down the networks


def _pre_norm(walk: Walk, config: Any) -> None:
    """GPT-2: one norm, then a plain sum."""
    walk.norm("norm_final")
    for i in reversed(range(config.n_layers)):
        walk.edit(f"blocks.{i}.resid_post")
        walk.part(f"blocks.{i}.mlp.out_part", f"blocks.{i}.mlp.out")
        walk.edit(f"blocks.{i}.resid_mid")
        walk.attention(f"blocks.{i}.attn")
        walk.edit(f"blocks.{i}.resid_pre")
    walk.edit("embed")
    walk.part("pos_embed_part", "pos_embed")
    walk.part("token_embed_part", "token_embed")


def _post_norm(walk: Walk, config: Any) -> None:
    """BERT and GPT-1: a norm after each sum, through which everything below passes."""
    for i in reversed(range(config.n_layers)):
        walk.norm(f"blocks.{i}.mlp_norm")
        walk.edit(f"blocks.{i}.mlp_sum")
        walk.part(f"blocks.{i}.mlp.out_part", f"blocks.{i}.mlp.out")
        walk.norm(f"blocks.{i}.attn_norm")
        walk.edit(f"blocks.{i}.attn_sum")
        walk.attention(f"blocks.{i}.attn")
        walk.edit(f"blocks.{i}.resid_pre")
    if config.arch == "bert":
        walk.norm("embed_norm")
    walk.edit("embed")
    if config.arch == "bert":
        walk.part("segment_embed_part", "segment_embed")
    walk.part("pos_embed_part", "pos_embed")
    walk.part("token_embed_part", "token_embed")


def _decoder(walk: Walk, config: Any) -> None:
    """The decoder of 2017: as BERT's blocks, with what it takes from the source in between."""
    for i in reversed(range(config.n_layers)):
        block = f"decoder.{i}"
        walk.norm(f"{block}.mlp_norm")
        walk.edit(f"{block}.mlp_sum")
        walk.part(f"{block}.mlp.out_part", f"{block}.mlp.out")
        walk.norm(f"{block}.cross_attn_norm")
        walk.edit(f"{block}.cross_attn_sum")
        walk.attention(f"{block}.cross_attn")
        walk.norm(f"{block}.self_attn_norm")
        walk.edit(f"{block}.self_attn_sum")
        walk.attention(f"{block}.self_attn")
        walk.edit(f"{block}.resid_pre")
    walk.edit("decoder.embed")
    walk.part("decoder.pos_embed_part", "decoder.pos_embed")
    walk.part("decoder.token_embed_part", "decoder.token_embed")

"""The Transformer of 2017: encoder and decoder, post-LN, sinusoidal or learned positions.

Source: Vaswani et al. 2017, "Attention Is All You Need"; embeddings are scaled by √d_model (section 3.4).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import TransformerConfig
from nlptui.nn.attention import Attention, KeyValueCache, causal_mask
from nlptui.nn.batch import Batch
from nlptui.nn.decoding import DecoderSteps
from nlptui.nn.dropout import dropout
from nlptui.nn.heads import record_logits
from nlptui.nn.layers import FeedForward, LayerNorm, Rec, initialise, sinusoids
from nlptui.nn.search import Found, search
from nlptui.trace import OFF


class EncoderBlock(nn.Module):
    """norm(x + attn(x)), then norm(x + mlp(x))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attn = Attention(config.d_model, config.n_heads)
        self.attn_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.mlp = FeedForward(config.d_model, config.d_ff, "relu")
        self.mlp_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.dropout = config.dropout

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)

    def forward(self, x: Tensor, mask: Tensor | None, rec: Rec = OFF) -> Tensor:
        """x (batch src d_model) → the same shape."""
        x = rec("resid_pre", x, "batch pos d_model", by="x")
        out = self.attn(x, mask=mask, rec=rec.at("attn", x="resid_pre", source="resid_pre", mask="mask"))
        total = rec("attn_sum", x + self._drop(out), "batch pos d_model", by="resid_pre + attn.out")
        x = self.attn_norm.norm(total, rec, "attn_norm", of="attn_sum")
        out = self.mlp(x, rec.at("mlp", x="attn_norm"))
        total = rec("mlp_sum", x + self._drop(out), "batch pos d_model", by="attn_norm + mlp.out")
        return self.mlp_norm.norm(total, rec, "mlp_norm", of="mlp_sum")


class DecoderCache:
    """What a decoder block keeps between steps: keys and values of the target so far, and of the memory."""

    def __init__(self) -> None:
        self.target = KeyValueCache()
        self.memory = KeyValueCache()


class DecoderBlock(nn.Module):
    """norm(x + self_attn(x)), norm(x + cross_attn(x, memory)), norm(x + mlp(x))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config.d_model, config.n_heads)
        self.self_attn_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.cross_attn = Attention(config.d_model, config.n_heads)
        self.cross_attn_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.mlp = FeedForward(config.d_model, config.d_ff, "relu")
        self.mlp_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.dropout = config.dropout

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None,
        memory_mask: Tensor | None,
        rec: Rec = OFF,
        cache: DecoderCache | None = None,
    ) -> Tensor:
        """x (batch tgt d_model), memory (batch src d_model) → (batch tgt d_model)."""
        axes = "batch pos d_model"
        x = rec("resid_pre", x, axes, by="x")
        attend = rec.at("self_attn", x="resid_pre", source="resid_pre", mask="mask")
        own, kept = (cache.target, cache.memory) if cache else (None, None)
        out = self.self_attn(x, mask=mask, rec=attend, causal=True, cache=own)
        total = rec("self_attn_sum", x + self._drop(out), axes, by="resid_pre + self_attn.out")
        x = self.self_attn_norm.norm(total, rec, "self_attn_norm", of="self_attn_sum")
        attend = rec.at("cross_attn", x="self_attn_norm", source="memory", mask="memory_mask", key="src")
        out = self.cross_attn(x, memory, memory_mask, attend, kept=kept)
        total = rec("cross_attn_sum", x + self._drop(out), axes, by="self_attn_norm + cross_attn.out")
        x = self.cross_attn_norm.norm(total, rec, "cross_attn_norm", of="cross_attn_sum")
        out = self.mlp(x, rec.at("mlp", x="cross_attn_norm"))
        total = rec("mlp_sum", x + self._drop(out), axes, by="cross_attn_norm + mlp.out")
        return self.mlp_norm.norm(total, rec, "mlp_norm", of="mlp_sum")


class Transformer(nn.Module):
    """Source tokens → encoder → memory; target tokens so far → decoder → scores of the next target token."""

    pos_embedding: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        if config.positions not in ("sinusoidal", "learned"):
            raise ValueError(f"positions {config.positions!r} is neither sinusoidal nor learned")
        self.config = config
        self.source_embedding = nn.Embedding(config.vocab_size, config.d_model)
        if config.target_vocab_size:
            self.target_embedding = nn.Embedding(config.target_vocab_size, config.d_model)
        table = sinusoids(config.context, config.d_model)
        if config.positions == "learned":
            self.pos_embedding = nn.Parameter(table)
        else:
            self.register_buffer("pos_embedding", table, persistent=False)
        self.encoder = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        initialise(self)
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and not name.endswith("embedding.weight") and name != "pos_embedding":
                nn.init.xavier_uniform_(weight)
            elif name.endswith("embedding.weight"):
                nn.init.normal_(weight, std=config.d_model**-0.5)

    @property
    def target(self) -> str:
        """The name of the embedding that the decoder reads and the head is tied to."""
        return "target_embedding" if self.config.target_vocab_size else "source_embedding"

    def forward(self, batch: Batch, rec: Rec = OFF) -> dict[str, Tensor]:
        """`logits` (batch tgt vocab)."""
        if batch.target_ids is None:
            raise ValueError("a Transformer needs target_ids: what the decoder has been given so far")
        memory_mask = None if batch.mask is None else batch.mask[:, None, None, :]
        target_mask = self._target_mask(batch, rec.on)
        if rec.on:
            rec.input("ids", batch.ids, "batch src")
            rec.input("target_ids", batch.target_ids, "batch tgt")
            for name, value in (("memory_mask", memory_mask), ("attention_mask", target_mask)):
                if value is not None:
                    rec.input(name, value, "batch head query key")
        memory = self.encode(batch.ids, memory_mask, rec)
        hidden = self.decode(batch.target_ids, memory, target_mask, memory_mask, rec)
        top = f"decoder.{self.config.n_layers - 1}.mlp_norm"
        logits = F.linear(hidden, getattr(self, self.target).weight)
        scope = rec.bind(pos="tgt")
        return {"logits": record_logits(logits, scope, "batch pos vocab", f"linear({top}, {self.target})")}

    def _target_mask(self, batch: Batch, recording: bool) -> Tensor | None:
        assert batch.target_ids is not None
        if not recording and batch.target_mask is None:
            return None  # the fused kernel's own causal mask
        mask = causal_mask(batch.target_ids.shape[1], batch.target_ids.shape[1], batch.ids.device)
        return mask if batch.target_mask is None else mask & batch.target_mask[:, None, None, :]

    def encode(self, ids: Tensor, mask: Tensor | None = None, rec: Rec = OFF) -> Tensor:
        """The encoder's output (batch src d_model)."""
        scope = rec.at("encoder", pos="src", query="src", key="src", ids="ids", mask="memory_mask")
        x = self._embed(ids, "source_embedding", scope, 0)
        below = "embed"
        for i, block in enumerate(self.encoder):
            x = block(x, mask, scope.at(str(i), x=below, mask="mask"))
            below = f"{i}.mlp_norm"
        return x

    def decode(
        self,
        ids: Tensor,
        memory: Tensor,
        mask: Tensor | None,
        memory_mask: Tensor | None,
        rec: Rec = OFF,
        caches: list[DecoderCache] | None = None,
    ) -> Tensor:
        """The decoder's output (batch tgt d_model)."""
        top = f"encoder.{self.config.n_layers - 1}.mlp_norm"
        names = {"ids": "target_ids", "memory": top, "mask": "attention_mask", "memory_mask": "memory_mask"}
        scope = rec.at("decoder", pos="tgt", query="tgt", key="tgt", **names)
        x = self._embed(ids, self.target, scope, caches[0].target.length if caches else 0)
        below = "embed"
        for i, block in enumerate(self.decoder):
            inner = scope.at(str(i), x=below, memory="memory", mask="mask", memory_mask="memory_mask")
            x = block(x, memory, mask, memory_mask, inner, caches[i] if caches else None)
            below = f"{i}.mlp_norm"
        return x

    def _embed(self, ids: Tensor, embedding: str, rec: Rec, start: int) -> Tensor:
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)[None]
        if rec.on:
            rec.input("positions", positions, "batch pos")
        scale = math.sqrt(self.config.d_model)
        axes = "batch pos d_model"
        by = f"embedding(ids, {embedding}) * sqrt({self.config.d_model})"
        token = rec("token_embed", getattr(self, embedding)(ids) * scale, axes, by=by)
        pos = rec("pos_embed", self.pos_embedding[positions], axes, by="embedding(positions, pos_embedding)")
        embed = rec("embed", token + pos, axes, by="token_embed + pos_embed")
        return dropout(embed, self.config.dropout, self.training)

    def caches(self) -> list[DecoderCache]:
        """Empty caches, one a block, for `next_logits`."""
        return [DecoderCache() for _block in self.decoder]

    def next_logits(
        self, ids: Tensor, memory: Tensor, caches: list[DecoderCache], memory_mask: Tensor | None = None
    ) -> Tensor:
        """Scores of the token after the target `ids` (batch tgt): (batch vocab).

        memory: what `encode` gave. caches: of the target tokens before `ids`, extended here.
        """
        start = caches[0].target.length
        new = ids.shape[1]
        mask = causal_mask(new, start + new, ids.device) if start and new > 1 else None
        hidden = self.decode(ids, memory, mask, memory_mask, caches=caches)
        return F.linear(hidden[:, -1], getattr(self, self.target).weight)

    @torch.inference_mode()
    def translate(self, batch: Batch, start: int, end: int, longest: int) -> list[Found]:
        """The target of each source: after `start`, up to `end` or `longest` tokens; as the config searches.

        The batch's sources alone are read. What is measured and what a user is given both come from here.
        """
        beams = self.config.beams
        memory_mask = None if batch.mask is None else batch.mask[:, None, None, :]
        step = DecoderSteps(self, self.encode(batch.ids, memory_mask), memory_mask)
        first = batch.ids.new_full((len(batch.ids) * beams,), start)
        return search(step, first, end, longest, beams, self.config.length_power)

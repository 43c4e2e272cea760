"""GPT: a stack of causal blocks over token and learned position embeddings; the head is the token embedding.

Two orders: LayerNorm before each part, as in GPT-2 (Radford et al. 2019), or after each sum, as in GPT-1
(Radford et al. 2018).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import GPTConfig
from nlptui.nn.attention import Attention, KeyValueCache, causal_mask
from nlptui.nn.batch import Batch
from nlptui.nn.dropout import dropout
from nlptui.nn.heads import record_logits
from nlptui.nn.layers import FeedForward, LayerNorm, Rec, initialise
from nlptui.trace import OFF


class PreNormBlock(nn.Module):
    """GPT-2's block: x + attn(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(config.d_model, eps=config.norm_eps, bias=config.bias)
        self.attn = Attention(config.d_model, config.n_heads, config.bias)
        self.norm2 = LayerNorm(config.d_model, eps=config.norm_eps, bias=config.bias)
        self.mlp = FeedForward(config.d_model, config.d_ff, config.activation, config.bias)
        self.dropout = config.dropout

    def forward(
        self, x: Tensor, mask: Tensor | None, rec: Rec = OFF, cache: KeyValueCache | None = None
    ) -> Tensor:
        """x (batch pos d_model) → the same shape."""
        x = rec("resid_pre", x, "batch pos d_model", by="x")
        norm1 = self.norm1.norm(x, rec, "norm1", of="resid_pre")
        attend = rec.at("attn", x="norm1", source="norm1", mask="mask")
        out = self.attn(norm1, mask=mask, rec=attend, causal=True, cache=cache)
        x = rec("resid_mid", x + self._drop(out), "batch pos d_model", by="resid_pre + attn.out")
        out = self.mlp(self.norm2.norm(x, rec, "norm2", of="resid_mid"), rec.at("mlp", x="norm2"))
        return rec("resid_post", x + self._drop(out), "batch pos d_model", by="resid_mid + mlp.out")

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)


class PostNormBlock(nn.Module):
    """GPT-1's block: norm(x + attn(x)), then norm(x + mlp(x))."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attn = Attention(config.d_model, config.n_heads, config.bias)
        self.attn_norm = LayerNorm(config.d_model, eps=config.norm_eps, bias=config.bias)
        self.mlp = FeedForward(config.d_model, config.d_ff, config.activation, config.bias)
        self.mlp_norm = LayerNorm(config.d_model, eps=config.norm_eps, bias=config.bias)
        self.dropout = config.dropout

    def forward(
        self, x: Tensor, mask: Tensor | None, rec: Rec = OFF, cache: KeyValueCache | None = None
    ) -> Tensor:
        """x (batch pos d_model) → the same shape."""
        x = rec("resid_pre", x, "batch pos d_model", by="x")
        attend = rec.at("attn", x="resid_pre", source="resid_pre", mask="mask")
        out = self.attn(x, mask=mask, rec=attend, causal=True, cache=cache)
        total = rec("attn_sum", x + self._drop(out), "batch pos d_model", by="resid_pre + attn.out")
        x = self.attn_norm.norm(total, rec, "attn_norm", of="attn_sum")
        out = self.mlp(x, rec.at("mlp", x="attn_norm"))
        total = rec("mlp_sum", x + self._drop(out), "batch pos d_model", by="attn_norm + mlp.out")
        return self.mlp_norm.norm(total, rec, "mlp_norm", of="mlp_sum")

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)


class GPT(nn.Module):
    """Tokens → a causal stack → scores of the next token at every position."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        if config.norm_order not in ("pre", "post"):
            raise ValueError(f"norm_order {config.norm_order!r} is neither pre nor post")
        if config.activation not in ("gelu", "gelu_tanh"):
            raise ValueError(f"activation {config.activation!r} is neither gelu nor gelu_tanh")
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.pos_embedding = nn.Embedding(config.context, config.d_model)
        block = PreNormBlock if config.norm_order == "pre" else PostNormBlock
        self.blocks = nn.ModuleList(block(config) for _ in range(config.n_layers))
        if config.norm_order == "pre":
            self.norm_final = LayerNorm(config.d_model, eps=config.norm_eps, bias=config.bias)
        initialise(self)
        for name, weight in self.named_parameters():
            if name.endswith(("attn.wo.weight", "mlp.down.weight")):
                nn.init.normal_(weight, std=0.02 / (2 * config.n_layers) ** 0.5)

    def forward(self, batch: Batch, rec: Rec = OFF) -> dict[str, Tensor]:
        """`logits` (batch pos vocab)."""
        hidden = self.hidden(batch, rec)
        by = f"linear({self._top}, token_embedding)"
        return {
            "logits": record_logits(F.linear(hidden, self.token_embedding.weight), rec, "batch pos vocab", by)
        }

    @property
    def _top(self) -> str:
        """The recorded name of what the head reads."""
        if self.config.norm_order == "pre":
            return "norm_final"
        return f"blocks.{self.config.n_layers - 1}.mlp_norm" if self.config.n_layers else "embed"

    def hidden(self, batch: Batch, rec: Rec = OFF, caches: list[KeyValueCache] | None = None) -> Tensor:
        """The final hidden states (batch pos d_model)."""
        start = caches[0].length if caches else 0
        mask = self._mask(batch, rec.on, start)
        x = self._embed(batch, rec, start, mask)
        below = "embed"
        out = "resid_post" if self.config.norm_order == "pre" else "mlp_norm"
        for i, block in enumerate(self.blocks):
            x = block(
                x, mask, rec.at(f"blocks.{i}", x=below, mask="attention_mask"), caches[i] if caches else None
            )
            below = f"blocks.{i}.{out}"
        return self.norm_final.norm(x, rec, "norm_final", of=below) if self.config.norm_order == "pre" else x

    def _mask(self, batch: Batch, recording: bool, start: int) -> Tensor | None:
        length = batch.ids.shape[1]
        if not recording and batch.mask is None and start == 0:
            return None  # the fused kernel's own causal mask
        mask = causal_mask(length, start + length, batch.ids.device)
        return mask if batch.mask is None else mask & batch.mask[:, None, None, :]

    def _embed(self, batch: Batch, rec: Rec, start: int, mask: Tensor | None) -> Tensor:
        positions = torch.arange(start, start + batch.ids.shape[1], device=batch.ids.device)[None]
        if rec.on:
            rec.input("ids", batch.ids, "batch pos")
            rec.input("positions", positions, "batch pos")
            if mask is not None:
                rec.input("attention_mask", mask, "batch head query key")
        axes = "batch pos d_model"
        by = "embedding(ids, token_embedding)"
        token = rec("token_embed", self.token_embedding(batch.ids), axes, by=by)
        by = "embedding(positions, pos_embedding)"
        pos = rec("pos_embed", self.pos_embedding(positions), axes, by=by)
        embed = rec("embed", token + pos, axes, by="token_embed + pos_embed")
        return dropout(embed, self.config.dropout, self.training)

    def next_logits(
        self, ids: Tensor, memory: list[KeyValueCache] | None = None
    ) -> tuple[Tensor, list[KeyValueCache]]:
        """Scores of the token after `ids` (batch pos), and the memory from which further ids alone go on."""
        caches = memory if memory is not None else [KeyValueCache() for _ in self.blocks]
        hidden = self.hidden(Batch(ids), caches=caches)
        return F.linear(hidden[:, -1], self.token_embedding.weight), caches

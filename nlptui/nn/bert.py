"""BERT: a post-LN encoder over the sum of token, position and segment embeddings (Devlin et al. 2019).

Its heads follow the task: MLM and NSP, a label a token, a label a sequence, a span.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nlptui.config import BertConfig
from nlptui.nn.attention import Attention
from nlptui.nn.batch import Batch
from nlptui.nn.dropout import dropout
from nlptui.nn.heads import LabelHead, MaskedLMHead, SpanHead
from nlptui.nn.layers import FeedForward, LayerNorm, Rec, initialise
from nlptui.nn.pooling import Pooler
from nlptui.trace import OFF


class EncoderBlock(nn.Module):
    """BERT's block: norm(x + attn(x)), then norm(x + mlp(x))."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attn = Attention(config.d_model, config.n_heads)
        self.attn_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.mlp = FeedForward(config.d_model, config.d_ff, "gelu")
        self.mlp_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.dropout = config.dropout

    def forward(self, x: Tensor, mask: Tensor | None, rec: Rec = OFF) -> Tensor:
        """x (batch pos d_model) → the same shape; mask (batch 1 1 key)."""
        x = rec("resid_pre", x, "batch pos d_model", by="x")
        attended = self.attn(x, mask=mask, rec=rec.at("attn", x="resid_pre", source="resid_pre", mask="mask"))
        total = rec("attn_sum", x + self._drop(attended), "batch pos d_model", by="resid_pre + attn.out")
        x = self.attn_norm.norm(total, rec, "attn_norm", of="attn_sum")
        fed = self.mlp(x, rec.at("mlp", x="attn_norm"))
        total = rec("mlp_sum", x + self._drop(fed), "batch pos d_model", by="attn_norm + mlp.out")
        return self.mlp_norm.norm(total, rec, "mlp_norm", of="mlp_sum")

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)


class Bert(nn.Module):
    """Tokens → encoder → heads by the task."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.pos_embedding = nn.Embedding(config.context, config.d_model)
        self.segment_embedding = nn.Embedding(config.n_segments, config.d_model)
        self.embed_norm = LayerNorm(config.d_model, eps=config.norm_eps)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.pooling = config.pooling
        """The pooler in use, which may be changed to another of the config's `poolings`."""
        if config.poolings:
            self.poolers = nn.ModuleDict({name: Pooler(name, config.d_model) for name in config.poolings})
            self.heads = nn.ModuleDict(
                {name: LabelHead(config.d_model, len(config.labels)) for name in config.poolings}
            )
        elif config.task in ("pretraining", "classification"):
            self.pooler = Pooler(config.pooling, config.d_model)
        if config.task == "pretraining":
            self.mlm = MaskedLMHead(config.d_model, config.vocab_size, config.norm_eps)
            self.nsp = LabelHead(config.d_model, 2)
        elif config.task == "question_answering":
            self.span = SpanHead(config.d_model)
        elif not config.poolings:
            self.head = LabelHead(config.d_model, len(config.labels))
        initialise(self)

    def forward(self, batch: Batch, rec: Rec = OFF) -> dict[str, Tensor]:
        """`mlm.logits` and `nsp.logits`; or `logits`; or `start.logits` and `end.logits`.

        With `batch.mlm_positions`, `mlm.logits` holds those positions only: (n vocab). With several poolers,
        `logits` are those of the one in use; where nothing is recorded, `cls.logits` and so on are there too.
        """
        taught = self.training and bool(self.config.deep_supervision)
        lower: list[Tensor] | None = [] if taught else None
        hidden = self.encode(batch, rec, lower)
        task, top = self.config.task, self._top
        if task == "question_answering":
            found: dict[str, Tensor] = self.span(hidden, rec.bind(x=top, span="span"))
            return found | self._early_spans(lower or [])
        if task == "tagging":
            hidden = dropout(hidden, self.config.dropout, self.training)
            return {"logits": self.head.logits(hidden, rec.bind(x=top))}
        if self.config.poolings:
            return self._pool_each(hidden, batch.mask, rec)
        pooled = self.pooler(hidden, batch.mask, rec.at("pooler", x=top, mask="mask"))
        pooled = dropout(pooled, self.config.dropout, self.training)
        if task == "classification":
            return {"logits": self.head.logits(pooled, rec.bind(x="pooler.pooled"))}
        if batch.mlm_positions is not None and not rec.on:
            hidden = hidden.flatten(0, 1)[batch.mlm_positions]
        mlm = self.mlm(
            hidden, self.token_embedding.weight, rec.at("mlm", x=top, embedding="token_embedding.weight")
        )
        nsp = self.nsp.logits(
            pooled, rec.at("nsp", x="pooler.pooled", nsp="nsp", label="nsp_label"), module="nsp"
        )
        return {"mlm.logits": mlm, "nsp.logits": nsp}

    def _early_spans(self, lower: list[Tensor]) -> dict[str, Tensor]:
        """`early.{i}.start.logits` and so on: what the head says after each block in `lower`."""
        spans = [self.span(hidden) for hidden in lower]
        return {f"early.{i}.{name}": value for i, span in enumerate(spans) for name, value in span.items()}

    def _pool_each(self, hidden: Tensor, mask: Tensor | None, rec: Rec) -> dict[str, Tensor]:
        """`logits` of the pooler in use, and each pooler's own; on record, only of the one in use."""
        outputs: dict[str, Tensor] = {}
        for name in (self.pooling,) if rec.on else self.config.poolings:
            scope = rec.at(f"poolers.{name}", x=self._top, mask="mask")
            pooled = self.poolers[name](hidden, mask, scope)
            pooled = dropout(pooled, self.config.dropout, self.training)
            scope = rec.bind(x=f"poolers.{name}.pooled")
            outputs[f"{name}.logits"] = self.heads[name].logits(pooled, scope, module=f"heads.{name}")  # type: ignore[operator]
        return {"logits": outputs[f"{self.pooling}.logits"], **(outputs if not rec.on else {})}

    @property
    def _top(self) -> str:
        """The recorded name of what the heads read."""
        return f"blocks.{self.config.n_layers - 1}.mlp_norm" if self.config.n_layers else "embed_norm"

    def encode(self, batch: Batch, rec: Rec = OFF, lower: list[Tensor] | None = None) -> Tensor:
        """The last block's output (batch pos d_model); those of the blocks below it go to `lower`."""
        mask = None if batch.mask is None else batch.mask[:, None, None, :]
        if rec.on and batch.mask is not None and mask is not None:
            rec.input("mask", batch.mask, "batch pos")
            rec.input("attention_mask", mask, "batch head query key")
        x = self._embed(batch, rec)
        below = "embed_norm"
        for i, block in enumerate(self.blocks):
            if i and lower is not None:
                lower.append(x)
            x = block(x, mask, rec.at(f"blocks.{i}", x=below, mask="attention_mask"))
            below = f"blocks.{i}.mlp_norm"
        return x

    def _embed(self, batch: Batch, rec: Rec) -> Tensor:
        positions = torch.arange(batch.ids.shape[1], device=batch.ids.device)[None]
        segments = torch.zeros_like(batch.ids) if batch.segments is None else batch.segments
        if rec.on:
            for name, value in (("ids", batch.ids), ("positions", positions), ("segments", segments)):
                rec.input(name, value, "batch pos")
        axes = "batch pos d_model"
        by = "embedding(ids, token_embedding)"
        token = rec("token_embed", self.token_embedding(batch.ids), axes, by=by)
        by = "embedding(positions, pos_embedding)"
        pos = rec("pos_embed", self.pos_embedding(positions), axes, by=by)
        by = "embedding(segments, segment_embedding)"
        segment = rec("segment_embed", self.segment_embedding(segments), axes, by=by)
        embed = rec("embed", token + pos + segment, axes, by="token_embed + pos_embed + segment_embed")
        normed = self.embed_norm.norm(embed, rec, "embed_norm", of="embed")
        return dropout(normed, self.config.dropout, self.training)

"""A recurrent network from tokens to output: embeddings, character features, stacked layers, a head.

Knows nothing of text: ids come in, logits go out. Source of the character features: Ma & Hovy 2016.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nlptui.config import RecurrentConfig
from nlptui.nn.batch import Batch
from nlptui.nn.crf import CRF
from nlptui.nn.dropout import dropout
from nlptui.nn.heads import LabelHead, record_logits
from nlptui.nn.layers import Rec
from nlptui.nn.pooling import Pooler
from nlptui.nn.recurrent import CELLS, LSTM
from nlptui.trace import OFF


class CharacterFeatures(nn.Module):
    """A vector for each token from its characters: embed, convolve, take the greatest of each filter."""

    def __init__(self, n_chars: int, d_char: int, d_feature: int, kernel: int) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"char_kernel must be odd, not {kernel}")
        self.embedding = nn.Embedding(n_chars, d_char, padding_idx=0)
        self.conv = nn.Conv1d(d_char, d_feature, kernel, padding=kernel // 2)

    def forward(self, chars: Tensor, rec: Rec = OFF) -> Tensor:
        """chars (batch pos char) → (batch pos d_feature)."""
        by = "embedding(chars, char.embedding)"
        embed = rec("char_embed", self.embedding(chars), "batch pos char d_char", by=by)
        conv = self.conv(embed.flatten(0, 1).transpose(1, 2)).transpose(1, 2).unflatten(0, chars.shape[:2])
        conv = rec("char_conv", conv, "batch pos char d_char", by="conv(char_embed, char.conv)")
        top = conv.masked_fill((chars == 0)[..., None], -torch.inf).amax(2)
        top = top.masked_fill((chars == 0).all(-1, keepdim=True), 0.0)
        return rec("char_feature", top, "batch pos d_char", by="max_char(char_conv, chars)")


class RecurrentModel(nn.Module):
    """Tokens → embeddings → RNN, LSTM or GRU → a label a token, a label a sequence, or the next token."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_embed)
        width = config.d_embed
        if config.n_chars:
            self.char = CharacterFeatures(
                config.n_chars, config.d_char, config.d_char_feature, config.char_kernel
            )
            width += config.d_char_feature
        between = config.dropout if config.n_layers > 1 else 0.0
        self.layers = CELLS[config.arch](
            width,
            config.d_hidden,
            config.n_layers,
            batch_first=True,
            bidirectional=config.bidirectional,
            dropout=between,
        )
        if config.forget_bias:
            if not isinstance(self.layers, LSTM):
                raise ValueError(f"forget_bias is for an lstm; a {config.arch} has no forget gate")
            self.layers.start_forget_gate(config.forget_bias)
        width = config.d_hidden * (2 if config.bidirectional else 1)
        if config.task == "classification":
            self.pooler = Pooler(config.pooling, width)
        self.head = LabelHead(width, len(config.labels) or config.vocab_size)
        if config.crf:
            self.crf = CRF(config.labels)
        nn.init.normal_(self.token_embedding.weight, std=config.embed_std)

    def forward(self, batch: Batch, rec: Rec = OFF) -> dict[str, Tensor]:
        """`logits`: (batch pos label), (batch label) or (batch pos vocab), by the task.

        With a CRF: `emission`, its `path` and `probs`; in training its `loss` in place of both (batch).
        """
        if rec.on:
            rec.input("ids", batch.ids, "batch pos")
            if batch.chars is not None:
                rec.input("chars", batch.chars, "batch pos char")
            if batch.mask is not None:
                rec.input("mask", batch.mask, "batch pos")
                rec.input(
                    "keep", batch.mask[..., None].to(self.token_embedding.weight.dtype), "batch pos stat"
                )
        hidden, _state = self.encode(batch, rec)
        if self.config.crf:
            return self._tagged_together(hidden, batch, rec)
        return {"logits": self._output(hidden, batch.mask, rec)}

    def _tagged_together(self, hidden: Tensor, batch: Batch, rec: Rec) -> dict[str, Tensor]:
        by = f"linear(layers.{self.config.n_layers - 1}.hidden, head)"
        emission = rec("emission", self.head(hidden), "batch pos tag", by=by)
        if self.training and batch.labels is not None:
            return {"emission": emission, "loss": self.crf.loss(emission, batch.labels, batch.mask)}
        return {"emission": emission, **self.crf.decode(emission, batch.mask, rec)}

    def encode(self, batch: Batch, rec: Rec = OFF, state: Any = None) -> tuple[Tensor, Any]:
        """The top layer's hidden states, and the state to go on from."""
        embed = self._embed(batch, rec)
        hidden, state = self.layers.run(embed, rec.at("layers", x="embed", keep="keep"), batch.mask, state)
        return dropout(hidden, self.config.dropout, self.training), state

    def _embed(self, batch: Batch, rec: Rec) -> Tensor:
        by = "embedding(ids, token_embedding)"
        embed = rec("token_embed", self.token_embedding(batch.ids), "batch pos d_model", by=by)
        by = "token_embed"
        if self.config.n_chars:
            if batch.chars is None:
                raise ValueError("this model reads characters: the batch needs chars")
            embed = torch.cat([embed, self.char(batch.chars, rec)], -1)
            by = "concat(token_embed, char_feature)"
        embed = rec("embed", embed, "batch pos d_model", by=by)
        return dropout(embed, self.config.dropout, self.training)

    def _output(self, hidden: Tensor, mask: Tensor | None, rec: Rec) -> Tensor:
        top = f"layers.{self.config.n_layers - 1}.hidden"
        if self.config.task == "classification":
            pooled = self.pooler(hidden, mask, rec.at("pooler", x=top, mask="mask"))
            return self.head.logits(pooled, rec.bind(x="pooler.pooled"))
        if self.config.task == "language_model":
            return record_logits(self.head(hidden), rec, "batch pos vocab", by=f"linear({top}, head)")
        return self.head.logits(hidden, rec.bind(x=top))

    def next_logits(self, ids: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """Scores of the token after `ids` (batch pos), and the memory from which further ids alone go on."""
        hidden, memory = self.encode(Batch(ids), state=memory)
        return self.head(hidden[:, -1]), memory

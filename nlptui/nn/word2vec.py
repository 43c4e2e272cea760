"""Skip-gram: a word's vector is what tells the words around it from noise.

Two tables, and no layer between them. Each word has one vector as the centre and one as the context of
others; the centre vectors are what people call word2vec. Knows nothing of windows, noise or texts.
Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlptui.config import Word2VecConfig
from nlptui.nn.batch import Batch
from nlptui.nn.heads import record_logits
from nlptui.nn.layers import Rec
from nlptui.trace import OFF


class SkipGram(nn.Module):
    """Score of word w in the company of word c: the dot product of two rows.

        v = token_embedding[c],   u_w = context_embedding[w],   logit_w = u_w · v

    Training makes σ(u_w · v) the probability that w was met beside c, and not drawn from the noise. Where it
    ends, u_w · v = log P(w | c) − log (k P_noise(w)), with k noise words a pair (Levy & Goldberg 2014): how
    much more often than by chance the two meet.

    `probs` is the softmax of that over the vocabulary: whom c draws to itself, beyond what is frequent
    anyway. It is not the chance that w stands beside c, for which every score would need log P_noise(w)
    added.
    """

    def __init__(self, config: Word2VecConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_embed)
        self.context_embedding = nn.Embedding(config.vocab_size, config.d_embed)
        # As in Mikolov's own program: small centres, contexts of zero.
        nn.init.uniform_(self.token_embedding.weight, -0.5 / config.d_embed, 0.5 / config.d_embed)
        nn.init.zeros_(self.context_embedding.weight)

    def forward(self, batch: Batch, rec: Rec = OFF) -> dict[str, Tensor]:
        """`logits` (batch pos vocab); where the batch names contexts and noise, of these: context first."""
        if batch.contexts is not None and batch.noise is not None:
            return {"logits": self.scores(batch.ids, batch.contexts, batch.noise)}
        if rec.on:
            rec.input("ids", batch.ids, "batch pos")
        by = "embedding(ids, token_embedding)"
        centre = rec("token_embed", self.token_embedding(batch.ids), "batch pos d_model", by=by)
        logits = F.linear(centre, self.context_embedding.weight)
        by = "linear(token_embed, context_embedding)"
        return {"logits": record_logits(logits, rec, "batch pos vocab", by=by)}

    def scores(self, ids: Tensor, contexts: Tensor, noise: Tensor) -> Tensor:
        """u_w · v (batch pos 1+noise) for centres and contexts (batch pos), and each row's noise words."""
        v = self.token_embedding(ids)
        met = (v * self.context_embedding(contexts)).sum(-1, keepdim=True)
        return torch.cat([met, v @ self.context_embedding(noise).transpose(1, 2)], -1)

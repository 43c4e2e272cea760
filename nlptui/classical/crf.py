"""A linear-chain conditional random field over readable features that are read as strings.

    p(tags | words) = exp s(tags) / Σ exp s,   s(y) = Σ_t Σ_f weight(f, y_t) + Σ_t transition(y_{t−1}, y_t)

with f the features of the word at t (`features`), and scores for the first and the last tag. What trains
it is `crf_training`; `crfsuite` reads the models of that program. Knows nothing of text: words come in.
Source: Lafferty, McCallum & Pereira 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlptui.classical.features import check_templates, features_of
from nlptui.classical.lattice import AXES, Lattice, Rec, forward_backward, viterbi
from nlptui.classical.lists import read_list, write_list
from nlptui.classical.schemes import allowed
from nlptui.classical.table import SparseTable
from nlptui.config import CRFConfig
from nlptui.trace import OFF

FEATURES_FILE = "features.txt"
NONE = ""
"""The feature number 0: of a template that finds nothing, or what training has no weight for."""


class ChainCRF(nn.Module):
    """Weights of features and of tags after tags."""

    may_follow: Tensor
    may_start: Tensor
    may_end: Tensor

    def __init__(self, config: CRFConfig, features: Sequence[str] = (NONE,)) -> None:
        super().__init__()
        check_templates(config.features)
        self.config = config
        self.features = tuple(features)
        """`template=value`, in the order of the rows of `state`."""
        self._feature_ids = {name: number for number, name in enumerate(self.features)}
        tags = len(config.labels)
        self.state = SparseTable(len(self.features), tags, config.entries)
        self.transition_weight = nn.Parameter(torch.zeros(tags, tags), requires_grad=False)
        self.start_weight = nn.Parameter(torch.zeros(tags), requires_grad=False)
        self.end_weight = nn.Parameter(torch.zeros(tags), requires_grad=False)
        rules = allowed(config.labels)
        self.register_buffer("may_follow", rules.pairs, persistent=False)
        self.register_buffer("may_start", rules.start, persistent=False)
        self.register_buffer("may_end", rules.end, persistent=False)
        self.register_load_state_dict_post_hook(_derive)  # type: ignore[no-untyped-call]

    def derive(self) -> None:
        """Unpack the weights of features."""
        self.state.unpack()

    def forward(self, batch: Any, rec: Rec = OFF) -> dict[str, Tensor]:
        """`emission`, `path` and `probs` (posteriors) of a batch with `words` and perhaps a `mask`."""
        features = self._features_of(batch)
        if rec.on:
            rec.input("features", features, "batch pos feature")
            if batch.mask is not None:
                rec.input("mask", batch.mask, "batch pos")
                rec.input("keep", batch.mask[..., None].double(), "batch pos stat")
        lattice = self.lattice(features, batch.mask, rec)
        probs = forward_backward(lattice, rec, torch.float32).probs
        return {"emission": lattice.emission, "probs": probs, "path": viterbi(lattice, rec).path}

    def numbers(self, words: Sequence[str]) -> list[list[int]]:
        """The number of each feature of each word, one a template; 0 where it has no weight."""
        ids, names = self._feature_ids, self.config.features
        return [
            [ids.get(feature, 0) if feature else 0 for feature in row] for row in features_of(words, names)
        ]

    def _features_of(self, batch: Any) -> Tensor:
        rows = [self.numbers(words) for words in batch.words]
        length = max(map(len, rows), default=0)
        width = max((len(places) for row in rows for places in row), default=1)
        grid = torch.zeros(len(rows), length, width, dtype=torch.int64)
        for i, row in enumerate(rows):
            for t, places in enumerate(row):
                grid[i, t, : len(places)] = torch.tensor(places, dtype=torch.int64)
        return grid.to(self.transition_weight.device)

    def lattice(self, features: Tensor, mask: Tensor | None, rec: Rec = OFF) -> Lattice:
        """The scores: of each word's tag the sum of the weights of its features."""
        weights = self.state.weight[features].double()
        axes, by = "batch pos feature tag", "embedding(features, state)"
        weights = rec("weights", weights, axes, by=by)
        emission = rec("emission", weights.sum(2), AXES, by="sum(swap(weights))")
        moves = self.transition_weight.double().masked_fill(~self.may_follow, -torch.inf)[None]
        by = "mask(transition_weight, may_follow)"
        transition = rec("transition", moves, "batch tag tag_next", by=by)
        first = self.start_weight.double().masked_fill(~self.may_start, -torch.inf)[None]
        start = rec("transition.start", first, "batch tag", by="mask(start_weight, may_start)")
        last = self.end_weight.double().masked_fill(~self.may_end, -torch.inf)[None]
        end = rec("transition.end", last, "batch tag", by="mask(end_weight, may_end)")
        return Lattice(emission, transition, start, end, mask)

    # Files.

    def write_lists(self, folder: Path) -> None:
        """The features, beside their weights."""
        write_list(folder / FEATURES_FILE, self.features)

    @classmethod
    def read(cls, config: CRFConfig, folder: Path) -> ChainCRF:
        """An empty model, its tables as large as those in `folder`."""
        return cls(config, read_list(folder / FEATURES_FILE, config.n_features))


def _derive(model: ChainCRF, _keys: Any) -> None:
    model.derive()

"""A hidden Markov model: tags follow each other, and each tag utters its word; all of it counted.

    P(words, tags) = P(y₀) Π_t P(y_t | y_{t−1}) · P(end | y_last) · Π_t P(w_t | y_t)

Tags after tags are smoothed by adding k (Lidstone) where the scheme of the labels allows them. Words are
smoothed after Witten & Bell 1991: a tag that has uttered many different words will utter new ones,

    P(w | t) = (c(w, t) + novel(t) · q(w | t)) / (N(t) + novel(t))
    q(w | t) = (h(class of w, t) + k) / (Σ h(·, t) + k·C) / words in the class

with c the counts of words, N their sum, novel(t) the different words of t (and all its words that are
outside the vocabulary), and h the rare words of each class: their shape and the longest suffix that is
frequent enough (Brants 2000, "TnT"). The alternative is smoothing = "add_k": novel(t) is then k times the
vocabulary.

Knows nothing of text: word ids and words come in. Source: Rabiner 1989.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlptui.classical.features import word_class
from nlptui.classical.lattice import AXES, Lattice, Rec, forward_backward, viterbi
from nlptui.classical.lists import read_list, write_list
from nlptui.classical.schemes import allowed
from nlptui.classical.table import SparseTable
from nlptui.config import HMMConfig
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.trace import OFF

CLASSES_FILE = "classes.txt"
SMOOTHINGS = ("witten_bell", "add_k")
Sentences = Sequence[tuple[Sequence[int], Sequence[str], Sequence[int]]]
"""Of each sentence the ids of its words, the words, and the numbers of their tags (negative: not known)."""


class HMM(nn.Module):
    """The counts, and what follows from them. `derive` makes the second of the first."""

    transition_count: Tensor
    start_count: Tensor
    end_count: Tensor
    outside: Tensor
    class_count: Tensor
    class_words: Tensor
    word_total: Tensor
    novel: Tensor
    class_total: Tensor
    leaving: Tensor
    starting: Tensor
    may_follow: Tensor
    may_start: Tensor
    may_end: Tensor
    unread = ("outside",)
    """Counts that `derive` alone reads, and no run."""

    def __init__(self, config: HMMConfig, classes: Sequence[str] = ("",)) -> None:
        super().__init__()
        if config.smoothing not in SMOOTHINGS:
            raise UserError(
                _("smoothing {name!r} is unknown: choose one of {known}").format(
                    name=visible(config.smoothing), known=", ".join(SMOOTHINGS)
                )
            )
        self.config = config
        self.classes = tuple(classes)
        """Of unknown words: `shape suffix`; the first is of words that fit no other."""
        self._class_ids = {name: number for number, name in enumerate(self.classes)}
        tags = len(config.labels)
        self.word_count = SparseTable(config.vocab_size, tags, config.entries, torch.int32)
        for name, shape in _COUNTS.items():
            size = {"tag": tags, "class": len(self.classes), "one": 1}
            zeros = torch.zeros([size[axis] for axis in shape], dtype=torch.int32)
            self.register_parameter(name, nn.Parameter(zeros, requires_grad=False))
        rules = allowed(config.labels)
        self.register_buffer("may_follow", rules.pairs, persistent=False)
        self.register_buffer("may_start", rules.start, persistent=False)
        self.register_buffer("may_end", rules.end, persistent=False)
        for name in ("word_total", "novel", "class_total", "leaving", "starting"):
            self.register_buffer(name, torch.zeros(1), persistent=False)
        self.register_load_state_dict_post_hook(_derive)  # type: ignore[no-untyped-call]

    def derive(self) -> None:
        """Sums of the counts, which the smoothed estimates divide by."""
        k, counts = self.config.add_k, self.word_count
        counts.unpack()
        self.word_total = counts.weight.double().sum(0)
        if self.config.smoothing == "witten_bell":
            # At least 1, so that a tag that was never seen can utter something.
            self.novel = ((counts.weight > 0).sum(0) + self.outside.double()).clamp(min=1)
        else:
            self.novel = torch.full_like(self.word_total, k * self.config.vocab_size)
        self.class_total = self.class_count.double().sum(0) + k * len(self.classes)
        ends = self.end_count.double() + k * self.may_end
        self.leaving = (self.transition_count.double() + k * self.may_follow).sum(1) + ends
        self.leaving = self.leaving[:, None]
        self.starting = (self.start_count.double() + k * self.may_start).sum()[None]

    def class_of(self, word: str) -> int:
        """The number of the class of `word`: that of its shape and its longest suffix that has one."""
        for suffix in range(self.config.suffix, -1, -1):
            found = self._class_ids.get(word_class(word, suffix))
            if found is not None:
                return found
        return 0

    def forward(self, batch: Any, rec: Rec = OFF) -> dict[str, Tensor]:
        """`emission`, `path` and `probs` (posteriors) of a batch with `ids`, `words` and perhaps a `mask`."""
        classes = self._classes_of(batch)
        if rec.on:
            rec.input("ids", batch.ids, "batch pos")
            rec.input("classes", classes, "batch pos")
            if batch.mask is not None:
                rec.input("mask", batch.mask, "batch pos")
                rec.input("keep", batch.mask[..., None].double(), "batch pos stat")
        lattice = self.lattice(batch.ids, classes, batch.mask, rec)
        probs = forward_backward(lattice, rec, torch.float32).probs
        return {"emission": lattice.emission, "probs": probs, "path": viterbi(lattice, rec).path}

    def _classes_of(self, batch: Any) -> Tensor:
        rows = [[self.class_of(word) for word in words] for words in batch.words]
        width = batch.ids.shape[1]
        padded = [row + [0] * (width - len(row)) for row in rows]
        return torch.tensor(padded, device=batch.ids.device).reshape(batch.ids.shape)

    def lattice(self, ids: Tensor, classes: Tensor, mask: Tensor | None, rec: Rec = OFF) -> Lattice:
        """The logarithms of the smoothed estimates, recorded with the counts that they are made of."""
        k = self.config.add_k
        emission = self._emission(ids, classes, rec)
        by = f"log((transition_count + {k} * may_follow) / leaving)"
        pairs = (self.transition_count.double() + k * self.may_follow) / self.leaving
        transition = rec("transition", pairs.log()[None], "batch tag tag_next", by=by)
        start = (self.start_count.double() + k * self.may_start) / self.starting
        by = f"log((start_count + {k} * may_start) / starting)"
        start = rec("transition.start", start.log()[None], "batch tag", by=by)
        end = (self.end_count.double() + k * self.may_end) / self.leaving[:, 0]
        by = f"log((end_count + {k} * may_end) / column(leaving, 0))"
        end = rec("transition.end", end.log()[None], "batch tag", by=by)
        return Lattice(emission, transition, start, end, mask)

    def _emission(self, ids: Tensor, classes: Tensor, rec: Rec) -> Tensor:
        k = self.config.add_k
        count = self.word_count.weight[ids].double()
        count = rec("count", count, AXES, by="embedding(ids, word_count)")
        rare = self.class_count[classes].double()
        rare = rec("class.count", rare, AXES, by="embedding(classes, class_count)")
        unseen = (rare + k) / self.class_total / self.class_words[classes].double()
        by = f"(class.count + {k}) / class_total / embedding(classes, class_words)"
        unseen = rec("unseen", unseen, AXES, by=by)
        estimate = (count + self.novel * unseen) / (self.word_total + self.novel)
        estimate = rec("estimate", estimate, AXES, by="(count + novel * unseen) / (word_total + novel)")
        return rec("emission", estimate.log(), AXES, by="log(estimate)")

    # Counting.

    @classmethod
    def counted(cls, config: HMMConfig, sentences: Sentences, unknown: int) -> tuple[HMM, HMMConfig]:
        """The model of tagged sentences, and its config with the sizes of its tables."""
        seen: dict[str, Counter[int]] = {}
        for _ids, words, tags in sentences:
            for word, tag in zip(words, tags, strict=True):
                if tag >= 0:
                    seen.setdefault(word, Counter())[tag] += 1
        classes, class_count, class_words = _rare_classes(config, seen)
        counts = torch.zeros(config.vocab_size, len(config.labels), dtype=torch.int64)
        made = _blank_counts(len(config.labels), len(classes))
        for ids, _words, tags in sentences:
            for number, tag in zip(ids, tags, strict=True):
                if tag >= 0 and number == unknown:
                    made["outside"][tag] += 1
                elif tag >= 0:
                    counts[number, tag] += 1
            if not tags or tags[0] < 0 or tags[-1] < 0:
                continue
            made["start_count"][tags[0]] += 1
            made["end_count"][tags[-1]] += 1
            for one, after in zip(tags, tags[1:], strict=False):
                if one >= 0 and after >= 0:
                    made["transition_count"][one, after] += 1
        table = SparseTable.of(counts.float(), torch.int32)
        config = _sized(config, len(table.values), len(classes))
        model = cls(config, classes)
        model.word_count = table
        made |= {"class_count": class_count, "class_words": class_words}
        for name, value in made.items():
            setattr(model, name, nn.Parameter(value.to(torch.int32), requires_grad=False))
        model.derive()
        return model, config

    # Files.

    def write_lists(self, folder: Path) -> None:
        """The names of the classes, beside the tables."""
        write_list(folder / CLASSES_FILE, self.classes)

    @classmethod
    def read(cls, config: HMMConfig, folder: Path) -> HMM:
        """An empty model, its tables as large as those in `folder`."""
        return cls(config, read_list(folder / CLASSES_FILE, config.n_classes))


def _derive(model: HMM, _keys: Any) -> None:
    model.derive()


_COUNTS = {
    "transition_count": ("tag", "tag"),
    "start_count": ("tag",),
    "end_count": ("tag",),
    "outside": ("tag",),
    "class_count": ("class", "tag"),
    "class_words": ("class", "one"),
}
"""The tables that are kept, beside those of the words, and what their axes are."""


def _blank_counts(tags: int, classes: int) -> dict[str, Tensor]:
    size = {"tag": tags, "class": classes, "one": 1}
    return {name: torch.zeros([size[axis] for axis in axes]) for name, axes in _COUNTS.items()}


def _sized(config: HMMConfig, entries: int, classes: int) -> HMMConfig:
    return replace(config, entries=entries, n_classes=classes)


def _rare_classes(config: HMMConfig, seen: dict[str, Counter[int]]) -> tuple[tuple[str, ...], Tensor, Tensor]:
    """The classes of rare words, how many of each class have each tag, and how many words each class has."""
    rare = {word: tags for word, tags in seen.items() if tags.total() <= config.rare}
    sizes: Counter[str] = Counter(
        name for word in rare for name in {word_class(word, suffix) for suffix in range(config.suffix + 1)}
    )
    names = sorted(name for name, size in sizes.items() if size >= config.class_words or name.endswith(" "))
    classes = ("", *names)
    known = {name: number for number, name in enumerate(classes)}
    count = torch.zeros(len(classes), len(config.labels))
    words = torch.ones(len(classes), 1)
    for word, tags in rare.items():
        found = (known.get(word_class(word, suffix)) for suffix in range(config.suffix, -1, -1))
        number = next((place for place in found if place is not None), 0)
        words[number] += 1
        for tag in tags:
            count[number, tag] += 1
    return classes, count, words

"""A sentence from another: the decoder is given the target's tokens so far and predicts the next one.

The target begins with the tokenizer's bos and ends with its eos. The loss is teacher-forced; BLEU and chrF
are of what the network's own search writes, as a user gets it, against all references of a source.
Sources: Papineni et al. 2002 (BLEU); Popović 2015 (chrF); Post 2018 (sacrebleu).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from torch import Tensor, nn

from nlptui.config import ModelConfig
from nlptui.data import splits
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn.batch import Batch
from nlptui.tasks.base import (
    ALONE,
    IGNORED,
    Asked,
    Ids,
    Outputs,
    Targets,
    Task,
    evaluating,
    id_array,
    pad_rows,
    padding_mask,
    top_tokens,
)
from nlptui.tasks.next_token import loss_and_perplexity, mean_loss, summed_loss, unigram
from nlptui.tokenizers import Encoding, Tokenizer


@dataclass(frozen=True, slots=True, eq=False)
class TranslationExample:
    """A source, and its target from bos to eos; both also as they were written."""

    source: Ids
    target: Ids
    text: str
    reference: str


class Translation(Task[TranslationExample]):
    """Sequence to sequence."""

    name = "translation"

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        missing = [name for name in ("bos", "eos") if name not in tokenizer.specials]
        if missing:
            raise UserError(
                _(
                    "translation needs a tokenizer with the special tokens bos and eos; {missing} missing"
                ).format(missing=", ".join(missing))
            )
        self.bos, self.eos = tokenizer.specials["bos"], tokenizer.specials["eos"]

    def load(self, recipe_data: Mapping[str, Any], split: str) -> list[TranslationExample]:
        return [self.example(row[0], row[1]) for row in splits.sentence_pairs(recipe_data, split)]

    def example(self, source: str, target: str) -> TranslationExample:
        """The tokens of a pair, both cut to the context."""
        context = self.config.context
        ids = self.tokenizer.encode_ids(target)[: context - 1]
        (framed,) = self.tokenizer.framed_ids([source])
        cut = framed if len(framed) <= context else self.tokenizer.encode(source, max_length=context).ids
        return TranslationExample(
            source=id_array(cut),
            target=id_array([self.bos, *ids, self.eos]),
            text=source,
            reference=target,
        )

    def length(self, example: TranslationExample) -> int:
        return len(example.source) + len(example.target) - 1

    def collate(self, examples: Sequence[TranslationExample], device: str) -> tuple[Batch, Targets]:
        given = [example.target[:-1] for example in examples]
        batch = Batch(
            ids=pad_rows([example.source for example in examples], self.pad),
            mask=padding_mask([len(example.source) for example in examples]),
            target_ids=pad_rows(given, self.pad),
            target_mask=padding_mask(list(map(len, given))),
        )
        return batch.to(device), {
            "next": pad_rows([example.target[1:] for example in examples], IGNORED).to(device)
        }

    def asked(self, drawn: Sequence[TranslationExample]) -> dict[str, int]:
        return {"next": sum(len(example.target) - 1 for example in drawn)}

    def loss(
        self, outputs: Outputs, targets: Targets, over: Asked = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return mean_loss(outputs, targets, over, self.label_smoothing), {}

    def metrics(
        self, model: nn.Module, examples: Sequence[TranslationExample], device: str, batch_size: int
    ) -> dict[str, float]:
        """bleu and chrf of whole translations; loss (nats a target token) and perplexity, given the target so
        far.
        """
        total, tokens = 0.0, 0
        for chosen, outputs, targets in self.outputs(model, examples, device, batch_size):
            total += summed_loss(outputs, targets)
            tokens += sum(len(example.target) - 1 for example in chosen)
        wanted = references(examples)
        sources = {example.text: example.source.tolist() for example in examples}
        written = self._written(model, sources, device, batch_size)
        return self.quality(written, wanted) | loss_and_perplexity(total, tokens)

    def translate(self, model: nn.Module, sources: Sequence[Sequence[int]], device: str) -> list[Any]:
        """For each source what the network's search finds: an object with `ids` and `logprobs`."""
        rows = [id_array(source) for source in sources]
        batch = Batch(pad_rows(rows, self.pad), padding_mask(list(map(len, rows)))).to(device)
        found: list[Any] = model.translate(batch, self.bos, self.eos, self.config.context - 1)  # type: ignore[operator]
        return found

    def _written(
        self, model: nn.Module, sources: Mapping[str, Sequence[int]], device: str, batch_size: int
    ) -> dict[str, str]:
        """Source → translation; sources of about the same length together."""
        order = sorted(sources, key=lambda text: len(sources[text]))
        written: dict[str, str] = {}
        with evaluating(model):
            for start in range(0, len(order), batch_size):
                texts = order[start : start + batch_size]
                found = self.translate(model, [sources[text] for text in texts], device)
                written |= {
                    text: self.tokenizer.decode(one.ids) for text, one in zip(texts, found, strict=True)
                }
        return written

    def quality(self, written: Mapping[str, str], wanted: Mapping[str, Sequence[str]]) -> dict[str, float]:
        """BLEU and chrF (0 to 100) of source → translation, given source → references.

        BLEU counts Chinese by characters, and other languages by sacrebleu's "13a" words.
        """
        # Only measuring needs it.
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        chinese = self.config.language.endswith("zh")
        texts = [written[source] for source in wanted]
        # One list for each place among a source's references; None where a source has fewer.
        streams = [list(row) for row in zip_longest(*wanted.values())]
        return {
            "bleu": BLEU(tokenize="zh" if chinese else "13a").corpus_score(texts, streams).score,
            "chrf": CHRF().corpus_score(texts, streams).score,
        }

    def baselines(
        self, train_examples: Sequence[TranslationExample], test_examples: Sequence[TranslationExample]
    ) -> dict[str, float]:
        """bleu and chrf of the source itself; word_by_word_bleu and …_chrf of each token's best partner.

        loss and perplexity: how often each target token came in training, one added to each count.
        """
        wanted = references(test_examples)
        partner = best_partners(train_examples)
        by_word = {
            example.text: self.tokenizer.decode([partner[i] for i in example.source.tolist() if i in partner])
            for example in test_examples
        }
        seen = (example.target[1:] for example in train_examples)
        return {
            **self.quality({source: source for source in wanted}, wanted),
            **{f"word_by_word_{key}": value for key, value in self.quality(by_word, wanted).items()},
            **unigram(self.tokenizer.vocab_size, seen, [example.target[1:] for example in test_examples]),
        }

    def decode(self, outputs: Outputs, encoding: Encoding, top: int = 10) -> dict[str, Any]:
        """{"candidates": [{"pos", "tokens"}]}: the target's next token after those that the decoder was
        given.
        """
        logits = outputs["logits"][0]
        if not len(logits):
            return {"candidates": []}
        return {
            "candidates": [{"pos": len(logits) - 1, "tokens": top_tokens(logits[-1], self.tokenizer, top)}]
        }


def references(examples: Sequence[TranslationExample]) -> dict[str, list[str]]:
    """Source → all its translations in `examples`."""
    found: dict[str, list[str]] = {}
    for example in examples:
        found.setdefault(example.text, []).append(example.reference)
    return found


def best_partners(examples: Sequence[TranslationExample]) -> dict[int, int]:
    """Each source token → the target token that it goes with most: highest 2·n(s, t) / (n(s) + n(t)).

    n counts the pairs of sentences that hold a token (Dice's coefficient).
    """
    source: Counter[int] = Counter()
    target: Counter[int] = Counter()
    both: Counter[tuple[int, int]] = Counter()
    for example in examples:
        here, there = set(example.source.tolist()), set(example.target[1:-1].tolist())
        source.update(here)
        target.update(there)
        both.update((s, t) for s in here for t in there)
    best: dict[int, tuple[float, int]] = {}
    for (s, t), count in both.items():
        best[s] = max(best.get(s, (-1.0, 0)), (2 * count / (source[s] + target[t]), -t))
    return {s: -t for s, (_score, t) in best.items()}

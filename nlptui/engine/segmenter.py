"""Words of raw text, for taggers whose tokenizer would divide it otherwise than the corpus they learned from.

Chinese words are found by another model, which is loaded when the first text comes; English ones by the rule
of the treebank. Knows nothing of what the words are then used for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch

from nlptui.config import BertConfig, ModelConfig
from nlptui.engine import checkpoint
from nlptui.engine.inputs import batch_of
from nlptui.engine.library import find_model
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.nn import OFF
from nlptui.tasks import task_for
from nlptui.tasks.tagging import is_joint
from nlptui.text import visible
from nlptui.tokenizers import MASK, word_spans

# What a text longer than the model's context is cut after: an end of a line or of a sentence.
_ENDS = re.compile(r"(?<=[\n。！？!?；;])")


class Segmenter:
    """The words that the tagger `name` finds, for the model `wanted_by`; each stands in the text as it is."""

    def __init__(self, name: str, wanted_by: str = "") -> None:
        self.name = name
        self.wanted_by = wanted_by
        self._loaded = False

    def load(self) -> None:
        """Load the model, unless it is there already. Raises UserError that says which model wants it."""
        if self._loaded:
            return
        try:
            self.model, self.config, self.tokenizer = checkpoint.load(find_model(self.name))
        except UserError as error:
            message = _("{model} needs the model {name} to cut text into words: {reason}")
            raise UserError(
                message.format(
                    model=visible(self.wanted_by) or "?", name=visible(self.name), reason=str(error)
                )
            ) from None
        if self.config.task != "tagging":
            message = _("{model} needs a tagger to cut text into words; {name} is a {task} model")
            raise UserError(
                message.format(
                    model=visible(self.wanted_by) or "?", name=visible(self.name), task=self.config.task
                )
            )
        self.task = task_for(self.config, self.tokenizer)
        self._loaded = True

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """The words of each text."""
        self.load()
        return [[word for part in self._parts(text) for word in self._words(part)] for text in texts]

    def _words(self, text: str) -> list[str]:
        encoding = self.tokenizer.encode(text, max_length=self.config.context)
        if not encoding.ids:
            return []
        with torch.no_grad():
            outputs = self.model(batch_of(encoding, "cpu"), OFF)
        return [tag["token"] for tag in self.task.decode(outputs, encoding)["tags"]]

    def _parts(self, text: str) -> Iterator[str]:
        """`text` in stretches that fit the context, cut after sentences where they are short enough."""
        room = max(1, self.config.context - 2)  # special tokens take some of it
        part = ""
        for sentence in _ENDS.split(text):
            if part and len(part) + len(sentence) > room:
                yield part
                part = ""
            part += sentence
            while len(part) > room:
                yield part[:room]
                part = part[room:]
        if part:
            yield part


def segmenter_for(config: ModelConfig) -> Segmenter | None:
    """What cuts raw text for this model; None where its own tokenizer does."""
    name = getattr(config, "segmenter", "")
    return Segmenter(name, config.name) if name else None


def wants_words(config: ModelConfig) -> bool:
    """Whether the model tags words, but has a tokenizer of word pieces, whose own rule makes don ' t of
    "don't", where the words of the corpus are do and n't.
    """
    return isinstance(config, BertConfig) and config.task == "tagging" and not is_joint(config.labels)


def words_by_rule(text: str, limit: int) -> list[str]:
    """The first `limit` words of `text` as the treebank splits it (`splitter`); `[MASK]` is one."""
    words: list[str] = []
    for number, part in enumerate(text.split(MASK)):
        if len(words) >= limit:
            break
        words += [MASK] * bool(number)
        words += [part[start:end] for start, end in word_spans(part, limit)]
    return words[:limit]

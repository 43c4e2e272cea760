"""What a model that learns makes of one sentence, always the same: a line at each measurement.

The sentence is the recipe's `train.sample`, or one of our own for the task and the language. Knows nothing of
run directories, or of when to look.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from nlptui.engine.engine import Engine
from nlptui.errors import UserError
from nlptui.tasks.base import evaluating
from nlptui.train.build import Parts
from nlptui.train.recipe import TrainConfig

PAIR_MARK = "|||"
"""Stands between the two texts of a sample for a model that reads two."""
CONTINUED = 20
"""Tokens that a language model writes after the sentence."""
_FIRST = {"en": "The old man sees a small white bird.", "zh": "小鸟在树上看着老人。"}
_BY_TASK = {
    ("classification", "en"): "a warm and clever story, told well.",
    ("pretraining", "en"): "The old man [MASK] a small bird.",
    ("pretraining", "zh"): "小鸟在[MASK]上看着老人。",
    ("language_model", "en"): "The old man opened the door and",
    ("language_model", "zh"): "春风",
    ("translation", "en"): "I see a small bird.",
    ("question_answering", "en"): "Where is the bird? ||| Tom is in the garden. The bird is in the kitchen.",
    ("question_answering", "zh"): "小鸟在哪里？|||小明在花园。小鸟在厨房。",
    ("skip_gram", "en"): "man bird tree",
    ("skip_gram", "zh"): "人 鸟 树",
}


def default_sample(task: str, language: str) -> str:
    """A sentence for a model of `task`; a translator's language is that of what it reads: "en-zh"."""
    read = language.split("-")[0]
    return _BY_TASK.get((task, read), _FIRST.get(read, _FIRST["en"]))


class PinnedSentence:
    """A sentence, and the network that is asked about it while it learns."""

    def __init__(self, parts: Parts, settings: TrainConfig, device: str) -> None:
        text = settings.sample or default_sample(parts.config.task, parts.config.language)
        first, mark, second = text.partition(PAIR_MARK)
        self.text, self.pair = first.strip() if mark else text, second.strip() if mark else None
        self.model = parts.model
        with evaluating(self.model):
            self.engine = Engine(parts.model, parts.config, parts.tokenizer, Path(), device)
        self.engine.task = parts.task

    def look(self) -> dict[str, Any]:
        """{"text", "output"}, as `Engine.predict` answers; of a language model, what it writes as well.

        Leaves the network and every generator as they were. What cannot be answered has a "problem", not an
        output: it is no reason to end a run.
        """
        asked = {"text": self.text} | ({"pair": self.pair} if self.pair else {})
        with evaluating(self.model), torch.random.fork_rng():
            try:
                output = self.engine.predict(self.text, self.pair)["output"]
                if self.engine.config.task == "language_model":
                    output |= {"text": self._continued()}
            except UserError as error:
                return asked | {"problem": str(error)}
        return asked | {"output": output}

    def _continued(self) -> str:
        """What follows the sentence, always the likeliest token."""
        return "".join(step.text for step in self.engine.generate(self.text, CONTINUED, temperature=0.0))

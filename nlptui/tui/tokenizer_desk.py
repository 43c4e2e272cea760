"""What the clerk does for the tokenizer bench: compare, replay, look into vocabularies, train.

Runs in the clerk's thread; imports no torch. Knows nothing of widgets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.requests import (
    CompareTokenizers,
    LearnBpe,
    ListVocabulary,
    LookAtTokenizer,
    TokenizerSteps,
    TrainTokenizer,
)

if TYPE_CHECKING:
    from nlptui.engine.tokenizer_training import Training
    from nlptui.views.segmentation import Step

BEST = 8
"""Segmentations of a unigram model that are listed."""
LEARNT = 200
"""Merges that are learnt on a small text."""
LONGEST = 2000
"""Characters of a text whose steps are shown."""


@dataclass(frozen=True)
class Steps:
    """The steps of one text, as lines."""

    title: str
    steps: tuple[Step, ...]


class TokenizerDesk:
    """Answers the requests of the tokenizer bench; keeps the training that runs."""

    def __init__(self) -> None:
        self.training: Training | None = None

    def answer(self, request: Any) -> Any:
        """The result for one request."""
        match request:
            case CompareTokenizers(text=text, more=more):
                from nlptui.engine.tokenizer_bench import compare

                return tuple(compare(text, more))
            case TokenizerSteps():
                return steps(request)
            case LearnBpe(text=text):
                return learnt(text)
            case ListVocabulary():
                from nlptui.engine.tokenizer_bench import vocabulary

                return vocabulary(request.name, request.query, request.sort, request.descending)
            case TrainTokenizer() | LookAtTokenizer():
                return self.train(request)
        raise TypeError(f"the tokenizer bench has no answer to {request!r}")

    def train(self, request: TrainTokenizer | LookAtTokenizer) -> Any:
        """Start a training, or say how far the present one is: (name, Progress)."""
        from nlptui.engine.tokenizer_training import Job, Progress, Training

        if isinstance(request, TrainTokenizer):
            if self.training is not None and self.training.progress().state == "running":
                raise UserError(_("a tokenizer is being trained already; wait until it is done"))
            job = Job(request.source, request.kind, request.name, request.vocab_size, request.coverage)
            self.training = Training(job)
        if self.training is None:
            return "", Progress("done", 1.0)
        name, progress = self.training.job.name, self.training.progress()
        if progress.state != "running":
            self.training.end()
            self.training = None
        return name, progress


def steps(request: TokenizerSteps) -> Steps:
    """The steps of a tokenizer on the beginning of a text."""
    from nlptui.engine.tokenizer import replay, sample
    from nlptui.engine.tokenizer_bench import kept_tokenizer
    from nlptui.views.segmentation import steps_of

    tokenizer, text = kept_tokenizer(request.name), request.text[:LONGEST]
    made = replay(tokenizer, text, BEST, request.alpha)
    drawn = sample(tokenizer, text, request.alpha, request.draw, request.seed) if request.draw else []
    title = visible(request.name)
    if made.kind == "unigram":
        title = _("{name}, alpha {alpha}").format(name=title, alpha=f"{request.alpha:.1f}")
    return Steps(title, tuple(steps_of(made, drawn)))


def learnt(text: str) -> Steps:
    """BPE learnt on a text: each merge with its count, and the most frequent words after it."""
    from nlptui.engine.tokenizer import learn_merges
    from nlptui.views.segmentation import Step, chips

    found = []
    for number, one in enumerate(learn_merges(text, LEARNT), 1):
        pair = f"{visible(one.left)} + {visible(one.right)} → {visible(one.left + one.right)}"
        said = _("merge {n}: {pair} ({count}×)").format(n=number, pair=pair, count=one.count)
        words = tuple(chips(word) for word, _count in one.words[:6])
        found.append(Step(said, words, between="  "))
    return Steps(_("BPE learnt on this text"), tuple(found))

"""What the screen asks of its backends: plain values, no behaviour.

Knows neither threads nor widgets. Each request names its lane: in a lane only the newest request counts. What
comes back stands in `answers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nlptui.tui.place import Place

if TYPE_CHECKING:
    from nlptui.train.client import Wish
    from nlptui.views.figure import Figure, Origin

# To the workbench, which owns the engine.


@dataclass(frozen=True)
class Show:
    """What the explorer shows at `place`."""

    place: Place
    lane: ClassVar[str] = "show"


@dataclass(frozen=True)
class Explain:
    """How the number at `origin` was made, in the run of `place`."""

    place: Place
    origin: Origin
    minus: Origin | None = None
    """The number that is taken away from it, where the question is about a difference."""
    lane: ClassVar[str] = "explain"


@dataclass(frozen=True)
class WriteOn:
    """The place with one more token written, or one less."""

    place: Place
    step: Literal["on", "back"] = "on"
    token: int | None = None
    """The id to write; None: the one that the model and the sampling choose."""
    lane: ClassVar[str] = "write_on"


@dataclass(frozen=True)
class Nearest:
    """The tokens whose embeddings in a model point most nearly as a token's."""

    model: str
    token: str
    lane: ClassVar[str] = "nearest"


# To the clerk, which handles files.


@dataclass(frozen=True)
class ListModels:
    """All models that can be opened."""

    lane: ClassVar[str] = "models"


@dataclass(frozen=True)
class ListRecipes:
    """All recipes that can be trained."""

    lane: ClassVar[str] = "recipes"


@dataclass(frozen=True)
class LookAtRuns:
    """The training runs, and the numbers that `name` has logged since line `since`."""

    name: str = ""
    since: int = 0
    lane: ClassVar[str] = "runs"


@dataclass(frozen=True)
class ListSnapshots:
    """The weights that the run has kept, and how far it is."""

    run: str
    lane: ClassVar[str] = "snapshots"


@dataclass(frozen=True)
class ListStarts:
    """What a run of one's own can be made of."""

    lane: ClassVar[str] = "starts"


@dataclass(frozen=True)
class PlanRun:
    """The recipe that a form asks for, and what it will take; takes some seconds."""

    wish: Wish
    text: str = ""
    """A text that was pasted, in the place of the wish's corpus."""
    lane: ClassVar[str] = "plan"


@dataclass(frozen=True)
class EstimateRun:
    """What a recipe will take; takes some seconds."""

    recipe: Path
    overrides: Mapping[str, str]
    lane: ClassVar[str] = "plan"


@dataclass(frozen=True)
class StartRun:
    """Train `recipe`, a file or what a plan holds, in a process of its own."""

    recipe: Any
    name: str
    overrides: Mapping[str, str]
    lane: ClassVar[str] = "start"


@dataclass(frozen=True)
class SteerRun:
    """Stop, pause, resume, cancel or remove a run."""

    name: str
    verb: str
    """stop, pause, resume, cancel or remove."""
    lane: ClassVar[str] = "steer"


@dataclass(frozen=True)
class Write:
    """Write a figure to a file; the ending says as what."""

    figure: Figure
    path: Path
    overwrite: bool = False
    lane: ClassVar[str] = "write"


class BenchRequest:
    """What the tokenizer bench asks."""


@dataclass(frozen=True)
class CompareTokenizers(BenchRequest):
    """What all tokenizers make of a text; those of `more` (paths) too."""

    text: str
    more: tuple[str, ...] = ()
    lane: ClassVar[str] = "tokenizers"


@dataclass(frozen=True)
class TokenizerSteps(BenchRequest):
    """The steps of one tokenizer; `draw` segmentations of a unigram one, from `seed` on."""

    name: str
    text: str
    alpha: float = 1.0
    draw: int = 0
    seed: int = 0
    lane: ClassVar[str] = "tokenizer_steps"


@dataclass(frozen=True)
class LearnBpe(BenchRequest):
    """BPE learnt on a text, merge by merge."""

    text: str
    lane: ClassVar[str] = "tokenizer_steps"


@dataclass(frozen=True)
class ListVocabulary(BenchRequest):
    """The tokens of a vocabulary that hold `query`, sorted."""

    name: str
    query: str = ""
    sort: str = "id"
    descending: bool = False
    lane: ClassVar[str] = "tokenizer_steps"


@dataclass(frozen=True)
class TrainTokenizer(BenchRequest):
    """Train a tokenizer in a process of its own."""

    source: str
    kind: str
    name: str
    vocab_size: int
    coverage: float
    lane: ClassVar[str] = "train_tokenizer"


@dataclass(frozen=True)
class LookAtTokenizer(BenchRequest):
    """How far the tokenizer in training is."""

    lane: ClassVar[str] = "train_tokenizer"

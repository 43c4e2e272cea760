"""What the backends answer to the requests of the screen: plain values, no behaviour.

Knows neither threads nor widgets. Panes take these values apart and draw them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlptui.engine.explain import Derivation
    from nlptui.tui.place import Place
    from nlptui.views.figure import Figure, Origin, Part, Tokens, Tree

# From the workbench.


@dataclass(frozen=True)
class ViewName:
    """One view that fits the model at hand."""

    name: str
    title: str
    """In English; `_` translates it."""
    group: int
    """The key that opens its group."""


@dataclass(frozen=True)
class Model:
    """What the screen says of the model at hand."""

    name: str
    arch: str
    task: str
    language: str
    parameters: int
    context: int
    views: tuple[ViewName, ...]
    poolings: tuple[str, ...] = ()
    """The poolers that it was trained with."""
    pooling: str = ""
    """The one in use."""


@dataclass(frozen=True)
class Reading:
    """One token, read as the network reads it: `one-hot × embedding = row`."""

    token: str
    id: int
    size: int
    """How many tokens the vocabulary has."""
    name: str
    """The embedding matrix."""
    row: tuple[float, ...]
    """The row of that matrix which the one-hot vector picks, as far as the pane has room."""
    width: int
    """The length of the whole row."""


@dataclass(frozen=True)
class Shown:
    """Everything that the explorer draws of one place."""

    place: Place
    """The place asked for, with layer, head and view within what the model has."""
    model: Model
    figure: Figure
    layers: int
    heads: int
    choices: tuple[str, ...]
    """What Tab walks inside the view."""
    tokens: Tokens
    output: tuple[Part, ...]
    tree: Tree
    reading: Reading | None
    notices: tuple[str, ...]
    """One sentence each: text cut, tokenizer that does not fit, edits in force."""
    seconds: float
    """How long the network ran."""
    positions: int = 0
    """How many tokens a view can be about: those of the text, or of a decoder that has more."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Edits that were asked for and fit nothing of this run, each with the reason: they are out of force."""
    editable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The parameters that can be edited, by name: their axes."""


@dataclass(frozen=True)
class Explained:
    """A derivation, with what its indices stand for."""

    origin: Origin
    derivation: Derivation
    where: str
    """The tokens and numbers that the index of the whole stands for: `query=cat key=the`."""
    wheres: tuple[str, ...]
    """The same for each term."""
    kind: str
    """activation, input or parameter."""
    traces: tuple[int, ...] = ()
    """Of a difference: the run of each term, 0 for A and 1 for B."""


@dataclass(frozen=True)
class Written:
    """Where writing on has led to; `ended` where the model ends the text, and nothing was written."""

    place: Place
    ended: bool = False


# From the clerk.


@dataclass(frozen=True)
class Recipe:
    """A recipe file that the train dialog offers."""

    name: str
    path: Path
    arch: str
    task: str
    corpus: str
    steps: int
    epochs: float


@dataclass(frozen=True)
class Starts:
    """What a run of one's own can be made of."""

    tasks: Mapping[str, tuple[str, ...]]
    """What each family can be trained for."""
    corpora: Mapping[str, tuple[tuple[str, bool], ...]]
    """What each task can be learned from, and whether it is here."""
    own: tuple[str, ...]
    """The tasks that a text of one's own is enough for."""
    models: Mapping[str, tuple[tuple[str, str], ...]]
    """Of each family, models to start from: a name or a folder, and its words."""
    counted: tuple[str, ...]
    """The families that are counted, not trained."""
    sizes: Mapping[str, tuple[tuple[str, str], ...]]
    """Of each family its sizes, and how large they are."""
    budgets: tuple[int, ...]
    """Seconds."""


@dataclass(frozen=True)
class Snapshots:
    """The weights that a run has kept."""

    run: str
    steps: tuple[int, ...]
    """From the first to the last."""
    folders: tuple[str, ...]
    """Of each step: the folder that the engine loads."""
    state: str
    total: int
    """Updates that the run is to make; 0 while not known."""


@dataclass(frozen=True)
class Runs:
    """The training runs and new lines of the chosen one's log."""

    runs: tuple[Any, ...]
    """RunStatus, the newest first."""
    name: str = ""
    since: int = 0
    lines: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)

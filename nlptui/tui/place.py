"""Where a person is in the explorer: everything that decides what the screen shows, as one plain value.

A `Place` goes to the backend, which answers with what is to be drawn; it is kept at the end of a session,
and is
written out as the command line that opens the same screen. Knows nothing of widgets, engines or figures.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nlptui.sampling import PLAIN, Sampling

PAIR_MARK = "|||"
"""In the prompt, what stands between two sentences for a model that reads pairs."""
FROM_PINNED = "=from:A"
"""How an edit ends that takes its values from the pinned run."""
READINGS = ("ids", "one-hot", "embedding")
WALKED_CHOICES = 12
"""A view with more choices than this (every activation, say) is not walked choice by choice."""
LAST_CHOICE = "<last>"
"""As the name of a view's choice: whichever is its last; the answer says which."""
TEXT_LIMIT = 20_000
"""Characters of the prompt that are sent to a model; no shipped context comes near it."""
KEPT_LIMIT = 4_000
"""Characters of the prompt that are kept for the next session."""


def read_ids(text: str) -> tuple[int, ...]:
    """The numbers of "12,5,903". Raises ValueError for anything else."""
    return tuple(int(part) for part in text.split(",") if part.strip())


def sampling_options(sampling: Sampling) -> list[str]:
    """The options of the command line that are not as they start."""
    found: list[str] = []
    for field in dataclasses.fields(sampling):
        value = getattr(sampling, field.name)
        if value != getattr(PLAIN, field.name):
            found += [f"--{field.name.replace('_', '-')}", repr(value).removesuffix(".0")]
    return found


def prompt_of(text: str, pair: str | None) -> str:
    """What stands in the prompt for a text, or for two."""
    return text if pair is None else f"{text} {PAIR_MARK} {pair}"


def with_model(place: Place, model: str) -> Place:
    """The place in `model`, and the run pinned beside it too, where it names no model of its own."""
    pinned = place.pinned
    if pinned is not None and not pinned.model:
        pinned = replace(pinned, model=model)
    return replace(place, model=model, pinned=pinned)


@dataclass(frozen=True)
class Place:
    """One state of the explorer."""

    model: str = ""
    """Name or folder of the model; empty until one is chosen."""
    text: str = ""
    """The prompt as typed; two sentences with `|||` between them."""
    view: str = ""
    layer: int = 0
    head: int = 0
    name: str | None = None
    """For the view of any activation: which one."""
    position: int = 0
    """The token that the view is about."""
    chosen: bool | None = None
    """Whether somebody has chosen `position`; until then each view begins at the token that suits it. None:
    unless it is the first."""
    mark: int | None = None
    """The token where a span was marked; its other end is `position`."""
    row: int = 0
    col: int = 0
    """The cell cursor."""
    part: int = 0
    """Which table of the view has the cursor."""
    by: str = "table"
    edits: tuple[str, ...] = ()
    """Edits asked for, each as `NAME[0,2,:,:]=zero`: in force where they fit the run."""
    off: tuple[str, ...] = ()
    """Edits that are switched off for a while."""
    target: str = ""
    """The token or label that views of attribution ask about, or its number; empty: the likeliest."""
    sampling: Sampling = PLAIN
    """How the next token is chosen."""
    written: str | None = None
    """Of a translator: the ids that the decoder has read so far, "12,5,903"; None: what it writes itself."""
    pooling: str = ""
    """Of a model with several poolers: the one to use; empty: its own choice."""
    tokenizer: str = ""
    """A second tokenizer for the token row; empty: the model's own."""
    reading: str = "ids"
    pinned: Place | None = None
    """The run that this one is compared with."""
    a_at: tuple[int, int] | None = None
    """The layer and head at which the pinned run is shown, wherever this one stands; None: see `a_place`."""

    def __post_init__(self) -> None:
        if self.chosen is None:
            object.__setattr__(self, "chosen", self.position > 0)

    @property
    def sentence(self) -> str:
        """The first sentence, as far as it is read."""
        return (
            self.text[:TEXT_LIMIT].split(PAIR_MARK)[0].strip()
            if self.pair is not None
            else self.text[:TEXT_LIMIT]
        )

    @property
    def pair(self) -> str | None:
        """The second sentence, or None."""
        _, mark, second = self.text[:TEXT_LIMIT].partition(PAIR_MARK)
        return second.strip() if mark else None

    @property
    def run(self) -> tuple[Any, ...]:
        """What decides the numbers: two places with the same run show the same trace."""
        source = self.pinned.run if self.pinned is not None and self.patches else None
        return (self.model, self.text[:TEXT_LIMIT], self.edits, self.written, self.pooling, source)

    @property
    def a_stays(self) -> tuple[int, int] | None:
        """The layer and head at which A stays: those of `a_at`; or where the two runs are one, which would
        differ in nothing otherwise, those where it was pinned, in the view where it was. None: A goes along.
        """
        a = self.pinned
        if a is None or self.a_at is not None:
            return self.a_at if a is not None else None
        return (a.layer, a.head) if (a.view, a.run) == (self.view, self.run) else None

    @property
    def a_place(self) -> Place:
        """Where the view stands for the run A."""
        stays = self.a_stays
        return self if stays is None else replace(self, layer=stays[0], head=stays[1])

    @property
    def patches(self) -> bool:
        """Whether an edit takes values from the pinned run."""
        return any(edit.endswith(FROM_PINNED) for edit in self.edits)

    @property
    def written_ids(self) -> tuple[int, ...] | None:
        """The ids of `written`."""
        return None if self.written is None else read_ids(self.written)

    def command(self) -> str:
        """The command line that opens this place, quoted for a shell. Edits that are off are left out."""
        import shlex

        text = self.text if self.pair is None else self.sentence
        options = [] if self.pair is None else ["--pair", self.pair]
        options += ["--model", self.model] if self.model else []
        options += ["--view", self.view] if self.view else []
        options += ["--name", self.name] if self.name else []
        at = f"{self.row},{self.col}" + (f",{self.part}" if self.part else "")
        options += ["--layer", str(self.layer), "--head", str(self.head), "--at", at]
        options += ["--by", self.by] if self.by != "table" else []
        options += ["--position", str(self.position)] if self.chosen else []
        options += ["--mark", str(self.mark)] if self.mark is not None else []
        options += ["--target", self.target] if self.target else []
        options += ["--tokenizer", self.tokenizer] if self.tokenizer else []
        options += ["--reading", self.reading] if self.reading != "ids" else []
        options += sampling_options(self.sampling)
        options += ["--written", self.written] if self.written is not None else []
        options += ["--pooling", self.pooling] if self.pooling else []
        for edit in self.edits:
            options += ["--edit", edit]
        options += self._pin_options()
        # A word alone may be the name of a command.
        words = [*options, "--", text] if re.match(r"-|[a-z]+$", text) else [text, *options]
        return " ".join(shlex.quote(word.replace("\0", "")) for word in ["nlptui", *words])

    def _pin_options(self) -> list[str]:
        """What the command line says of the pinned run: all that decides its numbers."""
        a = self.pinned
        if a is None:
            return []
        options = ["--pin", a.text if a.pair is None else a.sentence]
        options += [] if a.pair is None else ["--pin-pair", a.pair]
        options += ["--pin-model", a.model] if a.model != self.model else []
        options += ["--pin-written", a.written] if a.written is not None else []
        options += ["--pin-pooling", a.pooling] if a.pooling else []
        for edit in a.edits:
            options += ["--pin-edit", edit]
        if self.a_stays is not None:
            options += ["--pin-layer", str(self.a_stays[0]), "--pin-head", str(self.a_stays[1])]
        return options

    def kept(self) -> dict[str, Any]:
        """What the settings file keeps of it."""
        fields = (
            "model", "text", "view", "layer", "head", "name", "position", "target", "row", "col", "part",
            "by", "reading",
        )  # fmt: skip
        kept = {key: getattr(self, key) for key in fields} | {"text": self.text[:KEPT_LIMIT]}
        return kept if self.chosen else kept | {"position": 0}

    @staticmethod
    def restored(kept: Mapping[str, Any]) -> Place:
        """The place that a settings file holds; entries that make no sense are left out."""
        place = Place()
        for field in dataclasses.fields(Place):
            value = kept.get(field.name)
            default = getattr(place, field.name)
            if field.name == "name" and isinstance(value, str):
                place = replace(place, name=value)
            elif (
                isinstance(default, str)
                and isinstance(value, str)
                or type(default) is int
                and type(value) is int
                and value >= 0
            ):
                changed: dict[str, Any] = {field.name: value}
                place = replace(place, **changed)
        reading = place.reading if place.reading in READINGS else "ids"
        by = place.by if place.by in ("table", "row") else "table"
        return replace(place, reading=reading, by=by, chosen=None)

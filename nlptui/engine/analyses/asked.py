"""What is asked of an analysis. Knows nothing of any particular one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.sampling import Sampling

Watch = Callable[[int, int], None]
"""Called in the course of long work: so many pieces of so many are done. May raise Cancelled."""


def unwatched(done: int, pieces: int) -> None:
    """Nobody looks on."""


@dataclass(frozen=True)
class Asked:
    """An analysis by name, and the position and the token or label of the output that it is of, if any."""

    name: str
    position: int | None = None
    target: int | None = None
    sampling: Sampling | None = None
    """How the next token is chosen, where that is asked about."""
    search: tuple[int, int] | None = None
    """Of a beam search: how many beams, and how many tokens."""
    watch: Watch = field(default=unwatched, compare=False)
    """Long analyses call it between their pieces."""

    @property
    def prefix(self) -> str:
        """What the names of everything that it records begin with, without the last dot."""
        at = "" if self.position is None else f".at_{self.position}"
        to = "" if self.target is None else f".to_{self.target}"
        how = "" if self.sampling is None else f".{self.sampling.suffix}"
        wide = "" if self.search is None else ".w_{}.d_{}".format(*self.search)
        return f"analysis.{self.name}{at}{to}{how}{wide}"

    def target_of(self, size: int) -> int:
        """The target, one of `size`. Raises UserError where there is none or no such one."""
        words = _("{prefix} needs a target from 0 to {last}, such as .to_0")
        return _within(self.target, size, words, self.prefix)

    def position_of(self, size: int) -> int:
        """The position, one of `size`. Raises UserError where there is none or no such one."""
        return _within(
            self.position, size, _("{prefix} needs a position from 0 to {last}, such as .at_0"), self.prefix
        )


def _within(number: int | None, size: int, words: str, prefix: str) -> int:
    if number is None or number >= size:
        raise UserError(words.format(prefix=prefix, last=size - 1))
    return number

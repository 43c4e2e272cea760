"""How the next token is chosen: temperature, top-k, top-p and the seed of the draw, as one value.

Knows no scores and no torch. Sources: Fan et al. 2018 (top-k); Holtzman et al. 2020 (top-p).
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

from nlptui.errors import UserError
from nlptui.locale import _

SUFFIX = r"t_[\dpem]+\.k_\d+\.p_[\dpem]+\.s_m?\d+"
"""The form of `Sampling.suffix`, as a regular expression."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen from its scores."""

    temperature: float = 0.0
    """Scores are divided by it; 0 takes the likeliest token (greedy)."""
    top_k: int = 0
    """Only the k likeliest tokens stay; 0: all."""
    top_p: float = 1.0
    """Only the smallest set of likeliest tokens whose probabilities reach p stays."""
    seed: int = 0
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UserError(
                _("temperature is {value}; it must be 0 (greedy) or more").format(value=self.temperature)
            )
        if self.top_k < 0:
            raise UserError(_("top-k is {value}; it must be 0 (all) or more").format(value=self.top_k))
        if not 0 < self.top_p <= 1:
            raise UserError(_("top-p is {value}; it must be above 0 and at most 1").format(value=self.top_p))

    def draw(self, tokens: int) -> float:
        """The random number, 0 up to 1, that chooses what follows `tokens` tokens.

        It depends on the seed and on that number alone, so that a text can be written again from any place.
        """
        return random.Random(f"{self.seed}:{tokens}").random()

    @property
    def suffix(self) -> str:
        """The settings as a part of a name: `t_0p8.k_40.p_0p95.s_1`, p for the point and m for minus."""
        values = (self.temperature, self.top_k, self.top_p, self.seed)
        numbers = (f"{float(v)!r}" if isinstance(v, float) else str(v) for v in values)
        written = (number.removesuffix(".0").replace(".", "p").replace("-", "m") for number in numbers)
        return "t_{}.k_{}.p_{}.s_{}".format(*written)

    @classmethod
    def read(cls, suffix: str) -> Sampling:
        """The settings behind a suffix; ValueError for another text, UserError for values out of range."""
        if re.fullmatch(SUFFIX, suffix) is None:
            raise ValueError(f"no sampling settings: {suffix!r}")
        numbers = (part.partition("_")[2].replace("p", ".").replace("m", "-") for part in suffix.split("."))
        temperature, top_k, top_p, seed = numbers
        return cls(float(temperature), int(top_k), float(top_p), int(seed))


PLAIN = Sampling(temperature=1.0)
"""What sampling starts from: the model's own probabilities."""
GREEDY = Sampling()

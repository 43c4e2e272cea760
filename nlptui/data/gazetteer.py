"""Names of people, places and organisations, known ones and made-up ones, for a tagger to practise on.

The lists and the parts were written for this project, in `gazetteer_LANGUAGE.txt`. Words are cut as Chinese
treebanks cut them: surname and given name, name and kind of place. Knows nothing of corpora.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

Mention = tuple[str, ...]
KINDS = ("LOC", "ORG", "PER")
KNOWN = (
    "country", "region", "province", "city", "person", "surname", "japanese", "organisation",
    "place_end", "organisation_end", "field",
)  # fmt: skip
"""Sections whose entries are words; those of the others are parts of words."""


class Gazetteer:
    """The lists of one language."""

    def __init__(self, sections: Mapping[str, tuple[Mention, ...]]) -> None:
        self.sections = sections

    def words(self) -> list[str]:
        """Every word of a known name, for a vocabulary."""
        return sorted({word for section in KNOWN for entry in self.sections[section] for word in entry})

    def draw(self, kind: str, rng: np.random.Generator) -> Mention:
        """The words of a name of this kind: a place, an organisation or a person."""
        return {"LOC": self._place, "ORG": self._organisation, "PER": self._person}[kind](rng)

    def _one(self, section: str, rng: np.random.Generator) -> Mention:
        entries = self.sections[section]
        return entries[int(rng.integers(len(entries)))]

    def _made(self, section: str, least: int, most: int, rng: np.random.Generator) -> str:
        return "".join(self._one(section, rng)[0] for _part in range(int(rng.integers(least, most + 1))))

    def _place(self, rng: np.random.Generator) -> Mention:
        chance = rng.random()
        if chance < 0.7:
            sections = ("country", "city", "city", "region", "province")
            return self._one(sections[int(rng.integers(len(sections)))], rng)
        end = self._one("place_end", rng)
        if chance < 0.8:
            return (*self._one("city", rng), *end)
        if chance < 0.9:
            return (self._made("stem", 2, 2, rng), *end)
        if chance < 0.95:
            return (self._made("syllable", 2, 4, rng),)
        return (*self._one("country", rng), *self._one("city", rng))

    def _organisation(self, rng: np.random.Generator) -> Mention:
        chance = rng.random()
        if chance < 0.4:
            return self._one("organisation", rng)
        field, end = self._one("field", rng), self._one("organisation_end", rng)
        if chance < 0.7:
            where = self._one("city" if rng.random() < 0.6 else "country", rng)
            return (*where, *field, *end)
        if chance < 0.8:
            return (*self._one("country", rng), *end)
        if chance < 0.9:
            return (self._made("stem", 2, 2, rng), *field, *end)
        return (*field, *end)

    def _person(self, rng: np.random.Generator) -> Mention:
        chance = rng.random()
        if chance < 0.25:
            return self._one("person", rng)
        if chance < 0.65:
            return (*self._one("surname", rng), self._made("given", 1, 2, rng))
        if chance < 0.7:
            return (*self._one("japanese", rng), *self._one("japanese_given", rng))
        if chance < 0.9:
            return (self._made("syllable", 2, 4, rng),)
        return (self._made("syllable", 2, 3, rng), "·", self._made("syllable", 2, 4, rng))


@cache
def gazetteer(language: str) -> Gazetteer:
    """The lists of `language`. Raises UserError where there are none."""
    path = files("nlptui.data").joinpath(f"gazetteer_{language}.txt")
    if not path.is_file():
        raise UserError(_("no gazetteer for the language {language!r}").format(language=visible(language)))
    sections: dict[str, tuple[Mention, ...]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line and not line.startswith("#"):
            sections[name] = sections.get(name, ()) + tuple(tuple(e.split("_")) for e in line.split())
    return Gazetteer(sections)

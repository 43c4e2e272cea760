"""Short stories with questions, to learn from how a passage is asked: who went where, who has what.

    stories_en, stories_zh      (question, passage, answer, code point of the answer in the passage)

A story is a small world: people walk, take, carry, put down and give away objects, and other things happen
that change nothing. What is told is true, so the state of the world after the last sentence answers each
question. Where the answer's words stand in the passage more than once, the mention counts that makes it true:
of a place, the last sentence that says that the person, or the person who holds the object, came there; of a
holder or an object, the last sentence in which the object was taken, carried or given. Part of train only
asks to find a name, or what stands behind it, as practice: these questions name it at the same places as the
others do, for where a question names it is the first thing that a network learns. Many of train's people,
objects and places are any words, or no words. Names, places, objects and colours of train, dev and test have
none in common, so that nothing but the story tells the answer. Every row is made from a fixed seed. The words
stand in `stories_en.txt` and `stories_zh.txt`.

Knows nothing of tokens: LONGEST, in code points, is what keeps a story within a small model's context.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

Question = tuple[str, str, str, int]
"""A question, the passage, the answer, and the code point of the passage where it begins."""

Standing = tuple[str, int, int]
"""A kind of question, of how many names the answer is one, and which of them by last mention."""

SIZES = {"train": 160_000, "dev": 1_000, "test": 1_000}
LONGEST = {"en": 175, "zh": 66}
"""Code points of the longest passage."""
SEEDS = {"train": 1, "dev": 2, "test": 3}
PLACE_KINDS = ("be", "walk", "fetch", "carry", "deliver")
"""What happens at a place that the sentence names."""
_INVENTED = 0.15
"""The share of English people whose names are made of syllables, as readers meet names they never saw."""
_DESCRIBED = 0.25
"""The share of objects that have an adjective."""
_STRANGE = 0.5
"""The share of train's people, objects and places that are called by any word, or by none, so that a reader
cannot know them by heart. In Chinese people are made of surnames and characters anyway."""
_NO_WORD = 0.2
"""The share of those that is no word."""


class Event(NamedTuple):
    """What one sentence tells, and who or what plays which part in it."""

    kind: str
    P: str = ""
    Q: str = ""
    O: str = ""  # noqa: E741
    L: str = ""


class Asked(NamedTuple):
    """A kind of question, what its wording names, and the sentence and the part that answer it."""

    kind: str
    names: Event
    sentence: int
    part: str


@dataclass(frozen=True)
class Words:
    """What stories of one language are told with."""

    language: str
    wordings: dict[str, list[str]]
    """Kind of event (or ?kind of question) → templates."""
    lists: dict[str, list[str]]
    """`people train`, `places test`, … → words; a place stands behind its preposition."""


@cache
def words_of(language: str) -> Words:
    """The file of a language, read."""
    text = Path(__file__).with_name(f"stories_{language}.txt").read_text(encoding="utf-8")
    wordings: dict[str, list[str]] = {}
    lists: dict[str, list[str]] = {}
    for block in re.split(r"^\[", text, flags=re.M)[1:]:
        head, _bracket, body = block.partition("]\n")
        lines = [line for line in body.split("\n") if line and not line.startswith("#")]
        if any("{" in line for line in lines):
            wordings[head] = lines
        elif head.startswith("places") and language == "en":
            lists[head] = lines
        else:
            lists[head] = list(dict.fromkeys(" ".join(lines).split()))
    return Words(language, wordings, lists)


@dataclass
class World:
    """Where everybody is and who has what, after some sentences; each fact with the sentence that says so."""

    place: dict[str, str] = field(default_factory=dict)
    """Person → place, where it is known."""
    told: dict[str, int] = field(default_factory=dict)
    """Person → the sentence that told the place."""
    visits: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """Person → places in order, each with its sentence."""
    holder: dict[str, str] = field(default_factory=dict)
    """Object → who has it."""
    taken: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Object → the sentence that gave it to its holder, and the holder's part in that."""
    lies: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Object → the place where it was put down, and the sentence that told that place."""
    gifts: list[tuple[int, Event]] = field(default_factory=list)
    """Every giving with its sentence."""

    def allows(self, event: Event) -> bool:
        """Whether this can happen now."""
        holder, lies = self.holder.get(event.O), self.lies.get(event.O)
        here = self.place.get(event.P)
        if event.kind in ("walk", "be"):
            return here != event.L and (event.kind == "walk" or event.P not in self.visits)
        free = holder is None and (lies is None or here == lies[0])
        if event.kind == "take":
            return free
        if event.kind in ("fetch", "carry", "deliver"):
            near = free or (holder == event.P and event.kind != "fetch")
            return near and here != event.L
        if event.kind == "drop":
            return holder == event.P and here is not None
        if event.kind == "give":
            there = self.place.get(event.Q)
            return holder == event.P and (here is None or there is None or here == there)
        return True

    def happens(self, event: Event, sentence: int) -> None:
        """Change what the event changes."""
        kind, person, thing = event.kind, event.P, event.O
        if kind in PLACE_KINDS:
            self.visits.setdefault(person, []).append((event.L, sentence))
            self.place[person], self.told[person] = event.L, sentence
        if kind in ("take", "fetch", "carry"):
            self.lies.pop(thing, None)
            self.holder[thing], self.taken[thing] = person, (sentence, "P")
        elif kind == "deliver":
            self.holder.pop(thing, None)
            self.lies[thing] = (event.L, sentence)
            # Whether the person stayed there is not told.
            del self.place[person], self.told[person]
        elif kind == "drop":
            del self.holder[thing]
            self.lies[thing] = (self.place[person], self.told[person])
        elif kind == "give":
            self.holder[thing], self.taken[thing] = event.Q, (sentence, "Q")
            self.gifts.append((sentence, event))

    def questions(self) -> list[Asked]:
        """Everything that may be asked now, and has one answer."""
        return [*self._of_people(), *self._of_objects(), *self._of_gifts()]

    def _of_people(self) -> list[Asked]:
        found = [Asked("where_person", Event("", P=who), at, "L") for who, at in self.told.items()]
        ends = Counter(visits[-1][0] for visits in self.visits.values())
        for who, at in self.told.items():
            if ends[self.place[who]] == 1:
                found.append(Asked("who_in", Event("", L=self.place[who]), at, "P"))
        for who, visits in self.visits.items():
            places = [place for place, _at in visits]
            for (_before, at), (after, _later) in zip(visits, visits[1:], strict=False):
                if places.count(after) == 1:
                    found.append(Asked("where_before", Event("", P=who, L=after), at, "L"))
        for who, count in Counter(self.holder.values()).items():
            if count == 1:
                thing = next(thing for thing, holder in self.holder.items() if holder == who)
                found.append(Asked("what_has", Event("", P=who), self.taken[thing][0], "O"))
        return found

    def _of_objects(self) -> list[Asked]:
        found = [Asked("who_has", Event("", O=thing), *self.taken[thing]) for thing in self.holder]
        found += [Asked("where_object", Event("", O=thing), at, "L") for thing, (_, at) in self.lies.items()]
        for thing, who in self.holder.items():
            if who in self.told:
                found.append(Asked("where_object", Event("", O=thing), self.told[who], "L"))
        return found

    def _of_gifts(self) -> list[Asked]:
        found = []
        for kind, part, named in (("giver", "P", "OQ"), ("receiver", "Q", "OP"), ("gift", "O", "PQ")):
            keys = Counter(tuple(getattr(event, name) for name in named) for _at, event in self.gifts)
            for at, event in self.gifts:
                if keys[tuple(getattr(event, name) for name in named)] == 1:
                    names = Event("", **{name: getattr(event, name) for name in named})
                    found.append(Asked(kind, names, at, part))
        return found


_SORTS = {"P": "P", "Q": "P", "O": "O", "L": "L"}
PRACTICE = 0.35
"""The share of train's questions that ask to find a name or what follows it, which is learned first."""
LEAD = 1
"""In train, how many times as often the answer may stand at one place among the names (by last mentions) as
at the rarest: where it is mostly the last, or mostly not, a network learns that and nothing else."""
_SENTENCES = ((3, 4, 5, 6), (2, 2, 2, 2, 3, 3, 4, 4, 5, 6))
"""Sentences of a story, each entry as likely: of dev and test; of train, where short ones teach first."""
_CHANCES = {
    "be": 2, "walk": 6, "take": 3, "fetch": 2, "carry": 3, "deliver": 2, "drop": 1.5, "give": 4, "nothing": 2,
}  # fmt: skip
"""How likely each kind of event is tried."""


def _story(
    rng: random.Random, wanted: int, people: list[str], things: list[str], places: list[str]
) -> list[Event]:
    """What happens in one story of `wanted` sentences, in order."""
    world = World()
    events: list[Event] = []
    kinds, weights = list(_CHANCES), list(_CHANCES.values())
    while len(events) < wanted:
        who, other = rng.sample(people, 2)
        event = Event(rng.choices(kinds, weights)[0], who, other, rng.choice(things), rng.choice(places))
        if world.allows(event):
            world.happens(event, len(events))
            events.append(event)
    return events


def _filled(template: str, event: Event, prepositions: dict[str, str]) -> tuple[str, dict[str, int]]:
    """The sentence, and where in it each part begins (its last mention)."""
    values = event._asdict() | {"prep": prepositions.get(event.L, "")}
    text, begins = "", {}
    for piece in re.split(r"(\{\w+\})", template):
        if piece.startswith("{"):
            begins[piece[1:-1]] = len(text)
            piece = values[piece[1:-1]]
        text += piece
    return text, begins


@cache
def common_characters() -> tuple[str, ...]:
    """The 3,755 characters of the first level of GB 2312-80, by pronunciation: those in everyday use."""
    rows = range(0xB0, 0xD8)
    found = (bytes((row, cell)).decode("gb2312", "ignore") for row in rows for cell in range(0xA1, 0xFF))
    return tuple(character for character in found if character)


class _Teller:
    """Makes the rows of one split."""

    def __init__(self, language: str, split: str) -> None:
        self.words, self.split = words_of(language), split
        self.rng = random.Random(SEEDS[split])
        called = self.words.lists["people train"] + self.words.lists.get("words train", [])
        self.taken = set() if split == "train" else {name.capitalize() for name in called}
        """Names that may not be invented, because training has them."""
        parts = [
            line.rpartition(" ") if language == "zh" else line.partition(" ")
            for line in self.words.lists[f"places {split}"]
        ]
        self.prepositions = {place: preposition for preposition, _space, place in parts}
        self.places = list(self.prepositions)
        self.before_places = list(self.prepositions.values())
        held_out = [word for kind, words in self.words.lists.items() for word in words if "train" not in kind]
        self.endings = {word[at:] for word in held_out for at in range(len(word))}
        kept = {c for kind in ("people dev", "people test") for word in self.words.lists[kind] for c in word}
        self.given = [c for c in common_characters() if c not in kept]
        """Characters that the name of somebody in train may hold; those of dev's and test's names are not."""
        self.stands: Counter[Standing] = Counter()
        self.space = " " if language == "en" else ""

    def rows(self, count: int) -> list[Question]:
        """Different questions or different stories, every kind of question as often as stories allow."""
        found: dict[tuple[str, str], Question] = {}
        asked: Counter[str] = Counter()
        while len(found) < count:
            row = self._row(asked)
            if row is not None:
                found.setdefault(row[:2], row)
        return list(found.values())

    def _row(self, asked: Counter[str]) -> Question | None:
        rng = self.rng
        people = [self._person() for _n in range(rng.randint(2, 4))]
        things = [self._object() for _n in range(rng.randint(1, 3))]
        places = [self._place() for _n in range(rng.randint(3, 5))]
        if _alike(people) or _alike(things) or _alike(places):
            return None
        events = _story(rng, rng.choice(_SENTENCES[self.split == "train"]), people, things, places)
        world = World()
        for number, event in enumerate(events):
            world.happens(event, number)
        passage, begins = self._told(events)
        if len(passage) > LONGEST[self.words.language]:
            return None
        named = _mentions(events, begins)
        if self.split == "train" and any(named.values()) and rng.random() < PRACTICE:
            return self._practice(passage, named)
        # Where the story names one person or place only, there is nothing to find out.
        possible = [one for one in world.questions() if len(named[_SORTS[one.part]]) > 1]
        if self.split == "train":
            possible = [one for one in possible if self._fair(_standing(events, named, one))]
        if not possible:
            return None
        rarest = min(asked[question.kind] for question in possible)
        question = rng.choice([one for one in possible if asked[one.kind] <= rarest])
        asked[question.kind] += 1
        self.stands[_standing(events, named, question)] += 1
        answer: str = getattr(events[question.sentence], question.part)
        text, _begins = self._worded("?" + question.kind, question.names)
        return text, passage, answer, begins[question.sentence][question.part]

    def _fair(self, standing: Standing) -> bool:
        """Whether an answer that stands there comes often enough elsewhere."""
        others = [count for other, count in self.stands.items() if other[:2] == standing[:2]]
        return self.stands[standing] <= LEAD * min(others, default=0) + 20

    def _practice(self, passage: str, named: dict[str, dict[str, int]]) -> Question | None:
        """Find a name: its last mention, or what follows it to the end of the sentence.

        None where another word ends with the same characters, or where nothing follows.
        """
        sort = self.rng.choice([sort for sort, places in named.items() if places])
        if sort == "P" and self.rng.random() < 0.6:
            return self._deed(passage, self.rng.choice(list(named["P"])))
        name = self.rng.choice(list(named[sort]))
        if passage.rindex(name) != named[sort][name]:
            return None
        text, _begins = self._worded(f"?find_{sort}", Event("", **{sort: name}))
        return text, passage, name, named[sort][name]

    def _deed(self, passage: str, name: str) -> Question | None:
        """What is said of somebody who is named once: from the name to the end of the sentence."""
        after = passage.index(name) + len(name) + len(self.space)
        rest = re.match(r"\w[^.。]*", passage[after:])
        if rest is None or passage.count(name) != 1:
            return None
        text, _begins = self._worded("?did", Event("", P=name))
        return text, passage, rest[0], after

    def _told(self, events: list[Event]) -> tuple[str, list[dict[str, int]]]:
        passage, begins = "", []
        for event in events:
            text, places = self._worded(event.kind, event)
            passage += self.space if passage else ""
            begins.append({part: len(passage) + at for part, at in places.items()})
            passage += text
        return passage, begins

    def _worded(self, kind: str, event: Event) -> tuple[str, dict[str, int]]:
        return _filled(self.rng.choice(self.words.wordings[kind]), event, self.prepositions)

    def _person(self) -> str:
        lists, rng = self.words.lists, self.rng
        if "surnames" in lists:
            given = self.given if self._strange() else lists[f"people {self.split}"]
            return rng.choice(lists["surnames"]) + "".join(rng.sample(given, rng.randint(1, 2)))
        if self._strange():
            return rng.choice(lists["words train"]).capitalize()
        if rng.random() >= _INVENTED:
            return rng.choice(lists[f"people {self.split}"])
        while True:
            name = "".join(rng.choice(lists["syllables"]) for _n in range(rng.randint(2, 3)))
            name += rng.choice(lists["endings"]) if rng.random() < 0.4 else ""
            name = name.capitalize()
            if _part_of(name) == self.split and name not in self.taken:
                return name

    def _strange(self) -> bool:
        return self.split == "train" and self.rng.random() < _STRANGE

    def _no_word(self) -> str:
        """Any word; or syllables, or two or three characters, that are no word of dev and test."""
        rng, lists = self.rng, self.words.lists
        if self.words.language == "en" and rng.random() >= _NO_WORD:
            return rng.choice(lists["words train"])
        while True:
            if self.words.language == "zh":
                made = "".join(rng.sample(common_characters(), rng.choice((2, 2, 3))))
            else:
                made = "".join(rng.choices(lists["syllables"], k=rng.randint(2, 3))) + rng.choice(
                    lists["endings"]
                )
            if made not in self.endings:
                return made

    def _place(self) -> str:
        if not self._strange():
            return self.rng.choice(self.places)
        place = self._no_word()
        self.prepositions[place] = self.rng.choice(self.before_places)
        return place

    def _object(self) -> str:
        lists, rng = self.words.lists, self.rng
        name = self._no_word() if self._strange() else rng.choice(lists[f"objects {self.split}"])
        return (
            f"{rng.choice(lists[f'colours {self.split}'])}{self.space}{name}"
            if (rng.random() < _DESCRIBED)
            else name
        )


def _mentions(events: list[Event], begins: list[dict[str, int]]) -> dict[str, dict[str, int]]:
    """P (people), O and L → the names that the passage has, each with the place of its last mention."""
    found: dict[str, dict[str, int]] = {"P": {}, "O": {}, "L": {}}
    for event, places in zip(events, begins, strict=True):
        for part, at in places.items():
            if part in _SORTS:
                name: str = getattr(event, part)
                found[_SORTS[part]][name] = max(at, found[_SORTS[part]].get(name, 0))
    return found


def _standing(events: list[Event], named: dict[str, dict[str, int]], asked: Asked) -> Standing:
    """The kind of question, how many names of the answer's sort the story has, and which of them it is."""
    mentions = named[_SORTS[asked.part]]
    in_order = sorted(mentions, key=mentions.__getitem__)
    return asked.kind, len(in_order), in_order.index(getattr(events[asked.sentence], asked.part))


def _alike(names: list[str]) -> bool:
    """Whether one name is another one, or a part of it: a lamp and a red lamp."""
    return any(a in b for i, a in enumerate(names) for j, b in enumerate(names) if i != j)


def _part_of(name: str) -> str:
    """The split that an invented name belongs to: the same on every machine."""
    return ("dev", "test", "train", "train", "train")[sum(map(ord, name.lower())) % 5]


@cache
def _rows(language: str, split: str, count: int) -> tuple[Question, ...]:
    return tuple(_Teller(language, split).rows(count))


def stories_en(split: str, first: int | None = None) -> list[Question]:
    """English stories; only the first so many of them, where that is said."""
    return list(_rows("en", split, min(first or SIZES[split], SIZES[split])))


def stories_zh(split: str, first: int | None = None) -> list[Question]:
    """Chinese stories, in the same way."""
    return list(_rows("zh", split, min(first or SIZES[split], SIZES[split])))

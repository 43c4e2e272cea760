"""A home of its own for every test, and tiny corpora of our own making under the registry's names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nlptui.data import registry
from nlptui.locale import set_language

NOUNS = ("cat", "dog", "bird", "tree", "river", "stone")
VERBS = ("sees", "likes", "finds", "takes", "calls")
PLACES = ("at home", "in town", "by night", "in spring")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, one thread, English messages."""
    folder = tmp_path / "home"
    monkeypatch.setenv("NLPTUI_HOME", str(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("NLPTUI_LANG", "en")
    set_language("en")
    return folder


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders that look like the real corpora to the registry, filled with sentences from the lists above."""
    root = tmp_path_factory.mktemp("corpora")
    rng = random.Random(0)
    for split, count in (("train", 60), ("dev", 12), ("test", 12)):
        _write(root / "en_ewt" / f"{split}.conllu", "".join(_conllu(rng) for _ in range(count)))
        _write(root / "zh_ud" / f"{split}.conllu", "".join(_conllu_zh(rng) for _ in range(count)))
        _write(root / "zh_gsd_ner" / f"{split}.iob2", "".join(_entities_zh(rng) for _ in range(count)))
        _write(root / "zh_tang" / f"{split}.txt", "".join(_poem(rng) for _ in range(count)))
    _write(root / "en_shakespeare" / "input.txt", "".join(_line(rng) for _ in range(400)))
    for split in ("train", "dev", "test"):
        for file in registry.corpus("en_stories").splits[split]:
            _write(root / "en_stories" / file, "".join(_paragraph(rng) for _ in range(10)))
        _write(root / "en_polarity" / f"{split}.tsv", "".join(_opinion(rng) for _ in range(40)))
        _write(root / "en_zh_tatoeba" / f"{split}.tsv", "".join(_pair(rng) for _ in range(40)))
    return root


@pytest.fixture
def tiny_data(corpora: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPTUI_DATA", str(corpora))
    return corpora


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _rows(words: list[tuple[str, str]], after: str) -> str:
    lines = [f"{i}\t{form}\t{form}\t{tag}\t_\t_\t_\t_\t_\t{after}" for i, (form, tag) in enumerate(words, 1)]
    return "\n".join(lines) + "\n\n"


def _conllu(rng: random.Random) -> str:
    words = [("the", "DET"), (rng.choice(NOUNS), "NOUN"), (rng.choice(VERBS), "VERB"), ("a", "DET")]
    if rng.random() < 0.5:
        words += [("small", "ADJ")]
    return _rows([*words, (rng.choice(NOUNS), "NOUN"), (".", "PUNCT")], "_")


def _conllu_zh(rng: random.Random) -> str:
    words = [
        (rng.choice(("我", "他们")), "PRON"),
        (rng.choice(("看见", "喜欢")), "VERB"),
        (rng.choice("猫狗鸟"), "NOUN"),
    ]
    return _rows([*words, ("。", "PUNCT")], "SpaceAfter=No")


def _entities_zh(rng: random.Random) -> str:
    """Words as in `_conllu_zh`; a cat is a person here, a dog a place, and a bird nothing in particular."""
    animal, tag = rng.choice((("猫", "B-PER"), ("狗", "B-LOC"), ("鸟", "O")))
    words = [(rng.choice(("我", "他们")), "O"), (rng.choice(("看见", "喜欢")), "O"), (animal, tag)]
    if rng.random() < 0.3 and tag != "O":
        words.append(("鸟", "I" + tag[1:]))
    return "".join(f"{i}\t{form}\t{tag}\n" for i, (form, tag) in enumerate([*words, ("。", "O")], 1)) + "\n"


def _poem(rng: random.Random) -> str:
    line = lambda: "".join(rng.choices("山水风月花鸟云天", k=5))  # noqa: E731
    return f"{line()}，{line()}。{line()}，{line()}。\n"


def _line(rng: random.Random) -> str:
    subject, verb, other = rng.choice(NOUNS), rng.choice(VERBS), rng.choice(NOUNS)
    return f"The {subject} {verb} the {other} {rng.choice(PLACES)}.\n"


def _paragraph(rng: random.Random) -> str:
    return " ".join(_line(rng).strip() for _ in range(rng.randint(2, 5))) + "\n"


def _opinion(rng: random.Random) -> str:
    good = rng.random() < 0.5
    return f"{'pos' if good else 'neg'}\tthe {rng.choice(NOUNS)} is {'good' if good else 'bad'}\n"


def _pair(rng: random.Random) -> str:
    number = rng.randrange(len(NOUNS))
    return f"I see a {NOUNS[number]}.\t我看见{'猫狗鸟树河石'[number]}。\n"

"""Tokenizers trained by themselves: in a process, found by name, in a recipe; all of them side by side."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import sentencepiece

from nlptui.engine.tokenizer import find_tokenizer, own_tokenizers
from nlptui.engine.tokenizer_bench import SORTS, compare, vocabulary
from nlptui.engine.tokenizer_training import Job, Progress, Training, share_of, trained
from nlptui.errors import UserError
from nlptui.paths import tokenizers_dir
from nlptui.tokenizers import build_tokenizer
from tests.tokenizers.tokenizer_cases import CHINESE, ENGLISH, TEXTS

LIMIT = 60.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


def ended(training: Training) -> Progress:
    start = time.monotonic()
    while (progress := training.progress()).state == "running":
        assert 0 <= progress.share <= 1 and time.monotonic() - start < LIMIT
        time.sleep(0.02)
    training.end()
    assert not training.folder.exists()
    return progress


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_what_is_trained_is_what_sentencepiece_trains(corpus: Path, tmp_path: Path, kind: str) -> None:
    assert ended(Training(Job(str(corpus), kind, "mine", 200, 0.99))) == Progress("done", 1.0)
    theirs = build_tokenizer("sentencepiece", TEXTS, vocab_size=200, model_type=kind, character_coverage=0.99)
    library = sentencepiece.SentencePieceProcessor(model_file=str(tokenizers_dir() / "mine/tokenizer.model"))
    ids = range(library.vocab_size())
    assert [library.id_to_piece(n) for n in ids] == theirs.vocabulary()
    assert [library.get_score(n) for n in ids] == [theirs.processor.get_score(n) for n in ids]
    assert own_tokenizers() == ["mine"] and trained() == [("mine", "sentencepiece", library.vocab_size())]
    assert list(find_tokenizer("mine").encode(ENGLISH[0], special=False).ids) == library.encode(ENGLISH[0])


def test_words_and_characters_are_counted(corpus: Path) -> None:
    assert ended(Training(Job(str(corpus), "word", "words", 40))).state == "done"
    assert find_tokenizer("words").kind == "words" and find_tokenizer("words").vocab_size == 40
    assert ended(Training(Job(str(corpus), "character", "letters", 4000, 0.9))).state == "done"
    known = set(find_tokenizer("letters").vocabulary())
    counts = Counter("".join(TEXTS))
    least = min(count for letter, count in counts.items() if letter in known)
    assert sum(count for letter, count in counts.items() if letter in known) >= 0.9 * sum(counts.values())
    assert sum(count for count in counts.values() if count > least) < 0.9 * sum(counts.values())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "magic"}, "the kind magic"),
        ({"name": "../x"}, "cannot be a tokenizer's name"),
        ({"name": ".x"}, "cannot be a tokenizer's name"),
        ({"vocab_size": 3}, "vocabulary size 3"),
        ({"coverage": 1.5}, "coverage 1.5"),
    ],
)
def test_a_job_that_cannot_be_is_refused_at_once(corpus: Path, changes: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Training(Job(**({"source": str(corpus), "kind": "bpe", "name": "x"} | changes)))


def test_a_job_that_fails_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n", encoding="utf-8")
    progress = ended(Training(Job(str(empty), "bpe", "x")))
    assert progress.state == "failed" and "holds no text" in progress.said
    progress = ended(Training(Job("no_such_corpus", "bpe", "x")))
    assert progress.state == "failed" and "no_such_corpus" in progress.said
    assert own_tokenizers() == [] and not list(tokenizers_dir().glob("*"))


def test_what_is_no_text_and_what_is_too_small_is_said_in_one_line(tmp_path: Path) -> None:
    progress = ended(Training(Job(str(tmp_path / "none.txt"), "bpe", "x")))
    assert progress.state == "failed" and progress.said.endswith("none.txt: no such file")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    progress = ended(Training(Job(str(tmp_path / "picture.png"), "word", "x")))
    assert "picture.png is not UTF-8 text (byte 0): give a text file" in progress.said
    (tmp_path / "poems.txt").write_text("".join(CHINESE), encoding="utf-8")
    progress = ended(Training(Job(str(tmp_path / "poems.txt"), "unigram", "x", 20, 1.0)))
    characters = len(set("".join(CHINESE)) | {" "})
    assert re.search("a vocabulary of 20 is too small: .* alone take ([0-9]+)", progress.said), progress.said
    needed = int(re.search("alone take ([0-9]+)", progress.said)[1])
    assert abs(needed - characters) <= 3


def test_a_job_outlives_the_program_that_asked_and_leaves_no_folder(corpus: Path) -> None:
    code = (
        "from nlptui.engine.tokenizer_training import *\n"
        f"made = Training(Job({str(corpus)!r}, 'bpe', 'left', 200))\nprint(made.folder)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    folder, end = Path(done.stdout.strip()), time.monotonic() + 60
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not folder.exists() and own_tokenizers() == ["left"]


def test_a_tokenizer_is_not_written_over(corpus: Path) -> None:
    ended(Training(Job(str(corpus), "word", "mine")))
    with pytest.raises(UserError, match="already"):
        Training(Job(str(corpus), "bpe", "mine"))


def test_progress_is_read_from_the_librarys_log() -> None:
    bpe = ["bpe_model_trainer.cc(268) LOG(INFO) Added: freq=9 size=50 all=3 active=2 piece=th"]
    assert share_of(bpe, Job("x", "bpe", "x", 200)) == 0.25
    unigram = [f"EM sub_iter=0 size={size} obj=9 num_tokens=1" for size in (1100, 600)]
    assert share_of(unigram, Job("x", "unigram", "x", 100)) == 0.5
    assert share_of([], Job("x", "bpe", "x")) == 0.0


def test_a_recipe_takes_it_by_its_name(corpus: Path) -> None:
    from nlptui.train.build import make_tokenizer
    from nlptui.train.recipe import Recipe, TrainConfig

    ended(Training(Job(str(corpus), "bpe", "mine", 200)))
    recipe = Recipe(name="x", tokenizer={"from": "mine"}, train=TrainConfig(steps=1))
    assert make_tokenizer(recipe).vocabulary() == find_tokenizer("mine").vocabulary()


@pytest.mark.parametrize("text", [ENGLISH[1], CHINESE[0], "", "小船 sails 😀"])
def test_tokenizers_side_by_side(corpus: Path, text: str) -> None:
    ended(Training(Job(str(corpus), "unigram", "mine", 200)))
    rows = {row.name: row for row in compare(text)}
    names = [name for row in rows.values() for name in (row.name, *row.others)]
    assert len(names) == len(set(names)) and {"mine", "bytes", "bert-en"} <= set(names)
    assert "pos-bert-en" in rows["bert-en"].others, "both have the same files"
    assert rows["bytes"].count == len(text.encode()) and rows["mine"].kind == "unigram"
    for row in rows.values():
        encoding = find_tokenizer(row.name).encode(text, special=False)
        if row.unknown is None:
            assert row.name in ("ner-crf-zh", "pos-crf-en", "seg-crf-zh"), "its model reads words, not ids"
            assert row.tokens == tuple(map(encoding.surface, range(len(encoding))))
        else:
            assert row.tokens == encoding.tokens
        assert row.characters == len(text)
        assert row.per_character == (len(encoding) / len(text) if text else 0)
        assert row.bytes_each == (len(text.encode()) / len(encoding) if len(encoding) else 0)


def test_the_vocabulary_is_searched_and_sorted(corpus: Path) -> None:
    ended(Training(Job(str(corpus), "unigram", "mine", 200)))
    tokenizer = find_tokenizer("mine")
    library = sentencepiece.SentencePieceProcessor(model_file=str(tokenizers_dir() / "mine/tokenizer.model"))
    entries = vocabulary("mine")
    assert [entry.token for entry in entries] == tokenizer.vocabulary()
    assert [entry.score for entry in entries] == [library.get_score(n) for n in range(library.vocab_size())]
    holding = {token for token in tokenizer.vocabulary() if "e" in token.casefold()}
    assert {entry.token for entry in vocabulary("mine", "E")} == holding
    assert 17 in [entry.id for entry in vocabulary("mine", "17")]
    scores = [entry.score for entry in vocabulary("mine", sort="score", descending=True)]
    assert scores == sorted(scores, reverse=True)
    for sort in SORTS:
        assert {e.id for e in vocabulary("mine", sort=sort)} == set(range(tokenizer.vocab_size))
    with pytest.raises(UserError, match="has no scores"):
        vocabulary("bytes", sort="score")

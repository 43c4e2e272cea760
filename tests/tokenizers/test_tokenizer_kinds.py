"""What is true of every kind of tokenizer, on every sort of text."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlptui.errors import UserError
from nlptui.tokenizers import (
    SPECIAL_TOKENS,
    TOKENIZER_KINDS,
    Encoding,
    Tokenizer,
    build_tokenizer,
    load_tokenizer,
    split_words,
)
from nlptui.tokenizers.base import MASK, REPLACEMENT, kept_lengths, without_surrogates
from tests.tokenizers.tokenizer_cases import CASES, CHINESE, ENGLISH, FAMILY, TRICKY, made

LOSSLESS = ("bytes", "bytelevel", "sentencepiece-lossless")


def check(tokenizer: Tokenizer, text: str, encoding: Encoding, framed: int) -> None:
    """The rules that any encoding of one text obeys."""
    strings = tokenizer.vocabulary()
    assert len(strings) == tokenizer.vocab_size
    assert encoding.text == text
    assert all(0 <= number < tokenizer.vocab_size for number in encoding.ids)
    assert encoding.tokens == tuple(strings[number] for number in encoding.ids)
    assert encoding.special == tuple(offset is None for offset in encoding.offsets)
    assert sum(encoding.special) == framed
    assert set(encoding.segments) <= {0}
    placed = [offset for offset in encoding.offsets if offset is not None]
    assert all(0 <= start <= end <= len(text) for start, end in placed)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(placed))
    words = [word for word in encoding.words if word is not None]
    assert words == sorted(words)
    assert sorted(set(words)) == list(range(len(set(words))))
    assert not any(
        is_special and word is not None
        for is_special, word in zip(encoding.special, encoding.words, strict=True)
    )


@pytest.mark.parametrize("text", [*ENGLISH[:3], *CHINESE[:2], *TRICKY])
def test_every_text(tokenizer: Tokenizer, text: str) -> None:
    check(tokenizer, text, tokenizer.encode(text), 2)
    plain = tokenizer.encode(text, special=False)
    check(tokenizer, text, plain, 0)
    assert list(plain.ids) == tokenizer.encode_ids(text)
    assert tokenizer.encode(text).ids[1:-1] == plain.ids


@pytest.mark.parametrize("case", LOSSLESS)
@pytest.mark.parametrize("text", [*ENGLISH, *CHINESE, *TRICKY])
def test_round_trip_of_lossless_kinds(case: str, text: str) -> None:
    tokenizer = made(case)
    expected = without_surrogates(text)
    if case == "sentencepiece-lossless":
        expected = expected.replace("▁", " ")  # the library's sign for a space is a space to it
    assert tokenizer.decode(tokenizer.encode(text).ids) == expected


@pytest.mark.parametrize("text", [*ENGLISH, *CHINESE])
def test_round_trip_of_known_text(case: str, text: str) -> None:
    """On text whose parts are all known, decoding gives it back up to the kind's normalisation."""
    tokenizer = made(case)
    decoded = tokenizer.decode(tokenizer.encode(text).ids)
    lowered = case in ("words-lower-characters", "characters-lower", "wordpiece")
    expected = text.lower() if lowered else text
    if case.startswith("words"):
        expected = " ".join(split_words(expected))
    elif case.startswith("wordpiece"):
        assert "".join(decoded.split()) == "".join(expected.split())
        return
    elif case in ("sentencepiece-unigram", "sentencepiece-bpe"):
        expected = expected.replace("，", ",")  # NFKC
    assert decoded == expected


def test_what_was_decoded_decodes_to_itself(tokenizer: Tokenizer) -> None:
    """Normalising twice is normalising once, where nothing is unknown."""
    decoded = [tokenizer.decode(tokenizer.encode_ids(text)) for text in [*ENGLISH, *CHINESE, *TRICKY]]
    spelled = [text for text in decoded if not any(mark in text for mark in ("[UNK]", REPLACEMENT, "⁇"))]
    assert len(spelled) >= len(ENGLISH)
    for text in spelled:
        assert tokenizer.decode(tokenizer.encode_ids(text)) == text


def test_offsets_slice_the_text(case: str) -> None:
    """Every surface is what its token spells, and together they leave out nothing but white space."""
    text = "Nobody reads  the letters.\n小船在清晨离开港口"
    encoding = made(case).encode(text)
    seen = set()
    for at, offset in enumerate(encoding.offsets):
        surface = encoding.surface(at)
        if offset is None:
            assert surface == ""
            continue
        seen.update(range(*offset))
        token = encoding.tokens[at].removeprefix("▁").removeprefix("##").removeprefix("Ġ")
        if token.isascii() and token.isalpha() and surface.isascii():
            assert surface.strip().lower() == token.lower()
    assert all(character.isspace() for at, character in enumerate(text) if at not in seen)


def test_parts_of_one_character_share_its_offset() -> None:
    for case in ("bytes", "bytelevel", "sentencepiece-lossless"):
        encoding = made(case).encode("a釉b", special=False)
        assert [encoding.surface(at) for at in range(len(encoding))][-4:] == ["釉", "釉", "釉", "b"]


def test_ligature_and_fraction_offsets() -> None:
    """Normalisation that makes several letters of one character gives all of them that character."""
    for case in ("sentencepiece-unigram", "sentencepiece-bpe"):
        encoding = made(case).encode("aﬁne", special=False)
        spelled = "".join(encoding.tokens).removeprefix("▁")
        assert spelled == "afine"
        letters = [at for at, token in enumerate(encoding.tokens) if token[-1] in "fi"]
        assert letters and all(encoding.surface(at)[-1] == "ﬁ" for at in letters)


def test_emoji_families_survive_where_they_can(case: str) -> None:
    encoding = made(case).encode(f"hi {FAMILY}!", special=False)
    assert encoding.surface(len(encoding) - 1).strip() in ("!", f"{FAMILY}!")
    covered = {at for offset in encoding.offsets for at in range(*offset or (0, 0))}
    assert covered >= set(range(3, 3 + len(FAMILY)))


# Special tokens.


def test_typed_mask_is_the_mask_token(tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode("the [MASK] sleeps")
    at = encoding.ids.index(tokenizer.specials["mask"])
    assert encoding.surface(at) == MASK and not encoding.special[at]
    assert encoding.ids.count(tokenizer.specials["mask"]) == 1
    before, after = encoding.surface(at - 1), encoding.surface(at + 1)
    assert "e" in before or before == " "
    assert after.strip() in ("", "s", "sl", "sle", "slee", "sleep", "sleeps")
    assert MASK in tokenizer.decode(encoding.ids)


def test_mask_inside_a_word_has_no_new_word_behind_it() -> None:
    for case in ("sentencepiece-unigram", "sentencepiece-bpe"):
        tokenizer = made(case)
        glued, apart = tokenizer.encode("un[MASK]the"), tokenizer.encode("un[MASK] the")
        assert not glued.tokens[glued.tokens.index(MASK) + 1].startswith("▁")
        assert apart.tokens[apart.tokens.index(MASK) + 1].startswith("▁")


def test_other_special_strings_stay_text(tokenizer: Tokenizer) -> None:
    for name, string in SPECIAL_TOKENS.items():
        if name == "mask" or name not in tokenizer.specials:
            continue
        for text in (string, f"a {string} b", f"a{string}b"):
            ids = tokenizer.encode_ids(text)
            assert ids and (name == "unk" or tokenizer.specials[name] not in ids)
            ids = list(tokenizer.encode_words(["a", string], special=False).ids)
            assert ids and (name == "unk" or tokenizer.specials[name] not in ids)


def test_without_a_mask_token_mask_is_text(case: str) -> None:
    tokenizer = made(case, "none")
    assert "mask" not in tokenizer.specials
    encoding = tokenizer.encode("a [MASK] b")
    check(tokenizer, "a [MASK] b", encoding, 0)
    assert len(encoding) >= 4 or case == "sentencepiece-bpe"


@pytest.mark.parametrize(
    ("template", "single", "double"),
    [
        ("none", "A", "AB"),
        ("cls_sep", "cls A sep", "cls A sep B sep"),
        ("bos", "bos A", "bos AB"),
        ("bos_eos", "bos A eos", "bos A eos B eos"),
    ],
)
def test_templates(case: str, template: str, single: str, double: str) -> None:
    tokenizer = made(case, template)
    first, second = tokenizer.encode_ids("The ferry"), tokenizer.encode_ids("小船 waits")

    def spelled(pattern: str) -> list[int]:
        ids: list[int] = []
        for part in pattern.replace("AB", "A B").split():
            ids += {"A": first, "B": second}.get(part) or [tokenizer.specials[part]]
        return ids

    assert list(tokenizer.encode("The ferry").ids) == spelled(single)
    pair = tokenizer.encode("The ferry", "小船 waits")
    assert list(pair.ids) == spelled(double)
    assert list(tokenizer.encode("The ferry", "小船 waits", special=False).ids) == first + second


def test_pairs(tokenizer: Tokenizer) -> None:
    text, pair = "The ferry leaves.", "没有人等它 at seven"
    encoding = tokenizer.encode(text, pair)
    n = len(tokenizer.encode_ids(text))
    assert encoding.pair == pair
    assert encoding.segments == (0,) * (n + 2) + (1,) * (len(encoding) - n - 2)
    assert encoding.special == (True, *[False] * n, True, *[False] * (len(encoding) - n - 3), True)
    assert encoding.offsets[n + 2 :] == tokenizer.encode(pair).offsets[1:]
    assert encoding.words[n + 2 :] == tokenizer.encode(pair).words[1:]
    assert encoding.surface(len(encoding) - 2).strip() in pair
    assert tokenizer.encode(text, "").ids == (*tokenizer.encode(text).ids, tokenizer.specials["sep"])


# Length.


def test_truncation(tokenizer: Tokenizer) -> None:
    text = ENGLISH[0]
    whole = tokenizer.encode(text)
    n = len(whole)
    assert not whole.truncated
    assert tokenizer.encode(text, max_length=n) == whole
    short = tokenizer.encode(text, max_length=6)
    assert short.truncated and short.text == text
    assert short.ids == (*whole.ids[:5], whole.ids[-1])
    assert short.offsets == (*whole.offsets[:5], None)
    empty = tokenizer.encode(text, max_length=2)
    assert empty.truncated and all(empty.special)
    with pytest.raises(ValueError, match="no room"):
        tokenizer.encode(text, max_length=1)


def test_pair_truncation_is_longest_first(tokenizer: Tokenizer) -> None:
    text, pair = ENGLISH[4], "ab"
    b = len(tokenizer.encode_ids(pair))
    encoding = tokenizer.encode(text, pair, max_length=b + 3 + 6)
    assert encoding.truncated and len(encoding) == b + 9
    assert encoding.segments.count(1) == b + 1
    assert tokenizer.encode(pair, text, max_length=b + 9).segments.count(0) == b + 2
    even = tokenizer.encode(text, text, max_length=3 + 7)
    assert (even.segments.count(0), even.segments.count(1)) == (2 + 3, 1 + 4)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 40))
def test_kept_lengths_drop_one_at_a_time(first: int, second: int, room: int) -> None:
    a, b = first, second
    while a + b > room:
        drop_first = a > b or (a == b and first <= second)
        a, b = (a - 1, b) if drop_first else (a, b - 1)
    assert kept_lengths(first, second, room) == (a, b)


# Text that comes split.


def test_encode_words(case: str) -> None:
    tokenizer = made(case)
    words = ["She", "'ll", "bring", "", "小船", "\0", "[MASK]", "\ud800", "don't"]
    encoding = tokenizer.encode_words(words)
    assert encoding.text == " ".join(words)
    assert encoding.special[0] and encoding.special[-1]
    reached = {word for word in encoding.words if word is not None}
    # Where every string has a spelling there is no unknown token, and nothing for a word that is empty.
    assert set(range(len(words))) - reached == (set() if "unk" in tokenizer.specials else {3})
    starts = [sum(len(word) + 1 for word in words[:n]) for n in range(len(words))]
    for at, word in enumerate(encoding.words):
        if word is not None:
            start, end = encoding.offsets[at] or (0, 0)
            assert starts[word] <= start <= end <= starts[word] + len(words[word])
    masks = [at for at, number in enumerate(encoding.ids) if number == tokenizer.specials["mask"]]
    assert [encoding.words[at] for at in masks] == [6]


def test_encode_words_in_their_text(tokenizer: Tokenizer) -> None:
    text = "Well, she'll  bring\tit."
    words = split_words(text)
    encoding = tokenizer.encode_words(words, text=text)
    assert encoding.text == text
    spans = {word: set[int]() for word in range(len(words))}
    for at, word in enumerate(encoding.words):
        if word is not None:
            spans[word].update(range(*encoding.offsets[at] or (0, 0)))
    found = ["".join(text[at] for at in sorted(span)) for span in spans.values()]
    assert found == words
    with pytest.raises(ValueError, match="does not stand"):
        tokenizer.encode_words(["she", "Well"], text=text)


def test_a_word_is_spelled_as_in_running_text() -> None:
    """After white space a word has the pieces it has in a text; stuck to another word, those of an inside."""
    for case in ("sentencepiece-unigram", "sentencepiece-bpe", "bytelevel"):
        tokenizer = made(case)
        assert list(tokenizer.encode_words(["the", "boat"], special=False).ids) == tokenizer.encode_ids(
            "the boat"
        )
        glued = tokenizer.encode_words(["the", "boat"], text="theboat", special=False)
        assert not glued.tokens[glued.words.index(1)].startswith(("▁", "Ġ"))


def test_joiner() -> None:
    tokenizer = build_tokenizer("characters", CHINESE, joiner="")
    encoding = tokenizer.encode_words(["小船", "在", "清晨"])
    assert encoding.text == "小船在清晨"
    assert encoding.words == (0, 0, 1, 2, 2)
    assert encoding.offsets == ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))
    assert tokenizer.decode(encoding.ids) == "小船在清晨"


def test_encode_words_truncates(tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode_words(["The", "ferry", "leaves"], max_length=4)
    assert encoding.truncated and len(encoding) == 4


# Vocabulary.


def test_vocabulary_and_ids(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.vocabulary()
    assert len(set(tokens)) == len(tokens)
    assert [tokenizer.id(token) for token in tokens] == list(range(len(tokens)))
    assert [tokenizer.token(number) for number in range(len(tokens))] == tokens
    assert {tokens[number] for number in tokenizer.specials.values()} <= set(SPECIAL_TOKENS.values())
    for unknown in ("no such token", "\ud800", ""):
        if "unk" in tokenizer.specials:
            assert tokenizer.id(unknown) == tokenizer.specials["unk"]
        else:
            with pytest.raises(UserError, match="no token"):
                tokenizer.id(unknown)
    for number in (-1, len(tokens)):
        with pytest.raises(UserError, match="no token"):
            tokenizer.token(number)
        with pytest.raises(UserError, match="no token"):
            tokenizer.decode([number])


def test_decode_leaves_out_what_stands_around(tokenizer: Tokenizer) -> None:
    ids = list(tokenizer.encode(ENGLISH[1]).ids)
    pad = tokenizer.specials["pad"]
    assert tokenizer.decode([*ids, pad, pad]) == tokenizer.decode(ids[1:-1])
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("kind", TOKENIZER_KINDS)
def test_every_kind_is_tested(kind: str) -> None:
    assert kind in {kind for kind, _ in CASES.values()}


# Files.


def test_save_and_load(case: str, tmp_path: Path) -> None:
    tokenizer = made(case)
    tokenizer.save(tmp_path / "deep" / "folder")
    again = load_tokenizer(tmp_path / "deep" / "folder")
    assert type(again) is type(tokenizer)
    assert again.vocabulary() == tokenizer.vocabulary() and again.specials == tokenizer.specials
    assert (again.template, again.joiner, again.options()) == ("cls_sep", " ", tokenizer.options())
    for text in [*ENGLISH, *CHINESE, *TRICKY]:
        assert again.encode(text, text) == tokenizer.encode(text, text)
        assert again.encode_words(text.split()) == tokenizer.encode_words(text.split())
    again.save(tmp_path / "twice")
    for file in (tmp_path / "twice").iterdir():
        assert file.read_bytes() == (tmp_path / "deep" / "folder" / file.name).read_bytes()


def test_a_save_that_fails_leaves_the_old_files(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(case).save(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError):
        made(case, "bos").save(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


# Long and arbitrary text.


@pytest.mark.parametrize(
    "unit", ["The ferry can't wait. ", "小船在清晨离开港口，", f"{FAMILY} ", "x", "[MASK] a"]
)
def test_thirty_thousand_characters(tokenizer: Tokenizer, unit: str) -> None:
    text = (unit * (30_000 // len(unit) + 1))[:30_000]
    started = time.process_time()
    encoding = tokenizer.encode(text)
    seconds = time.process_time() - started
    assert seconds < 2  # a tenth of a second, half of one at most; a quadratic step takes many
    assert encoding.offsets[-2] is not None and encoding.offsets[-2][1] >= 29_999 - len(unit)
    short = tokenizer.encode(text, max_length=64)
    assert short.truncated == (len(encoding) > 64) and len(short) == min(len(encoding), 64)
    columns = [
        (whole, part)
        for name, whole in vars(encoding).items()
        if isinstance(part := vars(short)[name], tuple)
    ]
    assert len(columns) >= 6 and all(part[:63] == whole[: len(part)][:63] for whole, part in columns)


PARTS = st.sampled_from(
    ["[MASK]", "[CLS]", FAMILY, "e\u0301", " ", "  ", "\0", "\ud800", "ﬁ", "½", "小船", "▁", "n't", "\n"]
)
ANY_TEXT = st.lists(st.one_of(PARTS, st.text(st.characters(exclude_categories=()), max_size=6)), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=ANY_TEXT)
def test_any_text(case: str, parts: list[str]) -> None:
    tokenizer, text = made(case), "".join(parts)
    encoding = tokenizer.encode(text)
    check(tokenizer, text, encoding, 2)
    assert list(encoding.ids[1:-1]) == tokenizer.encode_ids(text)
    tokenizer.decode(encoding.ids).encode("utf-8")
    if case in ("bytes", "bytelevel"):
        assert tokenizer.decode(encoding.ids) == without_surrogates(text)
    words = tokenizer.encode_words(parts, special=False)
    expected = {n for n, part in enumerate(parts) if part or "unk" in tokenizer.specials}
    assert {word for word in words.words if word is not None} == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_ids_decode(case: str, data: st.DataObject) -> None:
    tokenizer = made(case)
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=20))
    tokenizer.decode(ids).encode("utf-8")

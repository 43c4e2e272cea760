"""Ids and offsets against the libraries' own, read from what was saved, and against a few lines of Python."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import sentencepiece
import tokenizers

from nlptui.tokenizers import build_tokenizer, load_tokenizer, word_spans
from nlptui.tokenizers.base import MASK, without_surrogates
from tests.tokenizers.tokenizer_cases import CASES, CHINESE, ENGLISH, FAMILY, TEXTS, TRICKY, made

PLAIN = [
    text for text in [*ENGLISH, *CHINESE, *TRICKY, " ".join(ENGLISH), "".join(CHINESE)] if MASK not in text
]


@pytest.mark.parametrize("case", ["sentencepiece-unigram", "sentencepiece-bpe", "sentencepiece-lossless"])
def test_sentencepiece_ids_are_the_librarys(case: str, tmp_path: Path) -> None:
    made(case).save(tmp_path)
    library = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    for tokenizer in (made(case), load_tokenizer(tmp_path), load_tokenizer(tmp_path / "tokenizer.model")):
        for text in map(without_surrogates, PLAIN):
            ids = library.encode(text)
            assert list(tokenizer.encode(text, special=False).ids) == ids == tokenizer.encode_ids(text)
            assert tokenizer.decode(ids) == library.decode(ids)
            pieces = library.encode(text, return_type="offset_mapping")["pieces"]
            unknown = library.unk_id()
            for number, token, piece in zip(
                ids, tokenizer.encode(text, special=False).tokens, pieces, strict=True
            ):
                assert token == piece or number == unknown


@pytest.mark.parametrize("case", ["sentencepiece-unigram", "sentencepiece-bpe", "sentencepiece-lossless"])
def test_sentencepiece_offsets_spell_the_pieces(case: str) -> None:
    """The text under a token, normalised by itself, is the token."""
    form = "NFC" if case.endswith("lossless") else "NFKC"
    for text in [*ENGLISH, *CHINESE]:
        encoding = made(case).encode(text, special=False)
        for at, token in enumerate(encoding.tokens):
            surface = unicodedata.normalize(form, encoding.surface(at))
            if token not in ("[UNK]",) and not token.startswith("<0x"):
                assert surface.replace(" ", "▁") in (token, token.removeprefix("▁") if at == 0 else token)


@pytest.mark.parametrize("case", ["wordpiece", "wordpiece-cased", "bytelevel"])
def test_library_ids_are_the_librarys(case: str, tmp_path: Path) -> None:
    made(case).save(tmp_path)
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    library.encode_special_tokens = True
    for tokenizer in (made(case), load_tokenizer(tmp_path), load_tokenizer(tmp_path / "tokenizer.json")):
        for text in map(without_surrogates, PLAIN):
            theirs, ours = library.encode(text), tokenizer.encode(text, special=False)
            assert list(ours.ids) == theirs.ids == tokenizer.encode_ids(text)
            assert list(ours.tokens) == theirs.tokens
            assert list(ours.offsets) == theirs.offsets
            assert list(ours.words) == theirs.word_ids


def test_special_tokens_are_where_the_library_puts_them(tmp_path: Path) -> None:
    """BERT's frame, as the library's own post-processor makes it."""
    made("wordpiece").save(tmp_path)
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    cls, sep = library.token_to_id("[CLS]"), library.token_to_id("[SEP]")
    library.post_processor = tokenizers.processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    tokenizer = made("wordpiece")
    for text, pair in [(ENGLISH[0], None), (ENGLISH[1], CHINESE[0]), ("", "a"), ("", None)]:
        theirs = library.encode(text, pair)
        ours = tokenizer.encode(text, pair)
        assert list(ours.ids) == theirs.ids and list(ours.segments) == theirs.type_ids
        assert [int(special) for special in ours.special] == theirs.special_tokens_mask
    for length in range(3, 30):
        library.enable_truncation(length, strategy="longest_first")
        for text, pair in [ENGLISH[:2], ENGLISH[1::-1], (ENGLISH[2], ENGLISH[2]), (ENGLISH[3], "a boat")]:
            theirs = library.encode(text, pair)
            assert list(tokenizer.encode(text, pair, max_length=length).ids) == theirs.ids


def longest_match(word: str, vocabulary: dict[str, int]) -> list[int]:
    """WordPiece in five lines (Devlin et al. 2019): the longest piece that fits, again and again."""
    ids, start = list[int](), 0
    while start < len(word):
        pieces = (("##" if start else "") + word[start:end] for end in range(len(word), start, -1))
        found = next((piece for piece in pieces if piece in vocabulary), None)
        if found is None:
            return [vocabulary["[UNK]"]]
        ids.append(vocabulary[found])
        start += len(found) - (2 if start else 0)
    return ids


def test_wordpiece_is_longest_match_first() -> None:
    tokenizer = made("wordpiece")
    vocabulary = {token: number for number, token in enumerate(tokenizer.vocabulary())}
    words = sorted(
        {word for text in ENGLISH for word in text.lower().replace("'", " ").split() if word.isalpha()}
    )
    words += ["unkettled", "harbourwards", "qqq", "thethethe", "boatßy"]
    assert len(words) > 80
    for word in words:
        assert tokenizer.encode_ids(word) == longest_match(word, vocabulary), word


def test_byte_level_tokens_spell_the_bytes() -> None:
    """The table of GPT-2: printable Latin-1 stands for itself, other bytes for the letters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}
    tokenizer = made("bytelevel")
    for text in map(without_surrogates, PLAIN):
        spelled = bytes(
            table[letter] for token in tokenizer.encode(text, special=False).tokens for letter in token
        )
        assert spelled == text.encode("utf-8")


def test_byte_tokens_are_the_bytes() -> None:
    tokenizer = made("bytes")
    first = len(tokenizer.specials)
    for text in map(without_surrogates, PLAIN):
        assert bytes(number - first for number in tokenizer.encode_ids(text)) == text.encode("utf-8")
    assert tokenizer.encode("aé", special=False).tokens == ("a", "<0xC3>", "<0xA9>")
    assert tokenizer.decode([first + 0xE5, first + 0x8C, first + 0x41]) == "\ufffdA"


@pytest.mark.parametrize("case", ["sentencepiece-unigram", "sentencepiece-bpe"])
def test_words_inside_text_leave_out_the_dummy_prefix(case: str) -> None:
    """The model's patched copy differs in that one setting only."""
    tokenizer = made(case)
    inside = tokenizer.pieces("the boat", before="x")
    assert not tokenizer.token(inside[0].id).startswith("▁")
    spelled = "".join(tokenizer.token(piece.id) for piece in inside)
    assert spelled == "the▁boat"
    assert tokenizer.pieces("the boat", before=" ") == tokenizer.pieces("the boat")


# Training.


@pytest.mark.parametrize(
    "case", ["words", "characters", "sentencepiece-unigram", "sentencepiece-bpe", "wordpiece", "bytelevel"]
)
def test_training_again_gives_the_same(case: str) -> None:
    kind, options = CASES[case]
    first = made(case).vocabulary()
    for _ in range(2):
        assert build_tokenizer(kind, TEXTS, template="cls_sep", **options).vocabulary() == first


@pytest.mark.parametrize("kind", ["sentencepiece", "wordpiece", "bytelevel"])
def test_training_writes_nothing_to_the_terminal(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    tokenizer = build_tokenizer(kind, TEXTS, vocab_size=300)
    tokenizer.encode(f"{FAMILY} \ud800 \0")
    subprocess.run([sys.executable, "-c", ""], check=True)  # the library would warn of a process started now
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_sizes_and_rare_letters() -> None:
    assert made("wordpiece").vocab_size <= 400
    assert made("bytelevel").vocab_size == 400
    for model_type in ("unigram", "bpe"):
        sizes = {"vocab_size": 180, "model_type": model_type}
        assert build_tokenizer("sentencepiece", TEXTS, **sizes).vocab_size == 180
        assert 50 < build_tokenizer("sentencepiece", TEXTS, **sizes | {"vocab_size": 9999}).vocab_size < 2000
    rare = build_tokenizer("wordpiece", ["aaa bbb aaa bbb abab", "ž"], min_count=2, vocab_size=50)
    assert "ž" not in rare.vocabulary() and rare.encode("žab").tokens == ("[CLS]", "[UNK]", "[SEP]")


def test_sentences_that_come_split() -> None:
    for kind in ("sentencepiece", "wordpiece", "bytelevel", "characters"):
        options = {} if kind == "characters" else {"vocab_size": 300}
        joined = build_tokenizer(kind, [" ".join(["the", "boat"])] * 9, **options)
        split = build_tokenizer(kind, [["the", "boat"]] * 9, **options)
        assert split.vocabulary() == joined.vocabulary()


# Imports.


def test_no_library_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, nlptui.tokenizers as t; t.build_tokenizer('words', ['a b']).encode('a');"
        "print(sorted({'torch', 'sentencepiece', 'tokenizers', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_word_boundaries_of_a_treebank() -> None:
    """Raw text of the English Web Treebank (test split), where it is at hand: F1 of word spans."""
    folders = [Path(part) for part in os.environ.get("NLPTUI_DATA", "").split(os.pathsep) if part]
    files = [folder / "en_ewt" / "test.conllu" for folder in folders]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        pytest.skip("NLPTUI_DATA names no folder that holds en_ewt")
    right = gold = ours = 0
    for sentence in path.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = sentence.split("\n")
        text = next(line.removeprefix("# text = ") for line in lines if line.startswith("# text = "))
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        spans, end = set(), 0
        for word in (row[1] for row in rows if row[0].isdigit()):
            start = text.index(word, end)
            end = start + len(word)
            spans.add((start, end))
        found = set(word_spans(text))
        right, gold, ours = right + len(spans & found), gold + len(spans), ours + len(found)
    f1 = 2 * right / (gold + ours)
    print(f"word boundaries: F1 {f1:.4f} on {gold} words")
    assert gold > 20_000
    assert f1 > 0.985

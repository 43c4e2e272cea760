"""Files of other programs: what they open as, against those programs' own arithmetic, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import regex
import tokenizers

from nlptui.engine.tokenizer import find_tokenizer
from nlptui.errors import UserError
from nlptui.tokenizers import load_tokenizer
from nlptui.tokenizers.base import without_surrogates
from nlptui.tokenizers.pair_counts import learn_merges
from nlptui.tokenizers.replay import replay
from tests.tokenizers.test_replays import gpt2, lines
from tests.tokenizers.tokenizer_cases import CHINESE, ENGLISH, TRICKY, made

PLAIN = [without_surrogates(text) for text in [*ENGLISH, *CHINESE, *TRICKY]]
GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def gpt2_model() -> dict[str, Any]:
    """GPT-2's vocabulary and merges as the library writes them."""
    model: dict[str, Any] = json.loads(gpt2().library.to_str())["model"]
    return model


def gpt2_files(folder: Path, names: tuple[str, str] = ("vocab.json", "merges.txt")) -> Path:
    model = gpt2_model()
    (folder / names[0]).write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = "".join(f"{left} {right}\n" for left, right in model["merges"])
    (folder / names[1]).write_text(f"#version: 0.2\n{merges}", encoding="utf-8")
    return folder


@cache
def ranks() -> dict[bytes, int]:
    """GPT-2's vocabulary as tiktoken keeps it, its end of a text aside."""
    # https://github.com/openai/gpt-2, encoder.py: bytes_to_unicode
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}
    vocabulary = gpt2_model()["vocab"]
    return {
        bytes(letters[letter] for letter in token): number
        for token, number in vocabulary.items()
        if token != "<|endoftext|>"
    }


def rank_file(folder: Path, name: str) -> Path:
    path = folder / name
    rows = (f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks().items())
    path.write_text("".join(rows), encoding="utf-8")
    return path


def tiktokens_ids(text: str, pattern: str, known: dict[bytes, int]) -> list[int]:
    """tiktoken's algorithm as its documentation gives it (tiktoken/_educational.py, bpe_encode)."""
    ids = []
    for word in regex.findall(pattern, text):
        parts = [bytes([byte]) for byte in word.encode("utf-8")]
        while True:
            least, at = None, 0
            for place, pair in enumerate(zip(parts, parts[1:], strict=False)):
                rank = known.get(pair[0] + pair[1])
                if rank is not None and (least is None or rank < least):
                    least, at = rank, place
            if least is None:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        ids += [known[part] for part in parts]
    return ids


@pytest.mark.parametrize(
    ("name", "pattern"), [("r50k_base.tiktoken", GPT2_WORDS), ("cl100k_base.tiktoken", CL100K_WORDS)]
)
def test_rank_files_give_tiktokens_ids(tmp_path: Path, name: str, pattern: str) -> None:
    tokenizer, known = load_tokenizer(rank_file(tmp_path, name)), ranks()
    for text in [*PLAIN, *lines()[:200]]:
        expected = tiktokens_ids(text, pattern, known)
        assert tokenizer.encode_ids(text) == expected == list(replay(tokenizer, text).ids)
        assert tokenizer.decode(expected) == text


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
def test_gpt2s_files_open_by_either_name(tmp_path: Path, names: tuple[str, str]) -> None:
    gpt2_files(tmp_path, names)
    for name in names:
        tokenizer = find_tokenizer(str(tmp_path / name))
        for text in PLAIN:
            assert tokenizer.encode_ids(text) == gpt2().encode_ids(text)


@pytest.mark.parametrize("case", ["wordpiece", "wordpiece-cased"])
def test_a_bert_vocabulary_opens_as_wordpiece(tmp_path: Path, case: str) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in made(case).vocabulary()), encoding="utf-8")
    tokenizer = find_tokenizer(str(path))
    library = tokenizers.BertWordPieceTokenizer(str(path), lowercase=case == "wordpiece")
    assert tokenizer.kind == "wordpiece"
    for text in [*ENGLISH, *CHINESE]:
        assert tokenizer.encode_ids(text) == library.encode(text, add_special_tokens=False).ids
    settings = {"do_lower_case": case != "wordpiece"}
    path.with_name("tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    told = tokenizers.BertWordPieceTokenizer(str(path), lowercase=case != "wordpiece")
    assert (
        find_tokenizer(str(path)).encode_ids(ENGLISH[0])
        == told.encode(ENGLISH[0], add_special_tokens=False).ids
    )


def test_a_vocabulary_of_our_own_opens_as_what_it_is(tmp_path: Path) -> None:
    made("characters").save(tmp_path)
    assert load_tokenizer(tmp_path / "vocab.txt").kind == "characters"


def spoil(path: Path, change: Callable[[str], str]) -> Path:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return path


WRONG: dict[str, tuple[str, Callable[[str], str], str]] = {
    "no unknown": ("vocab.txt", lambda text: text.replace("[UNK]", "[UN]"), r"has no \[UNK\]"),
    "twice": ("vocab.txt", lambda text: text + "the\n", "holds the twice"),
    "empty line": ("vocab.txt", lambda text: text.replace("the\n", "\n", 1), "a token is expected"),
    "no pieces": ("vocab.txt", lambda text: "[UNK]\na\n", "begins with ##"),
    "not an object": ("vocab.json", lambda text: "[1]", "does not hold a JSON object"),
    "no id": ("vocab.json", lambda text: text.replace(": 5,", ': "5",'), "which is no id"),
    "same id": ("vocab.json", lambda text: text.replace(": 5,", ": 6,"), "the same id 6"),
    "no byte": ("vocab.json", lambda text: '{"a": 0}', "the letter"),
    "three": ("merges.txt", lambda text: text.replace("Ġ t\n", "Ġ t h\n"), "line 2: two tokens"),
    "unknown merge": ("merges.txt", lambda text: text + "zzq qqz\n", "zzq is not in the vocabulary"),
    "no base64": ("x.tiktoken", lambda text: "%%% 0\n" + text, "line 1: a token in base64"),
    "rank twice": ("x.tiktoken", lambda text: text + "enp6enp6eno= 7\n", "rank 7 came before"),
    "cut off": ("x.tiktoken", lambda text: "\n".join(text.split("\n")[100:]), "has no rank"),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_are_not_what_they_claim_are_refused(tmp_path: Path, case: str) -> None:
    name, change, said = WRONG[case]
    if name == "x.tiktoken":
        rank_file(tmp_path, name)
    else:
        gpt2_files(tmp_path)
    vocabulary = "".join(f"{token}\n" for token in made("wordpiece").vocabulary())
    (tmp_path / "vocab.txt").write_text(vocabulary, encoding="utf-8")
    path = spoil(tmp_path / name, change)
    with pytest.raises(UserError, match=said) as caught:
        load_tokenizer(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_half_of_a_pair_is_refused(tmp_path: Path) -> None:
    (gpt2_files(tmp_path) / "merges.txt").unlink()
    with pytest.raises(UserError, match="goes together with merges.txt"):
        load_tokenizer(tmp_path / "vocab.json")


def test_merges_learnt_by_counting_are_the_librarys() -> None:
    for text in [
        " ".join(ENGLISH),
        "low low low low lower lower newest newest newest widest",
        "aaaa aaa aa a",
    ]:
        ours = list(learn_merges(text, 60))
        library = tokenizers.Tokenizer(tokenizers.models.BPE())
        library.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
        trainer = tokenizers.trainers.BpeTrainer(vocab_size=10_000, min_frequency=1, show_progress=False)
        library.train_from_iterator([" ".join(text.split())], trainer)
        theirs = json.loads(library.to_str())["model"]["merges"]
        assert [[one.left, one.right] for one in ours] == theirs[: len(ours)]
        assert len(ours) == min(60, len(theirs))

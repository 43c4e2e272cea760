"""The nearest tokens of an embedding on the command line, against cosines by numpy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nlptui.engine import Engine
from tests.cli.conftest import Nlptui
from tests.engine.models import make_model


@pytest.fixture(scope="module")
def vectors(models: Path) -> Iterator[Path]:
    """A model of word vectors beside the others, for this file only."""
    folder = models / "word2vec"
    yield make_model(models, "word2vec")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def cosines(path: Path, words: list[str]) -> tuple[np.ndarray, list[str]]:
    """words × vocabulary by hand, and the vocabulary."""
    engine = Engine.load(path, device="cpu")
    vocabulary = engine.tokenizer.vocabulary()
    name = next(
        name for name in ("token_embedding.weight", "source_embedding.weight") if name in engine.parameters
    )
    table = engine.parameters[name].detach().double().numpy()
    rows = table[[vocabulary.index(word) for word in words]]
    lengths = np.outer(np.linalg.norm(rows, axis=1), np.linalg.norm(table, axis=1))
    return rows @ table.T / lengths, vocabulary


def test_one_word_and_the_tokens_nearest_to_it(nlptui: Nlptui, vectors: Path) -> None:
    (found,), vocabulary = cosines(vectors, ["old"])
    said = nlptui("neighbours", "old", "-m", "word2vec", "--count", "4", "--json").json
    assert set(said) == {"model", "words", "cosines"} and said["model"] == "word2vec"
    (entry,) = said["words"]
    special = Engine.load(vectors).tokenizer.specials.values()
    order = [i for i in np.argsort(-found) if vocabulary[i] != "old" and i not in special][:4]
    assert entry["word"] == "old" and [near["id"] for near in entry["neighbours"]] == order
    assert [near["text"] for near in entry["neighbours"]] == [vocabulary[i] for i in order]
    assert [near["similarity"] for near in entry["neighbours"]] == pytest.approx(found[order], abs=1e-6)
    assert said["cosines"] == [[pytest.approx(1.0)]]
    lines = nlptui("neighbours", "old", "-m", "word2vec", "--count", "4").out.splitlines()
    assert len(lines) == 1 + 1 + 4 and "'old'" in lines[0]
    assert lines[2].split() == [vocabulary[order[0]], str(order[0]), f"{found[order[0]]:.4f}"]


def test_several_words_and_how_near_they_are(nlptui: Nlptui, vectors: Path) -> None:
    words = ["old", "can", "paint"]
    found, vocabulary = cosines(vectors, words)
    between = found[:, [vocabulary.index(word) for word in words]]
    ask = ("neighbours", *words, "-m", "word2vec", "--count", "2")
    said = nlptui(*ask, "--json").json
    assert [entry["word"] for entry in said["words"]] == words
    np.testing.assert_allclose(np.array(said["cosines"]), between, atol=1e-6)
    lines = nlptui(*ask).out.splitlines()
    assert len(lines) == 3 * (1 + 1 + 2) + 1 + 1 + 3 and lines[-4].split() == words
    assert lines[-1].split() == ["paint", *(f"{value:.4f}" for value in between[2])]


def test_only_how_near(nlptui: Nlptui, vectors: Path) -> None:
    said = nlptui("neighbours", "old", "can", "-m", "word2vec", "--count", "0", "--json").json
    assert [entry["neighbours"] for entry in said["words"]] == [[], []] and len(said["cosines"]) == 2


@pytest.mark.parametrize("model", ["gpt", "bert", "tag-lstm", "translator"])
def test_any_model_with_an_embedding(nlptui: Nlptui, models: Path, model: str) -> None:
    word = "old" if model == "tag-lstm" else "k"
    (found,), _vocabulary = cosines(models / model, [word])
    (entry,) = nlptui("neighbours", word, "-m", model, "--count", "1", "--json").json["words"]
    near = entry["neighbours"][0]
    assert near["similarity"] == pytest.approx(found[near["id"]], abs=1e-6)


def test_what_has_no_vector(nlptui: Nlptui, vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, missing in ((("zyzzyva",), "zyzzyva"), (("old", "the old"), "the old"), (("old", ""), "''")):
        said = nlptui("neighbours", *words, "-m", "word2vec", status=1)
        assert "word2vec has no vector for" in said.err and missing in said.err
        assert said.err.count("\n") == 1 and not said.out
    hostile = nlptui("neighbours", "\x1b[31m", "-m", "word2vec", status=1)
    assert hostile.err[:-1].isprintable()
    monkeypatch.setattr(Engine, "parameters", {})
    said = nlptui("neighbours", "old", "-m", "word2vec", status=1)
    assert "word2vec has no table of token embeddings" in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--count", "-1", "old"], ["--count", "x", "old"]], ids=" ".join)
def test_wrong_use(nlptui: Nlptui, words: list[str]) -> None:
    said = nlptui("neighbours", *words, "-m", "gpt", status=2)
    assert said.err.count("\n") == 1 and ("WORD…" in said.err or "--count" in said.err)


def test_in_chinese(nlptui: Nlptui, vectors: Path) -> None:
    out = nlptui("--lang", "zh", "neighbours", "old", "can", "-m", "word2vec").out
    assert "余弦" in out and "nearest" not in out and "cosine" not in out

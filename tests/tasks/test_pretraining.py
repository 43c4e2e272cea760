"""Pretraining: which pairs are made, how tokens are masked, metrics, baselines, answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nlptui.config import BertConfig
from nlptui.data.readers import split_sentences
from nlptui.errors import UserError
from nlptui.nn.batch import Batch
from nlptui.tasks import texts_for_tokenizer
from nlptui.tasks.base import IGNORED, id_array
from nlptui.tasks.cloze import NeighbourCounts, SharedWords
from nlptui.tasks.pairs import NEXT, NOT_NEXT, TOLERANCE, Book, Pair, Part, sentence_pairs
from nlptui.tasks.pretraining import MaskedPair, Pretraining
from nlptui.tokenizers import build_tokenizer

from .conftest import SEA, STORIES, STORY, Answers, one_hot


def pretraining(context: int = 48, **options: object) -> Pretraining:
    recipe = {**STORIES, **options}
    texts = texts_for_tokenizer(recipe, "pretraining", "words")
    tokenizer = build_tokenizer(
        "words", texts, template="cls_sep", specials=["pad", "unk", "cls", "sep", "mask"]
    )
    config = BertConfig(
        arch="bert",
        task="pretraining",
        vocab_size=tokenizer.vocab_size,
        context=context,
        labels=("next", "not next"),
        data=recipe,
    )
    return Pretraining(config, tokenizer)


def random_books(count: int = 4, sentences: int = 600, seed: int = 0) -> list[Book]:
    """Books whose tokens all differ, so that a stretch of ids tells where it comes from."""
    rng = np.random.default_rng(seed)
    books, at = [], 0
    for _number in range(count):
        lengths = rng.geometric(0.06, sentences) + 1
        starts = np.concatenate([[0], np.cumsum(lengths)])
        books.append(Book(id_array(range(at, at + int(starts[-1]))), starts))
        at += int(starts[-1])
    return books


def size(books: list[Book], part: Part) -> int:
    return books[part.book].size(part.first, part.last)


# Pairs.


def test_pairs_are_whole_sentences_that_fit() -> None:
    books = random_books()
    for pair in sentence_pairs(books, 61, 0.1, np.random.default_rng(0)):
        assert pair.b is not None
        for part in (pair.a, pair.b):
            assert 0 <= part.first < part.last <= books[part.book].sentences
        assert size(books, pair.a) + size(books, pair.b) <= 61
        follows = pair.b.book == pair.a.book and pair.b.first == pair.a.last
        assert follows == (pair.label == NEXT)


def test_half_follow_and_half_of_the_others_are_from_the_same_book() -> None:
    pairs = sentence_pairs(random_books(), 61, 0.1, np.random.default_rng(1))
    false = [pair for pair in pairs if pair.label == NOT_NEXT]
    assert abs(len(pairs) - 2 * len(false)) <= 1
    same = sum(pair.b is not None and pair.a.book == pair.b.book for pair in false)
    assert 0.45 < same / len(false) < 0.55


def lengths_of(pairs: list[Pair], books: list[Book], which: int) -> np.ndarray:
    return np.array([size(books, pair[which]) for pair in pairs])  # type: ignore[arg-type]


def largest_gap(first: np.ndarray, second: np.ndarray) -> float:
    """Kolmogorov and Smirnov's distance of two samples."""
    grid = np.union1d(first, second)
    return float(
        np.abs(
            np.searchsorted(np.sort(first), grid, "right") / len(first)
            - np.searchsorted(np.sort(second), grid, "right") / len(second)
        ).max()
    )


def test_lengths_tell_nothing() -> None:
    books = random_books(6, 1500)
    pairs = [p for seed in range(4) for p in sentence_pairs(books, 61, 0.1, np.random.default_rng(seed))]
    next_ones = [pair for pair in pairs if pair.label == NEXT]
    others = [pair for pair in pairs if pair.label == NOT_NEXT]
    for which in (0, 1):
        assert largest_gap(lengths_of(next_ones, books, which), lengths_of(others, books, which)) < 0.03
    totals = [lengths_of(group, books, 0) + lengths_of(group, books, 1) for group in (next_ones, others)]
    assert abs(totals[0].mean() - totals[1].mean()) < 0.5
    assert largest_gap(lengths_of(pairs, books, 0), lengths_of(pairs, books, 1)) < 0.03
    # The measure would see it if false ones were a tenth longer.
    assert largest_gap(lengths_of(next_ones, books, 1), lengths_of(others, books, 1) * 1.1) > 0.03


def test_a_false_b_is_as_long_as_the_true_one() -> None:
    books = random_books()
    true = {(p.a.book, p.a.first): p for p in sentence_pairs(books, 61, 0.1, np.random.default_rng(3))}
    # The same draws with every label true: the books are cut before anything is replaced.
    for pair in true.values():
        book = books[pair.a.book]
        assert pair.b is not None
        if pair.label == NOT_NEXT:
            ends = {book.size(pair.a.last, last) for last in range(pair.a.last + 1, book.sentences + 1)}
            nearest = min(abs(size(books, pair.b) - end) for end in ends)
            assert nearest <= TOLERANCE + 25


def test_most_of_a_book_is_read_each_epoch() -> None:
    books = random_books(1, 2000)
    pairs = sentence_pairs(books, 125, 0.1, np.random.default_rng(0))
    read = sum(size(books, pair.a) for pair in pairs) * 2
    assert read > 0.9 * len(books[0].ids)


def test_a_single_sentence_has_no_pair() -> None:
    book = Book(id_array([7, 8, 9]), np.array([0, 3]))
    (pair,) = sentence_pairs([book], 61, 0.1, np.random.default_rng(0))
    assert pair == Pair(Part(0, 0, 1), None, IGNORED)


def test_one_pair_alone_stays_true() -> None:
    book = Book(id_array(range(6)), np.array([0, 3, 6]))
    pairs = sentence_pairs([book], 61, 0.0, np.random.default_rng(0))
    assert [pair.label for pair in pairs] == [NEXT]


def test_pairs_differ_by_epoch_and_repeat_by_seed() -> None:
    books = random_books(2, 200)
    first, again, other = (sentence_pairs(books, 61, 0.1, np.random.default_rng(s)) for s in (5, 5, 6))
    assert first == again != other


# Masks.


def many_draws(task: Pretraining, turns: int = 200) -> list[tuple[MaskedPair, np.ndarray]]:
    """(masked, unmasked ids) of many pairs."""
    books = task.load(task.config.data, "train")
    drawn = []
    for seed in range(turns):
        rng = np.random.default_rng(seed)
        for pair in task.pairs(books, rng)[:5]:
            masked = task.masked(books, pair, rng)
            whole = masked.ids.copy()
            whole[masked.positions] = masked.originals
            drawn.append((masked, whole))
    return drawn


def test_fifteen_percent_are_chosen_and_eighty_ten_ten_of_them_changed() -> None:
    task = pretraining()
    drawn = many_draws(task)
    special = {task.cls, task.sep, task.mask, task.pad}
    chosen = sum(len(masked.positions) for masked, _whole in drawn)
    maskable = sum((~np.isin(whole, [task.cls, task.sep])).sum() for _masked, whole in drawn)
    assert 0.14 < chosen / maskable < 0.16
    now = np.concatenate([masked.ids[masked.positions] for masked, _whole in drawn])
    before = np.concatenate([masked.originals for masked, _whole in drawn])
    assert chosen > 3000
    assert 0.78 < (now == task.mask).mean() < 0.82
    assert 0.08 < ((now != task.mask) & (now != before)).mean() < 0.12
    assert 0.08 < (now == before).mean() < 0.12
    assert not set(now[now != task.mask].tolist()) & special
    for masked, whole in drawn:
        changed = np.flatnonzero(masked.ids != whole)
        assert set(changed) <= set(masked.positions.tolist())
        assert not np.isin(whole[masked.positions], list(special)).any(), "special tokens are never chosen"
        assert len(set(masked.positions.tolist())) == len(masked.positions) >= 1


def test_segments_and_special_tokens() -> None:
    task = pretraining()
    for masked, whole in many_draws(task, 20):
        assert whole[0] == task.cls and whole[-1] == task.sep
        separators = np.flatnonzero(whole == task.sep)
        assert len(separators) == 2
        expected = (np.arange(len(whole)) > separators[0]).astype(int)
        assert (masked.segments == expected).all()
        assert len(whole) <= task.config.context


def test_a_pair_reads_as_the_tokenizer_would_write_it() -> None:
    task = pretraining()
    books = [task.book("It saw a hen. So the fox took the hen home.")]
    pair = Pair(Part(0, 0, 1), Part(0, 1, 2), NEXT)
    masked = task.masked(books, pair, np.random.default_rng(0), everywhere=True)
    assert (masked.ids[masked.positions] == task.mask).all()
    masked.ids[masked.positions] = masked.originals
    encoding = task.tokenizer.encode("It saw a hen.", "So the fox took the hen home.")
    assert tuple(masked.ids.tolist()) == encoding.ids
    assert tuple(masked.segments.tolist()) == encoding.segments


def test_books_are_cut_at_sentences() -> None:
    task = pretraining()
    book = task.load(task.config.data, "train")[0]
    sentences = [sentence for line in STORY.split("\n") for sentence in split_sentences(line)]
    assert book.sentences == len(sentences)
    assert task.tokenizer.decode(book.stretch(1, 2).tolist()) == task.tokenizer.decode(
        task.tokenizer.encode_ids(sentences[1])
    )


def test_flat_positions_point_at_the_chosen_tokens() -> None:
    task = pretraining()
    drawn = [masked for masked, _whole in many_draws(task, 2)]
    batch, targets = task.collate(drawn, "cpu")
    assert batch.mlm_positions is not None and batch.segments is not None
    expected = np.concatenate([masked.ids[masked.positions] for masked in drawn])
    assert batch.ids.flatten()[batch.mlm_positions].tolist() == expected.tolist()
    assert targets["mlm"].tolist() == np.concatenate([masked.originals for masked in drawn]).tolist()
    assert targets["nsp"].tolist() == [masked.label for masked in drawn]


def test_a_document_of_one_sentence_is_only_masked() -> None:
    task = pretraining()
    book = task.book("It saw a hen.")
    (pair,) = task.pairs([book], np.random.default_rng(0))
    masked = task.masked([book], pair, np.random.default_rng(0))
    batch, targets = task.collate([masked], "cpu")
    assert batch.ids.shape == (1, 7) and not masked.segments.any()
    logits = torch.zeros(len(targets["mlm"]), task.tokenizer.vocab_size)
    loss, numbers = task.loss({"mlm.logits": logits, "nsp.logits": torch.zeros(1, 2)}, targets)
    assert float(numbers["nsp_loss"]) == 0
    assert float(loss) == pytest.approx(math.log(task.tokenizer.vocab_size))


# Loss, metrics, baselines, answers.


def test_loss_is_the_sum_of_both_wherever_the_head_is_computed() -> None:
    task = pretraining()
    batch, targets = task.collate([masked for masked, _whole in many_draws(task, 1)], "cpu")
    torch.manual_seed(0)
    everywhere = torch.randn(*batch.ids.shape, task.tokenizer.vocab_size)
    assert batch.mlm_positions is not None
    chosen = everywhere.flatten(0, 1)[batch.mlm_positions]
    nsp = torch.randn(len(batch.ids), 2)
    first, numbers = task.loss({"mlm.logits": everywhere, "nsp.logits": nsp}, targets)
    second, _numbers = task.loss({"mlm.logits": chosen, "nsp.logits": nsp}, targets)
    assert float(first) == pytest.approx(float(second))
    assert float(first) == pytest.approx(float(numbers["mlm_loss"]) + float(numbers["nsp_loss"]))
    assert float(numbers["mlm_loss"]) == pytest.approx(
        float(torch.nn.functional.cross_entropy(chosen, targets["mlm"]))
    )


def test_metrics_of_a_network_that_knows_half() -> None:
    task = pretraining()
    books = task.load(task.config.data, "test")
    draws = task.fixed_draws(books)
    originals = {tuple(draw.ids.tolist()): draw for draw in draws}

    def answer(batch: Batch) -> dict[str, Tensor]:
        found = []
        for row in range(len(batch.ids)):
            length = int(batch.mask[row].sum()) if batch.mask is not None else batch.ids.shape[1]
            found.append(originals[tuple(batch.ids[row, :length].tolist())])
        tokens = torch.from_numpy(np.concatenate([draw.originals for draw in found])).long()
        tokens[1::2] = task.cls
        nexts = torch.zeros(len(found), dtype=torch.long)
        return {"mlm.logits": one_hot(tokens, task.tokenizer.vocab_size), "nsp.logits": one_hot(nexts, 2)}

    scores = task.metrics(Answers(answer), books, "cpu", len(draws))
    masked = sum(len(draw.positions) for draw in draws)
    assert scores["mlm_accuracy"] == pytest.approx(math.ceil(masked / 2) / masked)
    assert scores["nsp_accuracy"] == pytest.approx(np.mean([draw.label == NEXT for draw in draws]))
    assert all((draw.ids[draw.positions] == task.mask).all() for draw in draws)


def test_measurements_use_the_same_masks_each_time() -> None:
    task = pretraining()
    books = task.load(task.config.data, "test")
    for first, second in zip(task.fixed_draws(books), task.fixed_draws(books), strict=True):
        assert (first.ids == second.ids).all() and first.label == second.label


def test_neighbours_on_both_sides_guess_a_token() -> None:
    counts = NeighbourCounts([id_array([1, 2, 3, 1, 2, 3, 1, 4, 3, 5, 2, 6])], 8)
    assert counts.guess(1, 3) == 2
    assert counts.guess(1, None) == 2
    assert counts.guess(None, 6) == 2
    assert counts.guess(None, None) in (1, 2, 3)
    ids = id_array([7, 1, 0, 3])
    assert counts.right(ids, id_array([2]), id_array([2]), {7, 0}) == 1
    assert counts.right(ids, id_array([2]), id_array([4]), {7, 0}) == 0


def test_shared_words_tell_pairs_apart() -> None:
    ids = [id_array(range(n, n + 4)) for n in range(0, 40, 4)]
    shared = SharedWords(ids, 40)
    assert shared.likeness(ids[0], ids[0]) == pytest.approx(1)
    assert shared.likeness(ids[0], ids[1]) == 0
    told = [(part, part, True) for part in ids] + [(a, b, False) for a, b in zip(ids, ids[1:], strict=False)]
    threshold = shared.threshold(told)
    assert all((shared.likeness(a, b) >= threshold) == follows for a, b, follows in told)
    assert shared.threshold([(a, b, not follows) for a, b, follows in told]) == math.inf


def test_poems_are_cut_into_halves() -> None:
    poem = Book(id_array(range(1, 41)), np.array([0, 10, 20, 30, 40]), "verse", whole=True)
    other = Book(id_array(range(41, 81)), np.array([0, 10, 20, 30, 40]), "verse", whole=True)
    pairs = sentence_pairs([poem, other] * 10, 60, 0.0, np.random.default_rng(0))
    assert len(pairs) == 20 and [pair.label for pair in pairs].count(NEXT) == 10
    assert all((a.first, a.last, b.first, b.last) == (0, 2, 2, 4) for a, b, _label in pairs if b)
    assert all((a.book == b.book) is (label == NEXT) for a, b, label in pairs if b)
    # One that does not fit is read as any other text.
    longer = sentence_pairs([poem], 30, 0.0, np.random.default_rng(0))
    assert longer and all(b and b.last - a.first < 4 for a, b, _label in longer)


CHINESE = {"corpus": ["en_zh_tatoeba", "zh_tang", "zh_gsd_ner"], "side": 1, "measure": "each"}


def chinese(**options: object) -> Pretraining:
    recipe = CHINESE | options
    texts = texts_for_tokenizer(recipe, "pretraining", "characters")
    tokenizer = build_tokenizer("characters", texts, template="cls_sep")
    config = BertConfig(
        arch="bert", task="pretraining", vocab_size=tokenizer.vocab_size, context=48, data=recipe
    )
    return Pretraining(config, tokenizer)


def test_each_corpus_is_measured_by_its_name() -> None:
    task = chinese()
    train, test = (task.load(task.config.data, split) for split in ("train", "test"))
    decoded = {book.corpus: task.tokenizer.decode(book.ids.tolist()) for book in test}
    assert decoded == {"en_zh_tatoeba": "茶。", "zh_tang": "天高。", "zh_gsd_ner": "北京\ufffd"}
    draws = {draw.corpus: draw for draw in task.fixed_draws(test)}
    answers = {draw.originals[0].item() for draw in draws.values() if draw.corpus != "zh_tang"}

    def outputs(batch: Batch) -> dict[str, Tensor]:
        logits = torch.zeros(*batch.ids.shape, task.tokenizer.vocab_size)
        for row, ids in enumerate(batch.ids.tolist()):
            of = next(d for d in draws.values() if d.ids.tolist() == ids[: len(d.ids)])
            right = of.originals[0] if of.corpus != "zh_tang" else next(iter(answers - {of.originals[0]}))
            logits[row, :, int(right)] = 9
        return {"mlm.logits": logits, "nsp.logits": torch.zeros(len(batch.ids), 2)}

    scores = task.metrics(Answers(outputs), test, "cpu", 8)
    assert scores["mlm_accuracy_en_zh_tatoeba"] == scores["mlm_accuracy_zh_gsd_ner"] == 1
    assert scores["mlm_accuracy_zh_tang"] == 0
    assert scores["mlm_accuracy"] == pytest.approx(2 / 3)
    assert scores.keys() >= task.baselines(train, test).keys() >= {"mlm_accuracy_zh_tang"}
    alone = chinese(measure="first")
    assert {book.corpus for book in alone.load(alone.config.data, "test")} == {"en_zh_tatoeba"}
    assert "mlm_accuracy_zh_tang" not in alone.metrics(
        Answers(outputs), alone.load(alone.config.data, "test"), "cpu", 8
    )


def test_baselines_are_shares() -> None:
    task = pretraining()
    train, test = (task.load(task.config.data, split) for split in ("train", "test"))
    scores = task.baselines(train, test)
    assert 0.3 < scores["mlm_accuracy"] < 1, "the held-out story is nearly one of the training stories"
    assert 0 <= scores["nsp_accuracy"] <= 1


def test_candidates_for_every_mask_and_whether_b_follows() -> None:
    task = pretraining()
    encoding = task.tokenizer.encode("The [MASK] fox saw a [MASK].", "So it left.")
    logits = torch.zeros(1, len(encoding), task.tokenizer.vocab_size)
    logits[0, 2, task.tokenizer.id("red")] = 20
    logits[0, 6, task.tokenizer.id("hen")] = 20
    outputs = {"mlm.logits": logits, "nsp.logits": torch.tensor([[0.0, math.log(3)]])}
    answer = task.decode(outputs, encoding, top=3)
    assert [entry["pos"] for entry in answer["candidates"]] == [2, 6]
    assert [entry["tokens"][0]["text"] for entry in answer["candidates"]] == ["red", "hen"]
    assert all(len(entry["tokens"]) == 3 for entry in answer["candidates"])
    assert answer["labels"] == [
        {"label": "not next", "prob": pytest.approx(0.75)},
        {"label": "next", "prob": pytest.approx(0.25)},
    ]
    alone = task.tokenizer.encode("It saw.")
    assert task.decode({"mlm.logits": torch.zeros(1, len(alone), 9)}, alone) == {"candidates": []}


def test_special_tokens_are_needed() -> None:
    tokenizer = build_tokenizer("words", ["a b"], template="none")
    with pytest.raises(UserError, match="cls, sep, mask"):
        Pretraining(BertConfig(arch="bert", task="pretraining"), tokenizer)


def test_stories_are_both_in_training() -> None:
    task = pretraining()
    assert len(task.load(task.config.data, "train")) == 2
    assert SEA.count("captain") == 12

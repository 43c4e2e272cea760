"""Skip-gram: which pairs there are, which words are skipped, what noise is, and what is measured."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from nlptui.config import GPTConfig, Word2VecConfig
from nlptui.errors import UserError
from nlptui.nn import Batch, build_model
from nlptui.tasks import task_for, texts_for_tokenizer
from nlptui.tasks.base import id_array
from nlptui.tasks.skip_gram import SkipGram, counts_of, keep_chance, noise_chance
from nlptui.tokenizers import build_tokenizer

from .conftest import Answers

RECIPE: dict[str, Any] = {"corpus": ["en_ewt", "en_polarity"]}


def skip_gram(**settings: Any) -> SkipGram:
    tokenizer = build_tokenizer("words", texts_for_tokenizer(RECIPE, "skip_gram"))
    config = Word2VecConfig(
        arch="word2vec", task="skip_gram", vocab_size=tokenizer.vocab_size, d_embed=6, data=RECIPE, **settings
    )
    task = task_for(config, tokenizer)
    assert isinstance(task, SkipGram)
    return task


def together(task: SkipGram, *texts: list[int], seed: int = 0) -> Counter[tuple[int, int]]:
    """Centre and context → how often they are a pair."""
    pairs = task.pairs([id_array(ids) for ids in texts], np.random.default_rng(seed))
    return Counter(zip(*pairs.tolist(), strict=True))


def words_of(batch: Batch) -> torch.Tensor:
    """Context and noise words of each pair (row pair word)."""
    assert batch.contexts is not None and batch.noise is not None
    noise = batch.noise[:, None].expand(-1, batch.ids.shape[1], -1)
    return torch.cat([batch.contexts[..., None], noise], -1)


def test_texts_are_the_words_of_all_corpora_and_unknown_words_are_passed_over() -> None:
    task = skip_gram()
    texts = task.load(RECIPE, "train")
    assert len(texts) == 8 + 3, "sentences that came split, then reviews that did not"
    assert task.tokenizer.decode(texts[0].tolist()) == "the cat runs"
    assert task.tokenizer.decode(texts[-1].tolist()) == "fine , fine"
    held_out = task.load(RECIPE, "test")
    # "Cats run" of the first corpus: one word is not in the vocabulary, and one word has no company.
    assert [task.tokenizer.decode(ids.tolist()) for ids in held_out] == ["the run runs"]


def test_a_window_of_one_pairs_neighbours_of_the_same_text_both_ways() -> None:
    task = skip_gram(window=1, subsample=0.0)
    assert together(task, [5, 6, 7], [8, 9]) == {
        (5, 6): 1, (6, 5): 1, (6, 7): 1, (7, 6): 1, (8, 9): 1, (9, 8): 1,
    }  # fmt: skip


def test_each_centre_draws_how_far_it_reaches() -> None:
    """Distance d of a window of 4 comes with probability (4 − d + 1)/4, for each centre as a whole."""
    task = skip_gram(window=4, subsample=0.0)
    text, seen, turns = list(range(2, 13)), Counter[int](), 400
    for seed in range(turns):
        pairs = together(task, text, seed=seed)
        reach = {}
        for centre, other in pairs:
            reach.setdefault(centre, set()).add(other - centre)
        assert set(reach[7]) in [set(range(-r, r + 1)) - {0} for r in (1, 2, 3, 4)]
        seen.update(map(abs, reach[7]))
    for distance in (1, 2, 3, 4):
        assert seen[distance] / 2 / turns == pytest.approx((5 - distance) / 4, abs=0.08) or distance == 1
    # Both sides are at the same distance, so each counts once here.
    assert seen[1] == 2 * turns


def test_frequent_words_are_skipped_and_rare_ones_are_not() -> None:
    counts = np.array([0.0, 900.0, 99.0, 1.0])
    chances = keep_chance(counts, 1e-2)
    share = 0.9
    assert chances[1] == pytest.approx(math.sqrt(1e-2 / share) + 1e-2 / share)
    assert chances[3] == 1.0 and chances[1] < chances[2] < 1.0
    assert (keep_chance(counts, 0.0) == 1.0).all()
    # And so they are in a text: "1" fills 90 % of it.
    task = skip_gram(window=1, subsample=1e-2)
    text = ([1] * 9 + [2]) * 300
    kept = together(task, text)
    kept_of = {word: sum(n for (centre, _other), n in kept.items() if centre == word) for word in (1, 2)}
    expected = keep_chance(counts_of([id_array(text)], 3), 1e-2)
    assert kept_of[1] / kept_of[2] == pytest.approx(9 * expected[1] / expected[2], rel=0.15)


def test_noise_goes_by_counts_to_the_power_of_three_quarters() -> None:
    task = skip_gram(negatives=3)
    texts = [id_array([2] * 81 + [3] * 16 + [4])]
    pairs = np.arange(2 * 160_000, dtype=np.int32).reshape(2, -1)
    draw = task.draw(texts, [pairs], np.random.default_rng(0))[0]
    assert draw.centres.shape == draw.contexts.shape == (10_000, 16) and draw.noise.shape == (10_000, 3)
    assert (draw.centres.ravel() == pairs[0]).all() and (draw.contexts.ravel() == pairs[1]).all()
    found = Counter(draw.noise.ravel().tolist())
    total = 27 + 8 + task.config.vocab_size - 2
    for word, weight in ((2, 27), (3, 8), (4, 1), (0, 1)):  # what never comes counts as if once
        assert found[word] / 30_000 == pytest.approx(weight / total, abs=0.01)
    odd = task.draw(texts, [pairs[:, :17]], np.random.default_rng(0))[0]
    assert odd.centres.shape == (17, 1) and odd.noise.shape == (17, 3)
    np.testing.assert_allclose(noise_chance(np.array([0.0, 1.0, 16.0])), [1.0, 1.0, 8.0])


def test_an_epoch_holds_every_pair_once_in_another_order_each_time() -> None:
    task = skip_gram(window=2, subsample=0.0)
    texts = task.load(RECIPE, "train")
    plans = [task.plan(texts, 7, np.random.default_rng(seed)) for seed in (0, 1)]
    for seed, plan in enumerate(plans):
        assert all(keys[0].shape[1] == 7 for keys in plan[:-1]) and 0 < plan[-1][0].shape[1] <= 7
        drawn = Counter(zip(*np.concatenate([keys[0] for keys in plan], axis=1).tolist(), strict=True))
        assert drawn == Counter(zip(*task.pairs(texts, np.random.default_rng(seed)).tolist(), strict=True))
    assert not np.array_equal(plans[0][0][0], plans[1][0][0])


def test_the_loss_by_hand() -> None:
    task = skip_gram()
    scores = torch.tensor([[[2.0, -1.0, 0.5]], [[-0.3, 0.0, 1.0]]])

    def sigma(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    rows = [
        math.log(sigma(row[0])) + sum(math.log(sigma(-x)) for x in row[1:]) for row in scores[:, 0].tolist()
    ]
    loss, more = task.loss({"logits": scores}, {})
    assert float(loss) == pytest.approx(-sum(rows) / 2, abs=1e-6) and more == {}


def test_a_pair_that_means_nothing_costs_the_same_for_every_word() -> None:
    """All scores 0: (1 + k) log 2 a pair, whatever the text."""
    task = skip_gram(negatives=4, subsample=0.0)
    blank = Answers(lambda batch: {"logits": torch.zeros(*batch.ids.shape, 5)})
    for batch_size in (1, 64):
        found = task.metrics(blank, task.load(RECIPE, "train"), "cpu", batch_size)
        assert found == {"loss": pytest.approx(5 * math.log(2))}
    assert blank.was_training == [False] * 2
    assert math.isnan(task.metrics(blank, [], "cpu", 8)["loss"])


def test_the_baseline_knows_frequencies_and_a_model_that_knows_company_beats_it() -> None:
    task = skip_gram(subsample=0.0, window=2)
    texts = [id_array([2, 3]), id_array([4, 5])] * 300
    counts = counts_of(texts, task.config.vocab_size) + 1
    met, drawn = counts / counts.sum(), counts**0.75 / (counts**0.75).sum()
    assert counts[2] == 301 and counts[0] == 1
    scores = torch.from_numpy(np.log(met) - np.log(task.negatives * drawn))
    by_frequency = Answers(lambda batch: {"logits": scores[words_of(batch)]})
    baseline = task.baselines(texts, texts)
    assert baseline["loss"] == pytest.approx(task.metrics(by_frequency, texts, "cpu", 8)["loss"], abs=1e-5)
    partner = {2: 3, 3: 2, 4: 5, 5: 4}

    def knows(batch: Batch) -> dict[str, torch.Tensor]:
        own = batch.ids.clone().apply_(lambda word: partner[word])[..., None]
        return {"logits": torch.where(words_of(batch) == own, 0.0, -8.0)}

    assert task.metrics(Answers(knows), texts, "cpu", 8)["loss"] < baseline["loss"] - 0.1


def test_training_finds_out_who_keeps_company() -> None:
    """Two groups of words that never meet: each word's likeliest company is of its own group."""
    task = skip_gram(subsample=0.0, window=3, negatives=1)
    torch.manual_seed(0)
    model = build_model(task.config)
    texts = [id_array([2, 3, 4, 2, 4, 3]), id_array([5, 6, 7, 5, 7, 6])] * 20
    rng = np.random.default_rng(0)
    for _step in range(60):
        keys = task.plan(texts, 256, rng)[0]
        batch, targets = task.collate(task.draw(texts, keys, rng), "cpu")
        model.zero_grad()
        task.loss(model(batch), targets)[0].backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 4.0 * parameter.grad
    with torch.no_grad():
        logits = model(Batch(torch.tensor([[2, 5]])))["logits"][0]
    assert set(logits[0].topk(2).indices.tolist()) == {3, 4}
    assert set(logits[1].topk(2).indices.tolist()) == {6, 7}


def test_every_known_word_gets_its_company() -> None:
    task = skip_gram()
    encoding = task.tokenizer.encode("the zyzzyva runs")
    logits = torch.zeros(1, 3, task.config.vocab_size)
    film = task.tokenizer.id("film")
    logits[0, 2, film] = 3.0
    answer = task.decode({"logits": logits}, encoding, top=2)["candidates"]
    assert [entry["pos"] for entry in answer] == [0, 2]
    best = answer[1]["tokens"][0]
    size = task.config.vocab_size
    assert (best["id"], best["text"]) == (film, "film") and len(answer[1]["tokens"]) == 2
    assert best["prob"] == pytest.approx(math.exp(3) / (math.exp(3) + size - 1), abs=1e-6)


def test_another_architecture_is_refused() -> None:
    tokenizer = build_tokenizer("words", ["a b"])
    config = GPTConfig(arch="gpt", task="skip_gram", vocab_size=tokenizer.vocab_size)
    with pytest.raises(UserError, match="arch = word2vec"):
        task_for(config, tokenizer)

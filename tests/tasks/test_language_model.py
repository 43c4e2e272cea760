"""Language modelling: windows that read each text once, loss in nats, baseline, candidates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nlptui.config import GPTConfig
from nlptui.nn.batch import Batch
from nlptui.tasks import texts_for_tokenizer
from nlptui.tasks.base import IGNORED, id_array
from nlptui.tasks.language_model import LanguageModel, RunningText, encode_long
from nlptui.tokenizers import build_tokenizer

from .conftest import Answers, one_hot


def lm_task(corpus: str = "en_shakespeare", context: int = 16, **options: object) -> LanguageModel:
    recipe = {"corpus": corpus}
    texts = texts_for_tokenizer(recipe, "language_model", "characters")
    tokenizer = build_tokenizer("characters", texts, **options)
    config = GPTConfig(
        arch="gpt", task="language_model", vocab_size=tokenizer.vocab_size, context=context, data=recipe
    )
    return LanguageModel(config, tokenizer)


def text_of(ids: np.ndarray, task: LanguageModel) -> str:
    return task.tokenizer.decode(ids.tolist())


def test_an_epoch_predicts_every_token_once() -> None:
    task = lm_task(context=16)
    examples = [
        RunningText(id_array(range(1000, 1100))),
        RunningText(id_array([1, 2, 3])),
        RunningText(id_array([9])),
    ]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        drawn = [window for keys in task.plan(examples, 4, rng) for window in task.draw(examples, keys, rng)]
        predicted = sorted(i for window in drawn for i in window.ids[1:].tolist())
        assert predicted == [2, 3, *range(1001, 1100)]
        assert max(task.length(window) for window in drawn) == 16
        assert all((np.diff(window.ids) == 1).all() for window in drawn), "windows are contiguous"


def test_windows_begin_elsewhere_each_epoch() -> None:
    task = lm_task(context=16)
    examples = [RunningText(id_array(range(500)))]
    starts = {
        min(start for keys in task.plan(examples, 8, np.random.default_rng(s)) for _n, start in keys)
        for s in range(20)
    }
    assert len(starts) > 5


def test_targets_are_the_inputs_moved_by_one() -> None:
    task = lm_task()
    batch, targets = task.collate([RunningText(id_array([5, 6, 7, 8])), RunningText(id_array([5, 6]))], "cpu")
    assert batch.ids.tolist() == [[5, 6, 7], [5, task.pad, task.pad]]
    assert targets["next"].tolist() == [[6, 7, 8], [6, IGNORED, IGNORED]]
    assert batch.mask is None, "what pads stands after the text, where a causal network never looks"


def test_loss_of_guessing_nothing_is_the_log_of_the_vocabulary() -> None:
    task = lm_task()
    size = task.tokenizer.vocab_size
    test = task.load(task.config.data, "test")
    uniform = Answers(lambda batch: {"logits": torch.zeros(*batch.ids.shape, size)})
    scores = task.metrics(uniform, test, "cpu", 7)
    assert scores["loss"] == pytest.approx(math.log(size))
    assert scores["perplexity"] == pytest.approx(size)


def test_metrics_read_each_token_once_with_context() -> None:
    task = lm_task(context=16)
    test = task.load(task.config.data, "test")
    count = len(test[0].ids)
    read: list[int] = []

    def answer(batch: Batch) -> dict[str, Tensor]:
        assert batch.ids.shape[1] <= 16
        read.append(int((batch.ids != task.pad).sum()))
        return {"logits": torch.zeros(*batch.ids.shape, task.tokenizer.vocab_size)}

    task.metrics(Answers(answer), test, "cpu", 4)
    assert sum(read) == count - 1


def test_loss_agrees_with_counting() -> None:
    task = lm_task()
    size = task.tokenizer.vocab_size
    batch, targets = task.collate([RunningText(id_array([2, 3, 4])), RunningText(id_array([2, 3]))], "cpu")
    logits = one_hot(targets["next"], size, height=math.log(3))
    loss, _numbers = task.loss({"logits": logits}, targets)
    assert float(loss) == pytest.approx(-math.log(3 / (size + 2)))
    assert batch.ids.shape == (2, 2)


def test_unigram_baseline() -> None:
    task = lm_task()
    train = [RunningText(id_array([2, 2, 2, 3]))]
    test = [RunningText(id_array([3, 2, 2]))]
    share = (3 + 1) / (4 + task.tokenizer.vocab_size)
    assert task.baselines(train, test) == {
        "loss": pytest.approx(-math.log(share)),
        "perplexity": pytest.approx(1 / share),
    }


def test_the_parts_of_one_text_join_up() -> None:
    task = lm_task()
    texts = [text_of(task.load(task.config.data, split)[0].ids, task) for split in ("train", "dev", "test")]
    assert "".join(texts) == "the tide goes out\nand comes again\n" * 40


def test_long_texts_are_encoded_as_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    from nlptui.tasks import language_model

    task = lm_task()
    text = "the tide\n\n\ncomes\n again " * 50 + "out"
    monkeypatch.setattr(language_model, "CHUNK", 7)
    assert encode_long(task.tokenizer, text).tolist() == list(task.tokenizer.encode(text, special=False).ids)
    assert len(encode_long(task.tokenizer, "")) == 0


def test_poems_have_a_beginning_and_an_end() -> None:
    task = lm_task("zh_tang", context=32, template="bos", specials=["pad", "unk", "bos", "eos"])
    bos, eos = task.tokenizer.specials["bos"], task.tokenizer.specials["eos"]
    poems = task.load(task.config.data, "train")
    assert len(poems) == 2
    assert all(poem.ids[0] == bos and poem.ids[-1] == eos for poem in poems)
    plan = task.plan(poems, 1, np.random.default_rng(0))
    assert len(plan) == 2
    whole = {tuple(task.draw(poems, keys, np.random.default_rng(0))[0].ids.tolist()) for keys in plan}
    assert whole == {tuple(poem.ids.tolist()) for poem in poems}


def test_candidates_follow_the_last_token() -> None:
    task = lm_task()
    encoding = task.tokenizer.encode("the tid")
    logits = torch.zeros(1, len(encoding), task.tokenizer.vocab_size)
    logits[0, -1, task.tokenizer.id("e")] = math.log(5)
    logits[0, -1, task.tokenizer.id("o")] = math.log(3)
    (entry,) = task.decode({"logits": logits}, encoding, top=2)["candidates"]
    total = task.tokenizer.vocab_size - 2 + 5 + 3
    assert entry["pos"] == 6
    assert [token["text"] for token in entry["tokens"]] == ["e", "o"]
    assert [token["prob"] for token in entry["tokens"]] == pytest.approx([5 / total, 3 / total])
    assert entry["tokens"][0]["id"] == task.tokenizer.id("e")


def test_candidates_of_nothing_and_before_an_end_mark() -> None:
    task = lm_task("zh_tang", template="bos_eos", specials=["pad", "unk", "bos", "eos"])
    encoding = task.tokenizer.encode("天")
    logits = torch.zeros(1, len(encoding), task.tokenizer.vocab_size)
    assert task.decode({"logits": logits}, encoding)["candidates"][0]["pos"] == 1
    plain = lm_task()
    empty = plain.tokenizer.encode("")
    assert plain.decode({"logits": torch.zeros(1, 0, 9)}, empty) == {"candidates": []}

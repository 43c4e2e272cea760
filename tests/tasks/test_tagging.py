"""Tagging in both schemes: labels, decoding against logits made by hand, metrics, baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from nlptui.config import RecurrentConfig
from nlptui.data.readers import UNTAGGED, TaggedWord
from nlptui.errors import UserError
from nlptui.nn.batch import Batch
from nlptui.tasks import labels_for, load_examples, texts_for_tokenizer
from nlptui.tasks.base import IGNORED
from nlptui.tasks.entities import entity_spans, f1, in_text, repaired
from nlptui.tasks.tagging import NOWHERE, Tagging
from nlptui.tokenizers import Tokenizer, build_tokenizer

from .conftest import Answers, one_hot

LN2 = math.log(2)


def words_task(corpus: str = "en_ewt", **options: object) -> Tagging:
    recipe = {"corpus": corpus, **options}
    tokenizer = build_tokenizer("words", texts_for_tokenizer(recipe, "tagging", "words"), characters=True)
    labels = labels_for(recipe, "tagging", "words")
    return Tagging(RecurrentConfig(arch="lstm", task="tagging", labels=labels, data=recipe), tokenizer)


def entities_task(crf: bool = True, **options: object) -> Tagging:
    recipe = {"corpus": "zh_gsd_ner", **options}
    tokenizer = build_tokenizer("words", texts_for_tokenizer(recipe, "tagging", "words"))
    labels = ("O", "B-LOC", "B-PER", "I-LOC", "I-PER")
    config = RecurrentConfig(arch="lstm", task="tagging", labels=labels, data=recipe, crf=crf)
    return Tagging(config, tokenizer)


def path_of(task: Tagging, names: str, prob: float = 0.75) -> dict[str, Tensor]:
    """What a network with a CRF gives whose best path is `names`, each tag with this posterior."""
    path = torch.tensor([[task.label_ids[name] for name in names.split()]])
    rest = (1 - prob) / (len(task.labels) - 1)
    probs = torch.full((*path.shape, len(task.labels)), rest).scatter(2, path[..., None], prob)
    return {"emission": torch.zeros_like(probs), "probs": probs, "path": path.double()}


def characters_task(**options: object) -> Tagging:
    recipe = {"corpus": "zh_ud", **options}
    tokenizer = build_tokenizer("characters", texts_for_tokenizer(recipe, "tagging", "characters"))
    labels = labels_for(recipe, "tagging", "characters")
    return Tagging(RecurrentConfig(arch="lstm", task="tagging", labels=labels, data=recipe), tokenizer)


def labelled(task: Tagging, *names: str) -> Tensor:
    """Logits (1 pos label) that are sure of one label at each position."""
    return one_hot(torch.tensor([[task.label_ids[name] for name in names]]), len(task.labels))


def tagged(sentence: str, space: bool = True) -> list[TaggedWord]:
    return [TaggedWord(*item.split("/"), space) for item in sentence.split()]  # type: ignore[arg-type]


# Words.


def test_words_have_one_label_and_characters() -> None:
    task = words_task()
    example = task.load(task.config.data, "test")[0]
    assert [task.labels[i] for i in example.labels] == ["DET", "NOUN", "VERB"]
    assert example.spans == ((0, 1), (1, 2), (2, 3))
    assert example.chars is not None and example.chars.shape[0] == 3
    batch, targets = task.collate(task.load(task.config.data, "test"), "cpu")
    assert batch.ids.shape == (2, 3) and batch.ids.dtype == torch.int64
    assert batch.mask is not None and batch.mask.tolist() == [[True] * 3, [True, True, False]]
    assert batch.chars is not None and batch.chars.shape[:2] == (2, 3) and not batch.chars[1, 2].any()
    assert targets["labels"][1].tolist()[2] == IGNORED


def test_a_batch_of_one_length_has_no_mask() -> None:
    task = words_task()
    batch, _targets = task.collate(task.load(task.config.data, "train")[:6], "cpu")
    assert batch.mask is None


def test_word_decoding() -> None:
    task = words_task()
    logits = torch.zeros(1, 3, len(task.labels))
    logits[0, 0, task.label_ids["DET"]] = LN2
    logits[0, 1, task.label_ids["NOUN"]] = 20
    logits[0, 2, task.label_ids["VERB"]] = 20
    tags = task.decode({"logits": logits}, task.tokenizer.encode("the dog runs"))["tags"]
    assert [(tag["token"], tag["tag"]) for tag in tags] == [("the", "DET"), ("dog", "NOUN"), ("runs", "VERB")]
    assert tags[0]["prob"] == pytest.approx(2 / (len(task.labels) + 1))


def test_decoding_of_no_words() -> None:
    task = words_task()
    assert task.decode({"logits": torch.zeros(1, 0, len(task.labels))}, task.tokenizer.encode("")) == {
        "tags": []
    }


class Pieces:
    """A tokenizer that cuts words in pieces of two letters, and adds special tokens around them."""

    def __init__(self, whole: Tokenizer) -> None:
        self.specials = whole.specials

    def encode_words(self, words: list[str], *, text: str, max_length: int) -> object:
        from nlptui.tokenizers import Encoding

        ids, tokens, offsets, numbers = [2], ["[CLS]"], [None], [None]
        at = 0
        for number, word in enumerate(words):
            at = text.index(word, at)
            for start in range(0, len(word), 2):
                ids.append(5)
                tokens.append(word[start : start + 2])
                offsets.append((at + start, at + min(start + 2, len(word))))
                numbers.append(number)
        keep = max_length - 1
        return Encoding(
            text=text,
            ids=(*ids[:keep], 3),
            tokens=(*tokens[:keep], "[SEP]"),
            offsets=(*offsets[:keep], None),
            segments=(0,) * (len(ids[:keep]) + 1),
            special=(True, *(False,) * (len(ids[:keep]) - 1), True),
            words=(*numbers[:keep], None),
            truncated=len(ids) > keep,
        )


def test_pieces_of_words_are_read_at_the_first() -> None:
    whole = words_task()
    config = RecurrentConfig(arch="lstm", task="tagging", labels=whole.labels, context=6)
    task = Tagging(config, Pieces(whole.tokenizer))  # type: ignore[arg-type]
    example = task.example(tagged("dogs/NOUN eat/VERB the/DET"))
    assert example.spans == ((1, 3), (3, 5), (NOWHERE, NOWHERE)), "the last word lies beyond the context"
    expected = [IGNORED, task.label_ids["NOUN"], IGNORED, task.label_ids["VERB"], IGNORED, IGNORED]
    assert example.labels.tolist() == expected
    logits = one_hot(torch.from_numpy(np.maximum(example.labels, 0)).long()[None], len(task.labels))
    scores = task.metrics(Answers(lambda batch: {"logits": logits}), [example], "cpu", 4)
    assert scores["accuracy"] == pytest.approx(2 / 3), "a word that was cut off counts as wrong"
    encoding = task.tokenizer.encode_words(["dogs", "eat"], text="dogs eat", max_length=6)
    tags = task.decode({"logits": logits}, encoding)["tags"]
    assert [(tag["token"], tag["tag"]) for tag in tags] == [("dogs", "NOUN"), ("eat", "VERB")]


def test_word_metrics_and_baseline() -> None:
    task = words_task()
    test = task.load(task.config.data, "test")
    noun = task.label_ids["NOUN"]
    always = Answers(lambda batch: {"logits": one_hot(torch.full_like(batch.ids, noun), len(task.labels))})
    always.train()
    assert task.metrics(always, test, "cpu", 1)["accuracy"] == pytest.approx(2 / 5)
    assert always.was_training == [False, False] and always.training
    train = task.load(task.config.data, "train")
    # Right: the, run as a noun, runs. Wrong: run as a verb; Cats, unseen, gets the most frequent tag.
    assert task.baselines(train, test) == {"accuracy": pytest.approx(3 / 5)}


def test_loss_is_the_mean_over_words() -> None:
    task = words_task()
    _batch, targets = task.collate(task.load(task.config.data, "test"), "cpu")
    loss, _numbers = task.loss({"logits": torch.zeros(2, 3, len(task.labels))}, targets)
    assert float(loss) == pytest.approx(math.log(len(task.labels)))


def test_dropped_words_become_unknown() -> None:
    task = words_task(word_dropout=0.5)
    train = task.load(task.config.data, "train")
    unknown = task.tokenizer.specials["unk"]
    drawn = [task.draw(train, range(len(train)), np.random.default_rng(n)) for n in range(100)]
    ids = np.concatenate([example.ids for turn in drawn for example in turn])
    assert 0.45 < (ids == unknown).mean() < 0.55
    again = task.draw(train, range(len(train)), np.random.default_rng(7))
    assert all((a.ids == b.ids).all() for a, b in zip(drawn[7], again, strict=True))
    assert not any((example.ids == unknown).any() for example in train), "the examples themselves stay"


# Entities.


def test_entities_are_scored_by_span() -> None:
    task = words_task("zh_gsd_ner")
    assert task.labels == ("O", "B-LOC", "B-PER") and task.entities and not task.joint
    test = task.load(task.config.data, "test")
    gold = Answers(lambda batch: {"logits": labelled(task, "B-LOC", "O")})
    assert task.metrics(gold, test, "cpu", 1) == {"accuracy": 1.0, "f1": 1.0}
    other = Answers(lambda batch: {"logits": labelled(task, "B-PER", "O")})
    assert task.metrics(other, test, "cpu", 1) == {"accuracy": 0.5, "f1": 0.0}


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O B-PER I-PER O", {(1, 3, "PER")}),
        ("B-PER B-PER", {(0, 1, "PER"), (1, 2, "PER")}),
        ("I-LOC I-LOC O I-PER", {(0, 2, "LOC"), (3, 4, "PER")}),
        ("B-PER I-LOC", {(0, 1, "PER"), (1, 2, "LOC")}),
        ("O", set()),
    ],
)
def test_entity_spans(tags: str, spans: set[tuple[int, int, str]]) -> None:
    assert entity_spans(tags.split()) == spans


def test_f1_counts_over_all_sentences() -> None:
    assert f1([{1, 2}, {3}], [{1}, {3, 4}]) == pytest.approx(2 * 2 / (3 + 3))
    assert f1([set()], [set()]) == 0.0


def test_improper_tags_are_read_as_the_same_entities() -> None:
    tags = ["I-LOC", "I-LOC", "O", "I-PER", "B-PER", "I-LOC"]
    fixed = repaired(tags)
    assert fixed == ["B-LOC", "I-LOC", "O", "B-PER", "B-PER", "B-LOC"]
    assert entity_spans(fixed) == entity_spans(tags)
    assert repaired(fixed) == fixed


def test_entities_by_their_characters() -> None:
    words, text = ["老", "周", "去", "山城"], "老周 去山城"
    assert in_text({(0, 2, "PER"), (3, 4, "LOC")}, words, text) == {(0, 2, "PER"), (4, 6, "LOC")}


# With a CRF.


def test_the_best_path_is_read_and_not_the_best_of_each() -> None:
    task = entities_task()
    outputs = path_of(task, "B-PER O", prob=0.1)
    encoding = task.tokenizer.encode_words(["老王", "下雨"], text="老王下雨")
    tags = task.decode(outputs, encoding)["tags"]
    assert [(tag["token"], tag["tag"]) for tag in tags] == [("老王", "B-PER"), ("下雨", "O")]
    assert [tag["prob"] for tag in tags] == pytest.approx([0.1, 0.1])
    test = task.load(task.config.data, "test")
    right = Answers(lambda batch: path_of(task, "B-LOC O", prob=0.1))
    assert task.metrics(right, test, "cpu", 1) == {"accuracy": 1.0, "f1": 1.0}


def test_the_loss_of_a_crf_is_the_mean_over_words() -> None:
    task = entities_task()
    batch, targets = task.collate(task.load(task.config.data, "train"), "cpu")
    assert batch.labels is not None and torch.equal(batch.labels, targets["labels"])
    loss, _numbers = task.loss({"loss": torch.tensor([1.5, 3.0])}, targets)
    assert float(loss) == pytest.approx(4.5 / 3)
    batch, _targets = entities_task(crf=False).collate(task.load(task.config.data, "train"), "cpu")
    assert batch.labels is None


def test_a_crf_gets_proper_labels() -> None:
    words = tagged("京/I-LOC 老/I-PER 周/I-PER")
    proper = entities_task().example(words)
    assert [entities_task().labels[i] for i in proper.labels] == ["B-LOC", "B-PER", "I-PER"]
    as_given = entities_task(crf=False).example(words)
    assert [entities_task().labels[i] for i in as_given.labels] == ["I-LOC", "I-PER", "I-PER"]


def test_labels_of_words_without_tags_are_unknown_to_a_crf() -> None:
    config = characters_task(words_of=["zh_gsd_ner"], corpus=["zh_ud", "zh_gsd_ner"]).config
    task = Tagging(replace(config, crf=True), characters_task().tokenizer)  # type: ignore[type-var]
    batch, _targets = task.collate([task.example([TaggedWord("茶电", UNTAGGED, False)])], "cpu")
    assert batch.labels is not None and batch.labels.tolist() == [[IGNORED, IGNORED]]


def test_entities_in_raw_text_are_compared_by_their_characters() -> None:
    task = entities_task()
    test = task.load(task.config.data, "test")
    assert test[0].text == "北京来", "no spaces between Chinese words"
    gold_words = Answers(lambda batch: path_of(task, "B-LOC O"))
    assert "raw_f1" not in task.metrics(gold_words, test, "cpu", 4)
    asked: list[str] = []

    def characters(texts: Sequence[str]) -> list[list[str]]:
        asked.extend(texts)
        return [list(text) for text in texts]

    task.segment = characters
    answers = {2: "B-LOC O", 3: "B-LOC I-LOC O"}
    whole = Answers(lambda batch: path_of(task, answers[batch.ids.shape[1]]))
    assert task.metrics(whole, test, "cpu", 4) == {"accuracy": 1.0, "f1": 1.0, "raw_f1": 1.0}
    assert asked == ["北京来"]
    answers[3] = "B-LOC O O"
    half = task.metrics(whole, test, "cpu", 4)
    assert (half["f1"], half["raw_f1"]) == (1.0, 0.0), "half of the name is not the name"


def test_swapped_entities_are_of_their_kind_and_nothing_else_moves() -> None:
    task = entities_task(swap_entities=1.0)
    words = ("码头/O 周/B-PER 小林/I-PER 在/O 灯塔/B-LOC", "陈/B-PER 去/O 山/B-LOC 城/I-LOC 了/O", "海鸥/O")
    examples = [task.example(tagged(sentence, space=False)) for sentence in words]
    kinds = {"PER": {("周", "小林"), ("陈",)}, "LOC": {("灯塔",), ("山", "城")}}
    seen = set()
    for seed in range(20):
        drawn = task.draw(examples, [0, 1, 2], np.random.default_rng(seed))
        assert drawn[2] is examples[2]
        for before, after in zip(examples[:2], drawn[:2], strict=True):
            tags = [task.labels[i] for i in after.gold]
            for start, end, kind in entity_spans(tags):
                assert after.forms[start:end] in kinds[kind]
                seen.add(after.forms[start:end])
            others = [form for form, tag in zip(after.forms, tags, strict=True) if tag == "O"]
            assert others == [
                f for f, i in zip(before.forms, before.gold, strict=True) if task.labels[i] == "O"
            ]
            assert after.labels.tolist() == after.gold.tolist() and len(after.ids) == len(after.forms)
            assert after.text == "".join(after.forms)
    assert seen == kinds["PER"] | kinds["LOC"]
    again = task.draw(examples, [0], np.random.default_rng(3))
    assert again[0].forms == task.draw(examples, [0], np.random.default_rng(3))[0].forms
    kept = entities_task(swap_entities=0.0).draw(examples, [0], np.random.default_rng(0))
    assert kept[0] is examples[0]


def test_names_of_our_own_lists_take_the_place_of_entities() -> None:
    task = entities_task(swap_entities=1.0, gazetteer=1.0)
    task = Tagging(replace(task.config, language="zh"), task.tokenizer)
    assert task.tokenizer.find("冰岛") is not None, "the vocabulary knows them"
    assert entities_task().tokenizer.find("冰岛") is None
    example = task.example(tagged("在/O 灯塔/B-LOC 等/O 周/B-PER 小林/I-PER", space=False))
    names = set()
    for seed in range(30):
        (drawn,) = task.draw([example], [0], np.random.default_rng(seed))
        spans = sorted(entity_spans([task.labels[i] for i in drawn.gold]))
        assert [kind for _start, _end, kind in spans] == ["LOC", "PER"]
        names.add(drawn.forms[slice(*spans[0][:2])])
    assert len(names) > 20 and ("灯塔",) not in names


# Characters.


def test_characters_begin_and_continue_words() -> None:
    task = characters_task()
    assert task.joint and "B-PRON" in task.labels and "I-PRON" in task.labels
    example = task.load(task.config.data, "train")[0]
    assert [task.labels[i] for i in example.labels] == ["B-PRON", "I-PRON", "B-VERB", "B-NOUN"]
    assert example.spans == ((0, 2), (2, 3), (3, 4))


def test_character_decoding() -> None:
    task = characters_task()
    encoding = task.tokenizer.encode("我们喝茶")
    tags = task.decode({"logits": labelled(task, "B-PRON", "I-PRON", "B-VERB", "B-NOUN")}, encoding)["tags"]
    assert [(tag["token"], tag["tag"]) for tag in tags] == [("我们", "PRON"), ("喝", "VERB"), ("茶", "NOUN")]
    assert all(tag["prob"] > 0.99 for tag in tags)


def test_a_word_begins_at_the_start_and_after_white_space() -> None:
    task = characters_task()
    encoding = task.tokenizer.encode("我 茶")
    names = ["I-PRON"] * len(encoding)
    tags = task.decode({"logits": labelled(task, *names)}, encoding)["tags"]
    assert [tag["token"] for tag in tags] == ["我", "茶"]


def test_the_tag_of_a_word_is_decided_by_all_its_characters() -> None:
    task = characters_task()
    logits = torch.full((1, 2, len(task.labels)), -20.0)
    logits[0, 0, task.label_ids["B-NOUN"]] = math.log(0.6)
    logits[0, 0, task.label_ids["B-VERB"]] = math.log(0.4)
    logits[0, 1, task.label_ids["I-NOUN"]] = math.log(0.1)
    logits[0, 1, task.label_ids["I-VERB"]] = math.log(0.9)
    (tag,) = task.decode({"logits": logits}, task.tokenizer.encode("电影"))["tags"]
    assert (tag["token"], tag["tag"]) == ("电影", "VERB")
    assert tag["prob"] == pytest.approx(0.36 / 0.42, rel=1e-4)


def test_character_metrics_on_gold_words_and_on_found_words() -> None:
    task = characters_task()
    test = task.load(task.config.data, "test")
    # Cut as 你 们喝 电 影 with the right tags where words are given.
    names = ["B-PRON", "B-PRON", "I-VERB", "B-NOUN", "B-NOUN"]
    logits = labelled(task, *names)
    logits[0, 1, task.label_ids["I-PRON"]] = 19.0
    logits[0, 2, task.label_ids["B-VERB"]] = 19.0
    logits[0, 4, task.label_ids["I-NOUN"]] = 19.0
    scores = task.metrics(Answers(lambda batch: {"logits": logits}), test, "cpu", 1)
    assert scores["accuracy"] == 1.0
    assert scores["segmentation_f1"] == 0.0
    gold = labelled(task, "B-PRON", "I-PRON", "B-VERB", "B-NOUN", "I-NOUN")
    assert task.metrics(Answers(lambda batch: {"logits": gold}), test, "cpu", 1)["segmentation_f1"] == 1.0


def test_character_baseline_takes_the_longest_known_word() -> None:
    task = characters_task()
    train, test = (task.load(task.config.data, split) for split in ("train", "test"))
    # 你 and 电影 are known words, 你们 is not: 你 | 们 | 喝 | 电影 against 你们 | 喝 | 电影.
    scores = task.baselines(train, test)
    assert scores["segmentation_f1"] == pytest.approx(2 * 2 / (3 + 4))
    # The unseen 你们 gets the most frequent tag, which is PRON here (the first of four with two each).
    assert scores["accuracy"] == 1.0


def test_words_without_tags_teach_only_where_words_begin() -> None:
    recipe = {"corpus": ["zh_ud", "zh_gsd_ner"], "words_of": ["zh_gsd_ner"]}
    task = characters_task(**recipe)
    example = task.example([TaggedWord("茶电", UNTAGGED, False)])
    _batch, targets = task.collate([example], "cpu")
    sure = labelled(task, "B-NOUN", "I-NOUN")
    other = labelled(task, "B-VERB", "I-PRON")
    wrong = labelled(task, "I-NOUN", "I-NOUN")
    losses = [float(task.loss({"logits": logits}, targets)[0]) for logits in (sure, other, wrong)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5) == pytest.approx(0, abs=1e-5)
    # One of two characters is wrong: all B- labels together are exp(−20) times as many as there are tags.
    assert losses[2] == pytest.approx((20 - math.log(len(task.tags))) / 2, abs=1e-4)
    known = task.example([TaggedWord("茶电", "NOUN", False)])
    _batch, targets = task.collate([known], "cpu")
    expected = torch.nn.functional.cross_entropy(other[0], targets["labels"][0])
    assert float(task.loss({"logits": other}, targets)[0]) == pytest.approx(float(expected))


def test_what_is_loaded_for_the_baselines_is_enough_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (words_task(), entities_task(), characters_task()):
        train, test = (task.load(task.config.data, split) for split in ("train", "test"))
        wanted = task.baselines(train, test)
        with monkeypatch.context() as patch:
            patch.setattr(task, "tokenizer", None)
            found = task.load_for_baselines(task.config.data)
        assert [list(one.gold) for one in found] == [list(one.gold) for one in train]
        assert task.baselines(found, test) == wanted


def test_examples_are_the_same_each_time() -> None:
    task = characters_task()
    first, second = (
        load_examples(task.config.data, "train", task.tokenizer, task.config) for _turn in range(2)
    )
    assert all((a.ids == b.ids).all() for a, b in zip(first, second, strict=True))


def test_a_tagger_needs_labels() -> None:
    with pytest.raises(UserError, match="labels"):
        Tagging(RecurrentConfig(arch="lstm", task="tagging"), words_task().tokenizer)


def test_metrics_feed_every_example_once() -> None:
    task = words_task()
    seen: list[int] = []

    def answer(batch: Batch) -> dict[str, Tensor]:
        seen.append(len(batch.ids))
        return {"logits": torch.zeros(*batch.ids.shape, len(task.labels))}

    task.metrics(Answers(answer), task.load(task.config.data, "train"), "cpu", 3)
    assert seen == [3, 3, 2]

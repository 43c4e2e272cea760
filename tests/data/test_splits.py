"""What a recipe's [data] table reads, from corpora of a few sentences in a folder that NLPTUI_DATA names."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlptui.data import splits
from nlptui.data.generators import ambiguous_en
from nlptui.data.readers import UNTAGGED, sentence_text
from nlptui.errors import UserError


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def tagged(*sentences: str) -> str:
    blocks = []
    for sentence in sentences:
        pairs = [item.split("/") for item in sentence.split()]
        rows = [f"{n}\t{form}\t_\t{tag}\t_\t_\t_\t_\t_\t_" for n, (form, tag) in enumerate(pairs, 1)]
        blocks.append("\n".join(rows) + "\n\n")
    return "".join(blocks)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path))
    write(
        tmp_path,
        {
            "en_ewt/train.conllu": tagged("Cats/NOUN sleep/VERB", "Dogs/NOUN bark/VERB"),
            "en_ewt/dev.conllu": tagged("Birds/NOUN sing/VERB"),
            "en_ewt/test.conllu": tagged("Fish/NOUN swim/VERB"),
            "zh_gsd_ner/train.iob2": "1\t北京\tB-LOC\t-\t-\n2\t下雨\tO\t-\t-\n",
            "en_polarity/train.tsv": "positive\tgood\nnegative\tbad\n",
            "en_zh_tatoeba/train.tsv": "Hello.\t你好。\n",
            "en_shakespeare/input.txt": "".join(f"{n:09d}\n" for n in range(100)),
            "zh_tang/test.txt": "天\n地\n",
            "en_stories/a.txt": "One. Two.\n",
            "en_stories/heidi.txt": "Three.\n",
            "en_stories/peter-pan.txt": "Four.\n",
        },
    )
    return tmp_path


def test_tagged_sentences_of_one_corpus() -> None:
    assert [sentence_text(words) for words in splits.tagged_sentences({"corpus": "en_ewt"}, "dev")] == [
        "Birds sing"
    ]


def test_all_corpora_train_the_first_is_the_test() -> None:
    recipe = {"corpus": ["en_ewt", "ambiguous_en"], "repeat": {"en_ewt": 3}}
    train = splits.tagged_sentences(recipe, "train")
    assert len(train) == 2 * 3 + len(ambiguous_en("train"))
    assert [sentence_text(words) for words in splits.tagged_sentences(recipe, "test")] == ["Fish swim"]


def test_our_own_sentences_alone_have_their_own_test() -> None:
    assert splits.tagged_sentences({"corpus": "ambiguous_en"}, "test") == ambiguous_en("test")


def test_words_of_a_corpus_without_its_tags() -> None:
    recipe = {"corpus": ["en_ewt", "zh_gsd_ner"], "words_of": ["zh_gsd_ner"]}
    last = splits.tagged_sentences(recipe, "train")[-1]
    assert [(word.form, word.tag) for word in last] == [("北京", UNTAGGED), ("下雨", UNTAGGED)]
    assert sentence_text(last) == "北京下雨"


def test_one_text_is_cut_in_three_that_join_up(folder: Path) -> None:
    parts = [splits.documents({"corpus": "en_shakespeare"}, split)[0] for split in ("train", "dev", "test")]
    whole = (folder / "en_shakespeare/input.txt").read_text()
    assert "".join(part.text for part in parts) == whole
    assert [len(part.text) for part in parts] == [880, 20, 100]
    assert not parts[0].whole
    with pytest.raises(UserError, match="nothing is left for the dev split"):
        splits.documents({"corpus": "en_shakespeare", "dev_share": 0.0}, "dev")


def test_lines_and_other_corpora_as_running_text() -> None:
    assert [document.text for document in splits.documents({"corpus": "zh_tang"}, "test")] == ["天", "地"]
    assert splits.documents({"corpus": "en_zh_tatoeba", "side": 1}, "train")[0].text == "你好。"
    assert splits.documents({"corpus": "en_ewt"}, "test")[0].text == "Fish swim"
    assert splits.documents({"corpus": "en_polarity"}, "train")[1].whole


def test_books_can_be_chosen() -> None:
    recipe = {"corpus": "en_stories", "train": ["a.txt", "heidi.txt"], "test": ["peter-pan.txt"]}
    assert [document.name for document in splits.documents(recipe, "train")] == ["a", "heidi"]
    assert [document.name for document in splits.documents(recipe, "test")] == ["peter-pan"]


def test_held_out_books_are_never_trained_on() -> None:
    with pytest.raises(UserError) as caught:
        splits.split_files("en_stories", "train", {"test": ["heidi.txt", "peter-pan.txt"]})
    assert "missing" in str(caught.value) and "heidi" not in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "split", "message"),
    [
        ({}, "train", "corpus"),
        ({"corpus": []}, "train", "corpus"),
        ({"corpus": "en_ewt"}, "trial", "unknown split 'trial'"),
        ({"corpus": "en_wnut17"}, "train", "nlptui data get en_wnut17"),
        ({"corpus": "en_polarity"}, "train", "holds no tagged sentences"),
        ({"corpus": "zh_gsd_ner"}, "test", "test.iob2 is missing"),
        ({"corpus": "en_ewtt"}, "train", "did you mean en_ewt"),
    ],
)
def test_errors_say_what_to_do(recipe: dict[str, object], split: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        splits.tagged_sentences(recipe, split)


def test_questions_need_a_position(folder: Path) -> None:
    path = folder / "questions.tsv"
    path.write_text("Who?\tAnn left.\tAnn\tzero\n")
    with pytest.raises(UserError, match="'zero'"):
        splits._read_questions(path)
    path.write_text("Who?\tAnn left.\tAnn\t0\n")
    assert splits._read_questions(path) == [("Who?", "Ann left.", "Ann", 0)]


def test_passages_are_words_where_people_cut_them_and_lines_elsewhere() -> None:
    recipe = {"corpus": ["zh_gsd_ner", "en_shakespeare", "en_zh_tatoeba", "ambiguous_en"], "side": 1}
    found = splits.passages(recipe | {"repeat": {"en_zh_tatoeba": 2}}, "train")
    lines = splits.documents({"corpus": "en_shakespeare"}, "train")[0].text.split("\n")[:-1]
    assert found[0] == ["北京", "下雨"]
    assert found[1 : 1 + len(lines)] == lines and found[1 + len(lines) : 3 + len(lines)] == ["你好。"] * 2
    assert found[3 + len(lines) :] == [[word.form for word in words] for words in ambiguous_en("train")]
    assert splits.passages({"corpus": ["en_ewt", "en_polarity"]}, "dev") == [["Birds", "sing"]]

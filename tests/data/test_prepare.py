"""Originals of a few lines of our own, made into split files; and that the corpora here agree with that."""

from __future__ import annotations

import json
import random
import sys
import zipfile
from pathlib import Path

import pytest

from nlptui.data import prepare as preparing
from nlptui.data.prepare import PREPARED, book_paragraphs, is_regulated, prepare
from nlptui.data.readers import UPOS, read_conllu, read_lines, read_tsv, sentence_text
from nlptui.data.registry import corpora, corpus, find
from nlptui.errors import UserError


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def conllu(name: str, words: list[tuple[str, str]]) -> str:
    text = "".join(form for form, _tag in words)
    lines = [f"# sent_id = {name}", f"# text = {text}", "# translit = x"]
    for number, (form, tag) in enumerate(words, 1):
        lines.append(
            "\t".join([str(number), form, form, tag, "XX", "A=b", "0", "root", "_", "SpaceAfter=No|Gloss=g"])
        )
    return "\n".join(lines) + "\n\n"


@pytest.fixture
def simplified(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for OpenCC that knows two characters."""
    monkeypatch.setattr(
        preparing, "_opencc", lambda: lambda text: text.replace("貓", "猫").replace("書", "书")
    )


def unshuffled(rows: list[str]) -> list[str]:
    """The order before random.Random(0).shuffle."""
    places = list(range(len(rows)))
    random.Random(0).shuffle(places)
    before = dict(zip(places, rows, strict=True))
    return [before[place] for place in range(len(rows))]


def test_ewt_keeps_five_columns_and_spaces(tmp_path: Path) -> None:
    files = {}
    for split in ("train", "dev", "test"):
        name = f"en_ewt-ud-{split}.conllu"
        files[name] = put(
            tmp_path / name, "# newdoc id = d\n" + conllu(f"{split}-1", [("Cats", "NOUN"), (".", "PUNCT")])
        )
    made = PREPARED["en_ewt"](files)
    assert set(made) == {"train.conllu", "dev.conllu", "test.conllu"}
    assert made["dev.conllu"].split("\n")[:4] == [
        "# newdoc id = d",
        "# sent_id = dev-1",
        "# text = Cats.",
        "1\tCats\tCats\tNOUN\tXX\t_\t_\t_\t_\tSpaceAfter=No",
    ]
    path = put(tmp_path / "again.conllu", made["dev.conllu"])
    assert [word.form for word in read_conllu(path)[0]] == ["Cats", "."]


def test_zh_ud_joins_four_treebanks(tmp_path: Path, simplified: None) -> None:
    def bank(name: str, count: int) -> Path:
        text = "".join(
            conllu(f"{name}{n}", [("貓", "NOUN"), ("看", "VERB"), ("書", "NOUN")]) for n in range(count)
        )
        return put(tmp_path / f"{name}.conllu", text)

    files = {
        "zh_gsdsimp-ud-dev.conllu": bank("d", 500),
        "zh_gsdsimp-ud-test.conllu": bank("t", 3),
        "zh_pud-ud-test.conllu": bank("p", 10),
        "zh_hk-ud-test.conllu": bank("h", 5),
        "zh_cfl-ud-test.conllu": bank("c", 4),
    }
    made = {name: put(tmp_path / "out" / name, text) for name, text in PREPARED["zh_ud"](files).items()}
    sentences = {name: read_conllu(path) for name, path in made.items()}
    assert {name: len(found) for name, found in sentences.items()} == {
        "train.conllu": 10 + 5 + 4 + 400,
        "dev.conllu": 100,
        "test.conllu": 3,
    }
    ids = [
        line[12:] for line in made["train.conllu"].read_text().split("\n") if line.startswith("# sent_id = ")
    ]
    ordered = unshuffled(ids)
    assert (
        ordered[0] == "pud-p0"
        and ordered[10] == "hk-h0"
        and ordered[15] == "cfl-c0"
        and ordered[-1] == "gsd-d399"
    )
    simple = [sentence_text(words) for words in sentences["train.conllu"]]
    assert simple.count("猫看书") == 15, "PUD and HK are made simplified, the others are left alone"
    assert "\t_\tNOUN\tXX\t" in made["test.conllu"].read_text()


def test_polarity_is_read_from_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "sentence_polarity.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for end, word in (("neg", "dull"), ("pos", "fine")):
            text = "".join(f"a {word} caf\xe9 number {n} \n" for n in range(1600))
            archive.writestr(f"sentence_polarity/rt-polarity.{end}", text.encode("latin-1"))
    made = PREPARED["en_polarity"]({"packages/corpora/sentence_polarity.zip": path})
    rows = {name: text.split("\n")[:-1] for name, text in made.items()}
    assert {name: len(part) for name, part in rows.items()} == {
        "dev.tsv": 1000,
        "test.tsv": 1000,
        "train.tsv": 1200,
    }
    before = unshuffled(rows["dev.tsv"] + rows["test.tsv"] + rows["train.tsv"])
    assert before[0] == "positive\ta fine café number 0"
    assert before[-1] == "negative\ta dull café number 1599"


def test_reviews_are_read_with_their_commas(tmp_path: Path) -> None:
    text = "label,review\n" + "".join(f'{n % 2},"tea {n}, and cake"\n' for n in range(2100))
    made = PREPARED["zh_waimai"]({"waimai_10k.csv": put(tmp_path / "waimai.csv", text)})
    before = unshuffled((made["dev.tsv"] + made["test.tsv"] + made["train.tsv"]).split("\n")[:-1])
    assert before[:2] == ["negative\ttea 0, and cake", "positive\ttea 1, and cake"]


def test_pairs_stay_together_by_english_sentence(tmp_path: Path, simplified: None) -> None:
    text = "".join(f"Cat {n}.\t貓{n}。\nCat {n}.\t一只貓{n}。\n" for n in range(1200))
    made = PREPARED["en_zh_tatoeba"]({"data/cmn.txt": put(tmp_path / "cmn.txt", text)})
    assert {name: part.count("\n") for name, part in made.items()} == {
        "dev.tsv": 1000,
        "test.tsv": 1000,
        "train.tsv": 400,
    }
    sources = {name: {row.split("\t")[0] for row in part.split("\n")[:-1]} for name, part in made.items()}
    assert not sources["dev.tsv"] & sources["test.tsv"] and not sources["dev.tsv"] & sources["train.tsv"]
    assert "貓" not in "".join(made.values())


def test_books_become_one_paragraph_a_line() -> None:
    text = (
        "\ufeffThe Project Gutenberg EBook of Nothing\r\n\r\n"
        "*** START OF THIS PROJECT GUTENBERG EBOOK NOTHING ***\r\n\r\n"
        "CHAPTER  I\r\n\r\n\r\n“Well,” said she--and\r\nleft.   ‘So.’\r\n\r\n"
        "This line names Project Gutenberg.\r\n\r\n"
        "*** END OF THIS PROJECT GUTENBERG EBOOK NOTHING ***\r\n\r\nLicence\r\n"
    )
    assert book_paragraphs(text) == ["CHAPTER I", "\"Well,\" said she - and left. 'So.'"]
    assert book_paragraphs("no markers\n\nat all") == ["no markers", "at all"]


def test_books_are_named_after_their_repository(tmp_path: Path) -> None:
    entry = corpus("en_stories")
    files = {
        original.path: put(tmp_path / original.repository / original.commit / original.path, "A tale.\n")
        for original in entry.originals
    }
    assert set(PREPARED["en_stories"](files)) == {file.name for file in entry.files}


@pytest.mark.parametrize(
    ("poem", "regulated"),
    [
        ("一二三四五，一二三四五。一二三四五，一二三四五。", True),
        ("一二三四五六七，一二三四五六七？一二三四五六七，一二三四五六七！", True),
        ("一二三四五，一二三四五。", False),
        ("一二三四五，一二三四五。一二三四五，一二三四五六。", False),
        ("一二三四五，一二三四五。一二三四五，一二□四五。", False),
        ("", False),
    ],
)
def test_regulated_verse(poem: str, regulated: bool) -> None:
    assert is_regulated(poem) == regulated


def test_poems_are_kept_once(tmp_path: Path, simplified: None) -> None:
    numbers = "一二三四五六七八九十"

    def poem(n: int, cat: str) -> list[str]:
        half = f"{cat}{numbers[n // 10]}{numbers[n % 10]}书天"
        return [f"{half}，{half}。", f"{half}，{half}。"]

    entries = [{"paragraphs": poem(n, cat)} for n in range(80) for cat in "貓猫"] + [
        {"paragraphs": ["不合。"]}
    ]
    path = put(tmp_path / "poet.tang.0.json", json.dumps(entries, ensure_ascii=False))
    made = PREPARED["zh_tang"]({"全唐诗/poet.tang.0.json": path})
    poems = (made["dev.txt"] + made["test.txt"] + made["train.txt"]).split("\n")[:-1]
    assert len(poems) == len(set(poems)) == 80
    assert made["dev.txt"].count("\n") == made["test.txt"].count("\n") == 2
    assert unshuffled(poems) == sorted(poems)


def test_without_opencc_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    preparing._opencc.cache_clear()
    with pytest.raises(UserError, match=r"nlptui\[opencc\]"):
        PREPARED["en_zh_tatoeba"]({"data/cmn.txt": put(tmp_path / "cmn.txt", "Hi.\t你好。\n")})
    preparing._opencc.cache_clear()


def test_opencc_simplifies() -> None:
    pytest.importorskip("opencc", reason="OpenCC, an extra, is not installed")
    preparing._opencc.cache_clear()
    assert preparing._opencc()("貓看書") == "猫看书"


def test_a_failed_preparation_leaves_nothing(tmp_path: Path) -> None:
    blocked = put(tmp_path / "root", "a file where a folder should be")
    entry = corpus("en_shakespeare")
    original = entry.originals[0]
    with pytest.raises(UserError, match="cannot be written"):
        prepare(entry, {original: put(tmp_path / "input.txt", "text")}, blocked)
    assert blocked.read_text() == "a file where a folder should be"


# The corpora themselves, where they are at hand.


def here(name: str) -> Path:
    folder = find(name)
    if folder is None:
        pytest.skip(f"corpus {name} is not on this machine (NLPTUI_DATA)")
    return folder


def in_order(name: str, read: str) -> list[str]:
    folder = here(name)
    return unshuffled(
        [row for split in ("dev", "test", "train") for row in read_lines(folder / f"{split}.{read}")]
    )


def test_folders_are_the_registrys() -> None:
    found = [entry for entry in corpora() if find(entry.name)]
    if not found:
        pytest.skip("no corpus is on this machine (NLPTUI_DATA)")
    for entry in found:
        folder = find(entry.name)
        assert folder is not None and preparing.differing_files(entry, folder) == [], entry.name


def test_polarity_folder_has_the_order_of_the_original() -> None:
    labels = [row.split("\t")[0] for row in in_order("en_polarity", "tsv")]
    assert labels == ["positive"] * 5331 + ["negative"] * 5331


def test_tang_folder_is_regulated_sorted_and_without_repeats() -> None:
    poems = in_order("zh_tang", "txt")
    assert poems == sorted(set(poems))
    assert all(map(is_regulated, poems))


def test_tatoeba_folder_is_sorted_by_english_sentence() -> None:
    folder = here("en_zh_tatoeba")
    rows = [row for split in ("dev", "test", "train") for row in read_tsv(folder / f"{split}.tsv")]
    sources = list(dict.fromkeys(source for source, _target in rows))
    assert unshuffled(sources) == sorted(sources)


def test_treebank_folders_can_be_read() -> None:
    for name, sentences in (("en_ewt", 2077), ("zh_ud", 500)):
        found = read_conllu(here(name) / "test.conllu")
        assert len(found) == sentences
        assert {word.tag for words in found for word in words} <= set(UPOS)

"""The word splitter, on sentences of our own, and what the word and character vocabularies are made of."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nlptui.errors import UserError
from nlptui.tokenizers import build_tokenizer, load_tokenizer, split_words, word_spans
from nlptui.tokenizers.characters import lowered
from nlptui.tokenizers.splitter import word_numbers
from nlptui.tokenizers.words import CHARACTER_SPECIALS, WordTokenizer

# The expected words, with a space between them.
SENTENCES = [
    ("I don't know.", "I do n't know ."),
    ("I'll go; you can't, he won't.", "I 'll go ; you ca n't , he wo n't ."),
    ("They’ve said it isn’t ours.", "They ’ve said it is n’t ours ."),
    ("She's the teachers' friend, it's Anna's.", "She 's the teachers ' friend , it 's Anna 's ."),
    ("I cannot, I'm gonna wait.", "I can not , I 'm gon na wait ."),
    ("DON'T SHOUT, WE'RE HERE!", "DO N'T SHOUT , WE 'RE HERE !"),
    ("dont worry, thats fine, im late", "do nt worry , that s fine , i m late"),
    ("do n't split it twice, it 's done", "do n't split it twice , it 's done"),
    ("the letters 's' and 't'", "the letters ' s ' and ' t '"),
    ("Rock 'n' roll, get 'em.", "Rock 'n ' roll , get 'em ."),
    ("O'Brien drank d'Orange at five o'clock.", "O'Brien drank d'Orange at five o'clock ."),
    ('"Well," he said, "(maybe) [not]..."', '" Well , " he said , " ( maybe ) [ not ] ... "'),
    ("“Why?” – “Why not!”", "“ Why ? ” – “ Why not ! ”"),
    ("a well-known state-of-the-art cat", "a well - known state - of - the - art cat"),
    (
        "an e-mail to my ex-boss, pre-1990 and non-fiction",
        "an e-mail to my ex-boss , pre-1990 and non-fiction",
    ),
    (
        "Dr. Lee and Mrs. Ono met Mr. J. Park on Elm St. in Sept.",
        "Dr. Lee and Mrs. Ono met Mr. J. Park on Elm St. in Sept.",
    ),
    ("The U.S. team left at 9 a.m. sharp, i.e. early.", "The U.S. team left at 9 a.m. sharp , i.e. early ."),
    ("Pens, ink, etc. are here; pens, ink, etc.", "Pens , ink , etc. are here ; pens , ink , etc ."),
    ("No. 7 is mine. No. Yes.", "No. 7 is mine . No . Yes ."),
    ("It cost $1,250.50, or 12.5% of 10k.", "It cost $ 1,250.50 , or 12.5 % of 10 k ."),
    (
        "At 7:30pm on 12/05/2031, the 20th, in the 1990s.",
        "At 7:30 pm on 12/05/2031 , the 20th , in the 1990s .",
    ),
    ("Call 555-123-4567 or 555-1234: pages 10-15.", "Call 555-123-4567 or 555-1234 : pages 10 - 15 ."),
    (".5 of 1/2 is 3-2", ".5 of 1/2 is 3 - 2"),
    (
        "See https://a.example/b?c=d&e=f#g, or www.b.example.",
        "See https://a.example/b?c=d&e=f#g , or www.b.example .",
    ),
    ("Write to ann.lee+x@mail.example.org!", "Write to ann.lee+x@mail.example.org !"),
    ("shop.example.com sells notes.txt (old.PDF)", "shop.example.com sells notes.txt ( old.PDF )"),
    ("AT&T and R&D, this and/or that", "AT&T and R&D , this and / or that"),
    ("Great :) or not :-( ;-) <3 ^_^ :D", "Great :) or not :-( ;-) <3 ^_^ :D"),
    ("What?! No!!! Wait.... -- so --- on", "What ?! No !!! Wait .... -- so --- on"),
    ("#tag @ann 50% *very* ~x~ a_b", "# tag @ ann 50 % * very * ~ x ~ a_b"),
    ("我们学习NLP，在2024年。", "我 们 学 习 NLP ， 在 2024 年 。"),
    ("他说don't，我说it's。", "他 说 do n't ， 我 说 it 's 。"),
    ("见https://a.example/b，好", "见 https://a.example/b ， 好"),
    ("「你好」！《书》……", "「 你 好 」 ！ 《 书 》 … …"),
    (
        "family 👨\u200d👩\u200d👧 thumbs 👍🏽👍 flag 🇨🇳🇫🇷 key 3️⃣ sun ☀️!",
        "family 👨\u200d👩\u200d👧 thumbs 👍🏽 👍 flag 🇨🇳 🇫🇷 key 3️⃣ sun ☀️ !",
    ),
    ("Привет, мир! γειά σου. नमस्ते दुनिया।", "Привет , мир ! γειά σου . नमस्ते दुनिया ।"),
    ("مرحبا، كيف؟ שלום!", "مرحبا ، كيف ؟ שלום !"),
    ("cafe\u0301 re\u0301sume\u0301, naïve", "cafe\u0301 re\u0301sume\u0301 , naïve"),
    ("한국어 ひらがな カタカナ", "한국어 ひらがな カタカナ"),
    ("[CLS] [/bold] <s>", "[ CLS ] [ / bold ] < s >"),
    ("20°C, 5 km², ½ cup, €10 ±2", "20 ° C , 5 km² , ½ cup , € 10 ± 2"),
    ("a\tb\nc\u3000d\xa0e", "a b c d e"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "words"), SENTENCES, ids=[text[:30] for text, _ in SENTENCES])
def test_split(text: str, words: str) -> None:
    assert split_words(text) == words.split(" ") if words else not split_words(text)
    spans = word_spans(text)
    assert [text[start:end] for start, end in spans] == split_words(text)
    numbers = word_numbers(text)
    assert len(numbers) == len(text)
    for number, (start, end) in enumerate(spans):
        assert numbers[start:end] == [number] * (end - start)
    assert all(
        number is not None or character.isspace() for number, character in zip(numbers, text, strict=True)
    )
    assert word_spans(text, 3) == spans[:3] and word_numbers(text, 5) == numbers[:5]


@pytest.mark.parametrize(
    "unit",
    [
        "a.",
        "a@",
        "a'",
        "1.",
        "1-",
        "a-",
        "no-",
        "http://",
        "(:",
        "a.b@",
        "x" * 60 + ".",
        "etc.",
        "J. ",
        "n't",
        "[!",
    ],
)
def test_no_text_takes_quadratic_time(unit: str) -> None:
    seconds = []
    for size in (10_000, 80_000):
        text = unit * (size // len(unit))
        started = time.process_time()
        assert "".join(split_words(text)) == text.replace(" ", "")
        seconds.append(time.process_time() - started)
    # Eight times the text, eight times the time (and room for a busy machine); squared, sixty-four times.
    assert seconds[1] < 32 * seconds[0] + 0.1


# Word vocabularies.


def words(**options: object) -> WordTokenizer:
    sentences = ["The cat saw the Dog.", "the cat sat", ["the", "New York", "cat"]]
    made = build_tokenizer("words", sentences, **options)
    assert isinstance(made, WordTokenizer)
    return made


def test_words_are_ranked_by_count_then_alphabet() -> None:
    assert words().vocabulary() == [
        "[PAD]",
        "[UNK]",
        "cat",
        "the",
        ".",
        "Dog",
        "New York",
        "The",
        "sat",
        "saw",
    ]


def test_min_count_size_and_lowercase() -> None:
    assert words(min_count=2).vocabulary() == ["[PAD]", "[UNK]", "cat", "the"]
    assert words(vocab_size=3).vocabulary() == ["[PAD]", "[UNK]", "cat"]
    lower = words(lowercase=True, min_count=2)
    assert lower.vocabulary() == ["[PAD]", "[UNK]", "the", "cat"]
    assert lower.encode("THE Cat dog").tokens == ("the", "cat", "[UNK]")
    assert words().encode("THE cat").tokens == ("[UNK]", "cat")


def test_special_strings_in_the_corpus_are_no_tokens() -> None:
    made = build_tokenizer("words", [["[MASK]", "<s>", "[UNK]", "a"]], specials=["unk", "mask"])
    assert made.vocabulary() == ["[UNK]", "[MASK]", "<s>", "a"]
    assert made.encode_words(["<s>", "[UNK]", "[MASK]"]).ids == (2, 0, 1)


def test_characters_of_words() -> None:
    made = words(lowercase=True, characters=True, max_word_length=4, template="cls_sep")
    assert made.characters[:4] == CHARACTER_SPECIALS
    assert made.char_vocab_size == len(made.characters) == len(set(made.characters))
    encoding = made.encode("The cats? [MASK] sat")
    assert encoding.char_ids is not None

    def spelled(at: int) -> list[str]:
        return [made.characters[number] for number in (encoding.char_ids or ())[at]]

    start, end = "[START]", "[END]"
    assert spelled(0) == [start, end]
    assert spelled(1) == [start, "T", "h", "e", end]  # the case that the word's id has lost
    assert spelled(2) == [start, "c", "a", "t", "s", end]
    assert spelled(3) == [start, "[UNK]", end]
    assert spelled(4) == [start, end]  # a mask gives nothing away
    assert spelled(-1) == [start, end]
    assert max(map(len, made.encode("s" * 50).char_ids or ())) == 6
    assert words().encode("The cat").char_ids is None and words().char_vocab_size == 0


def test_characters_that_are_rare_are_unknown() -> None:
    made = words(characters=True, char_min_count=3)
    assert "c" in made.characters and "D" not in made.characters


def test_character_vocabulary_holds_line_ends(tmp_path: Path) -> None:
    made = build_tokenizer("characters", ["a\nb\r\\n\u2028\x85\0 a"])
    made.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.vocabulary() == made.vocabulary()
    text = "\n\r\\n\u2028\x85\0 a\\"
    assert again.decode(again.encode_ids(text)) == text


def test_characters_that_grow_in_lower_case_keep_offsets() -> None:
    assert lowered("AİB", True) == "aİb" and lowered("AİB", False) == "AİB"
    made = build_tokenizer("characters", ["aİb"], lowercase=True)
    assert made.encode("İAİB").tokens == ("İ", "a", "İ", "b")


def test_unknown_characters() -> None:
    made = build_tokenizer("characters", ["abc"])
    encoding = made.encode("a釉c")
    assert encoding.tokens == ("a", "[UNK]", "c") and encoding.surface(1) == "釉"
    assert made.decode(encoding.ids) == "a\ufffdc"


# Options.


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("letters", {}, "kind letters is unknown"),
        ("words", {"min_cout": 2}, "did you mean min_count"),
        ("words", {"min_count": "2"}, "min_count cannot be '2'"),
        ("words", {"min_count": -1}, "min_count cannot be -1"),
        ("words", {"lowercase": 1}, "lowercase cannot be 1"),
        ("words", {"min_count": True}, "min_count cannot be True"),
        ("words", {"template": "cls"}, "unknown template cls"),
        ("words", {"specials": ["unk", "start"]}, "unknown special token start"),
        ("words", {"specials": "unk"}, "specials cannot be"),
        ("words", {"specials": ["pad"]}, "unk is needed"),
        ("words", {"specials": ["unk", "cls"], "template": "cls_sep"}, "needs the special token sep"),
        ("characters", {"vocab_size": 2}, "no room"),
        ("wordpiece", {"vocab_size": 8}, "too small"),
        ("bytelevel", {"vocab_size": 200}, "too small"),
        ("sentencepiece", {"model_type": "word"}, "one of unigram, bpe"),
        ("sentencepiece", {"normalization": "nfd"}, "cannot be nfd"),
        ("sentencepiece", {"vocab_size": 4}, "too small"),
        ("bytes", {"vocab_size": 300}, "no option vocab_size"),
    ],
)
def test_wrong_options(kind: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        build_tokenizer(kind, ["some words of text", "and some more"], **options)
    assert "\n" not in str(caught.value)


def test_nothing_to_learn_from() -> None:
    assert build_tokenizer("words", []).vocabulary() == ["[PAD]", "[UNK]"]
    assert build_tokenizer("characters", [""]).encode("a").tokens == ("[UNK]",)
    assert build_tokenizer("bytelevel", []).decode(build_tokenizer("bytelevel", []).encode("hé").ids) == "hé"
    assert build_tokenizer("wordpiece", []).encode("a").tokens == ("[CLS]", "[UNK]", "[SEP]")
    with pytest.raises(UserError, match="could not train"):
        build_tokenizer("sentencepiece", [])


def test_addresses_and_rows_of_signs_stay_out_of_a_vocabulary() -> None:
    out = ["some@example.org", "mailto:a.b@example.org", "http://example.org/a", "www.example.org", "-" * 31]
    kept = ["at", "@", "-" * 30, "w.w", "://"[:2]]
    tokenizer = build_tokenizer("words", [[*out, *kept]] * 3, characters=True)
    assert set(tokenizer.vocabulary()) == {"[PAD]", "[UNK]", *kept}
    encoding = tokenizer.encode_words(out)
    assert set(encoding.ids) == {tokenizer.specials["unk"]}
    assert all(len(characters) > 3 for characters in encoding.char_ids or ())


# Words of Chinese that came split, and texts that did not.
SPLIT = [["他们", "在", "火车", "站", "等", "火车"], ["火车站", "很", "大", "Anna"]]


def longest(**options: object) -> WordTokenizer:
    tokenizer = build_tokenizer("words", [*SPLIT, "他们坐火车, Anna!"], longest_match=True, **options)
    assert isinstance(tokenizer, WordTokenizer)
    return tokenizer


def test_the_longest_word_that_begins_at_a_place_is_taken() -> None:
    tokenizer = longest(joiner="")
    encoding = tokenizer.encode("他们等火车站的Anna, 很大")
    assert [encoding.surface(i) for i in range(len(encoding))] == [
        "他们", "等", "火车站", "的", "Anna", ",", "很", "大",
    ]  # fmt: skip
    assert encoding.words == tuple(range(8)) and encoding.ids[3] == tokenizer.specials["unk"]
    assert tokenizer.encode_ids("他们等火车站的Anna, 很大") == list(encoding.ids)
    assert [piece.end for piece in tokenizer.pieces("火车站火车")] == [3, 5], "nothing reaches beyond the end"
    # From left to right and never back: who reads 火车 + 站在 is not asked.
    assert [piece.end for piece in tokenizer.pieces("火车站在")] == [3, 4]
    assert len(tokenizer.encode("他们等火车站", max_length=2)) == 2
    assert tokenizer.encode("他们等火车站", max_length=2).truncated


def test_texts_are_counted_in_the_words_of_those_that_came_split() -> None:
    assert longest().find("坐") is not None and longest().find("们") is None
    # 他们 comes twice, 火车 three times: once and twice as people cut them, once more in the text.
    assert longest(min_count=2).vocabulary()[2:] == ["火车", "Anna", "他们"]
    plain = build_tokenizer("words", [*SPLIT, "他们坐火车, Anna!"])
    assert plain.find("们") is not None, "without the option a character is a word"


def test_the_setting_is_kept_and_absent_where_it_is_off(tmp_path: Path) -> None:
    longest().save(tmp_path / "on")
    again = load_tokenizer(tmp_path / "on")
    assert again.encode("等火车站").tokens == ("等", "火车站")
    build_tokenizer("words", ["a b"]).save(tmp_path / "off")
    assert "longest_match" not in (tmp_path / "off" / "tokenizer_config.json").read_text()
    assert not getattr(load_tokenizer(tmp_path / "off"), "longest_match", True)

"""Texts of our own and one small tokenizer of every kind, built from them once."""

from __future__ import annotations

from functools import cache
from typing import Any

from nlptui.tokenizers import Tokenizer, build_tokenizer

ENGLISH = [
    "The old ferry leaves the harbour at seven, and nobody waits for it.",
    "I don't know why the green kettle sings before the water boils.",
    "She'll bring three small boxes, two maps and a lantern.",
    "We can't open the gate; the key is under the blue stone.",
    "He said the train was late again, so they walked along the river.",
    "Nobody reads the long letters that the lighthouse keeper writes.",
    "In 1987 the bakery sold 1,250 loaves for $3.50 each.",
    "The teacher's notes were hidden behind the clock in the hall.",
    "A gray cat sleeps on the warm bonnet of the baker's van.",
    "They've painted the door red, the fence white and the boat yellow.",
    "Is there a faster way to cross the valley before it rains?",
    "The market opens early, but the fish is gone by nine o'clock!",
]
CHINESE = [
    "小船在清晨离开港口，没有人等它。",
    "我不知道水开之前绿色的水壶为什么会唱歌。",
    "她会带来三个小盒子、两张地图和一盏灯。",
    "老师的笔记藏在大厅的钟后面。",
    "他们把门漆成红色，把船漆成黄色。",
]
TEXTS = (ENGLISH + CHINESE) * 4

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
TRICKY = [
    "",
    " ",
    "a",
    "\n",
    "The ferry can't wait for 小船, nobody knows why.",
    "  two  spaces\tand a tab\nand a line  ",
    f"a family {FAMILY} and 👍🏽, a flag 🇨🇳, a key 3️⃣",
    "cafe\u0301 café naïve Ångström ﬁne ½ Ⅷ ＡＢＣ　全角",
    "Привет мир, γειά σου, שלום עולם, مرحبا بالعالم, नमस्ते दुनिया, ไทย, 한국어, ひらがなカタカナ",
    "null\0inside and\x1b[31mescape\x7f",
    "lone \ud800 surrogates \udfff\udc00 here\ud83d",
    "[MASK] sat on the [MASK]. un[MASK]ed [MASK][MASK]",
    "[CLS] [SEP] [PAD] [UNK] <s> </s> <unk> <pad> <0x41> <|endoftext|> ▁ ## Ġ",
    "[/bold] [@click=app.quit]x[/] \u202eabc\u202c \u200b\ufeff",
    "word" * 200,
    "e\u0301\u0302\u0303\u0304 z\u0351\u036b\u0343\u036a",
]
"""Text of every sort that has broken a tokenizer somewhere."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "words": ("words", {}),
    "words-lower-characters": ("words", {"lowercase": True, "characters": True, "max_word_length": 8}),
    "characters": ("characters", {}),
    "characters-lower": ("characters", {"lowercase": True}),
    "bytes": ("bytes", {}),
    "sentencepiece-unigram": ("sentencepiece", {"vocab_size": 300}),
    "sentencepiece-bpe": ("sentencepiece", {"vocab_size": 300, "model_type": "bpe"}),
    "sentencepiece-lossless": (
        "sentencepiece",
        {"vocab_size": 500, "byte_fallback": True, "normalization": "identity", "keep_spaces": True},
    ),
    "wordpiece": ("wordpiece", {"vocab_size": 400}),
    "wordpiece-cased": ("wordpiece", {"vocab_size": 400, "lowercase": False}),
    "bytelevel": ("bytelevel", {"vocab_size": 400}),
}


@cache
def made(case: str, template: str = "cls_sep") -> Tokenizer:
    """The tokenizer of a case."""
    kind, options = CASES[case]
    return build_tokenizer(kind, TEXTS, template=template, **options)

"""A sentence for each kind of model on which it shows what it can do; what stands in the prompt at first.

Knows nothing of models but their name, task and language. The sentences are our own.
"""

from __future__ import annotations

from nlptui.tui.place import PAIR_MARK

FIRST = {"en": "I saw her duck under the table.", "zh": "我喜欢在安静的早晨看书。"}
"""For a model of which nothing more is known."""
_BY_NAME = {
    "nli": f"The old lamp is in the kitchen. {PAIR_MARK} The lamp is old.",
    "recall": "The lamp waits for Mei. The hens slept. It rained all night. So who was it?",
    "gpt-tang": "春山",
    "shakespeare": "KING:\nWhat say you",
    "ner": "李明去年在北京大学学习，现在住在上海。",
}
"""For names that hold such a part, whatever the language."""
_BY_TASK = {
    ("classification", "en"): "a quiet, clever film with a warm heart.",
    ("pretraining", "en"): "He gave [MASK] a letter.",
    ("pretraining", "zh"): "他[MASK]欢看书。",
    ("language_model", "en"): "The little girl opened the door and",
    ("language_model", "zh"): "今天",
    ("translation", "en"): "I will read this book tomorrow.",
    ("question_answering", "en"): (
        f"Where is the lamp? {PAIR_MARK} Mary picked up the lamp. Mary went to the garden."
        " Tom is in the office."
    ),
    (
        "question_answering",
        "zh",
    ): f"书在哪里？{PAIR_MARK}小明拿起了书。小明走到了厨房。他放下了书。小红在花园。",
    ("skip_gram", "en"): "I you he cat dog tree flower",
    ("skip_gram", "zh"): "你 我 他 猫 狗 树 花",
}


def example(name: str, task: str, language: str) -> str:
    """The sentence for a model; a translator's language is that of what it reads: "en-zh"."""
    read = language.split("-")[0]
    named = next((text for part, text in _BY_NAME.items() if part in name), "")
    return named or _BY_TASK.get((task, read), FIRST.get(read, FIRST["en"]))


def is_example(text: str) -> bool:
    """Whether a text is one of these, so that nothing is lost where another takes its place."""
    return text in (*FIRST.values(), *_BY_NAME.values(), *_BY_TASK.values())

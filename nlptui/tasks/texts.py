"""What a recipe's corpora give before there is a model: texts for the tokenizer, names for the labels.

Only the training part is ever read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlptui.classical.schemes import BMES
from nlptui.data import splits
from nlptui.data.readers import UNTAGGED, sentence_text, split_sentences
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

JOINT_KINDS = ("characters", "bytes")
"""Tokenizers that cut inside words, so that a tagger of their tokens has to find the words too."""


def texts_for_tokenizer(
    recipe_data: Mapping[str, Any], task: str, kind: str = ""
) -> list[str] | list[list[str]] | list[str | list[str]]:
    """The training texts of a recipe; for a tagger whose tokenizer is of `kind` words, sentences as words,
    and the words of our own lists of names where training draws from them.

    For skip-gram both: words where people cut them, texts elsewhere.
    """
    if task == "tagging":
        sentences = splits.tagged_sentences(recipe_data, "train")
        if kind == "words":
            known = splits.names_known(recipe_data)
            # Twice, so that a vocabulary of what comes twice has them.
            return [[word.form for word in words] for words in sentences] + [known, known]
        return [sentence_text(words) for words in sentences]
    if task == "classification":
        return [text for row in splits.labelled_texts(recipe_data, "train") for text in row[1:]]
    if task == "question_answering":
        return [text for row in splits.questions(recipe_data, "train") for text in row[:2]]
    if task == "translation":
        return [text for row in splits.sentence_pairs(recipe_data, "train") for text in row]
    if task == "skip_gram":
        return splits.passages(recipe_data, "train")
    documents = splits.documents(recipe_data, "train")
    if task == "pretraining":
        return [
            s for document in documents for line in document.text.split("\n") for s in split_sentences(line)
        ]
    # Line ends are tokens of a long text, so they stay on their lines.
    return [
        line
        for document in documents
        for line in ([document.text] if document.whole else document.text.splitlines(True))
    ]


def labels_for(recipe_data: Mapping[str, Any], task: str, kind: str = "") -> tuple[str, ...]:
    """The classes that the training part shows; B-TAG and I-TAG for a tagger that reads characters."""
    if task == "tagging":
        sentences = splits.tagged_sentences(recipe_data, "train")
        tags = sorted({word.tag for words in sentences for word in words} - {UNTAGGED})
        _some(tags, recipe_data)
        if recipe_data.get("segmentation"):
            return BMES
        if "O" in tags:
            return ("O", *(tag for tag in tags if tag != "O"))
        if kind in JOINT_KINDS:
            return tuple(f"{place}-{tag}" for place in "BI" for tag in tags)
        return tuple(tags)
    if task == "classification":
        return tuple(
            _some(sorted({row[0] for row in splits.labelled_texts(recipe_data, "train")}), recipe_data)
        )
    if task == "pretraining":
        return ("next", "not next")
    return ()


def _some(labels: list[str], recipe_data: Mapping[str, Any]) -> list[str]:
    if not labels:
        raise UserError(
            _("corpus {name}: no labels in its train split").format(
                name=visible(str(recipe_data.get("corpus")))
            )
        )
    return labels

"""What a person reads in place of the names that files and JSON hold: families, tasks, languages, metrics,
kinds of tokenizers; and that a machine is busy.

In English a metric and a kind of tokenizer are called as in a file. Knows nothing of models and runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nlptui.locale import N_, _
from nlptui.niceness import load_and_cores
from nlptui.text import visible

TASKS = {
    "tagging": N_("tagging"),
    "classification": N_("classification"),
    "language_model": N_("language model"),
    "pretraining": N_("MLM + NSP"),
    "translation": N_("translation"),
    "question_answering": N_("question answering"),
    "skip_gram": N_("word vectors"),
}
ARCHS = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "bert": "BERT",
    "gpt": "GPT",
    "transformer": "Transformer",
    "word2vec": "word2vec",
    "hmm": "HMM",
    "crf": "CRF",
    "rules": N_("rules"),
}
LANGUAGES = {"en": N_("English"), "zh": N_("Chinese"), "en-zh": N_("en-zh")}
METRICS = (
    N_("accuracy"),
    N_("bleu"),
    N_("chrf"),
    N_("exact_match"),
    N_("f1"),
    N_("gradient_norm"),
    N_("learning_rate"),
    N_("loss"),
    N_("mlm_accuracy"),
    N_("naive_bayes_accuracy"),
    N_("nsp_accuracy"),
    N_("perplexity"),
    N_("random_token_exact_match"),
    N_("raw_f1"),
    N_("same_mention"),
    N_("second_text_accuracy"),
    N_("seconds_left"),
    N_("segmentation_f1"),
    N_("tokens_per_second"),
    N_("word_by_word_bleu"),
    N_("word_by_word_chrf"),
)
SHARED = 0.5
"""How much of a core may be wanted by others too before a machine counts as busy."""
_SPLITS = {"train": N_("train_{metric}"), "dev": N_("dev_{metric}"), "test": N_("test_{metric}")}
SPLITS = {"train": N_("train"), "dev": N_("dev"), "test": N_("test")}
_AT = N_("{metric}_at_{n}")
_OF = N_("{metric}_{part}")
KINDS = {
    "words": N_("words"),
    "word": N_("word"),
    "characters": N_("characters"),
    "char": N_("char"),
    "bytes": N_("bytes"),
    "bytelevel": N_("bytelevel"),
}
"""Kinds of tokenizers; what is not here (bpe, unigram, wordpiece) is called alike everywhere."""


def what_words(model: Any) -> tuple[str, str, str]:
    """Family, task and language of a model, or of a line of the list of models."""
    named = ((ARCHS, model.arch), (TASKS, model.task), (LANGUAGES, model.language))
    family, task, language = (_(names.get(name, visible(name))) for names, name in named)
    return family, task, language


def listed(words: Iterable[str]) -> str:
    """`a, b, c`, as the reader's language separates things."""
    words = list(words)
    told = words[0] if words else ""
    for word in words[1:]:
        told = _("{first}, {second}").format(first=told, second=word)
    return told


def metric_words(name: str) -> str:
    """A metric, by itself, of a split (`dev_accuracy`) or of a part (`mlm_accuracy_zh_ud`).

    A name that is not known stays as it is.
    """
    if name in METRICS:
        return _(name)
    split, _bar, rest = name.partition("_")
    if split in _SPLITS and rest:
        return _(_SPLITS[split]).format(metric=metric_words(rest))
    known = max((one for one in METRICS if name.startswith(f"{one}_")), key=len, default="")
    if not known:
        return visible(name)
    part = name.removeprefix(f"{known}_")
    place = re.fullmatch(r"at_(\d+)", part)
    if place:
        return _(_AT).format(metric=_(known), n=place[1])
    return _(_OF).format(metric=_(known), part=visible(part))


def kind_words(kind: str) -> str:
    """A kind of tokenizer."""
    return _(KINDS.get(kind, kind))


def busy_words() -> str:
    """That the machine has no core left for a run that starts now, and what follows; empty where it has."""
    found = load_and_cores()
    if found is None or found[0] + 1 <= found[1] + SHARED:
        return ""
    words = _("The machine is busy: load {load} on {cores} cores; the run will be slower.")
    return words.format(load=f"{found[0]:.1f}", cores=found[1])

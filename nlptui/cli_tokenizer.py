"""`nlptui tokenizer`: train one by itself, see BPE learnt, list those there are, look into a vocabulary.

Training runs in a process of its own (`nlptui.engine.tokenizer_training`). Loads no torch.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from nlptui.cli_base import Choice, Group, argument, option
from nlptui.cli_options import COUNT, TOKENIZER, json_option
from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.text import visible

KINDS = ("bpe", "unigram", "word", "character")
SORTS = ("id", "token", "length", "score")
BETWEEN = 0.2
"""Seconds between two looks at a training."""


@click.group(cls=Group, help=N_("Train a tokenizer, list those trained, or look into a vocabulary."))
def tokenizer() -> None:
    pass


@tokenizer.command("train", help=N_("Train a tokenizer on a corpus or a text file."))
@argument("source", metavar="CORPUS|FILE")
@option("--kind", type=Choice(KINDS), default="bpe", help=N_("What to train."))
@option("--vocab-size", type=int, default=4000, help=N_("How many tokens the vocabulary has at most."))
@option("--coverage", type=float, default=0.9995, help=N_("Share of all characters that it must spell."))
@option("--name", help=N_("Its name; without one, corpus and kind."))
@json_option
def train_tokenizer(
    source: str, kind: str, vocab_size: int, coverage: float, name: str | None, as_json: bool
) -> None:
    from nlptui.cli_output import emit
    from nlptui.engine.tokenizer_training import Job, Training
    from nlptui.paths import tokenizers_dir

    training = Training(Job(source, kind, name or f"{Path(source).stem}-{kind}", vocab_size, coverage))
    try:
        while (progress := training.progress()).state == "running":
            _show(f"{progress.share:4.0%}  {progress.said}")
            time.sleep(BETWEEN)
    finally:
        training.end()
        _show("")
    if progress.state == "failed":
        raise UserError(progress.said)
    path = tokenizers_dir() / training.job.name
    lines = [_("{name}: trained; nlptui tokenize TEXT -t {name}, or from = \"{name}\" in a recipe").format(
        name=training.job.name)]  # fmt: skip
    emit(as_json, {"name": training.job.name, "path": str(path)}, lambda: lines)


def _show(line: str) -> None:
    """The state of the training, over the line before; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line[:100]}", end="", file=sys.stderr, flush=True)


@tokenizer.command("list", help=N_("List the tokenizers that were trained by themselves."))
@json_option
def list_tokenizers(as_json: bool) -> None:
    from nlptui.cli_output import emit, table
    from nlptui.engine.tokenizer_training import trained
    from nlptui.wording import kind_words

    found = trained()
    values = [{"name": name, "kind": kind, "vocab_size": size} for name, kind, size in found]
    heads = (_("name"), _("kind"), _("vocabulary"))
    rows = [(name, kind_words(kind), size) for name, kind, size in found]
    emit(as_json, {"tokenizers": values}, lambda: table(heads, rows, right=(2,)))


@tokenizer.command("merges", help=N_("Learn BPE on a small text, merge by merge."))
@argument("text")
@option("--merges", "count", type=click.IntRange(1, 1000), default=20, help=N_("How many merges."))
@json_option
def show_merges(text: str, count: int, as_json: bool) -> None:
    from dataclasses import asdict

    from nlptui.cli_output import emit
    from nlptui.engine.tokenizer import learn_merges

    learnt = list(learn_merges(text, count))
    emit(as_json, {"merges": [asdict(one) for one in learnt]}, lambda: _merge_lines(learnt))


def _merge_lines(learnt: list[Any]) -> list[str]:
    from nlptui.cli_output import table
    from nlptui.views.segmentation import chips

    rows = []
    for number, one in enumerate(learnt, 1):
        others = ", ".join(f"{left}+{right} {count}" for left, right, count in one.runners_up[:3])
        words = "  ".join(chips(word) for word, _count in one.words[:4])
        rows.append((str(number), f"{one.left} + {one.right}", one.count, others, words))
    heads = ("", _("pair"), _("count"), _("next"), _("words"))
    return table(heads, rows, right=(0, 2))


@tokenizer.command("vocabulary", help=N_("List the tokens of a vocabulary."))
@argument("name", type=TOKENIZER)
@option("--search", default="", help=N_("Only tokens that hold this, or have this id."))
@option("--sort", type=Choice(SORTS), default="id", help=N_("The order."))
@option("--descending", is_flag=True, help=N_("From the last to the first."))
@option("--count", "-n", type=COUNT, default=50, help=N_("How many."))
@json_option
def show_vocabulary(name: str, search: str, sort: str, descending: bool, count: int, as_json: bool) -> None:
    from dataclasses import asdict

    from nlptui.cli_output import emit, table
    from nlptui.cli_show import spaced
    from nlptui.engine.tokenizer_bench import vocabulary

    found = vocabulary(name, search, sort, descending)
    shown = [asdict(entry) for entry in found[:count]]
    rows = [(str(e.id), spaced(e.token), len(e.token), e.score) for e in found[:count]]
    heads = (_("id"), _("token"), _("length"), _("score"))
    value = {"tokenizer": name, "found": len(found), "tokens": shown}
    emit(as_json, value, lambda: [visible(line) for line in table(heads, rows, right=(0, 2, 3))])

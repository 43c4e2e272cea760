"""Corpora of a few sentences of our own where NLPTUI_DATA points; networks whose outputs are set by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nlptui.nn.batch import Batch

STORY = "\n".join(
    f"The {colour} fox ran over hill number {n}. It saw a {thing}. Nobody else was there, not even Mr. Crow!"
    f" So the fox took the {thing} home."
    for n, (colour, thing) in enumerate(
        (c, t) for c in ("red", "grey", "old") for t in ("hen", "cup", "bone", "hat")
    )
)
SEA = "\n".join(
    f"On day {n} the ship sailed on. The sea was {sea}. We had {food} to eat, and the captain told a story."
    for n, (sea, food) in enumerate(
        (s, f) for s in ("calm", "rough", "dark", "green") for f in ("fish", "rice", "bread")
    )
)


def tagged(*sentences: str, joined: bool = False) -> str:
    """CoNLL-U of sentences written as form/TAG."""
    misc = "SpaceAfter=No" if joined else "_"
    blocks = []
    for sentence in sentences:
        pairs = [item.split("/") for item in sentence.split()]
        rows = [f"{n}\t{form}\t_\t{tag}\t_\t_\t_\t_\t_\t{misc}" for n, (form, tag) in enumerate(pairs, 1)]
        blocks.append("\n".join(rows) + "\n\n")
    return "".join(blocks)


@pytest.fixture(autouse=True)
def corpora_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path))
    train = [
        f"the/DET {noun}/NOUN {verb}/VERB" for noun in ("cat", "dog", "bird") for verb in ("runs", "eats")
    ]
    files = {
        "en_ewt/train.conllu": tagged(
            *train, "run/VERB !/PUNCT", "a/DET run/NOUN is/AUX a/DET run/NOUN ./PUNCT"
        ),
        "en_ewt/test.conllu": tagged("the/DET run/NOUN runs/VERB", "Cats/NOUN run/VERB"),
        "zh_ud/train.conllu": tagged(
            "我们/PRON 喝/VERB 茶/NOUN", "你/PRON 看/VERB 电影/NOUN 。/PUNCT", joined=True
        ),
        "zh_ud/test.conllu": tagged("你们/PRON 喝/VERB 电影/NOUN", joined=True),
        "zh_gsd_ner/train.iob2": "1\t北京\tB-LOC\t-\t-\n2\t下雨\tO\t-\t-\n\n1\t老王\tB-PER\t-\t-\n",
        "zh_gsd_ner/test.iob2": "1\t北京\tB-LOC\t-\t-\n2\t来\tO\t-\t-\n",
        "en_polarity/train.tsv": "positive\ta fine film\nnegative\ta dull film\npositive\tfine , fine\n",
        "en_polarity/test.tsv": "positive\ta film\nnegative\ta dull , dull film\n",
        "en_zh_tatoeba/train.tsv": "Hello.\t你好。\nI drink tea.\t我喝茶。\n",
        "en_zh_tatoeba/test.tsv": "Tea.\t茶。\n",
        "en_shakespeare/input.txt": "the tide goes out\nand comes again\n" * 40,
        "zh_tang/train.txt": "天地人和。\n山高水长。日月星。\n",
        "zh_tang/test.txt": "天高。\n",
        "en_stories/a.txt": STORY,
        "en_stories/b.txt": SEA,
        "en_stories/c.txt": STORY.replace("fox", "wolf"),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


STORIES = {"corpus": "en_stories", "train": ["a.txt", "b.txt"], "dev": ["c.txt"], "test": ["c.txt"]}


class Answers(nn.Module):
    """A network that gives the outputs which a function makes of the batch."""

    def __init__(self, answer: Callable[[Batch], dict[str, Tensor]]) -> None:
        super().__init__()
        self.answer = answer
        self.was_training: list[bool] = []

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        self.was_training.append(self.training or torch.is_grad_enabled())
        return self.answer(batch)


def one_hot(indices: Tensor, width: int, height: float = 20.0) -> Tensor:
    """Logits that are sure of `indices`."""
    return torch.nn.functional.one_hot(indices.clamp(min=0), width).float() * height

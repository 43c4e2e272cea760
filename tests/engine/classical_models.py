"""Small rules, a small HMM and a small CRF, made by hand and the same on every machine, as model folders."""

from __future__ import annotations

from pathlib import Path

import torch

from nlptui.classical.crf import NONE, ChainCRF
from nlptui.classical.hmm import HMM
from nlptui.classical.rules import RuleTagger
from nlptui.classical.table import SparseTable
from nlptui.config import CRFConfig, HMMConfig, RulesConfig
from nlptui.engine import checkpoint
from nlptui.tokenizers import build_tokenizer

LABELS = ("NOUN", "VERB", "DET", "X")
TAGGED = (
    "the/DET old/NOUN keeper/NOUN can/VERB open/VERB a/DET can/NOUN of/X paint/NOUN",
    "the/DET can/NOUN of/X a/DET keeper/NOUN",
    "a/DET keeper/NOUN can/VERB paint/VERB the/DET old/NOUN",
    "keeper/NOUN paint/NOUN ./X",
)
FEATURES = ("bias", "word", "ends2", "before")
WEIGHTS = {
    "bias=": (0.5, 0.25, -1.0, -0.5),
    "word=the": (-0.5, -0.5, 3.0, 0.0),
    "word=a": (-0.5, -0.5, 2.75, 0.0),
    "word=can": (0.75, 1.0, 0.0, 0.0),
    "ends2=er": (1.5, -0.25, 0.0, 0.0),
    "before=the": (1.25, -1.0, -2.0, 0.0),
    "before=a": (1.0, -1.0, -2.0, 0.0),
    "before=can": (-0.25, 1.5, 0.0, 0.5),
}
"""The CRF's weights of features, for each label."""
MOVES = ((0.0, 0.75, -0.5, 0.25), (-0.25, 0.25, 0.75, 0.5), (1.5, -1.0, -2.0, -0.5), (0.25, -0.25, 0.5, 0.0))
RULES = r"""
scheme = "words"
otherwise = "NOUN"

[[rule]]
name = "articles"
tag = "DET"
pattern = '(?i)the|a'

[[rule]]
name = "after can"
tag = "VERB"
pattern = '\p{Ll}+'
before = 'can'

[[rule]]
name = "can"
tag = "VERB"
pattern = 'can'
before = '.*er'

[[rule]]
name = "small words"
tag = "X"
pattern = 'of|\p{P}'
"""


def make_classical(folder: Path) -> None:
    """Write the models `tag-rules`, `tag-hmm` and `tag-crf` into `folder`."""
    pairs = [[part.rsplit("/", 1) for part in line.split()] for line in TAGGED]
    words = [[word for word, _tag in line] for line in pairs]
    tags = [[LABELS.index(tag) for _word, tag in line] for line in pairs]
    tokenizer = build_tokenizer("words", [" ".join(line) for line in words])
    common = {"task": "tagging", "labels": LABELS, "vocab_size": tokenizer.vocab_size}
    hmm = HMMConfig(name="tag-hmm", arch="hmm", class_words=1, **common)
    ids = [[tokenizer.find(word) for word in line] for line in words]
    unknown = tokenizer.specials["unk"]
    counted, sized = HMM.counted(hmm, list(zip(ids, words, tags, strict=True)), unknown)
    checkpoint.save(folder / "tag-hmm", counted, sized, tokenizer)

    table = SparseTable.of(torch.tensor([(0.0,) * len(LABELS), *WEIGHTS.values()]))
    crf = CRFConfig(
        name="tag-crf", arch="crf", features=FEATURES, n_features=len(WEIGHTS) + 1,
        entries=len(table.values), **common,
    )  # fmt: skip
    model = ChainCRF(crf, (NONE, *WEIGHTS))
    model.state = table
    model.transition_weight.copy_(torch.tensor(MOVES))
    checkpoint.save(folder / "tag-crf", model, crf, tokenizer)

    written = folder / "written"
    written.mkdir()
    (written / "rules.toml").write_text(RULES, encoding="utf-8")
    rules = RulesConfig(name="tag-rules", arch="rules", metrics={"accuracy": 0.75}, **common)
    checkpoint.save(folder / "tag-rules", RuleTagger.read(rules, written), rules, tokenizer)
    (written / "rules.toml").unlink()
    written.rmdir()

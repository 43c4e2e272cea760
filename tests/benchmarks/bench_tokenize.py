"""`nlptui tokenize --ids` on 100,000 lines of a pipe, against the library alone doing the same.

The library alone is a program of a few lines that reads the same pipe line by line and writes the same ids.
Both start anew each time and take turns; the best of several counts. Aim: 1.2.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nlptui.engine.library import find_model
from tests.benchmarks.texts import CHINESE, ENGLISH

LINES = 100_000
ROUNDS = 3
MODELS = ("transformer-en-zh", "bert-en", "gpt-stories")
SENTENCEPIECE = """
import sys, sentencepiece
encode = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1] + "/tokenizer.model").encode
for line in sys.stdin:
    sys.stdout.write(" ".join(map(str, encode(line.rstrip("\\n")))) + "\\n")
"""
TOKENIZERS = """
import sys, tokenizers
library = tokenizers.Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
library.encode_special_tokens = True
before, after = ([2], [3]) if sys.argv[2] == "cls_sep" else ([], [])
for line in sys.stdin:
    ids = library.encode(line.rstrip("\\n"), add_special_tokens=False).ids
    sys.stdout.write(" ".join(map(str, before + ids + after)) + "\\n")
"""


def lines(path: Path) -> None:
    """Sentences of 4 to 24 words, English and Chinese, always the same."""
    rng = random.Random(0)
    known = {"en": ENGLISH.split(), "zh": CHINESE.replace("。", ",").split(",")}
    with path.open("w", encoding="utf-8") as file:
        for number in range(LINES):
            words = known["zh" if number % 5 == 4 else "en"]
            file.write(" ".join(rng.choices(words, k=rng.randrange(4, 25))) + "\n")


def seconds(command: list[str], source: Path, target: Path) -> float:
    """How long a program takes from start to end."""
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "false", "PYTHONIOENCODING": "utf-8"}
    started = time.perf_counter()
    with source.open("rb") as pipe, target.open("wb") as out:
        subprocess.run(command, stdin=pipe, stdout=out, env=environment, check=True)
    return time.perf_counter() - started


def run() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "lines"
        lines(source)
        for name in MODELS:
            path = find_model(name)
            template = "cls_sep" if name == "bert-en" else "none"
            code = SENTENCEPIECE if (path / "tokenizer.model").is_file() else TOKENIZERS
            programs = {
                "nlptui": [sys.executable, "-m", "nlptui", "tokenize", "-t", name, "--ids"],
                "library": [sys.executable, "-c", code, str(path), template],
            }
            best = dict.fromkeys(programs, float("inf"))
            for _n in range(ROUNDS):
                for which, command in programs.items():
                    best[which] = min(best[which], seconds(command, source, Path(folder) / which))
            same = (Path(folder) / "nlptui").read_bytes() == (Path(folder) / "library").read_bytes()
            if not same:
                raise RuntimeError(f"{name}: nlptui and the library write different ids")
            found[f"{name}, s"] = best["nlptui"]
            found[f"{name}, the library alone, s"] = best["library"]
            found[f"{name}, nlptui / library (aim 1.2)"] = best["nlptui"] / best["library"]
    return found

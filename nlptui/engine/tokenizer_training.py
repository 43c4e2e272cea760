"""A tokenizer trained by itself, in a process: `python -m nlptui.engine.tokenizer_training FOLDER PID`.

The folder of the job holds `job.json`, `log.txt` (all that the process and the library's C++ write) and, in
the end, `result.json`; the tokenizer appears whole among the user's, or not at all. Loads no torch.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.niceness import give_way
from nlptui.paths import tokenizers_dir
from nlptui.text import visible
from nlptui.tokenizers import build_tokenizer
from nlptui.tokenizers.files import CONFIG_NAME, write_atomic

KINDS = ("bpe", "unigram", "word", "character")
_BPE = re.compile(r"Added: .*\bsize=(\d+)")
NICE = 10
"""As training runs are."""
_UNIGRAM = re.compile(r"EM sub_iter=\d+ size=(\d+)")


@dataclass(frozen=True)
class Job:
    """What to train."""

    source: str
    """The name of a corpus, or the path of a text file."""
    kind: str
    name: str
    vocab_size: int = 4000
    coverage: float = 0.9995
    """The share of all characters of the text that the vocabulary must spell; not for words."""

    def check(self) -> None:
        """Raise UserError for what cannot be trained, or would overwrite another tokenizer."""
        if self.kind not in KINDS:
            message = _("the kind {kind} is unknown: it is one of {kinds}")
            raise UserError(message.format(kind=visible(self.kind), kinds=", ".join(KINDS)))
        if not re.fullmatch(r"[\w][\w.-]{0,80}", self.name):
            message = _("{name} cannot be a tokenizer's name; use letters, digits, - and _")
            raise UserError(message.format(name=visible(self.name) or "“”"))
        if not 0.5 <= self.coverage <= 1:
            message = _("the character coverage {share} is out of range; it goes from 0.5 to 1")
            raise UserError(message.format(share=self.coverage))
        if not 8 <= self.vocab_size <= 1_000_000:
            message = _("the vocabulary size {size} is out of range; it goes from 8 to 1000000")
            raise UserError(message.format(size=self.vocab_size))
        if (tokenizers_dir() / self.name).exists():
            message = _("there is a tokenizer named {name} already; choose another name")
            raise UserError(message.format(name=self.name))


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    state: str
    """running, done or failed."""
    share: float = 0.0
    """Of the whole, as far as the library says it."""
    said: str = ""
    """The last line of the log, or why it failed."""


class Training:
    """A job that runs; the caller keeps it and asks for its progress."""

    def __init__(self, job: Job) -> None:
        job.check()
        self.job = job
        self.folder = Path(tempfile.mkdtemp(prefix="nlptui-tokenizer-"))
        source = Path(job.source).expanduser()
        wish = asdict(job) | ({"source": str(source.resolve())} if source.is_file() else {})
        (self.folder / "job.json").write_text(json.dumps(wish), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "nlptui.engine.tokenizer_training",
            str(self.folder),
            str(os.getpid()),
        ]
        with (self.folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def progress(self) -> Progress:
        """How far it is; the job's folder goes when it has ended."""
        code = self.process.poll()
        lines = self._lines()
        if code is None:
            return Progress("running", share_of(lines, self.job), lines[-1] if lines else "")
        result = self.folder / "result.json"
        said = json.loads(result.read_text(encoding="utf-8"))["error"] if result.is_file() else None
        if said is None:
            last = lines[-1] if lines else ""
            said = _("training the tokenizer ended with status {code}: {said}").format(code=code, said=last)
        return Progress("failed", 0.0, said) if said else Progress("done", 1.0)

    def _lines(self) -> list[str]:
        try:
            text = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [visible(line)[:200] for line in text.splitlines()[-2000:] if line.strip()]

    def end(self) -> None:
        """Stop it if it runs, and clear its folder away."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def share_of(lines: Sequence[str], job: Job) -> float:
    """How far SentencePiece is, by what it logs: pieces added, or pieces still to be pruned."""
    added = [int(found[1]) for line in lines if (found := _BPE.search(line))]
    if added:
        return min(1.0, added[-1] / job.vocab_size)
    sizes = [int(found[1]) for line in lines if (found := _UNIGRAM.search(line))]
    if not sizes or sizes[0] <= job.vocab_size:
        return 0.0
    return min(1.0, max(0.0, (sizes[0] - sizes[-1]) / (sizes[0] - job.vocab_size)))


# In the child.


def train(job: Job) -> None:
    """Train, and put the tokenizer where it is found by its name."""
    job.check()
    texts = texts_of(job.source)
    options: dict[str, Any] = {"vocab_size": job.vocab_size}
    if job.kind in ("bpe", "unigram"):
        from nlptui.tokenizers.sentencepiece import logged_training

        options |= {"model_type": job.kind, "character_coverage": job.coverage}
        with logged_training():
            tokenizer = build_tokenizer("sentencepiece", texts, **options)
    elif job.kind == "word":
        tokenizer = build_tokenizer("words", texts, **options)
    else:
        least = rarest_needed(texts, job.coverage)
        tokenizer = build_tokenizer("characters", texts, min_count=least, **options)
    target = tokenizers_dir() / job.name
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        tokenizer.save(beside)
        beside.chmod(0o755)
        beside.rename(target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def rarest_needed(texts: Sequence[str], coverage: float) -> int:
    """How often a character must come for the frequent ones to make up `coverage` of the text."""
    counts = Counter("".join(texts))
    wanted, so_far = coverage * sum(counts.values()), 0
    for _letter, count in counts.most_common():
        so_far += count
        if so_far >= wanted:
            return count
    return 1


def texts_of(source: str) -> list[str]:
    """The lines of a file, or the training part of a corpus."""
    path = Path(source).expanduser()
    if path.is_file():
        texts = _lines_of(path)
    elif path.suffix or len(path.parts) > 1:
        raise UserError(_("{source}: no such file").format(source=visible(source)))
    else:
        from nlptui.data import splits

        data = {"corpus": source}
        if not (texts := [d.text for d in splits.documents(data, "train")]):
            texts = [text for row in splits.sentence_pairs(data, "train") for text in row]
    texts = [line for text in texts for line in text.splitlines() if line.strip()]
    if not texts:
        raise UserError(_("{source} holds no text to train on").format(source=visible(source)))
    return texts


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"{visible(str(path))}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        message = _("{path} is not UTF-8 text (byte {place}): give a text file")
        raise UserError(message.format(path=visible(str(path)), place=error.start)) from None


def main(folder: Path, asked_by: int) -> int:
    """Do the job of a folder, and write down how it went; clear the folder where the process that asked is no
    longer there to read it.
    """
    job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
    error = ""
    give_way(NICE)
    try:
        train(job)
    except UserError as wrong:
        error = str(wrong)
    write_atomic(folder / "result.json", json.dumps({"error": error}).encode("utf-8"))
    if os.getppid() != asked_by:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if error else 0


def trained() -> list[tuple[str, str, int]]:
    """Name, kind and size of each tokenizer that was trained by itself."""
    found = []
    for path in sorted(tokenizers_dir().glob(f"[!.]*/{CONFIG_NAME}")):
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            found.append((path.parent.name, str(config["kind"]), int(config["vocab_size"])))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))

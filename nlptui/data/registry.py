"""The corpora that recipes name: licence, splits, where to find them here, and where to get them.

The facts stand in `corpora.json`. A corpus is looked for in the folders that NLPTUI_DATA names, then in the
data folder; `get` downloads what is missing. A name that begins with own/ is a text of one's own (`own`).
Knows nothing of what the files mean.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from nlptui import paths
from nlptui.data import own
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

BASE_URL = "https://raw.githubusercontent.com"
Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are here, and the bytes that there are (None: not known)."""


@dataclass(frozen=True)
class Original:
    """One published file, pinned to a commit."""

    repository: str
    commit: str
    path: str
    git_blob_sha1: str
    """sha1 of "blob <bytes>\\0" and the content."""
    bytes: int | None = None
    sha256: str | None = None

    @property
    def url(self) -> str:
        """The public address of the raw file."""
        return f"{BASE_URL}/{self.repository}/{self.commit}/{quote(self.path)}"


@dataclass(frozen=True)
class SplitFile:
    """One file of the corpus folder, as the recipes read it."""

    name: str
    bytes: int
    sha256: str | None = None
    """None where the sentences may come in another order than the shipped models saw."""


@dataclass(frozen=True)
class Corpus:
    """What is known of a corpus without having it."""

    name: str
    title: str
    language: str
    task: str
    format: str
    """conllu, iob2, labelled (label TAB text), pairs, text, books or lines."""
    licence: str
    homepage: str
    open: bool
    """Whether weights trained on it may be passed on."""
    splits: dict[str, tuple[str, ...]]
    files: tuple[SplitFile, ...]
    originals: tuple[Original, ...]

    @property
    def bytes(self) -> int:
        """Size of the folder."""
        return sum(file.bytes for file in self.files)

    @property
    def download_bytes(self) -> int:
        """Size of the download, as far as it is known beforehand: see `download_known`."""
        return sum(original.bytes or 0 for original in self.originals)

    @property
    def download_known(self) -> bool:
        """Whether the size of every file of the download is known."""
        return all(original.bytes is not None for original in self.originals)

    @property
    def url(self) -> str:
        """Where people read about it."""
        return self.homepage


@cache
def _table() -> dict[str, Corpus]:
    content = json.loads(Path(__file__).with_name("corpora.json").read_text(encoding="utf-8"))
    return {name: _corpus(name, entry) for name, entry in content.items()}


def _corpus(name: str, entry: dict[str, object]) -> Corpus:
    known = {key: value for key, value in entry.items() if key not in ("splits", "files", "originals")}
    splits, files, sources = entry["splits"], entry["files"], entry["originals"]
    assert isinstance(splits, dict) and isinstance(files, dict) and isinstance(sources, list)
    return Corpus(
        name=name,
        splits={split: tuple(names) for split, names in splits.items()},
        files=tuple(SplitFile(file, **facts) for file, facts in files.items()),
        originals=tuple(
            Original(source["repository"], source["commit"], **facts)
            for source in sources
            for facts in source["files"]
        ),
        **known,  # type: ignore[arg-type]
    )


def corpora() -> list[Corpus]:
    """Every corpus of the registry, by name."""
    return [_table()[name] for name in sorted(_table())]


def corpus(name: str) -> Corpus:
    """The corpus `name`. Raises UserError with the names that come close."""
    if name.startswith(own.PREFIX):
        return _own(name)
    table = _table()
    if name not in table:
        close = difflib.get_close_matches(name, table) or sorted(table)
        raise UserError(
            _("unknown corpus {name!r}: did you mean {close}? (nlptui data list shows all)").format(
                name=visible(name), close=", ".join(close)
            )
        )
    return table[name]


def _own(name: str) -> Corpus:
    """What is known of a text of one's own."""
    path = own.file_of(name)
    file = SplitFile(path.name, path.stat().st_size)
    return Corpus(
        name=name,
        title=path.stem,
        language=own.language_of(path),
        task="language_model",
        format="text",
        licence=_("one's own text"),
        homepage="",
        open=False,
        splits=dict.fromkeys(("train", "dev", "test"), (path.name,)),
        files=(file,),
        originals=(),
    )


def find(name: str) -> Path | None:
    """The folder of the corpus on this machine: below NLPTUI_DATA, then below the data folder; else None."""
    if name.startswith(own.PREFIX):
        return own.file_of(name).parent
    endings = {Path(file.name).suffix for file in corpus(name).files}
    for folder in (parent / name for parent in paths.data_dirs()):
        if folder.is_dir() and any(path.suffix in endings and path.is_file() for path in folder.iterdir()):
            return folder
    return None


def get(name: str, progress: Progress | None = None) -> Path:
    """The folder of the corpus, downloaded and prepared first where it is not here. Raises UserError."""
    from nlptui.data.download import fetch
    from nlptui.data.prepare import prepare

    here = find(name)
    if here is not None:
        return here
    wanted = corpus(name)
    originals = fetch(wanted, paths.home_data() / "downloads", progress)
    return prepare(wanted, originals, paths.home_data() / "data")

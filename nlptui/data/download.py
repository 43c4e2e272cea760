"""Fetch a corpus's original files: with progress, checked, and taken up where they broke off.

A file is written as `<name>.part` and renamed when its checksum is right, so a file under its own name is
whole. Knows nothing of what the files hold.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from nlptui import __version__
from nlptui.data.registry import Corpus, Original, Progress
from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

TIMEOUT = 30.0
BLOCK = 1 << 16


def fetch(corpus: Corpus, folder: Path, progress: Progress | None = None) -> dict[Original, Path]:
    """Every original file of the corpus below `folder`; those that are here already are not fetched again.

    Raises UserError where an answer is broken, truncated or not what was published; what came is kept.
    """
    return {original: fetch_one(original, folder, progress) for original in corpus.originals}


def fetch_one(original: Original, folder: Path, progress: Progress | None = None) -> Path:
    """One original file below `folder`, under its repository, commit and path."""
    target = folder / original.repository / original.commit / original.path
    if target.is_file() and matches(target, original):
        return target
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        if not (part.is_file() and matches(part, original)):
            _download(original, part, progress)
            _check(part, original)
        os.replace(part, target)
    except OSError as error:
        raise UserError(
            _("{path}: cannot be written ({reason})").format(
                path=target, reason=error.strerror or visible(str(error))
            )
        ) from None
    return target


def matches(path: Path, original: Original) -> bool:
    """Whether the file is what was published: by size and sha256 if they are known, else by git's blob id."""
    size = path.stat().st_size
    if original.bytes is not None and size != original.bytes:
        return False
    digest = hashlib.sha256() if original.sha256 else hashlib.sha1(b"blob %d\0" % size)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest() == (original.sha256 or original.git_blob_sha1)


def _check(part: Path, original: Original) -> None:
    if not matches(part, original):
        part.unlink()
        raise UserError(
            _("{url}: what arrived is not the file that was published (wrong checksum); try again").format(
                url=original.url
            )
        )


def _download(original: Original, part: Path, progress: Progress | None) -> None:
    """Fill `part` from the network, from where it ends."""
    try:
        _receive(original, part, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416 and part.exists():
            # The server has no more than what is here, and that was not right: begin anew the next time.
            part.unlink()
        raise UserError(
            _("{url}: the server answered {status} {reason}").format(
                url=original.url, status=error.code, reason=visible(str(error.reason))
            )
        ) from None
    except urllib.error.URLError as error:
        raise UserError(
            _("{url}: cannot be reached ({reason})").format(
                url=original.url, reason=visible(str(error.reason))
            )
        ) from None
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise UserError(
            _("{url}: the answer broke off ({reason}); run it again to go on from there").format(
                url=original.url, reason=visible(str(error) or type(error).__name__)
            )
        ) from None


def _receive(original: Original, part: Path, progress: Progress | None) -> None:
    here = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(original.url, headers={"User-Agent": f"nlptui/{__version__}"})
    if here:
        request.add_header("Range", f"bytes={here}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        goes_on = answer.status == 206 and _range_start(answer.headers.get("Content-Range")) == here
        here = here if goes_on else 0
        length = answer.headers.get("Content-Length")
        whole = here + int(length) if length and length.isdigit() else original.bytes
        with part.open("ab" if goes_on else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                here += len(block)
                if progress:
                    progress(original.path, here, whole)
    if whole is not None and here < whole:
        raise UserError(
            _(
                "{url}: the answer broke off after {here} of {whole} bytes; run it again to go on from there"
            ).format(url=original.url, here=here, whole=whole)
        )


def _range_start(content_range: str | None) -> int | None:
    """The first byte of an answer with the header `Content-Range: bytes 100-199/200`."""
    unit, _space, rest = (content_range or "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else None

"""A corpus of our own in the registry, and a server on this machine that serves its files, well or badly."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nlptui.data import registry
from nlptui.data.registry import Corpus, Original, SplitFile

TEXT = "".join(f"line {n}: the tide goes out, the tide comes in\n" for n in range(3000))


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Server:
    """What is served, how it goes wrong, and what was asked for."""

    content: bytes
    mode: str = "good"
    ranges: list[str | None] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.ranges.append(asked)
        if self.mode == "broken":
            handler.wfile.write(b"this is no answer\r\n\r\n")
            return
        if self.mode == "missing":
            handler.send_error(404, "Not here")
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.mode != "no ranges" else 0
        if start >= len(self.content):
            handler.send_error(416)
            return
        body = self.content[start:]
        handler.send_response(206 if asked and self.mode != "no ranges" else 200)
        handler.send_header("Content-Length", str(len(body)))
        if asked and self.mode != "no ranges":
            total = len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        handler.end_headers()
        if self.mode == "truncated":
            body = body[: len(body) // 2]
        if self.mode == "changed":
            body = body.replace(b"tide", b"time")
        handler.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    served = Server(TEXT.encode())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(registry, "BASE_URL", f"http://127.0.0.1:{running.server_address[1]}")
    yield served
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def tide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Corpus:
    """A registry with one corpus, `en_shakespeare` by name but with a text of our own, and an empty home."""
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NLPTUI_DATA", raising=False)
    content = TEXT.encode()
    corpus = Corpus(
        name="en_shakespeare",
        title="Tides",
        language="en",
        task="language_model",
        format="text",
        licence="our own",
        homepage="http://localhost/",
        open=True,
        splits=dict.fromkeys(("train", "dev", "test"), ("input.txt",)),
        files=(SplitFile("input.txt", len(content), hashlib.sha256(content).hexdigest()),),
        originals=(
            Original(
                "someone/tides",
                "0" * 40,
                "data/input.txt",
                git_blob(content),
                len(content),
                hashlib.sha256(content).hexdigest(),
            ),
        ),
    )
    monkeypatch.setattr(registry, "_table", lambda: {corpus.name: corpus})
    return corpus

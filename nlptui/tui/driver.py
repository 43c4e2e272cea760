"""Textual's terminal driver, made to live through what terminals do: bytes that are no text, and a line that
hangs up.

Textual draws to stderr. Here it draws to a copy of it, and stderr itself goes to a log file while the screen
is up: a
library that warns from C++ would otherwise write into the picture. Knows nothing of the app that it draws.
"""

from __future__ import annotations

import codecs
import os
import selectors
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread

from nlptui.paths import home_data

CHUNK = 1 << 16
"""Bytes read at once: a paste of a megabyte comes in sixteen pieces."""


def log_path() -> Path:
    """Where stderr and tracebacks go while the screen is up."""
    return home_data() / "screen.log"


class StableWriter(WriterThread):
    """Gives the terminal what it takes at once; the rest waits in a thread, so that nothing else has to.

    Handing everything to the thread would be simpler, but on busy cores the thread gets its turn many
    milliseconds later. Once the terminal is gone, what still comes is swallowed.
    """

    def __init__(self, file: IO[str]) -> None:
        super().__init__(file)
        self._at_once = opened_again(file)
        self._given = 0
        self._written = 0

    def write(self, text: str) -> None:
        """Write what can be written now, unless older text still waits; queue the rest."""
        data = text.encode("utf-8", "replace")
        if self._given == self._written:
            data = data[self._taken(data) :]
        if data:
            self._given += 1
            self._queue.put(data.decode("utf-8", "surrogateescape"))

    def _taken(self, data: bytes) -> int:
        """How many bytes of it the terminal takes without waiting."""
        try:
            return 0 if self._at_once is None else os.write(self._at_once, data)
        except OSError:  # it takes nothing now, or it is gone: the thread will see
            return 0

    def run(self) -> None:
        """Write what is queued, waiting as long as it takes."""
        gone = False
        while (text := self._queue.get()) is not None:
            data = text.encode("utf-8", "surrogateescape")
            while data and not gone:
                try:
                    data = data[os.write(self._file.fileno(), data) :]
                except (OSError, ValueError):
                    gone = True
            self._written += 1

    def stop(self) -> None:
        """Write what is left, and end."""
        super().stop()
        if self._at_once is not None:
            os.close(self._at_once)
            self._at_once = None


def opened_again(file: IO[str]) -> int | None:
    """The terminal behind `file`, opened once more such that writing never waits; None where that fails.

    A flag on the file itself would hold for stdin too, and for the shell afterwards.
    """
    try:
        return os.open(os.ttyname(file.fileno()), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None


linux_driver.WriterThread = StableWriter  # type: ignore[attr-defined]


class StableDriver(linux_driver.LinuxDriver):
    """The driver for a real terminal."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._diverted: int | None = None

    def start_application_mode(self) -> None:
        """Divert stderr, then go on as Textual does."""
        self._divert()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Stop writing, then give stderr back."""
        super().close()
        self._restore()

    def _divert(self) -> None:
        """Point file descriptor 2 at the log; draw to a copy of what it was."""
        if self._diverted is not None:
            return
        try:
            path = log_path()
            path.parent.mkdir(parents=True, exist_ok=True)
            log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        except OSError:
            log = os.open(os.devnull, os.O_WRONLY)
        sys.__stderr__.flush()  # type: ignore[union-attr]
        self._diverted = os.dup(2)
        os.dup2(log, 2)
        os.close(log)
        self._file = open(self._diverted, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115

    def _restore(self) -> None:
        if self._diverted is None:
            return
        with suppress(OSError, ValueError, AttributeError):
            self._file.close()  # type: ignore[union-attr]
        os.dup2(self._diverted, 2)
        os.close(self._diverted)
        self._diverted = None
        self._file = sys.__stderr__

    def run_input_thread(self) -> None:
        """Read keys until told to stop or until the terminal hangs up. Bytes that are no UTF-8 become
        U+FFFD.
        """
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = self._read()
                    if not data:
                        self._app.call_later(self._app.exit)
                        break
                    for event in parser.feed(decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        with suppress(EOFError, ParseError):
            for _event in parser.feed(""):
                pass

    def _read(self) -> bytes:
        """What was typed; nothing once the terminal is gone."""
        try:
            return os.read(self.fileno, CHUNK)
        except OSError:
            return b""

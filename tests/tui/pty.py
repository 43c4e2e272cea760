"""A real terminal for the tests: a program in a pty, its screen read back through pyte, every byte counted.

The program gets the pty as its controlling terminal, so that closing it is a real hang-up.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte

from tests.warm_program import WarmProcess

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 60.0
"""Seconds that a slow machine may take for what is waited for."""
LAUNCH = (
    "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
# What pyte does not know: keyboard protocols and private modes with a prefix it prints as text.
UNKNOWN = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p")
PRIVATE_TEXT = re.compile(rb"\x1b\][0-9]+;[^\x07\x1b]*(?:\x07|\x1b\\)")
MODES_ON, MODES_OFF = (
    (b"\x1b[?1049h", b"\x1b[?1000h", b"\x1b[?25l"),
    (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?25h"),
)


class Terminal:
    """A running program and the screen that it draws on."""

    def __init__(
        self,
        arguments: Sequence[str],
        size: tuple[int, int],
        env: Mapping[str, str],
        warm: Path | None = None,
    ) -> None:
        self.width, self.height = size
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.height, self.width, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.process: Any
        if warm is not None:
            self.process = WarmProcess(warm, arguments, ROOT, env, slave)
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCH, *arguments],
                stdin=slave, stdout=slave, stderr=slave, env=dict(env), cwd=ROOT, start_new_session=True,
            )  # fmt: skip
        self._slave = slave
        self._rest = b""

    # what comes out

    def pump(self, seconds: float) -> int:
        """Take what the program writes for so long. Returns how many bytes came."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                data = os.read(self.master, 65536)
            except OSError as error:
                if error.errno == errno.EIO:
                    break
                raise
            if not data:
                break
            count += len(data)
            self.take(data)
        return count

    def take(self, data: bytes) -> None:
        """Draw what the program wrote."""
        self.output += data
        data = self._rest + data
        # A sequence cut in two at the end of a read waits for its rest.
        cut = data.rfind(b"\x1b")
        whole = cut < 0 or re.search(rb"\x1b(\[[0-9;?<>=$]*[@-~]|\][^\x07]*\x07|[^\[\]])", data[cut:])
        data, self._rest = (data, b"") if whole else (data[:cut], data[cut:])
        self._stream.feed(PRIVATE_TEXT.sub(b"", UNKNOWN.sub(b"", data)))

    def wait(self, true: Callable[[Terminal], bool], limit: float = LIMIT) -> None:
        """Take output until something is so."""
        start = time.monotonic()
        while not true(self):
            assert time.monotonic() - start < limit, f"never so:\n{self.text}"
            assert self.process.poll() is None or self.pump(0.05) or true(self), f"it ended:\n{self.text}"
            self.pump(0.02)

    def wait_for(self, words: str, limit: float = LIMIT) -> None:
        """Take output until `words` are on screen."""
        self.wait(lambda terminal: words in terminal.text, limit)

    def settle(self, quiet: float = 0.4) -> None:
        """Take output until none has come for a while."""
        start = time.monotonic()
        while self.pump(quiet):
            assert time.monotonic() - start < LIMIT, "it never stops writing"

    @property
    def text(self) -> str:
        """The screen, line by line."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    # what goes in

    def send(self, data: bytes | str) -> None:
        """Type, or paste."""
        data = data.encode() if isinstance(data, str) else data
        while data:
            _readable, writable, _ = select.select([self.master], [self.master], [], 0.05)
            if _readable:
                self.pump(0.01)
            if writable:
                data = data[os.write(self.master, data[:1024]) :]

    def resize(self, width: int, height: int) -> None:
        """Another size, said to the program as a terminal does."""
        self.width, self.height = width, height
        self.screen.resize(height, width)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        os.kill(self.process.pid, signal.SIGWINCH)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        os.close(self._slave)
        os.close(self.master)
        self.master = self._slave = -1

    # how it ends

    def end(self, limit: float = 10.0) -> int:
        """Wait for the end. Returns the exit status (as a shell gives it)."""
        start = time.monotonic()
        while self.process.poll() is None:
            assert time.monotonic() - start < limit, f"it hangs:\n{self.text if self.master >= 0 else ''}"
            if self.master >= 0:
                self.pump(0.02)
            else:
                time.sleep(0.02)
        if self.master >= 0:
            self.pump(0.1)
        code = self.process.returncode
        return int(128 - code if code < 0 else code)

    @property
    def restored(self) -> bool:
        """Whether line discipline, alternate screen, mouse and cursor are as they were."""
        now = termios.tcgetattr(self._slave)
        modes = all(
            self.output.rfind(off) > self.output.rfind(on)
            for on, off in zip(MODES_ON, MODES_OFF, strict=True)
        )
        return now[:4] == self.before[:4] and modes

    def close(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(10)
        for end in (self.master, self._slave):
            if end >= 0:
                os.close(end)


def environment(home: Path, models: Path, **more: str) -> dict[str, str]:
    """A bare environment: nothing of the shell that runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "NLPTUI_LANG": "en",
        "NLPTUI_HOME": str(home),
        "NLPTUI_MODELS": str(models),
        "OMP_NUM_THREADS": "1",
        **more,
    }


@contextmanager
def terminal(
    *arguments: str,
    env: Mapping[str, str],
    size: tuple[int, int] = (80, 24),
    program: Sequence[str] = (),
    programs: Path | None = None,
) -> Iterator[Terminal]:
    """`nlptui ARGUMENTS` (or another program) in a terminal; that of `programs` has loaded torch already."""
    command = () if programs else program or (sys.executable, "-m", "nlptui")
    opened = Terminal([*command, *arguments], size, env, programs and programs.parent / "calls")
    try:
        yield opened
    finally:
        opened.close()

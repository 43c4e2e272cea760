"""`nlptui` for tests that call it often: a process that has loaded torch already runs each command in a fork.

The command is a process as any other, with its own arguments, folder, environment and streams, or terminal;
only the seconds of loading are saved. Tests of starting, of encodings and of stopping call the real one.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import pkgutil
import select
import shlex
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CALL = """
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as line:
    line.connect(PLACE)
    call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), False]).encode()
    socket.send_fds(line, [len(call).to_bytes(8, "big")], [0, 1, 2])
    line.sendall(call)
    line.recv(8)
    answer = line.recv(8)
sys.exit(int(answer) % 256 if answer else 70)
"""


class WarmProcess:
    """A command that has the terminal `slave` for itself; of `subprocess.Popen` what tests need."""

    def __init__(
        self, place: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], slave: int
    ) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(place))
        call = json.dumps([list(arguments), str(folder), dict(environment), True]).encode()
        socket.send_fds(self.line, [len(call).to_bytes(8, "big")], [slave] * 3)
        self.line.sendall(call)
        self.pid = int(self.line.recv(8))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The status if it has ended, minus a signal's number if that ended it."""
        if self.returncode is None and select.select([self.line], [], [], 0)[0]:
            self.returncode = int(self.line.recv(8) or 70)
            self.line.close()
        return self.returncode

    def wait(self, seconds: float) -> int:
        """The status when it ends."""
        if self.returncode is None:
            select.select([self.line], [], [], seconds)
        assert (status := self.poll()) is not None, "it does not end"
        return status

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)


@contextlib.contextmanager
def warm_program(folder: Path) -> Iterator[Path]:
    """A folder with a program `nlptui`, to be put on the PATH, and behind it the process that runs it."""
    place, program = folder / "calls", folder / "bin" / "nlptui"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable} -IS\nPLACE = {str(place)!r}\n{CALL}")
    program.chmod(0o755)
    with subprocess.Popen([sys.executable, "-m", "tests.warm_program", str(place)], cwd=ROOT) as server:
        try:
            while not place.exists():
                assert server.poll() is None, f"it did not start: {shlex.join(map(str, server.args))}"
                time.sleep(0.02)
            yield program.parent
        finally:
            server.kill()


def serve(place: str) -> None:
    """Take calls until whoever started this is gone."""
    parent = os.getppid()
    for part in (
        "classical",
        "data",
        "engine",
        "formula",
        "nn",
        "tasks",
        "tokenizers",
        "train",
        "tui",
        "views",
    ):
        package = importlib.import_module(f"nlptui.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    importlib.import_module("nlptui.cli")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{place}.new")
        door.listen()
        os.rename(f"{place}.new", place)
        door.settimeout(1.0)
        while os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                line, _who = door.accept()
                if os.fork() == 0:
                    door.close()
                    attend(line)
                line.close()


def attend(line: socket.socket) -> None:
    """Run one command in a process of its own and answer with its status. Does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line.settimeout(None)
    head, streams, _flags, _address = socket.recv_fds(line, 8, 3)
    size, call = int.from_bytes(head, "big"), b""
    while len(call) < size:
        call += line.recv(size - len(call))
    child = os.fork()
    if child == 0:
        line.close()
        run(*json.loads(call), streams)
    for stream in streams:
        os.close(stream)
    line.sendall(f"{child:8}".encode())
    line.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    os._exit(0)


def run(
    arguments: list[str], folder: str, environment: dict[str, str], terminal: bool, streams: list[int]
) -> None:
    """Become the command; the leader of its terminal, if it has one for itself. Does not return."""
    from nlptui.__main__ import main

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["nlptui", *arguments]
    ways = (("r", "surrogateescape"), ("w", "surrogateescape"), ("w", "backslashreplace"))
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", errors=errors, closefd=False)
        for number, (mode, errors) in enumerate(ways)
    )
    status = 70
    try:
        main()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])

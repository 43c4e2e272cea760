"""`nlptui` for tests that call it often: a process that has loaded torch already runs each command in a fork.

The command is a process as any other, with its own arguments, folder, environment and streams, or terminal;
only the seconds of loading are saved. Tests of starting, of encodings and of stopping call the real one.
The workers of training runs can be had so, too: by a `python` that does the same with the modules they are.
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
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("nlptui.train.worker", "nlptui.train.estimate")
"""What the warm `python` runs in a fork, called with `-m`; anything else it leaves to the real one."""
CALL = """
import json, os, socket, sys

def call(program, arguments):
    leads = os.getsid(0) == os.getpid()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(PLACE)
        call = json.dumps([program, arguments, os.getcwd(), dict(os.environ), False, leads]).encode()
        socket.send_fds(line, [len(call).to_bytes(8, "big")], [0, 1, 2])
        line.sendall(call)
        line.recv(8)
        answer = line.recv(8)
    sys.exit(int(answer) % 256 if answer else 70)
"""
PROGRAM = f"{CALL}\ncall('nlptui', sys.argv[1:])\n"
PYTHON = f"""{CALL}
if sys.argv[1:2] == ["-m"] and sys.argv[2:3] and sys.argv[2] in {MODULES!r}:
    call(sys.argv[2], sys.argv[3:])
os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
"""


class WarmProcess:
    """A command that has the terminal `slave` for itself; of `subprocess.Popen` what tests need."""

    def __init__(
        self, place: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], slave: int
    ) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(place))
        call = json.dumps(["nlptui", list(arguments), str(folder), dict(environment), True, True]).encode()
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
    """A folder with the program `nlptui`, to be put on the PATH, and behind it the process that runs it.

    Beside that folder lies `python`, for what starts workers.
    """
    place, program, python = folder / "calls", folder / "bin" / "nlptui", folder / "python"
    program.parent.mkdir(parents=True)
    for path, code in ((program, PROGRAM), (python, PYTHON)):
        path.write_text(f"#!{sys.executable} -IS\nPLACE = {str(place)!r}\n{code}")
        path.chmod(0o755)
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
    sys.executable = str(Path(place).with_name("python"))  # the workers that commands start are warm, too
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
    """Run one command in a process of its own and answer with its status. Does not return.

    Workers outlive who called them; anything else ends with its caller.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line.settimeout(None)
    head, streams, _flags, _address = socket.recv_fds(line, 8, 3)
    size, call = int.from_bytes(head, "big"), b""
    while len(call) < size:
        call += line.recv(size - len(call))
    program, *rest = json.loads(call)
    child = os.fork()
    if child == 0:
        line.close()
        run(program, *rest, streams)
    for stream in streams:
        os.close(stream)
    line.sendall(f"{child:8}".encode())
    callers = [line]
    while (found := os.waitpid(child, os.WNOHANG))[0] == 0:
        if select.select(callers, [], [], 0.02)[0]:  # it is gone
            callers = []
            if program != MODULES[0]:
                os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(found[1])
    with contextlib.suppress(OSError):
        line.sendall(str(status).encode())
    os._exit(0)


def run(
    program: str,
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    terminal: bool,
    leads: bool,
    streams: list[int],
) -> None:
    """Become the command; the leader of its session, and of its terminal, if it has one. Does not return."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if leads:
        os.setsid()
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [program, *arguments]
    ways = (("r", "surrogateescape"), ("w", "surrogateescape"), ("w", "backslashreplace"))
    lines = 1 if environment.get("PYTHONUNBUFFERED") else -1
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, lines, encoding="utf-8", errors=errors, closefd=False)
        for number, (mode, errors) in enumerate(ways)
    )
    status = 70
    try:
        sys.exit(main_of(program)())
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def main_of(program: str) -> Callable[[], int | None]:
    """What the command does."""
    if program == MODULES[0]:
        from nlptui.train import worker

        return lambda: worker.main(sys.argv[1:])
    module = importlib.import_module(program if program in MODULES else "nlptui.__main__")
    main: Callable[[], int | None] = module.main
    return main


if __name__ == "__main__":
    serve(sys.argv[1])

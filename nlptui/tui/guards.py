"""Leaves the terminal as it was found: after SIGTERM, SIGHUP, a hang or a crash. And says when there is no
terminal at all.

Ctrl+Z is the driver's business. Knows nothing of what the app shows.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from nlptui.locale import _

GRACE = 1.5
"""Seconds that an app which was told to end has before it is ended."""
RESTORE = (
    "\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1"
    "006l\x1b[?1016l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
)
"""Everything that Textual switches on, switched off."""


def no_screen() -> str:
    """Why the explorer cannot be drawn here; empty if it can."""
    if os.environ.get("TERM") == "dumb":
        return _("TERM=dumb cannot draw the explorer")
    for stream, name in ((sys.__stdin__, "stdin"), (sys.__stderr__, "stderr"), (sys.__stdout__, "stdout")):
        try:
            if stream is not None and stream.isatty():
                continue
        except ValueError:  # closed
            pass
        return _("{stream} is no terminal").format(stream=name)
    return ""


def slow_line(asked: bool) -> bool:
    """Whether to save bytes: asked to, or at the end of an SSH connection."""
    return asked or bool(os.environ.get("SSH_CONNECTION"))


_before: Any = None
"""The terminal's modes from before the app."""


@contextmanager
def terminal_guard() -> Iterator[None]:
    """Whatever happens inside, the terminal's modes are those of before."""
    global _before
    _before = _modes()
    try:
        yield
    finally:
        _set_modes(_before)


_watchdogs: list[threading.Timer] = []


def watchdog(code: int) -> threading.Timer:
    """End the process by force if it has not ended within GRACE seconds."""
    timer = threading.Timer(GRACE, end_by_force, (code, _before))
    timer.daemon = True
    timer.start()
    _watchdogs.append(timer)
    return timer


def stop_watchdogs() -> None:
    """The app has ended by itself."""
    while _watchdogs:
        _watchdogs.pop().cancel()


def watch_signals(leave: Callable[[int], None], save: Callable[[], None]) -> None:
    """From inside the running app: SIGTERM and SIGHUP make it leave with 128 + their number, in time or by
    force.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, _told_to_end, number, leave, save)


def _told_to_end(number: int, leave: Callable[[int], None], save: Callable[[], None]) -> None:
    watchdog(128 + number)
    save()
    leave(128 + number)


def end_by_force(code: int, modes: Any = None) -> None:
    """Restore the terminal with bare hands and end the process, whatever its threads do."""
    if modes is not None:
        _set_modes(modes)
        # The terminal may be what holds us up: do not wait for it.
        writer = threading.Thread(target=_write_restore, daemon=True)
        writer.start()
        writer.join(0.2)
    os._exit(code)


def _write_restore() -> None:
    with suppress(OSError):
        os.write(1, RESTORE.encode())


def _modes() -> Any:
    """The line discipline of stdin; None where there is none."""
    try:
        import termios

        return termios.tcgetattr(0)
    except (ImportError, OSError, ValueError):
        return None
    except Exception:  # termios.error is no OSError
        return None


def _set_modes(modes: Any) -> None:
    if modes is None:
        return
    import termios

    with suppress(termios.error, OSError):
        termios.tcsetattr(0, termios.TCSANOW, modes)

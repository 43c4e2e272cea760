"""How a process in the background lets others go before it, and how many want the cores. Knows nothing of
what it does.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

GROUP = Path("/proc/self/autogroup")
"""Where Linux keeps the niceness of a session as a whole: sched(7), "The autogroup feature"."""
_TRIES, _BETWEEN = 10, 0.11
"""The system takes one such number in a tenth of a second, from all programs together."""


def give_way(nice: int, already: int = 0) -> None:
    """Become as nice as `nice`, where the process is as nice as `already`. Does nothing where that cannot be.

    Linux shares the cores among sessions first, and heeds a process's niceness within its own session alone:
    a process that leads a session of its own must make that session nice.
    """
    with suppress(OSError, AttributeError):
        os.nice(max(0, nice - already))
    if hasattr(os, "getsid") and os.getsid(0) == os.getpid():
        _make_session_nice(max(nice, already))


def load_and_cores() -> tuple[float, int] | None:
    """How many wanted a core in the last minute, on average, and how many cores there are for this process;
    None where the system does not say.
    """
    try:
        load = os.getloadavg()[0]
    except (OSError, AttributeError):
        return None
    usable = getattr(os, "sched_getaffinity", None)
    return load, len(usable(0)) if usable else os.cpu_count() or 1


def _make_session_nice(nice: int) -> None:
    for _try in range(_TRIES):
        try:
            with GROUP.open("r+") as file:
                file.write(str(nice))
        except BlockingIOError:
            time.sleep(_BETWEEN)
        except OSError:
            return
        else:
            return

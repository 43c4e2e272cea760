"""One daemon thread that does the slow work of the screen, so that the screen never waits.

A request goes into a lane; of each lane only the newest waits (newest wins), and an answer to an older one
is dropped.
What the work is, the backend does not know: it owns a worker, made in the thread by `make`, and gives it the
requests.
Answers go out through `post`, which must be safe to call from a thread. A crash of the worker is an answer
too. Long work says how far it is through `watch`, which also ends it once nobody waits for it any more.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

from nlptui.errors import Cancelled, UserError
from nlptui.locale import _
from nlptui.text import visible

State = Literal["waiting", "loading", "ready", "failed"]


BETWEEN = 0.2
"""Seconds between two words about how far long work is."""
Watch = Callable[[int, int], None]


class Request(Protocol):
    """What a backend can be asked: any value with the name of its lane."""

    @property
    def lane(self) -> str:
        """Requests of one lane replace each other."""


class Worker(Protocol):
    """What the thread owns."""

    def load(self) -> None:
        """The slow start: runs in the thread, before the first request."""

    def answer(self, request: Any, watch: Watch) -> Any:
        """The result for one request. UserError for what the user can put right.

        `watch(done, pieces)` may be called in the course of long work; what it raises is let through.
        """


@dataclass(frozen=True)
class Phase:
    """The backend changed its state; `detail` says why, where it failed."""

    state: State
    detail: str = ""


@dataclass(frozen=True)
class Answer:
    """The result of one request, or the reason why there is none."""

    id: int
    request: Any
    result: Any = None
    error: str = ""
    """One line for the user; empty if `result` holds."""
    trouble: str = ""
    """The traceback, if the error is a fault of the program."""
    cancelled: bool = False
    """Whether there is no result because nobody wanted it any more."""


@dataclass(frozen=True)
class Progress:
    """How far the work for a request is: so many pieces of so many."""

    id: int
    request: Any
    done: int
    pieces: int


News = Phase | Answer | Progress


class Backend:
    """The thread, its lanes, and the ids that tell a stale answer from a current one."""

    def __init__(self, make: Callable[[], Worker], post: Callable[[News], None], name: str) -> None:
        self._make = make
        self._post = post
        self._name = name
        self._ready = threading.Condition()
        self._lanes: dict[str, tuple[int, Any]] = {}
        self._newest: dict[str, int] = {}
        self._cancelled: set[int] = set()
        self._told = 0.0
        self._count = 0
        self._thread: threading.Thread | None = None
        self._working = False
        self.state: State = "waiting"

    def start(self) -> None:
        """Start the thread; it loads what it needs, then works. After a crash: start a fresh one."""
        with self._ready:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def ask(self, request: Request) -> int:
        """Put `request` in its lane, in place of one that still waits there. Returns its id."""
        with self._ready:
            self._count += 1
            self._newest[request.lane] = self._count
            self._lanes[request.lane] = (self._count, request)
            self._ready.notify()
            fallen = self._thread is not None and not self._thread.is_alive()
            count = self._count
        if fallen:
            self.start()
        return count

    def cancel(self, lane: str) -> None:
        """What was asked for last in a lane is not wanted any more; its answer says so."""
        with self._ready:
            self._cancelled = {self._newest[lane]} if lane in self._newest else set()

    def current(self, answer: Answer | Progress) -> bool:
        """Whether nothing newer has been asked in the answer's lane."""
        return self._newest.get(answer.request.lane) == answer.id

    @property
    def busy(self) -> bool:
        """Whether the thread is loading or working, or is about to."""
        return self._working or bool(self._lanes)

    def _run(self) -> None:
        try:
            self._working = True
            self._change("loading")
            worker = self._make()
            worker.load()
            self._change("ready")
            while True:
                count, request = self._next()
                self._send(self._work(worker, count, request))
        except BaseException as error:  # the thread dies with it: say so, and let `ask` start another
            self._change("failed", one_line(error))
            self._turn_away(one_line(error))
            if not isinstance(error, Exception):
                raise
        finally:
            self._working = False

    def _next(self) -> tuple[int, Any]:
        with self._ready:
            self._working = False
            while not self._lanes:
                self._ready.wait()
            self._working = True
            return self._lanes.pop(next(iter(self._lanes)))

    def _watch(self, count: int, request: Any, done: int, pieces: int) -> None:
        if count in self._cancelled or self._newest[request.lane] != count:
            raise Cancelled
        now = time.monotonic()
        if now - self._told >= BETWEEN:
            self._told = now
            self._send(Progress(count, request, done, pieces))

    def _work(self, worker: Worker, count: int, request: Any) -> Answer:
        self._told = time.monotonic()  # what is done soon needs no word about how far it is
        try:
            return Answer(count, request, worker.answer(request, partial(self._watch, count, request)))
        except Cancelled:
            return Answer(count, request, error=_("cancelled"), cancelled=True)
        except UserError as error:
            return Answer(count, request, error=visible(str(error)))
        except Exception as error:
            text = _("the program failed here ({error}); the rest still works").format(error=one_line(error))
            return Answer(count, request, error=text, trouble=traceback.format_exc())

    def _turn_away(self, error: str) -> None:
        """Answer what still waits; nobody else will."""
        with self._ready:
            waiting, self._lanes = list(self._lanes.values()), {}
        for count, request in waiting:
            self._send(Answer(count, request, error=error))

    def _change(self, state: State, detail: str = "") -> None:
        self.state = state
        self._send(Phase(state, detail))

    def _send(self, message: News) -> None:
        try:
            self._post(message)
        except RuntimeError:  # the app's event loop is closed: nobody is there to be told
            return


def one_line(error: BaseException) -> str:
    """An exception as one line that can be shown."""
    text = visible(" ".join(str(error).split()))[:300]
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

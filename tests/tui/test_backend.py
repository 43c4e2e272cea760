"""The backend thread: newest wins, stale answers are dropped, and a crash leaves the rest usable."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from nlptui.errors import UserError
from nlptui.tui.backend import Answer, Backend, Phase, Progress, Watch, one_line

LIMIT = 5.0


@dataclass(frozen=True)
class Ask:
    """A request for the worker below."""

    text: str
    lane: str = "show"


@dataclass
class Slow:
    """Answers with the text, once the gate is open; some texts are troublesome."""

    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    done: list[str] = field(default_factory=list)
    broken_start: bool = False

    def load(self) -> None:
        if self.broken_start:
            raise ImportError("no module named torch")

    def answer(self, request: Ask, watch: Watch) -> str:
        self.started.set()
        if request.text.startswith("long"):
            for piece in range(int(LIMIT / 0.01)):
                watch(piece, 500)
                time.sleep(0.01)
        assert self.gate.wait(LIMIT)
        self.done.append(request.text)
        if request.text == "mistake":
            raise UserError("no model named x")
        if request.text == "bug":
            raise IndexError("list index out of range")
        if request.text == "end":
            raise SystemExit
        return request.text.upper()


class Post:
    """Keeps what a backend says, and can be waited for."""

    def __init__(self) -> None:
        self.said: list[Phase | Answer | Progress] = []
        self.news = threading.Condition()

    def __call__(self, what: Phase | Answer | Progress) -> None:
        with self.news:
            self.said.append(what)
            self.news.notify_all()

    def answers(self, count: int) -> list[Answer]:
        with self.news:
            assert self.news.wait_for(lambda: len(self._answers()) >= count, LIMIT)
            return self._answers()

    def _answers(self) -> list[Answer]:
        return [what for what in self.said if isinstance(what, Answer)]

    def state(self, state: str) -> Phase:
        with self.news:
            assert self.news.wait_for(
                lambda: self.said and state in [getattr(w, "state", "") for w in self.said], LIMIT
            )
            return next(w for w in self.said if isinstance(w, Phase) and w.state == state)


@pytest.fixture
def post() -> Post:
    return Post()


def backend(worker: Slow, post: Post) -> Backend:
    made = Backend(lambda: worker, post, "test-backend")
    made.start()
    return made


def test_it_says_what_it_is_at(post: Post) -> None:
    worker = Slow()
    worker.gate.set()
    made = Backend(lambda: worker, post, "test-backend")
    assert made.state == "waiting"
    made.start()
    post.state("ready")
    made.ask(Ask("a"))
    assert [a.result for a in post.answers(1)] == ["A"]
    assert [getattr(what, "state", "answer") for what in post.said] == ["loading", "ready", "answer"]


def test_of_each_lane_only_the_newest_request_is_worked_on(post: Post) -> None:
    worker = Slow()
    made = backend(worker, post)
    made.ask(Ask("first"))
    assert worker.started.wait(LIMIT)
    for text in ("second", "third", "fourth"):
        made.ask(Ask(text))
    made.ask(Ask("other", lane="explain"))
    worker.gate.set()
    assert [a.result for a in post.answers(3)] == ["FIRST", "FOURTH", "OTHER"]
    assert worker.done == ["first", "fourth", "other"]


def test_an_answer_is_stale_once_something_newer_is_asked_in_its_lane(post: Post) -> None:
    worker = Slow()
    made = backend(worker, post)
    made.ask(Ask("first"))
    assert worker.started.wait(LIMIT)
    made.ask(Ask("second"))
    made.ask(Ask("other", lane="explain"))
    worker.gate.set()
    answers = {answer.request.text: made.current(answer) for answer in post.answers(3)}
    assert answers == {"first": False, "second": True, "other": True}


def test_a_mistake_of_the_user_is_one_line(post: Post) -> None:
    worker = Slow()
    worker.gate.set()
    made = backend(worker, post)
    made.ask(Ask("mistake"))
    answer = post.answers(1)[0]
    assert (answer.result, answer.error, answer.trouble) == (None, "no model named x", "")


def test_a_fault_of_the_program_is_said_and_the_next_request_works(post: Post) -> None:
    worker = Slow()
    worker.gate.set()
    made = backend(worker, post)
    made.ask(Ask("bug"))
    answer = post.answers(1)[0]
    assert "IndexError: list index out of range" in answer.error and "\n" not in answer.error
    assert "Traceback" in answer.trouble and "IndexError" in answer.trouble
    made.ask(Ask("fine"))
    assert post.answers(2)[1].result == "FINE"


def test_a_failed_start_is_said_and_asking_again_starts_afresh(post: Post) -> None:
    worker = Slow(broken_start=True)
    worker.gate.set()
    made = backend(worker, post)
    assert "no module named torch" in post.state("failed").detail
    made._thread.join(LIMIT)
    worker.broken_start = False
    made.ask(Ask("again"))
    assert post.answers(1)[0].result == "AGAIN"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_replaced(post: Post) -> None:
    worker = Slow()
    worker.gate.set()
    made = backend(worker, post)
    made.ask(Ask("end"))
    post.state("failed")
    made._thread.join(LIMIT)
    assert not made.busy
    made.ask(Ask("again"))
    assert post.answers(1)[0].result == "AGAIN"


def test_busy_says_whether_the_thread_is_at_work(post: Post) -> None:
    worker = Slow()
    made = backend(worker, post)
    post.state("ready")
    start = time.monotonic()
    while made.busy and time.monotonic() - start < LIMIT:
        time.sleep(0.005)
    assert not made.busy
    made.ask(Ask("a"))
    assert worker.started.wait(LIMIT) and made.busy
    worker.gate.set()
    post.answers(1)


def test_the_thread_is_a_daemon(post: Post) -> None:
    made = backend(Slow(), post)
    assert made._thread.daemon


def test_a_closed_app_is_no_reason_to_fail() -> None:
    def closed(what: object) -> None:
        raise RuntimeError("Event loop is closed")

    worker = Slow()
    worker.gate.set()
    made = Backend(lambda: worker, closed, "test-backend")
    made.start()
    made.ask(Ask("a"))
    start = time.monotonic()
    while worker.done != ["a"] and time.monotonic() - start < LIMIT:
        time.sleep(0.005)
    assert worker.done == ["a"] and made._thread.is_alive()


def test_one_line_of_an_exception_is_safe_to_show() -> None:
    assert one_line(ValueError("a\n\x1b[31mb")) == "ValueError: a ␛[31mb"
    assert one_line(KeyError()) == "KeyError"


def test_long_work_says_how_far_it_is_and_can_be_cancelled(post: Post) -> None:
    worker = Slow()
    worker.gate.set()
    made = backend(worker, post)
    count = made.ask(Ask("long"))
    with post.news:
        assert post.news.wait_for(lambda: any(isinstance(what, Progress) for what in post.said), LIMIT)
    told = next(what for what in post.said if isinstance(what, Progress))
    assert (told.id, told.pieces) == (count, 500) and told.done > 0 and made.current(told)
    made.cancel("show")
    (answer,) = post.answers(1)
    assert answer.cancelled and answer.result is None and not worker.done
    made.ask(Ask("a"))
    assert post.answers(2)[1].result == "A"


def test_long_work_ends_when_something_newer_is_asked(post: Post) -> None:
    worker = Slow()
    worker.gate.set()
    made = backend(worker, post)
    made.ask(Ask("long"))
    assert worker.started.wait(LIMIT)
    made.ask(Ask("b"))
    answers = post.answers(2)
    assert answers[0].cancelled and not made.current(answers[0])
    assert answers[1].result == "B" and worker.done == ["b"]


def test_cancelling_where_nothing_was_asked_does_nothing(post: Post) -> None:
    made = backend(Slow(), post)
    made.cancel("show")  # nothing was asked: nothing happens
    assert made.state in ("waiting", "loading", "ready")

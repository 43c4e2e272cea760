"""The queue: as many runs as there are places, in the order in which they came, started by whoever looks."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlptui import niceness
from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train import client, places, worker
from nlptui.train.run import RunDirectory, RunStatus, all_runs
from tests.train.processes import until
from tests.train.small import small
from tests.train.test_worker import PATIENCE, endless, log

pytestmark = pytest.mark.usefixtures("tiny_data", "warm_workers")


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    # Not by the client, which would start what waits.
    for status in [run.status() for run in all_runs()]:
        if status.state in ("queued", "running", "paused") and status.pid not in (None, os.getpid()):
            os.kill(status.pid, signal.SIGKILL)


@pytest.fixture
def one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.VARIABLE, "1")


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instead of a process: the names of the runs that would get one, in order."""
    started: list[str] = []
    monkeypatch.setattr(places, "spawn", lambda run: started.append(run.name))
    return started


def alive(name: str, state: str = "running") -> None:
    """Let a run look as if this process worked on it."""
    run = RunDirectory(runs_dir() / name)
    run.write_status(RunStatus(name, state, pid=os.getpid()))


def ended(name: str, state: str = "done") -> None:
    RunDirectory(runs_dir() / name).write_status(RunStatus(name, state))


def state_of(name: str) -> tuple[str, str]:
    now = client.status(name)
    return now.state, now.phase


# Places.


def test_places_are_half_the_cores_and_two_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(places.VARIABLE)
    for cores, expected in ((1, 2), (2, 2), (3, 2), (4, 2), (6, 3), (16, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid, n=cores: set(range(n)), raising=False)
        assert places.places() == expected
    monkeypatch.setenv(places.VARIABLE, "3")
    assert places.places() == 3


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "\x1b[31m"])
def test_a_number_of_places_that_is_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.VARIABLE, value)
    with pytest.raises(UserError, match=places.VARIABLE) as raised:
        places.places()
    assert "\x1b" not in str(raised.value)


# The order.


@pytest.mark.usefixtures("one_place")
def test_the_first_that_came_goes_first(no_workers: list[str]) -> None:
    for name in ("a", "b", "c"):
        client.start(small("lstm"), name)
        time.sleep(0.002)
    assert no_workers == ["a"]
    assert [state_of(name) for name in "abc"] == [
        ("queued", ""),
        ("queued", "waiting"),
        ("queued", "waiting"),
    ]
    alive("a")
    assert [run.state for run in client.runs()] == ["running", "queued", "queued"] and no_workers == ["a"]
    ended("a", "failed")
    assert state_of("c") == ("queued", "waiting") and no_workers == ["a", "b"]
    alive("b", "paused")  # It keeps its place.
    assert client.runs() and no_workers == ["a", "b"]
    client.resume("a")  # Comes last.
    ended("b")
    client.runs()
    ended("c")
    client.runs()
    assert no_workers == ["a", "b", "c", "a"]


@pytest.mark.usefixtures("one_place")
def test_a_run_that_was_lost_frees_its_place(no_workers: list[str]) -> None:
    client.start(small("lstm"), "a")
    client.start(small("lstm"), "b")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    RunDirectory(runs_dir() / "a").write_status(RunStatus("a", "running", pid=dead.pid, born=1))
    assert [run.state for run in client.runs()] == ["lost", "queued"] and no_workers == ["a", "b"]


@pytest.mark.usefixtures("one_place")
def test_a_run_waits_as_long_as_it_takes(no_workers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is expected of a run that waits, so that it is never lost; of one that starts, soon."""
    client.start(small("lstm"), "a")
    client.start(small("lstm"), "b")
    alive("a")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10**6)
    assert state_of("b") == ("queued", "waiting")
    ended("a")
    assert state_of("b") == ("queued", "") and no_workers == ["a", "b"]
    monkeypatch.setattr(time, "time", lambda: now + 2 * 10**6)
    assert client.status("b").state == "lost"


# What can be done to a run that waits.


@pytest.mark.usefixtures("one_place")
def test_a_run_that_waits_is_stopped_at_once_and_taken_up_again(no_workers: list[str]) -> None:
    client.start(small("lstm"), "a")
    alive("a")
    client.start(small("lstm"), "b")
    with pytest.raises(UserError, match="nothing to pause"):
        client.pause("b")
    with pytest.raises(UserError, match="stop it"):
        client.remove("b")
    client.stop("b")
    assert state_of("b") == ("stopped", "") and not (runs_dir() / "b" / "stop").exists()
    client.resume("b")
    assert state_of("b") == ("queued", "waiting")
    client.resume("b")  # It goes on already.
    client.stop("b")
    client.remove("b")
    assert [run.name for run in client.runs()] == ["a"]


@pytest.mark.usefixtures("one_place")
def test_a_worker_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_given: Any, **_more: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", no_process)
    client.start(small("lstm"), "a")
    status = client.status("a")
    assert status.state == "failed" and "Resource temporarily unavailable" in status.error


def test_a_run_that_was_only_made_waits_for_nobody(no_workers: list[str]) -> None:
    handle = client.create(small("lstm"), "made")
    assert state_of("made") == ("stopped", "") and handle.path.is_dir() and no_workers == []
    client.resume("made")
    assert no_workers == ["made"]


# Real workers.


@pytest.mark.usefixtures("one_place")
def test_the_worker_that_ends_starts_the_next_without_anybody_looking() -> None:
    for name in ("a", "b", "c"):
        client.start(small("lstm", steps=4, evaluate_every=0), name)
    # Only files are read here: nobody asks the client.
    statuses = [RunDirectory(runs_dir() / name) for name in ("a", "b", "c")]
    until(lambda: all(run.status().state == "done" for run in statuses))
    assert sorted(statuses, key=lambda run: run.status().updated) == statuses


@pytest.mark.usefixtures("one_place")
def test_a_killed_worker_is_followed_by_the_next_when_somebody_looks() -> None:
    client.start(endless(), "a")
    client.start(small("lstm", steps=4, evaluate_every=0), "b")
    status = until(lambda: client.status("a").step > 0 and client.status("a"))
    assert state_of("b") == ("queued", "waiting")
    os.kill(status.pid, signal.SIGKILL)
    assert client.wait("b", PATIENCE).state == "done", log("b")
    assert client.status("a").state == "lost"


def test_a_worker_hands_its_niceness_down_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next worker is a child of the last: it has stepped back already."""
    steps: list[int] = []
    monkeypatch.setattr(os, "nice", steps.append)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for wanted in (10, 10, 4, 15):
        worker.step_back(wanted)
    assert steps == [10, 0, 0, 5]


def test_a_worker_makes_its_whole_session_nice() -> None:
    """Linux shares the cores among sessions first: niceness within its own session gives way to nobody."""
    if not niceness.GROUP.exists():
        pytest.skip("this system does not share its cores among sessions")
    client.start(small("lstm", steps=100_000, evaluate_every=0, nice=7), "a")
    status = until(lambda: client.status("a").step > 0 and client.status("a"))
    try:
        group = Path(f"/proc/{status.pid}/autogroup").read_text(encoding="utf-8")
        assert group.split()[-2:] == ["nice", "7"]
        assert os.getpriority(os.PRIO_PROCESS, status.pid) == 7
    finally:
        client.cancel("a")


def test_nobody_elses_session_is_made_nice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A worker that somebody starts by hand shares the session of a shell."""
    group = tmp_path / "autogroup"
    group.write_text("")
    monkeypatch.setattr(niceness, "GROUP", group)
    monkeypatch.setattr(os, "nice", lambda _step: None)
    monkeypatch.setattr(os, "getsid", lambda _pid: os.getpid() + 1)
    niceness.give_way(10)
    assert group.read_text() == ""
    monkeypatch.setattr(os, "getsid", lambda _pid: os.getpid())
    niceness.give_way(10)
    assert group.read_text() == "10"


# Two front ends on one run.


def _resume_at(name: str, at: float, said: Any) -> None:
    time.sleep(max(0.0, at - time.time()))
    try:
        client.resume(name)
        said.put("resumed")
    except UserError as error:
        said.put(str(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_two_front_ends_that_resume_at_once_start_one_worker() -> None:
    client.create(endless(), "one")
    context = multiprocessing.get_context("fork")
    said: Any = context.Queue()
    at = time.time() + 0.3
    others = [context.Process(target=_resume_at, args=("one", at, said)) for _front_end in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [said.get(timeout=10) for _front_end in range(4)] == ["resumed"] * 4
    until(lambda: client.status("one").step > 5)
    assert len(workers_of(runs_dir() / "one")) == 1
    client.stop("one")
    assert client.wait("one", PATIENCE).state == "stopped"
    assert "another worker" not in log("one")


def workers_of(run: Path) -> list[int]:
    """Processes that work on a run."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"nlptui.train.worker" in command and str(run).encode() in command:
            found.append(int(folder.name))
    return found


def test_two_front_ends_see_the_same() -> None:
    client.start(small("lstm", steps=60, save_every=0, evaluate_every=0), "one")
    code = (
        "import sys, json; from nlptui.train import client\n"
        "rows = [row for _status, rows in client.follow('one', 0.01) for row in rows]\n"
        "print(json.dumps([client.status('one').state, rows]))"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    seen = [row for _status, rows in client.follow("one", 0.01) for row in rows]
    state, theirs = json.loads(other.communicate(timeout=PATIENCE)[0])
    assert state == client.status("one").state == "done"
    assert theirs == seen == client.metrics("one")

"""What goes out to a terminal: all of it, in order, and without waiting for a terminal that does not read."""

from __future__ import annotations

import os
import pty
import select
import tty
from collections.abc import Iterator
from typing import IO

import pytest

from nlptui.tui.driver import StableWriter, opened_again

MOMENT = 20.0
"""Seconds after which something that was waited for will not come any more."""


@pytest.fixture
def line() -> Iterator[tuple[int, IO[str]]]:
    """The end of a terminal where one reads, and the end where the program writes."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    with os.fdopen(slave, "w", encoding="utf-8") as file:
        yield master, file
    os.close(master)


def read(master: int, size: int) -> bytes:
    """So many bytes, or what there is of them in time."""
    found = b""
    while len(found) < size and select.select([master], [], [], MOMENT)[0]:
        found += os.read(master, 4096)
    return found


def test_a_terminal_that_reads_gets_it_without_a_thread(line: tuple[int, IO[str]]) -> None:
    master, file = line
    writer = StableWriter(file)  # its thread is not started
    writer.write("床前 \ud800")
    assert read(master, 8) == "床前 ?".encode()
    assert writer._queue.empty()


def test_a_terminal_that_does_not_read_holds_nobody_up(line: tuple[int, IO[str]]) -> None:
    master, file = line
    writer = StableWriter(file)
    writer.start()
    pieces = [f"{number}:" + "床前明月光" * 900 + "\n" for number in range(12)]
    for piece in pieces:  # far more than the terminal takes
        writer.write(piece)
    wanted = "".join(pieces).encode()
    assert read(master, len(wanted)) == wanted
    writer.stop()
    assert writer._at_once is None


def test_what_comes_later_waits_for_what_came_before(line: tuple[int, IO[str]]) -> None:
    """A short text would find room in the terminal while a long one still waits."""
    master, file = line
    writer = StableWriter(file)
    long = "x" * 200_000
    writer.write(long)
    first = os.read(master, 4096)
    writer.write("end")
    writer.start()
    assert first + read(master, len(long) + 3 - len(first)) == (long + "end").encode()
    writer.stop()


def test_a_terminal_that_is_gone_is_no_error() -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as file:
        writer = StableWriter(file)
        writer.start()
        os.close(master)
        for _n in range(3):
            writer.write("nobody reads this")
        writer.stop()
        assert not writer.is_alive()


def test_what_is_no_terminal_is_not_opened_again() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as file:
        assert opened_again(file) is None
        writer = StableWriter(file)
        writer.start()
        writer.write("text")
        writer.stop()
        assert os.read(reading, 10) == b"text"


def test_only_the_second_opening_does_not_wait(line: tuple[int, IO[str]]) -> None:
    """The shell reads and writes through the first one when the program has ended."""
    _master, file = line
    again = opened_again(file)
    assert again is not None
    assert os.get_blocking(file.fileno()) and not os.get_blocking(again)
    os.close(again)

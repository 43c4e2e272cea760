"""Lists of strings as text files: one a line, in the order of their numbers.

Backslashes and line ends are written as \\\\ and \\n, so that every string has its one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

_ESCAPES = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"))


def write_list(path: Path, strings: Sequence[str]) -> None:
    """Write `strings`, one a line."""
    path.write_text("".join(f"{_escaped(string)}\n" for string in strings), encoding="utf-8", newline="\n")


def read_list(path: Path, wanted: int | None = None) -> tuple[str, ...]:
    """The strings at `path`. Raises UserError for a file that is missing, or that holds not `wanted`
    lines."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            _("{path}: not readable as text ({error})").format(
                path=visible(str(path)), error=visible(str(error))
            )
        ) from None
    lines = text.split("\n")
    lines = lines[:-1] if lines and not lines[-1] else lines
    if wanted is not None and len(lines) != wanted:
        raise UserError(
            _("{path}: has {got} lines, config.json asks for {wanted}").format(
                path=visible(str(path)), got=len(lines), wanted=wanted
            )
        )
    return tuple(map(_unescaped, lines))


def _escaped(string: str) -> str:
    for plain, written in _ESCAPES:
        string = string.replace(plain, written)
    return string


def _unescaped(line: str) -> str:
    if "\\" not in line:
        return line
    found, at = [], 0
    names = {"\\": "\\", "n": "\n", "r": "\r"}
    while at < len(line):
        pair = line[at] == "\\" and line[at + 1 : at + 2] in names
        found.append(names[line[at + 1]] if pair else line[at])
        at += 2 if pair else 1
    return "".join(found)

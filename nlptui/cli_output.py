"""What the command line prints: strict JSON, plain tables, and traces as JSON, .npz or CSV.

Knows nothing of options and commands. Everything for people passes `visible`, and JSON spells such characters
as escapes, so that neither can act on a terminal.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.cells import cell_len

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible

DASH = "–"
# Beyond ASCII, what a terminal would obey or hide: C1 and bidi controls, zero-width characters, surrogates.
_UNSAFE = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def strict(value: Any) -> Any:
    """`value` as JSON can say it: arrays as lists, infinities and NaN as the strings "inf", "-inf", "nan"."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "f" and not np.isfinite(value).all():
            return strict(value.tolist())
        return value.tolist()
    if isinstance(value, np.generic):
        return strict(value.item())
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def dumps(value: Any) -> str:
    """One line of strict JSON; text is left readable, except for characters that a terminal would obey."""
    return _UNSAFE.sub(_escaped, json.dumps(strict(value), ensure_ascii=False, allow_nan=False))


def dumps_plain(value: Any) -> str:
    """As `dumps`, for a value of dicts, lists, strings and whole numbers alone: nothing is converted."""
    return _UNSAFE.sub(_escaped, json.dumps(value, ensure_ascii=False))


def write_line(line: str, stream: IO[str] | None = None) -> None:
    """One line of results, at once, so that a pipe sees it when it is there."""
    print(line, file=stream or sys.stdout, flush=True)


def message(line: str) -> None:
    """One line for the person, on stderr."""
    write_line(visible(line), sys.stderr)


def write_piece(text: str) -> None:
    """A piece of a text that is still being written; line breaks stay, nothing else acts on the terminal."""
    print("\n".join(map(visible, text.split("\n"))), end="", flush=True)


def text_width() -> int:
    """Columns that a text may take: the terminal's, and 100 in a pipe."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100


def emit(as_json: bool, value: Any, lines: Callable[[], Iterable[str]]) -> None:
    """Print `value` as JSON, or the lines that say it to a person."""
    if as_json:
        write_line(dumps(value))
        return
    for line in lines():
        write_line(line)


def coloured() -> bool:
    """Whether stdout takes bold type."""
    terminal = os.environ.get("TERM", "") not in ("", "dumb")
    return terminal and sys.stdout.isatty() and "NO_COLOR" not in os.environ


def number(value: Any) -> str:
    """A number for people: about four digits, whole numbers with thousands marked; a dash for nothing.

    What a broken file holds in a number's place is shown as it is.
    """
    if value is None:
        return DASH
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        size = abs(float(value))
        return f"{value:.4f}" if 1e-3 <= size < 1e4 else f"{value:.4g}"
    return visible(str(value))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[int] = ()) -> list[str]:
    """Columns under `headers`, aligned by the cells that characters take; columns in `right` to the right."""
    cells = [[number(cell) if not isinstance(cell, str) else visible(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(headers, *cells, strict=True)]
    lines = [_row(headers, widths, right), *(_row(row, widths, right) for row in cells)]
    if coloured():
        lines[0] = f"\x1b[1m{lines[0]}\x1b[0m"
    return lines


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    padded = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if column in right else cell + space)
    return "  ".join(padded).rstrip()


# Files.


def write_text(file: Path, text: str) -> None:
    """`text` as UTF-8; the file is there whole or not at all."""
    with whole_file(file) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


@contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes its name only when it is complete; a device or pipe is written as it is."""
    folder = file.parent
    if not folder.is_dir():
        raise UserError(_("{folder}: no such folder; create it first").format(folder=visible(str(folder))))
    if file.exists() and not file.is_file():
        with file.open("wb") as stream:
            yield stream
        return
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)

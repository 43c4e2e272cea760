"""A figure into a file: SVG, HTML, plain text, or the numbers as CSV; the file's ending decides.

Checks the path before it writes, and writes whole or not at all. Knows nothing of widgets.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible
from nlptui.views.figure import Bars, HeatTable, Lines, Points, Thumbnails, Tokens, Tree

if TYPE_CHECKING:
    from nlptui.views.figure import Figure

KINDS = (".svg", ".html", ".txt", ".csv")
TEXT_WIDTH = 120


def write_figure(figure: Figure, path: Path, overwrite: bool = False) -> Path:
    """Write `figure` to `path` and return the full path. UserError where that cannot be done."""
    path = checked(path, overwrite)
    content = rendered(figure, path.suffix.lower())
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with scratch.open("x", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.write(content)
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            _("{path} could not be written: {error}").format(
                path=visible(str(path)), error=visible(error.strerror or str(error))
            )
        ) from None
    return path


def checked(path: Path, overwrite: bool) -> Path:
    """The absolute path to write to. UserError for an unknown ending, a missing folder, or a file that is in
    the way.
    """
    try:
        path = path.expanduser().absolute()
        shown = visible(str(path))
        if path.suffix.lower() not in KINDS:
            raise UserError(
                _("{path}: the ending says what to write; use one of {kinds}").format(
                    path=shown, kinds=" ".join(KINDS)
                )
            )
        if not path.parent.is_dir():
            raise UserError(_("{folder}: no such folder").format(folder=visible(str(path.parent))))
        if path.is_dir():
            raise UserError(_("{path} is a folder; give the name of a file").format(path=shown))
        if path.exists() and not overwrite:
            raise UserError(_("{path} exists; give another name, or choose to replace it").format(path=shown))
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            _("{path} cannot be the name of a file: {error}").format(
                path=visible(str(path)), error=visible(str(error))
            )
        ) from None
    return path


def rendered(figure: Figure, ending: str) -> str:
    """The content of the file."""
    if ending == ".csv":
        return to_csv(figure)
    from nlptui.views import render

    if ending == ".svg":
        return render.to_svg(figure)
    if ending == ".html":
        return render.to_html(figure)
    return render.to_text(figure, TEXT_WIDTH)


def to_csv(figure: Figure) -> str:
    """Every part of the figure as rows of numbers at full precision, one blank line between parts."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    for number, part in enumerate(figure.parts):
        if number:
            out.write("\n")
        write([_cell(part.title)])
        for row in _rows(part):
            write([_cell(value) for value in row])
    return out.getvalue()


def _rows(part: object) -> list[Sequence[object]]:
    match part:
        case HeatTable():
            return [
                ["", *part.cols],
                *([label, *values] for label, values in zip(part.rows, part.values.tolist(), strict=True)),
            ]
        case Bars():
            return [[label, value] for label, value in zip(part.labels, part.values.tolist(), strict=True)]
        case Lines():
            return [
                [s.name, x, y] for s in part.series for x, y in zip(s.x.tolist(), s.y.tolist(), strict=True)
            ]
        case Points():
            return [
                ["", *part.axes],
                *([label, *xy] for label, xy in zip(part.labels, part.values.tolist(), strict=True)),
            ]
        case Thumbnails():
            return [
                [label, *line]
                for label, image in zip(part.labels, part.images, strict=True)
                for line in image.tolist()
            ]
        case Tokens():
            return [["token", "id", "start", "end"], *([t.text, t.id, t.start, t.end] for t in part.tokens)]
        case Tree():
            return [
                ["name", "shape", "formula"],
                *([r.path, list(r.shape or ()), r.formula] for r in part.rows if r.leaf),
            ]
    raise TypeError(f"no CSV form of {type(part).__name__}")


def _cell(value: object) -> object:
    """A label that a spreadsheet would take for a formula gets a quote in front; numbers keep every digit."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return "'" + value
    return repr(value) if isinstance(value, float) else value

"""A figure as one HTML page that stands alone: no scripts, and a policy that forbids all but its own style.

Heat tables, tokens and trees are real tables, which can be selected, searched and read aloud; bars and charts
are drawings. All text is escaped here. Knows nothing of terminals.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape as _escape

from nlptui.locale import _, language
from nlptui.views import palette
from nlptui.views.cells import cell_texts, standing
from nlptui.views.figure import Figure, HeatTable, Part, Tokens, Tree
from nlptui.views.render_svg import part_svg
from nlptui.views.render_text import legend, token_grid

LIMIT = 256
"""Rows and columns of a table, tokens and tree lines; what is left out is counted."""
_PAGE = (
    "body{margin:1.5rem;font-size:13px}h1{font-size:1.2rem}h2{font-size:1rem;margin:1.5rem 0 .3rem}"
    "table{border-collapse:collapse;font-size:12px}th{font-weight:normal;padding:1px 6px;white-space:pre}"
    "td{padding:1px 6px;text-align:right;white-space:pre}th[scope=row]{text-align:right}"
    ".scroll{overflow:auto;max-width:100%}.tree td,.tree th{text-align:left}"
)


def escape(text: str) -> str:
    """Text for HTML."""
    return _escape(standing(text), quote=True)


def to_html(figure: Figure, theme: str = "auto") -> str:
    """The whole figure as a page. `theme`: "light", "dark", or "auto": what the reader's system asks for."""
    style = palette.style_sheet(theme) + _PAGE
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    parts = "".join(
        f"<section><h2>{escape(part.title)}</h2>{part_html(part)}</section>" for part in figure.parts
    )
    caption = f'<p class="faint">{escape(figure.caption)}</p>' if figure.caption else ""
    return (
        f'<!doctype html><html lang="{language()}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(figure.title)}</title>'
        f'<style>{style}</style></head><body class="paper ink"><h1>{escape(figure.title)}</h1>'
        f"{parts}{caption}</body></html>\n"
    )


def part_html(part: Part) -> str:
    """One part, without its title."""
    if isinstance(part, HeatTable):
        return _table(part)
    if isinstance(part, Tokens):
        return _tokens(part)
    if isinstance(part, Tree):
        return _tree(part)
    return f'<div class="scroll">{part_svg(part)}</div>'


def _table(table: HeatTable) -> str:
    rows, columns = min(len(table.rows), LIMIT), min(len(table.cols), LIMIT)
    classes = [palette.level_class(table, level) for level in range(-1, palette.count(table))]
    pair = [f"{name} {name.upper()}" for name in classes]
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in table.cols[:columns])
    lines = [f"<tr><th></th>{head}</tr>"]
    grid = palette.levels(table)[:rows, :columns].tolist()
    for label, row, levels in zip(table.rows, cell_texts(table, rows, columns), grid, strict=False):
        cells = "".join(
            f'<td class="{pair[n + 1]}">{escape(text)}</td>' for text, n in zip(row, levels, strict=True)
        )
        lines.append(f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>')
    note = f"{escape(table.note)} · " if table.note else ""
    caption = f'<p class="faint">{note}{escape(legend(table))}</p>'
    left = _left_out(len(table.rows) - rows, len(table.cols) - columns)
    return f'{caption}<div class="scroll"><table>{"".join(lines)}</table></div>{left}'


def _tokens(part: Tokens) -> str:
    names, columns = token_grid(part, LIMIT)
    lines = []
    for number, name in enumerate(names):
        cells = "".join(f"<td>{escape(column[number])}</td>" for column in columns)
        lines.append(f'<tr><th scope="row" class="faint">{escape(name)}</th>{cells}</tr>')
    left = _left_out(0, len(part.tokens) - len(columns))
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>{left}'


def _tree(tree: Tree) -> str:
    lines = []
    for row in tree.rows[:LIMIT]:
        name = escape("\u00a0\u00a0" * row.depth + row.label)
        shape = "" if row.shape is None else "×".join(map(str, row.shape))
        lines.append(f'<tr><th scope="row">{name}</th><td>{shape}</td><td>{escape(row.formula)}</td></tr>')
    left = _left_out(len(tree.rows) - len(lines), 0)
    return f'<div class="scroll"><table class="tree">{"".join(lines)}</table></div>{left}'


def _left_out(rows: int, columns: int) -> str:
    words = [_("… and {n} more rows").format(n=rows)] if rows > 0 else []
    words += [_("… and {n} more columns").format(n=columns)] if columns > 0 else []
    return f'<p class="faint">{escape("   ".join(words))}</p>' if words else ""

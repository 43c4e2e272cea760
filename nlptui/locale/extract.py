"""Finds the strings that the source marks for translation, for `make messages` and the catalogue test.

Reads the syntax tree, so that it also sees what stands inside f-strings. Knows nothing of catalogues.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, BinaryIO


def messages(
    fileobj: BinaryIO, keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[int, str, str, list[str]]]:
    """(line, function, message, comments) of each call of a keyword with a literal, as Babel wants them."""
    for node in ast.walk(ast.parse(fileobj.read())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in keywords):
            continue
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value:
            yield node.lineno, node.func.id, first.value, []

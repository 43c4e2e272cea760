"""The syntax of formulas: text to a tree and back. The package says what the language is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Name:
    """An activation, input, parameter or module; `rows` selects rows of a parameter."""

    name: str
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Call:
    """A function of formulas."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Binary:
    """One of + - * /, element by element."""

    operator: str
    left: Node
    right: Node


Node = Number | Name | Call | Binary
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?)|([A-Za-z_]\w*(?:\.\w+)*)|(\S))")
_NUMBER, _NAME = 1, 2


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(m.lastindex or 0, m[m.lastindex or 0]) for m in _TOKEN.finditer(text)]
        self.at = 0

    def parse(self) -> Node:
        node = self.sum()
        if self.at != len(self.tokens):
            raise self.error("the end")
        return node

    def error(self, expected: str) -> ValueError:
        got = repr(self.peek()) if self.peek() else "the end"
        return ValueError(f"formula {self.text!r}: {expected} expected, got {got}")

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def kind(self) -> int:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else 0

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise self.error(repr(expected) if expected else "more")
        self.at += 1
        return token

    def sum(self) -> Node:
        node = self.product()
        while self.peek() in ("+", "-"):
            node = Binary(self.take(), node, self.product())
        return node

    def product(self) -> Node:
        node = self.factor()
        while self.peek() in ("*", "/"):
            node = Binary(self.take(), node, self.factor())
        return node

    def factor(self) -> Node:
        if self.peek() == "-":
            self.take()
            return Binary("-", Number(0.0), self.factor())
        if self.peek() == "(":
            self.take()
            node = self.sum()
            self.take(")")
            return node
        if self.kind() == _NUMBER:
            return Number(float(self.take()))
        if self.kind() == _NAME:
            return self.name(self.take())
        raise self.error("a number, a name or a bracket")

    def name(self, name: str) -> Node:
        if self.peek() == "(":
            self.take()
            arguments = [self.sum()]
            while self.peek() == ",":
                self.take()
                arguments.append(self.sum())
            self.take(")")
            return Call(name, tuple(arguments))
        if self.peek() == "[":
            self.take()
            first = self.row()
            self.take(":")
            last = self.row()
            self.take("]")
            return Name(name, (first, last))
        return Name(name)

    def row(self) -> int:
        if not self.peek().isdecimal():
            raise self.error("the number of a row")
        return int(self.take())


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The syntax tree of a formula. Raises ValueError that shows where it went wrong."""
    return _Parser(text).parse()


def unparse(node: Node) -> str:
    """A formula whose syntax tree is `node`."""
    if isinstance(node, Number):
        return (
            str(int(node.value)) if node.value.is_integer() and abs(node.value) < 1e15 else repr(node.value)
        )
    if isinstance(node, Name):
        return node.name if node.rows is None else f"{node.name}[{node.rows[0]}:{node.rows[1]}]"
    if isinstance(node, Call):
        return f"{node.function}({', '.join(map(unparse, node.arguments))})"
    # The parser reads from the left, so that a sum or quotient on the right keeps its brackets.
    loose = ("+", "-") if node.operator in "*/" else ()
    left = _bracketed(node.left, loose)
    right = _bracketed(node.right, ("+", "-", "*", "/") if node.operator in "*/" else ("+", "-"))
    return f"{left} {node.operator} {right}"


def _bracketed(node: Node, operators: Sequence[str]) -> str:
    text = unparse(node)
    return f"({text})" if isinstance(node, Binary) and node.operator in operators else text


def names_in(node: Node) -> tuple[str, ...]:
    """The names in a formula, in order, each once."""
    if isinstance(node, Name):
        return (node.name,)
    parts: tuple[Node, ...] = ()
    if isinstance(node, Call):
        parts = node.arguments
    elif isinstance(node, Binary):
        parts = (node.left, node.right)
    return tuple(dict.fromkeys(name for part in parts for name in names_in(part)))

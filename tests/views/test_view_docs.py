"""docs/views.md lists every view under its key, and the tests that it names are there."""

from __future__ import annotations

import re

from nlptui.views import VIEWS
from tests.conftest import ROOT

ROW = re.compile(r"\| (\d) \| `(\w+)` \|.*\| (`[^|]+`) \|$")


def rows() -> list[tuple[int, str, str]]:
    text = (ROOT / "docs" / "views.md").read_text(encoding="utf-8")
    found = (ROW.match(line) for line in text.splitlines())
    return [(int(row[1]), row[2], row[3]) for row in found if row]


def test_every_view_is_listed_under_its_key() -> None:
    assert [(key, name) for key, name, _test in rows()] == [
        (view.group, name) for name, view in VIEWS.items()
    ]


def test_the_tests_that_are_named_are_there() -> None:
    for _key, name, test in rows():
        for one in test.split(", "):
            path, _colons, function = one.strip("`").partition("::")
            assert (ROOT / path).exists(), name
            assert not function or f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), name

"""The key pages of the documentation are what the table of actions says, in both languages."""

import pytest

from nlptui.locale import set_language
from nlptui.tui.key_docs import page
from tests.conftest import ROOT


@pytest.mark.parametrize(("language", "file"), [("en", "keys.md"), ("zh", "keys.zh.md")])
def test_the_key_page_is_up_to_date(language: str, file: str) -> None:
    set_language(language)
    assert (ROOT / "docs" / file).read_text(encoding="utf-8") == page(), (
        f"run: python -m nlptui.tui.key_docs {language} > docs/{file}"
    )

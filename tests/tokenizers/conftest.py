"""Every kind of tokenizer in turn."""

from __future__ import annotations

import pytest

from nlptui.tokenizers import Tokenizer
from tests.tokenizers.tokenizer_cases import CASES, made


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """The name of every case in turn."""
    return str(request.param)


@pytest.fixture
def tokenizer(case: str) -> Tokenizer:
    """A tokenizer of every case in turn, with [CLS] and [SEP] around texts."""
    return made(case)

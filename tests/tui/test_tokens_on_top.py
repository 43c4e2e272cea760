"""The row of tokens on top of the explorer opens, whatever a model reads of a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nlptui.tui.place import Place
from nlptui.tui.workbench import Workbench
from tests.engine.classical_models import make_classical
from tests.engine.models import make_model


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("taggers")
    make_classical(folder)
    make_model(folder, "tag-lstm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLPTUI_MODELS", str(folder))
        yield Workbench("cpu")


@pytest.mark.parametrize(
    ("model", "name"), [("tag-lstm", "ids"), ("tag-crf", "features"), ("tag-rules", "rule")]
)
def test_a_token_on_top_opens_what_the_model_reads_of_it(bench: Workbench, model: str, name: str) -> None:
    place = Place(model, "the old can")
    tokens = bench.show(place).tokens
    for row, token in enumerate(tokens.tokens):
        origin = tokens.origin(row)
        assert origin is not None and origin.name == name and token.tag is not None
        assert (token.id is not None) == (name == "ids"), "an id that nothing reads is not told"
        assert bench.explain(place, origin).derivation.index == origin.index


def test_a_word_that_the_model_does_not_know_keeps_its_characters_on_top(bench: Workbench) -> None:
    tokens = bench.show(Place("tag-lstm", "the zorblax")).tokens
    assert [token.text for token in tokens.tokens] == ["the", "zorblax⁇"]

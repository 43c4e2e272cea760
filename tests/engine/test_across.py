"""A token of one run against the tokens of another: by numpy, and gone when another run is pinned."""

from __future__ import annotations

import numpy as np
import pytest

from nlptui.engine import Engine
from nlptui.errors import UserError
from nlptui.views import VIEWS, State

HERE, THERE = "the old keeper can open a can", "a can of old paint"


@pytest.mark.parametrize("family", ["tag-lstm", "bert", "gpt", "word2vec"])
def test_cosines_with_the_pinned_run_by_numpy(engines: dict[str, Engine], family: str) -> None:
    engine = engines[family]
    here, there = engine.trace(HERE), engine.trace(THERE)
    here.pin(there)
    engine.analyse(here, "analysis.across.at_2")
    names = [
        name for name in here.analyses if name.startswith("analysis.across.") and name.endswith(".cosine")
    ]
    assert names
    for full in names:
        name = full.removeprefix("analysis.across.at_2.").removesuffix(".cosine")
        own, others = here.array(name)[0, 2].astype(float), there.array(name)[0].astype(float)
        expected = others @ own / np.linalg.norm(others, axis=-1) / np.linalg.norm(own)
        np.testing.assert_allclose(here.array(full)[0, 0], expected, atol=1e-5)
        assert here.labels(full, "key") == there.encoding.tokens
        derivation = engine.explain(here, full, (0, 0, 1))
        assert derivation.value == pytest.approx(here.array(full)[0, 0, 1], abs=1e-5)


def test_another_pinned_run_takes_the_place_of_the_first(engines: dict[str, Engine]) -> None:
    engine = engines["bert"]
    here = engine.trace(HERE)
    here.pin(engine.trace(THERE))
    engine.analyse(here, "analysis.across.at_2")
    here.pin(engine.trace("a can"))
    assert not any(name.startswith("analysis.across.") for name in here.analyses)
    engine.analyse(here, "analysis.across.at_2")
    figure = VIEWS["neighbours"].draw(
        engine.analyse(here, *VIEWS["neighbours"].needs(here, State(position=2))), State(position=2)
    )
    assert len(figure.parts[-1].cols) == len(here.pinned.encoding.tokens) != len(here.encoding.tokens)
    assert "each token of A" in figure.parts[-1].title


def test_a_run_of_another_model_has_no_vectors_to_compare(engines: dict[str, Engine]) -> None:
    bert, gpt = engines["bert"], engines["gpt"]
    here = bert.trace(HERE)
    for pinned in (None, gpt.trace(THERE)):
        if pinned is not None:
            here.pin(pinned)
        with pytest.raises(UserError, match="another run of this model"):
            bert.analyse(here, "analysis.across.at_1")
        assert "analysis.across." not in " ".join(VIEWS["neighbours"].needs(here, State()))

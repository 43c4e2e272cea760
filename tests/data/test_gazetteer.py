"""Names that a tagger of entities practises on: of their kind, many, and drawn the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from nlptui.data.gazetteer import KINDS, gazetteer
from nlptui.data.splits import names_known
from nlptui.errors import UserError


def test_names_are_of_their_kind_and_always_the_same() -> None:
    names = gazetteer("zh")
    drawn = {kind: [names.draw(kind, np.random.default_rng(n)) for n in range(300)] for kind in KINDS}
    assert drawn["PER"] == [names.draw("PER", np.random.default_rng(n)) for n in range(300)]
    for kind, mentions in drawn.items():
        assert len(set(mentions)) > 150, kind
        assert all(mention and all(word and not word.isspace() for word in mention) for mention in mentions)
    surnames = {entry[0] for entry in names.sections["surname"]}
    assert any(mention[0] in surnames and len(mention) == 2 for mention in drawn["PER"])
    assert any("·" in mention for mention in drawn["PER"])
    ends = set(names.sections["place_end"])
    assert any(mention[1:] in ends for mention in drawn["LOC"])
    cities = set(names.sections["city"])
    assert any(mention[:1] in cities for mention in drawn["ORG"])
    assert len(names.words()) > 1500 and "_" not in "".join(names.words())


def test_there_is_no_gazetteer_for_other_languages() -> None:
    with pytest.raises(UserError, match="'tlh'"):
        gazetteer("tlh")


def test_their_words_are_known_where_a_recipe_asks_for_them() -> None:
    assert names_known({"corpus": "zh_gsd_ner"}) == []
    assert names_known({"corpus": "zh_gsd_ner", "gazetteer": 0.0}) == []
    assert names_known({"corpus": "zh_gsd_ner", "gazetteer": 0.3}) == gazetteer("zh").words()
    with pytest.raises(UserError, match="'en'"):
        names_known({"corpus": "en_wnut17", "gazetteer": 0.3})

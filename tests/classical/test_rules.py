"""Rules: which fires, longest matches from both sides, and what is said of a file with a mistake."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nlptui.classical import rules
from nlptui.classical.rules import RuleTagger, from_the_left, from_the_right
from nlptui.classical.rules_file import read_rules
from nlptui.config import RulesConfig
from nlptui.errors import UserError
from nlptui.trace import Recorder

TAGS = ("ADV", "DET", "NOUN", "VERB")
WORDS = r"""
otherwise = "NOUN"

[[rule]]
name = "articles"
tag = "DET"
pattern = '(?i)the|a|an'

[[rule]]
name = "after to"
tag = "VERB"
pattern = '\p{Ll}+'
before = 'to'

[[rule]]
tag = "ADV"
pattern = '.+ly'
"""
ENTITIES = ("O", "B-LOC", "B-PER", "I-LOC", "I-PER")


def tagger(folder: Path, text: str, labels: tuple[str, ...] = TAGS) -> RuleTagger:
    (folder / "rules.toml").write_text(text, encoding="utf-8")
    return RuleTagger.read(RulesConfig(arch="rules", task="tagging", labels=labels), folder)


def tags(model: RuleTagger, words: list[str]) -> list[str]:
    path = model(SimpleNamespace(words=[words], mask=None))["path"][0]
    return [model.config.labels[int(tag)] for tag in path]


def test_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    model = tagger(tmp_path, WORDS)
    words = ["The", "cat", "wants", "to", "fly", "slowly"]
    assert tags(model, words) == ["DET", "NOUN", "NOUN", "NOUN", "VERB", "ADV"]
    found = model.fired(words)
    assert [model.rule_names[number] for number in found.rules] == [
        "articles", "otherwise", "otherwise", "otherwise", "after to", "ADV 3",
    ]  # fmt: skip
    assert found.fits[4] == {1, 2}, "the third fits too, but the second comes before"


def test_a_word_that_comes_again_has_neighbours_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tagger(tmp_path, WORDS)
    words, wanted = ["run", "to", "run", "run"], ["NOUN", "NOUN", "VERB", "NOUN"]
    assert tags(model, words) == tags(model, words) == wanted
    asked: list[str] = []
    fits = rules._Clock.fits

    def counted(clock: Any, rule: Any, pattern: Any, word: str) -> bool:
        asked.append(word)
        return fits(clock, rule, pattern, word)

    monkeypatch.setattr(rules._Clock, "fits", counted)
    assert tags(model, [*words, "slowly"]) == [*wanted, "ADV"]
    # Of the words seen before only neighbours are looked at: what stands before each "run" and "to".
    assert asked.count("slowly") == 3 and len(asked) <= 8
    monkeypatch.setattr(rules, "REMEMBERED", 1)
    assert tags(model, words) == wanted


def test_entities_are_stretches_of_whole_words(tmp_path: Path) -> None:
    text = """
    scheme = "spans"
    [[rule]]
    tag = "PER"
    pattern = '李小?明'
    [[rule]]
    tag = "LOC"
    pattern = '北京大?|明天'
    """
    model = tagger(tmp_path, text, ENTITIES)
    words = ["李", "小明", "在", "北京", "大", "学", "李明天"]
    # Longest first as the pattern has it; 李明 and 明天 are no whole words in the last one.
    assert tags(model, words) == ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O", "O"]


def test_an_earlier_rule_keeps_its_words(tmp_path: Path) -> None:
    text = (
        "scheme = 'spans'\n[[rule]]\ntag = 'PER'\npattern = 'ab'\n[[rule]]\ntag = 'LOC'\npattern = 'bc|cd'\n"
    )
    model = tagger(tmp_path, text, ENTITIES)
    assert tags(model, list("abcd")) == ["B-PER", "I-PER", "O", "O"], "bc is not whole, and cd lies within it"
    assert tags(model, list("abxcd")) == ["B-PER", "I-PER", "O", "B-LOC", "I-LOC"]


def test_longest_words_from_both_sides(tmp_path: Path) -> None:
    words = frozenset(["研究", "研究生", "生命", "起源"])
    assert from_the_left("研究生命起源", words, 3) == [3, 1, 2]
    assert from_the_right("研究生命起源", words, 3) == [2, 2, 2]
    (tmp_path / "words.txt").write_text("研究生\n生命\n起源\n", encoding="utf-8")
    text = "scheme = 'dictionary'\nfile = 'words.txt'\nwords = ['研究']\n[[rule]]\npattern = '[0-9]+'\n"
    model = tagger(tmp_path, text, ("B", "M", "E", "S"))
    assert "".join(tags(model, list("研究生命起源123"))) == "BEBEBEBME"
    found = model.cuts(list("研究生命1"))
    names = model.config.labels
    assert "".join(names[label] for label in found.forward) == "BMESS"
    assert "".join(names[label] for label in found.backward) == "BEBES"
    # As many words, but one of one character less.
    assert found.forward_cost - found.backward_cost == pytest.approx(1e-4)
    assert found.rules == [1, 1, 1, 1, 0]


def test_what_is_on_record_is_made_as_its_formulas_say(tmp_path: Path) -> None:
    from nlptui.formula import explain
    from nlptui.trace import Trace

    model = tagger(tmp_path, WORDS)
    recorder = Recorder(dict(model.named_buffers()))
    model(SimpleNamespace(words=[["The", "cat"]], mask=None), recorder)
    trace = Trace(recorder.activations, recorder.inputs, dict(model.named_buffers()))
    assert list(trace.activations) == ["rule", "path", "probs"]
    for name, activation in trace.activations.items():
        index = tuple(size - 1 for size in activation.shape)
        derivation = explain(trace, name, index)
        assert derivation.value == derivation.total, name


def test_what_a_way_to_cut_costs_opens_to_its_labels_and_can_be_edited(tmp_path: Path) -> None:
    from nlptui.edits import Edit
    from nlptui.formula import explain
    from nlptui.trace import Trace

    (tmp_path / "words.txt").write_text("研究生\n生命\n起源\n", encoding="utf-8")
    text = "scheme = 'dictionary'\nfile = 'words.txt'\nwords = ['研究']\n"
    model = tagger(tmp_path, text, ("B", "M", "E", "S"))
    batch = SimpleNamespace(words=[list("研究生命起源")], mask=None)
    recorder = Recorder(dict(model.named_buffers()))
    path = model(batch, recorder)["path"][0].tolist()
    assert path == model.cuts(batch.words[0]).backward
    trace = Trace(recorder.activations, recorder.inputs, dict(model.named_buffers()))
    for name, value in (("forward_cost", 3.0001), ("backward_cost", 3.0)):
        derivation = explain(trace, name, (0, 0))
        assert (derivation.value, derivation.total) == pytest.approx((value, value), abs=1e-6)
        assert {term.name for term in derivation.terms} == {"cost_of"}
    # With a lower cost, the words from the left are taken: 研究生, 命, 起源.
    recorder = Recorder(edits=[Edit("forward_cost", (), "force", 2.0)])
    path = model(batch, recorder)["path"][0].tolist()
    assert path == model.cuts(batch.words[0]).forward


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (WORDS + "[[rule]]\ntag = 'DET'\npattern = 'ab(c'\n", "line 20, column 16", "missing \\)"),
        (
            WORDS + '[[rule]]\ntag = "DET"\npattern = "\\\\d\\u0041[b"\n',
            "line 20, column 23",
            "this is no regular expression",
        ),
        (WORDS + "[[rule]]\ntag = 'XX'\npattern = 'a'\n", "line 19, column 1", "unknown tag 'XX'; .*DET"),
        (WORDS + "[[rule]]\ntag = 'DET'\n", "line 18, column 1", "no 'pattern'"),
        (WORDS + "[[rule]]\ntag = 'DET'\npatern = 'a'\n", "line 20, column 1", "unknown key 'patern'"),
        (WORDS + "[[rule]]\ntag = 3\n", "line 19, column 1", "another type"),
        ("otherwise = 'NOUN'\n[[rule]\n", "line 2, column", "TOML"),
        ("scheme = 'letters'\n", "line 1, column 1", "unknown scheme 'letters'"),
        ("scheme = 'words'\n", "line 1, column 1", "unknown tag ''"),
        ("colour = 'red'\n", "line 1, column 1", "unknown key 'colour'"),
        ("otherwise = 'NOUN'\nfile = '../../etc/passwd'\n", "line 2, column 1", "beside this one"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, place: str, what: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        tagger(tmp_path, text)
    assert f"rules.toml, {place}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pattern_cannot_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SECONDS", 0.3)
    model = tagger(
        tmp_path, "otherwise = 'NOUN'\n[[rule]]\nname = 'slow'\ntag = 'DET'\npattern = '(a|aa)+b'\n"
    )
    started = time.monotonic()
    with pytest.raises(UserError, match="rules.toml, line 2: the rule 'slow' took too long"):
        tags(model, ["a" * 60] * 40)
    assert time.monotonic() - started < 5


def test_the_files_are_kept_as_they_were_written(tmp_path: Path) -> None:
    text = "# mine\n" + WORDS
    model, other = tagger(tmp_path, text), tmp_path / "other"
    other.mkdir()
    model.write_lists(other)
    assert (other / "rules.toml").read_text(encoding="utf-8") == text
    assert read_rules(other / "rules.toml", TAGS).otherwise == "NOUN"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    config: Any = RulesConfig(arch="rules", task="tagging", labels=TAGS)
    with pytest.raises(UserError, match="rules.toml: not readable"):
        RuleTagger.read(config, tmp_path)

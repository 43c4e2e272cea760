"""Which words are a command and which the text; help, language, and the first screen without a terminal."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from nlptui import __version__, cli
from nlptui.sampling import Sampling
from nlptui.tui.place import Place
from tests.cli.conftest import MODELS, Nlptui


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the explorer was asked to open."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(cli.cli.commands["explore"], "callback", lambda **wanted: seen.append(wanted))
    return seen


OPENING: list[tuple[list[str], dict[str, Any]]] = [
    ([], {"text": None, "model": None}),
    (["a cat"], {"text": "a cat"}),
    (["a cat", "-m", "gpt"], {"text": "a cat", "model": "gpt"}),
    (["--model", "gpt", "--layer", "2"], {"text": None, "model": "gpt", "layer": 2}),
    (["--device", "cpu", "a cat", "--at", "3,4"], {"text": "a cat", "at": "3,4"}),
    (["--device=cpu", "--view", "attention"], {"text": None, "view": "attention"}),
    (["--", "models"], {"text": "models"}),
    (["--", "--help"], {"text": "--help"}),
    (["白猫", "--edit", "a=zero", "--edit", "b=mean"], {"text": "白猫", "edits": ("a=zero", "b=mean")}),
    (["-"], {"text": "-"}),
    (["", "-m", "gpt"], {"text": ""}),
    (["modles are small"], {"text": "modles are small"}),
    (["explore", "models"], {"text": "models"}),
]


@pytest.mark.parametrize(
    ("words", "wanted"), OPENING, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_words_that_open_the_explorer(
    nlptui: Nlptui, opened: list[dict[str, Any]], words: list[str], wanted: dict[str, Any]
) -> None:
    nlptui(*words)
    assert len(opened) == 1 and opened[0].items() >= wanted.items()


@pytest.mark.parametrize(
    "words", [["models"], ["--device", "cpu", "models"], ["--lang=zh", "models", "--json"]]
)
def test_words_that_are_a_command(nlptui: Nlptui, opened: list[dict[str, Any]], words: list[str]) -> None:
    assert "gpt" in nlptui(*words).out and not opened


def test_version(nlptui: Nlptui) -> None:
    assert nlptui("--version").out == f"nlptui {__version__}\n"


def test_help_names_every_command(nlptui: Nlptui) -> None:
    out = nlptui("--help").out
    promised = {"models", "tokenize", "trace", "predict", "evaluate", "generate", "explain", "view", "train"}
    promised |= {"neighbours", "runs", "data", "check", "locate", "bench", "completion"}
    assert set(cli.cli.commands) >= promised
    for name in cli.cli.commands:
        assert re.search(rf"^  {name} ", out, re.M), name


HELPED = ["", "explore", "predict", "trace", "explain", "neighbours", "view", "runs", "runs show", "data get"]


@pytest.mark.parametrize("words", [line.split() for line in HELPED], ids=" ".join)
def test_help_in_chinese_has_no_english_sentence(nlptui: Nlptui, words: list[str]) -> None:
    english, chinese = (nlptui("--lang", lang, *words, "--help").out for lang in ("en", "zh"))
    assert re.search("[一-鿿]", chinese)
    sentences = {" ".join(found.split()) for found in re.findall(r"[A-Z][a-z]+(?: [a-z,]+){2,}", english)}
    assert sentences and not [sentence for sentence in sentences if sentence in " ".join(chinese.split())]


def test_the_language_comes_from_the_environment(nlptui: Nlptui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPTUI_LANG", "zh_CN.UTF-8")
    assert "没有" in nlptui("predict", "x", "-m", "nothing", status=1).err
    assert "there are" in nlptui("predict", "x", "-m", "nothing", "--lang", "en", status=1).err


@pytest.mark.parametrize("model", MODELS)
def test_the_first_screen_without_a_terminal(nlptui: Nlptui, model: str) -> None:
    result = nlptui("an old can", "-m", model)
    assert result.err.count("\n") == 1 and "nlptui" in result.err
    assert "\x1b" not in result.out and "can" in result.out or "c" in result.out
    assert len(result.out.splitlines()) > 5


@pytest.mark.parametrize("model", MODELS)
def test_the_first_screen_is_short_and_says_where_there_is_more(nlptui: Nlptui, model: str) -> None:
    sentence = "a cat can see " * 40
    lines = nlptui(sentence, "-m", model, "--view", "hidden").out.splitlines()
    assert len(lines) <= 75
    assert "nlptui view hidden … prints more" in lines
    left = [int(line.split()[2]) for line in lines if line.endswith("more rows")]
    tokens = next(int(line.split()[0]) for line in lines if re.fullmatch(r"\d+ tokens, .*", line))
    assert tokens > 8 and left[0] == tokens - 8


def test_the_first_screen_says_nothing_of_more_where_there_is_none(nlptui: Nlptui) -> None:
    out = nlptui("a", "-m", "gpt", "--view", "attention").out
    assert "nlptui view attention" not in out and "nlptui view tokens" not in out


def test_the_first_screen_chooses_model_and_text(nlptui: Nlptui) -> None:
    assert "duck" in nlptui().out


def test_the_first_screen_shows_the_view_that_was_asked_for(nlptui: Nlptui) -> None:
    one = nlptui("a can", "-m", "gpt", "--view", "attention", "--layer", "1", "--head", "2").out
    other = nlptui("a can", "-m", "gpt", "--view", "attention").out
    assert one != other and nlptui("view", "attention", "a can", "-m", "gpt").out.splitlines()[2] in other


def test_the_first_screen_shows_the_tokens_of_a_second_tokenizer(nlptui: Nlptui) -> None:
    out = nlptui("hé", "-m", "gpt", "--view", "attention", "--tokenizer", "bytes").out
    assert "tokens of bytes" in out
    assert "tokens of" not in nlptui("hé", "-m", "gpt", "--view", "attention").out
    assert "nothing" in nlptui("hé", "-m", "gpt", "--tokenizer", "nothing", status=1).err


def test_the_first_screen_reads_two_sentences_as_the_prompt_does(nlptui: Nlptui) -> None:
    words = ("-m", "bert", "--view", "tokens")
    assert nlptui("a cat ||| a can", *words).out == nlptui("a cat", "--pair", "a can", *words).out


def test_the_first_screen_reads_a_pipe(nlptui: Nlptui) -> None:
    assert "k" in nlptui("-", "-m", "gpt", "--view", "tokens", stdin="keeper\n").out


def test_on_a_terminal_the_explorer_opens_with_everything_that_was_asked_for(
    nlptui: Nlptui, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run_app(*place: Any, **options: Any) -> int:
        asked.append((place, options))
        return 3

    monkeypatch.setattr("nlptui.tui.guards.no_screen", lambda: "")
    monkeypatch.setattr("nlptui.tui.app.run_app", run_app)
    words = ("a cat", "-m", "gpt", "--view", "attention", "--layer", "1", "--head", "2", "--at", "3,4")
    edits = ("--edit", "embed=zero", "--device", "cpu", "--lang", "zh", "--low-bandwidth", "--pair", "b")
    asking = ("--position", "2", "--target", "e", "--top-k", "3", "--written", "4,5", "--mark", "1")
    looks = ("--by", "row", "--tokenizer", "bytes", "--reading", "one-hot")
    pin = (
        "--pin",
        "c",
        "--pin-pair",
        "d",
        "--pin-model",
        "bert",
        "--pin-edit",
        "q=mean",
        "--pin-written",
        "1",
        "--pin-layer",
        "2",
    )
    nlptui(*words, *edits, *asking, *looks, *pin, status=3)
    assert asked.pop() == (
        ("a cat", "gpt", "attention", 1, 2, (3, 4)),
        {
            "pair": "b", "name": None, "position": 2, "target": "e", "edits": ("embed=zero",),
            "sampling": Sampling(1.0, 3), "written": "4,5", "mark": 1,
            "by": "row", "tokenizer": "bytes", "reading": "one-hot",
            "pinned": Place("bert", "c ||| d", edits=("q=mean",), written="1"), "a_at": (2, 0),
            "pooling": None,
            "device": "cpu", "language": "zh", "low_bandwidth": True,
        },
    )  # fmt: skip
    monkeypatch.delenv("NLPTUI_LANG")
    nlptui(status=3)
    place, options = asked.pop()
    assert place == (None,) * 6 and options["language"] is None and options["device"] == "auto"
    assert options["pinned"] is None and options["by"] is None and options["a_at"] is None


def test_run_app_takes_what_the_command_line_gives() -> None:
    from nlptui.tui.app import run_app

    names = inspect.signature(run_app).parameters
    assert list(names)[:6] == ["text", "model", "view", "layer", "head", "at"]
    assert {"pair", "name", "edits", "device", "language", "low_bandwidth"} <= set(names)

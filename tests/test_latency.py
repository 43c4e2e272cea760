"""The arithmetic of the benchmarks of keys: what counts of an answer, and what many times say together."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import pytest

from nlptui.engine.tokenizer import find_tokenizer
from tests.benchmarks import latency
from tests.benchmarks.latency import Answer
from tests.benchmarks.texts import sentence
from tests.tui.pty import environment, terminal

ECHO = (
    "import sys, time, tty; tty.setraw(0); print('ready', flush=True)\n"
    "while (key := sys.stdin.read(1)) != 'q':\n"
    "    if key == 'x':\n"
    "        print('first', flush=True); time.sleep(0.1); print('second', flush=True)\n"
)


def test_the_quiet_time_after_the_last_byte_does_not_count() -> None:
    stamps = [(10.02, 100), (10.05, 30), (10.25, 5)]
    taken = latency.answer(10.0, stamps, quiet=0.3)
    assert taken == Answer(pytest.approx(0.25), 135, 3)


def test_what_comes_after_a_quiet_time_belongs_to_something_else() -> None:
    stamps = [(10.02, 100), (10.05, 30), (10.36, 5), (10.4, 1)]
    assert latency.answer(10.0, stamps, quiet=0.3) == Answer(pytest.approx(0.05), 130, 2)


def test_a_late_first_byte_counts_and_none_is_none() -> None:
    assert latency.answer(10.0, [(11.5, 7)], quiet=0.3) == Answer(pytest.approx(1.5), 7, 1)
    assert latency.answer(10.0, [], quiet=0.3) is None


def test_a_percentile_is_one_of_the_times() -> None:
    times = [float(n) for n in range(100, 0, -1)]
    assert latency.percentile(times, 0.95) == 95
    assert latency.percentile(times, 0.5) == 50
    assert latency.percentile([3.0], 0.95) == 3
    assert latency.percentile([1.0, 9.0], 0.95) == 9


def test_a_summary_counts_the_limit_in() -> None:
    times = [0.01, 0.02, 0.03, 0.05, 0.09]
    found = latency.summary(times, 0.05)
    assert found["n"] == 5 and found["within"] == 0.8
    assert found["median_ms"] == pytest.approx(1e3 * statistics.median(times))
    assert found["p95_ms"] == pytest.approx(90)


def test_keys_are_timed_in_a_real_terminal(tmp_path: Path) -> None:
    env = environment(tmp_path, tmp_path)
    with terminal(env=env, program=(sys.executable, "-c", ECHO)) as opened:
        opened.wait_for("ready")
        taken = latency.press(opened, "x", quiet=0.5, wait=20.0)
        assert taken is not None and taken.seconds >= 0.1 and taken.bytes == len("first\nsecond\n")
        assert "second" in opened.text  # drawn, once it was over
        assert latency.press(opened, "y", quiet=0.1, wait=0.1) is None


@pytest.mark.parametrize(("model", "tokens"), [("bert-en", 32), ("bert-zh", 32), ("pos-lstm-en", 512)])
def test_a_sentence_has_as_many_tokens_as_asked_for(model: str, tokens: int) -> None:
    language = "zh" if model.endswith("zh") else "en"
    assert len(find_tokenizer(model).encode(sentence(language, model, tokens)).ids) == tokens

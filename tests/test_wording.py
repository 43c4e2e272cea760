"""Names of metrics and kinds as people read them: in English as in a file, in Chinese in Chinese."""

from __future__ import annotations

import json
import os
import re

import pytest

from nlptui.locale import set_language
from nlptui.views.run_charts import rows_to_points, title_of
from nlptui.wording import busy_words, kind_words, metric_words
from tests.conftest import ROOT

HAN = re.compile("[一-鿿]")


@pytest.fixture
def chinese() -> None:
    set_language("zh")


@pytest.mark.parametrize("name", ["accuracy", "dev_loss", "mlm_accuracy_zh_ud", "accuracy_at_10", "odd_one"])
def test_in_english_a_metric_is_called_as_in_a_file(name: str) -> None:
    assert metric_words(name) == name


def test_a_metric_of_a_split_or_a_part_is_told_from_its_pieces(chinese: None) -> None:
    assert metric_words("dev_accuracy") == "开发集准确率"
    assert metric_words("mlm_accuracy_zh_ud") == "MLM 准确率（zh_ud）"
    assert metric_words("accuracy_at_10") == "准确率（距离 10）"
    assert metric_words("odd\x1b_one") == "odd␛_one"
    assert kind_words("characters") == "字符" and kind_words("bpe") == "bpe"


def test_what_was_measured_of_the_shipped_models_has_a_chinese_name(chinese: None) -> None:
    found = {}
    for path in ROOT.glob("models/*/config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        found |= dict.fromkeys((*config["metrics"], *config["baselines"]), path)
    assert len(found) > 15
    assert not {name: path for name, path in found.items() if not HAN.search(metric_words(name))}


def test_every_chart_of_a_run_has_a_full_name(chinese: None) -> None:
    row = {"step": 1, "kind": "layers", "share.evaluating": 0.25, "dead.blocks.0": 0.1}
    assert title_of(next(iter(rows_to_points([row])))) == "用于训练以外工作的时间占比"
    set_language("en")
    assert title_of("share") == "share of the time that goes to other work than training"
    assert title_of("mlm_accuracy") == "mlm accuracy"


@pytest.mark.parametrize(("load", "cores", "busy"), [(1.2, 2, False), (2.2, 2, True), (9.0, 16, False)])
def test_a_machine_is_busy_where_no_core_is_left(
    load: float, cores: int, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: range(cores), raising=False)
    said = "The machine is busy: load 2.2 on 2 cores; the run will be slower."
    assert busy_words() == (said if busy else "")


def test_a_system_that_knows_no_load_is_never_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert busy_words() == ""

"""HMMs and CRFs train through the run directory and the worker of every run; rules become a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nlptui.engine import Engine
from nlptui.engine.library import describe
from nlptui.errors import UserError
from nlptui.paths import runs_dir
from nlptui.train import client
from nlptui.train import finish as finishing
from nlptui.train.counting import learn
from nlptui.train.estimate import estimate
from nlptui.train.finish import finish, write_rules
from nlptui.train.recipe import Recipe, TrainConfig, recipe_from_dict
from nlptui.train.run import RunDirectory

pytestmark = pytest.mark.usefixtures("tiny_data", "warm_workers")
PATIENCE = 60.0
MODELS: dict[str, dict[str, Any]] = {
    "hmm-en": {"data": {"corpus": "en_ewt"}, "tokenizer": {"kind": "words"}, "model": {"arch": "hmm"}},
    "crf-en": {
        "data": {"corpus": "en_ewt"},
        "tokenizer": {"kind": "words", "min_count": 10**9},
        "model": {"arch": "crf", "features": ["word", "before"], "prune": 0.01, "refit": 4},
    },
    "hmm-cut": {
        "data": {"corpus": "zh_ud", "segmentation": True},
        "tokenizer": {"kind": "characters"},
        "model": {"arch": "hmm", "suffix": 0},
    },
    "crf-names": {
        "data": {"corpus": "zh_gsd_ner"},
        "tokenizer": {"kind": "words", "joiner": ""},
        "model": {"arch": "crf"},
    },
}


def recipe(name: str, /, **more: Any) -> Recipe:
    content = MODELS[name] | {"name": name, "train": {"steps": 20, "nice": 0, "threads": 1}}
    content["model"] = content["model"] | {"task": "tagging"}
    return recipe_from_dict(content | more, where="test")


class Wishes:
    """What people want: to stop from some question on, or nothing."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.asked, self.stop_after = 0, stop_after

    def stop_wanted(self) -> bool:
        self.asked += 1
        return self.asked > self.stop_after

    def pause_wanted(self) -> bool:
        return False


class Report:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def update(self, *, now: bool = True, **changes: Any) -> None:
        self.told.append(changes)


def run_of(wanted: Recipe, name: str = "one") -> RunDirectory:
    run = RunDirectory(runs_dir() / name)
    run.path.mkdir(parents=True)
    run.write_recipe(wanted)
    return run


@pytest.mark.parametrize("name", MODELS)
def test_a_worker_trains_it_and_it_becomes_a_model(name: str, tmp_path: Path) -> None:
    client.start(recipe(name), "one")
    status = client.wait("one", PATIENCE)
    assert (status.state, status.error) == ("done", ""), client.log("one")
    assert status.step == status.steps >= 1
    run = RunDirectory(runs_dir() / "one")
    rows = run.metrics()
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == ([] if name.startswith("hmm") else list(range(1, status.step + 1)))
    dev = next(row for row in rows if row.get("split") == "dev")
    assert dev["accuracy"] > 0.8
    folder = finish(run, tmp_path / name)
    engine = Engine.load(folder, device="cpu")
    assert engine.config.metrics == pytest.approx(engine.evaluate("test")["metrics"])
    card = (folder / "README.md").read_text(encoding="utf-8")
    numbers = sum(value.numel() for value in engine.model.parameters())
    assert f"{numbers:,} parameters" in card and describe(folder).parameters == numbers
    assert ("L-BFGS" in card) == (engine.config.arch == "crf")
    assert not list(folder.glob("*.pkl")) and not list(folder.glob("*.bin"))


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    report = Report()
    run = run_of(recipe("crf-en"))
    assert learn(run, recipe("crf-en"), Wishes(), report) == "done"
    folder = run.checkpoints()[-1]
    one, other = Engine.load(folder), Engine.load(finish(run, tmp_path / "again", half=False))
    text = "the cat sees a dog ."
    for name in ("emission", "transition", "probs"):
        assert torch.equal(one.trace(text)[name].value, other.trace(text)[name].value)
    losses = [row["loss"] for row in run.metrics() if "loss" in row]
    assert losses[-1] < losses[0] / 3
    assert report.told[-1]["latest"] == folder.name


def test_a_run_that_is_stopped_keeps_what_it_has_and_begins_again() -> None:
    wanted = recipe("crf-names")
    run = run_of(wanted)
    assert learn(run, wanted, Wishes(stop_after=3), Report()) == "stopped"
    (folder,) = run.checkpoints()
    assert folder.name.endswith("4") and len(run.metrics()) == 4
    assert Engine.load(folder).predict("李明在北京。")["output"]["tags"]
    assert learn(run, wanted, Wishes(), Report()) == "done"
    (folder,) = run.checkpoints()
    assert not folder.name.endswith("04")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"init": "pos-hmm-en"}, "init is for networks"),
        ({"model": {"arch": "rules", "task": "tagging"}}, "rules are written, not trained"),
        ({"model": {"arch": "crf", "task": "tagging", "features": ["colour"]}}, "unknown feature 'colour'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(change: dict[str, Any], words: str) -> None:
    wanted = recipe("hmm-en", **change)
    with pytest.raises(UserError, match=words) as caught:
        learn(run_of(wanted), wanted, Wishes(), Report())
    assert "\n" not in str(caught.value)


def test_there_is_nothing_to_estimate() -> None:
    with pytest.raises(UserError, match="hmm is made in seconds"):
        estimate(recipe("hmm-en"))


def test_sizes_of_tables_are_not_for_recipes() -> None:
    with pytest.raises(UserError, match="entries"):
        recipe("hmm-en", model={"arch": "hmm", "task": "tagging", "entries": 5})


def rules_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "rules.toml").write_text(
        "# ours\notherwise = 'NOUN'\n[[rule]]\ntag = 'DET'\npattern = 'the|a'\n", encoding="utf-8"
    )
    written = recipe("hmm-en", name="words", model={"arch": "rules", "task": "tagging"})
    (folder / "recipe.toml").write_text(written.to_toml(), encoding="utf-8")
    return folder


def test_rules_become_a_model_with_a_card(tmp_path: Path) -> None:
    source = rules_folder(tmp_path / "source")
    assert finishing.main([str(source), str(tmp_path / "by-hand")]) == 0
    engine = Engine.load(tmp_path / "by-hand")
    assert engine.config.name == "by-hand" and 0 < engine.config.metrics["accuracy"] < 1
    assert [tag["tag"] for tag in engine.predict("the cat")["output"]["tags"]] == ["DET", "NOUN"]
    assert describe(tmp_path / "by-hand").parameters == 0 and not describe(tmp_path / "by-hand").problem
    card = (tmp_path / "by-hand" / "README.md").read_text(encoding="utf-8")
    assert "1 rules" in card and "written by hand" in card
    (source / "rules.toml").write_text("otherwise = 'NOUN'\n[[rule]]\ntag = 'DET'\npattern = '('\n")
    with pytest.raises(UserError, match="rules.toml, line 4, column 13"):
        write_rules(source, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_cards_tell_counts_from_weights_and_rules_with_a_dictionary_from_those_without() -> None:
    from nlptui.config import config_from_dict
    from nlptui.train.card import Facts, write_card

    def card(arch: str, labels: tuple[str, ...]) -> str:
        content = {"name": "x", "arch": arch, "task": "tagging", "language": "zh", "vocab_size": 9}
        config = config_from_dict(content | {"labels": labels, "metrics": {"accuracy": 0.5}}, where="x")
        recipe = Recipe(name="x", data={"corpus": "zh_ud"}, model={"arch": arch}, train=TrainConfig(steps=1))
        facts = Facts(
            parameters=5, tokenizer="words", examples={"train": 7}, step=1, seconds=2.0, half=True,
            full_metrics=config.metrics, dev_metrics={},
        )  # fmt: skip
        return write_card(config, recipe, facts)

    assert "Counts and tokenizer come from train alone, the settings from dev" in card("hmm", ("A", "B"))
    assert "float16" not in card("hmm", ("A", "B")) and "float16" in card("crf", ("A", "B"))
    assert "Weights and tokenizer come from train alone, the settings from dev" in card("crf", ("A", "B"))
    assert "the dictionary beside them" in card("rules", ("B", "M", "E", "S"))
    assert "dictionary" not in card("rules", ("A", "B"))

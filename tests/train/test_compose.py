"""A few choices become a recipe that trains: each family, each of its tasks, texts of one's own; in time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from nlptui.data import own
from nlptui.engine import Engine
from nlptui.errors import UserError
from nlptui.paths import home_data
from nlptui.train import client, compose
from nlptui.train.client import Wish
from nlptui.train.estimate import Estimate
from nlptui.train.recipe import Recipe
from nlptui.train.run import RunDirectory
from tests.train.processes import until
from tests.train.test_loop import directory, train

pytestmark = pytest.mark.usefixtures("tiny_data", "warm_workers")

TEXT = "The keeper of the garden walks from gate to gate, and at each gate a bird sits. " * 30
TRIED = Estimate(
    parameters=1000, memory=10**8, weights=4000, optimizer=8000, seconds=9.0, steps=1000,
    seconds_a_step=0.01, seconds_to_load=4.0, seconds_to_measure=0.5, seconds_to_save=0.1,
)  # fmt: skip


def short(recipe: Recipe) -> Recipe:
    """A few steps of it."""
    few = {"steps": 4, "evaluate_every": 2, "log_every": 2, "snapshots": 2, "batch_size": 8, "nice": 0}
    return replace(recipe, train=replace(recipe.train, **few))


def combinations() -> list[tuple[str, str]]:
    return [(family, task) for family, tasks in client.TASKS.items() for task in tasks]


@pytest.mark.parametrize(("family", "task"), combinations())
def test_every_choice_trains(family: str, task: str) -> None:
    here = [name for name, is_here in client.corpora_for(task) if is_here]
    assert here
    for corpus in here:
        few = {
            "skip_gram": ("model.subsample=0.0", "tokenizer.min_count=1"),
            "question_answering": ("data.first=500",),  # a hundred thousand are made else
        }.get(task, ())
        wish = Wish(family, task, corpus, settings=few)
        recipe = compose.compose(wish)
        if compose.is_counted(recipe):
            continue
        run = directory(f"{family}-{task}-{corpus}")
        assert train(run, short(recipe)) == "done"
        assert all(math.isfinite(row["loss"]) for row in run.metrics() if "split" not in row)
        engine = Engine.load(run.step_folder(4), device="cpu")
        assert (engine.config.arch, engine.config.task) == (family, task)
        language = "en-zh" if task == "translation" else "zh" if "zh" in corpus else "en"
        assert engine.config.language == language


@pytest.mark.parametrize("family", ["hmm", "crf"])
def test_what_is_counted_is_made_by_a_worker(family: str) -> None:
    plan = client.plan(Wish(family, "tagging", "en_ewt"))
    assert plan.estimate is None
    handle = client.start(plan.recipe)
    until(lambda: handle.status().state not in client.ALIVE)
    assert handle.status().state == "done", client.log(handle.name)


@pytest.mark.parametrize(
    ("family", "task"), [("lstm", "language_model"), ("bert", "pretraining"), ("word2vec", "skip_gram")]
)
def test_a_text_of_ones_own(family: str, task: str, tmp_path: Path) -> None:
    path = tmp_path / "My garden, 1.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert task in client.OWN
    name = own.keep_file(path)
    assert name.startswith("own/My-garden-1-") and own.keep_file(path) == name
    recipe = compose.compose(Wish(family, task, name))
    assert recipe.data == {"corpus": name, "dev_share": 0.1} and recipe.language == "en"
    path.write_text("another text", encoding="utf-8")
    run = directory("own")
    assert train(run, short(recipe)) == "done"
    assert [row for row in run.metrics() if row.get("split") == "dev"]


def test_a_pasted_text_and_a_chinese_one() -> None:
    name = client.keep_text("春天的风吹过山，月亮在水上。\n" * 60)
    recipe = compose.compose(Wish("gpt", "language_model", name))
    assert recipe.language == "zh" and name.startswith("own/text-")
    run = directory("own")
    assert train(run, short(recipe)) == "done"
    assert Engine.load(run.step_folder(4), device="cpu").config.language == "zh"


def test_a_recipe_may_name_a_file(tmp_path: Path) -> None:
    path = tmp_path / "garden.txt"
    path.write_text(TEXT, encoding="utf-8")
    recipe = short(compose.compose(Wish("gpt", "language_model", "en_shakespeare")))
    run = RunDirectory(client.create(recipe, "mine", {"data.corpus": str(path)}).path)
    (kept,) = (home_data() / "texts").iterdir()
    assert run.recipe().data["corpus"] == f"own/{kept.name}" and kept.read_text(encoding="utf-8") == TEXT


def test_what_is_wrong_with_a_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("too short", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"\xe9\xe8" * 400)
    wrong = {"short.txt": "has 9 characters", "none.txt": "no such file", "latin.txt": "UTF-8"}
    for name, says in wrong.items():
        with pytest.raises(UserError, match=says):
            client.plan(Wish("gpt", "language_model", str(tmp_path / name)))
    with pytest.raises(UserError, match="is missing"):
        compose.compose(Wish("gpt", "language_model", "own/gone.txt"))
    for name in ("own/../secret.txt", "own/a/b.txt", "own/.txt\0"):
        with pytest.raises(UserError, match="is missing"):
            compose.compose(Wish("gpt", "language_model", name))
    assert not list((home_data()).glob("texts/*"))


def test_steps_fill_the_time_that_there_is() -> None:
    recipe = compose.compose(Wish("gpt", "language_model", "en_shakespeare"))
    plan = compose.within(recipe, TRIED, 60)
    train_table = plan.recipe.train
    # 60 s less 4 to load, 5 measurements and checkpoints of 0.6 s (a twentieth), and 16 snapshots of 0.1 s.
    assert train_table.steps == plan.estimate.steps == int((60 - 4 - 5 * 0.6 - 1.6) / 0.01)
    assert plan.estimate.seconds == pytest.approx(60, abs=0.02)
    assert math.ceil(train_table.steps / train_table.evaluate_every) == 5
    assert train_table.save_every == train_table.evaluate_every and train_table.log_every == 10
    # Measurements that take long become few; a time too short for anything is told as it is.
    slow = compose.within(recipe, replace(TRIED, seconds_to_measure=6.0), 60)
    assert slow.recipe.train.evaluate_every == math.ceil(slow.recipe.train.steps / 2)
    never = compose.within(recipe, replace(TRIED, seconds_to_load=100.0), 60)
    assert never.recipe.train.steps == compose.LEAST_STEPS and never.estimate.seconds > 100
    assert never.recipe.train.warmup == 2


def test_sizes_grow_and_settings_may_differ() -> None:
    for family in client.TASKS:
        sizes = client.sizes_of(family)
        assert not sizes if family in client.COUNTED else [size for size, _words in sizes] == [*compose.SIZES]
    wish = Wish("gpt", "language_model", "en_shakespeare", size="medium", settings=("model.n_layers=1",))
    recipe = compose.compose(wish)
    assert recipe.model["d_model"] == 192 and recipe.model["n_layers"] == 1
    with pytest.raises(UserError, match=r"nonsense"):
        compose.compose(replace(wish, settings=("train.nonsense=1",)))


def test_from_the_weights_of_a_run() -> None:
    run, first = directory("first"), short(compose.compose(Wish("lstm", "language_model", "en_shakespeare")))
    run.write_recipe(first)
    train(run, first)
    run.write_status(replace(run.status(), state="done", latest="step_000004"))
    folder = run.step_folder(4)
    assert (str(folder), "run first, step 4") in client.starting_points()["lstm"]
    wish = Wish("lstm", "language_model", "en_shakespeare", start_from=str(folder))
    recipe = compose.compose(wish)
    assert recipe.tokenizer == {"from": str(folder)} and recipe.model["d_hidden"] == 64
    again = directory("second")
    still = replace(short(recipe), train=replace(short(recipe).train, learning_rate=0.0, matrix_rate=0.0))
    assert train(again, still) == "done"
    one, other = (load_file(one.step_folder(4) / "model.safetensors") for one in (run, again))
    assert one.keys() == other.keys() and all((one[key] == other[key]).all() for key in one)


def test_nobody_waits_for_an_estimate_any_more() -> None:
    class Over(Exception):
        pass

    asked = []

    def going() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Over

    with pytest.raises(Over):
        client.plan(Wish("gpt", "language_model", "en_shakespeare"), going)
    assert len(asked) == 3


@pytest.mark.slow
def test_a_plan_is_what_then_happens() -> None:
    plan = client.plan(Wish("gru", "tagging", "en_ewt", seconds=20))
    assert plan.estimate is not None and plan.recipe.train.steps >= compose.LEAST_STEPS
    handle = client.start(plan.recipe)
    until(lambda: handle.status().state not in client.ALIVE)
    status = handle.status()
    assert status.state == "done", client.log(handle.name)
    assert status.step == plan.estimate.steps and client.samples(handle.name)


def test_a_toy_run_reads_no_more_than_it_can_use() -> None:
    from nlptui.data import splits

    toy = compose.compose(Wish("bert", "question_answering", "stories_en"))
    assert toy.data["first"] == 12_000
    toy = compose.compose(Wish("bert", "question_answering", "stories_en", settings=("data.first=2400",)))
    rows = splits.questions(toy.data, "train")
    assert len(rows) == 2400 and rows[:100] == splits.questions({**toy.data, "first": 100}, "train")
    assert len(splits.questions(toy.data, "dev")) == 1000
    tagged = {"corpus": "en_ewt", "first": 7}
    assert len(splits.tagged_sentences(tagged, "train")) == 7 < len(splits.tagged_sentences(tagged, "dev"))
    assert len(splits.labelled_texts({"corpus": "en_polarity", "first": 7}, "train")) == 7
    assert len(splits.sentence_pairs({"corpus": "en_zh_tatoeba", "first": 7}, "train")) == 7

"""Every command that prints data, against the form of its JSON and against the engine's own numbers."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlptui.engine import Engine
from tests.cli.conftest import MODELS, Nlptui

SENTENCE = "the old keeper can open a can"


def test_models(nlptui: Nlptui, models: Path) -> None:
    keys = {"name", "arch", "task", "language", "parameters", "context", "metrics", "path"}
    listed = nlptui("models", "--json").json["models"]
    assert [entry["name"] for entry in listed] == sorted(MODELS)
    for entry in listed:
        assert set(entry) == keys
        assert entry["path"] == str(models / entry["name"]) and entry["parameters"] > 100
    lines = nlptui("models").out.splitlines()
    assert len(lines) == 1 + len(MODELS) and all("\x1b" not in line for line in lines)


def test_a_broken_model_stays_in_the_list_with_its_problem(
    nlptui: Nlptui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    monkeypatch.setenv("NLPTUI_MODELS", str(tmp_path))
    (entry,) = nlptui("models", "--json").json["models"]
    assert "config.json" in entry["problem"]
    assert "config.json" in nlptui("models").out


def test_tokenize(nlptui: Nlptui) -> None:
    said = nlptui("tokenize", "hé白", "--tokenizer", "bytes", "--json").json
    assert said["text"] == "hé白" and said["tokenizer"] == "bytes"
    offsets = [(token["start"], token["end"]) for token in said["tokens"]]
    assert offsets == [(0, 1)] + 2 * [(1, 2)] + 3 * [(2, 3)]
    assert all(set(token) == {"id", "text", "start", "end"} for token in said["tokens"])


def test_tokenize_reads_lines_of_a_pipe(nlptui: Nlptui) -> None:
    for arguments in (("tokenize", "-t", "gpt", "--json"), ("tokenize", "-", "-t", "gpt", "--json")):
        lines = nlptui(*arguments, stdin="a can\r\n\n白猫\n").out.splitlines()
        assert [json.loads(line)["text"] for line in lines] == ["a can", "", "白猫"]


def test_special_tokens_have_null_offsets(nlptui: Nlptui) -> None:
    tokens = nlptui("tokenize", "a can", "-t", "bert", "--json").json["tokens"]
    assert [tokens[0]["text"], tokens[-1]["text"]] == ["[CLS]", "[SEP]"]
    assert tokens[0]["start"] is None and tokens[-1]["end"] is None
    assert "[CLS]" in nlptui("tokenize", "a can", "-t", "bert").out


@pytest.mark.parametrize("model", MODELS)
def test_predict(nlptui: Nlptui, models: Path, model: str) -> None:
    pair = ["--pair", "a can of paint"] if model in ("bert", "qa-bert") else []
    said = nlptui("predict", SENTENCE, "-m", model, *pair, "--json").json
    assert {"model", "text", "tokens", "output"} <= set(said) and said["model"] == model
    again = Engine.load(models / model, device="cpu").predict(SENTENCE, pair[1] if pair else None)
    assert said["output"] == json.loads(json.dumps(again["output"]))
    assert nlptui("predict", SENTENCE, "-m", model, *pair).out.strip()


def test_predict_with_an_edit_says_something_else(nlptui: Nlptui) -> None:
    plain = nlptui("predict", SENTENCE, "-m", "gpt", "--json").json["output"]
    edited = nlptui("predict", SENTENCE, "-m", "gpt", "--edit", "embed=zero", "--json").json["output"]
    assert plain != edited


def test_predict_answers_each_line_at_once(nlptui: Nlptui) -> None:
    lines = nlptui("predict", "-m", "tag-lstm", "--json", stdin="old paint\na can\n").out.splitlines()
    assert [len(json.loads(line)["output"]["tags"]) for line in lines] == [2, 2]


def test_a_text_over_the_context_is_used_in_part(nlptui: Nlptui) -> None:
    result = nlptui("predict", "a can " * 50, "-m", "gpt", "--json")
    assert result.json["truncated"] is True and len(result.json["tokens"]) == 12
    assert "12" in result.err and result.err.count("\n") == 1


def test_trace_json_holds_every_number(nlptui: Nlptui, models: Path) -> None:
    said = nlptui("trace", "a can", "-m", "gpt", "--json").json
    trace = Engine.load(models / "gpt", device="cpu").trace("a can")
    assert list(said["activations"]) == list(trace.activations)
    for name, found in said["activations"].items():
        assert set(found) == {"axes", "shape", "formula", "values"}
        values = np.array(_numbers(found["values"]))
        assert list(values.shape) == found["shape"] and len(found["axes"]) == values.ndim
        np.testing.assert_array_equal(values, trace.array(name))
    assert "-inf" in json.dumps(said["activations"]["blocks.0.attn.scores"]["values"])
    assert said["output"] and said["tokens"][0]["start"] == 0


def _numbers(values: Any) -> Any:
    return [_numbers(each) for each in values] if isinstance(values, list) else float(values)


def test_trace_only(nlptui: Nlptui) -> None:
    arguments = ("trace", "a can", "-m", "gpt", "--only", "*.weights", "--only", "embed", "--json")
    activations = nlptui(*arguments).json["activations"]
    assert list(activations) == ["blocks.0.attn.weights", "blocks.1.attn.weights", "embed"]
    assert activations["embed"]["formula"] == "token_embed + pos_embed"


def test_trace_only_may_name_parameters(nlptui: Nlptui) -> None:
    wanted = "blocks.0.attn.wq.weight"
    said = nlptui("trace", "a", "-m", "gpt", "--only", wanted, "--json").json
    assert list(said["activations"]) == [wanted]


def test_trace_files(nlptui: Nlptui, tmp_path: Path) -> None:
    npz, table = tmp_path / "trace.npz", tmp_path / "trace.csv"
    written = nlptui("trace", "a can", "-m", "gpt", "--npz", str(npz))
    assert written.out == "" and str(npz) in written.err
    nlptui("trace", "a can", "-m", "gpt", "--csv", str(table), "--only", "*scores")
    with np.load(npz) as arrays, table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
        assert len(arrays.files) > 20
        for row in rows:
            index = tuple(map(int, row["index"].split(",")))
            assert len(row["axes"].split()) == len(index)
            recorded = float(arrays[row["name"]][index])
            assert float(row["value"]) == pytest.approx(recorded, rel=1e-6)
        assert any(row["value"] == "-inf" for row in rows)
        assert len(rows) == sum(arrays[name].size for name in {row["name"] for row in rows})


def test_trace_for_people_lists_names_shapes_and_formulas(nlptui: Nlptui) -> None:
    out = nlptui("trace", "a can", "-m", "gpt").out
    assert "blocks.0.attn.weights" in out and "softmax(blocks.0.attn.scores)" in out and "query 5" in out


@pytest.mark.parametrize("model", MODELS)
def test_explain_adds_up(nlptui: Nlptui, models: Path, model: str) -> None:
    trace = Engine.load(models / model, device="cpu").trace("a can")
    name = next(name for name in reversed(trace.activations) if trace[name].formula)
    index = ",".join("0" for _axis in trace[name].axes)
    said = nlptui("explain", "a can", "-m", model, "--name", name, "--index", index, "--json").json
    assert {"name", "index", "value", "formula", "terms"} <= set(said) and said["terms"]
    assert said["value"] == pytest.approx(float(trace.array(name)[(0,) * len(said["index"])]), abs=1e-6)
    assert said["total"] == pytest.approx(said["value"], abs=1e-5)
    for term in said["terms"]:
        assert {"name", "index", "value", "factor"} <= set(term) and term["name"] in trace


def test_explain_for_people_shows_the_largest_terms(nlptui: Nlptui) -> None:
    arguments = ("explain", "a can", "-m", "gpt", "--name", "logits", "--index", "0,1,3", "--terms", "4")
    lines = nlptui(*arguments).out.splitlines()
    assert lines[0].startswith("logits[0, 1, 3] = ") and len(lines) == 2 + 1 + 4 + 2
    sizes = [abs(float(line.split()[-3])) for line in lines[3:7]]
    assert sizes == sorted(sizes, reverse=True)


def test_generate(nlptui: Nlptui) -> None:
    arguments = ("generate", "a can", "-m", "gpt", "--max-tokens", "7", "--seed", "3")
    said = nlptui(*arguments, "--json").json
    assert len(said["tokens"]) == 7 and said["text"] == "".join(token["text"] for token in said["tokens"])
    assert all(token["logprob"] <= 0 for token in said["tokens"])
    assert nlptui(*arguments, "--json").json == said
    out = nlptui(*arguments).out
    assert out.startswith("a can") and out.endswith("\n")


def test_generate_greedily_takes_the_likeliest(nlptui: Nlptui) -> None:
    arguments = ("generate", "a can", "-m", "gpt", "--max-tokens", "1", "--json")
    step = nlptui(*arguments, "--temperature", "0").json["tokens"][0]
    candidates = nlptui("predict", "a can", "-m", "gpt", "--json").json["output"]["candidates"]
    best = candidates[-1]["tokens"][0]
    assert step["id"] == best["id"] and math.exp(step["logprob"]) == pytest.approx(best["prob"], rel=1e-4)
    assert nlptui(*arguments, "--top-k", "1", "--seed", "9").json["tokens"][0]["id"] == best["id"]


def test_generate_says_what_it_used_of_a_prompt_beyond_the_context(nlptui: Nlptui) -> None:
    prompt = "the old keeper can open a can of paint"
    said = nlptui("generate", prompt, "-m", "gpt", "--max-tokens", "2")
    assert said.out.startswith(prompt) and said.err.endswith(f"goes on from: {prompt[-12:]}\n")
    assert nlptui("generate", "a can", "-m", "gpt", "--max-tokens", "2").err == ""


def test_check(nlptui: Nlptui) -> None:
    said = nlptui("check", "gpt", "--json").json
    assert said["ok"] is True and max(said["differences"].values()) <= said["tolerance"]
    lines = nlptui("check", "--json").out.splitlines()
    assert [json.loads(line)["model"] for line in lines] == sorted(MODELS)
    assert nlptui("check", "gpt").out.startswith("gpt: agrees")


@pytest.mark.parametrize("difference", [1e-3, math.nan])
def test_check_fails_where_numbers_differ(
    nlptui: Nlptui, monkeypatch: pytest.MonkeyPatch, difference: float
) -> None:
    monkeypatch.setattr(Engine, "check", lambda self: {"logits": difference})
    assert nlptui("check", "gpt", "--json", status=1).json["ok"] is False
    assert "DIFFERS" in nlptui("check", "gpt", status=1).out


def test_evaluate(nlptui: Nlptui, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(self: Engine, split: str) -> dict[str, Any]:
        values = {"metrics": {"accuracy": 0.9}, "baselines": {"accuracy": 0.5}}
        return {"model": self.name, "split": split} | values

    monkeypatch.setattr(Engine, "evaluate", measured)
    said = nlptui("evaluate", "tag-lstm", "--split", "dev", "--json").json
    assert said == {
        "model": "tag-lstm", "split": "dev", "metrics": {"accuracy": 0.9}, "baselines": {"accuracy": 0.5},
    }  # fmt: skip
    assert nlptui("evaluate", "tag-lstm").out.splitlines()[1].split() == ["accuracy", "0.9000", "0.5000"]


def test_view(nlptui: Nlptui, tmp_path: Path) -> None:
    arguments = ("view", "attention", "a can", "-m", "gpt", "--layer", "1", "--head", "2")
    svg, html = tmp_path / "a.svg", tmp_path / "a.html"
    assert nlptui(*arguments, "--svg", str(svg), "--html", str(html)).out == ""
    assert svg.read_text().startswith(("<svg", "<?xml")) and "<html" in html.read_text().lower()
    text = nlptui(*arguments, "--svg", str(svg), "--text").out
    assert "\x1b" not in text and text == nlptui(*arguments).out
    said = nlptui(*arguments, "--json").json
    assert said["view"] == "attention" and said["parts"][0]["kind"] == "HeatTable"
    weights = nlptui("trace", "a can", "-m", "gpt", "--json").json["activations"]["blocks.1.attn.weights"]
    assert said["parts"][0]["values"] == weights["values"][0][2]


@pytest.mark.parametrize("name", ["rollout", "add_norm", "lens", "sources"])
def test_a_view_of_an_analysis_shows_what_trace_prints(nlptui: Nlptui, name: str) -> None:
    said = nlptui("view", name, "a can", "-m", "gpt", "--position", "1", "--json").json
    table = said["parts"][0]
    assert said["view"] == name and table["kind"] == "HeatTable" and table["values"]
    if name == "rollout":
        pattern = "analysis.rollout.blocks.0.rollout"
        made = nlptui("trace", "a can", "-m", "gpt", "--only", pattern, "--json").json["activations"]
        assert list(made) == [pattern] and made[pattern]["values"][0] == table["values"]
        assert made[pattern]["axes"] == ["batch", "query", "key"] and made[pattern]["formula"]


def test_a_view_asks_about_the_answer_that_is_named(nlptui: Nlptui) -> None:
    arguments = ("view", "attribution", "a can", "-m", "tag-lstm", "--position", "1", "--json")
    named = nlptui(*arguments, "--target", "VERB").json
    assert named == nlptui(*arguments, "--target", "1").json and "VERB" in named["title"]
    assert named["parts"][0]["source"]["name"] == "analysis.attribution.at_1.to_1.integrated"
    letter = nlptui("view", "sources", "a can", "-m", "gpt", "--target", "c", "--json").json
    assert letter["title"].endswith("c")
    refused = nlptui(*arguments, "--target", "nowhere", status=1)
    assert "tag-lstm has no token or label 'nowhere' in its output" in refused.err


def test_gradients_through_time_on_the_command_line(nlptui: Nlptui) -> None:
    said = nlptui("view", "through_time", "a can", "-m", "tag-lstm", "--position", "1", "--json").json
    chart, norms, _states, _units = said["parts"]
    assert chart["kind"] == "Lines" and norms["kind"] == "HeatTable"
    name = "analysis.gradient.at_1.to_0.layers.0.forward.hidden"
    opened = nlptui("explain", "a can", "-m", "tag-lstm", "--name", name, "--index", "0,0,2", "--json").json
    assert [term["name"] for term in opened["terms"]] == ["layers.0.forward.hidden", "logits"]
    said = nlptui("explain", "a can", "-m", "tag-lstm", "--name", name, "--index", "0,0,2").out
    assert "by autograd" in said
    refused = nlptui("view", "through_time", "a can", "-m", "gpt", status=1)
    assert "has nothing that the view through_time shows" in refused.err


def test_locate(nlptui: Nlptui, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NLPTUI_HOME", str(tmp_path))
    monkeypatch.setenv("NLPTUI_DATA", str(tmp_path / "corpora"))
    said = nlptui("locate", "--json").json
    assert said["models"][0] == str(models) and said["corpora"][0] == str(tmp_path / "corpora")
    assert said["settings"].startswith(str(tmp_path)) and said["runs"].startswith(str(tmp_path))
    assert str(models) in nlptui("locate").out


def test_bench_says_where_it_can_be_run(nlptui: Nlptui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlptui.cli_places.__file__", "/elsewhere/nlptui/cli_places.py")
    assert "checkout" in nlptui("bench", status=1).err


def test_predict_says_why_it_says_nothing(nlptui: Nlptui) -> None:
    for words in (("the cat ran", "-m", "bert"), ("the cat ran", "-m", "bert", "--json")):
        told = nlptui("predict", *words)
        assert "[MASK]" in told.err and "--pair" in told.err and told.err.count("\n") == 1
    for model in ("bert", "tag-lstm", "gpt"):
        for text in ("", " "):
            told = nlptui("predict", text, "-m", model)
            assert told.err == "the text is empty\n" or told.out.strip(), (model, text)
    assert nlptui("predict", "", "-m", "bert").err == "the text is empty\n"
    for words in (("the [MASK] ran", "-m", "bert"), ("a", "--pair", "b", "-m", "bert"), ("a", "-m", "gpt")):
        told = nlptui("predict", *words)
        assert told.out and not told.err


def test_a_pooler_is_chosen(nlptui: Nlptui, models: Path) -> None:
    def probs(*arguments: str) -> tuple[float, ...]:
        said = nlptui("predict", "the old can", "-m", "pool-bert", *arguments, "--json").json["output"]
        return tuple(entry["prob"] for entry in sorted(said["labels"], key=lambda entry: entry["label"]))

    found = {name: probs("--pooling", name) for name in ("cls", "mean", "max", "attention")}
    assert len(set(found.values())) == 4
    assert probs() == found["mean"]
    only = ("-m", "pool-bert", "--only", "poolers.*", "--json")
    names = nlptui("trace", "the old can", "--pooling", "max", *only).json["activations"]
    assert list(names) == ["poolers.max.pooled"]
    assert (
        "poolers.max.pooled"
        in nlptui(
            "explain",
            "the old can",
            "-m",
            "pool-bert",
            "--pooling",
            "max",
            "--name",
            "logits",
            "--index",
            "0,1",
        ).out
    )
    for model, name in (("pool-bert", "sum"), ("class-bert", "max"), ("gpt", "cls")):
        refused = nlptui("predict", "x", "-m", model, "--pooling", name, status=1)
        assert name in refused.err and "pooler" in refused.err
    assert probs("--pooling", "mean") == found["mean"]

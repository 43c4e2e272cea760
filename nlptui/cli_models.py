"""Commands that ask a model or a tokenizer something: `models`, `tokenize`, `trace`, `predict`, `evaluate`,
`generate`, `explain`, `neighbours`, `view`.

What was asked becomes a run in `cli_engine`; what is printed of it is made in `cli_show`. torch loads inside.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import click

from nlptui import cli_names
from nlptui.cli_base import Choice, argument, command, option, settings, wrong_use
from nlptui.cli_engine import (
    Asked,
    Runs,
    chosen_sampling,
    line_batches,
    load,
    running,
    say_truncated,
    texts,
    whole_text,
)
from nlptui.cli_options import (
    COUNT,
    FILE,
    MODEL,
    TOKENIZER,
    VIEW,
    json_option,
    model_option,
    parameter_edit_option,
    pin_standing_options,
    pooling_option,
    sampling_options,
    standing_options,
)
from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.sampling import PLAIN
from nlptui.text import visible


@command(help=N_("List the models that are here."))
@json_option
def models(as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import model_lines, model_values
    from nlptui.engine.library import list_models

    entries = list_models()
    emit(as_json, {"models": [model_values(entry) for entry in entries]}, lambda: model_lines(entries))


@command(help=N_("Show the tokens of a text, or of every line of a pipe."))
@argument("text", required=False)
@option(
    "--tokenizer",
    "-t",
    required=True,
    type=TOKENIZER,
    metavar="TOKENIZER",
    help=N_("A model's name, a folder, or the file of a tokenizer."),
)
@option("--ids", is_flag=True, help=N_("Only the ids, one line for each line: the quickest."))
@option("--steps", is_flag=True, help=N_("How the tokens came about: merges, lattice, tries, normalisation."))
@option("--best", type=click.IntRange(1, 64), default=5, help=N_("Segmentations of a unigram model."))
@option(
    "--alpha", type=click.FloatRange(0, 100), default=1.0, help=N_("The exponent of their probabilities.")
)
@option(
    "--sample", type=click.IntRange(0, 1000), default=0, help=N_("Draw so many segmentations with --alpha.")
)
@option("--seed", type=int, default=0, help=N_("Where the drawing starts."))
@json_option
def tokenize(
    text: str | None, tokenizer: str, ids: bool, steps: bool, best: int, alpha: float, sample: int, seed: int,
    as_json: bool,
) -> None:  # fmt: skip
    from nlptui.cli_tokens import print_ids, print_steps, print_tokens
    from nlptui.engine.tokenizer import find_tokenizer

    if ids + steps + as_json > 1 and not (steps and as_json):
        raise wrong_use(_("--ids goes with neither --steps nor --json"))
    batches = line_batches(text)
    try:
        found = find_tokenizer(tokenizer)
    except UserError as error:
        if Path(tokenizer).name != tokenizer:
            raise
        raise UserError(_("{problem}; or bytes, which needs no model").format(problem=error)) from None
    for lines in batches:
        if ids:
            print_ids(found, lines)
        elif steps or sample:
            print_steps(found, tokenizer, lines, as_json, (best, alpha, sample, seed))
        else:
            print_tokens(found, tokenizer, lines, as_json)


# --------------------------------------------------------------------------------------------- runs of a text


@command(help=N_("Write down everything that a model computes from a text."))
@running(compares=True)
@option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help=N_("Only activations named so, as in '*.weights'; analyses too, as 'analysis.rollout.*'."),
)
@option("--npz", type=FILE, metavar="FILE", help=N_("Write the arrays into an .npz file."))
@option("--csv", type=FILE, metavar="FILE", help=N_("Write a CSV file with one line an element."))
@json_option
def trace(asked: Asked, only: tuple[str, ...], npz: Path | None, csv: Path | None, as_json: bool) -> None:
    from nlptui import cli_show as show
    from nlptui.cli_output import emit, message

    if (npz is not None) + (csv is not None) + as_json > 1:
        raise wrong_use(_("choose one of --json, --npz and --csv"))
    text = whole_text(asked.text)
    runs = Runs(asked)
    made = runs.trace(text)
    runs.engine.analyse(made, *(name for name in only if name.startswith("analysis.")))
    names = show.chosen(made, only)
    if file := npz or csv:
        (show.write_npz if npz else show.write_csv)(file, made, names)
        message(_("{n} arrays written to {file}").format(n=len(names), file=file))
    else:
        values = show.trace_values(made, names) if as_json else None
        emit(as_json, values, lambda: show.trace_lines(made, names))


@command(help=N_("Show what a model says about a text, or about every line of a pipe."))
@running()
@json_option
def predict(asked: Asked, as_json: bool) -> None:
    from nlptui.cli_output import emit, message
    from nlptui.cli_show import heading, output_lines

    lines = texts(asked.text)
    runs = Runs(asked)
    for line in lines:
        said = heading(runs.trace(line)) if asked.changed else runs.engine.predict(line, asked.pair)
        if "truncated" in said and not asked.changed:
            say_truncated(len(said["tokens"]))
        emit(as_json, said, partial(output_lines, said["output"]))
        if not any(said["output"].values()):
            message(_why_nothing(line, said["output"], runs.engine.config.task))


def _why_nothing(text: str, output: dict[str, Any], task: str) -> str:
    if not text.strip():
        return _("the text is empty")
    if task == "skip_gram":
        return _("nothing to say: none of these words is in the model's vocabulary")
    if "candidates" in output:
        return _("nothing to say: write [MASK] where a word is missing, or give a second text with --pair")
    return _("the model has nothing to say about this text")


@command(help=N_("Measure a model on its corpus."))
@argument("model", type=MODEL)
@option(
    "--split",
    type=Choice(("train", "dev", "test")),
    default="test",
    show_default=True,
    help=N_("The part of the corpus: train, dev or test."),
)
@pooling_option
@json_option
def evaluate(model: str, split: str, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import metric_lines

    found = load(model, settings().pooling).evaluate(split)
    values = {"model": model, "split": split, "metrics": {}, "baselines": {}} | found
    emit(as_json, values, lambda: metric_lines(values["metrics"], values["baselines"]))


@command(help=N_("Let a language model go on from a text."))
@argument("prompt", required=False)
@model_option
@option("--max-tokens", type=COUNT, default=100, show_default=True, help=N_("How many tokens at most."))
@option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help=N_("Below 1 keeps to the likely; 0 always takes the likeliest."),
)
@option("--top-k", type=COUNT, default=0, help=N_("Only the K likeliest tokens; 0: all."))
@option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    help=N_("Only the likeliest tokens that have probability P together."),
)
@option("--seed", type=int, default=0, show_default=True, help=N_("The same seed writes the same text."))
@parameter_edit_option
@json_option
def generate(prompt: str | None, model: str, edits: tuple[str, ...], as_json: bool, **sampling: Any) -> None:
    from nlptui.cli_output import dumps, message, write_line, write_piece

    prompt = whole_text(prompt)
    engine = load(model).with_edited(edits)
    steps = engine.generate(prompt, **sampling)
    if (used := engine.prompt_used(prompt)) is not None:
        hint = _("the prompt is longer than the {n} tokens that {model} reads; it goes on from: {used}")
        message(hint.format(n=engine.config.context, model=visible(engine.name), used=visible(used)))
    if as_json:
        tokens = [{"id": step.id, "text": step.text, "logprob": step.logprob} for step in steps]
        text = "".join(str(token["text"]) for token in tokens)
        write_line(dumps({"model": model, "prompt": prompt, "text": text, "tokens": tokens}))
        return
    write_piece(prompt)
    for step in steps:
        write_piece(step.text)
    write_line("")


@command(help=N_("Show how one number was made, term by term."))
@running(compares=True)
@option("--name", required=True, metavar="NAME", help=N_("The activation, as nlptui trace lists it."))
@option("--index", required=True, metavar="I,J,…", help=N_("Which element, with the batch axis: 0,2,5."))
@option(
    "--terms",
    "shown",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help=N_("How many of the largest terms to print; --json has all."),
)
@json_option
def explain(asked: Asked, name: str, index: str, shown: int, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import derivation_lines, derivation_values

    if not re.fullmatch(r"\s*-?\d{1,9}\s*(,\s*-?\d{1,9}\s*)*", index):
        raise wrong_use(_("--index {index}: write numbers, as in --index 0,2,5").format(index=visible(index)))
    text = whole_text(asked.text)
    runs = Runs(asked)
    found = runs.engine.explain(runs.trace(text), name, tuple(map(int, index.split(","))))
    emit(as_json, derivation_values(found), lambda: derivation_lines(found, shown))


@command(help=N_("Show the tokens nearest to a word in a model's embedding, and how near several are."))
@argument("words", nargs=-1, required=True, metavar="WORD…")
@model_option
@option(
    "--count",
    type=COUNT,
    default=10,
    show_default=True,
    help=N_("How many tokens for each word."),
)
@json_option
def neighbours(words: tuple[str, ...], model: str, count: int, as_json: bool) -> None:
    from nlptui.cli_output import emit
    from nlptui.cli_show import neighbour_lines

    engine = load(model)
    near = [{"word": word, "neighbours": engine.neighbours(word, count)} for word in words]
    values = {"model": engine.name, "words": near, "cosines": engine.cosines(words)}
    emit(as_json, values, lambda: neighbour_lines(values))


@command("view", help=N_("Draw a view of a text, as plain text, SVG or HTML."))
@argument("view_name", type=VIEW, metavar="VIEW")
@running(compares=True)
@standing_options(0, "table")
@pin_standing_options
@sampling_options
@option("--text", "as_text", is_flag=True, help=N_("Print plain text (the default)."))
@option("--svg", type=FILE, metavar="FILE", help=N_("Write an SVG file."))
@option("--html", type=FILE, metavar="FILE", help=N_("Write an HTML file."))
@option("--width", type=click.IntRange(min=20), help=N_("Columns of the text; else as the terminal."))
@json_option
def draw(
    asked: Asked, view_name: str, as_text: bool, svg: Path | None, html: Path | None, width: int | None,
    as_json: bool, temperature: float | None, top_k: int | None, top_p: float | None, seed: int | None,
    target: str | None, **standing: Any,
) -> None:  # fmt: skip
    from nlptui.cli_output import dumps, text_width, write_line, write_text
    from nlptui.cli_show import figure_values
    from nlptui.first_screen import figure_of
    from nlptui.views import VIEWS

    if view_name not in VIEWS:
        hint = cli_names.hint(view_name, VIEWS)
        raise wrong_use(_("no view {name!r}; {hint}").format(name=visible(view_name), hint=hint))
    text = whole_text(asked.text)
    runs = Runs(asked)
    how = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    state = standing | {"target": runs.target(target), "sampling": chosen_sampling(how) or PLAIN}
    made, analyse = runs.trace(text), runs.engine.analyse
    figure = figure_of(made, view_name, state, analyse, runs.other(text), runs.beside(target))
    from nlptui.views import render

    if svg:
        write_text(svg, render.to_svg(figure))
    if html:
        write_text(html, render.to_html(figure))
    if as_json:
        write_line(dumps(figure_values(figure)))
    elif as_text or not (svg or html):
        write_line(render.to_text(figure, width or text_width()))

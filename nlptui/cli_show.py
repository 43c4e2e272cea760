"""What the command line shows of each thing: as JSON, and as lines for people.

Tokens, outputs, metrics, traces, derivations, figures, models, corpora, places. Knows nothing of commands;
runs no model, loads no torch.
"""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import importlib.metadata
import io
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlptui.cli_output import DASH, number, table, whole_file
from nlptui.locale import _, language
from nlptui.text import visible
from nlptui.wording import LANGUAGES, TASKS, metric_words, what_words

if TYPE_CHECKING:
    from nlptui.engine.corpora import Corpus
    from nlptui.engine.library import ModelEntry
    from nlptui.formula import Derivation, Term
    from nlptui.trace import Trace
    from nlptui.views.figure import Figure

# Tokens and outputs.


def tokens_of(encoding: Any) -> list[dict[str, Any]]:
    """The tokens of an Encoding: id, text, and offsets in code points (null for special tokens)."""
    tokens = []
    for token_id, text, offset in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True):
        start, end = offset if offset is not None else (None, None)
        tokens.append({"id": token_id, "text": text, "start": start, "end": end})
    return tokens


def spaced(token: str) -> str:
    """A token in which spaces can be seen."""
    return visible(token).replace(" ", "␣")


def token_lines(tokens: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of tokens."""
    rows = [(i, spaced(t["text"]), str(t["id"]), t["start"], t["end"]) for i, t in enumerate(tokens)]
    return table(("", _("token"), _("id"), _("start"), _("end")), rows, right=(0, 2, 3, 4))


def output_lines(output: Mapping[str, Any]) -> list[str]:
    """The output of any task, for people."""
    lines: list[str] = []
    rows: list[tuple[Any, ...]]
    if "text" in output:
        lines.append(visible(str(output["text"])))
    if "tags" in output:
        rows = [(tag["token"], tag["tag"], tag["prob"]) for tag in output["tags"]]
        lines += table((_("token"), _("tag"), _("probability")), rows, right=(2,))
    if "labels" in output:
        rows = [(label["label"], label["prob"]) for label in output["labels"]]
        lines += table((_("label"), _("probability")), rows, right=(1,))
    for candidates in output.get("candidates", ()):
        rows = [(str(token["id"]), spaced(token["text"]), token["prob"]) for token in candidates["tokens"]]
        title = _("candidates at position {position}").format(position=candidates["pos"])
        lines += [title, *table((_("id"), _("token"), _("probability")), rows, right=(0, 2))]
    if "spans" in output:
        rows = [(span["text"], span["start"], span["end"], span["prob"]) for span in output["spans"]]
        lines += table((_("span"), _("start"), _("end"), _("probability")), rows, right=(1, 2, 3))
    return lines


def metric_lines(metrics: Mapping[str, float], baselines: Mapping[str, float] | None = None) -> list[str]:
    """Metrics beside their baselines."""
    named = baselines or {}
    rows: list[tuple[Any, ...]] = [
        (metric_words(name), value, named.get(name)) for name, value in metrics.items()
    ]
    rows += [(metric_words(name), None, value) for name, value in named.items() if name not in metrics]
    if named:
        return table((_("metric"), _("model"), _("baseline")), rows, right=(1, 2))
    return table((_("metric"), _("value")), [row[:2] for row in rows], right=(1,))


# Traces.


def chosen(trace: Trace, only: Sequence[str]) -> list[str]:
    """The activations whose names match one of the patterns (all without patterns), in the order computed.

    A pattern that fits no activation may fit inputs, parameters or analyses; to choose nothing is an error.
    """
    if not only:
        return list(trace.activations)
    others = [*trace.inputs, *trace.parameters, *trace.analyses]
    found: dict[str, None] = {}
    for pattern in only:
        names = [name for name in trace.activations if fnmatch.fnmatchcase(name, pattern)]
        names += [name for name in others if fnmatch.fnmatchcase(name, pattern)] if not names else []
        if not names:
            trace[pattern]  # raises, with the nearest names
        found.update(dict.fromkeys(names))
    return list(found)


def trace_values(trace: Trace, names: Sequence[str]) -> dict[str, Any]:
    """The JSON of a trace."""
    activations = {}
    for name in names:
        activation = trace[name]
        activations[name] = {
            "axes": list(activation.axes),
            "shape": list(activation.shape),
            "formula": activation.formula,
            "values": trace.array(name),
        }
    return {**heading(trace), "activations": activations}


def heading(trace: Trace) -> dict[str, Any]:
    """Model, text, tokens and output: what every command that runs a model says."""
    values: dict[str, Any] = {"model": trace.model, "text": trace.text}
    if trace.pair is not None:
        values["pair"] = trace.pair
    values["tokens"] = tokens_of(trace.encoding)
    values["output"] = trace.output
    if trace.truncated:
        values["truncated"] = True
    return values


def trace_lines(trace: Trace, names: Sequence[str]) -> list[str]:
    """What a trace holds: name, axes, shape and formula of each activation."""
    rows = []
    for name in names:
        activation = trace[name]
        sizes = zip(activation.axes, activation.shape, strict=True)
        axes = " × ".join(f"{axis} {size}" for axis, size in sizes)
        rows.append((name, axes, activation.formula))
    return table((_("activation"), _("axes"), _("formula")), rows)


def write_npz(file: Path, trace: Trace, names: Sequence[str]) -> None:
    """The arrays by name, as `numpy.load` reads them; the file is there whole or not at all."""
    arrays = {name: trace.array(name) for name in names}
    with whole_file(file) as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def write_csv(file: Path, trace: Trace, names: Sequence[str]) -> None:
    """One line an element: name, axes, index, value."""
    with whole_file(file) as stream, io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("name", "axes", "index", "value"))
        for name in names:
            axes = " ".join(trace[name].axes)
            for index, value in np.ndenumerate(trace.array(name)):
                writer.writerow((name, axes, ",".join(map(str, index)), value))


# Models, derivations, figures, corpora, places.


def model_values(entry: ModelEntry) -> dict[str, Any]:
    """The JSON of a model in the list."""
    keys = ("name", "arch", "task", "language", "parameters", "context", "metrics", "path")
    values = {key: getattr(entry, key) for key in keys}
    return values | ({"problem": entry.problem} if entry.problem else {})


def model_lines(entries: Sequence[ModelEntry]) -> list[str]:
    """A table of models, and what is wrong with broken ones."""
    if not entries:
        return [_("no models yet; nlptui train makes one")]
    rows = []
    for entry in entries:
        # Curves (accuracy_at_1, accuracy_at_2, …) are too long for a table: evaluate and --json tell them.
        shown = {name: value for name, value in entry.metrics.items() if "_at_" not in name}
        metrics = "  ".join(f"{metric_words(name)} {number(value)}" for name, value in shown.items())
        sizes = (entry.parameters or None, entry.context or None)
        rows.append((entry.name, *what_words(entry), *sizes, entry.problem or metrics))
    headers = (_("model"), _("arch"), _("task"), _("language"), _("parameters"), _("context"), _("metrics"))
    return table(headers, rows, right=(4, 5))


def derivation_values(derivation: Derivation) -> dict[str, Any]:
    """The JSON of a derivation: the value that was recorded, and the terms that it was made of."""
    terms = []
    for term in derivation.terms:
        values = {"name": term.name, "index": term.index, "value": term.value, "factor": term.factor}
        if term.factor_name is not None:
            values |= {"factor_name": term.factor_name, "factor_index": term.factor_index}
        terms.append(values)
    keys = ("name", "index", "value", "total", "formula", "notation", "sums")
    return {key: getattr(derivation, key) for key in keys} | {"terms": terms}


def derivation_lines(derivation: Derivation, shown: int) -> list[str]:
    """One number and the largest of the terms that it was made of."""
    what = f"{derivation.name}[{', '.join(map(str, derivation.index))}]"
    lines = [f"{visible(what)} = {derivation.value:.9g}"]
    if derivation.notation:
        lines.append(f"= {visible(derivation.notation)}")
    if not derivation.terms:
        return [*lines, _("given, not computed: nothing to open")]
    terms = list(derivation.terms)
    if derivation.sums:
        terms.sort(key=lambda term: -abs(term.contribution))
    columns = 5 if derivation.sums else 2
    rows = [_term_row(term)[:columns] for term in terms[:shown]]
    headers = (_("term"), _("value"), _("factor"), _("contribution"), _("factor from"))
    lines += table(headers[:columns], rows, right=(1, 2, 3))
    if len(terms) > shown:
        lines.append(_("… and {n} more").format(n=len(terms) - shown))
    return [*lines, _("together {total}").format(total=f"{derivation.total:.9g}")]


def _term_row(term: Term) -> tuple[str, ...]:
    name = f"{term.name}[{', '.join(map(str, term.index))}]"
    place = ", ".join(map(str, term.factor_index or ()))
    source = f"{term.factor_name}[{place}]" if term.factor_name else ""
    factor = DASH if term.factor is None else f"{term.factor:.6g}"
    return (name, f"{term.value:.6g}", factor, f"{term.contribution:.6g}", source)


def neighbour_lines(values: Mapping[str, Any]) -> list[str]:
    """For each word the tokens nearest to it; then the cosines of the words with each other."""
    lines: list[str] = []
    words = [entry["word"] for entry in values["words"]]
    for entry in values["words"]:
        rows = [(spaced(near["text"]), str(near["id"]), near["similarity"]) for near in entry["neighbours"]]
        lines.append(_("nearest to '{token}' in the embedding").format(token=visible(entry["word"])))
        lines += table((_("token"), _("id"), _("cosine")), rows, right=(1, 2))
    if len(words) > 1:
        lines.append(_("cosines of the words with each other"))
        rows = [(word, *cosines) for word, cosines in zip(words, values["cosines"], strict=True)]
        headers = ("", *map(visible, words))
        lines += table(headers, rows, right=range(1, len(headers)))
    return lines


def figure_values(figure: Figure) -> dict[str, Any]:
    """The JSON of a figure: its parts with their kinds, labels and values."""
    parts = [{"kind": type(part).__name__} | _fields(part) for part in figure.parts]
    return {"view": figure.view, "title": figure.title, "caption": figure.caption, "parts": parts}


def _fields(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _fields(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_fields(item) for item in value] if isinstance(value, (list, tuple)) else value


def corpus_values(corpus: Corpus) -> dict[str, Any]:
    """The JSON of a corpus; its path is null where it is not here."""
    from nlptui.engine.corpora import find

    keys = ("name", "title", "language", "task", "licence", "url", "bytes")
    return {key: getattr(corpus, key) for key in keys} | {"path": find(corpus.name)}


def corpus_lines(corpora: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of corpora."""
    rows = []
    for corpus in corpora:
        here = _("here") if corpus["path"] else _("not here")
        size = f"{corpus['bytes'] / 1e6:.1f} MB"
        reads = _(LANGUAGES.get(corpus["language"], corpus["language"]))
        task = _(TASKS.get(corpus["task"], corpus["task"]))
        rows.append((corpus["name"], reads, task, size, here, corpus["licence"]))
    headers = (_("corpus"), _("language"), _("task"), _("size"), _("where"), _("licence"))
    return table(headers, rows, right=(3,))


def locate_values() -> dict[str, Any]:
    """Where things live, and the versions that run."""
    from nlptui import __version__, paths

    versions = {"nlptui": __version__, "python": platform.python_version()}
    for name in ("torch", "textual", "numpy"):
        versions[name] = importlib.metadata.version(name)
    return {
        "settings": paths.home_config(),
        "models": paths.models_dirs(),
        "runs": paths.runs_dir(),
        "corpora": paths.data_dirs(),
        "language": language(),
        "versions": versions,
    }


def locate_lines(values: Mapping[str, Any]) -> list[str]:
    """The same for people; a folder that is not there yet says so."""
    words = {
        "settings": _("settings"), "models": _("models"), "runs": _("runs"), "corpora": _("corpora"),
        "language": _("language"), "versions": _("versions"),
    }  # fmt: skip
    rows = []
    for key, value in values.items():
        if key == "versions":
            value = [", ".join(f"{name} {version}" for name, version in value.items())]
        for item in value if isinstance(value, list) else [value]:
            absent = isinstance(item, Path) and not item.exists()
            rows.append((words[key], str(item), _("not there yet") if absent else ""))
    return table((_("what"), _("where"), ""), rows)


def check_lines(values: Mapping[str, Any]) -> list[str]:
    """One model's largest differences, and whether they are small enough."""
    verdict = _("agrees with torch") if values["ok"] else _("DIFFERS from torch")
    if "posteriors" in values["differences"]:  # a lattice without a network under it
        verdict = _("agrees with every path, one by one") if values["ok"] else _("DIFFERS from its paths")
    elif set(values["differences"]) == {"path", "probs"}:  # rules
        verdict = _("the same on and off the record") if values["ok"] else _("DIFFERS off the record")
    rows = [(name, f"{value:.3g}") for name, value in values["differences"].items()]
    headers = (_("output"), _("largest difference"))
    return [f"{visible(values['model'])}: {verdict}", *table(headers, rows, right=(1,))]

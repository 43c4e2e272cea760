"""Gradients through time: how much a change at each step would change one answer, on a logarithmic scale.

Recurrent architectures side by side, as they are trained, as they were before training, and with recurrent
matrices so large that gradients explode. Knows nothing of how they are computed: it shows the analysis
`gradient` of the run and of those beside it. Sources: Bengio et al. 1994; Pascanu et al. 2013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.lazy import numpy as np
from nlptui.locale import N_, _
from nlptui.views.figure import Figure, HeatTable, Lines, Part, Series, Source, told
from nlptui.views.names import clamp, kind, place
from nlptui.views.systems import SYSTEMS, runs
from nlptui.views.view import BEGIN, Peer, State, View, chosen, config_of, cut, last, nothing, stack, titled
from nlptui.wording import listed

if TYPE_CHECKING:
    from nlptui.trace import Trace

_RECURRENT = ("rnn", "lstm", "gru")
CHOICES = ("trained", "before", "both", "exploding")
"""With which weights: of all architectures, or of this model with both of two."""
STATES = {"trained": N_("trained"), "before": N_("before training"), "exploding": N_("exploding")}
MOST = 6
"""Lines that a chart can tell apart; of more, those of one layer are shown."""
Line = tuple[int, "Trace", str]
"""The number of a run, the run, and the recorded norms of one of its states."""


def scores(trace: Trace) -> str | None:
    """The recorded scores whose gradient is taken; None where there are none."""
    return next((name for name in ("logits", "emission") if name in trace.activations), None)


def prefix(trace: Trace, state: State) -> str:
    """What the names of the analysis begin with: the position asked about and the likeliest answer there."""
    name = scores(trace)
    if name is None or 0 in trace[name].shape:
        return ""
    values = trace.array(name)[0]
    if values.ndim == 1:
        target = int(values.argmax()) if state.target is None else clamp(state.target, len(values))
        return f"analysis.gradient.to_{target}."
    position = clamp(state.position, len(values))
    row = values[position]
    target = int(row.argmax()) if state.target is None else clamp(state.target, len(row))
    return f"analysis.gradient.at_{position}.to_{target}."


# ------------------------------------------------------------------------------------------------ which runs


def weights_of(trace: Trace) -> str:
    """Which of STATES a run's weights are in."""
    return str(getattr(trace.weights, "state", "trained"))


def sisters(trace: Trace, peers: Sequence[Peer]) -> list[str]:
    """One model of each other recurrent architecture, for the same task, language and number of tokens."""
    config = trace.config
    fitting = [
        peer
        for peer in peers
        if not peer.problem
        and all(
            getattr(peer, key) == getattr(config, key, None) for key in ("task", "language", "vocab_size")
        )
    ]
    own = getattr(config, "arch", "")
    first = {arch: next((p.name for p in fitting if p.arch == arch), "") for arch in _RECURRENT}
    return [name for arch, name in first.items() if name and arch != own]


def beside(trace: Trace, peers: Sequence[Peer], state: State = BEGIN) -> tuple[str, ...]:
    """The runs that the choice wants, but for the one at hand."""
    name = chosen(CHOICES, state.name)
    own, *others = [_place(trace), *([] if name == "both" else sisters(trace, peers))]
    wanted = ("trained", "before") if name == "both" else (name,)
    found = [_in_state(own, one) for one in wanted if one != weights_of(trace)]
    return (*found, *(_in_state(other, wanted[0]) for other in others))


def _place(trace: Trace) -> str:
    """By which name the model at hand can be found, whatever its weights are."""
    path = getattr(trace.engine, "path", None)
    return trace.model.rpartition("@")[0] or trace.model if path is None else str(path.resolve())


def _in_state(model: str, state: str) -> str:
    return model if state == "trained" else f"{model}@{state}"


def shown(trace: Trace, state: State) -> list[tuple[int, Trace]]:
    """The runs that the choice shows, with their numbers: those of the same tokens and the same answers.

    Where there is none of them, the run at hand.
    """
    name = chosen(CHOICES, state.name)
    wanted = ("trained", "before") if name == "both" else (name,)
    found = [
        (number, run)
        for number, run in runs(trace)
        if weights_of(run) in wanted
        and run.encoding.tokens == trace.encoding.tokens
        and getattr(run.config, "labels", ()) == getattr(trace.config, "labels", ())
    ]
    return found or [(1, trace)]


# --------------------------------------------------------------------------------------------- what they show


def norms(trace: Trace, before: str) -> list[str]:
    """The recorded norms of hidden and cell states, one for each direction of each layer."""
    found = [name for name in trace.analyses if before and name.startswith(before) and name.endswith(".norm")]
    return [name for name in found if name.split(".")[-3] in ("forward", "backward")]


def lines_of(trace: Trace, state: State) -> list[Line]:
    """The states of all runs that are shown; the cells of the first one only."""
    found: list[Line] = []
    for number, run in shown(trace, state):
        names = norms(run, prefix(run, state))
        own = not found
        found += [(number, run, name) for name in names if own or _state_of(name) == "hidden"]
    return found


def _state_of(name: str) -> str:
    """hidden or cell."""
    return kind(name.removesuffix(".norm"))


def labels(lines: list[Line]) -> list[str]:
    """What each line is called: of "LSTM 0 → hidden before training" what they do not have in common."""
    parts = [_label_parts(run, name) for _number, run, name in lines]
    differ = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    kept = differ if any(differ) else [column == _STATE_PART for column in range(len(differ))]
    return [" ".join(p for p, keep in zip(row, kept, strict=True) if keep) for row in parts]


_STATE_PART = 3
"""Which part of a label says hidden or cell."""


def _label_parts(run: Trace, name: str) -> tuple[str, ...]:
    layer, direction, state = name.removesuffix(".norm").split(".")[-3:]
    system = SYSTEMS.get(str(getattr(run.config, "arch", "")), "")
    words = {"hidden": _("hidden"), "cell": _("cell")}
    return system, layer, "→" if direction == "forward" else "←", words[state], _(STATES[weights_of(run)])


def chart(lines: list[Line], title: str) -> Lines:
    """One line for each state over the steps; a gap where a gradient is 0, or no number any more."""
    series = []
    for (number, run, name), words in zip(lines, labels(lines), strict=True):
        values = run.array(name)[0].astype(np.float64)
        steps = np.arange(len(values), dtype=np.float64)
        there = np.isfinite(values) & (values > 0)
        source = Source(name, (0, "col"), trace=number)
        tokens = run.labels(name, "pos")
        series.append(Series(words, steps, np.where(there, values, np.nan), source, tokens))
    return Lines(title, tuple(series), _("token"), _("norm"), log=True)


def hidden_chart(lines: list[Line], layer: str) -> Lines:
    """The hidden states of all runs; where they are too many for a chart, those of one layer."""
    hidden = [line for line in lines if _state_of(line[2]) == "hidden"]
    if len(hidden) > MOST:
        hidden = [line for line in hidden if f".layers.{layer}." in line[2]]
    return chart(hidden, _("‖∂ logit / ∂ hidden state‖"))


def cell_charts(lines: list[Line]) -> list[Lines]:
    """Of the first run, if it is an LSTM: all its states."""
    own = [line for line in lines if line[0] == lines[0][0]]
    cells = any(_state_of(line[2]) == "cell" for line in own)
    return [chart(own, _("‖∂ logit / ∂ state‖"))] if cells else []


def table(lines: list[Line], state: State) -> HeatTable:
    """The same numbers: states × tokens, each opening in its own run."""
    tables = [_in_run(cut(run, name, "", "pos", scale="positive"), number) for number, run, name in lines]
    return stack(_("norms"), tables, labels(lines), "state", state.by)


def units(line: Line, state: State) -> HeatTable:
    """The gradient of every unit of one hidden state."""
    number, run, name = line
    name = name.removesuffix(".norm")
    where = place(name.removeprefix(prefix(run, state)))
    words = _("∂ logit / ∂ hidden state: {place}").format(place=where)
    title = titled(words, run.model if number > 1 else "")
    return _in_run(cut(run, name, "d_hidden", "pos", title=title, by=state.by), number)


def _in_run(table: HeatTable, number: int) -> HeatTable:
    """The table with cells that open in the run of this number."""
    source = table.source
    return replace(table, source=replace(source, trace=number)) if isinstance(source, Source) else table


def draw(trace: Trace, state: State) -> Figure:
    """The charts, the numbers, and the gradient of every unit of the chosen layer and direction."""
    title, lines = _(VIEW.title), lines_of(trace, state)
    if not lines:
        return nothing(trace, "through_time", title)
    hidden = [line for line in lines if line[0] == lines[0][0] and _state_of(line[2]) == "hidden"]
    line = hidden[clamp(state.layer, len(hidden))]
    layer = line[2].split(".")[-4]
    parts: list[Part] = [hidden_chart(lines, layer), table(lines, state)]
    parts += [*cell_charts(lines), units(line, state)]
    whose = dict.fromkeys(_(STATES[weights_of(run)]) for _number, run, _name in lines)
    return Figure("through_time", titled(title, " / ".join(whose)), tuple(parts), caption(lines, state))


# -------------------------------------------------------------------------------------------------- in words


def caption(lines: list[Line], state: State) -> str:
    """What was asked, of whom, and what was done to the weights."""
    seen = {number: run for number, run, _name in lines}
    first = next(iter(seen.values()))
    before = prefix(first, state)
    words = [
        _(
            "How the score of '{answer}'{where} changes with each state: what is left of an error so many"
            " steps back."
        ).format(answer=told(_answer(first, before)), where=_where(first, before))
    ]
    called = names(list(seen.values()))
    answers = [told(_answer(run, prefix(run, state))) for run in seen.values()]
    if len(set(answers)) > 1:
        each = listed(
            _("{name} '{answer}'").format(name=name, answer=answer)
            for name, answer in zip(called, answers, strict=True)
        )
        words.append(_("Each is asked about its own answer: {answers}.").format(answers=each))
    return " ".join([*words, *_done(list(seen.values()), called)])


def names(seen: list[Trace]) -> list[str]:
    """What the runs are called in the caption: as in the legend, by their architecture, where that tells them
    apart; otherwise by their models.
    """
    systems = [SYSTEMS.get(str(getattr(run.config, "arch", "")), run.model) for run in seen]
    return systems if 1 < len(seen) == len(set(systems)) else [run.model for run in seen]


def _done(seen: list[Trace], called: list[str]) -> list[str]:
    """What was done to the weights of the runs, where they are not the trained ones."""
    alike: dict[tuple[str, int, str], list[tuple[Trace, str]]] = {}
    for run, name in zip(seen, called, strict=True):
        if (made := run.weights) is not None:
            alike.setdefault((made.state, made.seed, made.init), []).append((run, name))
    said = []
    for (state, seed, init), found in alike.items():
        words = _("{models}: fresh weights as training makes them, seed {seed}.")
        if init:
            words = _("{models}: fresh weights as training makes them, seed {seed}, but for those of {init}.")
        if state == "exploding":
            words = _(
                "{models}: fresh weights (seed {seed}), recurrent matrices × {low} to {high}:"
                " spectral radius {radius}."
            )
        factors = [factor for run, _name in found for factor in run.weights.factors] or [1.0]
        said.append(
            words.format(
                models=listed(name for _run, name in found),
                seed=seed,
                init=init,
                low=f"{min(factors):.2f}",
                high=f"{max(factors):.2f}",
                radius=f"{found[0][0].weights.radius:g}",
            )
        )
    return said


def _answer(trace: Trace, before: str) -> str:
    name = scores(trace) or ""
    number = int(before.rstrip(".").rsplit("to_", 1)[1])
    return trace.labels(name, trace[name].axes[-1])[number]


def _where(trace: Trace, before: str) -> str:
    if ".at_" not in before:
        return ""
    position = int(before.split(".at_")[1].split(".")[0])
    token = trace.labels(scores(trace) or "", "pos")[position]
    return _(" at '{token}' ({position})").format(token=told(token), position=position)


def _layers(trace: Trace) -> int:
    ends = ("forward.hidden", "backward.hidden")
    return max(1, sum(name.endswith(ends) for name in trace.activations))


def _needs(trace: Trace, state: State) -> tuple[str, ...]:
    before = prefix(trace, state)
    return (before,) if before else ()


def _applies(thing: object) -> bool:
    return getattr(config_of(thing), "arch", "") in _RECURRENT


VIEW = View(
    "through_time",
    4,
    N_("Gradient through time"),
    applies=_applies,
    draw=draw,
    layers=_layers,
    choices=lambda trace: CHOICES if _applies(trace) else (),
    needs=_needs,
    beside=beside,
    start=last,
)

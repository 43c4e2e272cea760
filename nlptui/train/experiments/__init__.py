"""Small, real trainings that show what is claimed about networks: which there are, and what each is about.

    __init__     the table: claim, what is varied, what is measured, and the charts
    recall …     one file an experiment: its networks, its budgets, its parts; loads torch
    conduct      runs an experiment in a run directory, part by part
    results      the rows that a run directory holds, and `experiment.csv`

An experiment's file gives `parts(quick)`: with `quick` as much as takes a second or two, to see that it runs.
Nothing here loads torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from nlptui.errors import UserError
from nlptui.locale import N_, _
from nlptui.text import visible

__all__ = ["EXPERIMENTS", "Chart", "Experiment", "Remark", "find_experiment"]


@dataclass(frozen=True)
class Chart:
    """One chart of an experiment; its words are marked for translation."""

    name: str
    """What the rows call it."""
    title: str
    x_label: str
    y_label: str
    log: bool = False
    """Whether y is drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Remark:
    """What there is to say where one line of a chart lies above another; elsewhere it is not said."""

    chart: str
    above: str
    below: str
    words: str
    """Marked for translation."""


@dataclass(frozen=True)
class Experiment:
    """What an experiment is about; its words are marked for translation."""

    name: str
    """Also the name of its file here."""
    title: str
    claim: str
    """What it makes visible."""
    varied: str
    measured: str
    charts: tuple[Chart, ...]
    seconds: int
    """About how long it takes on one core at full budget, as it was measured."""
    remarks: tuple[Remark, ...] = ()
    """What to say of what was seen."""


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            "recall",
            N_("Recall against distance"),
            N_("The more words lie between, the more an RNN forgets; gates and attention keep it."),
            N_("the network, at the same size: RNN, LSTM, GRU, Transformer"),
            N_("how often the answer to a question is right, by the words between the fact and the question"),
            (
                Chart("recall", N_("right answers by distance"), N_("words in between"), N_("share right")),
            ),
            seconds=135,
        ),
        Experiment(
            "gradients",
            N_("Gradients against distance"),
            N_("Step by step backwards the gradient dies out: before training in every recurrent network, "
               "after it still in an RNN, in most texts, while gates let far more of it through."),
            N_("the network, RNN, LSTM or GRU, before and after training"),
            N_("what is left of ‖∂L/∂h‖ so many steps before the end, as a share of that at the end"),
            (
                Chart("before", N_("before training: median of the texts"),
                      N_("steps back"), N_("share left"), True),
                Chart("after", N_("after training: median of the texts"),
                      N_("steps back"), N_("share left"), True),
                Chart("most", N_("after training: the text in twenty with the most left"),
                      N_("steps back"), N_("share left"), True),
            ),
            seconds=105,
        ),
        Experiment(
            "positions",
            N_("Positions"),
            N_("Attention alone knows no order: without positions, who calls whom is a guess between the "
               "two; a causal mask brings order back."),
            N_("the positions that a Transformer adds to its words: learned, sinusoidal, none; none under a "
               "mask"),
            N_("how often it tells who calls, in new texts, while it learns"),
            (
                Chart("accuracy", N_("right answers while it learns"), N_("step"), N_("share right")),
            ),
            seconds=25,
        ),
        Experiment(
            "depth",
            N_("Depth"),
            N_("Without residuals a deep stack learns no more than how frequent each word is; with them, "
               "LayerNorm lets it learn at rates that would break it."),
            N_("residuals and LayerNorm, each with and without; depth; the learning rate"),
            N_("the loss on new text after the same number of steps; none where it is no number any more"),
            (
                Chart("depth", N_("loss by depth"), N_("blocks"), N_("nats a word")),
                Chart("rate", N_("loss by learning rate, 8 blocks"), N_("learning rate"), N_("nats a word")),
            ),
            seconds=110,
        ),
        Experiment(
            "heads",
            N_("One head or many"),
            N_("One head mixes what it looks at; several, together as large, fetch several things at once."),
            N_("the number of heads, at the same width and the same number of parameters"),
            N_("how many names of a list are told in their right place, from one vector"),
            (
                Chart("accuracy", N_("names in their place by heads"), N_("heads"), N_("share right")),
            ),
            seconds=75,
        ),
        Experiment(
            "causal",
            N_("The causal mask"),
            N_("Without the mask a language model copies the answer that it sees: its loss in training falls"
               " to nearly nothing, and what it writes is nonsense."),
            N_("the mask that hides the words to come: with it, without it"),
            N_("loss in training; loss on new text, read left to right; the share of words written that can "
               "follow the word before"),
            (
                Chart("training", N_("loss in training"), N_("step"), N_("nats a word")),
                Chart("held_out", N_("loss on new text"), N_("words before"), N_("nats a word")),
                Chart("written", N_("words written that can follow the word before"),
                      N_("words written"), N_("share possible")),
            ),
            seconds=45,
        ),
        Experiment(
            "length",
            N_("Time against length"),
            N_("Attention reads short texts in less time than an LSTM; its time grows with the square of the"
               " length, that of an RNN or LSTM in a line."),
            N_("the layer, RNN, LSTM or attention, and the length of the text"),
            N_("milliseconds of one thread for reading, and for a step of training; the arithmetic of "
               "reading"),
            (
                Chart("reading", N_("reading"), N_("tokens"), N_("ms"), True),
                Chart("step", N_("a step of training"), N_("tokens"), N_("ms"), True),
                Chart("operations", N_("arithmetic of reading"),
                      N_("tokens"), N_("million operations"), True),
            ),
            seconds=15,
            remarks=(
                Remark("step", "RNN", "LSTM", N_(
                    "What is timed are the library's kernels, whose order is not that of their arithmetic:"
                    " here its RNN takes longer than its LSTM."
                )),
            ),
        ),
    )
}  # fmt: skip


def find_experiment(name: str) -> Experiment:
    """The experiment called `name`. Raises UserError when there is none."""
    if name not in EXPERIMENTS:
        problem = _("no experiment is called {name}; there are {known}")
        raise UserError(problem.format(name=visible(name), known=", ".join(EXPERIMENTS)))
    return EXPERIMENTS[name]

"""Several systems on one text: the course's three kinds of output, and each architecture side by side.

Knows nothing of running models: `beside` says which ones are wanted, and the trace brings their runs along.
Cells point into those runs: trace 2 of an `Origin` is the first of them, trace 3 the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.views import hidden, output
from nlptui.views.compare import named
from nlptui.views.figure import Figure, HeatTable, Part, Token, Tokens
from nlptui.views.view import BEGIN, Peer, State, View, config_of, cut, nothing, titled, words_of
from nlptui.wording import listed

if TYPE_CHECKING:
    from nlptui.trace import Trace

FIRST = 2
"""The number of the first run beside the trace; 0 and 1 are A and B of a comparison."""
SYSTEMS = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "transformer": "Transformer",
    "bert": "BERT",
    "gpt": "GPT",
}
KINDS = {
    "tagging": N_("a label a token"),
    "classification": N_("a label a sequence"),
    "language_model": N_("as many tokens as the model decides"),
    "translation": N_("as many tokens as the model decides"),
}
_FIRST_CHOICE = ("ner", "pos-lstm", "pos", "sentiment-lstm", "translat", "transformer", "gpt-stories", "gpt")
PARTS = 2
"""Parts of each model's answer that are shown."""


def reads(language: str, peer: Peer) -> bool:
    """Whether a model reads texts of a language: a translator's is "en-zh"."""
    return peer.language.split("-")[0] == language.split("-")[0]


def _rank(peer: Peer) -> int:
    found = (number for number, start in enumerate(_FIRST_CHOICE) if peer.name.startswith(start))
    return next(found, len(_FIRST_CHOICE))


def _usable(trace: Trace, peers: Sequence[Peer]) -> list[Peer]:
    """The models that read the text's language, as far as they are whole, the best choices first."""
    language = str(getattr(trace.config, "language", ""))
    found = [peer for peer in peers if not peer.problem and reads(language, peer) and peer.arch in SYSTEMS]
    return sorted(found, key=_rank)


def three_kinds(trace: Trace, peers: Sequence[Peer], state: State = BEGIN) -> tuple[str, ...]:
    """One model for each kind of output, but for the kind of the model at hand."""
    usable = _usable(trace, peers)
    own = KINDS.get(str(getattr(trace.config, "task", "")), "")
    wanted = []
    for kind in dict.fromkeys(KINDS.values()):
        fitting = [peer.name for peer in usable if KINDS.get(peer.task) == kind]
        wanted += fitting[:1] if kind != own else []
    return tuple(wanted)


def every_system(trace: Trace, peers: Sequence[Peer], state: State = BEGIN) -> tuple[str, ...]:
    """One model of each architecture but the one at hand; of the same task where there is one."""
    usable = _usable(trace, peers)
    task, arch = (str(getattr(trace.config, key, "")) for key in ("task", "arch"))
    usable.sort(key=lambda peer: (peer.task != task, peer.task != "tagging"))
    wanted = []
    for system in SYSTEMS:
        fitting = [peer.name for peer in usable if peer.arch == system]
        wanted += fitting[:1] if system != arch else []
    return tuple(wanted)


def runs(trace: Trace) -> list[tuple[int, Trace]]:
    """The run at hand (number 1, as B of a comparison is), then those beside it."""
    return [(1, trace), *((FIRST + n, other) for n, other in enumerate(trace.beside.values()))]


def answer(trace: Trace, state: State) -> list[Part]:
    """What a model says, as the output view draws it; where it has a lattice, that too."""
    parts = list(output.draw(trace, state).parts)
    if "score" in trace.activations and trace["score"].axes[-1] == "tag":
        lattice = cut(
            trace, "score", "pos", "tag", title=_("lattice: the best score that ends here"), by=state.by
        )
        return [*parts[:1], lattice]
    return parts[:PARTS]


def draw_outputs(trace: Trace, state: State) -> Figure:
    """Label a token, label a sequence, a text."""
    found: dict[str, list[Part]] = {}
    for number, run in runs(trace):
        kind = KINDS.get(str(getattr(run.config, "task", "")), "")
        for part in answer(run, state):
            words = titled(_(kind) if kind else "", run.model)
            found.setdefault(kind, []).append(named(part, words, number))
    order = [*dict.fromkeys(KINDS.values()), ""]
    parts = tuple(part for kind in order for part in found.get(kind, []))
    missing = [_(kind) for kind in dict.fromkeys(KINDS.values()) if kind not in found]
    if not parts:
        return nothing(trace, "outputs", _(OUTPUTS.title))
    caption = _("The three ways in which a text comes out of a network.")
    if missing:
        words = _("No model here that reads this language gives {kinds}.")
        caption += " " + words.format(kinds=listed(missing))
    return Figure("outputs", _(OUTPUTS.title), parts, caption)


def tokens_of(trace: Trace) -> Tokens:
    """The model's tokens, each with the tag that it got, if it did."""
    tags = trace.output.get("tags", ())
    tagged = len(tags) == len(trace.encoding.tokens)
    tokens = tuple(
        Token(text, tag=tags[i]["tag"] if tagged else None, prob=tags[i]["prob"] if tagged else None)
        for i, text in enumerate(words_of(trace))
    )
    return Tokens(_("tokens"), tokens)


def top_layer(trace: Trace, state: State) -> HeatTable | None:
    """The vectors that the last layer hands on."""
    names = [name for name in hidden.stream(trace) if not name.startswith("encoder.")]
    if not names:
        return None
    axes = trace[names[-1]].axes
    return cut(trace, names[-1], axes[-2], axes[-1], title=_("the last layer's vectors"), by=state.by)


def draw_systems(trace: Trace, state: State) -> Figure:
    """Of each system its answer and its top layer."""
    parts: list[Part] = []
    for number, run in runs(trace):
        name = titled(SYSTEMS.get(str(getattr(run.config, "arch", "")), ""), run.model)
        said = answer(run, state)[:1]
        table = top_layer(run, state)
        parts += [named(part, name, number) for part in (*said, *((table,) if table is not None else ()))]
    if not parts:
        return nothing(trace, "systems", _(SYSTEMS_VIEW.title))
    caption = _(
        "The same text through every architecture that there is a model of: its answer, its top layer."
    )
    return Figure("systems", _(SYSTEMS_VIEW.title), tuple(parts), caption)


def _has_system(thing: object) -> bool:
    return getattr(config_of(thing), "arch", "") in SYSTEMS


OUTPUTS = View(
    "outputs",
    6,
    N_("Three kinds of output"),
    applies=_has_system,
    draw=draw_outputs,
    beside=three_kinds,
)
SYSTEMS_VIEW = View(
    "systems",
    6,
    N_("Systems side by side"),
    applies=_has_system,
    draw=draw_systems,
    beside=every_system,
)

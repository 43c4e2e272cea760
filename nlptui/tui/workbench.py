"""The work of the screen that needs a model: runs a sentence through the engine and turns the trace into
figures.

A worker for `Backend`: everything here runs in its thread, torch is imported there, and what goes out is
plain arrays and
labels. Keeps the models and runs used last, so that changing layer, head or view runs no model again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from nlptui.errors import UserError
from nlptui.locale import _, language
from nlptui.text import visible
from nlptui.tui.answers import Explained, Model, Reading, Shown, ViewName, Written
from nlptui.tui.backend import Watch
from nlptui.tui.place import LAST_CHOICE, TEXT_LIMIT, WALKED_CHOICES, Place, with_model
from nlptui.tui.requests import Explain, Nearest, Show, WriteOn

if TYPE_CHECKING:
    from nlptui.engine import Engine
    from nlptui.trace import Trace
    from nlptui.views.figure import Figure, Origin, Part, Tokens, Tree
    from nlptui.views.view import State, View

MODELS_KEPT = 12
"""Enough for a view that shows three models with three kinds of weights."""
RUNS_KEPT = 16
"""Enough for a view that shows one model of each architecture, twice."""
DIFFERENCE = "A − B"
READING_SHOWN = 64
"""Numbers of an embedding row that the token pane gets."""
EARLIEST = ("attention", "gates", "hidden", "embedding", "tokens")
"""Which view opens first, where none is asked for: the first of these that the model has."""
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Ran:
    """A run, and the edits that were left out of it because they fit nothing there, each with the reason."""

    trace: Trace
    unfit: Mapping[str, str]


class Workbench:
    """Owns the engines and the traces. One thread uses it, and no other."""

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._watch: Watch = lambda done, pieces: None
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._pooled: OrderedDict[tuple[str, str], Engine] = OrderedDict()
        self._runs: OrderedDict[tuple[Any, ...], Ran] = OrderedDict()
        self._tokenizers: OrderedDict[str, Any] = OrderedDict()
        self._trees: OrderedDict[tuple[Any, ...], Tree] = OrderedDict()
        self._editable: OrderedDict[str, Mapping[str, tuple[str, ...]]] = OrderedDict()

    def load(self) -> None:
        """Import the engine, and torch with it: the slow part of the first start."""
        import nlptui.engine.engine  # noqa: F401

    def answer(self, request: Any, watch: Watch) -> Any:
        """The result for one request of this worker's kinds; `watch` is told how far long ones are."""
        self._watch = watch
        match request:
            case Show(place=place):
                return self.show(place)
            case Explain(place=place, origin=origin, minus=minus) if minus is not None:
                return self.explain_difference(place, origin, minus)
            case Explain(place=place, origin=origin):
                return self.explain(place, origin)
            case WriteOn(place=place, step=step, token=token):
                return self.back(place) if step == "back" else self.write_on(place, token)
            case Nearest(model=model, token=token):
                return self.engine(model).neighbours(token)
        raise TypeError(f"the workbench has no answer to {request!r}")

    # runs

    def engine(self, name: str) -> Engine:
        """The model called `name`, loaded once and kept while it is among the last used."""
        from nlptui.engine import Engine

        return _kept(self._engines, name, MODELS_KEPT, lambda: Engine.load(name, device=self._device))

    def engine_of(self, place: Place) -> Engine:
        """The model of a place, with the place's pooler in use, if it has that one."""
        found = self.engine(place.model)
        if not place.pooling or place.pooling == found.pooling or place.pooling not in found.poolings:
            return found
        key = (place.model, place.pooling)
        return _kept(self._pooled, key, MODELS_KEPT, lambda: found.pooled_by(place.pooling))

    def trace(self, place: Place) -> Trace:
        """The run of `place`; an edit from A takes the values of the pinned run."""
        return self.ran(place).trace

    def ran(self, place: Place) -> Ran:
        """The run of `place` with those of its edits that fit it, and why the others do not."""
        return _kept(self._runs, place.run, RUNS_KEPT, lambda: self._run(place))

    def _run(self, place: Place) -> Ran:
        from nlptui.edits import Edit, UnfitEdit, with_pinned

        engine = self.engine_of(place)
        written = place.written_ids if engine.config.task == "translation" else None
        edits: list[tuple[str, Edit]] = []
        unfit: dict[str, str] = {}
        for text in place.edits:
            try:
                edits.append((text, Edit.parse(text)))
            except UserError as error:  # a file that is gone
                unfit[text] = str(error)
        a = self.trace(place.pinned) if place.pinned is not None and place.patches else None
        while True:
            try:
                made = tuple(edit for _text, edit in edits)
                made = made if a is None else with_pinned(made, a)
                trace = engine.trace(place.sentence, pair=place.pair, edits=made, target=written)
                return Ran(trace, unfit)
            except UnfitEdit as error:
                fallen = {text: str(error) for text, edit in edits if edit == error.edit}
                if not fallen:
                    raise
                unfit |= fallen
                edits = [(text, edit) for text, edit in edits if text not in fallen]

    # what is shown

    def show(self, place: Place) -> Shown:
        """Everything that the explorer draws of `place`; without a model, that of the one to begin with."""
        from nlptui.views import VIEWS

        place = with_model(place, place.model or first_model())
        engine, ran = self.engine_of(place), self.ran(place)
        trace = ran.trace
        fitting = [view for view in VIEWS.values() if view.applies(engine.config)]
        view = _view(fitting, place.view)
        layers, heads, choices = view.layers(trace), view.heads(trace), view.choices(trace)
        positions = _positions(trace)
        position = max(0, min(place.position if place.chosen else view.start(trace), positions - 1))
        here = replace(
            place,
            view=view.name,
            layer=min(place.layer, layers - 1),
            head=min(place.head, heads - 1),
            position=position,
            name=_choice(place.name, choices),
        )
        return Shown(
            place=here,
            model=_model(engine, fitting),
            figure=self._figure(view, here),
            layers=layers,
            heads=heads,
            choices=choices,
            tokens=self._tokens(trace, here),
            output=_untagged(_draw(VIEWS["output"], trace, here).parts),
            tree=self._tree(trace, here),
            reading=_reading(trace, position) if here.reading != "ids" else None,
            positions=positions,
            notices=tuple(self._notices(ran, place, view.name)),
            unfit=ran.unfit,
            editable=_kept(self._editable, place.model, MODELS_KEPT, lambda: engine.editable),
            seconds=trace.seconds,
        )

    def _tree(self, trace: Trace, place: Place) -> Tree:
        """What a run holds: the same object as long as it is the same run, so that nothing is drawn again."""
        from nlptui.views import VIEWS
        from nlptui.views.figure import Tree

        def grow() -> Tree:
            return next(part for part in _draw(VIEWS["tree"], trace, place).parts if isinstance(part, Tree))

        return _kept(self._trees, (place.run, language()), RUNS_KEPT, grow)

    def _figure(self, view: View, place: Place) -> Figure:
        from nlptui.views.compare import with_pinned

        figure = self._drawn(view, place, place)
        pinned = place.pinned
        if pinned is None:
            return figure
        return with_pinned(view, figure, self.trace(pinned), lambda: self._drawn(view, pinned, place.a_place))

    def _drawn(self, view: View, run: Place, place: Place) -> Figure:
        """The view of one run at `place`, with the analyses that it needs."""
        trace = self.trace(run)
        if run is place and place.pinned is not None:
            trace.pin(self.trace(place.pinned))
        engine = self.engine_of(run)
        state = _state(place, engine)
        needed = view.needs(trace, state)
        if needed:
            engine.analyse(trace, *needed, watch=self._watch)
        trace.beside = self._beside(view, trace, run, state)
        return view.draw(trace, state)

    def _beside(self, view: View, trace: Trace, run: Place, state: State) -> dict[str, Trace]:
        """The same text through the other models that a view shows, with the analyses that it needs."""
        from nlptui.engine.library import list_models

        if not view.shows_others or not trace.encoding.tokens:
            return {}
        names, found = view.beside(trace, list_models(), state), {}
        for number, name in enumerate(names):
            self._watch(number, len(names))
            other = found[name] = self.trace(beside(run, name, trace.model))
            if needed := view.needs(other, state):
                other.engine.analyse(other, *needed, watch=self._watch)
        return found

    def _tokens(self, trace: Trace, place: Place) -> Tokens:
        """The model's own tokens, or those of the second tokenizer."""
        from nlptui.views.tokens import own_row, token_row

        if place.tokenizer and place.tokenizer != place.model:
            encoding = self._tokenizer(place.tokenizer).encode(place.sentence, place.pair)
            return token_row(_("tokens of {name}").format(name=place.tokenizer), encoding)
        return _tagged(own_row(trace), trace.output)

    def _tokenizer(self, name: str) -> Any:
        from nlptui.engine.tokenizer import find_tokenizer

        return _kept(self._tokenizers, name, MODELS_KEPT, lambda: find_tokenizer(name))

    def _notices(self, ran: Ran, place: Place, view: str) -> list[str]:
        trace, said = ran.trace, []
        if len(place.text) > TEXT_LIMIT:
            said.append(
                _("The text has {n} characters; the explorer reads the first {limit}.").format(
                    n=len(place.text), limit=TEXT_LIMIT
                )
            )
        if trace.truncated:
            context = trace.config.context if trace.config else 0
            said.append(
                _("Too long for the context of {context} tokens; what is used ends at “{end}”.").format(
                    context=context, end=visible(_used(trace)[-20:])
                )
            )
        if place.view and place.view != view:
            words = _("{model} has nothing to show in the view {view}; this is another one.")
            said.append(words.format(model=visible(trace.model), view=visible(place.view)))
        if place.tokenizer and place.tokenizer != place.model:
            said.append(_("The tokens on top are those of {name}.").format(name=visible(place.tokenizer)))
        if made := [edit for edit in place.edits if edit not in ran.unfit]:
            said.append(_("edited: {edits}").format(edits="  ".join(map(visible, made))))
        if ran.unfit:
            words = _("out of force here, E says why: {reasons}")
            said.append(words.format(reasons="  ".join(ran.unfit.values())))
        if place.pooling and place.pooling in getattr(trace.config, "poolings", ()):
            said.append(_("pooled by: {name}").format(name=visible(place.pooling)))
        if place.off:
            said.append(_("switched off: {edits}").format(edits="  ".join(map(visible, place.off))))
        return said

    # one token more, one less

    def write_on(self, place: Place, token: int | None) -> Written:
        """One token after what is there: `token`, or the one that sampling chooses."""
        engine, trace = self.engine_of(place), self.trace(place)
        step = engine.next_step(trace, place.sampling, token)
        if step is None:
            return Written(place, ended=True)
        if engine.config.task != "translation":
            return Written(replace(place, text=place.sentence + step.text))
        before = () if place.written is None else place.written_ids or ()
        return Written(replace(place, written=",".join(map(str, (*before, step.id)))))

    def back(self, place: Place) -> Written:
        """The last token taken back."""
        engine, trace = self.engine_of(place), self.trace(place)
        if engine.config.task == "translation":
            ids = place.written_ids
            if ids is None:
                ids = tuple(token["id"] for token in trace.output["tokens"])
            return Written(replace(place, written=",".join(map(str, ids[:-1]))), ended=not ids)
        spans = [span for span in trace.encoding.offsets if span is not None]
        if not spans:
            return Written(place, ended=True)
        return Written(replace(place, text=place.sentence[: spans[-1][0]]))

    # how a number was made

    def explain(self, place: Place, origin: Origin) -> Explained:
        """The derivation of one number, and what its indices stand for."""
        run = place.pinned if origin.trace == 0 and place.pinned is not None else place
        if origin.trace > 1:
            here = self.trace(place)
            run = beside(place, list(here.beside)[origin.trace - 2], here.model)
        trace = self.trace(run)
        index = origin.index or (0,) * len(trace[origin.name].shape)
        derivation = self.engine_of(run).explain(trace, origin.name, index)
        return Explained(
            origin=replace(origin, index=index),
            derivation=derivation,
            where=where(trace, origin.name, index),
            wheres=tuple(where(trace, term.name, term.index) for term in derivation.terms),
            kind=trace[origin.name].kind,
        )

    def explain_difference(self, place: Place, a: Origin, b: Origin) -> Explained:
        """A number of the run A minus one of B: two terms, each of which opens in its own run."""
        from nlptui.engine.explain import Derivation, Term

        made = [self.explain(place, origin) for origin in (a, b)]
        terms = tuple(
            Term(each.derivation.name, each.derivation.index, each.derivation.value, factor, kind=each.kind)
            for each, factor in zip(made, (1.0, -1.0), strict=True)
        )
        value = terms[0].value - terms[1].value
        return Explained(
            origin=a,
            derivation=Derivation(DIFFERENCE, (), value, value, "", DIFFERENCE, terms, sums=True),
            where="",
            wheres=tuple(f"{run}  {each.where}" for run, each in zip("AB", made, strict=True)),
            kind="",
            traces=(a.trace, b.trace),
        )


def beside(place: Place, model: str, here: str) -> Place:
    """The same sentence in another model, with nothing changed in it; in the model `here`, the same run
    without its edits.
    """
    if model == here:
        return replace(place, edits=(), pinned=None)
    return replace(place, model=model, text=place.sentence, edits=(), written=None, pooling="", pinned=None)


def first_model() -> str:
    """The model to begin with: the default one if it knows the reader's language, or else one that does."""
    from nlptui.engine.library import default_model, list_models

    usable = {entry.name: entry for entry in list_models() if not entry.problem}
    default = default_model()
    if usable[default].language == language():
        return default
    fitting = [entry for entry in usable.values() if entry.language == language()]
    fitting.sort(key=lambda entry: (entry.task != "tagging", entry.arch != "lstm"))
    return fitting[0].name if fitting else default


def where(trace: Trace, name: str, index: tuple[int, ...]) -> str:
    """What an index stands for, in words: `query=cat key=the unit=5`."""
    activation = trace[name]
    if activation.kind == "parameter" or len(index) != len(activation.axes):
        return ""
    found = []
    for axis, i in zip(activation.axes, index, strict=True):
        if axis != "batch":
            found.append(f"{axis}={visible(trace.labels(name, axis)[i])}")
    return "  ".join(found)


def _positions(trace: Trace) -> int:
    """Tokens of the text, or of a translator's decoder where it has more of them."""
    target = trace.inputs.get("target_ids")
    return max(len(trace.encoding.tokens), 0 if target is None else target.shape[1])


def _used(trace: Trace) -> str:
    """The part of the text that the model read."""
    ends = [span[1] for span in trace.encoding.offsets if span is not None]
    return str(trace.encoding.text)[: max(ends, default=0)]


def _tagged(tokens: Tokens, output: dict[str, Any]) -> Tokens:
    """The tokens with the tags that the model gave them, where there is one for each."""
    tags = output.get("tags", ())
    if len(tags) != len(tokens.tokens):
        return tokens
    both = zip(tokens.tokens, tags, strict=True)
    return replace(tokens, tokens=tuple(replace(t, tag=tag["tag"], prob=tag["prob"]) for t, tag in both))


def _untagged(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The output without the tags, which stand under the tokens already."""
    from nlptui.views.figure import Tokens

    return tuple(p for p in parts if not (isinstance(p, Tokens) and any(t.tag is not None for t in p.tokens)))


def _kept(shelf: OrderedDict[K, V], key: K, limit: int, make: Callable[[], V]) -> V:
    """What `shelf` holds under `key`, made if needed; the one unused for longest goes."""
    if key not in shelf:
        shelf[key] = make()
        while len(shelf) > limit:
            shelf.popitem(last=False)
    shelf.move_to_end(key)
    return shelf[key]


def _view(fitting: list[View], name: str) -> View:
    """The view asked for if the model has it, otherwise the one that shows most."""
    named = {view.name: view for view in fitting}
    return next(named[n] for n in (name, *EARLIEST, *named) if n in named)


def _choice(name: str | None, choices: tuple[str, ...]) -> str | None:
    """The choice that was asked for; in place of LAST_CHOICE the last one, where choices are walked."""
    if name != LAST_CHOICE:
        return name
    return choices[-1] if 0 < len(choices) <= WALKED_CHOICES else None


def _state(place: Place, engine: Engine | None = None) -> State:
    from nlptui.views.view import State

    by: Literal["row", "table"] = "row" if place.by == "row" else "table"
    target = engine.target(place.target) if place.target and engine is not None else None
    return State(place.layer, place.head, place.position, place.name, by, target, place.mark, place.sampling)


def _draw(view: View, trace: Trace, place: Place) -> Figure:
    return view.draw(trace, _state(place))


def _model(engine: Engine, fitting: list[View]) -> Model:
    config = engine.config
    views = tuple(ViewName(view.name, view.title, view.group) for view in fitting)
    parameters = sum(p.numel() for p in engine.model.parameters())
    return Model(
        visible(engine.name), config.arch, config.task, config.language, parameters, config.context, views,
        engine.poolings, engine.pooling,
    )  # fmt: skip


def _reading(trace: Trace, position: int) -> Reading | None:
    """The chosen token as one-hot vector and as row of its embedding matrix; None for an empty text."""
    from nlptui.views.embedding import groups, matrix_of

    if not trace.encoding.tokens:
        return None
    found = groups(trace)
    name = matrix_of(trace, found[0] + "token_embed") if found else None
    if name is None:
        return None
    matrix = trace.array(name)
    position = min(position, len(trace.encoding.ids) - 1)
    token = trace.encoding.ids[position]
    return Reading(
        visible(trace.encoding.tokens[position]), token, len(matrix), visible(name),
        tuple(map(float, matrix[token][:READING_SHOWN])), matrix.shape[1],
    )  # fmt: skip

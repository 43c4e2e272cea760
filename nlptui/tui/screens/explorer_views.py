"""What the explorer's keys do about the sentence, the model and the views.

A mixin of `ExplorerScreen`; what a key means stands in `walk`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlptui.locale import _
from nlptui.tui import walk
from nlptui.tui.examples import example, is_example
from nlptui.tui.panes.figure_pane import FigurePane
from nlptui.tui.place import Place
from nlptui.tui.widgets.prompt import Prompt
from nlptui.tui.widgets.token_row import TokenRow
from nlptui.tui.widgets.trace_tree import TraceTree
from nlptui.views.figure import Bars

if TYPE_CHECKING:
    from nlptui.tui.screens.explorer import ExplorerScreen


class ViewActions:
    """Sentence, model, tokenizer, views, layers, heads, tokens, search."""

    place: Place
    _opening: Place | None

    # the sentence

    def action_edit_text(self: ExplorerScreen) -> None:
        """To the prompt."""
        self.query_one(Prompt).focus()

    def action_leave_text(self: ExplorerScreen) -> None:
        """Back to the view, from wherever the keyboard is; there, cancel what takes long."""
        if self.working and not self.query_one(Prompt).has_focus:
            self.nlptui.engine.cancel("show")
        self.focus_view()

    def focus_view(self: ExplorerScreen) -> None:
        """Give the keyboard to the view."""
        self.query_one("#figure", FigurePane).take_focus()
        self.draw_readout()

    def action_example(self: ExplorerScreen) -> None:
        """A sentence made for this model; the one before stays in the prompt's history."""
        if self.shown is None:
            return
        model = self.shown.model
        text = example(self.place.model, model.task, model.language)
        if not is_example(self.place.text):
            self.nlptui.remember_text(self.place.text)
        self.go(replace(self.place, text=text, written=None, position=0, chosen=False))

    def action_choose_model(self: ExplorerScreen) -> None:
        """Open the list of models."""
        from nlptui.tui.screens.models import ModelsScreen

        def chosen(name: str | None) -> None:
            if name:
                # Edits name what another model may not have.
                same = name == self.place.model
                kept: dict[str, Any] = {} if same else {"edits": (), "off": (), "target": "", "pooling": ""}
                self.writing = False
                self.go(replace(self.place, model=name, text=self.text_for(name), written=None, **kept))

        self.app.push_screen(ModelsScreen(self.place.model, self.nlptui.models), chosen)

    def action_next_pooler(self: ExplorerScreen) -> None:
        """The next pooler of a classifier that has several."""
        if self.shown is None:
            return
        model = self.shown.model
        if len(model.poolings) < 2:
            self.say(_("This model has no other pooler to change to."))
            return
        here = self.place.pooling or model.pooling
        at = model.poolings.index(here) if here in model.poolings else -1
        name = model.poolings[(at + 1) % len(model.poolings)]
        pinned = self.place.pinned
        if pinned is not None and pinned.model == self.place.model and not pinned.pooling:
            pinned = replace(pinned, pooling=here)  # it stays with what it had
        self.go(replace(self.place, pooling=name, pinned=pinned))
        self.say(_("The text is pooled by {name}.").format(name=name))

    def text_for(self: ExplorerScreen, model: str) -> str:
        """The text for another model: the same, but an example gives way to one for that model.

        Beside a pinned run it stays, for two models are compared on one text.
        """
        entry = next((entry for entry in self.nlptui.models or () if entry.name == model), None)
        if entry is None or self.place.pinned is not None or not is_example(self.place.text):
            return self.place.text
        return example(entry.name, entry.task, entry.language)

    def action_choose_tokenizer(self: ExplorerScreen) -> None:
        """Open the list of tokenizers."""
        from nlptui.tui.screens.models import TokenizersScreen

        def chosen(name: str | None) -> None:
            if name is not None:
                self.go(replace(self.place, tokenizer="" if name == self.place.model else name))

        present = self.place.tokenizer or self.place.model
        self.app.push_screen(TokenizersScreen(present, self.nlptui.models), chosen)

    def action_tokenizer_bench(self: ExplorerScreen) -> None:
        """All tokenizers on this sentence."""
        from nlptui.tui.screens.tokenizers import TokenizersScreen

        self.app.push_screen(TokenizersScreen(self.place.sentence, self.place.tokenizer or self.place.model))

    def action_next_reading(self: ExplorerScreen) -> None:
        """The token as its id, one-hot vector, embedding row."""
        self.go(walk.next_reading(self.place))

    def action_previous_token(self: ExplorerScreen) -> None:
        """The token before."""
        self.token_chosen(self.place.position - 1)

    def action_next_token(self: ExplorerScreen) -> None:
        """The token after."""
        self.token_chosen(self.place.position + 1)

    def action_mark(self: ExplorerScreen) -> None:
        """Begin a span at the chosen token, or forget it."""
        if self.place.mark is None:
            self.go(replace(self.place, mark=self.place.position))
            self.say(
                _("A span begins at token {n}; choose the token where it ends.").format(n=self.place.position)
            )
        else:
            self.go(replace(self.place, mark=None))
            self.say(_("No span is marked."))

    # the views

    def action_group(self: ExplorerScreen, number: int) -> None:
        """The first view of a group; again: the next one of it."""
        if self.shown is None:
            return
        place = walk.to_group(self.standing(), number)
        if place is None:
            self.say(_("This model has no views in group {n}.").format(n=number))
        elif place == self.place:
            self.only_view()
        else:
            self.go(place, remember=True)
            self.focus_view()

    def action_next_view(self: ExplorerScreen) -> None:
        """The next stop of the group."""
        self.walk_views(1)

    def action_previous_view(self: ExplorerScreen) -> None:
        """The stop before."""
        self.walk_views(-1)

    def walk_views(self: ExplorerScreen, step: int) -> None:
        """The next or the previous stop of the group."""
        if self.shown is None:
            return
        place = walk.next_view(self.standing(), step)
        if place == self.place:
            self.only_view()
        else:
            self.go(place, remember=True)

    def only_view(self: ExplorerScreen) -> None:
        """There is nothing to walk to."""
        self.say(_("This is the only view of its group; 1 … 9 open the others."))
        self.focus_view()

    def action_view_back(self: ExplorerScreen) -> None:
        """The view before this one, with its cursor where it was."""
        if self.back:
            place = self.back.pop()
            kept = replace(self.place, view=place.view, name=place.name, layer=place.layer, head=place.head)
            self.open_at(replace(kept, part=place.part, row=place.row, col=place.col))

    def open_at(self: ExplorerScreen, place: Place) -> None:
        """Go to a place and put the cursor where it says."""
        self._opening = place
        self.go(place)

    def action_layer_down(self: ExplorerScreen) -> None:
        """A layer down."""
        self.step(walk.to_layer, -1, _("This is the lowest layer."))

    def action_layer_up(self: ExplorerScreen) -> None:
        """A layer up."""
        self.step(walk.to_layer, 1, _("This is the highest layer."))

    def action_head_before(self: ExplorerScreen) -> None:
        """A head or direction back."""
        self.step(walk.to_head, -1, _("This is the first one."))

    def action_head_after(self: ExplorerScreen) -> None:
        """A head or direction on."""
        self.step(walk.to_head, 1, _("This is the last one."))

    def step(self: ExplorerScreen, walked: object, step: int, end: str) -> None:
        """Layer or head by one; `end` says why nothing happens at the end."""
        if self.shown is None:
            return
        place = walked(self.standing(), step)  # type: ignore[operator]
        if place == self.place:
            self.say(end)
        else:
            self.go(place)

    def action_next_part(self: ExplorerScreen) -> None:
        """The next table of the view."""
        pane = self.active_pane()
        pane.choose(pane.current + 1)
        self.part_changed(pane)

    def action_previous_part(self: ExplorerScreen) -> None:
        """The table before."""
        pane = self.active_pane()
        pane.choose(pane.current - 1)
        self.part_changed(pane)

    def part_changed(self: ExplorerScreen, pane: FigurePane) -> None:
        """Another table is current."""
        if pane.id == "figure":
            row, col = pane.cell
            self.place = replace(self.place, part=pane.current, row=row, col=col)
        self.draw_readout()

    def action_show_output(self: ExplorerScreen) -> None:
        """To the answer beside the view."""
        pane = self.query_one("#output", FigurePane)
        if pane.display and self.query_one("#answer").display:
            pane.take_focus()
            self.draw_readout()

    def action_choose_target(self: ExplorerScreen) -> None:
        """Ask about the token or label under the cursor of the output; elsewhere, the likeliest again."""
        pane = self.active_pane()
        origin = self.origin() if pane.id == "output" else None
        if origin is None or origin.name.rsplit(".", 1)[-1] not in ("probs", "logits", "emission"):
            self.go(replace(self.place, target=""))
            self.say(_("Attribution and the like ask about the likeliest answer."))
            return
        position = origin.index[1] if len(origin.index) > 2 else self.place.position
        self.go(replace(self.place, target=str(origin.index[-1]), position=position, chosen=True))
        part = pane.box.part if pane.box else None
        label = part.labels[pane.cell[0]] if isinstance(part, Bars) else str(origin.index[-1])
        self.say(_("Attribution and the like ask about {answer}.").format(answer=_quoted(label)))

    def action_widen(self: ExplorerScreen) -> None:
        """The view alone, or with tree and output beside it."""
        self.toggle_class("-widened")
        if self.active_pane().id == "output":
            self.focus_view()

    def action_scale_by(self: ExplorerScreen) -> None:
        """Colours by row or by table."""
        by = "table" if self.place.by == "row" else "row"
        self.go(replace(self.place, by=by))
        self.say(
            _("Colours compare within each row.")
            if by == "row"
            else _("Colours compare within the whole table.")
        )

    def action_switch_digits(self: ExplorerScreen) -> None:
        """Numbers or shades, in every table on screen."""
        self.shades = not self.shades
        for pane in self.query(FigurePane):
            pane.draw_as(self.shades)

    def action_show_tree(self: ExplorerScreen) -> None:
        """To the tree beside the view; where there is no room for it, to the view that shows it."""
        tree = self.query_one("#tree", TraceTree)
        if tree.display and tree.region.width:
            tree.focus()
        elif self.shown is not None:
            self.go(walk.to_view(self.place, "tree"), remember=True)

    # searching

    def action_find(self: ExplorerScreen) -> None:
        """Ask what to look for."""
        from nlptui.tui.screens.find import FindScreen

        def asked(query: str | None) -> None:
            if query:
                self.sought = query
                self.seek(fresh=True)

        self.app.push_screen(FindScreen(self.sought), asked)

    def action_find_next(self: ExplorerScreen) -> None:
        """The next match."""
        self.seek()

    def action_find_previous(self: ExplorerScreen) -> None:
        """The match before."""
        self.seek(backwards=True)

    def seek(self: ExplorerScreen, fresh: bool = False, backwards: bool = False) -> None:
        """Move the cursor of the current table to what is sought."""
        widget: Any = self.focused if hasattr(self.focused, "search") else self.active_pane().widget
        if not self.sought or not hasattr(widget, "search"):
            return
        found = widget.search(self.sought) if fresh else widget.search_again(backwards=backwards)
        self.say("" if found else _("{text} is not in this table.").format(text=_quoted(self.sought)))

    def tokens_row(self: ExplorerScreen) -> TokenRow:
        """The tokens on top."""
        return self.query_one("#tokens", TokenRow)


def _quoted(text: str) -> str:
    from nlptui.text import visible

    return f"“{visible(text)}”"

"""What the explorer's keys do about writing: one token more, one less, another one, by itself, how to choose.

A mixin of `ExplorerScreen`. The workbench chooses the token; here the place only moves to what it answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.locale import _
from nlptui.sampling import Sampling
from nlptui.tui.once import once
from nlptui.tui.requests import WriteOn

if TYPE_CHECKING:
    from nlptui.tui.backend import Answer
    from nlptui.tui.screens.explorer import ExplorerScreen

PAUSE = 0.12
"""Seconds between two tokens that are written by themselves."""
SLOW = 0.5
"""The same where bytes are dear."""
WARMER = 0.1
TASKS = ("language_model", "translation")
SCORES = ("probs", "logits", "final", "scaled", "kept", "keep_k", "keep_p", "cumulative")
"""Kinds of values that stand for one token of the vocabulary each."""


class WritingActions:
    """Writing on, and taking back."""

    writing: bool = False
    """Whether tokens are written by themselves."""

    def writes(self: ExplorerScreen) -> bool:
        """Whether the model at hand writes text; says so where it does not."""
        if self.shown is None:
            return False
        if self.shown.model.task not in TASKS:
            self.say(_("This model writes no text; a language model or a translator does."))
            return False
        return True

    def action_write_token(self: ExplorerScreen) -> None:
        """One token more."""
        if self.writes():
            self.nlptui.engine.ask(WriteOn(self.place), self.written)

    def action_take_back(self: ExplorerScreen) -> None:
        """One token less."""
        if self.writes():
            self.writing = False
            self.nlptui.engine.ask(WriteOn(self.place, "back"), self.written)

    def action_write_this(self: ExplorerScreen) -> None:
        """The token under the cursor, whatever the model would choose."""
        if not self.writes():
            return
        origin = self.origin()
        if (
            origin is None
            or origin.trace > 1
            or not origin.index
            or origin.name.rsplit(".", 1)[-1] not in SCORES
        ):
            self.say(_("Put the cursor on a candidate for the next token."))
            return
        self.writing = False
        self.nlptui.engine.ask(WriteOn(self.place, token=origin.index[-1]), self.written)

    def action_auto_write(self: ExplorerScreen) -> None:
        """Token after token, until the same key again."""
        if self.writing:
            self.writing = False
            self.say(_("Stopped."))
        elif self.writes():
            self.writing = True
            self.action_write_token()

    def action_write_anew(self: ExplorerScreen) -> None:
        """Of a translator, nothing written; where that is so, the model's own translation."""
        if self.shown is None or self.shown.model.task != "translation":
            self.say(
                _("Only a translation can begin anew; of a text, take tokens back or edit the sentence.")
            )
            return
        self.writing = False
        self.go(replace(self.place, written=None if self.place.written == "" else ""))

    def written(self: ExplorerScreen, answer: Answer) -> None:
        """Go where the text is longer, or shorter; go on, if that is asked for."""
        if answer.error or answer.result.ended:
            self.writing = False
            back = answer.request.step == "back"
            words = _("There is nothing to take back.") if back else _("The model ends the text here.")
            self.say(answer.error or words)
            return
        place = answer.result.place
        position = len(place.written_ids or ())
        if place.written is None and self.shown is not None:
            position = len(self.shown.tokens.tokens)
        self.go(replace(self.place, text=place.text, written=place.written, position=position, chosen=True))
        if self.writing:
            once(self, SLOW if self.nlptui.low_bandwidth else PAUSE, self.write_by_itself)

    def write_by_itself(self: ExplorerScreen) -> None:
        """The next token, unless somebody stopped it or the text is still being run."""
        if not self.writing:
            return
        if self.working:
            once(self, PAUSE, self.write_by_itself)
        elif self.problem:
            self.writing = False
        else:
            self.action_write_token()

    def action_choose_sampling(self: ExplorerScreen) -> None:
        """Ask for temperature, top-k, top-p and seed."""
        from nlptui.tui.screens.sampling import SamplingScreen

        def chosen(sampling: Sampling | None) -> None:
            if sampling is not None:
                self.sample_by(sampling)

        self.app.push_screen(SamplingScreen(self.place.sampling), chosen)

    def action_cooler(self: ExplorerScreen) -> None:
        """A lower temperature."""
        self.warm(-WARMER)

    def action_warmer(self: ExplorerScreen) -> None:
        """A higher temperature."""
        self.warm(WARMER)

    def warm(self: ExplorerScreen, step: float) -> None:
        """Another temperature, in steps, not below 0."""
        now = self.place.sampling
        self.sample_by(replace(now, temperature=max(0.0, round(now.temperature + step, 3))))

    def sample_by(self: ExplorerScreen, sampling: Sampling) -> None:
        """Choose the next token so."""
        self.go(replace(self.place, sampling=sampling))
        words = _("temperature {t:g}, top-k {k}, top-p {p:g}, seed {s}")
        how = words.format(t=sampling.temperature, k=sampling.top_k or "–", p=sampling.top_p, s=sampling.seed)
        self.say(_("The next token is chosen with {how}.").format(how=how))

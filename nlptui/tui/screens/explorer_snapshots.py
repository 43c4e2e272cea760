"""What the explorer's keys do with the snapshots of a run: walk over them, or follow a model that learns.

A mixin of `ExplorerScreen`. View, layer, head and cursor stay where they are; only the weights change. Which
snapshots there are, the clerk looks up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.answers import Snapshots
from nlptui.tui.panes.run_panel import ALIVE, STATES, RunPanel
from nlptui.tui.panes.words import Word
from nlptui.tui.requests import ListSnapshots
from nlptui.tui.snapshots import beside, marks, run_of

if TYPE_CHECKING:
    from textual.timer import Timer

    from nlptui.tui.backend import Answer
    from nlptui.tui.screens.explorer import ExplorerScreen

LOOK, LOOK_SLOWLY = 0.5, 2.0
"""Seconds between two looks for a new snapshot; the second on a slow line."""


class SnapshotActions:
    """Older, newer, and follow."""

    snapshots: Snapshots | None = None
    """Those of the run that the model on screen belongs to."""
    following: str = ""
    """The run whose newest snapshot is shown, whenever there is a new one; empty: none."""
    _sentence: str = ""
    """What the explorer is to show of the run that is followed from now on; empty: what it shows already."""
    _stride: int = 0
    """Steps over the snapshots that keys have asked for since the last list."""
    _left_model: str = ""
    """The model that was on screen when the run was looked at last: another one ends the following."""
    _follow_timer: Timer | None = None

    def action_older_snapshot(self: ExplorerScreen) -> None:
        """The weights before."""
        self.walk_snapshots(-1)

    def action_newer_snapshot(self: ExplorerScreen) -> None:
        """The weights after."""
        self.walk_snapshots(1)

    def walk_snapshots(self: ExplorerScreen, step: int) -> None:
        """Ask for the list, and go `step` further when it is there."""
        here = run_of(self.place.model)
        if here is None:
            self.say(_("This model is none of a run's; M opens the newest checkpoint of the chosen run."))
            return
        self.end_following()
        self._stride += step
        self.nlptui.clerk.ask(ListSnapshots(here[0]), self.snapshots_seen)

    def action_follow_run(self: ExplorerScreen) -> None:
        """Show the newest snapshot of a run whenever there is a new one; or no more."""
        if self.following:
            name = self.following
            self.end_following()
            self.say(_("{name} is followed no more.").format(name=visible(name)))
            self.draw_notice()
            return
        here = run_of(self.place.model)
        name = here[0] if here else self.query_one(RunPanel).chosen
        if not name:
            self.say(_("There is no training run; t starts one."))
            return
        self.begin_following(name)

    def begin_following(self: ExplorerScreen, name: str, sentence: str = "") -> None:
        """Show the newest snapshot of the run `name` from now on, with `sentence` if there is one."""
        self.end_following()
        self.following, self._left_model, self._sentence = name, self.place.model, sentence
        pause = LOOK_SLOWLY if self.nlptui.low_bandwidth else LOOK
        self._follow_timer = self.set_interval(pause, self.look_for_snapshot)
        self.look_for_snapshot()

    def look_for_snapshot(self: ExplorerScreen) -> None:
        """Ask whether there is a newer one; not while the last is still on its way to the screen."""
        if self.place.model != self._left_model:  # somebody has opened another model
            self.end_following()
            self.draw_notice()
        elif not self.working:
            self.nlptui.clerk.ask(ListSnapshots(self.following), self.snapshots_seen)

    def end_following(self: ExplorerScreen) -> None:
        """Let the screen stay as it is."""
        self.following = ""
        if self._follow_timer is not None:
            self._follow_timer.stop()
            self._follow_timer = None

    def snapshots_seen(self: ExplorerScreen, answer: Answer) -> None:
        """The list is there: go where the keys, or the run that is followed, have led to."""
        stride, self._stride = self._stride, 0
        if answer.error:
            self.no_snapshots(answer.error, asked=bool(stride or self.following))
            return
        self.snapshots = answer.result
        if self.following == self.snapshots.run:
            self.follow(self.snapshots)
        elif stride:
            self.step_over(self.snapshots, stride)
        self.draw_notice()

    def no_snapshots(self: ExplorerScreen, error: str, asked: bool) -> None:
        """There is no such run any more; whoever did not ask need not hear of it."""
        here = run_of(self.place.model)
        self.snapshots = Snapshots(here[0], (), (), "lost", 0) if here else None
        self.end_following()
        if asked:
            self.say(error)
        self.draw_notice()

    def follow(self: ExplorerScreen, found: Snapshots) -> None:
        """To the newest; a run that has ended is followed to its end."""
        here = run_of(self.place.model)
        if found.steps and (here is None or here != (found.run, found.steps[-1])):
            text = self._sentence or self.place.text
            self.go(replace(self.place, model=found.folders[-1], text=text))
            self._left_model, self._sentence = self.place.model, ""
        if found.state not in ALIVE:
            self.end_following()
            words = _("{name}: {state}; these are its last weights.")
            if not found.steps:
                words = _("{name}: {state}; it has kept no weights.")
            self.say(words.format(name=visible(found.run), state=_(STATES.get(found.state, found.state))))

    def step_over(self: ExplorerScreen, found: Snapshots, stride: int) -> None:
        """To a snapshot before or after the present one."""
        here = run_of(self.place.model)
        if here is None or here[0] != found.run:
            return
        step = beside(found.steps, here[1], stride)
        if step == here[1]:
            self.say(_("This is the newest snapshot.") if stride > 0 else _("This is the oldest snapshot."))
            return
        self.go(replace(self.place, model=found.folders[found.steps.index(step)]))

    def snapshot_words(self: ExplorerScreen) -> list[Word]:
        """The run, the step, and the snapshots around it; nothing for a model that is none of a run's."""
        here, found = run_of(self.place.model), self.snapshots
        if self.following and (here is None or here[0] != self.following):
            waits = _("following {name}: it has kept no weights yet")
            return [Word(f"● {waits.format(name=visible(self.following))}  ", "special")]
        if here is None or found is None or found.run != here[0]:
            return []
        sign = f"● {_('following')} " if self.following else ""
        total = f"/{found.total}" if found.total else ""
        head = f"{sign}{visible(found.run)}  {_('step {step}').format(step=f'{here[1]}{total}')}  "
        return [
            Word(head, "special"),
            Word(f"{marks(found.steps, here[1], max(8, self.size.width - len(head) - 6))}  ", "accent"),
        ]

    def notice_snapshots(self: ExplorerScreen) -> None:
        """A model of a run is on screen: look up which snapshots there are, once for each run."""
        here = run_of(self.place.model)
        if here is not None and (self.snapshots is None or self.snapshots.run != here[0]):
            self.nlptui.clerk.ask(ListSnapshots(here[0]), self.snapshots_seen)

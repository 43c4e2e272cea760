"""What the explorer's keys do about training: start, watch, stop, resume, open what was trained.

A mixin of `ExplorerScreen`. Looks at the run files through the clerk, twice a second at most, and only while
it matters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.once import once
from nlptui.tui.panes.run_panel import RunPanel
from nlptui.tui.requests import LookAtRuns, SteerRun

if TYPE_CHECKING:
    from textual.timer import Timer

    from nlptui.tui.backend import Answer
    from nlptui.tui.screens.explorer import ExplorerScreen

BUSY, IDLE, SLOW = 0.5, 3.0, 2.0
"""Seconds between two looks: while a run goes on, while none does, while one does on a slow line."""


class RunActions:
    """The run panel and its keys."""

    _look: Timer | None

    def look_at_runs(self: ExplorerScreen) -> None:
        """Ask for the state of the runs."""
        panel = self.query_one(RunPanel)
        self.nlptui.clerk.ask(LookAtRuns(panel.chosen, panel.lines_seen), self.runs_seen)

    def runs_seen(self: ExplorerScreen, answer: Answer) -> None:
        """Draw what changed, and look again later."""
        panel = self.query_one(RunPanel)
        if not answer.error:
            panel.show(answer.result)
        pause = (SLOW if self.nlptui.low_bandwidth else BUSY) if panel.any_alive else IDLE
        if self._look is not None:
            self._look.stop()
        self._look = once(self, pause, self.look_at_runs)

    def action_train(self: ExplorerScreen) -> None:
        """Open the dialog that starts a run."""
        from nlptui.tui.screens.train import TrainScreen

        def started(name: str | None) -> None:
            if name:
                panel = self.query_one(RunPanel)
                panel.turn_to(name)
                if not self.runs_open:
                    self.runs_open = panel.toggle()
                self.say(
                    _("{name} trains in the background, also when this program has ended.").format(
                        name=visible(name)
                    )
                )
                self.look_at_runs()

        self.app.push_screen(TrainScreen(), started)

    def action_studio(self: ExplorerScreen) -> None:
        """Open the studio, at the run that is chosen here."""
        from nlptui.tui.screens.studio import StudioScreen
        from nlptui.tui.screens.studio_control import Follow, ModelOf

        def left(to: ModelOf | Follow | None) -> None:
            match to:
                case ModelOf(folder=folder):
                    self.go(replace(self.place, model=folder))
                case Follow(run=run, sentence=sentence):
                    self.query_one(RunPanel).turn_to(run)
                    self.begin_following(run, sentence)
            self.look_at_runs()

        self.app.push_screen(StudioScreen(self.query_one(RunPanel).chosen), left)

    def action_show_runs(self: ExplorerScreen) -> None:
        """Open or close the panel."""
        self.runs_open = self.query_one(RunPanel).toggle()
        self.query_one(RunPanel).draw()
        self.look_at_runs()

    def action_next_run(self: ExplorerScreen) -> None:
        """The next run of the list."""
        self.choose_run(1)

    def action_previous_run(self: ExplorerScreen) -> None:
        """The run before."""
        self.choose_run(-1)

    def choose_run(self: ExplorerScreen, step: int) -> None:
        """Another run, and its curve."""
        self.query_one(RunPanel).choose(step)
        self.look_at_runs()

    def open_run_named(self: ExplorerScreen, name: str) -> None:
        """Choose a run by its name (a click on it)."""
        self.query_one(RunPanel).chosen = name
        self.look_at_runs()

    def action_stop_run(self: ExplorerScreen) -> None:
        """Ask the chosen run to save and stop."""
        self.steer("stop", _("{name} saves and stops."))

    def action_resume_run(self: ExplorerScreen) -> None:
        """Go on with the chosen run."""
        self.steer("resume", _("{name} goes on."))

    def steer(self: ExplorerScreen, verb: str, sentence: str) -> None:
        """Tell the chosen run, and say what came of it."""
        name = self.query_one(RunPanel).chosen
        if not name:
            self.say(_("There is no training run; t starts one."))
            return

        def done(answer: Answer) -> None:
            self.say(answer.error or sentence.format(name=visible(name)))
            self.look_at_runs()

        self.nlptui.clerk.ask(SteerRun(name, verb), done)

    def action_open_run(self: ExplorerScreen) -> None:
        """Open the newest checkpoint of the chosen run."""
        from nlptui.paths import runs_dir

        status = self.query_one(RunPanel).status
        if status is None or not status.latest:
            self.say(_("This run has saved no model yet."))
            return
        folder = (
            runs_dir()
            / status.name
            / (status.best if status.state == "done" and status.best else status.latest)
        )
        self.go(replace(self.place, model=str(folder)))

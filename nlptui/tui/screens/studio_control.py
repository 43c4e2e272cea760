"""What the studio's keys do to runs: pause, resume, stop, cancel, delete, fork, keep, start, export, open.

A mixin of `StudioScreen`. The clerk does the work; this asks, and says what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlptui.locale import _
from nlptui.text import visible
from nlptui.tui.panes.run_panel import ALIVE, state_words
from nlptui.tui.requests import SteerRun, Write
from nlptui.tui.screens.studio_dialogs import AskScreen, ExperimentsScreen, FormField, FormScreen
from nlptui.tui.studio_desk import ForkRun, KeepRun, StartExperiment, WriteExperiment
from nlptui.wording import metric_words

if TYPE_CHECKING:
    from nlptui.tui.backend import Answer
    from nlptui.tui.screens.studio import StudioScreen


@dataclass(frozen=True)
class ModelOf:
    """What the explorer is to show next: a model's folder."""

    folder: str


@dataclass(frozen=True)
class Follow:
    """What the explorer is to show next: the newest weights of a run, on the run's own sentence."""

    run: str
    sentence: str


class StudioControl:
    """The keys that change something."""

    def steer(self: StudioScreen, verb: str, sentence: str) -> None:
        """Tell the chosen run, and say what came of it."""
        name = self.need_run()
        if name:
            self.nlptui.clerk.ask(SteerRun(name, verb), self.said(sentence.format(name=visible(name))))

    def said(self: StudioScreen, sentence: str) -> Callable[[Answer], None]:
        """What to do with an answer: say `sentence` or why not, and look again."""

        def done(answer: Answer) -> None:
            if self.stands:
                self.say(f"✗ {answer.error}" if answer.error else sentence)
                self.look()

        return done

    def need_run(self: StudioScreen) -> str:
        """The chosen run's name; where there is none, say so."""
        if self.run is None:
            self.say(_("There is no training run; t starts one."))
            return ""
        return self.chosen

    def need_training(self: StudioScreen) -> str:
        """The chosen run's name; where it trains no model, say so."""
        name = self.need_run()
        if name and self.studio is not None and name in self.studio.experiments:
            self.say(_("{name} is an experiment: it trains no model").format(name=visible(name)))
            return ""
        return name

    def action_studio_pause(self: StudioScreen) -> None:
        """Let the run wait."""
        self.steer("pause", _("{name} waits; r goes on."))

    def action_studio_resume(self: StudioScreen) -> None:
        """Go on."""
        self.steer("resume", _("{name} goes on."))

    def action_studio_stop(self: StudioScreen) -> None:
        """Save and stop."""
        self.steer("stop", _("{name} saves and stops."))

    def action_studio_cancel(self: StudioScreen) -> None:
        """End at once, if one is sure; of a run that has ended there is nothing to ask."""
        run = self.run
        if run is not None and run.state not in ALIVE:
            words = _("{name} is {state}: {otherwise}")
            state, otherwise = state_words(run), _("there is nothing to stop")
            self.say("✗ " + words.format(name=visible(run.name), state=state, otherwise=otherwise))
            return
        words = _("End {name} at once? What it did since its last checkpoint is lost.")
        self.sure(words, "cancel", _("{name} has ended."))

    def action_studio_delete(self: StudioScreen) -> None:
        """Delete, if one is sure."""
        words = _("Delete {name} with all its checkpoints and curves?")
        self.sure(words, "remove", _("{name} is deleted."))

    def sure(self: StudioScreen, question: str, verb: str, sentence: str) -> None:
        """Ask, then tell the run that was chosen when it was asked."""
        name = self.need_run()
        if not name:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                said = self.said(sentence.format(name=visible(name)))
                self.nlptui.clerk.ask(SteerRun(name, verb), said)

        self.app.push_screen(AskScreen(question.format(name=visible(name))), answered)

    def action_studio_fork(self: StudioScreen) -> None:
        """A new run from a checkpoint of this one."""
        name = self.need_training()
        if not name or self.studio is None:
            return
        steps = self.studio.facts.checkpoints
        if not steps:
            self.say(_("{name} has saved no checkpoint to fork from.").format(name=visible(name)))
            return
        fields = (
            FormField("step", _("step"), str(steps[-1]), " ".join(map(str, steps[-12:])), number=True),
            FormField("settings", _("changed settings"), "", "train.learning_rate=0.001 train.steps=500"),
            FormField("name", _("name of the new run"), "", f"{name}-fork"),
        )

        def answered(form: dict[str, str] | None) -> None:
            if form is None:
                return
            step = int(form["step"]) if form["step"] else None
            request = ForkRun(name, step, tuple(form["settings"].split()), form["name"])
            self.nlptui.clerk.ask(request, self.started)

        title = _("Fork {name}: train on from a checkpoint with other settings").format(name=visible(name))
        self.app.push_screen(FormScreen(title, fields), answered)

    def started(self: StudioScreen, answer: Answer) -> None:
        """A new run is there: choose it."""
        if not self.stands:
            return
        if answer.error:
            self.say(f"✗ {answer.error}")
            return
        self.turn_to(answer.result)

    def turn_to(self: StudioScreen, name: str) -> None:
        """Choose the run that was started a moment ago."""
        self.end_filter()
        self.chosen = name
        words = _("{name} trains in the background, also when this program has ended.")
        self.say(words.format(name=visible(name)))
        self.look()

    def action_studio_keep(self: StudioScreen) -> None:
        """Make the run a model."""
        name = self.need_training()
        if not name:
            return

        def answered(form: dict[str, str] | None) -> None:
            if form is not None:
                words = _("{name} is measured and becomes a model; this takes a while.")
                self.say(words.format(name=visible(name)))
                self.nlptui.keeper.backend.start()
                self.nlptui.keeper.ask(KeepRun(name, form["model"]), self.kept)

        fields = (FormField("model", _("name of the model"), name, name),)
        title = _("Keep {name} as a model of your own").format(name=visible(name))
        self.app.push_screen(FormScreen(title, fields), answered)

    def kept(self: StudioScreen, answer: Answer) -> None:
        """The model is there: where its card lies."""
        if not self.stands:
            return
        if answer.error:
            self.say(f"✗ {answer.error}")
            return
        made = answer.result
        measured = "  ".join(f"{metric_words(key)} {value:.4g}" for key, value in made.metrics.items())
        words = _("{model} is in the list of models. {measured}  Its card: {path}")
        path = visible(str(made.path / "README.md"))
        self.say(words.format(model=visible(made.name), measured=measured, path=path).replace("  ", " "))
        self.nlptui.list_models()

    def action_studio_train(self: StudioScreen) -> None:
        """Open the dialog that starts a run."""
        from nlptui.tui.screens.train import TrainScreen

        self.app.push_screen(TrainScreen(), lambda name: self.turn_to(name) if name else None)

    def action_studio_experiments(self: StudioScreen) -> None:
        """Choose an experiment and start it."""

        def answered(name: str | None) -> None:
            if name:
                self.nlptui.clerk.ask(StartExperiment(name), self.started)

        self.app.push_screen(ExperimentsScreen(), answered)

    def action_studio_export(self: StudioScreen) -> None:
        """Write the chart to a file; of an experiment all charts, and as CSV its measurements."""
        from nlptui.tui.screens.export import ExportScreen
        from nlptui.views.figure import Figure

        if self.studio is None or self.studio.lines is None:
            self.say(_("Nothing has been measured yet."))
            return
        name, lines = self.chosen, self.studio.lines
        figure = self.studio.figure or Figure("run", f"{name} {lines.title}", (lines,))
        experiment = self.studio.figure is not None

        def answered(request: Write | None) -> None:
            if request is None:
                return
            path, over = request.path, request.overwrite
            csv = experiment and path.suffix.casefold() == ".csv"
            ask = WriteExperiment(name, path, over) if csv else request
            self.nlptui.clerk.ask(ask, written)

        def written(answer: Answer) -> None:
            if self.stands:
                words = _("Written: {path}").format(path=visible(str(answer.result)))
                self.say(f"✗ {answer.error}" if answer.error else words)

        self.app.push_screen(ExportScreen(figure), answered)

    def action_studio_open(self: StudioScreen) -> None:
        """Leave for the explorer, with the run's newest model; of a run that is done, its best."""
        from nlptui.paths import runs_dir

        run = self.run
        if run is not None and not self.need_training():
            return
        if run is None or not run.latest:
            self.say(_("This run has saved no model yet."))
            return
        checkpoint = run.best if run.state == "done" and run.best else run.latest
        self.dismiss(ModelOf(str(runs_dir() / run.name / checkpoint)))

    def action_studio_follow(self: StudioScreen) -> None:
        """Leave for the explorer, and see there how the model learns its sentence."""
        name = self.need_training()
        if not name or self.studio is None:
            return
        if not self.studio.facts.snapshots:
            self.say(_("{name} has kept no weights to look at yet.").format(name=visible(name)))
            return
        samples = self.studio.facts.samples
        self.dismiss(Follow(name, samples[0][1] if samples else ""))

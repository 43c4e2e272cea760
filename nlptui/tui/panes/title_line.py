"""The first line of the explorer: which model, and what the engine is at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nlptui.locale import N_, _
from nlptui.text import visible
from nlptui.tui.panes.words import Word, Words
from nlptui.wording import what_words

if TYPE_CHECKING:
    from nlptui.tui.answers import Shown

PHASES = {
    "waiting": N_("starting"),
    "loading": N_("loading the engine"),
    "ready": N_("ready"),
    "failed": N_("engine failed"),
}


def counted(number: int) -> str:
    """A number of parameters, short: 3.2 M."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.0f} k" if number >= 1000 else str(number)


class TitleLine(Words):
    """Model on the left, state on the right."""

    DEFAULT_CSS = """
    TitleLine { height: 1; padding: 0 1; background: $panel; }
    """

    whole = True

    def show_model(self, name: str, shown: Shown | None) -> None:
        """Draw the model's name, and what it is once it is loaded."""
        parts = [
            part for part in Path(name).parts if part != "snapshots"
        ]  # a run's, of which the name counts
        short = "/".join(parts[-2:]) if name.startswith(("/", "~", ".")) else name
        words = [
            Word("nlptui ", "faint"),
            Word(visible(short) or _("no model"), "bold", "choose_model"),
        ]
        if shown is not None:
            model = shown.model
            facts = (
                *what_words(model),
                _("{n} parameters").format(n=counted(model.parameters)),
                _("context {n}").format(n=model.context),
            )
            words += [Word(f"  {fact}", "faint") for fact in facts]
        self.left = tuple(words)

    def show_state(
        self, phase: str, seconds: float | None, working: bool, progress: tuple[int, int] | None = None
    ) -> None:
        """Draw what the engine is at, how far it is; once it is ready, how long the last run took."""
        if phase != "ready":
            self.right = (Word(_(PHASES.get(phase, phase)), "warning" if phase == "failed" else "special"),)
        elif working and progress is not None:
            done, pieces = progress
            words = _("{done} of {pieces}  Esc cancels").format(done=done, pieces=pieces)
            self.right = (Word(words, "special", "leave_text"),)
        elif working:
            self.right = (Word(_("running…"), "faint"),)
        elif seconds is not None:
            self.right = (Word(_("{ms} ms").format(ms=f"{seconds * 1000:.1f}"), "faint"),)
        else:
            self.right = (Word(_("ready"), "faint"),)

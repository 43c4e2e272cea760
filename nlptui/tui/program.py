"""The program on screen: owns settings, backends and screens, and carries answers to whoever asked.

Computes nothing and loads no torch.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Input

from nlptui.errors import UserError
from nlptui.locale import _, language, set_language
from nlptui.text import visible
from nlptui.tui import guards
from nlptui.tui.actions import ACTIONS
from nlptui.tui.actions.binding import bindings, rebound
from nlptui.tui.actions.keys import FULL_WIDTH
from nlptui.tui.backend import Answer, Backend, Phase, Progress, Request, Worker, one_line
from nlptui.tui.place import TEXT_LIMIT, Place
from nlptui.tui.requests import ListModels, Show
from nlptui.tui.screens.explorer import ExplorerScreen
from nlptui.tui.settings import Settings, save, settings_path
from nlptui.tui.themes import THEMES
from nlptui.tui.type_ahead import TypeAhead
from nlptui.views.figure import Origin

HISTORY_KEPT = 200


class Desk:
    """One backend, and who waits for which answer."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._waiting: dict[str, Callable[[Answer], None]] = {}

    def ask(self, request: Request, then: Callable[[Answer], None]) -> None:
        """Call `then` with the answer, unless something newer is asked in the same lane before."""
        self._waiting[request.lane] = then
        self.backend.ask(request)

    def cancel(self, lane: str) -> None:
        """What was asked for last in a lane is not wanted any more."""
        self.backend.cancel(lane)

    def deliver(self, answer: Answer) -> None:
        """Hand over an answer that is not stale, if who waited for it is still there."""
        then = self._waiting.get(answer.request.lane)
        if then is None or not self.backend.current(answer):
            return
        del self._waiting[answer.request.lane]
        waits = getattr(then, "__self__", None)
        if isinstance(waits, Screen) and waits not in waits.app.screen_stack:
            return  # it was closed meanwhile, and its panes are gone
        then(answer)


@dataclass
class News(Message):
    """A backend has something to say."""

    desk: Desk
    what: Phase | Answer | Progress


class NlptuiApp(TypeAhead, inherit_bindings=False):
    """The program on screen."""

    TITLE = "nlptui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = bindings("app")
    CSS_PATH = ["app.tcss", "screens/explorer.tcss"]  # Textual reads a first screen's own file too late

    def __init__(
        self,
        place: Place,
        settings: Settings,
        make_engine: Callable[[], Worker],
        make_clerk: Callable[[], Worker],
        *,
        low_bandwidth: bool = False,
        say: str = "",
        driver_class: Any = None,
    ) -> None:
        # Under NO_COLOR Textual would otherwise draw in greys, which are colours too.
        super().__init__(driver_class=driver_class, ansi_color=True if "NO_COLOR" in os.environ else None)
        self.settings = settings
        self.low_bandwidth = low_bandwidth
        self.animation_level = "none"
        for theme in THEMES.values():
            self.register_theme(theme)
        self._begin_with(THEMES[settings.theme])
        self.actions, self.said = self._rebound(say)
        self.set_keymap({a.id: ",".join(a.keys) for a in self.actions if a.id in settings.keys})
        self.engine = self._desk(make_engine, "nlptui-engine")
        self.clerk = self._desk(make_clerk, "nlptui-clerk")
        self.keeper = self._desk(make_clerk, "nlptui-keeper")
        """For files that take long, as a model that is measured does; starts with the first request."""
        self.explorer = ExplorerScreen(place)
        self.explorer.note = self.said
        self.models: tuple[Any, ...] | None = None
        """The list of models, as it was read last."""
        self.crash = ""
        """What an unforeseen error was, in one line."""
        self._watchdog: threading.Timer | None = None

    def _begin_with(self, theme: Theme) -> None:
        """Set the theme before anything is drawn; `self.theme = …` would style all of it a second time."""
        self.set_reactive(App.theme, theme.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.update_classes(
            {f"-theme-{theme.name}": True, "-dark-mode": theme.dark, "-light-mode": not theme.dark},
            update=False,
        )

    def _rebound(self, say: str) -> tuple[tuple[Any, ...], str]:
        try:
            return rebound(self.settings.keys), say
        except UserError as error:
            self.settings = replace(self.settings, keys={})
            return ACTIONS, str(error)

    def _desk(self, make: Callable[[], Worker], name: str) -> Desk:
        desk: Desk

        def post(what: Phase | Answer | Progress) -> None:
            self.post_message(News(desk, what))

        backend = Backend(make, post, name)
        desk = Desk(backend)
        return desk

    def get_default_screen(self) -> Screen[Any]:
        """The explorer is what there is first."""
        return self.explorer

    def on_mount(self) -> None:
        """Paint first; only then start what is slow."""
        if not self.is_headless:
            guards.watch_signals(lambda code: self.exit(code), self.save_settings)
        self.call_after_refresh(self.start_backends)

    async def start_backends(self) -> None:
        """The engine for models, the clerk for files;

        meanwhile the rest of the screen; then the first picture.
        """
        self.engine.backend.start()
        self.clerk.backend.start()
        await self.explorer.furnish()
        await self.take_keys()
        self.explorer.ask()
        self.settle_memory()
        self.list_models()
        self.explorer.look_at_runs()
        self.call_after_refresh(self.read_styles)

    def read_styles(self) -> None:
        """Those of all dialogs, now that nobody waits:

        with each of its own, the first opening of a dialog would read and apply all styles there are again.
        Those read before are not parsed again here, nor at that opening: the stylesheet keeps what it parsed.
        """
        for path in sorted((Path(__file__).parent / "screens").glob("*.tcss")):
            if not self.stylesheet.has_source(str(path)):
                self.stylesheet.read(path)
        self.stylesheet.update(self)

    def settle_memory(self) -> None:
        """What is loaded by now stays:

        the collector need not look at it again, so that its pauses stay short.
        """
        if not self.is_headless:
            gc.freeze()
            gc.enable()

    def list_models(self) -> None:
        """Read the list of models again."""
        self.clerk.ask(ListModels(), self.models_listed)

    def models_listed(self, answer: Answer) -> None:
        """Keep the list, so that the picker opens with it."""
        self.models = answer.result if not answer.error else None

    def on_news(self, news: News) -> None:
        """An answer goes to whoever asked; a change of state shows in the title."""
        if not self.is_running:  # on the way out, with half the panes gone
            return
        if isinstance(news.what, Phase):
            if news.desk is self.engine:
                self.explorer.phase_changed(news.what)
                self.settle_memory()
            return
        if isinstance(news.what, Progress):
            if news.what.request.lane == Show.lane and news.desk.backend.current(news.what):
                self.explorer.progressed(news.what)
            return
        if news.what.trouble:
            log_trouble(news.what.trouble)
        news.desk.deliver(news.what)

    # keys

    def urgent(self, key: str) -> bool:
        """Keys that hold everywhere wait for none."""
        return any(key in action.keys for action in self.actions if action.priority)

    def read_key(self, key: events.Key) -> events.Key:
        """Outside text fields, full-width punctuation from a Chinese input method is its ASCII key."""
        plain = FULL_WIDTH.get(key.character or "")
        if plain is None or self.typing:
            return key
        read = events.Key(_key_of(plain), plain)
        read.set_sender(self)
        return read

    @property
    def typing(self) -> bool:
        """Whether the keyboard is in a text field."""
        from nlptui.tui.widgets.prompt import Prompt

        return isinstance(self.focused, Input | Prompt)

    async def run_by_id(self, name: str) -> None:
        """Run an action of the table, or open `view:NAME` or `run:NAME`."""
        kind, colon, rest = name.partition(":")
        if colon and kind == "view":
            self.explorer.open_view(rest)
            return
        if colon and kind == "run":
            self.explorer.open_run_named(rest)
            return
        action = next((a for a in self.actions if a.id == name), None)
        if action is None:
            return
        targets = {"app": self, "table": self.focused or self.explorer.active_pane().widget}
        await self.run_action(action.call, targets.get(action.scope) or self.screen)

    # actions of the whole program

    def action_help(self) -> None:
        """The help page."""
        from nlptui.tui.screens.help import HelpScreen

        about = self.explorer.about() if self.screen is self.explorer else ()
        self.push_screen(HelpScreen(self.actions, about))

    def action_palette(self) -> None:
        """Every action by name."""
        from nlptui.tui.screens.palette import PaletteScreen

        on_explorer = self.screen is self.explorer
        own = getattr(self.screen, "SCOPE", "explain")
        scopes = ("app", "explorer", "table") if on_explorer else ("app", own, "table")
        shown = self.explorer.shown if on_explorer else None
        focused = self.focused

        async def chosen(name: str | None) -> None:
            if focused is not None and focused.is_attached:
                focused.focus()
            if name:
                await self.run_by_id(name)

        actions = tuple(a for a in self.actions if a.scope in scopes)
        self.push_screen(PaletteScreen(actions, shown.model.views if shown else ()), chosen)

    async def action_switch_language(self) -> None:
        """English or Chinese, at once."""
        set_language("en" if language() == "zh" else "zh")
        self.settings = replace(self.settings, language=language())
        for screen in self.screen_stack:
            await screen.recompose()
            redrawn = getattr(screen, "redrawn", None)
            if redrawn is not None:
                redrawn()

    def action_switch_theme(self) -> None:
        """Light or dark."""
        name = "light" if self.settings.theme == "dark" else "dark"
        self.settings = replace(self.settings, theme=name)
        self.theme = THEMES[name].name

    def action_redraw(self) -> None:
        """Everything again, in case something else wrote on the terminal."""
        self.screen.refresh(layout=True)

    def action_suspend(self) -> None:
        """To the shell; `fg` comes back."""
        self.action_suspend_process()

    async def action_quit(self) -> None:
        """Leave at once."""
        self.leave()

    def action_interrupt(self) -> None:
        """Leave at once, from anywhere."""
        self.leave()

    def leave(self, code: int = 0) -> None:
        """Save where one was, and end; by force if the terminal holds us up."""
        self.save_settings()
        if not self.is_headless and self._watchdog is None:
            self._watchdog = guards.watchdog(code)
        self.exit(code)

    # what screens ask of the app

    def explain(self, place: Place, origin: Origin, minus: Origin | None = None) -> None:
        """Open the number at `origin`, or its difference to the one at `minus`."""
        from nlptui.tui.screens.explain import ExplainScreen

        self.push_screen(ExplainScreen(place, origin, minus), lambda _none: self.explorer.draw_readout())

    def show_activation(self, name: str) -> None:
        """Open a whole activation in the explorer."""
        self.explorer.open_activation(name)

    def copy(self, text: str) -> None:
        """Put `text` on the clipboard of the terminal (OSC 52)."""
        self.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))

    def remember_text(self, text: str) -> None:
        """Keep a sentence in the prompt's history."""
        kept = [line for line in self.settings.history if line != text]
        if text.strip() and len(text) <= TEXT_LIMIT:
            self.settings = replace(self.settings, history=tuple([*kept, text][-HISTORY_KEPT:]))

    def save_settings(self) -> None:
        """Write what this session changed."""
        save(
            settings_path(),
            theme=self.settings.theme,
            language=self.settings.language,
            last=self.explorer.place.kept(),
            history=self.settings.history,
        )

    # crashes

    async def run_action(self, *args: Any, **options: Any) -> bool:
        """A fault in what a key does is said and logged; the key does nothing, and the rest goes on."""
        try:
            return await super().run_action(*args, **options)
        except UserError as error:
            self.explorer.say(visible(str(error)))
        except Exception as error:
            if self.is_headless:  # in a test it is to be seen
                raise
            log_trouble(traceback.format_exc())
            words = _("the program failed here ({error}); the rest still works")
            self.explorer.say(words.format(error=one_line(error)))
        return True

    def _fatal_error(self) -> None:
        """An unforeseen error ends the app with one line and a log, not with a page of locals."""
        error = sys.exc_info()[1]
        self.crash = one_line(error) if error is not None else "?"
        log_trouble(traceback.format_exc())
        self._close_messages_no_wait()


def _key_of(character: str) -> str:
    from textual.keys import _character_to_key

    return _character_to_key(character)


def log_trouble(text: str) -> None:
    """Append a traceback to the log."""
    from nlptui.tui.driver import log_path

    try:
        path = log_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text + "\n")
    except OSError:
        return

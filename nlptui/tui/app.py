"""The app: owns the settings, the two backends and the screens, and carries answers back to whoever asked.

Computes nothing and loads no torch. `run_app` is what the command line calls.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textual import events
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from nlptui.errors import UserError
from nlptui.locale import _, language, preferred_language, set_language
from nlptui.text import visible
from nlptui.tui import guards
from nlptui.tui.actions import ACTIONS, FULL_WIDTH, bindings, rebound
from nlptui.tui.backend import Answer, Backend, Phase, Request, Worker, one_line
from nlptui.tui.place import TEXT_LIMIT, Place
from nlptui.tui.requests import ListModels
from nlptui.tui.screens.explorer import ExplorerScreen
from nlptui.tui.settings import Settings, read_settings, save, settings_path
from nlptui.tui.themes import THEMES
from nlptui.tui.type_ahead import TypeAhead
from nlptui.views.figure import Origin

EXAMPLES = {"en": "I saw her duck under the table.", "zh": "我喜欢在安静的早晨看书。"}
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

    def deliver(self, answer: Answer) -> None:
        """Hand over an answer that is not stale."""
        if self.backend.current(answer):
            self._waiting[answer.request.lane](answer)


@dataclass
class News(Message):
    """A backend has something to say."""

    desk: Desk
    what: Phase | Answer


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
        self.theme = THEMES[settings.theme].name
        self.actions, self.said = self._rebound(say)
        self.set_keymap({a.id: ",".join(a.keys) for a in self.actions if a.id in settings.keys})
        self.engine = self._desk(make_engine, "nlptui-engine")
        self.clerk = self._desk(make_clerk, "nlptui-clerk")
        self.explorer = ExplorerScreen(place)
        self.explorer.note = self.said
        self.models: tuple[Any, ...] | None = None
        """The list of models, as it was read last."""
        self.crash = ""
        """What an unforeseen error was, in one line."""
        self._watchdog: threading.Timer | None = None

    def _rebound(self, say: str) -> tuple[tuple[Any, ...], str]:
        try:
            return rebound(self.settings.keys), say
        except UserError as error:
            self.settings = replace(self.settings, keys={})
            return ACTIONS, str(error)

    def _desk(self, make: Callable[[], Worker], name: str) -> Desk:
        desk: Desk

        def post(what: Phase | Answer) -> None:
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

    def start_backends(self) -> None:
        """The clerk for files, the engine for models; then ask for the first picture."""
        self.clerk.backend.start()
        self.engine.backend.start()
        self.explorer.ask()
        self.clerk.ask(ListModels(), self.models_listed)
        self.explorer.look_at_runs()

    def models_listed(self, answer: Answer) -> None:
        """Keep the list, so that the picker opens with it."""
        self.models = answer.result if not answer.error else None

    def on_news(self, news: News) -> None:
        """An answer goes to whoever asked; a change of state shows in the title."""
        if isinstance(news.what, Phase):
            if news.desk is self.engine:
                self.explorer.phase_changed(news.what)
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

        self.push_screen(HelpScreen(self.actions))

    def action_palette(self) -> None:
        """Every action by name."""
        from nlptui.tui.screens.palette import PaletteScreen

        on_explorer = self.screen is self.explorer
        scopes = ("app", "explorer", "table") if on_explorer else ("app", "explain", "table")
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

    def explain(self, place: Place, origin: Origin) -> None:
        """Open the number at `origin`."""
        from nlptui.tui.screens.explain import ExplainScreen

        self.push_screen(ExplainScreen(place, origin), lambda _none: self.explorer.draw_readout())

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


def first_place(last: Place, text: str | None, model: str | None, **asked: Any) -> Place:
    """Where to begin: what is asked for, otherwise where the last session ended, otherwise an example."""
    wanted = {key: value for key, value in asked.items() if value is not None}
    if text is None and model is None and not wanted:
        place = last
    else:
        # The last view's numbers mean nothing for another view.
        place = replace(
            Place(), model=last.model, text=last.text, view=last.view, reading=last.reading, by=last.by
        )
        if wanted.keys() & {"view", "name"}:
            place = replace(place, view="")
    if text is not None:
        place = replace(place, text=text)
    if model is not None:
        place = replace(place, model=model)
    place = replace(place, **wanted)
    return place if place.text or text is not None else replace(place, text=EXAMPLES[language()])


def run_app(
    text: str | None = None,
    model: str | None = None,
    view: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    at: tuple[int, int] | None = None,
    *,
    pair: str | None = None,
    name: str | None = None,
    edits: tuple[str, ...] = (),
    device: str = "auto",
    low_bandwidth: bool = False,
    language: str | None = None,
) -> int:
    """Open the explorer and return the exit status. None means: as the last session left it.

    Where threads are still at work in the end, the process ends here, by force: waiting for them could take
    minutes.
    """
    from nlptui.tui.clerk import Clerk
    from nlptui.tui.place import PAIR_MARK
    from nlptui.tui.workbench import Workbench

    settings, trouble = read_settings(settings_path())
    set_language(language or settings.language or preferred_language())
    if pair is not None:
        text = f"{text or ''} {PAIR_MARK} {pair}"
    cursor = {"row": at[0], "col": at[1]} if at is not None else {}
    place = first_place(
        Place.restored(settings.last), text, model,
        view=view, layer=layer, head=head, name=name, edits=edits or None, **cursor,
    )  # fmt: skip
    app = NlptuiApp(
        place,
        settings,
        lambda: Workbench(device),
        Clerk,
        low_bandwidth=guards.slow_line(low_bandwidth or settings.low_bandwidth),
        say=trouble,
        driver_class=_driver(),
    )
    with guards.terminal_guard():
        code = app.run() or app.return_code or 0
    guards.stop_watchdogs()
    if app.crash:
        print(_crash_line(app.crash), file=sys.__stderr__)
        code = 1
    if app.engine.backend.busy or app.clerk.backend.busy:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    return code


def _driver() -> Any:
    """Our driver where there are Unix terminals; Textual's own elsewhere."""
    if not hasattr(signal, "SIGHUP"):
        return None
    from nlptui.tui.driver import StableDriver

    return StableDriver


def _crash_line(crash: str) -> str:
    from nlptui.tui.driver import log_path

    return _("nlptui failed: {error}; the details are in {path}").format(
        error=visible(crash), path=visible(str(Path(log_path())))
    )

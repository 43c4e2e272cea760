"""How the explorer is opened: `run_app` is what the command line calls.

Decides where to begin; the program itself is imported only then.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlptui.locale import _, preferred_language, set_language
from nlptui.locale import language as present_language
from nlptui.sampling import Sampling
from nlptui.text import visible
from nlptui.tui import guards
from nlptui.tui.examples import FIRST
from nlptui.tui.place import Place, prompt_of, with_model
from nlptui.tui.settings import Settings, read_settings, settings_path

if TYPE_CHECKING:
    from nlptui.tui.backend import Worker
    from nlptui.tui.program import NlptuiApp


def first_place(last: Place, text: str | None, model: str | None, **asked: Any) -> Place:
    """Where to begin: what is asked for, otherwise where the last session ended, otherwise an example."""
    wanted = {key: value for key, value in asked.items() if value is not None}
    if "position" in wanted:
        wanted["chosen"] = True
    if text is None and model is None and not wanted:
        place = last
    else:
        # The last view's numbers mean nothing for another view.
        place = replace(Place(), model=last.model, text=last.text, view=last.view)
        if "row" not in wanted:  # who says where the cursor stands, as Y does, says all that is not plain
            place = replace(place, reading=last.reading, by=last.by)
        if wanted.keys() & {"view", "name"}:
            place = replace(place, view="")
    if text is not None:
        place = replace(place, text=text)
    if model is not None:
        place = replace(place, model=model)
    place = replace(place, **wanted)
    return place if place.text or text is not None else replace(place, text=FIRST[present_language()])


def run_app(
    text: str | None = None,
    model: str | None = None,
    view: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    at: tuple[int, ...] | None = None,
    *,
    pair: str | None = None,
    name: str | None = None,
    position: int | None = None,
    target: str | None = None,
    edits: tuple[str, ...] = (),
    mark: int | None = None,
    sampling: Sampling | None = None,
    written: str | None = None,
    by: str | None = None,
    tokenizer: str | None = None,
    reading: str | None = None,
    pooling: str | None = None,
    pinned: Place | None = None,
    a_at: tuple[int, int] | None = None,
    device: str = "auto",
    low_bandwidth: bool = False,
    language: str | None = None,
) -> int:
    """Open the explorer and return the exit status. None means: as the last session left it.

    `at` is the cursor's row, column, and the number of the table, as far as they are given. `pinned` is the
    run to compare with; without a model, in the same one; `a_at`, the layer and head at which it stays.

    Where threads are still at work in the end, the process ends here, by force: waiting for them could take
    minutes.
    """
    settings, trouble = read_settings(settings_path())
    set_language(language or settings.language or preferred_language())
    if pair is not None:
        text = prompt_of(text or "", pair)
    cursor = dict(zip(("row", "col", "part"), at or (), strict=False))
    place = first_place(
        Place.restored(settings.last), text, model,
        view=view, layer=layer, head=head, name=name, position=position, target=target, edits=edits or None,
        mark=mark, sampling=sampling, written=written, by=by, tokenizer=tokenizer, reading=reading,
        pooling=pooling, pinned=pinned, a_at=a_at, **cursor,
    )  # fmt: skip
    place = with_model(place, place.model)
    low_bandwidth = guards.slow_line(low_bandwidth or settings.low_bandwidth)
    app = _program(place, settings, device, low_bandwidth, trouble)
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


def _program(place: Place, settings: Settings, device: str, low_bandwidth: bool, say: str) -> NlptuiApp:
    """The program, imported here, and its workers, imported in their threads."""
    # A tenth of the time until the first paint would go to the collector. The program turns it on again.
    gc.disable()
    # A cursor move is two pictures, what moves at once and what follows from it: at Textual's 60 a second
    # the other one would wait for 33 ms.
    os.environ.setdefault("TEXTUAL_FPS", "30" if low_bandwidth else "240")
    # While an analysis computes, the thread of the screen has to ask for its turn at every step of a key:
    # with Python's 5 ms for each, a key would take a fifth of a second.
    sys.setswitchinterval(0.0005)
    from nlptui.tui.program import NlptuiApp

    def workbench() -> Worker:
        from nlptui.tui.workbench import Workbench

        return Workbench(device)

    def clerk() -> Worker:
        from nlptui.tui.clerk import Clerk

        return Clerk()

    return NlptuiApp(
        place, settings, workbench, clerk, low_bandwidth=low_bandwidth, say=say, driver_class=_driver()
    )


def _driver() -> Any:
    """Our driver where there are Unix terminals; Textual's own elsewhere."""
    if not hasattr(signal, "SIGHUP"):
        return None
    from nlptui.tui.driver import StableDriver

    return StableDriver


def _crash_line(crash: str) -> str:
    from nlptui.tui.driver import log_path

    return _("nlptui failed: {error}; the details are in {path}").format(
        error=visible(crash), path=visible(str(log_path()))
    )

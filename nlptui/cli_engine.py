"""What a command line asks a model to run: the text, the changes to the run, and the run A beside it.

Knows the engine; prints nothing but the remark that a text was too long. torch loads when a model does.
"""

from __future__ import annotations

import codecs
import dataclasses
import functools
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlptui.cli_base import Decorator, options, settings, wrong_use
from nlptui.cli_options import run_options
from nlptui.locale import _
from nlptui.sampling import PLAIN, Sampling
from nlptui.text import visible
from nlptui.tui.place import FROM_PINNED

if TYPE_CHECKING:
    from nlptui.engine import Engine
    from nlptui.first_screen import Beside
    from nlptui.trace import Trace

# -------------------------------------------------------------------------------------------- what was asked


@dataclass(frozen=True)
class Pin:
    """The run A, as the options --pin… say it."""

    text: str
    pair: str | None = None
    model: str | None = None
    """None: that of the other run."""
    edits: tuple[str, ...] = ()
    written: str | None = None
    at: tuple[int, int] | None = None
    """The layer and head at which A is shown; None: those of the other run."""
    pooling: str | None = None


@dataclass(frozen=True)
class Asked:
    """A run, as the options say it."""

    text: str | None
    """None or "-": the lines of a pipe."""
    model: str
    """Empty: the explorer's choice."""
    pair: str | None = None
    edits: tuple[str, ...] = ()
    written: str | None = None
    """Of a translator: the ids that its decoder has read, "12,5,903"."""
    pin: Pin | None = None

    @property
    def changed(self) -> bool:
        """Whether it is another run than the model's own."""
        return bool(self.edits) or self.written is not None


def asked_run(compares: bool = False) -> Decorator:
    """Give a command what the options of a run say as one `Asked`, before its other options.

    compares: whether the command can also show A beside the run; elsewhere A is there for edits alone.
    Raises UsageError for an A that is asked for and not said, or said and not asked for.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def gathered(
            text: str | None, model: str | None, pair: str | None, edits: tuple[str, ...],
            written: str | None, pin: str | None, pin_pair: str | None, pin_model: str | None,
            pin_edits: tuple[str, ...], pin_written: str | None, **others: Any,
        ) -> Any:  # fmt: skip
            layer, head, pooling = (others.pop(f"pin_{key}", None) for key in ("layer", "head", "pooling"))
            given = {"--pin-pair": pin_pair, "--pin-model": pin_model, "--pin-edit": pin_edits or None,
                     "--pin-written": pin_written, "--pin-layer": layer, "--pin-head": head,
                     "--pin-pooling": pooling}  # fmt: skip
            at = None if layer is None and head is None else (layer or 0, head or 0)
            a = None if pin is None else Pin(pin, pin_pair, pin_model, pin_edits, pin_written, at, pooling)
            said = next((name for name, value in given.items() if value is not None), "")
            _check_pin(a, said, edits, compares)
            for option, ids in (("--written", written), ("--pin-written", pin_written)):
                written_ids(ids, option)
            return function(Asked(text, model or "", pair, edits, written, a), **others)

        return gathered

    return decorate


def running(compares: bool = False) -> Decorator:
    """The options of a run, and what they say as one `Asked`."""
    return options(run_options(compares), asked_run(compares))


def _check_pin(pin: Pin | None, said: str, edits: tuple[str, ...], compares: bool) -> None:
    """`said` is the first option that says more of A than its text."""
    patch = next((edit for edit in edits if edit.endswith(FROM_PINNED)), "")
    if pin is None and (said or patch):
        problem = _("{option} is about the run A: say which text that is with --pin TEXT")
        raise wrong_use(problem.format(option=said or f"--edit {visible(patch)}"))
    if pin is not None and any(edit.endswith(FROM_PINNED) for edit in pin.edits):
        raise wrong_use(_("--pin-edit: A takes no values from A; write zero, mean, scale:F or force:F"))
    if pin is not None and not (compares or patch):
        raise wrong_use(_("--pin changes nothing here without an edit such as --edit 'NAME=from:A'"))


def written_ids(text: str | None, option: str = "--written") -> tuple[int, ...] | None:
    """The ids of `--written`; None where it is not given."""
    if text is None:
        return None
    if not re.fullmatch(r"\s*(\d{1,9}\s*(,\s*\d{1,9}\s*)*)?", text):
        problem = _("{option} {text}: write ids, as in {option} 12,5,903")
        raise wrong_use(problem.format(option=option, text=visible(text)))
    return tuple(int(part) for part in text.split(",") if part.strip())


def chosen_sampling(said: Mapping[str, Any]) -> Sampling | None:
    """The settings of the options that are given; None where none is."""
    given = {name: value for name, value in said.items() if value is not None}
    return dataclasses.replace(PLAIN, **given) if given else None


def texts(text: str | None) -> Iterator[str]:
    """The text of the argument, or the lines of a pipe where it is `-` or missing."""
    if text is not None and text != "-":
        return iter([text])
    if text is None and sys.stdin.isatty():
        raise wrong_use(_("TEXT is missing; give a sentence, or - to read lines"))
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    return (line.rstrip("\r\n") for line in sys.stdin)


def line_batches(text: str | None) -> Iterator[list[str]]:
    """As `texts`, in lists of the lines that are there already: a slow pipe gives one, a quick one many."""
    if text is not None and text != "-":
        yield [text]
        return
    if text is None and sys.stdin.isatty():
        raise wrong_use(_("TEXT is missing; give a sentence, or - to read lines"))
    decode = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder("utf-8")("surrogateescape"), translate=True
    ).decode
    begun: list[str] = []
    while chunk := sys.stdin.buffer.read1(1 << 16):  # type: ignore[union-attr]
        first, *others = decode(chunk).split("\n")
        begun.append(first)
        if others:
            yield ["".join(begun), *others[:-1]]
            begun = [others[-1]]
    *lines, last = "".join([*begun, decode(b"", final=True)]).split("\n")
    if lines or last:
        yield [*lines, *([last] if last else [])]


def whole_text(text: str | None) -> str:
    """The text of the argument, or all of a pipe without its last line end."""
    return "\n".join(texts(text))


# --------------------------------------------------------------------------------------------- what was run


def load(model: str, pooling: str | None = None) -> Engine:
    """The engine with `model` in it; a wrong name is said before torch loads."""
    from nlptui.engine.library import find_model

    find_model(model)
    from nlptui.engine import Engine

    return Engine.load(model, device=settings().device, pooling=pooling)


class Runs:
    """The model of a command line, loaded, its run A where there is one, and the runs that it makes."""

    def __init__(self, asked: Asked) -> None:
        from nlptui.engine.library import find_model

        if asked.pin is not None and asked.pin.model is not None:
            find_model(asked.pin.model)  # a wrong name is said before the first model loads
        self.asked = asked
        self.engine = load(asked.model, settings().pooling)
        self.pinned: Trace | None = None
        self._pinned_engine = self.engine
        if (pin := asked.pin) is not None:
            if pin.model not in (None, asked.model):
                self._pinned_engine = load(str(pin.model), pin.pooling)
            elif pin.pooling:
                self._pinned_engine = self.engine.pooled_by(pin.pooling)
            self.pinned = _traced(self._pinned_engine, pin.text, pin, None)

    def trace(self, text: str) -> Trace:
        """The run of a text, as it was asked for."""
        made = _traced(self.engine, text, self.asked, self.pinned)
        if self.pinned is not None:
            made.pin(self.pinned)
        return made

    def other(self, text: str) -> Callable[[str], Trace]:
        """Runs the same text through the model of a name; through the own one, without the edits."""

        def run(name: str) -> Trace:
            if name != self.engine.name:
                return load(name).trace(text)
            return self.engine.trace(text, pair=self.asked.pair, target=written_ids(self.asked.written))

        return run

    def target(self, name: str | None) -> int | None:
        """The number of the token or label that a view asks about."""
        return self.engine.target(name) if name else None

    def beside(self, target: str | None) -> Beside | None:
        """What a view needs of the run A, if there is one."""
        from nlptui.first_screen import Beside

        if self.pinned is None:
            return None
        engine = self._pinned_engine
        at = self.asked.pin.at if self.asked.pin is not None else None
        return Beside(self.pinned, engine.analyse, engine.target(target) if target else None, at)


def _traced(engine: Engine, text: str, asked: Asked | Pin, pinned: Trace | None) -> Trace:
    """The run of a text; says so where the text was too long."""
    from nlptui.engine.explain import Edit, with_pinned

    edits = tuple(map(Edit.parse, asked.edits))
    edits = edits if pinned is None else with_pinned(edits, pinned)
    made: Trace = engine.trace(text, pair=asked.pair, edits=edits, target=written_ids(asked.written))
    if made.truncated:
        say_truncated(len(made.encoding.ids), "--pin: " if isinstance(asked, Pin) else "")
    return made


def say_truncated(used: int, before: str = "") -> None:
    """Say that only the first `used` tokens of a text were read."""
    from nlptui.cli_output import message

    said = _("the text is longer than the model reads; its first {n} tokens were used").format(n=used)
    message(before + said)

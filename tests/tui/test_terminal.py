"""The program in a real terminal: how it starts, what it writes, and how it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.tui.pty import ROOT, Terminal, environment, terminal

Open = Callable[..., AbstractContextManager[Terminal]]
TEXT = "the old can"
READY = "attention weights"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def opener(home: Path, models: Path, programs: Path | None) -> Open:
    """Opens `nlptui …` in a terminal; `extra` goes into its environment."""

    def open_it(
        *arguments: str, size: tuple[int, int] = (80, 24), **extra: str
    ) -> AbstractContextManager[Terminal]:
        return terminal(*arguments, env=environment(home, models, **extra), size=size, programs=programs)

    return open_it


@pytest.fixture
def nlptui(model_folder: Path, home: Path) -> Open:
    """The program from its start to its end."""
    return opener(home, model_folder, None)


@pytest.fixture
def warm(model_folder: Path, home: Path, programs: Path) -> Open:
    """The program with torch loaded before it starts, for what does not depend on that."""
    return opener(home, model_folder, programs)


def drawn(open_it: Open) -> Iterator[Terminal]:
    """The explorer with a GPT in it, everything drawn."""
    with open_it(TEXT, "--model", "gpt") as opened:
        opened.wait_for(READY)
        opened.settle()
        yield opened


@pytest.fixture
def shown(warm: Open) -> Iterator[Terminal]:
    yield from drawn(warm)


@pytest.fixture
def started(nlptui: Open) -> Iterator[Terminal]:
    yield from drawn(nlptui)


def test_it_draws_tokens_numbers_and_keys(started: Terminal) -> None:
    for words in ("GPT", TEXT, "query", "1.00", "next token", "q quit"):
        assert words in started.text


def test_the_first_paint_comes_before_the_engine(nlptui: Open) -> None:
    with nlptui(TEXT, "--model", "gpt") as opened:
        opened.wait_for("loading the engine")
        assert TEXT in opened.text and "q quit" in opened.text and READY not in opened.text


def test_idle_writes_nothing(shown: Terminal) -> None:
    shown.settle(1.0)
    assert shown.pump(3.0) == 0


def test_the_studio_at_rest_writes_nothing(warm: Open, home: Path) -> None:
    run = home / "data" / "runs" / "one"
    run.mkdir(parents=True)
    status = {"name": "one", "state": "done", "step": 2, "steps": 2}
    (run / "status.json").write_text(json.dumps(status), encoding="utf-8")
    rows = [json.dumps({"step": step, "time": 1.0, "loss": 3.5 - step}) + "\n" for step in (1, 2)]
    (run / "metrics.jsonl").write_text("".join(rows), encoding="utf-8")
    with warm(TEXT, "--model", "gpt") as opened:
        opened.wait_for(READY)
        opened.settle()
        opened.send("C")
        opened.wait_for("train  1.5")
        opened.settle(1.0)
        assert opened.pump(4.0) == 0


@pytest.mark.parametrize(("key", "limit"), [("l", 1024), ("j", 2048)])
def test_a_cursor_move_writes_little(shown: Terminal, key: str, limit: int) -> None:
    """Down is another query token here: the candidates after it are shown, too."""
    before = len(shown.output)
    shown.send(key)
    shown.settle()
    assert 0 < len(shown.output) - before <= limit


@pytest.mark.parametrize("keys", ["q", "\x03", "iq\x1b\x11", "i\x03", "m\x03", "?\x03"])
def test_leaving_by_key(shown: Terminal, keys: str) -> None:
    shown.send(keys[:1])
    if len(keys) > 1:
        shown.settle(0.3)
        shown.send(keys[1:])
    assert shown.end() == 0
    assert shown.restored


def test_leaving_while_the_engine_still_loads(nlptui: Open) -> None:
    with nlptui(TEXT, "--model", "gpt") as opened:
        opened.wait_for("loading the engine")
        start = time.monotonic()
        opened.send("q")
        assert opened.end() == 0
        assert time.monotonic() - start < 3.0
        assert opened.restored


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_and_restores_the_terminal(
    started: Terminal, number: int, code: int, home: Path
) -> None:
    os.kill(started.process.pid, number)
    assert started.end() == code
    assert started.restored
    assert json.loads((home / "config" / "settings.json").read_text())["last"]["model"] == "gpt"


def test_a_hang_up_ends_it(started: Terminal, home: Path) -> None:
    started.hang_up()
    assert started.end() in (0, 129)
    assert json.loads((home / "config" / "settings.json").read_text())["last"]["text"] == TEXT


def test_ctrl_z_restores_the_terminal_and_fg_draws_again(started: Terminal) -> None:
    started.send("\x1a")
    pid, status = os.waitpid(started.process.pid, os.WUNTRACED)
    assert pid == started.process.pid and os.WIFSTOPPED(status)
    started.pump(0.3)
    assert started.restored
    os.kill(started.process.pid, signal.SIGCONT)
    started.wait(lambda t: not t.restored)
    started.settle()
    assert READY in started.text
    started.send("]")
    started.wait_for("layer 1 (0–1)")
    started.send("q")
    assert started.end() == 0 and started.restored


def broken(where: str) -> str:
    """A program in which one method fails."""
    return (
        "import sys, nlptui.tui.screens.explorer as e\n"
        "def broken(self, *args): raise RuntimeError('\\x1b[31mboom')\n"
        f"e.ExplorerScreen.{where} = broken\n"
        "from nlptui.__main__ import main\n"
        "sys.argv = ['nlptui', 'the can', '--model', 'gpt']\n"
        "main()\n"
    )


def test_a_crash_restores_the_terminal_and_says_one_line(model_folder: Path, home: Path) -> None:
    env = environment(home, model_folder)
    with terminal(env=env, program=(sys.executable, "-c", broken("follow_token"))) as opened:
        opened.wait_for(READY)
        opened.send("l")
        assert opened.end() == 1
        assert opened.restored
        said = opened.output[opened.output.rfind(b"\x1b[?1049l") :].decode()
        assert "RuntimeError: ␛[31mboom" in said and "screen.log" in said and "Traceback" not in said
        assert "Traceback" in (home / "data" / "screen.log").read_text()


def test_a_fault_in_what_a_key_does_is_said_and_the_rest_goes_on(model_folder: Path, home: Path) -> None:
    env = environment(home, model_folder)
    with terminal(env=env, program=(sys.executable, "-c", broken("action_choose_model"))) as opened:
        opened.wait_for(READY)
        opened.send("m")
        opened.wait_for("RuntimeError: ␛[31mboom")
        opened.send("]")
        opened.wait_for("layer 1 (0–1)")
        opened.send("q")
        assert opened.end() == 0
        assert "Traceback" in (home / "data" / "screen.log").read_text()


def test_the_last_state_is_restored(warm: Open) -> None:
    with warm(TEXT, "--model", "gpt") as first:
        first.wait_for(READY)
        first.send("]")
        first.wait_for("layer 1 (0–1)")
        first.send(".")
        first.wait_for("head 1 (0–2)")
        first.send("jjl")
        first.settle()
        first.send("q")
        assert first.end() == 0
    with warm() as second:
        second.wait_for(READY)
        second.settle()
        assert "layer 1 (0–1)" in second.text and "head 1 (0–2)" in second.text and TEXT in second.text
        assert "blocks.1.attn.weights[0,1,2,1]" in second.text


def test_the_cursor_stands_in_the_table_that_was_asked_for(warm: Open) -> None:
    with warm(TEXT, "--model", "tag-lstm", "--view", "gates", "--at", "2,1,3") as opened:
        opened.wait_for("[0,1,2]")
        assert "layers.0.forward.candidate[0,1,2]" in opened.text


def test_the_copied_command_opens_the_same_place(warm: Open) -> None:
    with warm(
        TEXT, "--model", "gpt", "--view", "attention", "--layer", "1", "--head", "2", "--at", "2,1"
    ) as opened:
        opened.wait_for("blocks.1.attn.weights[0,2,2,1]")
        opened.send("Y")
        opened.wait_for("Copied: nlptui 'the old can' --model gpt --view attention --layer 1")
        assert b"\x1b]52;c;" in opened.output


HOSTILE = "[/bold] [@click=app.quit]x[/] \x1b[31mred\x1b]0;title\x07 \x9b2J \u202eevil\u200b \ud800 nul\x00"


def test_hostile_text_is_shown_and_never_reaches_the_terminal_raw(model_folder: Path, home: Path) -> None:
    """As an argument it would have to be valid for the system, so it is pasted and restored from the
    settings.
    """
    settings = home / "config" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"last": {"text": HOSTILE, "model": "gpt", "view": "tokens"}}))
    with terminal(env=environment(home, model_folder), size=(120, 40)) as opened:
        opened.wait_for("next token")
        opened.settle()
        assert "[/bold]" in opened.text and "[@click=app.quit]x[/]" in opened.text
        for raw in (
            b"\x1b[31mred",
            b"\x1b]0;title",
            b"\x07 ",
            b"\xc2\x9b",
            "\u202e".encode(),
            "\u200b".encode(),
            b"\x00",
        ):
            assert raw not in opened.output, raw
        opened.send("9")
        opened.settle()
        opened.send("m")
        opened.settle()
        opened.send("\x1b")
        opened.settle()
        opened.send("q")
        assert opened.end() == 0


def test_hostile_paste(shown: Terminal) -> None:
    shown.send("i")
    shown.pump(0.3)
    shown.send("\x15")
    shown.send(b"\x1b[200~" + b"[/bold] [@click=app.quit]x[/] \xff\xfe bad \xe2\x80\xae bytes\x1b[201~")
    shown.wait_for("[/bold] [@click=app.quit]x[/]")
    shown.settle()
    assert "\u202e".encode() not in shown.output
    shown.send("\x1b")
    shown.settle()
    shown.send("q")
    assert shown.end() == 0


def test_bytes_that_are_no_text_do_not_end_it(shown: Terminal) -> None:
    shown.send(b"\xff\xfe\xc3(]")
    shown.wait_for("layer 1 (0–1)")
    shown.send("q")
    assert shown.end() == 0


def test_a_megabyte_is_pasted_and_said_to_be_too_long(shown: Terminal) -> None:
    shown.send("i")
    shown.pump(0.3)
    shown.send("\x15")
    shown.send(b"\x1b[200~" + b"the old can " * 87_382 + b"\x1b[201~")
    shown.wait_for("the explorer reads the first")
    shown.settle()
    shown.send("\x1b")
    shown.settle()
    start = time.monotonic()
    shown.send("q")
    assert shown.end() == 0
    assert time.monotonic() - start < 5


def test_chinese_keys_and_text(shown: Terminal) -> None:
    shown.send("】")
    shown.wait_for("layer 1 (0–1)")
    shown.send("。")
    shown.wait_for("head 1 (0–2)")
    shown.send("i")
    shown.pump(0.3)
    shown.send("\x15我们在海边")
    shown.wait_for("我们在海边")
    shown.settle()
    assert "边" in shown.text


@pytest.mark.parametrize("size", [(20, 5), (59, 24), (80, 15), (1, 1)])
def test_a_tiny_terminal_gets_one_sentence(warm: Open, size: tuple[int, int]) -> None:
    with warm(TEXT, "--model", "gpt", size=size) as opened:
        if size[0] > 10:
            opened.wait(lambda t: "nlptui needs" in " ".join(t.text.split()))
        opened.settle(1.0)
        assert "GPT" not in opened.text
        opened.resize(80, 24)
        opened.wait_for(READY)
        opened.resize(*size)
        opened.settle()
        assert READY not in opened.text
        opened.send("q")
        assert opened.end() == 0 and opened.restored


def test_ssh_means_less(warm: Open) -> None:
    with warm(TEXT, "--model", "gpt", SSH_CONNECTION="1 2 3 4") as opened:
        opened.wait_for(READY)
        opened.settle(1.0)
        assert opened.pump(2.0) == 0


def test_no_colour(warm: Open) -> None:
    with warm(TEXT, "--model", "gpt", NO_COLOR="1") as opened:
        opened.wait_for(READY)
        opened.settle()
        assert (
            b"\x1b[38;" not in opened.output
            and b";38;" not in opened.output
            and b"\x1b[48;" not in opened.output
        )


def test_a_terminal_of_16_colours(warm: Open) -> None:
    with warm(TEXT, "--model", "gpt", TERM="xterm") as opened:
        opened.wait_for(READY)
        opened.settle()
        assert b"38;5;" not in opened.output and b"38;2;" not in opened.output


def without_terminal(
    home: Path, models: Path, *arguments: str, **extra: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nlptui", *arguments], cwd=ROOT, env=environment(home, models, **extra),
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip


def test_without_a_terminal_the_first_screen_is_plain_text(home: Path, model_folder: Path) -> None:
    done = without_terminal(home, model_folder, TEXT, "--model", "gpt")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "attention" in done.stdout and "1.00" in done.stdout
    assert len(done.stderr.splitlines()) == 1 and "terminal" in done.stderr


def test_a_dumb_terminal_gets_plain_text(warm: Open) -> None:
    with warm(TEXT, "--model", "gpt", TERM="dumb") as opened:
        assert opened.end(60) == 0
        assert b"\x1b" not in opened.output
        assert b"attention" in opened.output


def test_an_unknown_model_is_said_in_the_app_and_another_can_be_chosen(warm: Open) -> None:
    with warm(TEXT, "--model", "gpx") as opened:
        opened.wait_for("no model named 'gpx'")
        opened.send("m")
        opened.wait_for("Models")
        opened.send("gpt\r")
        opened.wait_for(READY)
        opened.send("q")
        assert opened.end() == 0


FIRST_PAINT = """
import sys
from nlptui.tui.app import run_app
from nlptui.tui.program import NlptuiApp
seen = []
display = NlptuiApp._display
def painted(self, screen, renderable):
    if not seen:
        seen.append([name for name in ('torch', 'numpy') if name in sys.modules])
    display(self, screen, renderable)
async def started(self):
    seen.append([name for name in ('torch', 'numpy') if name in sys.modules])
    self.exit(0)
NlptuiApp._display = painted
NlptuiApp.start_backends = started
code = run_app('the can', 'gpt')
print('SEEN', seen, code)
"""


def test_neither_torch_nor_numpy_is_imported_before_the_first_paint(model_folder: Path, home: Path) -> None:
    with terminal(env=environment(home, model_folder), program=(sys.executable, "-c", FIRST_PAINT)) as opened:
        assert opened.end(30) == 0
        assert b"SEEN [[], []] 0" in opened.output

"""Who imports whom, and what stays unloaded: the import rules, and a look at `sys.modules`."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
LINT_BREACHES = """
import json, os, sys
from importlinter.cli import lint_imports_command as lint

# A process for each rule: a tree that was read is not read again.
for rule, (file, line) in json.loads(sys.argv[1]).items():
    with open(file, encoding="utf-8") as kept:
        before = kept.read()
    with open(file, "w", encoding="utf-8") as broken:
        broken.write(line)
    print(f"== {rule}", flush=True)
    if os.fork() == 0:
        lint(["--no-logo", "--no-cache", "--contract", rule])
    print(f"ended {os.waitstatus_to_exitcode(os.wait()[1])}", flush=True)
    with open(file, "w", encoding="utf-8") as mended:
        mended.write(before)
"""
IMPORTS = """
import os, sys
import click, textual.app

# A process for each module: none finds loaded what another brought.
for module in sys.argv[1:]:
    print(module, end=" ", flush=True)
    if os.fork() == 0:
        __import__(module)
        print(*{name.split(".")[0] for name in sys.modules}, flush=True)
        os._exit(0)
    if os.wait()[1]:
        print("failed")
"""
HEAVY = ("torch", "transformers", "onnx", "babel", "beartype")
MODULES = [
    "nlptui",
    "nlptui.config",
    "nlptui.trace",
    "nlptui.formula",
    "nlptui.text",
    "nlptui.paths",
    "nlptui.locale",
    "nlptui.tokenizers",
    "nlptui.data",
    "nlptui.engine",
    "nlptui.engine.corpora",
    "nlptui.engine.library",
    "nlptui.engine.tokenizer",
    "nlptui.train",
    "nlptui.train.client",
    "nlptui.train.recipe",
    "nlptui.train.run",
    "nlptui.views",
    "nlptui.views.figure",
    "nlptui.views.render",
    "nlptui.cli",
    "nlptui.cli_base",
    "nlptui.cli_engine",
    "nlptui.cli_explorer",
    "nlptui.cli_models",
    "nlptui.cli_names",
    "nlptui.cli_options",
    "nlptui.cli_output",
    "nlptui.cli_places",
    "nlptui.cli_runs",
    "nlptui.cli_show",
    "nlptui.cli_training",
    "nlptui.first_screen",
    "nlptui.__main__",
    "nlptui.tui.app",
    "nlptui.tui.workbench",
    "nlptui.tui.clerk",
]
COMMANDS = [
    ["--help"],
    ["--version"],
    ["models"],
    ["models", "--json"],
    ["tokenize", "a can", "-t", "bytes"],
    ["data"],
    ["data", "list", "--json"],
    ["runs"],
    ["locate"],
    ["completion", "bash"],
    ["predict", "--help"],
    ["view", "--help"],
    ["neighbours", "--help"],
    ["predict", "x", "-m", "nothing"],
    ["neighbours", "x", "-m", "nothing"],
    ["predict", "x", "-m", "pos-lstm-en", "--edit", "embed=from:A"],
    ["predict", "x", "-m", "pos-lstm-en", "--edit", "embed=from:A", "--pin", "y", "--pin-model", "nothing"],
    ["no such view", "--at", "x"],
]


def loaded_after(code: str, tmp_path: Path) -> set[str]:
    """The top-level modules that are loaded once `code` has run in a fresh interpreter."""
    report = f"{code}\nimport sys; print('\\n' + ' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
        env=os.environ | {"NLPTUI_HOME": str(tmp_path)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_importing_loads_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *MODULES], capture_output=True, text=True, timeout=120, check=False,
        cwd=ROOT, env=os.environ | {"NLPTUI_HOME": str(tmp_path)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    loaded = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert list(loaded) == MODULES and "failed" not in loaded.values(), done.stderr
    heavy = {module: set(names.split()) & set(HEAVY) for module, names in loaded.items()}
    assert not {module: names for module, names in heavy.items() if names}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_that_run_no_model_load_no_torch(words: list[str], tmp_path: Path) -> None:
    loaded = loaded_after(f"from nlptui.cli import run; run({words!r})", tmp_path)
    assert not loaded & {*HEAVY, "textual"}


def test_reading_a_tokenizer_and_the_list_of_runs_loads_no_torch(tmp_path: Path) -> None:
    code = """
from nlptui.train import client
from nlptui.engine.tokenizer import find_tokenizer
find_tokenizer("bytes").encode("a can")
client.runs()
"""
    assert not loaded_after(code, tmp_path) & set(HEAVY)


def test_the_figure_needs_numpy_only_and_not_before_there_is_one(tmp_path: Path) -> None:
    others = {*HEAVY, "textual", "click", "tokenizers", "sentencepiece"}
    assert not loaded_after("import nlptui.views.figure", tmp_path) & {"numpy", *others}
    made = "from nlptui.views.figure import Bars; Bars('b', ('x',), [1.0])"
    loaded = loaded_after(made, tmp_path)
    assert "numpy" in loaded and not loaded & others


def test_the_screen_needs_no_numpy_before_its_first_picture(tmp_path: Path) -> None:
    assert not loaded_after("import nlptui.tui.app", tmp_path) & {"numpy", *HEAVY}


def test_the_command_line_brings_no_numpy_before_a_picture(tmp_path: Path) -> None:
    """All that `nlptui TEXT` imports of the command line until the explorer opens."""
    code = """
import sys
import nlptui.tui.guards, nlptui.tui.app
from nlptui.cli import run
nlptui.tui.guards.no_screen = lambda: ""
nlptui.tui.app.run_app = lambda *place, **options: 0
run(["a can", "--view", "gates", "--pin", "a cat"])
"""
    assert not loaded_after(code, tmp_path) & {"numpy", "textual", *HEAVY}


def test_asking_for_the_engine_loads_torch(tmp_path: Path) -> None:
    assert "torch" in loaded_after("from nlptui import Engine", tmp_path)


def test_exported_names() -> None:
    import nlptui

    assert nlptui.__all__ == ["Engine", "__version__"] and set(nlptui.__all__) <= set(dir(nlptui))
    with pytest.raises(AttributeError, match="Motor"):
        nlptui.Motor  # noqa: B018


def test_import_rules(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--cache-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0 and "0 broken" in done.stdout, done.stdout + done.stderr


def test_import_rules_see_a_breach(tmp_path: Path) -> None:
    """The rules of pyproject.toml, held against a small package that breaks each of them."""
    package = tmp_path / "nlptui"
    for source in (ROOT / "nlptui").rglob("*.py"):
        copy = package / source.relative_to(ROOT / "nlptui")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("")
    (package / "__init__.py").write_text("def later():\n    import nlptui.engine\n")
    breaches = {
        "layers": ("nn/attention.py", "import nlptui.engine"),
        "front-ends": ("tui/app.py", "import nlptui.nn.attention"),
        "views": ("views/hidden.py", "import torch"),
        "networks": ("nn/bert.py", "import nlptui.tokenizers"),
        "tasks": ("tasks/base.py", "import nlptui.nn.bert"),
        "torch": ("tui/place.py", "import torch"),
        "textual": ("views/figure.py", "import textual"),
        "click": ("cli_output.py", "import click"),
        "sentencepiece": ("engine/engine.py", "import sentencepiece"),
        "oracles": ("engine/engine.py", "import transformers"),
    }
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {rule["id"] for rule in rules["tool"]["importlinter"]["contracts"]} == set(breaches)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    todo = {rule: (str(package / file), line) for rule, (file, line) in breaches.items()}
    done = subprocess.run(
        [sys.executable, "-c", LINT_BREACHES, json.dumps(todo)],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    told = {part.split("\n")[0]: part for part in done.stdout.split("== ")[1:]}
    assert list(told) == list(breaches), done.stderr
    for rule, said in told.items():
        assert "1 broken" in said and said.rstrip().endswith("ended 1"), (rule, said, done.stderr)


def test_every_file_says_what_it_is() -> None:
    silent = []
    for path in (ROOT / "nlptui").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            silent.append(str(path.relative_to(ROOT)))
    assert not silent

"""Build hook: compiles the message catalogues, and puts the shipped models into the wheel.

Runs for wheels and for editable installs; an editable install finds the models in the checkout.
As a script, `python hatch_build.py` only compiles the catalogues.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # as a script, only babel is needed
    BuildHookInterface = object  # type: ignore[assignment,misc]


def compile_catalogues(root: Path) -> list[Path]:
    """Write `nlptui.mo` beside every `nlptui.po` below `root`/nlptui/locale; returns what was written."""
    written = []
    for source in sorted((root / "nlptui" / "locale").glob("*/LC_MESSAGES/*.po")):
        with source.open("rb") as lines:
            catalogue = read_po(lines, locale=source.parents[1].name, abort_invalid=True)
        target = source.with_suffix(".mo")
        with target.open("wb") as compiled:
            write_mo(compiled, catalogue)
        written.append(target)
    return written


def model_files(root: Path) -> dict[str, str]:
    """Every file of a complete shipped model, one that has a `config.json`, and its place in the wheel."""
    found = {}
    for config in sorted((root / "models").glob("*/config.json")):
        for path in sorted(config.parent.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                found[str(path)] = f"nlptui/models/{config.parent.name}/{path.name}"
    return found


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it collects files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and for a real wheel add the models."""
        root = Path(self.root)
        if self.target_name != "wheel":
            return
        compile_catalogues(root)
        if version != "editable":
            build_data["force_include"].update(model_files(root))


if __name__ == "__main__":
    for path in compile_catalogues(Path(__file__).resolve().parent):
        print(path)

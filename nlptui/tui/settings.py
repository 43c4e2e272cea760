"""What a person has set: theme, language, keys, and where the last session ended. One JSON file, written
atomically.

Knows nothing of widgets. A file that cannot be read is put aside and said so, never overwritten in silence;
keys that
this version does not know are kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlptui.locale import LANGUAGES, _
from nlptui.paths import home_config
from nlptui.text import visible

THEMES = ("dark", "light")
FILE_LIMIT = 1_000_000


@dataclass(frozen=True)
class Settings:
    """The settings file, in the words of the program."""

    theme: str = "dark"
    """dark or light."""
    language: str = ""
    """en or zh; empty: what the environment asks for."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Action id → keys, as in {"layer_up": "ctrl+up,]"}."""
    low_bandwidth: bool = False
    """As if every terminal were a slow one."""
    last: Mapping[str, Any] = field(default_factory=dict)
    """Where the last session ended."""
    history: tuple[str, ...] = ()
    """Sentences typed before, the newest last."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the file that this version does not know."""


def settings_path() -> Path:
    """Where the settings file is."""
    return home_config() / "settings.json"


def read_settings(path: Path) -> tuple[Settings, str]:
    """The settings in the file at `path`, and one sentence for the user where something is wrong with it."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(FILE_LIMIT).decode("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(_("a JSON object is needed"))
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, ValueError, RecursionError) as error:
        return Settings(), _set_aside(path, error)
    return _from_dict(content)


def _set_aside(path: Path, error: Exception) -> str:
    aside = path.with_name(path.name + ".broken")
    try:
        os.replace(path, aside)
    except OSError:
        aside = path
    return _("settings: {path} could not be read ({error}); it is kept as {aside}").format(
        path=visible(str(path)), error=visible(str(error)), aside=visible(aside.name)
    )


def _from_dict(content: dict[str, Any]) -> tuple[Settings, str]:
    """Take what fits; name the first entry that does not."""
    checks: dict[str, Callable[[Any], bool]] = {
        "theme": lambda v: v in THEMES,
        "language": lambda v: v == "" or v in LANGUAGES,
        "keys": lambda v: isinstance(v, dict) and all(isinstance(k, str) for k in v.values()),
        "low_bandwidth": lambda v: isinstance(v, bool),
        "last": lambda v: isinstance(v, dict),
        "history": lambda v: isinstance(v, list) and all(isinstance(line, str) for line in v),
    }
    good = {key: content[key] for key, fits in checks.items() if key in content and fits(content[key])}
    bad = [key for key in checks if key in content and key not in good]
    if "history" in good:
        good["history"] = tuple(good["history"])
    other = {key: value for key, value in content.items() if key not in checks}
    message = ""
    if bad:
        message = _("settings: the value of {key} cannot be used; its default is taken").format(key=bad[0])
    return Settings(**good, other=other), message


def write_settings(path: Path, settings: Settings) -> str:
    """Write the file whole or not at all; one sentence if that was not possible."""
    content = dataclasses.asdict(settings)
    content = {**content.pop("other"), **content}
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, ensure_ascii=True, indent=1) + "\n"
        with scratch.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        return _("settings: {path} could not be written ({error})").format(
            path=visible(str(path)), error=visible(error.strerror or str(error))
        )
    return ""


def save(path: Path, **changes: Any) -> str:
    """Write only what changed, on top of what the file holds by now: a key bound by hand meanwhile is
    kept.
    """
    current, trouble = read_settings(path)
    return write_settings(path, dataclasses.replace(current, **changes)) or trouble

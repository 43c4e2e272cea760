"""numpy, imported when it is first used: the screen's first picture needs none, and importing it takes as
long as drawing.

Knows nothing of what numpy does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any


class _LazyModule:
    """Stands for a module and imports it at the first look at one of its names."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value


if TYPE_CHECKING:
    import numpy as numpy
else:
    numpy = _LazyModule("numpy")

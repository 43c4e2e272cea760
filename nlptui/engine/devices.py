"""Where a network runs: the device that is asked for, or the best that is there."""

from __future__ import annotations

import torch

from nlptui.errors import UserError
from nlptui.locale import _
from nlptui.text import visible


def pick_device(wanted: str) -> str:
    """The device to use: "auto" is CUDA, then MPS, then the CPU, whichever is there. Raises UserError."""
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if usable[name])
    if not usable.get(wanted.split(":")[0], False):
        there = ", ".join(name for name, works in usable.items() if works)
        raise UserError(
            _("device {name!r} is not available here; there is {there}").format(
                name=visible(wanted), there=there
            )
        )
    return wanted

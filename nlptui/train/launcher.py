"""What torch's elastic launcher says in the environment of the processes that it starts.

Loads no torch, so that a worker can look before that takes its time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_PREFIXES = ("TORCHELASTIC_", "TORCH_NCCL_")
_NAMES = frozenset(
    {"RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "ROLE_NAME", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
     "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
)  # fmt: skip


def launched() -> bool:
    """Whether the launcher started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """The number of this process; 0 where it is alone."""
    return int(os.environ["RANK"]) if launched() else 0


def attempt() -> int:
    """How often all processes were started before, and one of them failed."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) if launched() else 0


def restarts_left() -> bool:
    """Whether all processes are started anew when one of them fails."""
    return launched() and attempt() < int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0"))


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` for a process that is none of the launcher's."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _NAMES and not name.startswith(_PREFIXES)
    }

"""`python -m nlptui` and the `nlptui` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its status."""
    from nlptui.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()

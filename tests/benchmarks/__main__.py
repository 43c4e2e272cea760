"""Run the benchmarks: `python -m tests.benchmarks [NAME]… [--json]`; without names, all of them."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def names() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key} {shown(found)}" for key, found in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names())
    if unknown:
        parser.error(f"no benchmark named {sorted(unknown)[0]!r}; there are {', '.join(names())}")
    found: dict[str, Any] = {}
    for name in arguments.names or names():
        started = time.perf_counter()
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        found[name] = module.run()
        if not arguments.json:
            heading = (module.__doc__ or name).strip().splitlines()[0]
            print(f"\n{name}: {heading}  ({time.perf_counter() - started:.0f} s)", flush=True)
            for key, value in found[name].items():
                print(f"  {key:<52} {shown(value)}", flush=True)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print(f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

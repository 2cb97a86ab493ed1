"""`python -m bench [name …]` runs all benchmarks, or those named (`b03`, `3`, `m01_gapless`), and prints a table.

Each runs in a process of its own, one after the other: none measures what another left behind.
"""

import argparse
import dataclasses
import importlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from bench.figure import Figure
from bench.table import table

FOLDER = Path(__file__).parent
LONGEST_SECONDS = 600


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="which; else all")
    parser.add_argument("--json", action="store_true", help="run the one named in this process, print JSON")
    wishes = parser.parse_args()
    chosen = _chosen(wishes.names)
    if wishes.json:
        importlib.import_module("bench.inside")
        figures = importlib.import_module(f"bench.{chosen[0]}").run()
        print(json.dumps([dataclasses.asdict(figure) for figure in figures]))
        return
    figures = [figure for name in chosen for figure in _run(name)]
    print(f"\n{table(figures)}\n\n{_load()}")


def _chosen(wanted: list[str]) -> list[str]:
    """The module names. One that names nothing ends the program."""
    known = sorted(path.stem for path in FOLDER.glob("[bm][0-9][0-9]_*.py"))
    if not wanted:
        return known
    by_number = {(name[0], int(name[1:3])): name for name in known}
    found = []
    for name in wanted:
        number = re.match(r"([bm]?)(\d+)", name.lower())
        chosen = number and by_number.get((number[1] or "b", int(number[2])))
        if not chosen:
            sys.exit(f"There is no benchmark {name!r}, only: {', '.join(known)}")
        found.append(chosen)
    return found


def _run(name: str) -> list[Figure]:
    """The figures of one benchmark; none if it failed, which it says on standard error."""
    print(f"{name} …", end=" ", file=sys.stderr, flush=True)
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--json", name],
        cwd=FOLDER.parent,
        stdout=subprocess.PIPE,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    print(f"{time.monotonic() - begin:.0f} s. {_load()}", file=sys.stderr)
    if done.returncode:
        return [Figure(f"{name} failed", 0, "", None, None, "", None)]
    return [Figure(**fields) for fields in json.loads(done.stdout.splitlines()[-1])]


def _load() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"Load average {load} on {os.cpu_count()} processors."


if __name__ == "__main__":
    main()

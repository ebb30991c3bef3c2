"""``python -m benchmarks.faults make`` and ``evaluate``."""

from __future__ import annotations

import argparse
import fnmatch
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small runs do not share their work

from benchmarks.faults import evaluate, records


def main() -> None:
    """One of both."""
    parser = argparse.ArgumentParser(prog="benchmarks.faults")
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make", help="carry out runs and freeze their records")
    making.add_argument("--only", default="*", metavar="PATTERN", help="names of runs, such as 'rate-*'")
    making.add_argument("--half", choices=("first", "second", "other"), help="those of this half only")
    making.add_argument("-o", "--output", type=Path, default=records.FROZEN, metavar="FILE")
    making.add_argument("--processes", type=int, default=1)
    making.add_argument("--missing", action="store_true", help="those that are not in the file yet")
    judging = verbs.add_parser("evaluate", help="compare diagnoses with what was seeded")
    judging.add_argument("--held-out", action="store_true", help="the second half, too")
    judging.add_argument("--by-run", action="store_true", help="a line for every run")
    judging.add_argument("-i", "--input", type=Path, default=records.FROZEN, metavar="FILE")
    given = parser.parse_args()
    if given.verb == "make":
        _make(given)
    else:
        print(evaluate.report(records.load(given.input), held_out=given.held_out, by_run=given.by_run))


def _make(given: argparse.Namespace) -> None:
    there = {one.meta["name"] for one in records.load(given.output)} if given.output.exists() else set()
    chosen = [
        name
        for name, what in records.names().items()
        if fnmatch.fnmatch(name, given.only)
        and given.half in (None, what["half"])
        and not (given.missing and name in there)
    ]
    clock = time.perf_counter()
    for number, name in enumerate(records.make(chosen, given.output, given.processes), start=1):
        print(f"{number:4} of {len(chosen)}  {time.perf_counter() - clock:6.0f} s  {name}", flush=True)


if __name__ == "__main__":
    main()

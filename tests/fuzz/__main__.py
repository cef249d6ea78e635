"""Run the fuzz targets for some time and write down what fails; `scripts/fuzz --help`."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from pathlib import Path

from .engine import fuzz
from .targets import TARGETS


def main() -> int:
    """0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzz the pure readers of the gateway.")
    names = [target.name for target in TARGETS]
    parser.add_argument("target", nargs="*", metavar="TARGET", help=f"of {names}; all when none is named")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target (60)")
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(1 << 31), help="a chance one"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("fuzz-failures"), help="for failing inputs (fuzz-failures)"
    )
    given = parser.parse_args()
    if not set(given.target) <= set(names):
        parser.error(f"targets are {', '.join(names)}")
    failed = False
    for target in TARGETS:
        if given.target and target.name not in given.target:
            continue
        count, failures = fuzz(target, seed=given.seed, seconds=given.seconds)
        print(f"{target.name}: {count} inputs, {len(failures)} failures (seed {given.seed})", flush=True)
        for failure in failures:
            failed = True
            given.folder.mkdir(parents=True, exist_ok=True)
            path = given.folder / f"{target.name}-{hashlib.sha256(failure.data).hexdigest()[:12]}"
            path.write_bytes(failure.data)
            print(f"  {failure.error}: {path} ({len(failure.data)} octets)", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

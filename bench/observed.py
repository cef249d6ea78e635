"""What trace and figures cost: the CPU of a message with both, against the same gateway with neither, in turns.

`python -m bench.observed`: 4 KB messages by submission on 8 kept connections; one gateway, whose trace and figures are
switched off and on between short turns, so that each pair of neighbours meets the same process on the same machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .clinic import Clinic
from .imap import Mailbox
from .measure import Case, loaded, warm
from .systems import remove
from .untraced import SWITCH

WITH, WITHOUT = "with trace and figures", "with neither"
AIM = 0.05
"""Share of the CPU of a message that both may take."""

CASE = Case("4 KB", "4 KB messages by submission", 4096, 400)


def main() -> int:
    """Print the table; 1 when the aim is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=24, help="pairs of turns (default 24)")
    parser.add_argument(
        "--messages", type=int, default=CASE.messages, help="messages of a turn (default 400)"
    )
    options = parser.parse_args()
    case = replace(CASE, messages=options.messages)
    folder = Path(tempfile.mkdtemp(prefix="mss-bench-"))
    found: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        clinic = Clinic(folder / "gateway", {}, "bench.untraced")
        stack.callback(remove, folder / "gateway")
        stack.callback(clinic.stop)
        target = clinic.start()
        box = stack.enter_context(Mailbox(target))
        warm(target, box, case, 60.0)
        now = WITH
        for turn in range(options.turns):
            for name in (WITH, WITHOUT) if turn % 2 else (WITHOUT, WITH):
                if name != now:
                    os.kill(clinic.roots()[0], SWITCH)
                    now = name
                named = replace(case, name=f"{turn}-{name.replace(' ', '-')}")
                figures = loaded(clinic, clinic.to_bal, box, named, box.count(), 60.0)
                found[name].append(1000 * figures.cpu_s_per_1000)
    for name, turns in found.items():
        low, middle, high = statistics.quantiles(turns, n=4)
        print(f"{name:24} CPU of a message: {low:.0f} {middle:.0f} {high:.0f} µs (quartiles)")
    share = statistics.median(
        1 - without / both for both, without in zip(found[WITH], found[WITHOUT], strict=True)
    )
    low = 1 - statistics.quantiles(found[WITHOUT], n=4)[0] / statistics.quantiles(found[WITH], n=4)[0]
    print(f"trace and figures take {share:.1%} of it (of quiet turns {low:.1%}), aim under {AIM:.0%}")
    return 0 if share < AIM else 1


if __name__ == "__main__":
    sys.exit(main())

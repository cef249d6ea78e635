"""What trace and figures cost: the CPU of a message with both, against the same gateway with neither, in turns.

`python -m bench.observed`: 4 KB messages by submission on 8 kept connections; the two gateways run side by side and
take turns, so that each pair of neighbours meets the same machine.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .clinic import Clinic
from .imap import Mailbox
from .measure import Case, Figures, loaded, warm
from .systems import remove

WITH, WITHOUT = "with trace and figures", "with neither"
AIM = 0.05
"""Share of the CPU of a message that both may take."""

CASE = Case("4 KB", "4 KB messages by submission", 4096, 500)


def main() -> int:
    """Print the table; 1 when the aim is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=8, help="pairs of turns (default 8)")
    parser.add_argument(
        "--messages", type=int, default=CASE.messages, help="messages of a turn (default 500)"
    )
    options = parser.parse_args()
    case = replace(CASE, messages=options.messages)
    folder = Path(tempfile.mkdtemp(prefix="mss-bench-"))
    found: dict[str, list[Figures]] = {WITH: [], WITHOUT: []}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        clinics, boxes = {}, {}
        for name, program in ((WITH, "mss_gateway"), (WITHOUT, "bench.untraced")):
            clinic = clinics[name] = Clinic(folder / program, {}, program)
            stack.callback(remove, folder / program)
            stack.callback(clinic.stop)
            target = clinic.start()
            boxes[name] = stack.enter_context(Mailbox(target))
            warm(target, boxes[name], case, 60.0)
        for turn in range(options.turns):
            for name in (WITH, WITHOUT) if turn % 2 else (WITHOUT, WITH):
                clinic, box = clinics[name], boxes[name]
                named = replace(case, name=f"{turn}-{name.replace(' ', '-')}")
                found[name].append(loaded(clinic, clinic.to_bal, box, named, box.count(), 60.0))
    for name, turns in found.items():
        costs = [one.cpu_s_per_1000 for one in turns]
        print(f"{name:24} CPU s per 1000: median {statistics.median(costs):.3f}, best {min(costs):.3f}")
    pairs = [
        one.cpu_s_per_1000 / base.cpu_s_per_1000
        for one, base in zip(found[WITH], found[WITHOUT], strict=True)
    ]
    share = 1 - 1 / statistics.median(pairs)
    bests = 1 - min(one.cpu_s_per_1000 for one in found[WITHOUT]) / min(
        one.cpu_s_per_1000 for one in found[WITH]
    )
    print(f"trace and figures take {share:.1%} of it (of bests {bests:.1%}), aim under {AIM:.0%}")
    return 0 if share < AIM else 1


if __name__ == "__main__":
    sys.exit(main())

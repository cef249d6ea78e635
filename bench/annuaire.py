"""The national directory: an import of 500,000 rows, and how long a search and a listing take.

`python -m bench.annuaire [--rows N] [--dir FOLDER] [--json FILE]` makes an extraction of the published shape with
invented people, imports it in a process of its own, and asks questions of the copy in one thread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mss_gateway.dev.annuaire import NAME, lines, write
from mss_gateway.directory.annuaire import Annuaire
from mss_gateway.directory.copies import Copies
from mss_gateway.directory.entry import Wanted

ROWS = 500_000
"""Rows of the extraction, about those of the published one."""

ROUNDS = 5
"""Times that each question is asked."""

QUESTIONS: dict[str, Wanted] = {
    "a family name": Wanted("martin"),
    "name and first name": Wanted("Martin Hélène"),
    "the beginning of a name": Wanted("lefe"),
    "a speciality in a department": Wanted("médecine générale", department="77"),
    "speciality, town, type": Wanted("cardiologie coeur de ville paris", type="ORG"),
    "a town by its beginning": Wanted(place="saint den"),
    "profession, name, town": Wanted("lefevre", profession="60", place="Pointe-à-Pitre"),
    "an RPPS": Wanted(number="810000000001"),
    "common words, nothing fits": Wanted("medecin generaliste melun"),
    "beginnings of common words": Wanted("de la rue medec", place="paris"),
}
"""What is asked, by its name."""

_IMPORT = """
import sys
from pathlib import Path
from mss_gateway.directory.importing import import_file
from mss_gateway.directory.options import DirectoryOptions
import_file(DirectoryOptions(Path(sys.argv[1])), Path(sys.argv[2]), force=True)
"""


@dataclass(frozen=True, slots=True)
class AnnuaireFigures:
    """Seconds and CPU seconds of the import, its memory in MB, sizes in MB, medians in milliseconds and µs."""

    rows: int
    file_mb: float
    import_s: float
    import_cpu_s: float
    import_memory_mb: float
    copy_mb: float
    questions_ms: dict[str, float]
    slowest_ms: float
    listing_first_us: float
    listing_again_us: float


def measure(folder: Path, rows: int) -> AnnuaireFigures:
    """Everything, in a folder that the caller removes."""
    path = write(folder / NAME, lines(rows))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", _IMPORT, str(folder), str(path)], check=True)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    copies = Copies(folder)
    asked = asyncio.run(_asked(copies))
    return AnnuaireFigures(
        rows=rows,
        file_mb=path.stat().st_size / 1e6,
        import_s=took,
        import_cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        import_memory_mb=after.ru_maxrss / 1024,
        copy_mb=copies.current.stat().st_size / 1e6,
        **asked,
    )


async def _asked(copies: Copies) -> dict[str, Any]:
    annuaire = Annuaire(copies)
    await annuaire.open()
    medians, slowest = {}, 0.0
    for name, wanted in QUESTIONS.items():
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await annuaire.search(wanted)
            times.append((time.perf_counter() - began) * 1e3)
        medians[name] = statistics.median(times)
        slowest = max(slowest, *times)
    keys = [row["address"] for row in (await annuaire.search(Wanted("martin", limit=1000))).rows]
    rounds = []
    for _ in range(2):
        began = time.perf_counter()
        for key in keys:
            await annuaire.listed(key)
        rounds.append((time.perf_counter() - began) / len(keys) * 1e6)
    await annuaire.close()
    return {
        "questions_ms": medians,
        "slowest_ms": slowest,
        "listing_first_us": rounds[0],
        "listing_again_us": rounds[1],
    }


def table(figures: AnnuaireFigures) -> list[str]:
    """The figures as lines to read."""
    return [
        f"annuaire: {figures.rows} rows, {figures.file_mb:.0f} MB",
        f"  import      {figures.import_s:.1f} s, {figures.import_cpu_s:.1f} CPU s,"
        f" {figures.import_memory_mb:.0f} MB of memory; the copy has {figures.copy_mb:.0f} MB",
        *(f"  {ms:8.2f} ms {name}" for name, ms in figures.questions_ms.items()),
        f"  {figures.slowest_ms:8.2f} ms the slowest of all",
        f"  listing of an address: {figures.listing_first_us:.0f} µs the first time,"
        f" then {figures.listing_again_us:.2f} µs",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.annuaire", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument(
        "--dir", type=Path, help="scratch folder on the disk to measure (default: a temporary one)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="mss-annuaire-", dir=options.dir))
    try:
        figures = measure(folder, options.rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(table(figures)))
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(figures), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

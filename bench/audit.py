"""How long `audit verify` takes over a million lines, and what a link costs the writer.

Run: python -m bench.audit [LINES]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from mss_gateway.ports.records import TraceLine
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore

BATCH = 5000
NOW = 1_790_000_000.0


def lines_from(first: int) -> list[TraceLine]:
    """Lines as an accepted message leaves them."""
    return [
        TraceLine(
            NOW + number * 0.5,
            "accepted",
            f"{number:014x}",
            f"<{number}.abcdef@logiciel.example>",
            number % 500,
            "alix.martin@clinique.example",
            {"peer": "192.0.2.1", "size": 12345, "placed": 1, "sender": "PER", "recipients": "ORG:1"},
        )
        for number in range(first, first + BATCH)
    ]


async def main(count: int) -> None:
    """Write, verify, purge a half, verify again; figures to standard output."""
    with tempfile.TemporaryDirectory(prefix="mss-audit-") as folder:
        store = SqliteStore(SqliteOptions(Path(folder) / "store", index=False))
        await store.open()
        began = time.perf_counter()
        for first in range(0, count, BATCH):
            await store.write_trace(lines_from(first))
        written = time.perf_counter() - began
        print(f"written   {count} lines in {written:.1f} s, {written / count * 1e6:.1f} µs each")
        began, cpu = time.perf_counter(), time.process_time()
        verdict = await store.verify_trace()
        print(
            f"verified  {verdict.lines} lines in {time.perf_counter() - began:.2f} s,"
            f" {time.process_time() - cpu:.2f} s of CPU, findings: {len(verdict.damage)}"
        )
        began = time.perf_counter()
        counted = await store.count_figures()
        while counted:
            counted = await store.count_figures()
        print(f"counted   into figures in {time.perf_counter() - began:.1f} s")
        plan = await store.plan_purge(NOW + count / 4)
        began = time.perf_counter()
        removed = await store.purge_trace(plan, "bench", NOW)
        print(f"purged    {removed} lines in {time.perf_counter() - began:.1f} s")
        print(f"findings  after it: {len((await store.verify_trace()).damage)}")
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))

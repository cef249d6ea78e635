"""How long a trusted list of 10,000 entries takes to load, and for how long the event loop waits meanwhile (TRU-3).

`python -m bench.trusted_list [entries]` prints three loads in a thread beside a loop that ticks every millisecond.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mss_gateway.dev.listing import SIGNER, Entry, new_signer, signed_list
from mss_gateway.dev.pki import Subject, new_pki, write_file
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.options import TrustOptions

TICK = 0.001
OPERATORS = 400
ROUNDS = 3


def entries(count: int) -> list[Entry]:
    """As many domains, spread over the operators as in the real list."""
    return [
        Entry(
            f"etablissement-{number}.mssante.fr",
            Subject(f"mx.operateur-{number % OPERATORS}.fr", ou=f"3{number % OPERATORS:014}").listed(),
        )
        for number in range(count)
    ]


def made(folder: Path, count: int) -> tuple[TrustOptions, list[bytes]]:
    """A trust space in a folder, and one list for each round, a minute apart and ten domains longer each time."""
    pki = new_pki()
    signer = new_signer(pki.organisations)
    ours = pki.organisations.issue(Subject("mx.clinique-exemple.mssante.fr"))
    certificate, key = ours.write(folder, "ours")
    write_file(folder / "ca.pem", pki.ca_pem)
    write_file(folder / "crls.pem", pki.crls())
    start = datetime.now(UTC) - timedelta(minutes=ROUNDS + 1)
    lists = [
        signed_list(entries(count + 10 * turn), signer, generated=start + timedelta(minutes=turn))
        for turn in range(ROUNDS + 1)
    ]
    write_file(folder / "list.xml", lists[0])
    options = TrustOptions(
        ca_files=(folder / "ca.pem",),
        crl_files=(folder / "crls.pem",),
        certificate=certificate,
        key=key,
        list_file=folder / "list.xml",
        list_signer=SIGNER.listed(),
        state=folder / "state",
        test_authorities=True,
    )
    return options, lists[1:]


async def ticking(waits: list[float]) -> None:
    """Note by how much each tick is late, seconds."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        waits.append(time.perf_counter() - before - TICK)


async def measured(trust: Trust, lists: list[bytes]) -> None:
    """Load each list beside the ticking loop and print the figures."""
    waits: list[float] = []
    ticker = asyncio.create_task(ticking(waits))
    await asyncio.sleep(1.0)
    print(f"idle: latest tick {max(waits) * 1e3:.1f} ms late")
    for data in lists:
        waits.clear()
        start = time.perf_counter()
        found = await asyncio.to_thread(trust.apply_list, data)
        took = time.perf_counter() - start
        late = sorted(waits, reverse=True)
        print(
            f"{found.entries} entries, {len(data) / 1e6:.1f} MB: {took:.2f} s;"
            f" latest ticks {', '.join(f'{one * 1e3:.1f}' for one in late[:5])} ms late"
        )
    ticker.cancel()


def main() -> None:
    """Measure in a folder that is removed again."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        options, lists = made(Path(folder), count)
        gc.collect()
        start = time.perf_counter()
        trust = Trust(options)
        print(f"opened in {time.perf_counter() - start:.2f} s")
        gc.freeze()
        asyncio.run(measured(trust, lists))
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"memory of the verifying process: at most {child:.0f} MiB")


if __name__ == "__main__":
    main()

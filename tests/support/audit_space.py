"""A gateway in a trust space of the audit matrix, with what its log, figures, timeline and queue say."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from mss_gateway.dev.listing import Entry
from mss_gateway.observe.log import LogOptions
from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.ports.records import Queued, TraceLine
from mss_gateway.settings import Settings
from tests.support.audit import MATRIX
from tests.support.audit_kinds import Authorities, Row, Space
from tests.support.audit_peers import FarEnd, files_of
from tests.support.doors import Served, gateway_in_thread
from tests.support.pki import Issued, name_of, new_pki, write_file
from tests.support.trust import HOSTED, OURS, World, shared_pki

PATIENTS = "patient.mssante.fr"
GRACE = 6.0  # hours
STALE = {
    Space.CURRENT: 0.0,
    Space.GRACE: 1.0,
    Space.LATE: 8.0,
}  # hours since the CRL should have been replaced
WAIT = 60.0  # seconds; only a broken test reaches it


@cache
def authorities() -> Authorities:
    """One set for a whole test run."""
    pki = shared_pki()
    unit = {"C": "FR", "O": "MSS-GATEWAY"}
    return Authorities(
        pki,
        revoked=pki.root.authority(name_of(**unit, CN="TEST AC RETIREE")),
        stale=pki.root.authority(name_of(**unit, CN="TEST AC SANS LCR")),
        silent=pki.root.authority(name_of(**unit, CN="TEST AC MUETTE")),
        unlisted=pki.root.authority(name_of(**unit, CN="TEST AC PERSONNES")),
        stranger=new_pki(label="ETRANGERE"),
    )


@cache
def certificates() -> dict[str, Issued | None]:
    """What the peer of each row shows, by the row's name."""
    return {row.name: row.make(authorities(), row.shown) for row in MATRIX}


def world(folder: Path, space: Space) -> World:
    """The files of one space: authorities, CRLs, list."""
    found = authorities()
    made = World(folder, found.pki)
    revoked = [one for row in MATRIX if row.revoked and (one := certificates()[row.name])]
    hours = STALE[space]
    organisations = found.organisations
    crls = [organisations.stale_crl(revoked, hours=hours) if hours else organisations.crl(revoked)]
    if space is Space.CURRENT:
        crls += [found.revoked.crl(), found.stale.stale_crl(hours=1.0)]
        more = b"".join(one.issued.cert_pem for one in (found.revoked, found.stale, found.silent))
        write_file(folder / "ca.pem", found.pki.ca_pem + more)
    made.put_crl_files(*crls, found.pki.root.crl([found.revoked]))
    made.put_list(entries())
    return made


def entries(given_away: str = "") -> list[Entry]:
    """The list of all rows; the domain `given_away` has our DN alone."""
    ours = OURS.listed()
    listed = {(row.domain, dn) for row in MATRIX for dn in row.entries or (ours,)}
    kept = sorted((domain, ours if domain == given_away else dn) for domain, dn in listed)
    return [Entry(HOSTED, ours), Entry(PATIENTS, ours), *(Entry(domain, dn) for domain, dn in kept)]


@dataclass
class Audited:
    """A gateway that is visited, and the far ends that it brings mail to, by the row's name."""

    served: Served
    folder: Path
    files_of_trust: World
    ends: dict[str, FarEnd]
    _log: io.BytesIO

    def files(self, row: Row) -> tuple[Path, Path] | None:
        """The certificate and key of a row's peer."""
        return files_of(certificates()[row.name], self.folder / "peers", row.name)

    def mark(self) -> int:
        """Where the log is now."""
        return len(self._log.getvalue())

    def logged(self, mark: int, event: str) -> list[dict[str, Any]]:
        """The events of a kind that were logged since."""
        lines = self._log.getvalue()[mark:].splitlines()
        return [found for line in lines if (found := json.loads(line))["event"] == event]

    def refusals(self, reason: str) -> float:
        """What the figures count for a reason."""
        value = self.served.parts.log.figures.registry.get_sample_value(
            "mss_refusals_total", {"reason": reason}
        )
        return float(value or 0.0)

    def timeline(self, message_id: str | None = None) -> list[TraceLine]:
        """The latest lines, or those of one message."""

        async def read() -> list[TraceLine]:
            await self.served.parts.notes.flush()
            return list(await self.served.parts.store.trace(message_id))

        return self.served.call(read())

    def refused_since(self, before: int) -> list[TraceLine]:
        """The refusals on the timeline after so many lines; they are written in the background."""
        limit = time.monotonic() + WAIT
        while True:
            lines = [line for line in self.timeline()[before:] if line.event in ("refused", "tls-refused")]
            if lines or time.monotonic() > limit:
                return lines
            time.sleep(0.02)

    def queue(self) -> list[Queued]:
        """All that waits."""
        return list(self.served.call(self.served.parts.store.queued(EVERYTHING)))

    def attempted(self, recipient: str) -> Queued | None:
        """The row of a recipient once it was tried; None when it has left the queue."""
        limit = time.monotonic() + WAIT
        while True:
            row = next((row for row in self.queue() if row.recipient == recipient), None)
            if row is None or (row.attempts and row.state != "leased"):
                return row
            assert time.monotonic() < limit, row
            time.sleep(0.02)


@contextlib.contextmanager
def audited(folder: Path, space: Space, rows: Iterable[Row] = ()) -> Iterator[Audited]:
    """A gateway in this space; the domains of `rows` lead to their far ends."""
    folder.mkdir(parents=True, exist_ok=True)
    made = world(folder / "trust", space)
    ends = {
        row.name: FarEnd(
            row, files_of(certificates()[row.name], folder / "peers", row.name), folder / "trust" / "ca.pem"
        )
        for row in rows
    }
    routes = {row.domain: (("127.0.0.1", ends[row.name].port),) for row in rows}

    def change(settings: Settings) -> Settings:
        grace = 0.0 if space is Space.CURRENT else GRACE
        return replace(
            settings,
            trust=replace(made.options, crl_grace_hours=grace),
            relay=replace(settings.relay, overrides=routes),
            log=LogOptions("json", "info"),
        )

    log = io.BytesIO()
    with contextlib.ExitStack() as stack:
        for end in ends.values():
            stack.callback(end.close)
        # The gateway takes hold of standard error when it starts.
        with contextlib.redirect_stderr(io.TextIOWrapper(log, write_through=True)):
            served = stack.enter_context(gateway_in_thread(folder, change))
        served.handout = replace(served.handout, ca=str(folder / "trust" / "ca.pem"))
        yield Audited(served, folder, made, ends, log)
        assert served.faults() == 0

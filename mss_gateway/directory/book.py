"""The address book of the straight line: boxes by address, places by domain, cached until they change."""

from __future__ import annotations

from dataclasses import dataclass

from mss_gateway.mail.address import Address
from mss_gateway.ports.records import BoxRow
from mss_gateway.ports.store import DirectoryRows
from mss_gateway.ports.trust import TrustedDomains
from mss_gateway.rules.facts import Box, Party, Place

CACHE_LIMIT = 50_000  # addresses, known or unknown; about 20 MB when full


@dataclass(frozen=True, slots=True)
class BookOptions:
    """Which domains are ours, all in lower-case A-label form.

    `patient_hosted` says that this gateway is the operator of the patient domain too, `alerts` that patients
    with a personal address are told there of what arrives (PAT-3), `limited` that every box has a quota (BAL-9).
    """

    hosted: frozenset[str]
    patient_domain: str = "patient.mssante.fr"
    patient_hosted: bool = False
    alerts: bool = False
    limited: bool = False


def box_of(row: BoxRow, address: Address, *, alerts: bool = True, limited: bool = False) -> Box:
    """The box as the rules see it; `alerts` when patients are told outside at all, `limited` as in `BookOptions`."""
    return Box(
        id=row.id,
        address=address,
        type=row.type,
        state=row.state,
        display=row.display,
        patient_initiated=row.patient_initiated,
        fin=row.fin,
        auto_close=row.auto_close,
        exchange_folder=row.exchange_folder,
        server_mdn=row.server_mdn,
        alert=alerts and bool(row.alert_address),
        limited=limited or bool(row.quota_bytes or row.quota_messages),
    )


class Book:
    """Resolves addresses into parties (RTE-1..3). Forgets everything when the directory changes."""

    def __init__(self, rows: DirectoryRows, trust: TrustedDomains, options: BookOptions) -> None:
        self._rows = rows
        self._trust = trust
        self._options = options
        self._boxes: dict[str, Box | None] = {}
        self._generation = 0

    def forget(self) -> None:
        """Drop the cache: boxes, persons or members have changed."""
        self._boxes.clear()
        self._generation += 1

    def place(self, domain: str) -> Place:
        """Where addresses of this domain live."""
        if domain in self._options.hosted:
            return Place.HOSTED
        if domain == self._options.patient_domain:
            return Place.PATIENT_HOSTED if self._options.patient_hosted else Place.PATIENT_REMOTE
        return Place.TRUSTED if self._trust.knows(domain) else Place.OUTSIDE

    async def party(self, address: Address) -> Party:
        """The address with its place and, when we host it, its box."""
        place = self.place(address.domain)
        if place in (Place.HOSTED, Place.PATIENT_HOSTED):
            return Party(address, place, await self._box(address))
        return Party(address, place)

    async def _box(self, address: Address) -> Box | None:
        key = address.key
        try:
            return self._boxes[key]
        except KeyError:
            pass
        generation = self._generation
        row = await self._rows.box(key)
        options = self._options
        box = None
        if row is not None:
            box = box_of(row, address, alerts=options.alerts, limited=options.limited)
        if generation == self._generation:  # else the directory changed while we read
            if len(self._boxes) >= CACHE_LIMIT:
                self._boxes.pop(next(iter(self._boxes)))
            self._boxes[key] = box
        return box

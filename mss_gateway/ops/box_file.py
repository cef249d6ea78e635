"""A file of mailboxes read in batches, and the running gateway's own look at one (BAL-1..5)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import parse_address
from mss_gateway.observe.events import Event
from mss_gateway.rules.ins import mask_text

from .imports import refused_line
from .operation import OperationRefused, Result
from .tabular import BadTable, Columns, rows

if TYPE_CHECKING:
    from mss_gateway.observe.log import Log

    from .box_import import BoxImportOperations

COLUMNS: Columns = {
    "address": ("address", "adresse", "adressebal", "adressemss", "bal", "email", "mail"),
    "type": ("type", "typebal", "typedebal"),
    "display": ("display", "displayname", "name", "nom", "libelle"),
    "structure": ("structure", "structureid", "idstructure", "identifiantstructure"),
    "responsible": ("responsible", "responsable"),
    "national_id": ("nationalid", "holdernationalid", "holder", "identifiantnational", "titulaire"),
    "login": ("login", "identifiant", "compte"),
    "members": ("members", "membres"),
    "state": ("state", "etat", "statut"),
    "reason": ("reason", "motif"),
    "quota_bytes": ("quotabytes", "quota", "quotaoctets"),
    "quota_messages": ("quotamessages",),
    "patient_initiated": ("patientinitiated", "patientspeuventecrire"),
    "password_login": ("passwordlogin", "motdepasse"),
    "fin": ("fin",),
    "auto_close": ("autoclose", "fermetureautomatique"),
}
"""Headings of `bal import`, as `ops.tabular` compares them. There is none for a password."""

REQUIRED = frozenset({"address", "type"})
"""Fields without which a file is none of mailboxes."""

BATCH = 500
"""Rows of one request."""

PIECE = 1024 * 1024  # octets of a file read at once for its digest


@dataclass(slots=True)
class BoxFile:
    """One reading of a file. `seen` are the address keys on any of its lines, `unread` lines without a readable one."""

    path: Path
    seen: dict[str, int] = field(default_factory=dict)
    unread: int = 0
    refused: list[Result] = field(default_factory=list)

    def batches(self) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """Rows to send with the octets read; raises `BadTable` and OSError."""
        batch: list[dict[str, Any]] = []
        size = 0
        for line in rows(self.path, COLUMNS, REQUIRED):
            size += line.size
            if line.reason:
                self.unread += 1
                self.refused.append(refused_line(line.number, line.sentence, line.reason))
            elif line.fields and self._is_new(line.number, line.fields["address"]):
                batch.append({**line.fields, "line": line.number})
            if len(batch) >= BATCH:
                yield batch, size
                batch, size = [], 0
        yield batch, size

    def _is_new(self, line: int, address: str) -> bool:
        """Remember an address; the same one on two lines would change to and fro with every import."""
        try:
            key = parse_address(address).key
        except InvalidValue as invalid:
            self.unread += 1
            self.refused.append(refused_line(line, invalid.public, invalid.reason))
            return False
        first = self.seen.setdefault(key, line)
        if first != line:
            sentence = f"line {first} names this mailbox already"
            self.refused.append(refused_line(line, sentence, "double-row"))
        return first == line


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; raises OSError."""
    found = sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The setting `[mailboxes] import_file`: where, how often in seconds, and what a missing mailbox means."""

    path: Path
    every: float = 3600.0
    close: bool = False
    percent: int = 10


class ScheduledImport:
    """Brings the mailboxes into line with a file whenever it has changed."""

    def __init__(self, operations: BoxImportOperations, options: FileOptions, log: Log) -> None:
        self._operations = operations
        self._options = options
        self._log = log

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except Exception as error:  # of the store, or of ours: the next look tries again
                self._log.fault(Event.STORE_FAULT, error)
            await asyncio.sleep(self._options.every)

    async def look(self) -> bool:
        """Import the file if it is not the one of the last time; False when nothing was to do. Raises `StoreError`."""
        source = str(self._options.path)
        status = await self._operations.status({})
        last = next((one for one in status["imports"] if one["source"] == mask_text(source)), None)
        try:
            digest = await asyncio.to_thread(digest_of, self._options.path)
            if last is not None and last.get("digest") == digest:
                return False
            outcome: Result = {**await self._import(), "digest": digest}
        except OSError as error:
            outcome = {"problem": f"the file cannot be read: {error.strerror}"}
        except BadTable as bad:
            outcome = {"problem": str(bad), "digest": digest}
        await self._operations.note({"source": source, "outcome": outcome})
        return True

    async def _import(self) -> Result:
        file = BoxFile(self._options.path)
        base = {"source": self._options.path.name, "actor": "gateway"}
        counts = {"created": 0, "updated": 0, "unchanged": 0}
        refused = 0
        batches = file.batches()
        while (found := await asyncio.to_thread(next, batches, None)) is not None:
            answer = await self._operations.import_({**base, "rows": found[0], "exact": True})
            for name in counts:
                counts[name] += answer[name]
            refused += len(answer["refused"])
        missing, in_use = await self._missing(file)
        outcome: Result = {
            **counts,
            "refused": refused + len(file.refused),
            "missing": len(missing),
            "closed": 0,
        }
        if self._options.close and missing:
            try:
                outcome["closed"] = await self._closed(base, file, missing, in_use)
            except OperationRefused as no:
                outcome["problem"] = f"nothing was closed: {no.sentence}"
        return outcome

    async def _missing(self, file: BoxFile) -> tuple[list[str], int]:
        missing: list[str] = []
        in_use, page = 0, await self._operations.known({})
        while page["after"]:
            in_use += len(page["known"])
            missing += [key for key in page["known"] if key not in file.seen]
            page = await self._operations.known({"after": page["after"]})
        return missing, in_use

    async def _closed(self, base: Result, file: BoxFile, missing: list[str], in_use: int) -> int:
        figures = {
            "closing": len(missing),
            "in_use": in_use,
            "percent": self._options.percent,
            "unread": file.unread,
        }
        closed = 0
        for start in range(0, len(missing), BATCH):
            piece = {**base, **figures, "addresses": missing[start : start + BATCH]}
            closed += (await self._operations.close(piece))["closed"]
        return closed

"""Reads a whole message for the decision: header facts, files and archives of what goes to patients, reports."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from mss_gateway.mail.facts import message_facts
from mss_gateway.mail.message import Header
from mss_gateway.mail.reports import ReportReading, looks_like_report, read_report
from mss_gateway.mail.structure import MimePart
from mss_gateway.ports.documents import ReadArchive
from mss_gateway.rules.facts import MessageFacts

from .bodies import open_text
from .contents import Contents, look_inside
from .gather import Gather
from .spool import Spooled

REPORT_LOOK = 1024 * 1024  # octets of a report that are read


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: facts for the rules, the structure if it was scanned, the report if it is one (RCP-5)."""

    facts: MessageFacts
    root: MimePart | None = None
    report: ReportReading | None = None


class Reader:
    """Reads messages, small ones on the loop, large ones in a thread."""

    def __init__(self, gather: Gather, read_archive: ReadArchive, executor: Executor) -> None:
        self._gather = gather
        self._read_archive = read_archive
        self._executor = executor

    async def read(self, spooled: Spooled, *, patients: int, null_sender: bool) -> Reading:
        """Everything that rules and timeline want to know; `patients` are those among the recipients."""
        header = Header(spooled.header)
        contents = Contents()
        if patients:
            house = self._gather.house
            # Archives of what is refused anyway are not opened, and none when the gate is off.
            closed = house.archive_gate == "off" or spooled.size > house.patient_size
            contents = await look_inside(spooled, header, self._read_archive, self._executor, closed=closed)
        facts = await self._gather.header(
            message_facts(header), spooled.size, contents.attachments, contents.archives
        )
        report = None
        if looks_like_report(header, null_sender):
            loop = asyncio.get_running_loop()
            report = await loop.run_in_executor(self._executor, _read_report, spooled, null_sender)
        return Reading(facts, contents.root, report)


def _read_report(spooled: Spooled, null_sender: bool) -> ReportReading | None:
    with open_text(spooled.text) as octets:
        return read_report(spooled.header, bytes(octets[:REPORT_LOOK]), sender_null=null_sender)

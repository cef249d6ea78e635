"""Looks into a message to a patient: its files, and what its archives say of the patient (PAT-5, INS-6)."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from mss_gateway.mail.attached import attached_files, content_of, may_hold_files
from mss_gateway.mail.message import Header
from mss_gateway.mail.mime import TEXT_PLAIN, parse_content_type
from mss_gateway.mail.spans import Text
from mss_gateway.mail.structure import MimePart, scan_structure
from mss_gateway.ports.documents import ReadArchive
from mss_gateway.ports.records import SpoolFile
from mss_gateway.rules.attachments import is_archive, kind_of
from mss_gateway.rules.facts import ArchiveFacts, Attachment

from .bodies import open_text
from .spool import Spooled

MAX_ARCHIVES = 20  # archives of one message that are read; with more, the message is refused
ON_THE_LOOP = 64 * 1024  # octets of a text that are scanned without a thread


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found, of files one of each kind.

    `root` is the scanned structure, which the store's texts are made of without a second scan.
    """

    root: MimePart | None = None
    attachments: tuple[Attachment, ...] = ()
    archives: tuple[ArchiveFacts, ...] = ()


async def look_inside(
    spooled: Spooled, header: Header, read_archive: ReadArchive, executor: Executor, *, closed: bool
) -> Contents:
    """Scan a message whose header is split already; its archives are not read when they are to stay `closed`."""
    value = header.first(b"content-type")
    kind = parse_content_type(value) if value else TEXT_PLAIN
    if not may_hold_files(header, kind):
        return Contents()
    if isinstance(spooled.text, bytes) and len(spooled.text) <= ON_THE_LOOP:
        found = _look(header, Text(spooled.text), read_archive, closed=True)
        # An archive of some kB may unpack into half a second of work: never on the loop.
        if closed or not any(map(is_archive, found.attachments)):
            return found
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, _look_apart, header, spooled.text, read_archive, closed)


def _look_apart(header: Header, text: bytes | SpoolFile, read_archive: ReadArchive, closed: bool) -> Contents:
    with open_text(text) as octets:
        return _look(header, Text(octets), read_archive, closed=closed)


def _look(header: Header, text: Text, read_archive: ReadArchive, *, closed: bool) -> Contents:
    root = scan_structure(header, text)
    attachments: dict[tuple[str, str | None], Attachment] = {}
    archives: list[ArchiveFacts] = []
    for file in attached_files(root):
        attachment = Attachment(file.media_type, file.name)
        # Thousands of files of one kind are judged as one, once for each recipient.
        attachments.setdefault((attachment.media_type, kind_of(attachment)), attachment)
        if closed or not is_archive(attachment):
            continue
        if len(archives) >= MAX_ARCHIVES:
            archives.append(ArchiveFacts(problem="xdm-too-many"))
            closed = True  # the other files are looked at all the same
            continue
        archives.append(read_archive(content_of(file.part, text)))
        closed = bool(archives[-1].problem)  # one that cannot be trusted is enough to say no
    return Contents(root, tuple(attachments.values()), tuple(archives))

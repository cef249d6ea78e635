"""From spooled octets to a body ready for the store: scanned, hashed, its IMAP texts written once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor

from mss_gateway.mail.prepare import Prepared, prepare
from mss_gateway.mail.spans import Buffer
from mss_gateway.mail.structure import MimePart
from mss_gateway.ports.filetext import FileText
from mss_gateway.ports.records import NewBody, SpoolFile
from mss_gateway.ports.sealing import Seal, SealBroken


async def prepare_body(
    header: bytes, text: bytes | SpoolFile, executor: Executor, root: MimePart | None = None
) -> NewBody:
    """Scan a message, unless its `root` is given. What lies in a file is read and scanned outside of the loop."""
    if isinstance(text, SpoolFile):
        loop = asyncio.get_running_loop()
        prepared = await loop.run_in_executor(executor, _prepare_file, header, text, root)
    else:
        prepared = prepare(header, text, root=root)
    return NewBody(
        header=header,
        text=text,
        size=len(header) + (text.size if isinstance(text, SpoolFile) else len(text)),
        digest=prepared.digest,
        envelope=prepared.envelope,
        bodystructure=prepared.bodystructure,
        structure=prepared.structure,
        message_id=prepared.message_id,
        subject_base=prepared.subject_base,
        sent_at=prepared.sent_at,
        references=prepared.references,
    )


def _prepare_file(header: bytes, text: SpoolFile, root: MimePart | None) -> Prepared:
    with open_text(text) as octets:
        return prepare(header, octets, root=root)


@contextlib.contextmanager
def open_text(text: bytes | SpoolFile) -> Iterator[Buffer]:
    """The octets of a text, wherever they lie; blocking when they are read. Raises OSError, also for a changed file."""
    if isinstance(text, bytes):
        yield text
        return
    with text.path.open("rb", buffering=0) as file:
        seal = None if text.key is None else Seal(text.key)
        try:
            yield FileText(file.fileno(), text.offset, text.size, seal)
        except SealBroken:
            raise OSError("the sealed spool file was changed") from None

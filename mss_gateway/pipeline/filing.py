"""What a mail client puts into a mailbox itself (APPEND): spooled and prepared as any other message."""

from __future__ import annotations

from concurrent.futures import Executor

from mss_gateway.base.errors import Refuse
from mss_gateway.ports.records import NewBody

from .bodies import prepare_body
from .intake import Intake
from .spool import MEMORY_LIMIT, Spool


class Filing:
    """Gives the IMAP door a spool, and makes a body of what was spooled."""

    def __init__(self, intake: Intake, executor: Executor) -> None:
        self._intake = intake
        self._executor = executor

    def new_spool(self) -> Spool:
        """An empty body."""
        return self._intake.new_spool()

    async def body(self, spool: Spool, memory: int = MEMORY_LIMIT) -> NewBody | Refuse:
        """The spooled message with its IMAP texts, at most `memory` octets of its text not in a file.

        The caller discards the spool once it is stored. Raises OSError when the disk refuses it.
        """
        spooled = await spool.finish(memory)
        if isinstance(spooled, Refuse):
            return spooled
        return await prepare_body(spooled.header, spooled.text, self._executor)

    def note_refusal(self, host: str, reason: str) -> None:
        """Write a refusal into log and timeline."""
        self._intake.note_refusal(None, host, reason)

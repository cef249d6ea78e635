"""A text too large to be read whole for a search: only the parts looked at are read, attachments never."""

from __future__ import annotations

import asyncio

from mss_gateway.ports.mailboxes import Mailboxes, MessageRow


class FarText:
    """Slices of a text as `mail.plaintext` asks for them. Made on the loop, read from a thread beside it."""

    def __init__(self, mailboxes: Mailboxes, row: MessageRow) -> None:
        self._mailboxes = mailboxes
        self._body = row.body_id
        self._size = row.size - row.header_size
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, wanted: slice) -> bytes:
        start, stop, _ = wanted.indices(self._size)
        if stop <= start:
            return b""
        reading = self._mailboxes.read_text(self._body, start, stop - start)
        return asyncio.run_coroutine_threadsafe(reading, self._loop).result()

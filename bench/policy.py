"""A Postfix policy service that answers DUNNO to everything: one process, as cheap as Python makes it.

`python -m bench.policy SOCKET` listens on a unix socket. It imports nothing that it does not need, so
that the comparison is not burdened by it.
"""

from __future__ import annotations

import asyncio
import os
import sys

ANSWER = b"action=DUNNO\n\n"


class Policy(asyncio.Protocol):
    """One connection of an smtpd process: each request is lines ended by an empty one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        buffer = self._rest + data
        requests = buffer.count(b"\n\n")
        if requests:
            assert isinstance(self._transport, asyncio.Transport)
            self._transport.write(ANSWER * requests)
            buffer = buffer[buffer.rindex(b"\n\n") + 2 :]
        self._rest = buffer[-65536:]


async def serve(path: str) -> None:
    """Listen until the process is ended."""
    server = await asyncio.get_running_loop().create_unix_server(Policy, path)
    os.chmod(path, 0o666)  # postfix's own user connects; the folder is the bench's
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

"""One way to speak SASL to either door: what comes back is a challenge, or the end with its text."""

from __future__ import annotations

from base64 import b64decode, b64encode

from .wires import Imap, Smtp

Answer = tuple[str, bytes]
"""`+` with the challenge, `OK` or `NO` with the text of the end."""


class Talk:
    """An exchange on a connection under TLS, not logged in."""

    def __init__(self, wire: Smtp | Imap) -> None:
        self.wire = wire
        self._tag = b""

    def begin(self, mechanism: str, initial: bytes | None = None) -> Answer:
        """AUTH or AUTHENTICATE, with an initial response when given."""
        text = mechanism if initial is None else f"{mechanism} {b64encode(initial).decode() or '='}"
        if isinstance(self.wire, Imap):
            self._tag = self.wire.begin(f"AUTHENTICATE {text}")
        else:
            self.wire.send(f"AUTH {text}\r\n".encode())
        return self._answer()

    def say(self, data: bytes) -> Answer:
        """Answer a challenge."""
        return self.raw(b64encode(data))

    def raw(self, line: bytes) -> Answer:
        """Answer with a line as it is."""
        self.wire.send(line + b"\r\n")
        return self._answer()

    def _answer(self) -> Answer:
        if isinstance(self.wire, Smtp):
            reply = self.wire.reply()
            if reply.startswith("334"):
                return "+", b64decode(reply[4:])
            return "OK" if reply.startswith("235") else "NO", reply.encode()
        line = self.wire.response()
        if line.startswith(b"+ "):
            return "+", b64decode(line[2:])
        assert line.startswith(self._tag + b" ")
        text = line[len(self._tag) + 1 :]
        return "OK" if text.startswith(b"OK") else "NO", text

    def offered(self) -> set[str]:
        """The mechanisms that are announced now."""
        if isinstance(self.wire, Imap):
            words = self.wire.ok("CAPABILITY")[0].decode().split()
            return {word[5:] for word in words if word.startswith("AUTH=")}
        lines = self.wire.hello().split("\n")
        return {name for line in lines if line[4:].startswith("AUTH ") for name in line[9:].split()}

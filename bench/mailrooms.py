"""The systems that mail is read from: this gateway, and Debian's Dovecot alone."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tests.support.foreign import Dovecot

from .messages import Target
from .systems import Gateway, pki

MANY = """\
mail_max_userip_connections = 5000
default_client_limit = 8000
service imap-login {
  service_count = 0
  process_min_avail = 2
}
service imap {
  process_limit = 4000
}
"""
"""Room for a thousand connections of one user: Dovecot stops at ten of one address otherwise."""


class Mailroom(Protocol):
    """One server to read from. `name` is its column."""

    name: str

    def start(self) -> Target:
        """Start (again, on the same data) and say where it listens."""

    def stop(self) -> None:
        """End every process."""

    def roots(self) -> list[int]:
        """The processes that were started; all others descend from them."""


class Alone:
    """Dovecot with Maildir, no Postfix. Its passwords are plain text, so that a login costs it no hash."""

    name = "dovecot"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        tls, cert, key, _ = pki(folder / "pki")
        login, password = "alix.martin@hopital.example", "bench"
        self._dovecot = Dovecot(folder / "dovecot", tls, {login: password}, MANY)
        self._target = Target(
            0, self._dovecot.port, tls.ca, cert, key, "service@operateur.example", login, login, password
        )

    def start(self) -> Target:
        """Start and wait until IMAP answers."""
        self._dovecot.run()
        return self._target

    def stop(self) -> None:
        """End it."""
        self._dovecot.stop()

    def roots(self) -> list[int]:
        """Dovecot's master."""
        return [self._dovecot.pid]


MAILROOMS: dict[str, type[Gateway] | type[Alone]] = {Gateway.name: Gateway, Alone.name: Alone}
"""In the order in which they take turns."""

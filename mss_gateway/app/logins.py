"""What stands behind every login: the hashing threads, the SCRAM vault, the counts of failures with their file."""

from __future__ import annotations

from dataclasses import dataclass

from mss_gateway.identity.lockdesk import Desk, LockFile
from mss_gateway.identity.locks import Locks
from mss_gateway.identity.passwords import Passwords
from mss_gateway.identity.scramkeys import ScramVault
from mss_gateway.ops.logins import LoginOperations
from mss_gateway.ops.masking import masked
from mss_gateway.ops.operation import Operation
from mss_gateway.settings import Settings
from mss_gateway.storage.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class LoginBook:
    """One for all doors."""

    passwords: Passwords
    vault: ScramVault
    file: LockFile

    def table(self, store: SqliteStore) -> dict[str, Operation]:
        """The operations on failed logins."""
        return masked(LoginOperations(Desk(store, self.file), store).table())

    def close(self) -> None:
        """End the threads and write down the counts; raises OSError."""
        self.passwords.close()
        self.file.save()


def login_book(settings: Settings, key: bytes) -> LoginBook:
    """Put it together, with the counts of before a restart; `key` is the gateway's secret one."""
    options = settings.login
    vault = ScramVault(key, options.scram)
    passwords = Passwords(options.passwords, vault if options.scram.offered else None)
    file = LockFile(settings.state / "logins.json", Locks(key, options.locks))
    file.load()
    return LoginBook(passwords, vault, file)

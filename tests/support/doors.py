"""A gateway in a thread of this process, on free loopback ports, over a copy of one prepared sample space."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import apsw

from mss_gateway.app.gateway import Running, run
from mss_gateway.app.logins import login_book
from mss_gateway.base.secret import Secret
from mss_gateway.dev.handout import Account, Credential, Handout, Ports
from mss_gateway.dev.sample import prepared
from mss_gateway.dev.wire import tls
from mss_gateway.observe.log import LogOptions
from mss_gateway.settings import Settings
from mss_gateway.settings.checks import DOORS

from .wires import Imap, Smtp

T = TypeVar("T")
Change = Callable[[Settings], Settings]
KEYS = ("audit.key", "correlation.key")
START = 90.0  # seconds; only a gateway that does not start reaches it


@cache
def sample() -> tuple[Settings, Handout]:
    """The trust space, the mailboxes and their settings; made once for a whole test run."""
    folder = Path(tempfile.mkdtemp(prefix="mss-doors-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    settings, handout = prepared(folder, 20_000)
    asyncio.run(hash_anew(settings, handout))
    return settings, handout


class Served:
    """A gateway that serves. Blocking clients talk to it; `call` runs a coroutine on its own loop."""

    def __init__(
        self, settings: Settings, handout: Handout, loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        self.settings = settings
        self.handout = handout
        self.loop = loop()
        self.running: Running | None = None
        self._ready = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="gateway", daemon=True)
        self._thread.start()
        if not self._ready.wait(START) or self.running is None:
            raise RuntimeError("the gateway did not start") from self._fault
        self.handout = replace(handout, ports=Ports(**self.running.ports))

    def _serve(self) -> None:
        def ready(running: Running) -> None:
            self.running = running
            self._ready.set()

        try:
            self.loop.run_until_complete(run(self.settings, ready, signals=False))
        except BaseException as error:
            self._fault = error
            self._ready.set()
        finally:
            self.loop.close()

    @property
    def parts(self) -> Any:
        """The parts that the gateway was built from."""
        assert self.running is not None
        return self.running.parts

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run on the gateway's loop and wait."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(START)

    def ask_to_stop(self) -> None:
        """What SIGTERM does."""
        assert self.running is not None
        self.loop.call_soon_threadsafe(self.running.stop.set)

    def stop(self) -> None:
        """Stop and wait; a gateway that ended with an exception raises it here."""
        if self._thread.is_alive():
            self.ask_to_stop()
        self._thread.join(START)
        if self._fault is not None:
            raise self._fault

    @property
    def spooled(self) -> list[Path]:
        """Files in the spool folder."""
        return list((self.settings.store.path / "spool").iterdir())

    def faults(self) -> int:
        """How many faults of ours the log has counted."""
        families = self.parts.log.figures.registry.collect()
        return int(
            sum(
                sample.value
                for family in families
                for sample in family.samples
                if sample.name == "mss_faults_total"
            )
        )

    # --- who talks to it

    def account(self, kind: str) -> Account:
        """The first account of a type."""
        return self.handout.account(kind)

    def operator(self) -> Smtp:
        """A session of the listed foreign operator, past EHLO under mutual TLS."""
        return self.mta(self.handout.operator)

    def mta(self, credential: Credential | None) -> Smtp:
        """A session on the operators' port with this certificate, past EHLO under TLS."""
        wire = Smtp(self.handout.ports.mta)
        wire.hello()
        wire.start_tls(tls(self.handout, credential))
        wire.hello()
        return wire

    def submission(self, account: Account | None = None, credential: Credential | None = None) -> Smtp:
        """A session on the submission port, past EHLO under TLS; logged in when an account is given."""
        wire = Smtp(self.handout.ports.submission)
        wire.hello()
        wire.start_tls(tls(self.handout, credential))
        wire.hello()
        if account is not None:
            wire.login(account.login, account.password)
        return wire

    def imap(self, account: Account | None = None, *, select: str = "") -> Imap:
        """A session on the IMAPS port; logged in and with a mailbox open when asked."""
        wire = Imap(self.handout.ports.imaps, tls(self.handout))
        if account is not None:
            wire.ok(f"LOGIN {account.login} {account.password}")
        if select:
            wire.ok(f"SELECT {select}")
        return wire


def copy_state(settings: Settings, folder: Path) -> None:
    """A fresh copy of the sample's store, with the keys of its trace and of its SCRAM keys."""
    shutil.copytree(settings.store.path, folder / "store")
    for name in KEYS:
        shutil.copy(settings.state / name, folder)


def quickly(settings: Settings) -> Settings:
    """The same settings with passwords that cost next to nothing: a third of the time went into them.

    What a hash must cost is proved in tests/identity and tests/settings.
    """
    passwords = replace(settings.login.passwords, time_cost=1, memory_kib=64)
    return replace(settings, login=replace(settings.login, passwords=passwords))


async def hash_anew(settings: Settings, handout: Handout) -> None:
    """Hash the passwords of the sample's accounts so, as if they had been set with these settings."""
    book = login_book(quickly(settings), (settings.state / KEYS[1]).read_bytes())
    db = apsw.Connection(str(settings.store.path / "store.db"))
    try:
        for account in handout.accounts:
            hashed, _, keys = (await book.passwords.hash(Secret(account.password), account.login)).partition(
                "\n"
            )
            ((person,),) = db.execute(
                "UPDATE persons SET password_hash = ? WHERE login = ? RETURNING id", (hashed, account.login)
            ).fetchall()
            db.execute("UPDATE login_keys SET sealed = ? WHERE person_id = ?", (keys, person))
    finally:
        db.close()
        book.passwords.close()


def free_ports(settings: Settings) -> Settings:
    """The same settings on ports that the system chooses."""
    listen = settings.file.listen.model_copy(update={name: ["127.0.0.1:0"] for name in DOORS})
    return replace(settings, file=settings.file.model_copy(update={"listen": listen}))


@contextmanager
def gateway_in_thread(
    folder: Path,
    *changes: Change,
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> Iterator[Served]:
    """A gateway over a fresh copy of the sample's store, its settings changed; stopped in the end."""
    settings, handout = sample()
    copy_state(settings, folder)
    settings = quickly(free_ports(settings))
    settings = replace(
        settings,
        state=folder,
        control=folder / "c.sock",
        store=replace(settings.store, path=folder / "store", audit_key=folder / "audit.key"),
        log=LogOptions("console", "error"),
    )
    for change in changes:
        settings = change(settings)
    served = Served(settings, handout, loop)
    try:
        yield served
    finally:
        served.stop()

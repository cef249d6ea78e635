"""The systems under test, each startable, stoppable and killable, with all its processes known."""

from __future__ import annotations

import json
import random
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes

from mss_gateway.dev.pki import Issued, Subject, new_pki
from tests.support.foreign import Daemon, Dovecot, Postbox, Postfix, TlsFiles, free_ports, listens

from .load import CONNECTIONS
from .messages import Target

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = Path(sys.executable).with_name("mss-gateway")
PORTS_OF_GATEWAY = 12  # that `dev` may take from its base port on


class System(Protocol):
    """One mail system under test. `name` is its column."""

    name: str

    def start(self) -> Target:
        """Start every process (again, on the same data after `kill`) and say where it listens."""

    def stop(self) -> None:
        """End every process; harmless when none runs."""

    def kill(self) -> None:
        """SIGKILL every process at once."""

    def roots(self) -> list[int]:
        """The processes that were started; all others descend from them."""

    def settled(self) -> bool:
        """Whether no accepted message is still on its way to a mailbox."""


def pki(folder: Path) -> tuple[TlsFiles, Path, Path, Issued]:
    """A server's files and a client's certificate and key, of the same kinds as the gateway's own `dev`."""
    folder.mkdir(parents=True)
    pki = new_pki()
    cert, key = pki.organisations.issue(Subject("mail.hopital.example")).write(folder, "server")
    client = pki.organisations.issue(Subject("mail.operateur.example"))
    client_cert, client_key = client.write(folder, "client")
    ca = folder / "ca.pem"
    ca.write_bytes(pki.ca_pem)
    return TlsFiles(cert, key, ca), client_cert, client_key, client


class Rival:
    """Postfix with Dovecot: client certificate required and looked up, a policy service, LMTP, Maildir, fsync."""

    name = "postfix+dovecot"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        tls, cert, key, client = pki(folder / "pki")
        recipient, password = "alix.martin@hopital.example", "bench"
        print_ = client.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        socket_path = folder / "policy"
        self._policy_socket = socket_path
        self._policy = Daemon(
            "policy", [sys.executable, "-m", "bench.policy", str(socket_path)], folder / "policy.log"
        )
        self._dovecot = Dovecot(folder / "dovecot", tls, {recipient: password})
        box = Postbox((recipient,), (print_,), self._dovecot.lmtp, socket_path)
        self._postfix = Postfix(folder / "postfix", tls, box)
        self._target = Target(
            smtp_port=self._postfix.port,
            imap_port=self._dovecot.port,
            ca=tls.ca,
            cert=cert,
            key=key,
            sender="service@operateur.example",
            recipient=recipient,
            login=recipient,
            password=password,
        )

    def start(self) -> Target:
        """Policy service first, then Dovecot, then Postfix."""
        self._policy_socket.unlink(missing_ok=True)
        self._policy.start(self._policy_socket.exists)
        self._dovecot.run()
        self._postfix.run()
        return self._target

    def stop(self) -> None:
        """In the opposite order."""
        for daemon in (self._postfix, self._dovecot, self._policy):
            daemon.stop()

    def kill(self) -> None:
        """Postfix first: what it has answered must be in its queue."""
        for daemon in (self._postfix, self._dovecot, self._policy):
            daemon.kill()

    def roots(self) -> list[int]:
        """Postfix's master, Dovecot's master, the policy service."""
        return [daemon.pid for daemon in (self._postfix, self._dovecot, self._policy)]

    def settled(self) -> bool:
        """Nothing in Postfix's queue; what it had put off is tried again."""
        if self._postfix.queued() == 0:
            return True
        self._postfix.flush()
        return False


class OneProcess:
    """A system that is one process with its children; what it has accepted is where it belongs."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def stop(self) -> None:
        """Ask it to end."""
        self._daemon.stop()

    def kill(self) -> None:
        """Kill it with its children."""
        self._daemon.kill()

    def roots(self) -> list[int]:
        """The one process that was started."""
        return [self._daemon.pid]

    def settled(self) -> bool:
        """Always: what it has accepted is in the mailbox."""
        return True


class Gateway(OneProcess):
    """`mss-gateway dev`: the sample space with every rule active, on its own state folder."""

    name = "mss-gateway"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._log = folder / "gateway.log"
        state = folder / "state"
        command = [
            str(GATEWAY),
            "dev",
            "--one",
            "--json",
            "--state",
            str(state),
            "--base-port",
            str(base_port()),
        ]
        super().__init__(Daemon("mss-gateway", command, self._log))
        self._said = 0

    def start(self) -> Target:
        """Start and wait for the line of JSON."""
        self._said = self._log.stat().st_size if self._log.exists() else 0
        self._daemon.start(lambda: self._handout() is not None)
        handout = self._handout()
        assert handout is not None
        account = next(item for item in handout["accounts"] if item["type"] == "PER")
        operator = handout["operator"]
        return Target(
            smtp_port=handout["ports"]["mta"],
            imap_port=handout["ports"]["imaps"],
            ca=Path(handout["ca"]),
            cert=Path(operator["cert"]),
            key=Path(operator["key"]),
            sender=f"service@{operator['domain']}",
            recipient=account["address"],
            login=account["login"],
            password=account["password"],
        )

    @property
    def submissions(self) -> int:
        """The port of mail clients with TLS from the first octet, once it runs."""
        handout = self._handout()
        assert handout is not None
        return int(handout["ports"]["submissions"])

    def _handout(self) -> dict[str, Any] | None:
        if not self._log.exists():
            return None
        with self._log.open("rb") as log:
            log.seek(self._said)
            for line in log:
                if line.startswith(b"{") and line.endswith(b"\n") and b'"ports"' in line:
                    found: dict[str, Any] = json.loads(line)
                    return found
        return None


class Sink(OneProcess):
    """The null server: only what the load generator itself can do is measured against it."""

    name = "null sink"

    def __init__(self, folder: Path) -> None:
        tls, cert, key, _ = pki(folder / "pki")
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "bench.sink", str(port), str(tls.cert), str(tls.key), str(tls.ca)]
        super().__init__(Daemon("sink", [*command, str(CONNECTIONS)], folder / "sink.log"))
        address = "service@operateur.example"
        self._target = Target(port, 0, tls.ca, cert, key, address, address, "", "")

    def start(self) -> Target:
        """Start the workers."""
        self._daemon.start(lambda: listens(self._target.smtp_port))
        return self._target


def base_port() -> int:
    """A port from which on a row of ports is free, by lot: a gateway that was killed must find its own free again."""
    bases = range(21000, 30000, PORTS_OF_GATEWAY)
    for base in random.sample(bases, len(bases)):
        sockets = [socket.socket() for _ in range(PORTS_OF_GATEWAY)]
        try:
            for offset, item in enumerate(sockets):
                item.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        finally:
            for item in sockets:
                item.close()
        return base
    raise OSError("no free row of ports")


def remove(folder: Path) -> None:
    """Delete a system's folder, after a moment for the last files."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)

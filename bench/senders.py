"""The systems that relay: this gateway and Debian's Postfix, each with a trust space of its own on loopback."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import apsw
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from mss_gateway.dev.handout import Handout
from mss_gateway.dev.listing import Entry, signed_list
from mss_gateway.dev.pki import Issued, PrivateKey
from mss_gateway.dev.provision import NATIONAL_ID
from mss_gateway.dev.space import Space, make_space
from mss_gateway.ops.control import ask
from mss_gateway.trust import dn
from tests.support.foreign import (
    BASE_CF,
    MASTER_CF,
    POSTFIX_MASTER,
    Daemon,
    ForeignFailure,
    find_program,
    free_ports,
    listens,
)

from .messages import Target
from .systems import GATEWAY, base_port

CONNECTIONS = 10
"""Connections to one destination, for both systems: the default of the gateway's `connections_per_domain`."""
PASSWORD = "bench-exemple"  # of a throw-away mailbox on loopback
LEAD = 6.0
"""Seconds between the start of the gateway and the moment at which what it holds is due."""


@dataclass(frozen=True, slots=True)
class Places:
    """The destinations: the port of each domain, on 127.0.0.1, and who answers there."""

    ports: Mapping[str, int]

    @classmethod
    def made(cls, count: int) -> Places:
        """So many domains with a free port each."""
        ports = free_ports(count)
        return cls({f"operateur-{number:02}.mssante.fr": port for number, port in enumerate(ports)})

    @property
    def domains(self) -> list[str]:
        """All domains, in order."""
        return list(self.ports)


class Sender(Protocol):
    """One system that relays. What it is fed while `held` leaves when `let_go` says so."""

    name: str

    def start(self) -> Target:
        """Start every process and say where it takes messages."""

    def stop(self) -> None:
        """End every process."""

    def kill(self) -> None:
        """SIGKILL every process at once."""

    def roots(self) -> list[int]:
        """The processes that were started."""

    def arm(self) -> None:
        """Prepare to let go of what was held; the destinations answer from now on."""

    def let_go(self) -> None:
        """Send what was held."""


class World:
    """The sample trust space, with a list in which every destination has the DN of the sample operator."""

    def __init__(self, folder: Path, places: Places) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self.places = places
        self.state = folder / "state"
        command = [sys.executable, "-m", "mss_gateway.dev.sample", str(self.state), str(base_port())]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.handout = Handout.read(done.stdout.splitlines()[-1])
        self.space = make_space(self.state)
        _list(self.space, places)

    @property
    def domain(self) -> str:
        """The domain that we host."""
        return self.space.hosted_domain


def _list(space: Space, places: Places) -> None:
    """Sign the list anew: our domains under our DN, every destination under that of the sample operator."""
    folder = Path(space.folder)
    key = load_pem_private_key((folder / "list-signer.key").read_bytes(), None)
    assert isinstance(key, PrivateKey)
    signer = x509.load_pem_x509_certificate((folder / "list-signer.pem").read_bytes())
    ours, theirs = (_dn(one.cert) for one in (space.gateway, space.operator))
    entries = [Entry(domain, ours) for domain in (space.hosted_domain, space.patient_domain)]
    entries += [Entry(domain, theirs) for domain in (space.operator.domain, *places.ports)]
    Path(space.trusted_list).write_bytes(signed_list(entries, Issued(signer, key)))


def _dn(cert: str) -> str:
    found = x509.load_pem_x509_certificate(Path(cert).read_bytes())
    return dn.text_of_attributes(dn.subject_attributes(found.public_bytes(Encoding.DER)))


class Relay:
    """`mss-gateway serve` with a BAL that writes to other operators by submission and files no copies."""

    name = "mss-gateway"

    def __init__(self, folder: Path, world: World, settings: Mapping[str, str] | None = None) -> None:
        self._world = world
        routes = ",".join(f"{domain}=127.0.0.1:{port}" for domain, port in world.places.ports.items())
        chosen = {
            "relay_routes": routes,
            "relay_connections_per_domain": str(CONNECTIONS),
            "queue_retry_first": "600",
            **(settings or {}),
        }
        words = ["env", *(f"MSS_GATEWAY_{name.upper()}={value}" for name, value in chosen.items())]
        words += [str(GATEWAY), "serve", "--config", world.handout.config]
        self._daemon = Daemon("mss-gateway", words, folder / "gateway.log")
        self._address = f"bench@{world.domain}"
        self._made = False

    @property
    def store(self) -> Path:
        """The database."""
        return self._world.state / "store" / "store.db"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return Path(self._world.handout.config)

    def start(self) -> Target:
        """Start, with the BAL of the bench."""
        handout = self._world.handout
        control = self._world.state / "control.sock"
        control.unlink(missing_ok=True)  # what a killed gateway leaves there must not look like this one
        self._daemon.start(lambda: listens(handout.ports.submission) and control.exists())
        address = self._address
        if not self._made:
            bal = {"address": address, "type": "PER", "national_id": NATIONAL_ID, "password": PASSWORD}
            ask(control, "bal.add", {"actor": "bench", "login": address, **bal})
            ask(control, "bal.set", {"actor": "bench", "address": address, "exchange_folder": False})
            self._made = True
        operator = handout.operator
        return Target(
            handout.ports.submission,
            handout.ports.imaps,
            Path(handout.ca),
            Path(operator.cert),
            Path(operator.key),
            sender=address,
            recipient="",
            login=address,
            password=PASSWORD,
            account=address,
            secret=PASSWORD,
        )

    def stop(self) -> None:
        """Ask it to end."""
        self._daemon.stop()

    def kill(self) -> None:
        """Kill it."""
        self._daemon.kill()

    def roots(self) -> list[int]:
        """The one process that was started."""
        return [self._daemon.pid]

    def waiting(self) -> int:
        """Rows of the outbox, read beside the gateway."""
        with contextlib.closing(apsw.Connection(str(self.store), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            return int(str(next(iter(db.execute("SELECT count(*) FROM outbox")))[0]))

    def arm(self) -> None:
        """Start again, with all that waits due some seconds later: so its connections are all to be opened."""
        self.stop()
        self._due = time.time() + LEAD
        with contextlib.closing(apsw.Connection(str(self.store))) as db:
            db.execute(
                "UPDATE outbox SET next_attempt = ?, attempts = 0, last_error = '', lease = '', state = 'waiting'",
                (self._due,),
            )
        self.start()

    def let_go(self) -> None:
        """Wait until it goes by itself; raises `ForeignFailure` when the start took too long for that."""
        left = self._due - time.time()
        if left <= 0.1:
            raise ForeignFailure("the gateway started so slowly that what it held was due at once")
        time.sleep(left)


MAIN_CF = f"""\
{BASE_CF}myhostname = mx.{{domain}}
mynetworks =
message_size_limit = 60000000
mailbox_size_limit = 0
notify_classes =
smtpd_tls_fingerprint_digest = sha256
relay_clientcerts = texthash:{{root}}/clients
smtpd_relay_restrictions = permit_tls_clientcerts, reject
{{hold}}
in_flow_delay = 0
transport_maps = texthash:{{root}}/transport
smtp_tls_security_level = fingerprint
smtp_tls_fingerprint_digest = sha256
smtp_tls_fingerprint_cert_match = {{peer}}
smtp_tls_mandatory_protocols = >=TLSv1.2
smtp_tls_CAfile = {{ca}}
smtp_tls_cert_file = {{cert}}
smtp_tls_key_file = {{key}}
smtp_tls_connection_reuse = yes
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = static:all
smtp_dns_support_level = disabled
default_destination_concurrency_limit = {{connections}}
initial_destination_concurrency = {{connections}}
default_destination_recipient_limit = 100
minimal_backoff_time = 600s
queue_run_delay = 600s
smtp_connect_timeout = 30s
"""
MORE_SERVICES = "tlsproxy unix - - n - 0 tlsproxy\npickup unix n - n 60? 1 pickup\n"
HOLD = "smtpd_end_of_data_restrictions = check_client_access static:HOLD"


class Rival(Daemon):
    """Debian's Postfix as a relay: the same certificates, the same number of connections, TLS connections reused."""

    name = "postfix"

    def __init__(
        self, folder: Path, world: World, *, hold: bool = False, connections: int = CONNECTIONS
    ) -> None:
        """`hold` keeps whatever comes in until `let_go`."""
        self._world = world
        self._root = root = folder / "postfix"
        self._conf = root / "etc"
        self._conf.mkdir(parents=True)
        for part in (folder, root):
            part.chmod(0o755)
        for name in ("queue", "data"):
            (root / name).mkdir()
        shutil.chown(root / "data", "postfix")
        space = world.space
        (self.port,) = free_ports(1)
        (root / "clients").write_text(f"{_fingerprint(space.operator.cert)} x\n")
        ports = world.places.ports.items()
        (root / "transport").write_text("".join(f"{name} smtp:[127.0.0.1]:{port}\n" for name, port in ports))
        (self._conf / "main.cf").write_text(
            MAIN_CF.format(
                root=root,
                domain=world.domain,
                cert=space.gateway.cert,
                key=space.gateway.key,
                ca=space.ca,
                peer=_fingerprint(space.operator.cert),
                hold=HOLD if hold else "",
                connections=connections,
            )
        )
        (self._conf / "master.cf").write_text(MASTER_CF.format(port=self.port) + MORE_SERVICES)
        # The master itself: `postfix start-fg` leaves a shell in front that passes no signal on.
        super().__init__("postfix", [POSTFIX_MASTER, "-c", str(self._conf), "-s"], root / "start.log")

    def start(self) -> Target:  # type: ignore[override]
        """Make the queue's folders, start, and wait until SMTP answers."""
        self._run("postfix", "check")
        super().start(lambda: listens(self.port))
        operator, domain = self._world.space.operator, self._world.domain
        files = (Path(self._world.space.ca), Path(operator.cert), Path(operator.key))
        address = f"bench@{domain}"
        return Target(self.port, 0, *files, sender=address, recipient="", login=address, password="")

    def roots(self) -> list[int]:
        """Postfix's master."""
        return [self.pid]

    def arm(self) -> None:
        """Nothing is to be prepared."""

    def let_go(self) -> None:
        """Release what is on hold, and have it tried now."""
        self._run("postsuper", "-H", "ALL")
        self._run("postqueue", "-f")

    def log_tail(self) -> str:
        """The last lines of the mail log, or of the start when there is none."""
        log = self._root / "postfix.log"
        if not log.exists():
            return super().log_tail()
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:])

    def _run(self, program: str, *words: str) -> None:
        path = find_program(program)
        if path is None:
            raise ForeignFailure(f"{program} is not installed: run scripts/debian-parts as root")
        command = [path, "-c", str(self._conf), *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ForeignFailure(f"{program} ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def _fingerprint(cert: str) -> str:
    found = x509.load_pem_x509_certificate(Path(cert).read_bytes())
    return found.fingerprint(hashes.SHA256()).hex(":").upper()

"""Postfix as another operator of the trust space: it takes our mail under mutual TLS, and brings its own to us."""

from __future__ import annotations

import contextlib
import re
import shutil
import smtplib
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mss_gateway.dev.handout import Credential
from tests.support.foreign import (
    BASE_CF,
    HOST,
    MAIL_USER,
    POSTFIX_MASTER,
    SERVICES,
    Daemon,
    ForeignFailure,
    Postfix,
    find_program,
)
from tests.support.ports import free_ports

Verdict = Callable[[str], str]
"""What a policy says of a recipient: an action of access(5), such as `450 4.7.1 Later` or `DUNNO`."""

MAIN_CF = f"""\
{BASE_CF}myhostname = mx.{{domain}}
mynetworks = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
message_size_limit = 60000000
virtual_mailbox_limit = 0
virtual_mailbox_domains = {{domain}}
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {{root}}/mail
virtual_uid_maps = static:{{uid}}
virtual_gid_maps = static:{{gid}}
virtual_minimum_uid = 1
smtpd_tls_received_header = yes
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unauth_destination{{policy}}
smtp_tls_security_level = encrypt
smtp_tls_cert_file = {{cert}}
smtp_tls_key_file = {{key}}
smtp_tls_CAfile = {{ca}}
smtp_tls_loglevel = 1
relayhost = [127.0.0.1]:{{gateway}}
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
{{more}}
"""

MASTER_CF = f"""\
127.0.0.1:{{port}} inet n - n - - smtpd
127.0.0.1:{{own}} inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o smtpd_tls_req_ccert=no
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
{SERVICES}virtual unix - n n - - virtual
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One message as Postfix delivered it: its envelope's recipient, and its octets with CRLF."""

    recipient: str
    octets: bytes


class PostfixOperator(Postfix):
    """A private Postfix of one domain. All its local parts exist, and their mail is kept in one Maildir.

    It listens with mutual TLS on `port`; what is handed in on `own` as its own people's goes to our port `gateway`.
    """

    def __init__(
        self,
        root: Path,
        credential: Credential,
        ca: str,
        gateway: int,
        *,
        policy: Path | None = None,
        more: str = "",
    ) -> None:
        self.root = root
        self.domain = credential.domain
        self.port, self.own = free_ports(2)
        conf = root / "etc"
        conf.mkdir(parents=True)
        for name in ("queue", "data", "mail"):
            (root / name).mkdir()
        shutil.chown(root / "data", "postfix")
        shutil.chown(root / "mail", MAIL_USER, MAIL_USER)
        owner = (root / "mail").stat()
        (conf / "main.cf").write_text(
            MAIN_CF.format(
                root=root,
                domain=self.domain,
                uid=owner.st_uid,
                gid=owner.st_gid,
                cert=credential.cert,
                key=credential.key,
                ca=ca,
                gateway=gateway,
                policy=f", check_policy_service unix:{policy}" if policy else "",
                more=more,
            )
        )
        (conf / "master.cf").write_text(MASTER_CF.format(port=self.port, own=self.own))
        program = find_program("postfix")
        if program is None:
            raise ForeignFailure("postfix is not installed: run scripts/debian-parts as root")
        self._check = [program, "-c", str(conf), "check"]
        Daemon.__init__(self, "postfix", [POSTFIX_MASTER, "-c", str(conf), "-s"], root / "start.log")

    def run(self) -> None:
        """Start, and wait until both ports answer."""
        if not (self.root / "queue" / "active").exists():
            # Once: a process that is still ending while the folders are looked through makes this fail.
            subprocess.run(self._check, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.start(lambda: self.serves(self.port, self.own))

    def kept(self) -> list[Kept]:
        """What was delivered to its mailboxes, in no order."""
        found = []
        for path in sorted((self.root / "mail" / "all" / "new").glob("*")):
            octets = path.read_bytes()
            named = re.search(rb"^Delivered-To: ?(\S+)$", octets, re.MULTILINE)
            recipient = named[1].decode() if named else ""
            found.append(Kept(recipient, octets.replace(b"\n", b"\r\n")))
        return found

    def copies(self, message_id: str, recipient: str = "") -> list[Kept]:
        """The copies of one message."""
        mark = f"\r\nMessage-ID: {message_id}\r\n".encode()
        return [
            one for one in self.kept() if mark in one.octets and (not recipient or one.recipient == recipient)
        ]

    def sends(
        self, sender: str, recipients: Iterable[str], data: bytes, mail: Iterable[str] = (), rcpt: str = ""
    ) -> None:
        """One of its own people sends a message; `mail` and `rcpt` are parameters of RFC 3461."""
        with smtplib.SMTP(HOST, self.own, timeout=60) as smtp:
            smtp.ehlo()
            smtp.mail(sender, list(mail))
            for recipient in recipients:
                code, text = smtp.rcpt(recipient, [rcpt] if rcpt else [])
                assert code == 250, text
            code, text = smtp.data(data)
            assert code == 250, text

    def said(self, pattern: str) -> list[str]:
        """The lines of its log that hold the pattern."""
        return [line for line in self.log.splitlines() if re.search(pattern, line)]


class _Asked(socketserver.StreamRequestHandler):
    """One connection of policy delegation (SMTPD_POLICY_README): requests of name=value lines."""

    def handle(self) -> None:
        """Answer until Postfix leaves."""
        fields: dict[str, str] = {}
        for line in self.rfile:
            name, equals, value = line.decode("utf-8", "replace").rstrip("\n").partition("=")
            if equals:
                fields[name] = value
                continue
            action = self.server.verdict(fields.get("recipient", ""))  # type: ignore[attr-defined]
            self.wfile.write(f"action={action}\n\n".encode())
            fields = {}


@contextlib.contextmanager
def policy(path: Path, verdict: Verdict) -> Iterator[Path]:
    """A policy service on a unix socket, asked for each recipient."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Asked) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.verdict = verdict  # type: ignore[attr-defined]
        path.chmod(0o666)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()


def once(action: str, *locals_: str) -> Verdict:
    """Say this of each of the local parts (none: of everybody) the first time, then let them pass."""
    told: set[str] = set()

    def verdict(recipient: str) -> str:
        concerned = not locals_ or recipient.partition("@")[0] in locals_
        if not concerned or recipient in told:
            return "DUNNO"
        told.add(recipient)
        return action

    return verdict


def always(action: str, *locals_: str) -> Verdict:
    """Say this of each of the local parts, every time."""
    return lambda recipient: action if recipient.partition("@")[0] in locals_ else "DUNNO"


def first_of(*verdicts: Verdict) -> Verdict:
    """What the first of them has against a recipient."""

    def verdict(recipient: str) -> str:
        return next((said for one in verdicts if (said := one(recipient)) != "DUNNO"), "DUNNO")

    return verdict

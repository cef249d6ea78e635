"""Programs that are not ours: private Postfix and Dovecot instances on loopback, and what finds such programs.

Each instance has its own configuration, queue, mail and run folders below one scratch folder, its own
ports, and is stopped by the pid that was started. The system's own services are never touched.
Starting either needs root, as both programs change to less privileged users.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .ports import free_ports

HOST = "127.0.0.1"
MAIL_USER = "mail"  # of Debian's base system: owns the delivered mail
SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"
POSTFIX_MASTER = "/usr/lib/postfix/sbin/master"
START_SECONDS = 90.0
STOP_SECONDS = 30.0


class ForeignFailure(Exception):
    """A foreign program did not start; the text holds the end of its log."""


def find_program(name: str) -> str | None:
    """Path of a program of the system, or None; the sbin folders are searched too."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + SBIN)


def require_program(name: str) -> str:
    """Path of a program; when it is missing the test fails under CI and is loudly skipped elsewhere."""
    path = find_program(name)
    if path is None:
        _absent(name)
    return path


def _absent(name: str) -> NoReturn:
    import pytest  # here, so that the bench runs without it

    text = f"{name} IS NOT INSTALLED: run scripts/debian-parts as root; this journey was NOT tested"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(text)
    pytest.skip(text)


def descendants(root: int) -> list[int]:
    """The process and all its living descendants, parents first; empty when it has gone."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_bytes()
        except OSError:
            continue
        parent = int(stat[stat.rindex(b")") + 2 :].split()[1])
        children.setdefault(parent, []).append(int(entry))
    found = [root] if Path("/proc", str(root)).exists() else []
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def works(pid: int) -> bool:
    """Whether a process still runs; one that has ended and waits to be taken note of does not."""
    try:
        stat = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return False
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] != b"Z"


class Daemon:
    """One process of ours with its descendants, its output in a log file."""

    def __init__(self, name: str, command: Iterable[str], log: Path) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running program; raises `ForeignFailure` when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise ForeignFailure(f"{self.name} is not running\n{self.log_tail()}")
        return self._process.pid

    def start(self, ready: Callable[[], bool]) -> None:
        """Start and wait until `ready`; raise `ForeignFailure` with the log when that never comes."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while self.pid and not ready():
            if time.monotonic() > deadline:
                self.stop()
                raise ForeignFailure(f"{self.name} did not become ready\n{self.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end; kill what is left of it and of its children after some seconds."""
        process = self._process
        if process is None:
            return
        tree = descendants(process.pid) if process.poll() is None else []
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._end(tree[1:])
        self._process = None

    def kill(self) -> None:
        """SIGKILL to every process of it at once, as a power cut would end them."""
        process = self._process
        if process is None:
            return
        tree = descendants(process.pid)
        for pid in tree:
            _signal(pid, signal.SIGKILL)
        process.wait()
        self._end(tree[1:])
        self._process = None

    def log_tail(self) -> str:
        """The last lines of its output."""
        return (
            "\n".join(self._log.read_text(errors="replace").splitlines()[-15:]) if self._log.exists() else ""
        )

    def _end(self, pids: list[int]) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while pids := [pid for pid in pids if works(pid)]:
            if time.monotonic() > deadline:
                for pid in pids:
                    _signal(pid, signal.SIGKILL)
            time.sleep(0.02)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def listens(port: int) -> bool:
    """Whether something accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM paths of a server: its certificate chain, its key, and the CA bundle for its clients."""

    cert: Path
    key: Path
    ca: Path


def _needed(name: str) -> str:
    path = find_program(name)
    if path is None:
        raise ForeignFailure(f"{name} is not installed: run scripts/debian-parts as root")
    if os.geteuid() != 0:
        raise ForeignFailure(f"{name} needs root to start")
    return path


DOVECOT_CONF = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
mail_location = maildir:~/Maildir
first_valid_uid = 1
postmaster_address = postmaster@{domain}
auth_mechanisms = plain
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {root}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {root}/users
  default_fields = uid={user} gid={user} home={root}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
  }}
}}
service lmtp {{
  unix_listener {root}/lmtp {{
    mode = 0666
  }}
}}
"""


class Dovecot(Daemon):
    """A private Dovecot: IMAP over TLS on `port`, LMTP on the unix socket `lmtp`, Maildir, default fsync."""

    def __init__(self, root: Path, tls: TlsFiles, accounts: dict[str, str], more: str = "") -> None:
        """`root` is a scratch folder, `accounts` maps addresses (all of one domain) to passwords; `more` settings."""
        self.root = root
        (self.port,) = free_ports(1)
        self.lmtp = root / "lmtp"
        conf = root / "dovecot.conf"
        (root / "mail").mkdir(parents=True)
        root.chmod(0o755)
        shutil.chown(root / "mail", MAIL_USER, MAIL_USER)
        users = root / "users"
        users.write_text("".join(f"{name}:{{PLAIN}}{word}::::::\n" for name, word in accounts.items()))
        domain = next(iter(accounts)).rpartition("@")[2]
        conf.write_text(
            DOVECOT_CONF.format(
                root=root, cert=tls.cert, key=tls.key, domain=domain, user=MAIL_USER, port=self.port
            )
            + more
        )
        super().__init__("dovecot", [_needed("dovecot"), "-F", "-c", str(conf)], root / "dovecot.log")

    def run(self) -> None:
        """Start and wait until IMAP answers."""
        self.start(lambda: self.lmtp.exists() and listens(self.port))


BASE_CF = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/postfix.log
maillog_file_prefixes = {root}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_tls_security_level = encrypt
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_CAfile = {ca}
smtpd_tls_ask_ccert = yes
smtpd_tls_req_ccert = yes
"""
"""What every Postfix here has: all of it below its own folder, on loopback, with mutual TLS required."""

MAIN_CF = f"""\
{BASE_CF}myhostname = mail.{{domain}}
mynetworks =
message_size_limit = {{size_limit}}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = {{domain}}
virtual_mailbox_maps = texthash:{{root}}/recipients
virtual_transport = lmtp:unix:{{lmtp}}
smtpd_tls_fingerprint_digest = sha256
smtpd_client_restrictions = check_ccert_access texthash:{{root}}/clients, reject
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = {{policy}}reject_unauth_destination
"""

SERVICES = """\
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""
"""The services of every Postfix here, without those that take mail in or hand it over."""

MASTER_CF = f"""\
127.0.0.1:{{port}} inet n - n - - smtpd
{SERVICES}lmtp unix - - n - - lmtp
"""


@dataclass(frozen=True, slots=True)
class Postbox:
    """What a private Postfix accepts: recipients of one domain, from clients of these certificates.

    `fingerprints` are SHA-256 of the DER, upper case with colons; `lmtp` is the socket of the delivery
    agent; `policy` the unix socket of a policy service asked for each recipient, if any.
    """

    recipients: tuple[str, ...]
    fingerprints: tuple[str, ...]
    lmtp: Path
    policy: Path | None = None
    size_limit: int = 60_000_000


class Postfix(Daemon):
    """A private Postfix: SMTP with STARTTLS and a required client certificate on `port`, LMTP delivery."""

    def __init__(self, root: Path, tls: TlsFiles, box: Postbox) -> None:
        self.root = root
        (self.port,) = free_ports(1)
        conf = root / "etc"
        conf.mkdir(parents=True)
        root.chmod(0o755)
        for name in ("queue", "data"):
            (root / name).mkdir()
        shutil.chown(root / "data", "postfix")
        domain = box.recipients[0].rpartition("@")[2]
        (root / "recipients").write_text("".join(f"{name} x\n" for name in box.recipients))
        (root / "clients").write_text("".join(f"{print_} OK\n" for print_ in box.fingerprints))
        policy = f"check_policy_service unix:{box.policy}, " if box.policy else ""
        (conf / "main.cf").write_text(
            MAIN_CF.format(
                root=root,
                domain=domain,
                lmtp=box.lmtp,
                cert=tls.cert,
                key=tls.key,
                ca=tls.ca,
                policy=policy,
                size_limit=box.size_limit,
            )
        )
        (conf / "master.cf").write_text(MASTER_CF.format(port=self.port))
        self._check = [_needed("postfix"), "-c", str(conf), "check"]
        # The master itself: `postfix start-fg` leaves a shell in front that passes no signal on.
        super().__init__("postfix", [POSTFIX_MASTER, "-c", str(conf), "-s"], root / "start.log")

    def run(self) -> None:
        """Make the queue's folders, start, and wait until SMTP answers."""
        subprocess.run(self._check, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.start(lambda: self.serves(self.port))

    def serves(self, *ports: int) -> bool:
        """Whether its log is being written and the ports answer.

        In this order: its log daemon writes to its own socket too, and waits for itself for ever when the others
        have filled that socket before it reads.
        """
        return f"[{self.pid}]: daemon started" in self.log and all(map(listens, ports))

    @property
    def log(self) -> str:
        """The whole mail log."""
        path = self.root / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def log_tail(self) -> str:
        """The last lines of the mail log, or of the start when there is none."""
        return "\n".join(self.log.splitlines()[-15:]) or super().log_tail()

    def queued(self) -> int:
        """Complete messages in the queue, in any state (an incomplete one has no execute bit yet)."""
        found = 0
        for name in ("incoming", "active", "deferred", "maildrop"):
            for folder, _, files in os.walk(self.root / "queue" / name):
                found += sum(_complete(Path(folder, file)) for file in files)
        return found

    def flush(self) -> None:
        """Have everything that was put off tried again now."""
        subprocess.run(
            [_needed("postqueue"), "-c", str(self.root / "etc"), "-f"], check=False, stderr=subprocess.DEVNULL
        )


def _complete(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o100)
    except FileNotFoundError:
        return False

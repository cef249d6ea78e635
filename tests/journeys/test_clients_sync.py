"""Programs that keep a Maildir and a mailbox alike: mbsync and offlineimap, every folder, in both directions."""

from __future__ import annotations

import re
from pathlib import Path

import imapclient
import pytest

from mss_gateway.dev.handout import Account
from tests.support.clients import NAME, Kept, contents, deliver, home, unix, verifying
from tests.support.doors import Served
from tests.support.foreign import require_program
from tests.support.journeys import letter, ran

pytestmark = pytest.mark.foreign

MBSYNC = """\
IMAPAccount gateway
Host localhost
Port {port}
User {login}
Pass {password}
SSLType IMAPS
SSLVersions TLSv1.3
SystemCertificates no
CertificateFile {ca}

IMAPStore far
Account gateway

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""

OFFLINEIMAP = """\
[general]
accounts = box
metadata = {folder}/metadata
ui = basic

[Account box]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {folder}/mail
sep = /
utf8foldernames = yes

[Repository far]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {login}
remotepass = {password}
ssl = yes
sslcacertfile = {ca}
ssl_version = tls1_2
auth_mechanisms = PLAIN
"""


class Mirror:
    """One mailbox, one Maildir, and the program that keeps them alike."""

    def __init__(self, program: str, template: str, served: Served, folder: Path) -> None:
        self.served = served
        self.account: Account = served.account("PER")
        self.mail = folder / "mail"
        self.mail.mkdir()
        self._home = folder
        config = folder / f"{program}rc"
        config.write_text(
            template.format(
                port=served.handout.ports.imaps,
                login=self.account.login,
                password=self.account.password,
                ca=served.handout.ca,
                folder=folder,
            ),
            encoding="utf-8",
        )
        config.chmod(0o600)
        more = ["-V", "-a"] if program == "mbsync" else ["-o"]
        self.command = [require_program(program), "-c", str(config), *more]

    def run(self) -> str:
        """One synchronization; what the program said."""
        status, said = ran(self.command, env=home(self._home))
        assert status == 0, said
        assert not re.search(r"(?i)\berror|warning|traceback", said), said
        return said

    def files(self, folder: str) -> list[Path]:
        """Messages of a folder on disk."""
        return sorted(path for part in ("cur", "new") for path in (self.mail / folder / part).glob("*"))

    def find(self, folder: str, octets: bytes) -> Path:
        """The file that holds these octets, but for line ends and a header field of the program's own."""
        found = [path for path in self.files(folder) if plain(path.read_bytes()) == plain(unix(octets))]
        assert len(found) == 1, [path.read_bytes() for path in self.files(folder)]
        return found[0]

    def flag(self, path: Path, flags: str) -> Path:
        """Give a message exactly these Maildir flags."""
        return path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,{flags}")

    def put(self, folder: str, octets: bytes, flags: str) -> None:
        """A message of our own on disk."""
        for part in ("cur", "new", "tmp"):
            (self.mail / folder / part).mkdir(parents=True, exist_ok=True)
        (self.mail / folder / "cur" / f"1795000000.1_{len(octets)}.desk:2,{flags}").write_bytes(unix(octets))

    def far(self, folder: str) -> list[Kept]:
        """The folder on the gateway."""
        return contents(self.served, self.account, folder)

    def state(self) -> tuple[object, ...]:
        """Everything that a run without any news may not change, on both sides."""
        near = [(str(path), path.read_bytes()) for path in sorted(self.mail.rglob("*:2,*"))]
        with self.client() as client:
            names = sorted(name for _, _, name in client.list_folders())
            items = ["UIDNEXT", "MESSAGES", "HIGHESTMODSEQ", "UIDVALIDITY"]
            return near, [(name, client.folder_status(name, items)) for name in names]

    def client(self) -> imapclient.IMAPClient:
        """A session of its own that changes things on the gateway."""
        client = imapclient.IMAPClient(
            NAME, self.served.handout.ports.imaps, ssl_context=verifying(self.served.handout)
        )
        client.login(self.account.login, self.account.password)
        return client


def plain(octets: bytes) -> bytes:
    """Without the header field that each program marks what it uploads with."""
    return re.sub(rb"(?m)^X-(TUID|OfflineIMAP): .*\n", b"", octets)


def both_ways(mirror: Mirror) -> None:
    """Letters, flags, folders and deletions of both sides arrive on the other; then nothing is left to do."""
    served, account = mirror.served, mirror.account
    letters = [deliver(served, account, f"Lettre {number}") for number in range(4)]
    mirror.run()
    paths = [mirror.find("INBOX", octets) for octets in letters]
    assert {folder.name for folder in mirror.mail.iterdir()} >= {"Sent", "Drafts", "Trash", "Junk", "Archive"}

    # The desk: read, flagged and answered; deleted; a letter into a folder that is new.
    mirror.flag(paths[0], "FRS")
    paths[1].unlink()
    _, draft = letter(account.address, account.address, "Écrit ici", "Octets : é, €.\r\n.\r\nFrom là\r\n")
    mirror.put("Dossiers", draft, "DS")
    # Meanwhile on the gateway: a flag, a deletion, a folder with a letter.
    with mirror.client() as client:
        client.select_folder("INBOX")
        uids = client.search()
        client.add_flags(uids[2], [imapclient.FLAGGED])
        client.delete_messages(uids[3])
        client.uid_expunge(uids[3])
        client.create_folder("Recherche")
        _, filed = letter(account.address, account.address, "Classé là-bas")
        client.append("Recherche", filed, [imapclient.SEEN])
    mirror.run()

    inbox = mirror.far("INBOX")
    assert [one.octets for one in inbox] == [letters[0], letters[2]]
    assert [one.flags for one in inbox] == [{"\\Seen", "\\Flagged", "\\Answered"}, {"\\Flagged"}]
    (uploaded,) = mirror.far("Dossiers")
    assert uploaded.flags == {"\\Draft", "\\Seen"}
    assert plain(unix(uploaded.octets)) == unix(draft)
    assert len(mirror.files("INBOX")) == 2
    assert mirror.find("INBOX", letters[2]).name.endswith(":2,F")
    assert mirror.find("Recherche", filed).name.endswith(":2,S")

    before = mirror.state()
    mirror.run()
    assert mirror.state() == before


@pytest.mark.req("IMP-1", "ACC-1")
def test_mbsync_both_ways(served: Served, tmp_path: Path) -> None:
    """TLS 1.3 with the sample authority alone."""
    both_ways(Mirror("mbsync", MBSYNC, served, tmp_path))


@pytest.mark.req("IMP-1", "ACC-1")
def test_offlineimap_both_ways(served: Served, tmp_path: Path) -> None:
    """TLS 1.2, the authority from a file."""
    both_ways(Mirror("offlineimap", OFFLINEIMAP, served, tmp_path))

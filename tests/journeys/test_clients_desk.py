"""imapfilter sorts, neomutt reads, files and flags, curl does one thing at a time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.clients import (
    NAME,
    append,
    awaited,
    contents,
    deliver,
    home,
    imap_of,
    on_a_terminal,
    unix,
)
from tests.support.doors import Served
from tests.support.foreign import Daemon, require_program
from tests.support.journeys import letter, ran
from tests.support.neomutt import neomutt_command

pytestmark = pytest.mark.foreign

IMAPFILTER = """\
options.timeout = 60
options.charset = 'UTF-8'
options.create = true
options.certificates = false
box = IMAP {{ server = 'localhost', port = {port}, {tls}
              username = '{login}', password = '{password}' }}
box:create_mailbox('Laboratoire')
{waiting}
found = box.INBOX:contain_subject('Résultats') * box.INBOX:is_unseen()
        * box.INBOX:match_from('^automate')
found:mark_flagged()
found:add_flags({{ '$Trie' }})
found:move_messages(box.Laboratoire)
"""


def imapfilter(served: Served, folder: Path, waiting: str = "") -> list[str]:
    """The command line with its rules in a file; over STARTTLS when there is something to wait for."""
    account, ports = served.account("PER"), served.handout.ports
    port, tls = (ports.imap, "") if waiting else (ports.imaps, "ssl = 'tls1.2',")
    rules = IMAPFILTER.format(
        port=port, tls=tls, login=account.login, password=account.password, waiting=waiting
    )
    (folder / "rules.lua").write_text(rules, encoding="utf-8")
    config = str(folder / "rules.lua")
    return [require_program("imapfilter"), "-v", "-c", config, "-t", served.handout.ca]


@pytest.mark.req("IMP-1", "ACC-1")
def test_imapfilter_sorts_what_its_rule_finds(served: Served, tmp_path: Path) -> None:
    """Found by the server, by an accent and by its flags; flagged, given a keyword and moved; the rest stays."""
    account = served.account("PER")
    wanted = deliver(served, account, "Résultats de biologie")
    other = deliver(served, account, "Invitation")
    status, said = ran(imapfilter(served, tmp_path), env=home(tmp_path))
    assert status == 0, said
    (moved,) = contents(served, account, "Laboratoire")
    assert moved.octets == wanted
    assert moved.flags >= {"\\Flagged", "$Trie"}
    assert [one.octets for one in contents(served, account)] == [other]


@pytest.mark.req("IMP-1", "ACC-1")
def test_imapfilter_waits_for_mail(served: Served, tmp_path: Path) -> None:
    """Its rule runs once IDLE has told of a letter."""
    account = served.account("PER")
    command = imapfilter(served, tmp_path, "assert(box.INBOX:enter_idle())")
    environment = [f"{name}={value}" for name, value in home(tmp_path).items()]
    log = tmp_path / "log"
    daemon = Daemon("imapfilter", ["env", "-i", *environment, *command], log)
    daemon.start(lambda: b"IDLE\r\n" in log.read_bytes())
    try:
        wanted = deliver(served, account, "Résultats urgents")
        moved = awaited(lambda: contents(served, account, "Laboratoire"))
        assert [one.octets for one in moved] == [wanted], daemon.log_tail()
    finally:
        daemon.stop()


NEOMUTT = """\
set imap_condstore = yes
set imap_qresync = yes
set folder = "imaps://localhost:{port}/"
set spoolfile = "=INBOX"
set header_cache = "{folder}/cache"
set message_cachedir = "{folder}/bodies"
set mbox_type = Maildir
set confirm_create = no
set delete = yes
set wait_key = no
set move = no
set sleep_time = 0
set pipe_decode = yes
"""


def neomutt(served: Served, folder: Path, *keys: str) -> str:
    """One session on a terminal in which these functions are typed; what the screen showed."""
    account = served.account("PER")
    more = NEOMUTT.format(port=served.handout.ports.imaps, folder=folder)
    command = neomutt_command(served.handout, account, folder, more)
    status, said = on_a_terminal([*command, "-e", f"push '{''.join(keys)}'"], home(folder))
    assert status == 0, said
    return said


@pytest.mark.req("IMP-1", "IMP-3", "ACC-1")
def test_neomutt_reads_flags_files_and_deletes(served: Served, tmp_path: Path) -> None:
    """A limit is searched by the server; a copy on disk has every octet; a second visit sees others' changes."""
    account = served.account("PER")
    wanted = deliver(served, account, "Bilan du matin", "Le mot cherché est épistaxis.\r\nFrom là.\r\n")
    other = deliver(served, account, "Autre chose")
    (tmp_path / "cache").mkdir()
    neomutt(
        served,
        tmp_path,
        f"<limit>=b épistaxis<enter><display-message><exit><pipe-message>cat >{tmp_path}/read<enter>",
        f"<flag-message><copy-message>{tmp_path}/kept<enter>",
        "<save-message>=Archive<enter><sync-mailbox><quit>",
    )
    assert "\nSubject: Bilan du matin\n" in (tmp_path / "read").read_text(encoding="utf-8")
    (filed,) = contents(served, account, "Archive")
    assert filed.octets == wanted
    assert filed.flags == {"\\Seen", "\\Flagged"}
    (rest,) = contents(served, account)
    assert (rest.octets, rest.flags) == (other, set())
    (copy,) = (path for part in ("cur", "new") for path in (tmp_path / "kept" / part).iterdir())
    own = re.compile(rb"(?m)^(?:Content-Length|Lines): \d+\n")
    assert own.sub(b"", copy.read_bytes(), count=2) == unix(wanted)

    with imap_of(served, account) as imap:
        imap.select("Archive")
        imap.store("1", "-FLAGS", "\\Flagged")
        imap.copy("1", "INBOX")
    said = neomutt(
        served, tmp_path, "<limit>~A<enter><delete-pattern>~s matin<enter><sync-mailbox><change-folder>=Archive<enter>"
        "<delete-message><sync-mailbox><quit>"
    )  # fmt: skip
    assert [one.octets for one in contents(served, account)] == [other], said
    assert contents(served, account, "Archive") == [], said


class Curl:
    """curl with the professional's account; over IMAPS, or with `starttls` on the other port."""

    def __init__(self, served: Served, *, starttls: bool = False) -> None:
        ports, account = served.handout.ports, served.account("PER")
        self.where = f"imap://{NAME}:{ports.imap}/" if starttls else f"imaps://{NAME}:{ports.imaps}/"
        self.command = [require_program("curl"), "-sS", "--ssl-reqd", "--cacert", served.handout.ca]
        self.command += ["--user", f"{account.login}:{account.password}", "--max-time", "60"]

    def __call__(self, path: str, *more: str) -> str:
        """What one run gave, line ends as they came."""
        status, said = ran([*self.command, self.where + path, *more])
        assert status == 0, said
        return said


@pytest.mark.req("IMP-1", "IMP-3", "ACC-1")
@pytest.mark.parametrize("starttls", [False, True])
def test_curl_lists_uploads_searches_fetches_and_removes(
    served: Served, tmp_path: Path, starttls: bool
) -> None:
    """Each of its IMAP URL forms: folder, upload, query, UID, section and part of one."""
    account = served.account("PER")
    curl = Curl(served, starttls=starttls)
    listed = curl("")
    assert all(name in listed for name in ("INBOX", "Sent", "Archive", "\\Sent", "\\Drafts"))
    _, data = letter(account.address, account.address, "Par curl", "Début é €.\r\n.\r\nfin\r\n")
    (tmp_path / "m.eml").write_bytes(data)
    curl("Drafts", "-T", str(tmp_path / "m.eml"), "--sasl-ir")
    (draft,) = contents(served, account, "Drafts")
    assert draft.octets == data
    assert curl("Drafts?SUBJECT%20curl").split() == ["*", "SEARCH", "1"]
    assert curl("Drafts?SUBJECT%20absent").split() == ["*", "SEARCH"]
    assert curl(f"Drafts;UID={draft.uid}", "--sasl-ir").encode() == data
    assert curl(f"Drafts;UID={draft.uid};SECTION=TEXT").encode() == data.partition(b"\r\n\r\n")[2]
    assert curl("Drafts;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)").strip() == "Subject: Par curl"
    assert curl(f"Drafts;UID={draft.uid};SECTION=TEXT;PARTIAL=0.6").encode() == "Début".encode()
    assert re.search(r"FLAGS \(.*\\Deleted.*\)", curl("Drafts", "-X", "STORE 1 +FLAGS (\\Deleted)"))
    assert "* 1 EXPUNGE" in curl("Drafts", "-X", "EXPUNGE")
    assert contents(served, account, "Drafts") == []
    curl("", "-X", "CREATE Dossiers/Anciens")
    assert "MESSAGES 0" in curl("", "-X", "STATUS Dossiers/Anciens (MESSAGES)")
    append(served, account, "Dossiers/Anciens", data)
    assert curl("Dossiers%2FAnciens;MAILINDEX=1").encode() == data

"""Canary words through every path at DEBUG: none comes back in log, trace, figures, replies or CLI (AUD-5, INS-7)."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.canary import LOWER, PASSWORD, UNKNOWN, WORDS, Listening, Scene, leaks, trace_rows
from tests.support.canary_paths import PATHS
from tests.support.canary_site import surroundings
from tests.support.commands import run
from tests.support.process import GatewayProcess
from tests.support.wires import Closed

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Every path walked once with a gateway that logs everything it can, and knows every peer there is."""
    with surroundings(tmp_path_factory.mktemp("site")) as site:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MSS_GATEWAY_LOG_LEVEL", "debug")
            patch.setenv("NOTIFY_SOCKET", str(site.folder / "notify"))
            patch.setenv("WATCHDOG_USEC", "100000000")
            gateway = GatewayProcess(tmp_path_factory.mktemp("canary"), more=site.more)
        scene = Scene(gateway, site=site)
        walked(scene, tmp_path_factory)
        yield scene


def walked(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every walk, one after the other."""
    gateway = scene.gateway
    try:
        operators(scene)
        submissions(scene)
        logins(scene)
        torn_handshakes(scene)
        readers(scene)
        for path in PATHS:
            path(scene)
        commands(scene, tmp_path_factory.mktemp("eml"))
        assert gateway.process.poll() is None
    finally:
        assert gateway.stop() == 0


def operators(scene: Scene) -> None:
    """Port 25: accepted, bounced, refused, malformed."""
    handout = scene.gateway.handout
    sender, domain = f"confrere@{handout.operator.domain}", handout.patients.active.partition("@")[2]
    doctor = handout.account("PER").address
    wire = scene.smtp(handout.ports.mta, handout.operator)
    for patient in (handout.patients.active, handout.patients.not_activated, handout.patients.closed):
        assert wire.deliver(sender, patient, scene.letter(sender, patient)).startswith("250")
    absent = f"{UNKNOWN}@{domain}"
    wire.deliver(sender, absent, scene.letter(sender, absent))
    assert wire.deliver(sender, doctor, scene.letter(sender, doctor, Reply_To=sender)).startswith("250")
    wire.envelope(sender, doctor)
    assert wire.data(scene.letter(absent, doctor)).startswith("550")
    wire.envelope(sender, doctor)
    assert wire.data(scene.letter(sender, doctor, From=absent)).startswith("550")
    hosted = doctor.partition("@")[2]
    for line in (
        f"MAIL FROM:<{handout.patients.active}>",
        f"MAIL FROM:<{doctor}>",
        f"MAIL FROM:<{sender}> {UNKNOWN}={UNKNOWN}",
        f"MAIL FROM:<{sender}> ENVID={UNKNOWN}+",
        f"MAIL FROM:<{sender}> SIZE={UNKNOWN}99999999",
        f"MAIL FROM:<{UNKNOWN}>",
        f"{UNKNOWN}",
        f"VRFY {absent}",
        f"EXPN {absent}",
        f"HELP {UNKNOWN}",
        f"NOOP {UNKNOWN}",
        f"EHLO {UNKNOWN}",
        f"MAIL FROM:<{sender}> ENVID={UNKNOWN}",
        f"RCPT TO:<{UNKNOWN}@{hosted}>",
        f"RCPT TO:<{UNKNOWN}@ailleurs.example>",
        f"RCPT TO:<{UNKNOWN[:14]}0@{domain}>",
        f"RCPT TO:<{UNKNOWN}9@{domain}>",
        f"RCPT TO:<{UNKNOWN}@>",
        f"RCPT TO:<{LOWER}",
        f"RCPT TO:<{doctor}> ORCPT=rfc822;{UNKNOWN}+",
        f"RCPT TO:<{handout.patients.active}> NOTIFY={UNKNOWN}",
        f"BDAT {UNKNOWN}",
        f"BDAT {UNKNOWN} canaricorps",
        "canarisujet canaricorps",
    ):
        with suppress(Closed):
            wire.command(line)
    wire.close()
    wire = scene.smtp(handout.ports.mta, handout.operator)
    wire.send(f"MAIL FROM:<{UNKNOWN}@{domain}>\nRCPT TO:<canaricorps>\r\n".encode())
    with suppress(Closed):
        wire.reply()
    wire.close()
    for name in ("unlisted", "revoked", "foreign-ca"):
        credential = handout.refused.get(name)
        if credential is not None:
            with suppress(OSError, Closed):
                wire = scene.smtp(handout.ports.mta, credential)
                wire.command(f"MAIL FROM:<{handout.patients.active}>")
                wire.close()


def submissions(scene: Scene) -> None:
    """587: a professional, software by its certificate, a patient who may and may not answer."""
    handout = scene.gateway.handout
    doctor, patient = handout.account("PER"), handout.account("PAT")
    wire = scene.smtp(handout.ports.submission)
    wire.login(doctor.login, doctor.password)
    assert wire.deliver(
        doctor.address, patient.address, scene.letter(doctor.address, patient.address)
    ).startswith("250")
    closed = handout.patients.closed
    assert wire.deliver(doctor.address, closed, scene.letter(doctor.address, closed)).startswith("250")
    assert wire.command(f"MAIL FROM:<{patient.address}>").startswith("550")
    software = scene.smtp(handout.ports.submission, handout.app)
    assert software.command("AUTH EXTERNAL =").startswith("235")
    app = handout.app.address
    assert software.deliver(app, patient.address, scene.letter(app, patient.address)).startswith("250")
    answer = scene.smtp(handout.ports.submission)
    answer.login(patient.login, patient.password)
    assert answer.deliver(
        patient.address, doctor.address, scene.letter(patient.address, doctor.address)
    ).startswith("250")
    assert answer.command(f"MAIL FROM:<{patient.address}>").startswith("250")
    for refused in (app, handout.patients.closed, f"{UNKNOWN}@ailleurs.example"):
        assert answer.command(f"RCPT TO:<{refused}>").startswith("550")
    answer.command("RSET")
    answer.envelope(patient.address, doctor.address)
    assert answer.data(scene.letter(handout.patients.closed, doctor.address)).startswith("550")
    for one in (wire, software, answer):
        one.close()


def logins(scene: Scene) -> None:
    """Wrong passwords, malformed SASL, INS as login, over SMTP and IMAP."""
    handout = scene.gateway.handout
    patient = handout.account("PAT")
    for login in (patient.login, patient.login.partition("@")[0], UNKNOWN, handout.account("PER").login):
        wire = scene.smtp(handout.ports.submission)
        assert wire.auth_plain(login, PASSWORD).startswith(("535", "454"))
        wire.command(f"AUTH PLAIN {login}")
        wire.command(f"AUTH {PASSWORD} {login}")
        wire.command("AUTH PLAIN")
        wire.command(f"{login}={PASSWORD}")
        wire.close()
        imap = scene.imap()
        for command in (
            f"LOGIN {login} {PASSWORD}",
            f"LOGIN {login} {PASSWORD} {PASSWORD}",
            f'LOGIN "{login}',
            f"AUTHENTICATE PLAIN {PASSWORD}",
            "AUTHENTICATE PLAIN " + b64encode(f"\0{login}\0{PASSWORD}".encode()).decode(),
            f"{login} {PASSWORD}",
        ):
            with suppress(Closed, OSError):
                scene.heard.append(imap.ending(command).decode())
        imap.close()


def torn_handshakes(scene: Scene) -> None:
    """What is no TLS, and commands sent in one packet with STARTTLS."""
    ports = scene.gateway.handout.ports
    for port in (ports.mta, ports.submission):
        wire = Listening(port, scene.heard)
        wire.hello(UNKNOWN)
        wire.send(f"STARTTLS\r\nMAIL FROM:<{UNKNOWN}@x.example>\r\ncanaricorps {PASSWORD}\r\n".encode())
        scene.heard.append(wire.rest().decode("utf-8", "replace"))
        wire = Listening(port, scene.heard)
        wire.hello()
        wire.command("STARTTLS")
        wire.send(f"canaricorps {UNKNOWN} {PASSWORD}\r\n".encode() * 20)
        scene.heard.append(wire.rest().decode("utf-8", "replace"))


def readers(scene: Scene) -> None:
    """IMAP: APPEND, SEARCH, FETCH, folders, and commands that are wrong."""
    for kind in ("PER", "PAT"):
        account = scene.gateway.handout.account(kind)
        wire = scene.imap(account)
        wire.ok('CREATE "canaridossier"')
        assert wire.append("canaridossier", scene.letter(account.address, account.address)).startswith(b"OK")
        wire.ok("SELECT canaridossier")
        for search in (
            f"SUBJECT {UNKNOWN}",
            "BODY canaricherche",
            "TEXT canaricorps",
            'HEADER "X-Note" canari',
        ):
            wire.ok(f"SEARCH {search}")
        wire.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE BODY[] FLAGS)")
        wire.ok("STORE 1 +FLAGS (canaridossier)")
        wire.ok("SELECT INBOX")
        wire.ok("FETCH 1:* (ENVELOPE BODY.PEEK[TEXT])")
        for wrong in (
            f"SEARCH {UNKNOWN}",
            f"FETCH {UNKNOWN} canaricorps",
            f"SELECT {UNKNOWN}",
            f"SELECT Shared/{UNKNOWN}@patient.mssante.fr/INBOX",
            f"{UNKNOWN}",
            f"APPEND {UNKNOWN} {{1+}}\r\nx",
            f"SEARCH CHARSET {UNKNOWN} TEXT canaricherche",
        ):
            scene.heard.append(wire.ending(wrong).decode())
        wire.close()


def commands(scene: Scene, folder: Path) -> None:
    """What ops type, with an INS wherever one can slip in."""
    handout = scene.gateway.handout
    patient, doctor = handout.patients.active, handout.account("PER").address
    hosted = doctor.partition("@")[2]
    eml = folder / "m.eml"
    eml.write_bytes(scene.letter(doctor, patient, Reply_To=f"{UNKNOWN}@patient.mssante.fr"))
    for words in (
        ("bal", "passwd", patient, "--password", f"{PASSWORD}-2"),
        ("bal", "show", f"{UNKNOWN}@{hosted}"),
        ("bal", "suspend", doctor, "--reason", UNKNOWN),
        ("bal", "activate", doctor, "--reason", UNKNOWN),
        ("bal", "show", doctor),
        ("bal", "list", "--json"),
        ("patient", "add", UNKNOWN, "--name", f"Patient {UNKNOWN}", "--password", f"{PASSWORD}-3"),
        ("patient", "add", UNKNOWN),
        ("patient", "add", UNKNOWN[:14] + "0"),
        ("patient", "close", UNKNOWN, "--reason", f"demande de {UNKNOWN}"),
        ("patient", "list"),
        ("patient", "list", "--json"),
        ("channel", "list", "--patient", patient),
        ("channel", "close", patient, doctor, "--reason", UNKNOWN),
        ("channel", "show", patient, doctor, "--json"),
        ("channel", "show", f"{UNKNOWN}@patient.mssante.fr", doctor),
        ("ins", "show", UNKNOWN),
        ("explain", str(eml), "--from", doctor, "--to", patient),
        ("explain", str(eml), "--from", f"{UNKNOWN}@patient.mssante.fr", "--to", doctor, "--json"),
        ("figures",),
    ):
        if words[0] == "ins":
            scene.printed.append("ins\n" + run(*words)[1])
        else:
            scene.cli(*words)


@pytest.mark.req("AUD-5", "INS-7")
def test_the_log_holds_no_canary(scene: Scene) -> None:
    """Everything at DEBUG, our own faults included, and it did write."""
    log = scene.gateway.log.read_text(encoding="utf-8", errors="replace")
    for event in ("message-accepted", "message-refused", "login", "tls-refused", "smtp-violation"):
        assert f" {event}" in log
    # The key of the trace was spoiled, then gone for a moment: its own round may have come just then, and says so.
    spoiled = "where='storage/sqlite/audit_chain.py"
    assert [line for line in log.splitlines() if "-fault" in line and spoiled not in line] == []
    assert "Traceback" not in log
    assert leaks(scene.secrets(), log) == set()


@pytest.mark.req("AUD-5", "INS-7")
def test_no_reply_echoes_a_canary(scene: Scene) -> None:
    """SMTP replies of every kind, and the refusals of IMAP."""
    assert len(scene.heard) > 300
    for reply in scene.heard:
        assert leaks(scene.secrets(), reply) == set(), reply


@pytest.mark.req("AUD-5", "INS-7")
def test_the_timeline_holds_no_canary(scene: Scene) -> None:
    """The trace table as it lies on disk; it holds lines of every kind that was caused."""
    rows = trace_rows(scene.gateway.folder)
    events = {row[0] for row in rows}
    assert {
        "accepted",
        "refused",
        "login",
        "login-refused",
        "bounced",
        "channel-open",
        "channel-closed",
    } <= events
    for row in rows:
        assert leaks(scene.secrets(), " ".join(map(str, row))) == set(), row


@pytest.mark.req("AUD-5", "INS-7", "INS-4")
def test_no_command_prints_a_canary(scene: Scene) -> None:
    """Answers and refusals of the CLI without --full, figures among them."""
    assert "mss_refusals_total" in scene.printed[-1]
    for printed in scene.printed:
        assert leaks(scene.secrets(), printed) == set(), printed


@pytest.mark.req("AUD-5", "INS-7")
def test_the_ops_door_tells_no_canary(scene: Scene) -> None:
    """Headers and bodies of every page, with and without a login; an address is told to who asks for its settings."""
    statuses = {told[:3] for _, told in scene.web}
    assert {"200", "401", "404"} <= statuses
    assert any("mss_audit_damaged" in told for path, told in scene.web if path == "/metrics")
    assert any("Derniers refus" in told for path, told in scene.web if path == "/status")
    for path, told in scene.web:
        assert leaks(scene.secrets(), told) == set(), path


@pytest.mark.req("AUD-5", "OPS-4")
def test_no_span_and_no_word_to_the_service_manager_holds_a_canary(scene: Scene) -> None:
    """Every message and login has spans here; the manager hears states and signs of life."""
    spans = b"".join(scene.around.collector.octets)
    assert b"commit" in spans
    assert leaks(scene.secrets(), spans.decode("latin-1")) == set()
    told = scene.around.told()
    assert told[0].startswith("READY=1")
    assert any(one.startswith("STOPPING=1") for one in told)
    assert leaks(scene.secrets(), " ".join(told)) == set()


@pytest.mark.req("AUD-5", "OPS-5")
def test_a_sealed_backup_holds_no_canary(scene: Scene) -> None:
    """Names of files, manifests, pieces: without the key there is nothing to read in them."""
    assert any(name.startswith("backups/") for name in scene.stored)
    assert any(name.startswith("chunks/") for name in scene.stored)
    for name, octets in scene.stored.items():
        assert leaks(scene.secrets(), name + octets.decode("latin-1")) == set(), name


@pytest.mark.req("AUD-5", "OPS-5")
def test_no_file_of_a_sealed_store_holds_what_messages_said(scene: Scene) -> None:
    """Subject, body, names of attachments, headers: encryption at rest is on in this gateway."""
    words = {
        word: word for word in WORDS if word != "canaridossier"
    }  # a folder's name is no part of a message
    for path in (scene.gateway.folder / "store").rglob("*"):
        if path.is_file():
            assert leaks(words, path.read_bytes().decode("latin-1")) == set(), path


def test_every_walk_got_where_it_wanted(scene: Scene) -> None:
    """Otherwise nothing of it would be proved."""
    printed = "\n".join(scene.printed)
    for said in (
        "bon.exemple@hopital.mssante.fr",
        "token provider",
        "audit key",
        "consistency",
        "encryption keys",
    ):
        assert said in printed, said
    assert len(scene.tokens) > 20
    assert len(scene.proofs) > 6


def test_the_search_for_canaries_finds_them(scene: Scene) -> None:
    """The test itself can fail: each secret is found where it is, folded as well."""
    for name, secret in scene.secrets().items():
        assert name in leaks(scene.secrets(), f"<{secret.upper()}>")
        assert name in leaks(scene.secrets(), f"{secret[:5]}\r\n  {secret[5:]}")


def test_no_file_but_the_store_holds_a_canary(scene: Scene) -> None:
    """Spool files are gone, and nothing else was written beside the store."""
    assert scene.gateway.spooled == []
    for path in scene.gateway.folder.iterdir():
        if path.is_file() and os.access(path, os.R_OK):
            assert leaks(scene.secrets(), path.read_text(encoding="utf-8", errors="replace")) == set(), path

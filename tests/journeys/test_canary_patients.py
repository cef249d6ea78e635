"""Canary words through relay, reports, receipts, archives, alerts and commands for patients (AUD-5, INS-7)."""

from __future__ import annotations

import ssl
import time
from base64 import b64encode
from pathlib import Path

import pytest

from mss_gateway.dev.handout import Credential
from mss_gateway.dev.space import OTHER as UNREACHED
from tests.support import xdm
from tests.support.attacks import note, report_of
from tests.support.canary import LOWER, UNKNOWN, Scene, leaks, trace_rows
from tests.support.canary_walk import ALERT, NAME, Walk, typed
from tests.support.echoes import Echo, Manner
from tests.support.process import GatewayProcess
from tests.support.wires import Closed

pytestmark = pytest.mark.timeout(600)
MORE = ("canarinom", "canarilibelle", "canaridiagnostic", "canaridisposition", "canarireponse", ALERT)
"""Words of this module, besides those of every canary test."""

ECHOED = f"canarireponse {UNKNOWN} {LOWER} {UNKNOWN[:13]} 1 54 09 2A 123 456 64 INS={UNKNOWN}."
SPELLED = (UNKNOWN.lower(), UNKNOWN[:13].lower(), "1 54 09 2a 123 456", "154092a123456")


def _server(credential: Credential, ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credential.cert, credential.key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Every new path once, with a gateway that logs everything it can."""
    from tests.support.doors import sample

    handout = sample()[1]
    good = _server(handout.operator, handout.ca)
    foreign = _server(handout.refused["foreign-ca"], handout.ca)
    manners = (
        Manner(554),
        Manner(421),
        Manner(),
        Manner(220, good, 454),
        Manner(220, foreign),
        Manner(220, good),
    )
    peer, smarthost = Echo(ECHOED, *manners), Echo(f"{ALERT} {ECHOED}", Manner(550), Manner())
    more = (
        "\n[queue]\nretry_first = 0.2\nretry_most = 0.5\n"
        f'[alerts]\nmode = "each"\nsmarthost = "127.0.0.1:{smarthost.port}"\n'
        'sender = "ne-pas-repondre@operateur-patients.example"\nsecurity = "none"\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MSS_GATEWAY_LOG_LEVEL", "debug")
        relay = f'routes = ["{handout.operator.domain}=127.0.0.1:{peer.port}"]'
        gateway = GatewayProcess(tmp_path_factory.mktemp("canary"), relay=relay, more=more)
    walk = Walk(Scene(gateway))
    try:
        relayed(walk, peer)
        answers(walk)
        reports(walk)
        archives(walk)
        receipts(walk)
        commands(walk, tmp_path_factory.mktemp("files"))
        assert gateway.process.poll() is None
    finally:
        assert gateway.stop() == 0
        peer.close()
        smarthost.close()
    assert peer.connections >= len(manners)
    assert smarthost.connections >= 1
    return walk


def relayed(walk: Walk, peer: Echo) -> None:
    """Hosts that refuse, have no TLS or the wrong one, repeat what they hear, and cannot be found."""
    handout = walk.scene.gateway.handout
    doctor, domain = handout.account("PER"), handout.operator.domain
    recipients = [f"{kind}-{UNKNOWN}@{domain}" for kind in ("250", "550", "451")]
    wishes = f"NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{UNKNOWN}@canarinom.example"
    message = walk.letter(doctor.address)
    asked = [f"<{recipient}> {wishes}" for recipient in [*recipients, f"{UNKNOWN}@{domain}"]]
    assert walk.submit(doctor, asked, message, f"RET=FULL ENVID=canarisujet{UNKNOWN}").startswith("250")
    assert walk.submit(doctor, [f"{UNKNOWN}@{UNREACHED}"], walk.letter(doctor.address)).startswith("250")
    assert walk.submit(doctor, [f"999-{UNKNOWN}@{domain}"], walk.letter(doctor.address)).startswith("250")
    limit = time.monotonic() + 60
    while not peer.taken and time.monotonic() < limit:
        time.sleep(0.1)
    assert peer.taken, "nothing was ever relayed"


def answers(walk: Walk) -> None:
    """Near miss, end marks, automatic closing, a patient's answer and its refusal, alerts, bounces, successes."""
    handout = walk.scene.gateway.handout
    doctor, cabinet, patient = (handout.account(kind) for kind in ("PER", "CAB", "PAT"))
    assert walk.cli("patient", "set", patient.address, "--alert", ALERT) == 0
    assert walk.cli("bal", "set", cabinet.address, "--auto-close", "answer") == 0
    for subject in ("Re: [FIN]", f"canarisujet {UNKNOWN}", "[FIN]"):
        assert walk.submit(
            doctor, [patient.address], walk.letter(doctor.address, subject=subject)
        ).startswith("250")
    assert walk.submit(
        cabinet,
        [f"<{patient.address}> NOTIFY=SUCCESS ORCPT=rfc822;{UNKNOWN}@x.example"],
        walk.letter(cabinet.address),
    ).startswith("250")
    assert walk.submit(patient, [cabinet.address], walk.letter(patient.address)).startswith("250")
    for bal in (cabinet, doctor):
        assert walk.submit(patient, [bal.address], walk.letter(patient.address)).startswith("5")
    assert walk.submit(doctor, [handout.patients.closed], walk.letter(doctor.address)).startswith("250")
    software = walk.scene.smtp(handout.ports.submission, handout.app)
    assert software.command("AUTH EXTERNAL =").startswith("235")
    assert software.deliver(
        handout.app.address, patient.address, walk.letter(handout.app.address)
    ).startswith("250")
    software.close()


def reports(walk: Walk) -> None:
    """MDN, DSN, closed mailboxes and integration errors, whose fields and labels are full of canaries."""
    handout = walk.scene.gateway.handout
    doctor, sender = handout.account("PER").address, f"confrere@{handout.operator.domain}"
    about = f"Original-Message-ID: <canari.{UNKNOWN}.1@x.example>\r\n"
    told = (
        f"Reporting-UA: canarinom; {UNKNOWN}\r\nOriginal-Recipient: rfc822; {UNKNOWN}@patient.mssante.fr\r\n"
        f"Final-Recipient: rfc822;canarinom {LOWER}@patient.mssante.fr\r\n{about}"
    )
    dispositions = (
        "manual-action/MDN-sent-manually; canaridisposition",
        f"automatic-action/MDN-sent-automatically; processed/Error: 901^canarilibelle {UNKNOWN}",
        f"automatic-action/MDN-sent-automatically; processed/canaridisposition: {UNKNOWN}",
        f"displayed canaridisposition {UNKNOWN}",
        f"a/b; displayed\r\nError: {UNKNOWN[:13]} canarilibelle\r\nFailure: canaridiagnostic",
    )
    for disposition in dispositions:
        for subject in (
            "Lu",
            "[KO Intégration système !] canarisujet",
            f"[KO Intégration système !] 902 {UNKNOWN}",
        ):
            message = report_of(sender, f"Code erreur : 903 canarilibelle {UNKNOWN}")
            message = message.replace(b"Subject: Lu", f"Subject: {subject}".encode(), 1)
            fields = f"{told}Disposition: {disposition}\r\n".encode()
            head, _, tail = message.partition(b"Final-Recipient: rfc822; a@b.example\r\n")
            message = head + fields + tail.partition(b"displayed\r\n")[2]
            assert walk.operate("", doctor, message).startswith("250")
    failed = (
        f"Final-Recipient: rfc822; {UNKNOWN}@patient.mssante.fr\r\nAction: canaridisposition\r\n"
        f"Status: 5.1.1 (canaridiagnostic {UNKNOWN})\r\nDiagnostic-Code: smtp; 550 canaridiagnostic {LOWER}\r\n"
    ).encode()
    message = report_of(sender, f"canaricorps {UNKNOWN}", kind="delivery-status")
    message = message.replace(
        b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.0.0\r\n", failed
    )
    original = (
        "Content-Type: text/rfc822-headers\r\n\r\n"
        f"Message-ID: <canari.{UNKNOWN}.1@x.example>\r\nSubject: canarisujet\r\n"
    )
    message = message.replace(b"--=_r--", b"--=_r\r\n" + original.encode() + b"\r\n--=_r--")
    assert walk.operate("", doctor, message).startswith("250")
    closed = (
        f'Le message que vous avez envoyé à "{UNKNOWN}@patient.mssante.fr" n\'a pas pu être distribué car la messagerie'
        " Mon espace Santé de votre destinataire est clôturée canaricorps"
    )
    named = (
        "Auto-Submitted: auto-replied",
        f"In-Reply-To: <canari.{UNKNOWN}.1@x.example>",
        "Content-Type: text/plain; charset=utf-8",
    )
    assert walk.operate("", doctor, note(sender, *named, subject="canarisujet", text=closed)).startswith(
        "250"
    )


def archives(walk: Walk) -> None:
    """Refusals of the gate, with an INS in names of files, of types and in METADATA.XML."""
    handout = walk.scene.gateway.handout
    doctor, patient = handout.account("PER"), handout.patients.active
    ins = UNKNOWN.encode()
    names = (
        b"../" + ins,
        ins + b"\\canaripiece",
        b"IHE_XDM/" + ins + b"\x00",
        b"canaripiece/../" + ins,
        ins,
        b"\x1b" + ins,
    )
    hostile = [xdm.raw_zip(xdm.Raw(name, b"canaricorps " + ins)) for name in names]
    hostile += [xdm.built().archive, b"PK\x03\x04" + ins]
    files = [("IHE_XDM.zip", "application/zip", octets) for octets in hostile]
    files += [
        (f"{UNKNOWN}.exe", f"application/x-{LOWER}", ins),
        (f"canaripiece-{LOWER}.exe", f"application/{UNKNOWN}", ins),
        (f"=?utf-8?q?{UNKNOWN}?=.exe", f"{UNKNOWN}/x", ins),
    ]
    for name, media, octets in files:
        message = (
            f"From: {doctor.address}\r\nSubject: canarisujet {UNKNOWN}\r\nMessage-ID: <{LOWER}@x.example>\r\n"
            'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
            f'Content-Type: {media}; name="{name}"\r\n'
            f'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
            f"{b64encode(octets).decode()}\r\n--b--\r\n"
        ).encode()
        assert walk.submit(doctor, [patient], message).startswith("55"), name


def receipts(walk: Walk) -> None:
    """A receipt asked for and written, opened over IMAP, and a saved copy."""
    handout = walk.scene.gateway.handout
    doctor, patient = handout.account("PER"), handout.account("PAT")
    wanted = walk.letter(doctor.address, f"Disposition-Notification-To: {NAME} {UNKNOWN} <{doctor.address}>")
    wishes = [f"<{patient.address}> ORCPT=rfc822;{UNKNOWN}@x.example"]
    assert walk.submit(doctor, wishes, wanted).startswith("250")
    wire = walk.scene.imap(patient)
    wire.ok("SELECT INBOX")
    wire.ok("FETCH 1:* (BODY[])")
    wire.ok("STORE 1:* +FLAGS ($MSSClosed)")
    for wrong in (f"COPY 1 {UNKNOWN}", f"STORE 1 +FLAGS ({UNKNOWN}\\x)", f'SELECT "Echanges {UNKNOWN}"'):
        try:
            walk.scene.heard.append(wire.ending(wrong).decode())
        except Closed:
            break
    wire.close()
    wire = walk.scene.imap(doctor)
    wire.append('"Echanges patient"', wanted)
    wire.append("INBOX", walk.letter(doctor.address))
    wire.close()
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if any(row[0] == "mdn-sent" for row in trace_rows(walk.scene.gateway.folder)):
            return
        time.sleep(0.1)
    raise AssertionError("no receipt was written")


def commands(walk: Walk, folder: Path) -> None:
    """What ops type and import, an INS in every place where one can slip in."""
    for words in typed(folder, walk.scene.gateway.handout):
        walk.cli(*words)


def secrets(walk: Walk, *, ins_only: bool = False) -> dict[str, str]:
    """What nobody may find; on standard output a name or an alert address that was asked for is no leak."""
    found = walk.scene.secrets()
    found |= {f"spelling {index}": spelled for index, spelled in enumerate(SPELLED)}
    if ins_only:
        words = ("canari.personnel", "canarisujet", "canarinom")
        return {name: secret for name, secret in found.items() if not name.startswith(words)}
    return found | {word: word for word in MORE}


@pytest.mark.req("AUD-5", "INS-7")
def test_the_log_holds_no_canary(walk: Walk) -> None:
    """Everything at DEBUG, and it did write."""
    log = walk.scene.gateway.log.read_text(encoding="utf-8", errors="replace")
    assert "-fault" not in log
    assert "Traceback" not in log
    assert leaks(secrets(walk), log) == set(), [
        line for line in log.splitlines() if leaks(secrets(walk), line)
    ][:5]


@pytest.mark.req("AUD-5", "INS-7")
def test_no_reply_echoes_a_canary(walk: Walk) -> None:
    """SMTP and IMAP replies of every kind."""
    assert len(walk.scene.heard) > 150
    for reply in walk.scene.heard:
        assert leaks(secrets(walk), reply) == set(), reply


@pytest.mark.req("AUD-2", "AUD-5", "INS-7")
def test_the_timeline_holds_no_canary(walk: Walk) -> None:
    """The trace as it lies on disk; every new kind of line was written."""
    rows = trace_rows(walk.scene.gateway.folder)
    events = {row[0] for row in rows}
    wanted = {
        "relayed",
        "relay-failed",
        "deferred",
        "report-written",
        "mdn-sent",
        "mdn-received",
        "dsn-received",
    }
    wanted |= {
        "integration-error",
        "patient-closed-received",
        "notice-sent",
        "auto-closed",
        "receipt-opened",
        "bounced",
    }
    assert wanted <= events, wanted - events
    assert events & {"alert-sent", "alert-failed"}
    for row in rows:
        assert leaks(secrets(walk), " ".join(map(str, row))) == set(), row


@pytest.mark.req("AUD-5", "INS-7")
def test_no_command_prints_a_canary(walk: Walk) -> None:
    """Nothing on standard error; on standard output nothing but what was asked for, and no INS."""
    assert "mss_refusals_total" in walk.stdout[-1]
    assert leaks(secrets(walk), walk.stdout[-1]) == set()
    for printed in walk.stderr:
        assert leaks(secrets(walk), printed) == set(), printed
    for printed in walk.stdout:
        assert leaks(secrets(walk, ins_only=True), printed) == set(), printed


@pytest.mark.req("INS-7")
def test_what_a_peer_says_is_kept_masked(walk: Walk) -> None:
    """The reason kept with a waiting row is the peer's own word, without an INS in any spelling."""
    import sqlite3
    from contextlib import closing

    (database,) = (walk.scene.gateway.folder / "store").glob("*.db")
    with closing(sqlite3.connect(database)) as db:
        errors = [str(row[0]) for row in db.execute("SELECT last_error FROM outbox WHERE last_error <> ''")]
    assert errors
    for error in errors:
        assert leaks({one: one for one in SPELLED}, error) == set(), error

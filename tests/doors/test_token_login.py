"""Tokens at both doors: over raw sockets, with curl, with imapclient; who enters where, and what nobody sees."""

from __future__ import annotations

import io
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imapclient
import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.base.secret import Secret
from mss_gateway.dev.handout import Account
from mss_gateway.dev.provider import OpenIdProvider
from mss_gateway.dev.provision import NATIONAL_ID
from mss_gateway.dev.wire import tls
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.ports.identity import Principal
from mss_gateway.ports.records import BoxChoices, TraceLine
from mss_gateway.settings import Settings
from tests.support.doors import Served, gateway_in_thread, sample
from tests.support.foreign import require_program
from tests.support.journeys import HOST, letter, ran, stored, trusting
from tests.support.tokens import BAD, options
from tests.support.wires import Closed, Imap, Smtp

REFUSED = "535 5.7.8 The token is not accepted here"


@dataclass
class Scene:
    """A gateway and its provider; `log` is everything that the gateway has logged."""

    served: Served
    provider: OpenIdProvider
    log: io.StringIO

    @property
    def doctor(self) -> Account:
        """The person of the provider's sample."""
        return self.served.account("PER")

    def token(self, **changes: Any) -> str:
        """A token for that person."""
        return self.provider.issuer.token(**changes)

    def smtp(self) -> Smtp:
        """Submission under TLS."""
        return self.served.submission()

    def imap(self) -> Imap:
        """IMAPS."""
        return self.served.imap()

    def traces(self) -> str:
        """Every line of the functional trace, as text."""
        store = self.served.parts.store
        self.served.call(self.served.parts.notes.flush())
        rows = self.served.call(store._engine.read(lambda db: list(db.execute("SELECT * FROM trace"))))
        return repr(rows)


@contextmanager
def opened(folder: Path, **changes: Any) -> Iterator[Scene]:
    """A gateway whose [oidc] believes a provider of its own."""
    log = io.StringIO()
    space = Path(sample()[1].ca).parent
    with OpenIdProvider(space) as provider:

        def with_tokens(settings: Settings) -> Settings:
            return replace(
                settings,
                oidc=options(provider, space, **changes),
                log=LogOptions("console", "debug"),
            )

        original = Log.__init__

        def captured(self: Log, given: LogOptions, figures: Any, stream: Any = None) -> None:
            original(self, given, figures, log)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Log, "__init__", captured)
            with gateway_in_thread(folder, with_tokens) as served:
                yield Scene(served, provider, log)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One for the whole file; nothing in it is changed."""
    with opened(tmp_path_factory.mktemp("tokens")) as found:
        yield found


def xoauth2(login: str, token: str) -> str:
    """The initial response of XOAUTH2."""
    return b64encode(f"user={login}\x01auth=Bearer {token}\x01\x01".encode()).decode()


def bearer(login: str, token: str) -> str:
    """The initial response of OAUTHBEARER."""
    return b64encode(
        f"n,{login and f'a={login}'},\x01host=localhost\x01port=143\x01auth=Bearer {token}\x01\x01".encode()
    ).decode()


FORMS: dict[str, Callable[[str, str], str]] = {"XOAUTH2": xoauth2, "OAUTHBEARER": bearer}


def submit(smtp: Smtp, mechanism: str, login: str, token: str) -> str:
    """AUTH with an initial response; an error challenge is answered as clients do. The last reply."""
    reply = smtp.command(f"AUTH {mechanism} {FORMS[mechanism](login, token)}")
    if reply.startswith("334 "):
        assert json.loads(b64decode(reply[4:]))["status"] in ("invalid_token", "401")
        reply = smtp.command("" if mechanism == "XOAUTH2" else "AQ==")
    return reply


def enter(imap: Imap, mechanism: str, login: str, token: str) -> str:
    """The same over IMAP; the tagged answer."""
    tag = imap.begin(f"AUTHENTICATE {mechanism} {FORMS[mechanism](login, token)}")
    while not (line := imap.response()).startswith(tag):
        if line.startswith(b"+"):
            assert json.loads(b64decode(line[2:]))["status"] in ("invalid_token", "401")
            imap.send(b"\r\n" if mechanism == "XOAUTH2" else b"AQ==\r\n")
    return line[len(tag) + 1 :].decode()


@pytest.mark.req("ACC-1", "ACC-2")
def test_offered_under_tls_alone(scene: Scene) -> None:
    """Both names, at both doors, and neither before TLS."""
    plain = Smtp(scene.served.handout.ports.submission)
    assert "XOAUTH2" not in plain.hello()
    plain.close()
    assert "OAUTHBEARER" in scene.smtp().hello()
    open_line = Imap(scene.served.handout.ports.imap)
    assert b"AUTH=" not in open_line.greeting
    open_line.close()
    announced = b" ".join(scene.imap().ok("CAPABILITY"))
    assert b"AUTH=XOAUTH2" in announced
    assert b"AUTH=OAUTHBEARER" in announced


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize("mechanism", FORMS)
def test_a_token_opens_the_persons_mailboxes_at_both_doors(scene: Scene, mechanism: str) -> None:
    """With the address, with the login of the directory, and with none named."""
    address = scene.doctor.address
    for login in (address, address.upper(), ""):
        assert submit(scene.smtp(), mechanism, login, scene.token()).startswith("235 ")
        imap = scene.imap()
        assert enter(imap, mechanism, login, scene.token()).startswith("OK [CAPABILITY")
        imap.ok("SELECT INBOX")
    smtp = scene.smtp()
    submit(smtp, mechanism, address, scene.token())
    data = letter(address, address)[1]
    assert smtp.deliver(address, address, data).startswith("250 ")


@pytest.mark.req("ACC-2")
def test_a_token_of_15_kib_with_and_without_an_initial_response(scene: Scene) -> None:
    """Those of Pro Santé Connect have several thousand octets; one over 16 KiB is refused like any other."""
    address, long = scene.doctor.address, scene.token(bourrage="x" * 11_000)
    assert 15_000 < len(long) < 16_384
    imap = scene.imap()
    tag = imap.begin("AUTHENTICATE XOAUTH2")
    assert imap.response().startswith(b"+")
    imap.send(xoauth2(address, long).encode() + b"\r\n")
    assert imap.until(tag)[1].startswith(b"OK")
    assert enter(scene.imap(), "OAUTHBEARER", address, long).startswith("OK")
    smtp = scene.smtp()
    assert smtp.command("AUTH OAUTHBEARER").startswith("334")
    assert smtp.command(bearer(address, long)).startswith("235")
    assert submit(scene.smtp(), "XOAUTH2", address, long).startswith("235")
    huge = scene.token(bourrage="x" * 65_536)
    assert _cut_off(lambda: submit(scene.smtp(), "XOAUTH2", address, huge))
    assert _cut_off(lambda: enter(scene.imap(), "XOAUTH2", address, huge))


@pytest.mark.req("ACC-2")
def test_tokens_and_lines_of_exactly_the_limits(scene: Scene) -> None:
    """16,384 octets are a token, one more is not; the longest line is answered, a longer one ends the connection."""
    for size, reason in ((16_384, "token-malformed"), (16_385, "token-too-long")):
        login, token = f"limite-{size}", "x" * size
        assert submit(scene.smtp(), "XOAUTH2", login, token) == REFUSED
        assert enter(scene.imap(), "XOAUTH2", login, token).startswith("NO [AUTHENTICATIONFAILED]")
        assert scene.log.getvalue().count(f"result={reason}") >= 2
    longest = 24 * 1024 // 4 * 4 - 4  # base64 comes in fours; over SMTP CRLF counts
    for size in (longest, longest + 8):
        smtp, imap = scene.smtp(), scene.imap()
        smtp.command("AUTH XOAUTH2")
        imap.begin("AUTHENTICATE XOAUTH2")
        imap.response()
        for wire in (smtp, imap):
            wire.send(b"A" * size + b"\r\n")
        if size == longest:
            assert smtp.reply().startswith("501 "), size
            assert b"malformed" in imap.response()
        else:
            assert _cut_off(smtp.reply)
            assert b"BYE" in imap.rest()


def _cut_off(talk: Callable[[], str]) -> bool:
    """A line too long ends the connection, perhaps before all of it was sent."""
    try:
        return talk().startswith("500 ")
    except (Closed, OSError):
        return True


@pytest.mark.req("ACC-2", "ACC-3")
@pytest.mark.parametrize("mechanism", FORMS)
@pytest.mark.parametrize(
    "what", ["expired", "alg none", "HS256 with the public key", "other client", "garbage"]
)
def test_a_bad_token_gets_one_answer_after_its_challenge(scene: Scene, mechanism: str, what: str) -> None:
    """The log names the slug, the client reads the same text whatever it was."""
    make, reason = BAD[what]
    token = "garbage" if what == "garbage" else make(scene.provider.issuer)
    # One login for each: failures of one login slow down that login at this source (ACC-3).
    login = f"{mechanism}-{what.replace(' ', '-')}"
    assert submit(scene.smtp(), mechanism, login, token) == REFUSED
    said = enter(scene.imap(), mechanism, login, token)
    assert said == "NO [AUTHENTICATIONFAILED] The token is not accepted here"
    assert f"result={reason}" in scene.log.getvalue()


@pytest.mark.req("ACC-2", "BAL-4")
def test_a_mailbox_that_is_not_the_persons_looks_like_a_wrong_token(scene: Scene) -> None:
    """Another's shared box, software's, a patient's, nobody's: one answer; a stranger to the directory as well."""
    handout = scene.served.handout
    others = [scene.served.account("ORG").address, handout.app.address, handout.patients.active]
    others.append(f"personne@{scene.doctor.address.partition('@')[2]}")
    for address in others:
        assert submit(scene.smtp(), "XOAUTH2", address, scene.token()) == REFUSED
    assert submit(scene.smtp(), "XOAUTH2", "", scene.token(subject="810000000000")) == REFUSED
    assert "result=token-other-mailbox" in scene.log.getvalue()
    assert "result=token-unknown-person" in scene.log.getvalue()


@pytest.mark.req("AUD-5")
def test_no_part_of_a_token_is_left_anywhere(scene: Scene) -> None:
    """Log at DEBUG, trace, figures, replies: by segment."""
    good, bad = scene.token(jti="canari-bon"), scene.token(jti="canari-mauvais", iss="https://localhost/x")
    replies = [
        submit(scene.smtp(), one, scene.doctor.address, token) for one in FORMS for token in (good, bad)
    ]
    replies += [
        enter(scene.imap(), one, scene.doctor.address, token) for one in FORMS for token in (good, bad)
    ]
    told = " ".join(replies) + scene.log.getvalue() + scene.traces()
    told += repr(list(scene.served.parts.log.figures.registry.collect()))
    assert "result=ok" in told
    for token in (good, bad):
        for part in token.split("."):
            assert part not in told
            assert part[:40] not in told
    assert NATIONAL_ID not in scene.log.getvalue()


@pytest.mark.req("ACC-2")
@pytest.mark.foreign
@pytest.mark.parametrize("mechanism", FORMS)
def test_curl_reads_and_sends_with_a_token(scene: Scene, tmp_path: Path, mechanism: str) -> None:
    """`--oauth2-bearer` over IMAPS, and over SMTP with STARTTLS; a bad token ends both with a login denied (67)."""
    handout, doctor = scene.served.handout, scene.doctor
    curl = [require_program("curl"), "-s", "--cacert", handout.ca, "--user", f"{doctor.address}:"]
    curl += ["--login-options", f"AUTH={mechanism}", "--ssl-reqd"]
    message_id, data = letter(doctor.address, doctor.address)
    file = tmp_path / "m.eml"
    file.write_bytes(data)
    submission = [f"smtp://localhost:{handout.ports.submission}/client.example", "--upload-file", str(file)]
    submission += ["--mail-from", doctor.address, "--mail-rcpt", doctor.address]
    good = ["--oauth2-bearer", scene.token()]
    status, said = ran([*curl, *good, *submission])
    assert status == 0, said
    assert stored(handout, doctor, message_id) is not None
    inbox = [f"imaps://localhost:{handout.ports.imaps}/INBOX", "-X", "UID SEARCH ALL"]
    status, said = ran([*curl, *good, *inbox])
    assert status == 0, said
    assert "* SEARCH" in said or "* ESEARCH" in said
    bad = ["--oauth2-bearer", BAD["expired"][0](scene.provider.issuer)]
    for rest in (submission, inbox):
        assert ran([*curl, *bad, *rest])[0] == 67


@pytest.mark.req("ACC-2")
@pytest.mark.foreign
def test_imapclient_logs_in_with_a_token(scene: Scene) -> None:
    """`oauth2_login` and `oauthbearer_login`; each raises on a bad token."""
    handout, address = scene.served.handout, scene.doctor.address

    def client() -> imapclient.IMAPClient:
        found = imapclient.IMAPClient(HOST, handout.ports.imap, ssl=False)
        found.starttls(trusting(handout))
        return found

    with client() as one:
        one.oauth2_login(address, scene.token())
        assert one.select_folder("INBOX")[b"UIDVALIDITY"]
    with client() as one:
        one.oauthbearer_login(address, scene.token())
        assert one.select_folder("INBOX")[b"UIDVALIDITY"]
    for how in ("oauth2_login", "oauthbearer_login"):
        one = client()
        with pytest.raises(imapclient.exceptions.LoginError, match="not accepted here"):
            getattr(one, how)(address, BAD["expired"][0](scene.provider.issuer))
        one.shutdown()


@pytest.mark.req("ACC-2")
def test_the_provider_away_before_any_login_is_a_temporary_no(tmp_path: Path) -> None:
    """454 and UNAVAILABLE, no challenge: the client is to keep its token. Then it comes back."""
    with opened(tmp_path) as scene:
        provider = scene.provider
        provider.broken.update(dict.fromkeys(("document", "certs"), (503, b"")))
        book = scene.served.parts.login._accounts._tokens.provider
        book.state.addresses, book.state.keys = {}, None
        said = submit(scene.smtp(), "XOAUTH2", scene.doctor.address, scene.token())
        assert said == "454 4.7.0 Tokens cannot be checked at this moment; try again later"
        said = enter(scene.imap(), "OAUTHBEARER", scene.doctor.address, scene.token())
        assert said.startswith("NO [UNAVAILABLE] ")
        provider.broken.clear()
        book.state.tried_at = None
        assert submit(scene.smtp(), "XOAUTH2", "", scene.token()).startswith("235")


@pytest.mark.req("ACC-2")
def test_nobody_waits_for_the_provider_but_the_one_who_shows_a_token(tmp_path: Path) -> None:
    """While it is silent, others log in by password and read."""
    with opened(tmp_path, timeout=20.0) as scene:
        book = scene.served.parts.login._accounts._tokens.provider
        assert submit(scene.smtp(), "XOAUTH2", "", scene.token()).startswith("235")
        scene.provider.gate.clear()
        waiting = scene.smtp()
        waiting.send(f"AUTH XOAUTH2 {xoauth2('', scene.token(jti='autre'))}\r\n".encode())
        imap = scene.served.imap(scene.doctor, select="INBOX")
        imap.ok("NOOP")
        assert scene.served.submission(scene.doctor) is not None
        assert waiting.quiet(0.01)
        scene.provider.gate.set()
        assert waiting.reply().startswith("235")
        assert book.state.failure == ""


@pytest.mark.req("ACC-2")
def test_keys_in_hand_outlive_the_provider(tmp_path: Path) -> None:
    """Warm: a token that tells the person is still accepted while nobody answers."""
    with opened(tmp_path) as scene:
        assert submit(scene.smtp(), "XOAUTH2", "", scene.token()).startswith("235")
        scene.provider.broken.update(dict.fromkeys(("document", "certs", "userinfo"), (503, b"")))
        telling = scene.token(SubjectNameID=NATIONAL_ID)
        assert submit(scene.smtp(), "XOAUTH2", "", telling).startswith("235")


@pytest.mark.req("ACC-2")
def test_a_session_ends_with_its_time_and_not_with_its_token(tmp_path: Path) -> None:
    """ECO.1.2.6: IDLE hears BYE, the next mail over SMTP 421, with a text that says why."""
    with opened(tmp_path, session_seconds=5.0) as scene:
        imap, smtp = scene.imap(), scene.smtp()
        # A token that ended a moment ago, and still counts within the clock's skew, opens a session all the same.
        token = scene.token(exp=int(time.time()) - 1, SubjectNameID=NATIONAL_ID)
        assert submit(smtp, "XOAUTH2", "", token).startswith("235")
        assert enter(imap, "XOAUTH2", "", token).startswith("OK")
        imap.ok("SELECT INBOX")
        imap.begin("IDLE")
        told = imap.rest()
        assert b"* BYE the session of this login has ended, log in again" in told
        said = smtp.command(f"MAIL FROM:<{scene.doctor.address}>")
        assert said.startswith("421 4.7.0 "), said
        with pytest.raises(Closed):
            smtp.command("NOOP")


@pytest.mark.req("ACC-2")
def test_a_session_may_be_bound_to_its_token(tmp_path: Path) -> None:
    """`session = "token"`: no skew, so that the end is the token's."""
    with opened(tmp_path, session="token", skew=0.0) as scene:
        imap = scene.imap()
        token = scene.token(exp=time.time() + 5.0, SubjectNameID=NATIONAL_ID)
        assert enter(imap, "OAUTHBEARER", "", token).startswith("OK")
        assert b"* BYE the session of this login has ended" in imap.rest()


@pytest.mark.req("ACC-3")
def test_failed_tokens_slow_their_source_down(tmp_path: Path) -> None:
    """After many wrong ones from one address the next is not looked at."""
    with opened(tmp_path) as scene:
        bad = BAD["other issuer"][0](scene.provider.issuer)
        said = ""
        for _ in range(300):
            smtp = scene.smtp()
            said = submit(smtp, "XOAUTH2", scene.doctor.address, bad)
            smtp.close()
            if said.startswith("454"):
                break
        assert said.startswith("454 4.7.0 Too many failed logins"), said


def test_without_a_provider_no_token_mechanism(tmp_path: Path) -> None:
    """`mode = "off"`, the default."""
    with gateway_in_thread(tmp_path) as served:
        smtp = served.submission()
        assert "XOAUTH2" not in smtp.hello()
        assert smtp.command("AUTH XOAUTH2 " + xoauth2("x", "abc")).startswith("504 ")
        wire = Imap(served.handout.ports.imaps, tls(served.handout))
        assert b"OAUTHBEARER" not in b" ".join(wire.ok("CAPABILITY"))


@pytest.mark.req("ACC-2", "BAL-3", "BAL-4")
def test_which_mailboxes_a_token_opens(tmp_path: Path) -> None:
    """Shared ones of the person, the named one first; never software's, whatever a password may do there."""
    with opened(tmp_path) as scene:
        operations = scene.served.parts.operations
        shared, software = scene.served.account("ORG").address, scene.served.handout.app.address
        login = scene.doctor.login

        def ask(operation: str, **arguments: Any) -> None:
            scene.served.call(operations[operation]({"actor": "essai", **arguments}))

        ask("bal.member", address=shared, login=login)
        accounts = scene.served.parts.login._accounts

        def enters(name: str) -> Principal | Refuse:
            found: Principal | Refuse = scene.served.call(
                accounts.token(name, Secret(scene.token()), "192.0.2.1")
            )
            return found

        principal = enters(shared)
        assert isinstance(principal, Principal)
        assert [box.address for box in principal.boxes] == [shared, scene.doctor.address]
        assert principal.until > time.time() + 3.9 * 3600
        principal = enters("")
        assert isinstance(principal, Principal)
        assert principal.primary.address == scene.doctor.address
        store, trace = scene.served.parts.store, TraceLine(time.time(), "essai", "")
        person = scene.served.call(store.person(login))
        box = scene.served.call(store.box(software))
        scene.served.call(store.set_box_choices(box.id, BoxChoices(password_login=True), trace))
        scene.served.call(store.add_member(box.id, person.id, "holder", trace))
        by_password = scene.served.call(accounts.plain(login, Secret(scene.doctor.password), "192.0.2.1"))
        assert software in [one.address for one in by_password.boxes]
        refuse = enters(software)
        assert isinstance(refuse, Refuse)
        assert refuse.reason == "token-other-mailbox"
        principal = enters("")
        assert isinstance(principal, Principal)
        assert software not in [one.address for one in principal.boxes]


@pytest.mark.req("ACC-2", "BAL-5")
def test_a_disabled_mailbox_ends_what_a_token_has_opened(tmp_path: Path) -> None:
    """Suspended: the session hears BYE, the next token is refused like a wrong one. A new password changes nothing."""
    with opened(tmp_path) as scene:
        operations, address = scene.served.parts.operations, scene.doctor.address
        imap = scene.imap()
        enter(imap, "XOAUTH2", address, scene.token())
        imap.ok("SELECT INBOX")
        new = {"actor": "essai", "login": scene.doctor.login, "password": "un-autre-mot-de-passe"}
        scene.served.call(operations["bal.passwd"](new))
        imap.ok("NOOP")
        stop = {"actor": "essai", "address": address, "reason": "essai"}
        scene.served.call(operations["bal.suspend"](stop))
        imap.begin("NOOP")
        assert b"* BYE " in imap.rest()
        assert submit(scene.smtp(), "XOAUTH2", address, scene.token()) == REFUSED


@pytest.mark.req("ACC-2", "BAL-5")
def test_a_session_of_a_token_ends_with_its_person(tmp_path: Path) -> None:
    """Disabled while the token is still good: mail and mailbox are over, and the token opens nothing more."""
    with opened(tmp_path) as scene:
        imap, smtp, token = scene.imap(), scene.smtp(), scene.token(SubjectNameID=NATIONAL_ID)
        assert submit(smtp, "XOAUTH2", "", token).startswith("235")
        assert enter(imap, "XOAUTH2", "", token).startswith("OK")
        operations = scene.served.parts.operations
        arguments = {"actor": "cli:test", "login": scene.doctor.login, "reason": "départ"}
        scene.served.call(operations["person.disable"](arguments))
        assert smtp.command(f"MAIL FROM:<{scene.doctor.address}>").startswith("421 4.7.0 ")
        imap.begin("SELECT INBOX")
        assert b"* BYE your access to a mailbox has changed" in imap.rest()
        assert submit(scene.smtp(), "XOAUTH2", "", token) == REFUSED

"""Who may bring mail to port 25: each row of the audit matrix over a real socket (TRU-1, 2, 4, 6, 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.audit import MATRIX
from tests.support.audit_kinds import SESSION, Accepted, Alert, Link, Reply, Row, Space
from tests.support.audit_peers import Heard, knock, knock_by_openssl
from tests.support.audit_space import Audited, audited
from tests.support.foreign import find_program

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
At = Callable[[Space], Audited]
INBOUND = [row for row in MATRIX if row.inbound is not None]
BY_OPENSSL = (
    "valid",
    "expired",
    "revoked-leaf",
    "revoked-intermediate",
    "stale-crl-hard",
    "not-igc",
    "self-signed",
    "server-only",
    "dn-not-listed",
    "listed-for-another",
    "tls-1.1",
    "no-certificate",
    "revoked-in-grace",
)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    """A gateway for each state of the trust space, started when it is first asked for."""
    found: dict[Space, Audited] = {}
    with ExitStack() as stack:

        def opened(space: Space) -> Audited:
            if space not in found:
                folder = tmp_path_factory.mktemp(space.name.lower())
                found[space] = stack.enter_context(audited(folder, space))
            return found[space]

        yield opened


def check(gateway: Audited, row: Row, visit: Callable[[str], Heard]) -> None:
    """What the peer heard is what the row says, and log, figures and timeline tell the same reason."""
    wanted = row.inbound
    reason = "" if isinstance(wanted, Accepted) or wanted is None else wanted.reason
    mark, before, counted = gateway.mark(), len(gateway.timeline()), gateway.refusals(reason)
    heard = visit(gateway.served.account("PER").address)
    accepted = gateway.logged(mark, "message-accepted")
    if isinstance(wanted, Accepted):
        assert heard.words.startswith("250 2.0.0 Stored as "), heard
        assert len(accepted) == 1
        return
    assert accepted == []
    (line,) = gateway.refused_since(before)
    assert gateway.refusals(reason) == counted + 1
    if isinstance(wanted, Alert):
        assert heard.at == "TLS"
        assert f"alert {wanted.alert}" in heard.words
        (event,) = gateway.logged(mark, "tls-refused")
        assert (event["reason"], event["sentence"]) == (wanted.reason, wanted.sentence)
        assert (line.event, line.detail["reason"]) == ("tls-refused", reason)
        return
    assert isinstance(wanted, Reply)
    words, session = heard.words, None
    if wanted.session and (named := SESSION.search(words)):
        words, session = words[: named.start()], named[1]
        (event,) = gateway.logged(mark, "peer-refused")
        assert (event["session"], event["reason"], event["direction"]) == (session, reason, "inbound")
    assert Heard(heard.at, words) == Heard(wanted.at, wanted.line)
    assert (session is not None) == wanted.session
    (event,) = gateway.logged(mark, "message-refused")
    assert event["reason"] == reason
    assert (line.event, line.detail["reason"]) == ("refused", reason)


@pytest.mark.req("TRU-1", "TRU-2", "TRU-4", "TRU-6", "TRU-7", "BAL-7")
@pytest.mark.parametrize("row", INBOUND, ids=[row.name for row in INBOUND])
def test_each_peer_that_brings_mail_reads_its_answer(at: At, row: Row) -> None:
    """The exact reply, or the alert, and its reason wherever an operator looks for it."""
    gateway = at(row.space)
    port = gateway.served.handout.ports.mta
    check(gateway, row, lambda recipient: knock(port, row, gateway.files(row), recipient))


ALERTED = [row for row in INBOUND if isinstance(row.inbound, Alert) and row.link is Link.TLS]


@pytest.mark.req("TRU-1", "TRU-2", "TRU-6")
@pytest.mark.parametrize("row", ALERTED, ids=[row.name for row in ALERTED])
def test_a_peer_of_tls_1_2_reads_the_same_alert(at: At, row: Row) -> None:
    """There the alert comes within the handshake, not with the first octets read."""
    gateway = at(row.space)
    port = gateway.served.handout.ports.mta
    check(gateway, row, lambda recipient: knock(port, row, gateway.files(row), recipient, tls12=True))


@pytest.mark.foreign
@pytest.mark.req("TRU-1", "TRU-2", "TRU-6")
@pytest.mark.parametrize("name", BY_OPENSSL)
def test_an_independent_program_reads_the_same(at: At, name: str) -> None:
    """`openssl s_client` with the same certificate is told the same."""
    openssl = find_program("openssl")
    assert openssl is not None, "openssl is not installed: run scripts/debian-parts as root"
    (row,) = [row for row in MATRIX if row.name == name]
    gateway = at(row.space)
    port = gateway.served.handout.ports.mta
    check(gateway, row, lambda recipient: knock_by_openssl(openssl, port, row, gateway.files(row), recipient))


def test_the_rows_have_names_of_their_own() -> None:
    """A row that hides another would not be tested."""
    assert len({row.name for row in MATRIX}) == len(MATRIX)

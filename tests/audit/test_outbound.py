"""Where our mail may go: each row of the audit matrix as the server that we deliver to (TRU-5, TRU-6, QUE-1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.audit import MATRIX
from tests.support.audit_kinds import SESSION, Accepted, Row, Space, Waits
from tests.support.audit_space import Audited, audited
from tests.support.journeys import letter

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
OUTBOUND = [row for row in MATRIX if row.outbound is not None]
At = Callable[[Row], Audited]


def rounds() -> dict[str, tuple[Space, int]]:
    """Which gateway carries which row: a domain leads to one far end, so that rows of one domain take turns."""
    seen: Counter[tuple[Space, str]] = Counter()
    found = {}
    for row in OUTBOUND:
        found[row.name] = (row.space, seen[row.space, row.domain])
        seen[row.space, row.domain] += 1
    return found


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    """The gateway of a row, started when it is first asked for."""
    places = rounds()
    found: dict[tuple[Space, int], Audited] = {}
    with ExitStack() as stack:

        def opened(row: Row) -> Audited:
            place = places[row.name]
            if place not in found:
                rows = [one for one in OUTBOUND if places[one.name] == place]
                folder = tmp_path_factory.mktemp(place[0].name.lower())
                found[place] = stack.enter_context(audited(folder, place[0], rows))
            return found[place]

        yield opened


@pytest.mark.req("TRU-2", "TRU-4", "TRU-5", "TRU-6", "QUE-1")
@pytest.mark.parametrize("row", OUTBOUND, ids=[row.name for row in OUTBOUND])
def test_each_server_gets_our_mail_or_nothing_at_all(at: At, row: Row) -> None:
    """Submitted, queued, attempted: taken by the peer, or kept with the exact reason and not a word transmitted."""
    gateway = at(row)
    end, doctor = gateway.ends[row.name], gateway.served.account("PER")
    recipient = f"dr@{row.domain}"
    message_id, data = letter(doctor.address, recipient)
    mark = gateway.mark()
    client = gateway.served.submission(doctor)
    assert client.deliver(doctor.address, recipient, data).startswith("250 2.0.0")
    client.close()
    waiting = gateway.attempted(recipient)
    events = [line for line in gateway.timeline(message_id) if line.actor == "outbound"]
    if isinstance(row.outbound, Accepted):
        assert waiting is None
        assert [line.event for line in events] == ["relayed"]
        (told,) = gateway.logged(mark, "relayed")
        assert (told["domain"], told["recipients"], told["attempts"]) == (row.domain, 1, 1)
        (octets,) = end.mail
        assert octets.endswith(data)
        assert "mx.clinique-exemple.mssante.fr" in end.shown[0]
        return
    wanted = row.outbound
    assert isinstance(wanted, Waits)
    assert waiting is not None
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
    assert SESSION.sub("", waiting.last_error) == f"{wanted.reason}: {wanted.text}"
    assert SESSION.search(waiting.last_error) or wanted.reason == "starttls-refused"
    assert waiting.next_attempt > waiting.queued_at
    (event,) = events
    assert event.event == "deferred"
    assert (event.detail["reason"], event.detail["status"]) == (wanted.reason, wanted.status)
    assert event.detail["domain"] == row.domain
    (told,) = gateway.logged(mark, "relay-deferred")
    assert (told["domain"], told["reason"], told["recipients"]) == (row.domain, wanted.reason, 1)
    assert end.mail == []
    assert {line.partition(" ")[0].upper() for line in end.commands} <= {"EHLO", "STARTTLS", "QUIT"}

"""A store of the version before brings its outbox along: rows, leases, and when each domain is due (QUE-1)."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from mss_gateway.ports.queue import EVERYTHING
from mss_gateway.storage.sqlite import SqliteOptions, SqliteStore
from mss_gateway.storage.sqlite.migrate import migrate, migrations
from tests.contract.test_outbox import everything, lease
from tests.support.store import NOW

BEFORE = """
INSERT INTO bodies (id, refs, size, header_size, digest, envelope, bodystructure, structure, message_id, subject_base)
    VALUES (1, 2, 40, 30, x'', x'', x'', x'', '<old@hopital.example>', '');
INSERT INTO body_bytes VALUES (1, x'0d0a', x'41');
INSERT INTO outbox (body_id, sender, recipient, domain, notify, state, queued_at, next_attempt, lease)
    VALUES (1, '', 'a@nord.example', 'nord.example', '', 'waiting', 1789999000.0, 1790000500.0, ''),
        (1, '', 'b@nord.example', 'nord.example', '', 'leased', 1789999000.0, 1790000300.0, 'old'),
        (7, '', 'c@sud.example', 'sud.example', '', 'waiting', 1789999000.0, 1790000100.0, '');
"""


@pytest.mark.req("QUE-1")
async def test_an_outbox_of_the_version_before_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease without a node is that of the one node there was; a row without its message is listed as well."""
    known = [one for one in migrations() if one[0] < 10]
    db = apsw.Connection(str(tmp_path / "store.db"))
    with monkeypatch.context() as patch:
        patch.setattr("mss_gateway.storage.sqlite.migrate.migrations", lambda: known)
        assert migrate(db) == 9
    db.execute(BEFORE)
    db.close()
    store = SqliteStore(SqliteOptions(tmp_path))
    await store.open()
    try:
        found = [
            (row.recipient[0], row.state, row.message_id, row.size) for row in await store.queued(EVERYTHING)
        ]
        old = "<old@hopital.example>"
        assert found == [("a", "waiting", old, 40), ("b", "leased", old, 40), ("c", "waiting", None, 0)]
        figures = [(one.domain, one.octets, one.next_attempt) for one in await store.queue_by_domain()]
        assert figures == [("nord.example", 40, NOW + 300), ("sud.example", 0, NOW + 100)]
        assert await store.next_due() == NOW + 100
        assert len(await store.void_leases(NOW)) == 1
        (letter,) = await store.claim(lease(NOW + 1), everything())
        assert [str(row.recipient.address) for row in letter.rows] == ["b@nord.example"]
        # What has lost its message cannot be sent, but ended.
        (_, lost) = await store.claim_rows(lease(NOW + 2), EVERYTHING)
        assert (lost.domain, lost.message_id, lost.text_size) == ("sud.example", None, 0)
    finally:
        await store.close()

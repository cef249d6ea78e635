"""Four clients of two people on one shared box against a model: what each must believe (RFC 9051, RFC 7162, BAL-3).

MSS_MODEL_EXAMPLES=500 looks from random seeds, so many times; the seed of a failing walk stands in its report.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from mss_gateway.imapd import fetch, sync
from mss_gateway.imapd.session import Session
from mss_gateway.ports.mailboxes import Viewer
from mss_gateway.ports.records import BoxRow
from mss_gateway.protocol.imap import responses
from mss_gateway.storage.sqlite.store import SqliteStore
from tests.support.imapmodel import Ground, ground
from tests.support.imapvisits import Visits
from tests.support.imapwalk import walk

EXAMPLES = int(os.environ.get("MSS_MODEL_EXAMPLES", "0"))
pytestmark = [pytest.mark.req("IMP-1", "BAL-3"), pytest.mark.timeout(0 if EXAMPLES else 600)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A gateway with a shared box."""
    with ground(tmp_path_factory.mktemp("model")) as made:
        yield made


def test_every_client_always_believes_what_is_true(place: Ground) -> None:
    """Numbers never point to another message's octets, everybody hears everything, and who comes back does too."""

    class OnPlace(Visits):
        pass

    OnPlace.ground = place
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        OnPlace,
        settings=settings(
            max_examples=EXAMPLES or 12,
            stateful_step_count=40,
            deadline=None,
            derandomize=not EXAMPLES,
            database=None,
            phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_long_walks(place: Ground) -> None:
    """The same rules, taken evenly and for longer: folders that grow, expunges that wait, clients long away."""
    first = random.randrange(10**9) if EXAMPLES else 0
    for seed in range(first, first + (EXAMPLES or 8)):
        walk(place, seed, 120 if EXAMPLES else 60)


# --- that it can fail


def one_vanished_less() -> AbstractContextManager[object]:
    """The first of several messages that have gone is not told."""
    real = sync._send_gone

    def send_gone(session: Session, uids: list[int], numbers: list[int]) -> None:
        real(session, uids[1:], numbers[1:])

    return patch.object(sync, "_send_gone", send_gone)


def expunge_during_fetch() -> AbstractContextManager[object]:
    """FETCH by number tells expunges."""

    async def always(session: Session, *, expunges: bool = True) -> set[int]:
        return await sync.sync(session)

    return patch.object(fetch, "sync", always)


def ascending_expunges() -> AbstractContextManager[object]:
    """EXPUNGE numbers come from the lowest up, as they were before the first of them."""
    real = responses.expunge

    def expunge(numbers: Iterable[int]) -> bytes:
        return real(sorted(numbers))

    return patch.object(responses, "expunge", expunge)


def one_seen_for_all() -> AbstractContextManager[object]:
    """\\Seen is kept with the message in a shared box."""

    def viewer(session: Session, box: BoxRow) -> Viewer:
        return Viewer(session.who.person_id)

    return patch.object(Session, "viewer", viewer)


def texts_of_others() -> AbstractContextManager[object]:
    """The texts of one FETCH are mixed up."""
    real = SqliteStore.read_texts

    async def read_texts(store: SqliteStore, body_ids: list[int], limit: int) -> dict[int, bytes]:
        texts = await real(store, body_ids, limit)
        return dict(zip(sorted(texts), reversed([texts[one] for one in sorted(texts)]), strict=True))

    return patch.object(SqliteStore, "read_texts", read_texts)


def nothing_vanished_earlier() -> AbstractContextManager[object]:
    """Who comes back does not hear of expunges."""
    return patch.object(responses, "vanished_earlier", lambda runs: b"")


FAULTS = (
    one_vanished_less,
    expunge_during_fetch,
    ascending_expunges,
    one_seen_for_all,
    texts_of_others,
    nothing_vanished_earlier,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_gateway_with_a_fault_is_found_out(
    tmp_path: Path, fault: type[AbstractContextManager[object]]
) -> None:
    """A few walks are enough for each."""
    with ground(tmp_path) as place, fault(), pytest.raises(AssertionError):
        walk_on(place)


def walk_on(place: Ground) -> None:
    """Walk until something is wrong."""
    for seed in range(30):
        walk(place, seed, 60)

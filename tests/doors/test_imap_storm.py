"""Many clients at once on one shared folder: strict while it lasts, and in the end all believe the same."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.folders import number_after
from tests.support.imapmodel import KINDS, Ground, ground
from tests.support.imapstorm import Shared, Stormy
from tests.support.imaptruth import Mailbox

ROUNDS = int(os.environ.get("MSS_MODEL_EXAMPLES", "0"))
PEOPLE = ("anne", "anne", "anne", "brice", "brice", "brice")
pytestmark = [pytest.mark.req("IMP-1", "BAL-3"), pytest.mark.timeout(0 if ROUNDS else 600)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A gateway with a shared box."""
    with ground(tmp_path_factory.mktemp("storm")) as made:
        yield made


def storm(place: Ground, seed: int, steps: int) -> None:
    """One storm of six clients; afterwards each has heard everything."""
    dice = random.Random(seed)
    chief = place.connect("chef")
    name = f"storm-{seed}"
    chief.ok(f"CREATE {name}")
    mailbox = Mailbox(name, number_after(b"UIDVALIDITY", chief.ok(f"STATUS {name} (UIDVALIDITY)")))
    shared = Shared()
    clients = [
        Stormy(
            person,
            place.prefix(person),
            lambda person=person: place.connect(person),
            dice.choice(KINDS),
            shared,
        )
        for person in PEOPLE
    ]
    for client in clients:
        client.select(mailbox, 0)

    def work(client: Stormy, own: random.Random) -> None:
        for _ in range(steps):
            client.step(own)

    with ThreadPoolExecutor(len(clients)) as pool:
        jobs = [pool.submit(work, client, random.Random(dice.random())) for client in clients]
        for job in jobs:
            job.result()
    for client in clients:
        client.run("NOOP")
        client.learn()
        fresh = Stormy(client.person, client.prefix, client._connect, (), shared)
        fresh.select(mailbox, 0, examine=True)
        fresh.learn()
        assert client.believed() == fresh.believed(), (seed, client.person, client.kind)
        fresh.run("UID FETCH 1:* (UID BODY.PEEK[TEXT])")
        assert sorted(fresh.bodies) == [line.uid for line in fresh.lines]
        for uid, items in fresh.bodies.items():
            shared.text(uid, items[b"BODY[TEXT]"])
        fresh.imap.close()
        client.imap.close()
    chief.ok(f"DELETE {name}")
    chief.close()
    assert place.served.faults() == 0


def test_all_agree_after_a_storm(place: Ground) -> None:
    """Six clients of two people, of all kinds, change, read, leave and come back at the same time."""
    first = random.randrange(10**6) if ROUNDS else 0
    for seed in range(first, first + (ROUNDS or 2)):
        storm(place, seed, 80)

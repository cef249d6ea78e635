"""The list from its publisher: taken when it is good, told and left out when it is not (TRU-3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mss_gateway.dev.listing import Entry, new_signer, signed_list
from mss_gateway.trust.fetching import Outcome
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.options import TrustOptions
from mss_gateway.trust.refusals import ListRefused, TrustProblem
from tests.support.pki import Subject
from tests.support.publisher import Answer, Publisher, body, cut, publishing, unused_port
from tests.support.trust import OURS, THEIRS, World, shared_pki

pytestmark = pytest.mark.req("TRU-3")
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=5)
HUNDRED = [Entry(f"d{index}.mssante.fr", THEIRS.listed()) for index in range(100)]
ONE_MORE = [*HUNDRED, Entry("new.fr", OURS.listed())]
PATH = "/listeblanchemssante.xml"
_marks = itertools.count()


@dataclass
class Scene:
    """A trust space whose list comes from a publisher; `now` is its clock."""

    world: World
    publisher: Publisher
    now: float

    def publish(self, entries: list[Entry] = HUNDRED, hours: float = 0.0) -> bytes:
        """Sign and publish a list generated so many hours after the start."""
        data = signed_list(entries, self.world.signer, generated=START + timedelta(hours=hours))
        self.publisher.put(PATH, body(data, etag=f'"{next(_marks)}"'))
        return data

    def answer(self, answer: Answer) -> None:
        """Publish something else."""
        self.publisher.put(PATH, answer)

    @property
    def options(self) -> TrustOptions:
        """No file, only the address."""
        return replace(
            self.world.options, list_file=None, list_url=self.publisher.base + PATH, fetch_timeout=20.0
        )

    def open(self, **changes: object) -> Trust:
        """Open the trust space."""
        return Trust(replace(self.options, **changes), lambda: self.now)  # type: ignore[arg-type]


def fetch(trust: Trust) -> Outcome:
    """Fetch the list now, due or not."""
    return trust.fetch(trust.sources[0])


def reasons(trust: Trust) -> list[str]:
    """The slugs of all alarms."""
    return [alarm.reason for alarm in trust.alarms()]


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    """One HTTPS server for the module."""
    issued = shared_pki().organisations.issue(OURS)
    with publishing(issued, tmp_path_factory.mktemp("publisher")) as found:
        yield found


@pytest.fixture
def scene(tmp_path: Path, publisher: Publisher) -> Scene:
    """A publisher with a good list of a hundred domains."""
    publisher.asked.clear()
    scene = Scene(World(tmp_path), publisher, datetime.now(UTC).timestamp())
    scene.publish()
    return scene


def test_the_first_start_fetches_and_later_ones_do_not(scene: Scene) -> None:
    """Without file and copy the list is fetched before anybody is served; a restart loop asks no more."""
    trust = scene.open()
    assert trust.knows("d7.mssante.fr")
    assert (reasons(trust), trust.due_fetches(), scene.publisher.asked) == ([], (), [PATH])
    for _ in range(3):
        assert scene.open().due_fetches() == ()
    assert scene.publisher.asked == [PATH]


def test_a_first_start_without_the_publisher_says_what_to_do(scene: Scene) -> None:
    """Nothing at hand: no start, and a sentence."""
    with pytest.raises(TrustProblem) as refused:
        scene.open(list_url=f"https://localhost:{unused_port()}/x")
    assert refused.value.reason == "fetch-refused"
    assert "put a file in place" in refused.value.sentence
    scene.answer(body(b"<html>moved</html>"))
    with pytest.raises(TrustProblem) as refused:
        scene.open()
    assert refused.value.reason == "list-structure"
    with pytest.raises(TrustProblem) as refused:
        scene.open(list_url="")
    assert refused.value.reason == "list-missing"


def test_a_restart_uses_the_last_good_copy_with_the_network_down(scene: Scene) -> None:
    """The copy is in force, the failed fetch is an alarm that survives the restart, and success lifts it."""
    scene.open()
    down = scene.open(list_url=f"https://localhost:{unused_port()}/x")
    assert fetch(down).reason == "fetch-refused"
    assert (reasons(down), down.knows("d7.mssante.fr")) == (["fetch-refused"], True)
    again = scene.open(list_url=down.options.list_url)
    assert (reasons(again), again.knows("d7.mssante.fr")) == (["fetch-refused"], True)
    assert again.due_fetches() == ()
    assert reasons(scene.open()) == []


def test_a_new_list_is_taken_on_schedule(scene: Scene) -> None:
    """Due after the interval less some jitter, taken, and kept for the next start."""
    trust = scene.open()
    scene.publish(ONE_MORE, hours=1)
    generation = trust.generation
    scene.now += 0.8 * trust.options.list_every
    assert trust.due_fetches() == ()
    scene.now += 0.2 * trust.options.list_every
    assert trust.due_fetches() == trust.sources
    outcome = fetch(trust)
    assert (outcome.changed, outcome.reason) == (True, "")
    assert outcome.octets > 40_000
    assert (trust.knows("new.fr"), trust.due_fetches()) == (True, ())
    assert trust.generation > generation
    assert scene.open().knows("new.fr")
    assert trust.status().list.source == trust.options.list_url


def test_unchanged_lists_cost_nothing(scene: Scene) -> None:
    """304, or the same octets: nothing is reloaded and the next time is set."""
    trust = scene.open()
    generation = trust.generation
    assert fetch(trust) == Outcome(trust.sources[0])
    scene.publish()
    outcome = fetch(trust)
    assert (outcome.changed, outcome.octets > 0, outcome.reason) == (False, True, "")
    assert (trust.generation, reasons(trust)) == (generation, [])


def forged(scene: Scene) -> bytes:
    """A list whose content does not match its signature."""
    return scene.publish(hours=1).replace(b"d7.mssante.fr", b"pirate.fr")


def by_another(scene: Scene) -> bytes:
    """A list signed by another DN of the same authority."""
    signer = new_signer(scene.world.pki.organisations, Subject("autre.exemple.fr", o="AUTRE"))
    return signed_list(ONE_MORE, signer, generated=START + timedelta(hours=1))


def old(scene: Scene) -> bytes:
    """A genuine list of an hour before."""
    return scene.publish(hours=-1)


def half(scene: Scene) -> bytes:
    """Half a list, announced as a whole."""
    data = scene.publish(hours=1)
    return data[: len(data) // 2]


def bomb(scene: Scene) -> bytes:
    """Entities that expand to a billion."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    head, _, rest = scene.publish(hours=1).partition(b"?>\n")
    doctype = f'<!DOCTYPE a [<!ENTITY e0 "lol">{entities}]>'.encode()
    return head + b"?>\n" + doctype + rest.replace(b"d7.mssante.fr", b"&e9;")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (forged, "list-signature"),
        (by_another, "list-signer"),
        (old, "list-older"),
        (half, "list-malformed"),
        (bomb, "list-malformed"),
        (lambda _: b"<html><body>Please log in</body></html>", "list-structure"),
        (lambda _: b"", "list-malformed"),
    ],
)
def test_a_bad_list_is_told_and_left_out(scene: Scene, make: object, reason: str) -> None:
    """The last good one stays in force, the alarm names the address, stays through a failure, ends with success."""
    trust = scene.open()
    data = make(scene)  # type: ignore[operator]
    scene.answer(body(data, etag='"bad"'))
    outcome = fetch(trust)
    assert (outcome.reason, outcome.changed) == (reason, False)
    assert (trust.knows("d7.mssante.fr"), trust.knows("pirate.fr"), trust.knows("new.fr")) == (
        True,
        False,
        False,
    )
    assert [(one.reason, one.about) for one in trust.alarms()] == [(reason, trust.options.list_url)]
    scene.answer(body(b"", status=500))
    assert fetch(trust).reason == "fetch-status"
    assert sorted(reasons(trust)) == sorted([reason, "fetch-status"])
    scene.answer(body(data, etag='"bad"'))
    assert fetch(trust).reason == reason
    scene.publish(ONE_MORE, hours=2)
    assert fetch(trust).changed
    assert (reasons(trust), trust.knows("new.fr")) == ([], True)


def test_failures_are_tried_again_soon_and_then_less_often(scene: Scene) -> None:
    """From a minute, doubled, up to the interval; a restart keeps the pace."""
    trust = scene.open()
    data = scene.publish(ONE_MORE, hours=1)
    scene.answer(cut(data, 500))
    waits = []
    for _ in range(12):
        assert fetch(trust).reason == "fetch-cut"
        record = trust.status().fetches[0]
        assert record.next_at is not None
        waits.append(record.next_at.timestamp() - scene.now)
    for turn, wait in enumerate(waits):
        full = min(60.0 * 2**turn, trust.options.list_every)
        assert 0.9 * full - 0.001 <= wait <= full + 0.001  # the moment is kept in whole microseconds
    assert scene.open().status().fetches == trust.status().fetches
    assert trust.status().fetches[0].failures == 12
    scene.publish(ONE_MORE, hours=1)
    assert fetch(trust).changed
    assert trust.status().fetches[0].failures == 0


def test_a_mass_removal_waits_through_restarts_until_it_is_confirmed(scene: Scene) -> None:
    """Held, told, not fetched at a furious pace, confirmed once, and then unchanged."""
    trust = scene.open()
    scene.publish(HUNDRED[3:], hours=1)
    assert fetch(trust).reason == "list-mass-removal"
    assert (trust.knows("d0.mssante.fr"), trust.due_fetches()) == (True, ())
    for held in (trust, scene.open()):
        assert reasons(held) == ["list-mass-removal"]
        diff = held.held_list()
        assert diff is not None
        assert diff.removed == ("d0.mssante.fr", "d1.mssante.fr", "d2.mssante.fr")
        assert fetch(held).reason == "list-mass-removal"
        assert "trust apply" in held.alarms()[0].sentence
    trust = scene.open()
    assert not trust.confirm_list().knows("d0.mssante.fr")
    assert (reasons(trust), trust.held_list()) == ([], None)
    assert fetch(trust).reason == ""
    assert reasons(scene.open()) == []
    with pytest.raises(ListRefused):
        trust.confirm_list()


def test_a_held_list_is_overtaken_by_a_better_one(scene: Scene) -> None:
    """The publisher corrects itself: nothing waits any more."""
    trust = scene.open()
    scene.publish(HUNDRED[50:], hours=1)
    fetch(trust)
    scene.publish(ONE_MORE, hours=2)
    assert fetch(trust).changed
    assert (trust.held_list(), reasons(trust), scene.open().held_list()) == (None, [], None)


def test_a_publisher_that_takes_a_removal_back_lifts_the_alarm(scene: Scene) -> None:
    """What is in force is published again: nothing waits any more, also after a restart."""
    trust = scene.open()
    data = scene.publish()
    assert fetch(trust).reason == ""
    scene.publish(HUNDRED[50:], hours=1)
    assert fetch(trust).reason == "list-mass-removal"
    scene.answer(body(data))
    assert fetch(trust).reason == ""
    for one in (trust, scene.open()):
        assert (one.held_list(), reasons(one)) == (None, [])
        with pytest.raises(ListRefused):
            one.confirm_list()


def test_a_rolled_back_list_does_not_come_back_from_the_publisher(scene: Scene) -> None:
    """Neither by 304 nor by its octets; the next one does."""
    trust = scene.open()
    scene.publish(ONE_MORE, hours=1)
    fetch(trust)
    trust.rollback_list()
    assert not trust.knows("new.fr")
    for one in (trust, scene.open()):
        assert fetch(one).reason == ""
        assert not one.knows("new.fr")
    scene.publish(ONE_MORE, hours=1)
    scene.publish([*ONE_MORE, Entry("newer.fr", OURS.listed())], hours=2)
    assert fetch(trust).changed
    assert trust.knows("newer.fr")


def test_a_file_serves_until_the_first_fetch(scene: Scene) -> None:
    """Both configured: the start needs no network, and the unchanged older file raises no alarm afterwards."""
    path = scene.world.folder / "list.xml"
    path.write_bytes(scene.publish(hours=0))
    trust = scene.open(list_file=path)
    assert (trust.due_fetches(), scene.publisher.asked) == (trust.sources, [])
    scene.publish(ONE_MORE, hours=1)
    fetch(trust)
    assert trust.knows("new.fr")
    trust.reload()
    assert (trust.knows("new.fr"), reasons(trust)) == (True, [])
    again = scene.open(list_file=path)
    assert (again.knows("new.fr"), reasons(again)) == (True, [])


def test_the_publisher_may_have_authorities_of_its_own(scene: Scene) -> None:
    """trust.fetch_ca replaces trust.ca for the connection; the list is judged by its signature as ever."""
    trust = scene.open()
    wrong = scene.world.folder / "other.pem"
    from tests.support.pki import new_pki

    wrong.write_bytes(new_pki(label="AUTRE").ca_pem)
    assert fetch(scene.open(fetch_ca_files=(wrong,))).reason == "fetch-tls"
    right = scene.world.folder / "issuing.pem"
    right.write_bytes(scene.world.pki.organisations.issued.cert_pem)
    assert fetch(scene.open(fetch_ca_files=(right,))).reason == ""
    assert trust.knows("d7.mssante.fr")


def test_without_a_state_folder_all_is_in_memory(scene: Scene) -> None:
    """Fetched, held and confirmed all the same."""
    trust = scene.open(state=None)
    scene.publish(HUNDRED[50:], hours=1)
    assert fetch(trust).reason == "list-mass-removal"
    assert not trust.confirm_list().knows("d0.mssante.fr")
    assert trust.previous_diff() is not None

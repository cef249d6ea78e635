"""CRLs from their publisher: a newer one counts at once, a wrong one never replaces a good one (TRU-2)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from mss_gateway.trust.fetching import Source, crl_interval
from mss_gateway.trust.guard import Trust
from mss_gateway.trust.refusals import TrustProblem, tls_refusal
from mss_gateway.trust.revocation import RevocationList
from tests.support.pki import Authority, Issued, new_pki
from tests.support.publisher import Publisher, body, publishing, silent, unused_port
from tests.support.trust import THEIRS, World, meet, reason_of

pytestmark = pytest.mark.req("TRU-2")
LEAVES, ROOT = "/ACI-EL-ORG.crl", "/ACR-EL.crl"


@dataclass
class Scene:
    """A trust space whose CRLs come from a publisher over plain HTTP; `now` is its clock."""

    world: World
    publisher: Publisher
    now: float

    def publish(self, *revoked: Issued | Authority, path: str = LEAVES) -> None:
        """A fresh CRL of the issuing authority (DER, as published in reality)."""
        self.answer(der(self.world.pki.organisations.crl(revoked)), path)

    def answer(self, data: bytes, path: str = LEAVES) -> None:
        """Publish something else."""
        self.publisher.put(path, body(data))

    def open(self, **changes: object) -> Trust:
        """Open the trust space, without CRL files unless said otherwise."""
        urls = (self.publisher.base + LEAVES, self.publisher.base + ROOT)
        options = replace(self.world.options, crl_files=(), crl_urls=urls, fetch_timeout=20.0)
        return Trust(replace(options, **changes), lambda: self.now)  # type: ignore[arg-type]


def der(pem: bytes) -> bytes:
    """A CRL in DER."""
    return x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)


def source(trust: Trust) -> Source:
    """The address of the issuing authority's CRL."""
    return next(one for one in trust.sources if one.url.endswith(LEAVES))


def alarms(trust: Trust) -> list[tuple[str, str]]:
    """Slugs and what they are about."""
    return [(alarm.reason, alarm.about) for alarm in trust.alarms()]


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    """One HTTP server for the module."""
    with publishing(None, tmp_path_factory.mktemp("publisher")) as found:
        yield found


@pytest.fixture
def scene(tmp_path: Path, publisher: Publisher) -> Scene:
    """Both CRLs published, nobody revoked."""
    publisher.asked.clear()
    scene = Scene(World(tmp_path), publisher, datetime.now(UTC).timestamp())
    scene.publish()
    scene.answer(der(scene.world.pki.root.crl()), ROOT)
    return scene


def test_the_first_start_fetches_and_later_ones_use_the_copies(scene: Scene) -> None:
    """No CRL file at all: fetched before anybody is served, kept, and not asked for again."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    for _ in range(3):
        trust = scene.open()
        assert meet(trust.mta_context(), scene.world.peer_context(issued)).server == ""
        assert (reason_of(trust.identify(issued.der)), alarms(trust), trust.due_fetches()) == ("", [], ())
    assert sorted(scene.publisher.asked) == [LEAVES, ROOT]
    assert {one.source for one in trust.status().crls} == set(trust.options.crl_urls)


def test_a_first_start_without_any_crl_says_what_to_do(scene: Scene) -> None:
    """Nobody could be let in."""
    with pytest.raises(TrustProblem) as refused:
        scene.open(crl_urls=(f"http://localhost:{unused_port()}/x.crl",))
    assert refused.value.reason == "fetch-refused"
    assert "no CRL is at hand" in refused.value.sentence


def test_files_and_addresses_are_read_together(scene: Scene) -> None:
    """The newest of each authority counts, wherever it came from; a dead address is an alarm only."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    dead = f"http://localhost:{unused_port()}/x.crl"
    scene.world.put_crls([issued])
    trust = scene.open(crl_files=scene.world.options.crl_files, crl_urls=(dead,))
    assert (alarms(trust), trust.due_fetches()) == ([], trust.sources)
    trust.fetch(trust.sources[0])
    assert alarms(trust) == [("fetch-refused", dead)]
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
    scene.publish()
    trust = scene.open(crl_files=scene.world.options.crl_files)
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
    assert [trust.fetch(one).reason for one in trust.sources] == ["", "crl-older"]
    assert reason_of(trust.identify(issued.der)) == ""


def test_a_start_does_not_wait_for_an_address_when_files_have_every_crl(scene: Scene) -> None:
    """A silent publisher delays only those who have nothing."""
    with silent() as port:
        url = f"http://localhost:{port}/x.crl"
        files = scene.world.options.crl_files
        assert scene.open(crl_files=files, crl_urls=(url,), fetch_timeout=600.0).due_fetches()
        scene.world.put_crl_files(scene.world.pki.root.crl())
        assert alarms(scene.open(crl_files=files, crl_urls=(url,), fetch_timeout=0.2)) == [
            ("fetch-timeout", url)
        ]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_newer_crl_revokes_at_once_without_dropping_anybody(scene: Scene, version: ssl.TLSVersion) -> None:
    """Handshakes under way keep their context, open connections are judged anew, and no session comes back."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    trust = scene.open()
    client = scene.world.peer_context(issued)
    client.minimum_version = client.maximum_version = version
    context = trust.mta_context()
    first = meet(context, client)
    assert (first.server, first.reused, first.version) == ("", False, str(version.name).replace("_", "."))
    generation = trust.generation
    scene.publish(issued)
    outcome = trust.fetch(source(trust))
    assert (outcome.changed, outcome.reason) == (True, "")
    assert trust.generation == generation + 1
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
    assert trust.mta_context() is not context
    again = meet(trust.mta_context(), client, first.session)
    assert (again.server, again.reused) == ("certificate-revoked", False)
    late = meet(context, client, first.session)
    assert reason_of(trust.identify(late.der or b"")) == "certificate-revoked"
    assert reason_of(scene.open().identify(issued.der)) == "certificate-revoked"


async def test_open_connections_outlive_the_change(scene: Scene) -> None:
    """A connection that stands goes on speaking; its peer is refused when it is judged again, and at the door."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    trust = await asyncio.to_thread(scene.open)
    judged: asyncio.Queue[str] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await writer.start_tls(trust.mta_context())
            while await reader.read(1):
                der = writer.get_extra_info("ssl_object").getpeercert(True)
                judged.put_nowait(reason_of(trust.identify(der)))
                writer.write(b"+")
        except ssl.SSLError as error:
            judged.put_nowait(tls_refusal(error)[0])
        finally:
            writer.close()

    async def call() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        await writer.start_tls(scene.world.peer_context(issued), server_hostname="localhost")
        return reader, writer

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await call()
        for turn in range(2):
            writer.write(b"-")
            assert await reader.read(1) == b"+"
            if turn == 0:
                scene.publish(issued)
                assert (await asyncio.to_thread(trust.fetch, source(trust))).changed
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            late, other = await call()
            assert await late.read(1) == b""
            other.close()
        writer.close()
    async with asyncio.timeout(60):
        verdicts = [await judged.get() for _ in range(3)]
    assert verdicts == ["", "certificate-revoked", "certificate-revoked"]


def test_a_revoked_intermediate_is_refused_too(scene: Scene) -> None:
    """The root's CRL counts as much."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    trust = scene.open()
    scene.answer(der(scene.world.pki.root.crl([scene.world.pki.organisations])), ROOT)
    assert [trust.fetch(one).reason for one in trust.sources] == ["", ""]
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"


def partial(scene: Scene, extension: x509.ExtensionType) -> bytes:
    """A genuine newer CRL that does not name everybody."""
    authority = scene.world.pki.organisations
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - timedelta(seconds=5))
        .next_update(now + timedelta(days=1))
        .add_extension(extension, critical=True)
    )
    return builder.sign(authority.issued.key, hashes.SHA256()).public_bytes(Encoding.DER)


def delta(scene: Scene) -> bytes:
    """Only what changed since the first one."""
    return partial(scene, x509.DeltaCRLIndicator(1))


def some_reasons(scene: Scene) -> bytes:
    """Only those whose key was lost."""
    reasons = frozenset([x509.ReasonFlags.key_compromise])
    scope = x509.IssuingDistributionPoint(
        full_name=None,
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=reasons,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    return partial(scene, scope)


def older(scene: Scene) -> bytes:
    """Genuine, of the day before yesterday."""
    return scene.world.pki.organisations.crl(this_update=datetime.now(UTC) - timedelta(days=2))


def future(scene: Scene) -> bytes:
    """Genuine, of tomorrow."""
    return scene.world.pki.organisations.crl(this_update=datetime.now(UTC) + timedelta(days=1))


def with_a_bad_signature(data: bytes) -> bytes:
    """Its last bit turned: whatever the octet was, it is another one now."""
    return data[:-1] + bytes([data[-1] ^ 1])


def tampered(scene: Scene) -> bytes:
    """One bit of the signature."""
    return with_a_bad_signature(der(scene.world.pki.organisations.crl()))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: b"<html><body>Welcome</body></html>", "crl-malformed"),
        (lambda _: b"", "crl-malformed"),
        (lambda scene: der(scene.world.pki.organisations.crl())[:200], "crl-malformed"),
        (lambda scene: scene.world.pki.organisations.crl()[:200], "crl-malformed"),
        (lambda scene: scene.world.pki.ca_pem, "crl-malformed"),
        (lambda _: der(new_pki(label="AUTRE").organisations.crl()), "crl-foreign"),
        (lambda _: der(new_pki().organisations.crl()), "crl-foreign"),
        (tampered, "crl-foreign"),
        (older, "crl-older"),
        (future, "crl-future"),
        (delta, "crl-partial"),
        (some_reasons, "crl-partial"),
    ],
)
def test_a_bad_crl_never_replaces_a_good_one(scene: Scene, make: object, reason: str) -> None:
    """The revoked peer stays out, now and after a restart; the alarm names the address until a good one comes."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    scene.publish(issued)
    trust = scene.open()
    context = trust.mta_context()
    scene.answer(make(scene))  # type: ignore[operator]
    outcome = trust.fetch(source(trust))
    assert (outcome.reason, outcome.changed) == (reason, False)
    for one in (trust, scene.open()):
        assert alarms(one) == [(reason, source(one).url)]
        assert source(one).url in one.alarms()[0].sentence
        assert reason_of(one.identify(issued.der)) == "certificate-revoked"
    assert trust.mta_context() is context
    scene.publish(issued)
    assert trust.fetch(source(trust)).changed
    assert alarms(trust) == []


def test_a_spoiled_copy_is_fetched_again(scene: Scene) -> None:
    """What lies in the state folder is verified like anything else."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    scene.open()
    for copy in (scene.world.folder / "state" / "crls").iterdir():
        copy.write_bytes(with_a_bad_signature(copy.read_bytes()))
    scene.publish(issued)
    assert reason_of(scene.open().identify(issued.der)) == "certificate-revoked"
    assert scene.publisher.asked.count(LEAVES) == 2


def test_the_last_good_crl_counts_until_its_end(scene: Scene) -> None:
    """With the publisher down: good until nextUpdate, then nobody gets in, by default."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    trust = scene.open()
    scene.publisher.put(LEAVES, body(b"", status=503))
    assert trust.fetch(source(trust)).reason == "fetch-status"
    assert reason_of(trust.identify(issued.der)) == ""
    scene.now += 8 * 86400
    assert reason_of(trust.identify(issued.der)) == "crl-stale"
    assert "crl-stale" in [reason for reason, _ in alarms(trust)]


@pytest.mark.parametrize(
    ("left", "wait"), [(7 * 86400, 3600), (7200, 3600), (3600, 1800), (1200, 600), (300, 300), (-5, 300)]
)
def test_a_crl_near_its_end_is_asked_for_sooner(left: float, wait: float) -> None:
    """Half of what is left, between a twelfth of the interval and the whole of it."""
    now = 1_790_000_000.0
    end = datetime.fromtimestamp(now + left, UTC)
    crl = RevocationList(x509.Name([]), end - timedelta(days=7), end, frozenset(), "")
    assert crl_interval([crl], 3600.0, now) == wait
    assert crl_interval([crl], 30.0, now) == 30.0


def test_the_next_fetch_follows_the_end_of_the_crl(scene: Scene) -> None:
    """The schedule of an address looks at what it gave."""
    soon = datetime.fromtimestamp(scene.now, UTC) + timedelta(minutes=20)
    scene.answer(scene.world.pki.organisations.crl(next_update=soon))
    trust = scene.open()
    scene.now += 500
    assert trust.due_fetches() == ()
    scene.now += 100
    assert trust.due_fetches() == (source(trust),)


def test_without_a_state_folder_crls_are_in_memory(scene: Scene) -> None:
    """A reload of the files does not lose them."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    trust = scene.open(state=None)
    scene.publish(issued)
    assert trust.fetch(source(trust)).changed
    assert trust.reload() == ()
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"


def test_a_half_replaced_key_of_ours_does_not_keep_a_crl_out(scene: Scene) -> None:
    """The old contexts stay, and the check that every connection passes has the new CRL."""
    issued = scene.world.pki.organisations.issue(THEIRS)
    trust = scene.open()
    context = trust.mta_context()
    key = scene.world.folder / "ours.key"
    kept = key.read_bytes()
    key.write_bytes(b"half")
    scene.publish(issued)
    assert trust.fetch(source(trust)).changed
    assert reason_of(trust.identify(issued.der)) == "certificate-revoked"
    assert trust.mta_context() is context
    assert [reason for reason, _ in alarms(trust)] == ["own-certificate"]
    key.write_bytes(kept)
    assert trust.poll()
    assert alarms(trust) == []
    assert meet(trust.mta_context(), scene.world.peer_context(issued)).server == "certificate-revoked"

"""The telling of patients: what goes out holds nothing of what came in; failures stay behind the scenes (PAT-3)."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mss_gateway.observe.figures import Figures
from mss_gateway.observe.log import Log, LogOptions
from mss_gateway.pipeline.alerts import Alerting, AlertOptions
from mss_gateway.pipeline.intake import Clock
from mss_gateway.ports.alerts import AlertMail, Handed, Handing, SettledAlert
from mss_gateway.ports.records import BoxChoices, BoxRow, NewBody, NewBox, TraceLine
from mss_gateway.rules.facts import BoxState, BoxType
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import ANYONE, NOW, body, delivery, digest, inbox, sqlite_options, trace_line

pytestmark = pytest.mark.req("PAT-3")
OPTIONS = AlertOptions("each", "alerte@operateur.example", "https://operateur.example/messagerie")
PERSONAL = "zebulon.perso@courrier.example"


@dataclass
class Host:
    """A smarthost that keeps mails and answers as told."""

    answer: Handed = field(default_factory=lambda: Handed(Handing.TAKEN))
    mails: list[AlertMail] = field(default_factory=list)

    async def hand(self, mail: AlertMail) -> Handed:
        """Keep it."""
        self.mails.append(mail)
        return self.answer


@dataclass
class Scene:
    """A store, a smarthost and an hour hand."""

    store: SqliteStore
    host: Host
    log: io.BytesIO
    now: float = NOW
    count: int = 0

    def alerting(self, options: AlertOptions = OPTIONS) -> Alerting:
        """What is tested."""
        log = Log(LogOptions("json", "debug"), Figures(), self.log)
        return Alerting(self.store, self.host, options, lambda at: 60, Clock(lambda: self.now), log)

    async def patient(self, local: str = "", alert: str = PERSONAL) -> BoxRow:
        """An active patient's box."""
        self.count += 1
        address = f"{local or f'patient{self.count}'}@patient.mss.example"
        return await self.store.add_box(NewBox(address, BoxType.PAT, alert_address=alert), trace_line())

    async def arrive(self, box: BoxRow, new: NewBody | None = None) -> None:
        """A message comes now."""
        made = delivery(new or body(), box.id)
        await self.store.accept(
            replace(made, parts=(replace(made.parts[0], received_at=self.now, alerts=(box.id,)),))
        )

    async def traced(self, box: BoxRow) -> list[tuple[str, dict[str, object]]]:
        """Events and details of a box's trace, after the line that tells of its making."""
        made, *lines = await self.store.trace(box_id=box.id)
        assert made.event == trace_line().event
        return [(line.event, dict(line.detail)) for line in lines]


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Scene]:
    """An open store."""
    store = SqliteStore(sqlite_options(folder / "store"))
    await store.open()
    try:
        yield Scene(store, Host(), io.BytesIO())
    finally:
        await store.close()


async def test_bursts_make_one_mail(tmp_path: Path) -> None:
    """Three at once one mail; the next within the minute waits for it."""
    async with staged(tmp_path) as scene:
        alerting, box = scene.alerting(), await scene.patient()
        for _ in range(3):
            await scene.arrive(box)
        assert await alerting.tell_due() == 1
        scene.now += 10
        await scene.arrive(box)
        assert await alerting.tell_due() == 0
        assert await scene.store.next_alert() == NOW + 60
        scene.now = NOW + 60
        assert await alerting.tell_due() == 1
        assert [mail.recipient for mail in scene.host.mails] == [PERSONAL, PERSONAL]
        assert await scene.traced(box) == [("alert-sent", {"to": "z***@courrier.example"})] * 2


async def test_daily_waits_for_the_hour(tmp_path: Path) -> None:
    """Nothing before 8:00 local, one mail then, none without an arrival."""
    async with staged(tmp_path) as scene:
        alerting, box = scene.alerting(replace(OPTIONS, mode="daily")), await scene.patient()
        await scene.arrive(box)
        assert await alerting.tell_due() == 0
        due = await scene.store.next_alert()
        assert due is not None
        assert (due + 3600) % 86_400 == 8 * 3600
        await scene.arrive(box)
        scene.now = due
        assert await alerting.tell_due() == 1
        assert await scene.store.next_alert() is None


async def test_failures_are_tried_for_three_days_then_dropped(tmp_path: Path) -> None:
    """One trace line for the first failure, one for the end, none with the whole personal address."""
    async with staged(tmp_path) as scene:
        alerting, box = scene.alerting(), await scene.patient()
        scene.host.answer = Handed(Handing.UNREACHABLE, "timeout")
        await scene.arrive(box)
        while (due := await scene.store.next_alert()) is not None:
            scene.now = max(scene.now, due)
            await alerting.tell_due()
        assert 2.5 * 86_400 < scene.now - NOW <= 3 * 86_400
        lines = await scene.traced(box)
        assert [(event, detail["outcome"]) for event, detail in lines] == [
            ("alert-failed", "waiting"),
            ("alert-failed", "dropped"),
        ]
        assert PERSONAL not in str(lines) + scene.log.getvalue().decode()


async def test_a_final_refusal_is_not_repeated(tmp_path: Path) -> None:
    """550 for a personal address ends this alert; the next message is told again."""
    async with staged(tmp_path) as scene:
        alerting, box = scene.alerting(), await scene.patient()
        scene.host.answer = Handed(Handing.REFUSED, "550")
        await scene.arrive(box)
        await alerting.tell_due()
        assert await scene.store.next_alert() is None
        scene.host.answer = Handed(Handing.TAKEN)
        scene.now += 5
        await scene.arrive(box)
        assert await alerting.tell_due() == 1


async def test_a_dead_smarthost_is_not_asked_for_everybody(tmp_path: Path) -> None:
    """After the first group all others wait without a connection, each with its own attempts."""
    async with staged(tmp_path) as scene:
        scene.host.answer = Handed(Handing.UNREACHABLE, "timeout")
        for _ in range(20):
            await scene.arrive(await scene.patient())
        await scene.alerting().tell_due()
        assert len(scene.host.mails) == OPTIONS.at_once
        assert await scene.store.due_alerts(scene.now) == []


async def test_who_has_no_address_or_has_left_is_not_told(tmp_path: Path) -> None:
    """A closed box, and one whose address was taken back, end without a mail."""
    async with staged(tmp_path) as scene:
        closed, silent = await scene.patient(), await scene.patient()
        for box in (closed, silent):
            await scene.arrive(box)
        await scene.store.set_box_state(closed.id, BoxState.CLOSED, "essai", trace_line())
        await scene.store.set_box_choices(silent.id, BoxChoices(alert_address=""), trace_line())
        assert await scene.alerting().tell_due() == 0
        assert scene.host.mails == []
        assert await scene.store.next_alert() is None


async def test_the_task_wakes_by_arrivals_and_never_delays_them(tmp_path: Path) -> None:
    """While the smarthost hangs, messages arrive; once it answers, the patient is told."""
    async with staged(tmp_path) as scene:
        free, asked, told = asyncio.Event(), asyncio.Event(), asyncio.Event()
        settle = scene.store.settle_alerts

        class Hanging(Host):
            async def hand(self, mail: AlertMail) -> Handed:
                asked.set()
                await free.wait()
                return await super().hand(mail)

        async def settled(alerts: Sequence[SettledAlert], lines: Sequence[TraceLine] = ()) -> None:
            await settle(alerts, lines)
            told.set()

        scene.host = Hanging()
        scene.store.settle_alerts = settled  # type: ignore[method-assign]
        alerting = scene.alerting()
        scene.store.on_alert(alerting.wake)
        task = asyncio.create_task(alerting.run())
        try:
            box = await scene.patient()
            await scene.arrive(box)
            await asyncio.wait_for(asked.wait(), 60)
            await scene.arrive(box)
            assert len((await scene.store.snapshot(await inbox(scene.store, box.id), ANYONE)).uids) == 2
            free.set()
            await asyncio.wait_for(told.wait(), 60)
            assert [event for event, _ in await scene.traced(box)] == ["alert-sent"]
            assert await scene.store.next_alert() is not None  # the second one is told after the minute
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


OF_ITS_OWN = re.compile(rb"(?m)^(?:To|Date|Message-ID):.*\r\n(?:[ \t].*\r\n)*")


def modulo(octets: bytes) -> list[bytes]:
    """The lines but To, Date and Message-ID, with their folds."""
    return OF_ITS_OWN.sub(b"", octets).split(b"\r\n")


WORDS = st.lists(
    st.one_of(
        st.text("abcdefghijklmnopqrstuvwxyzéèàç0123456789", min_size=4, max_size=14),
        st.sampled_from(["Glycémie", "cancer", "Dupont", "biologie", "ordonnance", "Martin"]),
    ),
    min_size=1,
    max_size=4,
)


def test_no_word_of_the_message_is_in_the_alert(tmp_path: Path) -> None:
    """Whatever subject, sender, text, attachment names, patient and INS: the same octets, and none of their words."""
    loop = asyncio.new_event_loop()
    stage = staged(tmp_path)
    scene = loop.run_until_complete(stage.__aenter__())
    alerting = scene.alerting()
    reference: list[list[bytes]] = []

    async def octets_for(words: list[str], ins: str) -> bytes:
        text = " ".join(words)
        header = (
            f"From: {words[0]} <{words[-1]}@hopital.example>\r\nTo: <{ins}@patient.mss.example>\r\n"
            f'Subject: {text}\r\nContent-Type: application/pdf; name="{text}.pdf"\r\n\r\n'
        ).encode()
        new = replace(body(text.encode(), text), header=header, size=len(header) + len(text.encode()))
        new = replace(new, digest=digest(header, text.encode()))
        known = await scene.store.box(f"{ins}@patient.mss.example")
        box = known or await scene.patient(ins, f"p{scene.count}@perso.example")
        scene.now += 100
        await scene.arrive(box, new)
        assert await alerting.tell_due() == 1
        return scene.host.mails[-1].octets

    @given(words=WORDS, ins=st.from_regex(r"[12][0-9]{14}", fullmatch=True))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def check(words: list[str], ins: str) -> None:
        octets = loop.run_until_complete(octets_for(words, ins))
        left = modulo(octets)
        reference.append(left)
        assert left == reference[0]
        # The others are the address of the alert, a time and an id: by chance a word may be of these.
        names = [field.partition(b":")[0] for field in OF_ITS_OWN.findall(octets)]
        assert sorted(names) == [b"Date", b"Message-ID", b"To"]
        mail = scene.host.mails[-1]
        assert b"\r\nTo: <%b>\r\n" % mail.recipient.encode() in octets
        date = re.search(r"(?m)^Date: (.*)\r$", octets.decode())
        assert date is not None
        assert parsedate_to_datetime(date[1]).timestamp() == scene.now
        told = set(re.findall(r"\w{4,}", b"\n".join(left).decode().lower()))
        own = set(re.findall(r"\w{4,}", b"\n".join(reference[0]).decode().lower()))
        assert not told & ({word.lower() for word in words} - own)
        assert ins.encode() not in octets
        message_id = re.search(rb"(?m)^Message-ID: (.*)\r$", octets)
        assert message_id is not None
        assert re.fullmatch(rb"<[0-9a-f]{32}@operateur\.example>", message_id[1])

    try:
        check()
    finally:
        loop.run_until_complete(stage.__aexit__(None, None, None))
        loop.close()

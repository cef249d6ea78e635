"""The queue commands against a running gateway whose mail finds nobody at the other end (QUE-3)."""

from __future__ import annotations

import imaplib
import json
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mss_gateway.dev.wire import tls
from tests.support.commands import Site
from tests.support.journeys import letter
from tests.support.process import GatewayProcess

WAIT = 60.0  # seconds; only what never happens reaches it


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway whose routes lead to nobody, and whose rows are not tried again while a test looks at them."""
    process = GatewayProcess(tmp_path_factory.mktemp("queue"), more="\n[queue]\nretry_first = 3000\n")
    yield process
    process.stop()


@pytest.fixture
def site(gateway: GatewayProcess) -> Site:
    """Commands that the gateway obeys."""
    return Site(gateway.folder, beside=gateway)


def queue(gateway: GatewayProcess, *locals_: str) -> str:
    """Submit a message to these recipients elsewhere and wait until each was tried; its Message-ID."""
    handout = gateway.handout
    doctor, domain = handout.account("PER"), handout.operator.domain
    message_id, message = letter(doctor.address, f"{locals_[0]}@{domain}")
    with smtplib.SMTP("127.0.0.1", handout.ports.submission, timeout=60) as smtp:
        smtp.starttls(context=tls(handout))
        smtp.login(doctor.login, doctor.password)
        smtp.sendmail(doctor.address, [f"{one}@{domain}" for one in locals_], message)
    return message_id


def rows(site: Site, message_id: str, *, tried: bool = True) -> list[dict[str, Any]]:
    """The rows of a message, once none is under way and, if asked, all were tried."""
    limit = time.monotonic() + WAIT
    while True:
        found: list[dict[str, Any]] = site.json("queue", "list", "--message", message_id)["rows"]
        calm = all(one["state"] != "leased" and (one["last_error"] or not tried) for one in found)
        if calm or time.monotonic() > limit:
            return found
        time.sleep(0.05)


def reports(gateway: GatewayProcess) -> list[str]:
    """What lies in the sender's INBOX."""
    doctor = gateway.handout.account("PER")
    with imaplib.IMAP4_SSL(
        "127.0.0.1", gateway.handout.ports.imaps, ssl_context=tls(gateway.handout)
    ) as imap:
        imap.login(doctor.login, doctor.password)
        imap.select("INBOX", readonly=True)
        numbers = imap.search(None, "ALL")[1][0].split()
        return [imap.fetch(one, "(BODY[])")[1][0][1].decode() for one in numbers]  # type: ignore[index,union-attr]


@pytest.mark.req("QUE-3")
def test_a_row_is_shown_with_its_reason_and_what_to_do(gateway: GatewayProcess, site: Site) -> None:
    """By id, by Message-ID with brackets or without; the timeline comes with it."""
    message_id = queue(gateway, "a")
    (row,) = rows(site, message_id)
    for name in (str(row["id"]), message_id, message_id.strip("<>")):
        shown = site.json("queue", "show", name)
        (one,) = shown["rows"]
        assert one["reason"] == "connect-refused"
        assert one["meaning"] == "the server did not let us connect"
        assert "queue retry" in one["remedy"]
        assert [event["event"] for event in shown["timeline"]["lines"]] == ["accepted", "deferred"]
    status, said = site.run("queue", "show", str(row["id"]))
    assert status == 0
    assert "connect-refused" in said
    assert "taken" in said  # the timeline's words


@pytest.mark.req("QUE-3", "INS-7")
def test_no_ins_is_shown(gateway: GatewayProcess, site: Site) -> None:
    """Not in a list, not in full, not in a confirmation."""
    message_id = queue(gateway, "185037512345614")
    (row,) = rows(site, message_id)
    said = [site.run("queue", "list", *more)[1] for more in ((), ("--json",))]
    said += [site.run("queue", "show", str(row["id"]), *more)[1] for more in ((), ("--json",))]
    said.append(site.run("queue", "show", "185037512345614")[1])
    assert not [one for one in said if "185037512345614" in one]
    found = site.json("queue", "list", "--recipient", f"185037512345614@{gateway.handout.operator.domain}")
    assert [one["id"] for one in found["rows"]] == [row["id"]]


@pytest.mark.req("QUE-3")
def test_retry_hold_and_release(gateway: GatewayProcess, site: Site) -> None:
    """Each says how many rows it concerned; what is held is not retried."""
    message_id = queue(gateway, "a", "b")
    first, second = rows(site, message_id)
    status, said = site.run("queue", "retry", str(first["id"]))
    assert (status, said.strip()) == (0, "1 row will be tried now")
    limit = time.monotonic() + WAIT
    while rows(site, message_id)[0]["attempts"] < 2 and time.monotonic() < limit:
        time.sleep(0.05)
    assert [one["attempts"] for one in rows(site, message_id)] == [2, 1]
    held = site.json("queue", "hold", "--message", message_id, "--reason", "enquête")
    assert held == {"rows": 2, "under_way": 0}
    assert {one["hold_reason"] for one in rows(site, message_id)} == {"enquête"}
    assert site.json("queue", "retry", str(second["id"]))["rows"] == 0
    assert len(site.json("queue", "list", "--state", "held")["rows"]) == 2
    assert site.json("queue", "release", "--message", message_id)["rows"] == 2
    assert "held" not in {one["state"] for one in rows(site, message_id)}


@pytest.mark.req("QUE-3", "RCP-1")
def test_cancel_asks_and_tells_the_sender(gateway: GatewayProcess, site: Site) -> None:
    """With the count; a no changes nothing; the report is in the mailbox when the command ends."""
    message_id = queue(gateway, "a", "b")
    (first, _) = rows(site, message_id)
    before = len(reports(gateway))
    status, said = site.run("queue", "cancel", str(first["id"]), stdin="n\n")
    assert status == 1
    assert "Withdraw 1 row for good (their senders are told)?" in said
    assert len(rows(site, message_id)) == 2
    status, said = site.run("queue", "cancel", str(first["id"]), "--reason", "doublon", stdin="y\n")
    assert (status, said.splitlines()[-1]) == (0, "1 row withdrawn")
    (report,) = reports(gateway)[before:]
    assert message_id in report
    assert "5.7.0" in report
    assert site.json("queue", "cancel", "--message", message_id, "--yes", "--no-report")["rows"] == 1
    assert len(reports(gateway)) == before + 1
    events = [one["event"] for one in site.json("trace", message_id)["lines"]]
    assert events[-4:] == ["cancelled", "report-written", "cancelled", "report-withheld"]


@pytest.mark.req("QUE-2", "QUE-3")
def test_stats_tell_of_a_silent_domain(gateway: GatewayProcess, site: Site) -> None:
    """Until when it is left alone, and why; in words too, as `watch --once` has them."""
    rows(site, queue(gateway, "a"))
    domain = gateway.handout.operator.domain
    told = site.json("queue", "stats")
    (one,) = [one for one in told["domains"] if one["domain"] == domain]
    assert one["silence"]["reason"] == "connect-refused"
    assert one["silence"]["until"] > told["at"]
    assert told["totals"]["rows"] >= one["rows"] >= 1
    assert told["since_start"]["deferred"] >= 1
    for command in (("queue", "stats"), ("queue", "watch", "--once")):
        status, said = site.run(*command)
        assert status == 0
        assert domain in "".join(said.split())
        assert "silent" in said


@pytest.mark.req("QUE-3")
@pytest.mark.parametrize("verb", ["retry", "hold", "release", "cancel"])
def test_a_change_without_a_selection_is_refused(site: Site, verb: str) -> None:
    """Everything is meant only when it is said."""
    words = ("--yes",) if verb == "cancel" else ()
    status, said = site.run("queue", verb, *words)
    assert status == 2
    assert "--all" in " ".join(said.split())
    assert site.json("queue", "retry", "--all")["rows"] >= 0


@pytest.mark.req("QUE-3")
@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("show", "999999999"), 3, "mss-gateway trace"),
        (("show", "<rien@exemple.fr>"), 3, "Nothing in the queue"),
        (("list", "--state", "lost"), 2, "waiting"),
        (("hold", "99999999999999999999999"), 2, "numbers"),
    ],
)
def test_wrong_input_gets_a_sentence(site: Site, words: tuple[str, ...], status: int, sentence: str) -> None:
    """The exit code says the kind, the sentence what to do; as JSON too."""
    found, said = site.run("queue", *words)
    assert found == status
    assert sentence in " ".join(said.split())
    found, said = site.run("queue", *words, "--json")
    assert found == status
    assert json.loads(said)["exit"] == status


@pytest.mark.req("QUE-3")
def test_cancel_with_json_needs_its_yes(site: Site) -> None:
    """A program is not asked."""
    status, said = site.run("queue", "cancel", "--all", "--json")
    assert (status, json.loads(said)["reason"]) == (2, "not-confirmed")


@pytest.mark.req("QUE-3")
@pytest.mark.timeout(600)
def test_watch_ends_with_the_gateway(tmp_path: Path) -> None:
    """Plain lines without a terminal, a document a line with --json; a clean end when the gateway stops."""
    process = GatewayProcess(tmp_path)
    command = [sys.executable, "-m", "mss_gateway", "queue", "watch", "--interval", "0.2", "--config"]
    watchers = [
        subprocess.Popen([*command, str(process.config), *more], stdout=subprocess.PIPE, text=True)
        for more in ((), ("--json",))
    ]
    try:
        firsts = []
        for watcher in watchers:
            assert watcher.stdout is not None
            firsts.append(watcher.stdout.readline())
        assert "0 queued" in firsts[0]
        assert json.loads(firsts[1])["totals"]["rows"] == 0
        assert process.stop() == 0
        said = [watcher.communicate(timeout=WAIT)[0] for watcher in watchers]
        assert [watcher.returncode for watcher in watchers] == [0, 0]
        assert said[0].splitlines()[-1] == "The gateway has stopped."
    finally:
        process.stop()
        for watcher in watchers:
            watcher.kill()
            watcher.wait()

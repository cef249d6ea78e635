"""`trace`: one message from submission to receipt, for people and for programs (AUD-2, INS-7)."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mss_gateway import pipeline
from mss_gateway.cli.output import visible
from mss_gateway.cli.root import app
from mss_gateway.cli.timeline import laid, octets, phrase, since
from mss_gateway.dev.sample import configuration
from mss_gateway.dev.space import Space, make_space
from mss_gateway.ops.control import LINE_LIMIT
from mss_gateway.ops.masking import masked
from mss_gateway.ops.timeline import MAX_LIMIT, TimelineOperations
from mss_gateway.ports.records import TraceLine
from mss_gateway.rules.telling import EVENTS
from mss_gateway.settings import load
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.store import add_box

AT = 1_795_254_062.118  # 21 November 2026, 09:41:02 UTC
INS = "285037728417346"
MASKED = "2 85 03 ** *** *** **"
LETTER = f"<{INS}.20261121@logiciel.example>"
RECEIPT = "<recu.1@patient.mssante.fr>"
FIRST, SECOND = "06d3v8z1k2m4n6p8q0r2s4", "06d40000000000000000aa"
WIDTHS = (80, 100, 120)


def line(
    after: float, event: str, transaction: str = "", message: str | None = LETTER, **detail: str | int
) -> TraceLine:
    """A line of the letter's timeline, seconds after the first."""
    actor = "dr.martin" if transaction == FIRST else ""
    return TraceLine(AT + after, event, transaction, message, None, actor, detail)


def story() -> list[TraceLine]:
    """A letter with an IHE_XDM archive, refused to one recipient, relayed, read, and not integrated in the end."""
    patient = f"{INS}@patient.mssante.fr"
    return [
        line(0.021, "accepted", FIRST, peer="127.0.0.1", size=4193, placed=0, filed=1, queued=2),
        line(0.021, "warned", FIRST, reason="identity-unknown"),
        line(
            0.021, "channel-open", FIRST, cause="message", bal="dr.martin@exemple.mssante.fr", patient=patient
        ),
        line(0, "refused", FIRST, None, peer="127.0.0.1", reason="channel-closed", rule="patient-answer"),
        line(0.5, "deferred", reason="connect-timeout", attempts=1),
        line(62, "relayed", reason="sent", attempts=2),
        line(7310, "accepted", SECOND, RECEIPT, size=900, placed=1, queued=0),
        line(7310, "mdn-received", SECOND, disposition="displayed", report=RECEIPT, recipient=patient),
        line(
            200_000, "integration-error", code="902", report="<" + "identifiant." * 12 + "@hopital.example>"
        ),
        line(200_001, "event-of-tomorrow", note="\x1b[31m\u202e red"),
    ]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """A throw-away trust space."""
    return make_space(tmp_path_factory.mktemp("trace"))


@pytest.fixture(autouse=True)
def paris() -> Iterator[None]:
    """Local time is that of Paris, whatever the machine's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def config(space: Space, tmp_path: Path) -> Path:
    """A configuration whose store holds the story."""
    path = tmp_path / "gateway.toml"
    path.write_text(configuration(space, 20_000), encoding="utf-8")
    store = SqliteStore(load(path, {}).store)

    async def write() -> None:
        await store.open()
        box = await add_box(store, "accueil")
        mine = [TraceLine(AT + n, "filed", f"b{n}", f"<{n}@x>", box.id) for n in range(5)]
        await store.write_trace([*story(), *mine])
        await store.close()

    asyncio.run(write())
    return path


def run(config: Path, *words: str, width: int = 80) -> Result:
    """One command on a terminal of that many columns."""
    runner = CliRunner()
    return runner.invoke(app, ["trace", *words, "--config", str(config)], env={"COLUMNS": str(width)})


def asked(config: Path, *words: str) -> Any:
    """The JSON answer of a command that must succeed."""
    done = run(config, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.req("AUD-2", "INS-7")
@pytest.mark.parametrize("width", WIDTHS)
def test_a_person_reads_the_story_in_order(config: Path, width: int) -> None:
    """Local times, time since the first line, evidence and remedies; each line fits, the INS is masked."""
    done = run(config, LETTER, width=width)
    assert done.exit_code == 0, done.output
    shown = done.output.splitlines()
    assert max(map(len, shown)) <= width
    assert shown[0] == f"Message <{MASKED}.20261121@logiciel.example>"
    assert [one for one in shown if re.match(r"[A-Z][a-z]+day ", one)] == [
        "Saturday 21 November 2026, CET",
        "Monday 23 November 2026, CET",
    ]
    stamped = [one for one in shown if re.match(r"\d\d:\d\d:\d\d\.\d{3} ", one)]
    assert len(stamped) == len(story())
    assert {one[23] for one in stamped} == set("✓!✗·")
    assert stamped[0].startswith("10:41:02.118           ✗ refused")
    assert stamped[1].startswith("10:41:02.139  +0.021 s ✓ accepted, and committed to disk  accepted")
    assert stamped[5].startswith("10:42:04.118    +1 min ✓ taken over by the other operator")
    assert stamped[7].startswith("12:42:52.118   +2 h 01 ✓ read receipt received")
    words = " ".join(done.output.split())
    assert "reason channel-closed: the professional has ended the exchange" in words
    assert "→ Import the qualified identity: `mss-gateway ins import`." in words
    assert "reason connect-timeout: the server did not answer in time 1 attempt" in words
    assert "code 902: Identifiant patient inconnu" in words
    assert "reason sent" not in words
    assert "4.1 KiB · 1 copy filed" in words
    assert "2 recipients elsewhere" in words
    assert f"patient {MASKED}@patient.mssante.fr" in done.output
    assert INS not in done.output


@pytest.mark.req("AUD-2")
def test_nothing_is_shown_that_a_terminal_would_obey(config: Path) -> None:
    """What a peer has written cannot move the cursor or turn the text round."""
    done = run(config, LETTER)
    assert "event-of-tomorrow" in done.output
    assert "\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER} red" in done.output
    assert "\x1b" not in done.output


@pytest.mark.req("AUD-2")
def test_rules_show_each_decision_rule_by_rule(config: Path) -> None:
    """Those before the refusing rule have passed; an accepted message has passed them all."""
    shown = [one.split() for one in run(config, LETTER, "--rules").output.splitlines()]
    outcomes = [(one[1], one[0]) for one in shown if len(one) > 2 and re.match(r"[A-Z]{3}-\d", one[2])]
    assert ("patient-answer", "✗") in outcomes
    before = outcomes[: outcomes.index(("patient-answer", "✗"))]
    assert ("patient-box-open", "✓") in before
    assert {verdict for _, verdict in before} == {"✓"}
    assert ("archive", "✓") in outcomes
    assert ("identity-qualified", "!") in outcomes
    assert not re.search(r"✗ patient-answer", run(config, LETTER).output)


@pytest.mark.req("AUD-2", "INS-7")
def test_a_program_reads_the_same_as_json(config: Path) -> None:
    """Epoch and ISO time with its zone, event, title, evidence, rules; the INS is masked."""
    found = asked(config, LETTER)
    assert found["message_id"] == f"<{MASKED}.20261121@logiciel.example>"
    assert not found["more"]
    lines = found["lines"]
    assert [one["event"] for one in lines] == [
        *("refused", "accepted", "warned", "channel-open", "deferred", "relayed"),
        *("accepted", "mdn-received", "integration-error", "event-of-tomorrow"),
    ]
    refused, accepted = lines[0], lines[1]
    assert refused["at"] == pytest.approx(AT)
    assert refused["when"] == "2026-11-21T10:41:02.118+01:00"
    assert refused["rules"][-1] == {"name": "patient-answer", "ids": "CHN-6", "outcome": "refused"}
    assert refused["meaning"] == "the professional has ended the exchange"
    assert {one["outcome"] for one in accepted["rules"]} == {"passed"}
    assert (accepted["actor"], accepted["transaction"]) == ("dr.martin", FIRST)
    assert accepted["detail"]["queued"] == 2
    assert lines[6]["message_id"] == RECEIPT
    assert lines[7]["detail"]["report"] == RECEIPT
    assert (lines[9]["title"], lines[9]["rules"]) == ("event-of-tomorrow", [])
    assert INS not in json.dumps(found)


@pytest.mark.req("AUD-2", "INS-7")
@pytest.mark.parametrize(
    "spelling",
    [
        LETTER,
        LETTER.strip("<>"),
        f" {LETTER} ",
        f"Message-ID: {LETTER}",
        f"<{MASKED}.20261121@logiciel.example>",
        f"{MASKED}.20261121@logiciel.example",
    ],
)
def test_a_message_is_found_however_its_id_is_spelled(config: Path, spelling: str) -> None:
    """With or without brackets, copied with its field name, whole or as an earlier answer masked it."""
    assert len(asked(config, spelling)["lines"]) == len(story())


@pytest.mark.req("AUD-2")
def test_a_transaction_and_a_mailbox_have_their_lines_too(config: Path) -> None:
    """The transaction in any case, the mailbox with its latest lines."""
    found = asked(config, "--transaction", FIRST.upper())
    assert [one["event"] for one in found["lines"]] == ["refused", "accepted", "warned", "channel-open"]
    assert found["message_id"] == f"<{MASKED}.20261121@logiciel.example>"
    latest = asked(config, "--box", "Accueil@hopital.example", "--limit", "2")
    assert [one["transaction"] for one in latest["lines"]] == ["b3", "b4"]
    assert latest["more"]
    shown = run(config, "--box", "accueil@hopital.example", "--limit", "2").output
    assert "message <3@x>" in shown
    assert "message <4@x>" in shown
    assert "There are more lines" in run(config, LETTER, "--limit", "3").output


@pytest.mark.req("AUD-2")
@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("<nothing@here>",), 3, "Nothing is known of the Message-ID <nothing@here> here"),
        ((f"<{INS}@here>",), 3, f"Nothing is known of the Message-ID <{MASKED}@here> here"),
        (("--transaction", "t1"), 3, "Nothing is known of the transaction t1"),
        (("--box", "nobody@hopital.example"), 3, "Nothing is known of the mailbox"),
        (("--box", "no address"), 2, "box: "),
        ((), 2, "one of them"),
        ((LETTER, "--transaction", FIRST), 2, "one of them"),
        ((LETTER, "--limit", "0"), 2, "from 1 to"),
        ((b"<\xff@here>".decode("utf-8", "surrogateescape"),), 3, "Nothing is known"),
    ],
)
def test_an_unknown_or_unclear_question_gets_one_sentence(
    config: Path, words: Sequence[str], status: int, sentence: str
) -> None:
    """The exit code says the kind; the same as JSON."""
    done = run(config, *words)
    assert done.exit_code == status
    assert sentence in " ".join(done.output.split())
    assert INS not in done.output
    told = run(config, *words, "--json")
    assert told.exit_code == status
    assert json.loads(told.output)["exit"] == status


class Crowded:
    """A store with as many lines as are asked for, their ids as long as a line may be."""

    async def trace(
        self,
        message_id: str | None = None,
        limit: int = 1000,
        *,
        transaction: str | None = None,
        box_id: int | None = None,
    ) -> list[TraceLine]:
        """Lines of reports that a hostile peer has sent."""
        report = "\N{REPLACEMENT CHARACTER}" * 998
        detail: dict[str, str | int] = {"peer": "192.0.2.1", "report": report}
        return [
            TraceLine(AT, "accepted", f"t{n}", f"{n}{report}"[:998], None, "x", detail) for n in range(limit)
        ]

    async def write_trace(self, lines: Sequence[TraceLine]) -> None:
        """Keeps nothing."""

    async def box(self, key: str) -> None:
        """There is none."""


@pytest.mark.req("AUD-2")
async def test_the_longest_answer_fits_through_the_control_socket() -> None:
    """However many reports a peer has heaped on one message."""
    table = masked(TimelineOperations(Crowded()).table())
    answer = await table["trace"]({"message_id": LETTER, "limit": MAX_LIMIT})
    assert len(answer["lines"]) == MAX_LIMIT
    assert answer["more"]
    assert len(json.dumps(answer, ensure_ascii=False).encode()) < LINE_LIMIT


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, ""),
        (0.0207, "+0.021 s"),
        (0.0999, "+0.1 s"),
        (0.2, "+0.2 s"),
        (59.96, "+1 min"),
        (3599.6, "+1 h 00"),
        (7310, "+2 h 01"),
        (100_000, "+1 d 03 h"),
        (86_399, "+23 h 59"),
    ],
)
def test_the_time_since_the_first_line_is_short(seconds: float, shown: str) -> None:
    assert since(seconds) == shown
    assert len(shown) <= 9


def test_items_are_laid_side_by_side_and_broken_only_when_alone_too_long() -> None:
    assert list(laid(["aaaa", "bbbb", "cccc"], 11)) == ["aaaa · bbbb", "cccc"]
    assert list(laid(["aa", "b" * 25, "cc"], 10)) == ["aa", "b" * 10, "b" * 10, "bbbbb · cc"]
    assert list(laid([], 10)) == []


def test_details_are_told_in_words() -> None:
    assert phrase("placed", 0) == ""
    assert phrase("placed", 1) == "1 mailbox"
    assert phrase("queued", 3) == "3 recipients elsewhere"
    assert phrase("expired", 0) == ""
    assert phrase("peer", "192.0.2.1") == "from 192.0.2.1"
    assert phrase("next_attempt", "soon") == "next attempt soon"
    assert (octets(900), octets(2048), octets(3 * 1024 * 1024)) == ("900 octets", "2.0 KiB", "3.0 MiB")
    assert visible("a\nb\x9b") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


@pytest.mark.req("AUD-2")
def test_the_guide_explains_every_event() -> None:
    """Each event stands in the table of docs/traces.md, with the title that the command shows."""
    guide = (Path(__file__).parents[2] / "docs" / "traces.md").read_text(encoding="utf-8")
    section = guide.partition("## Where is my message?")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"(?m)^\| `([a-z-]+)` \| ([^|]+?) \|", section))
    assert rows == {event: shown.title for event, shown in EVENTS.items()}


@pytest.mark.req("AUD-2")
def test_every_event_that_the_line_writes_has_its_words() -> None:
    """Events of connections aside, which belong to no message."""
    written: set[str] = set()
    for path in (Path(pipeline.__file__).parent).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("line", "TraceLine"):
                values = [*node.args[:2], *(word.value for word in node.keywords if word.arg == "event")]
                written |= {
                    one.value
                    for one in values
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    assert "accepted" in written
    assert written - set(EVENTS) <= {"login", "login-refused", "tls-refused", "trace-overflow"}

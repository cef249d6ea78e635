"""`audit verify`, `purge` and `export`, and `indicators`, as they are typed (AUD-1, AUD-3)."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from mss_gateway.cli.audit_writing import cell
from mss_gateway.ports.records import TraceLine
from mss_gateway.settings import load
from mss_gateway.storage.sqlite import SqliteStore
from tests.support.commands import Site
from tests.support.midnight import today

TODAY = time.strftime("%Y-%m-%d")
DAYS = ("--from", TODAY, "--until", TODAY)
"""For questions that are refused whatever the day is."""
INS = "285037728417346"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The sample's mailboxes, no gateway running."""
    return Site(tmp_path)


def add(site: Site, *lines: TraceLine) -> None:
    """Write lines into the trace."""

    async def write() -> None:
        store = SqliteStore(load(site.config, {}).store)
        await store.open()
        await store.write_trace(lines)
        await store.close()

    asyncio.run(write())


def alter(site: Site, sql: str) -> None:
    """What somebody with the database alone can do."""
    db = apsw.Connection(str(site.folder / "store" / "store.db"))
    db.execute(sql)
    db.close()


@pytest.mark.req("AUD-1")
def test_verify_says_where_the_trace_was_tampered_with(site: Site) -> None:
    """Exit 0 and 1, in words and as JSON."""
    result = site.json("audit", "verify")
    assert result["good"]
    assert result["lines"] == result["last_line"]
    alter(site, "UPDATE trace SET actor = 'somebody' WHERE id = 5")
    alter(site, "DELETE FROM trace WHERE id = 9")
    status, said = site.run("audit", "verify")
    assert status == 1
    assert "line 5: was changed, or replaced" in said
    assert "line 9: is missing" in said
    result = site.json("audit", "verify", status=1)
    assert [(one["kind"], one["first"], one["next_good"]) for one in result["damage"]] == [
        ("edited", 5, 6),
        ("deleted", 9, 10),
    ]


@pytest.mark.req("AUD-1")
def test_purge_counts_first_and_refuses_where_the_chain_is_damaged(site: Site) -> None:
    """A dry run changes nothing; evidence is thrown away only with --force."""
    old = time.time() - 400 * 86_400
    alter(site, f"UPDATE trace SET at = {old} WHERE id <= 3")  # damaged as well
    planned = site.json("audit", "purge", "--dry-run")
    assert (planned["lines"], planned["removed"]) == (3, 0)
    status, said = site.run("audit", "purge")
    assert status == 4
    assert "audit verify" in said
    assert site.json("audit", "purge", "--force")["removed"] == 3
    assert site.json("audit", "verify")["good"]
    assert site.run("audit", "purge", "--before", "2999-01-01")[0] == 2
    assert site.run("audit", "purge", "--before", "yesterday")[0] == 2


@pytest.mark.req("AUD-1", "INS-7")
def test_an_export_holds_who_when_what_and_nothing_of_content(site: Site) -> None:
    """Columns in order, local time with its zone, the result of a refusal, addresses of patients masked."""
    per, day = site.handout.account("PER"), today()
    days = ("--from", day, "--until", day)
    add(
        site,
        TraceLine(
            time.time(),
            "login-refused",
            "",
            actor="192.0.2.1",
            detail={"result": "locked", "login": per.login},
        ),
        TraceLine(
            time.time(), "accepted", "t", actor=per.login, detail={"patient": f"{INS}@patient.mssante.fr"}
        ),
    )
    status, text = site.run("audit", "export", "--all", *days)
    assert status == 0
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert [*rows[0]][:9] == [
        "line", "time", "author", "name", "national_id", "mailbox", "action", "request", "result",
    ]  # fmt: skip
    assert rows[-2]["result"] == "refused: locked"
    assert rows[-1]["author"] == per.login
    assert INS not in text
    assert INS[:13] not in text
    assert rows[-1]["time"][-6] in "+-"
    lines = [
        json.loads(line)
        for line in site.run("audit", "export", "--all", *days, "--format", "json")[1].split("\n")
        if line
    ]
    assert lines[-1]["action"] == "audit-exported"  # the export before
    assert lines[:-1] == [{**row, "line": int(row["line"])} for row in rows]


@pytest.mark.req("AUD-1")
def test_an_export_of_one_mailbox_goes_into_a_private_file(site: Site, tmp_path: Path) -> None:
    """Its own lines and its people's logins; the file is new, for its owner alone, and traced."""
    per, other, day = site.handout.account("PER"), site.handout.account("ORG"), today()
    add(
        site,
        TraceLine(time.time(), "login", "", actor=per.login),
        TraceLine(time.time(), "login", "", actor=other.login),
    )
    out = tmp_path / "trace.csv"
    command = (
        "audit",
        "export",
        "--bal",
        per.address,
        "--from",
        day,
        "--until",
        day,
        "--out",
        str(out),
        "--bom",
    )
    assert site.run(*command)[0] == 0
    text = out.read_text(encoding="utf-8")
    assert text.startswith("\ufeffline;")
    assert per.login in text
    assert other.login not in text
    assert out.stat().st_mode & 0o777 == 0o600
    assert site.run(*command)[0] == 4
    status, said = site.run("trace", "--box", per.address)
    assert status == 0
    assert "audit-exported" in said


@pytest.mark.req("AUD-1")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (DAYS, 2),
        (("--all", "--bal", "a@b.example", *DAYS), 2),
        (("--bal", "absent@clinique-exemple.mssante.fr", *DAYS), 3),
        (("--all", "--from", TODAY, "--until", "2020-01-01"), 2),
        (("--all", "--from", "1/2/2026", "--until", TODAY), 2),
        (("--all", *DAYS, "--format", "xml"), 2),
    ],
)
def test_a_wrong_export_is_refused_and_leaves_no_file(
    site: Site, tmp_path: Path, words: tuple[str, ...], status: int
) -> None:
    """With the exit code that the manual names."""
    out = tmp_path / "never"
    assert site.run("audit", "export", *words, "--out", str(out))[0] == status
    assert not out.exists()


@pytest.mark.req("AUD-1")
@pytest.mark.parametrize("text", ["=1+1", "+33", "-2", "@cmd", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    """What a spreadsheet would compute is a text."""
    assert cell(text) == f"'{text}"
    assert cell(f"a{text}") == f"a{text}"
    assert cell(None) == ""


@pytest.mark.req("AUD-3")
def test_indicators_of_a_month_as_table_csv_and_json(site: Site, tmp_path: Path) -> None:
    """Mailboxes as they are, figures as they were counted; this month is marked as unfinished."""
    day = today()
    detail: dict[str, Any] = {"mechanism": "plain", "peer": "192.0.2.1"}
    add(site, TraceLine(time.time(), "login", "", box_id=1, actor="x", detail=detail))
    result = site.json("indicators")
    assert not result["complete"]
    assert result["figures"]["active-boxes"] == 1
    assert result["figures"]["boxes.PER.active"] >= 1
    again = site.json("indicators")
    assert datetime.fromisoformat(again.pop("boxes_as_of")) >= datetime.fromisoformat(result["boxes_as_of"])
    assert again == {name: value for name, value in result.items() if name != "boxes_as_of"}
    out = tmp_path / "indicators.csv"
    assert site.run("indicators", "--format", "csv", "--out", str(out))[0] == 0
    rows = list(csv.DictReader(out.open(encoding="utf-8"), delimiter=";"))
    assert {row["state"] for row in rows} == {"unfinished"}
    assert {row["indicator"]: int(row["value"]) for row in rows} == result["figures"]
    status, said = site.run("indicators", "--connections", "--format", "csv")
    assert (status, said.split()) == (0, ["date;connection;count", f"{day};mail.plain;1"])
    assert "not over yet" in site.run("indicators")[1]


@pytest.mark.req("AUD-3")
@pytest.mark.parametrize("month", ["2026-13", "october", "2999-01", "2026-1", ""])
def test_a_month_that_is_none_is_refused(site: Site, month: str) -> None:
    """Exit 2 with the form to write."""
    status, said = site.run("indicators", "--month", month)
    assert status == 2
    assert "YYYY-MM" in said

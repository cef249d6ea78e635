"""Address books for mail clients: vCard, LDIF, CSV (RFC 2426, RFC 2849)."""

from __future__ import annotations

import base64
import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.directory.columns import NAMES
from mss_gateway.directory.entry import Record, line_of, record_of
from mss_gateway.directory.export import ldif, table, vcards
from tests.support.annuaire import line

ZOE = record_of(
    line("zoe.lefevre@medecin.mssante.fr", number=3, person=("LEFÈVRE", "ZOÉ"), house="CABINET; DU CŒUR, A")
)
WARD = record_of(line("urgences@x.mssante.fr", person=(), service="URGENCES"))


def attributes(entry: str) -> dict[str, str]:
    """An entry of LDIF, base64 undone."""
    found = {}
    for one in entry.strip().splitlines():
        name, _, value = one.partition(":")
        found[name] = base64.b64decode(value[1:].strip()).decode() if value.startswith(":") else value.strip()
    return found


@pytest.mark.req("OPS-1")
def test_a_card_for_each_row() -> None:
    """Names, address, structure; signs of the format escaped; lines folded at 75 octets."""
    person, ward = vcards([ZOE, WARD])
    assert all(len(one.encode()) <= 75 for one in person.split("\r\n"))
    lines = person.replace("\r\n ", "").split("\r\n")
    assert lines[:2] == ["BEGIN:VCARD", "VERSION:3.0"]
    assert {"FN:ZOÉ LEFÈVRE", "N:LEFÈVRE;ZOÉ;;DR;", "ORG:CABINET\\; DU CŒUR\\, A;"} <= set(lines)
    assert "EMAIL;TYPE=INTERNET,WORK:zoe.lefevre@medecin.mssante.fr" in lines
    assert "ADR;TYPE=WORK:;;4 RUE DE LA RÉPUBLIQUE;MELUN;;77000;" in lines
    assert "FN:URGENCES\\, CENTRE HOSPITALIER DU PARC" in ward.replace("\r\n ", "")


@pytest.mark.req("OPS-1")
def test_an_entry_for_each_address() -> None:
    """What is not plain goes in base64; an address is named once; a DN is escaped."""
    found = [attributes(one) for one in ldif([ZOE, ZOE, WARD, {"address": '"a,b"@x.fr', "type": "PER"}])]
    assert [one["mail"] for one in found] == [ZOE["address"], WARD["address"], '"a,b"@x.fr']
    assert (found[0]["cn"], found[0]["sn"], found[0]["postalCode"]) == ("ZOÉ LEFÈVRE", "LEFÈVRE", "77000")
    [based] = ldif([WARD], "ou=annuaire,dc=essai,dc=fr")
    assert attributes(based)["dn"] == "mail=urgences@x.mssante.fr,ou=annuaire,dc=essai,dc=fr"
    assert found[2]["dn"] == 'mail=\\"a\\,b\\"@x.fr'


@pytest.mark.req("OPS-1")
def test_a_table_that_is_no_formula() -> None:
    """A name that a spreadsheet would calculate is text."""
    text = "".join(table([ZOE | {"name": "=1+1"}]))
    heading, row = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";")
    found = dict(zip(heading, row, strict=True))
    assert (found["name"], found["first_name"]) == ("'=1+1", "ZOÉ")


VALUES = st.text(max_size=60)
ROWS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8).map(
    lambda row: Record({**row, "address": "a@b.fr"})
)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_no_value_breaks_out_of_its_place(row: Record) -> None:
    """Whatever stands in the directory, a card is one card, an entry one entry, a row one row."""
    kept = record_of(line_of(row))
    [card] = vcards([kept])
    assert sum(one.startswith(("BEGIN:", "EMAIL")) for one in card.split("\r\n")) == 2
    [entry] = ldif([kept])
    assert attributes(entry)["mail"] == "a@b.fr"
    assert entry.count("\n\n") == 1
    assert len(list(csv.reader(io.StringIO("".join(table([kept]))), delimiter=";"))) == 2

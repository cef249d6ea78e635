"""Address lists: forms of RFC 5322, broken ones, hostile ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import Address, parse_address
from mss_gateway.mail.addresses import MAX_ADDRESSES, Entry, scan_addresses, to_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"jean@a.fr", [(None, b"jean", b"a.fr")]),
        (b"Jean Martin <jean@a.fr>", [(b"Jean Martin", b"jean", b"a.fr")]),
        (b'"Martin, Jean" <jean@a.fr>', [(b"Martin, Jean", b"jean", b"a.fr")]),
        (b'"a \\"b\\"" <jean@a.fr>', [(b'a "b"', b"jean", b"a.fr")]),
        (b"jean@a.fr (Jean (le grand))", [(b"Jean (le grand)", b"jean", b"a.fr")]),
        (b"<@x.fr,@y.fr:jean@a.fr>", [(None, b"jean", b"a.fr")]),
        (b"jean . martin @ a . fr", [(None, b"jean.martin", b"a.fr")]),
        (b'"jean paul"@a.fr', [(None, b"jean paul", b"a.fr")]),
        (b"a@x.fr,, b@y.fr,", [(None, b"a", b"x.fr"), (None, b"b", b"y.fr")]),
        (b"undisclosed-recipients:;", [(None, b"undisclosed-recipients", None), (None, None, None)]),
        (
            b"Staff: a@x.fr, B <b@y.fr>; c@z.fr",
            [
                (None, b"Staff", None),
                (None, b"a", b"x.fr"),
                (b"B", b"b", b"y.fr"),
                (None, None, None),
                (None, b"c", b"z.fr"),
            ],
        ),
        ("Éa <é@a.fr>".encode(), [("Éa".encode(), "é".encode(), b"a.fr")]),
        (b"a@[192.0.2.1]", [(None, b"a", b"[192.0.2.1]")]),
        (b"", []),
    ],
)
def test_well_formed_lists(text: bytes, expected: list[tuple[bytes | None, ...]]) -> None:
    """Each form of the grammar gives its name, local part and domain, and is clean."""
    entries = scan_addresses(text)
    assert [entry[:3] for entry in entries] == expected
    assert all(entry.clean for entry in entries)


@pytest.mark.parametrize(
    "text",
    [
        b"a@b.fr <c@d.fr>",
        b"<a@b.fr> trailing",
        b"<a@b.fr",
        b"a@b@c.fr",
        b'"open <a@b.fr>',
        b"a@b.fr (open",
        b"nodomain",
        b"<>",
        b"a b@c.fr",
        b"x [y] <a@b.fr>",
        b"a@[",
    ],
)
@pytest.mark.req("BAL-6")
def test_broken_addresses_are_never_taken_for_good(text: bytes) -> None:
    """A text that breaks the grammar gives no address to decide on."""
    assert all(to_address(entry) is None for entry in scan_addresses(text))


def test_to_address_unquotes_and_lowers_the_domain() -> None:
    """A quoted local part and an upper-case domain come out in the form that addresses are kept in."""
    assert to_address(Entry(None, b"jean paul", b"A.FR")) == Address("jean paul", "a.fr")


@pytest.mark.parametrize(
    "text",
    [
        b"a@b.fr," * 100_000,
        b"(" * 5000,
        b"x:" * 50_000,
        b'"' * 50_001,
        b"<" * 50_000,
        b"a " * 100_000,
        b"@," * 100_000,
        b"\\" * 50_000,
        b"(\\" * 50_000,
    ],
    ids=["addresses", "comments", "groups", "quotes", "angles", "words", "ats", "backslashes", "escaped"],
)
def test_hostile_lists_stay_within_the_cap(text: bytes) -> None:
    """However long the field, the number of entries is bounded."""
    assert len(scan_addresses(text)) <= MAX_ADDRESSES + 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"a", b"@", b"b.fr", b"<", b">", b",", b";", b":", b'"', b"(", b")", b"\\", b" ", b"["]
        )
    )
)
def test_any_sequence_of_tokens_is_read(tokens: list[bytes]) -> None:
    """No arrangement of the grammar's own signs raises, and group marks always pair."""
    entries = scan_addresses(b"".join(tokens))
    starts = sum(entry.local is not None and entry.domain is None for entry in entries)
    ends = sum(entry.local is None and entry.domain is None for entry in entries)
    assert starts == ends


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_read(value: bytes) -> None:
    """Arbitrary octets never raise, neither as entries nor as addresses."""
    for entry in scan_addresses(value):
        to_address(entry)


@pytest.mark.parametrize("domain", ["é" * 300 + ".fr", "é" * 64 + ".fr", "é\u3002" * 200 + "fr"])
def test_an_endless_domain_never_reaches_idna(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    """Its time grows with the square of a label, and anybody may name a domain before a login."""

    def never(*_: object, **__: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr("mss_gateway.mail.address.idna.encode", never)
    with pytest.raises(InvalidValue) as raised:
        parse_address(f"a@{domain}")
    assert raised.value.reason == "domain-idna"

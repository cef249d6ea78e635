"""Distinguished names are compared attribute by attribute, whatever their spelling (TRU-4)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.trust import dn

PLAIN = "CN=mx1.operateur-exemple.fr,OU=300000000000019,O=OPERATEUR EXEMPLE,ST=Rhône (69),C=FR"

_values = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters='"\\,;+=<>#'),
    min_size=1,
    max_size=20,
).filter(lambda text: bool(text.split()))
_names = st.tuples(_values, _values, _values, _values)
_NAMED = ("CN", "OU", "O", "ST")


def written(values: tuple[str, ...], order: list[int], space: str, quote: list[bool]) -> str:
    """One spelling of a name."""
    parts = []
    for index in order:
        value = values[index]
        parts.append(f'{_NAMED[index]}={space}"{value}"' if quote[index] else f"{_NAMED[index]}={value}")
    return f"{space},{space}".join(parts)


@pytest.mark.req("TRU-4")
@settings(max_examples=150, deadline=None)
@given(
    _names,
    st.permutations(range(4)),
    st.sampled_from(["", " ", "  ", "\u00a0"]),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_order_spacing_quotes_and_case_do_not_matter(
    values: tuple[str, ...], order: list[int], space: str, quote: list[bool]
) -> None:
    """Any spelling of one name has one key, the key of its attributes."""
    expected = dn.key_of(zip(_NAMED, values, strict=True))
    assert dn.key_of_text(written(values, order, space, quote)) == expected
    assert (
        dn.key_of([(kind.lower(), dn.fold(value)) for kind, value in zip(_NAMED, values, strict=True)])
        == expected
    )


_printable_pairs = st.lists(
    st.tuples(st.sampled_from(["CN", "O", "OU", "C"]), st.text(min_size=1, max_size=12)),
    min_size=1,
    max_size=4,
)
_any_value = st.text(max_size=8)
_pairs = st.lists(
    st.tuples(st.sampled_from(["CN", "O", "OU", "ST", "2.5.4.3"]), _any_value), min_size=1, max_size=4
)


@pytest.mark.req("TRU-4")
@settings(max_examples=300, deadline=None)
@given(_pairs, _pairs)
def test_names_with_different_attributes_never_share_a_key(
    one: list[tuple[str, str]], two: list[tuple[str, str]]
) -> None:
    """Equal keys mean equal multisets of (type, folded value): no escape trick joins two names."""

    def content(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return sorted(("CN" if kind == "2.5.4.3" else kind, dn.fold(value)) for kind, value in pairs)

    assert (dn.key_of(one) == dn.key_of(two)) == (content(one) == content(two))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_folding_twice_changes_nothing(text: str) -> None:
    """A folded value is its own folded form."""
    assert dn.fold(dn.fold(text)) == dn.fold(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='CNO=",;+\\ #0aé\u00a0', max_size=60))
def test_any_text_gives_a_key_or_a_refusal(text: str) -> None:
    """Hostile texts end in a key or in `InvalidValue`, nothing else."""
    with contextlib.suppress(InvalidValue):
        assert dn.key_of_text(text)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["CN", "O", "OU", "C"]), st.text(min_size=1, max_size=12)),
        min_size=1,
        max_size=4,
    )
)
def test_a_printed_name_reads_back(pairs: list[tuple[str, str]]) -> None:
    """The text shown for a certificate, put into a configuration, matches the certificate."""
    pairs = [(kind, value.strip()) for kind, value in pairs if value.strip()]
    if pairs and not any(value[0] in '"#' for _, value in pairs):
        assert dn.key_of_text(dn.text_of_attributes(pairs)) == dn.key_of(pairs)


@pytest.mark.req("TRU-4")
@pytest.mark.parametrize(
    "spelling",
    [
        PLAIN.replace(",", ", "),
        PLAIN.replace("ST=", "L="),
        PLAIN.replace("ST=", "S="),
        PLAIN.upper(),
        PLAIN.replace("O=OPERATEUR EXEMPLE", 'O="OPERATEUR  EXEMPLE"'),
        PLAIN.replace("OPERATEUR EXEMPLE", "OPERATEUR\u00a0EXEMPLE"),
        PLAIN.replace("ô", "o\u0302"),
        PLAIN.replace("ô", "\\C3\\B4"),
        PLAIN.replace("CN=", "2.5.4.3="),
        PLAIN.replace("CN=", "oid.2.5.4.3 = "),
        PLAIN.replace(",O=", "+O="),
        PLAIN.replace(",", ";"),
        ",".join(reversed(PLAIN.split(","))),
    ],
)
def test_spellings_of_the_public_list_match(spelling: str) -> None:
    """Each quirk of domain reference 6.4 is the same operator."""
    assert dn.key_of_text(spelling) == dn.key_of_text(PLAIN)


@pytest.mark.req("TRU-4", "TRU-6")
@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("19,", "20,"),
        PLAIN.replace("ô", "o"),
        PLAIN.replace("CN=mx1.", "CN=mx2."),
        PLAIN.replace(",C=FR", ""),
        PLAIN + ",OU=300000000000019",
        PLAIN.replace("EXEMPLE", "EX EMPLE"),
        PLAIN.replace("OPERATEUR EXEMPLE", 'OPERATEUR "EXEMPLE"'),
    ],
)
def test_another_attribute_is_another_operator(other: str) -> None:
    """The same CN with one attribute changed never matches (CN different from DN)."""
    assert dn.key_of_text(other) != dn.key_of_text(PLAIN)


def test_l_and_st_differ_by_setting() -> None:
    """With the setting off, `L` is not `ST`."""
    assert dn.key_of_text("L=Paris (75),C=FR", False) != dn.key_of_text("ST=Paris (75),C=FR", False)


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ('O=CENTRE "NOM",C=FR', (("O", 'CENTRE "NOM"'), ("C", "FR"))),
        ('O="CENTRE "NOM"",C=FR', (("O", 'CENTRE "NOM"'), ("C", "FR"))),
        ('O="NOM" CENTRE,C=FR', (("O", '"NOM" CENTRE'), ("C", "FR"))),
        ('O="A, C=B",C=FR', (("O", "A, C=B"), ("C", "FR"))),
        ("O=A\\, C=B,C=FR", (("O", "A, C=B"), ("C", "FR"))),
        ("O=A, B,C=FR", (("O", "A, B"), ("C", "FR"))),
        ("O=A + B,C=FR", (("O", "A + B"), ("C", "FR"))),
        ("O=,C=FR", (("O", ""), ("C", "FR"))),
        ("O=#0C024142,C=FR", (("O", "AB"), ("C", "FR"))),
        ("O=A\\ ,C=FR", (("O", "A "), ("C", "FR"))),
        ('O="never closed,C=FR', (("O", '"never closed'), ("C", "FR"))),
    ],
)
def test_quotes_commas_and_escapes(text: str, attributes: tuple[tuple[str, str], ...]) -> None:
    """Values with separators and quotes are read as their writers meant."""
    assert dn.parse(text) == attributes


@pytest.mark.parametrize("text", ["", "   ", "no attribute", "=x", "C N=x", "CN", "x" * 5000, "A=1," * 200])
def test_texts_that_are_no_dn_are_refused(text: str) -> None:
    """Nothing is guessed from a text that is not a DN."""
    with pytest.raises(InvalidValue):
        dn.key_of_text(text)

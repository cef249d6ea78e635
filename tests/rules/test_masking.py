"""Masking against generated numbers, whatever stands around them (INS-7)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.rules.ins import mask_text, parse_ins


def _key(matricule: str) -> str:
    """The key computed the other way round: the one k for which N + k is a multiple of 97."""
    number = int(matricule.replace("2A", "19") if "A" in matricule else matricule.replace("2B", "18"))
    return next(f"{key:02}" for key in range(1, 98) if (number + key) % 97 == 0)


@st.composite
def numbers(draw: st.DrawFn, right_key: bool = True) -> str:
    """A well-formed INS, letters in either case."""
    department = draw(st.sampled_from(["01", "2A", "2B", "2a", "2b", "38", "95", "97", "98", "99"]))
    month = draw(st.sampled_from(["01", "12", "20", "30", "42", "50", "99"]))
    sex, year = draw(st.sampled_from("123478")), draw(st.integers(0, 99))
    matricule = f"{sex}{year:02}{month}{department}{draw(st.integers(0, 999_999)):06}"
    return matricule + (_key(matricule.upper()) if right_key else f"{draw(st.integers(0, 99)):02}")


@pytest.mark.req("INS-1")
@given(numbers())
def test_the_key_of_a_generated_number_holds(number: str) -> None:
    ins = parse_ins(number)
    assert ins.key_holds
    assert str(ins) == number.upper()


@pytest.mark.req("INS-7")
@settings(max_examples=300)
@given(
    st.text(string.printable + "é", max_size=30),
    numbers(),
    st.text("0123456789Aab.@ x", max_size=20),
)
def test_no_text_keeps_an_ins_whole(before: str, number: str, after: str) -> None:
    assert number not in mask_text(before + number + after)


@pytest.mark.req("INS-7")
@given(
    numbers(right_key=False),
    st.sampled_from(["{}@patient.mssante.fr", "<{}>", "x{}y", "a.{}-b", "_{}_", "é{}."]),
)
def test_a_wrong_key_or_none_is_masked_too(number: str, frame: str) -> None:
    assert number[5:13] not in mask_text(frame.format(number))
    assert number[5:13] not in mask_text(frame.format(number[:13]))


@pytest.mark.req("INS-7")
def test_timestamps_and_message_ids_stay_readable() -> None:
    for text in ("<20261121072757.1234@mail.example>", "20261121072757", "1795245600123456789"):
        assert mask_text(text) == text


@pytest.mark.req("INS-7")
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("CN=mx.example,OU=318003502400041,O=CNAM", "CN=mx.example,OU=318003502400041,O=CNAM"),
        ("ou=347976684200724", "ou=347976684200724"),
        ("OU=285037728417346", "OU=2 85 03 ** *** *** **"),
        ("OU=38503772841736", "OU=38503772841736"),
        ("OU= 318003502400041", "OU= 3 18 00 ** *** *** **"),
        ("U=318003502400041", "U=3 18 00 ** *** *** **"),
        ("318003502400041@patient.mssante.fr", "3 18 00 ** *** *** **@patient.mssante.fr"),
    ],
)
def test_the_number_of_a_structure_in_a_dn_stays_readable(text: str, masked: str) -> None:
    """A SIRET with its prefix has the shape of an INS; only where a DN holds it is it left alone."""
    assert mask_text(text) == masked


@pytest.mark.req("INS-7")
@given(numbers().filter(lambda number: number[0] == "3"))
def test_an_ins_with_a_valid_key_is_masked_in_a_dn_as_well(number: str) -> None:
    """A temporary INS begins with 3, too; its key tells it from a structure."""
    assert number not in mask_text(f"CN=mx,OU={number},O=X")


@pytest.mark.req("INS-7")
@pytest.mark.parametrize("text", ["185032A123456", "1850375123456", "1 85 03 2A 123 456", "x185032a123456y"])
def test_the_fewest_digits_that_an_ins_can_have_are_masked(text: str) -> None:
    """Twelve digits and a letter of Corsica: texts with fewer digits are not searched at all."""
    assert mask_text(text) != text
    assert "123456" not in mask_text(text).replace(" ", "")

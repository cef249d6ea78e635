"""INS: structure, key, realms, reading aloud, masking (INS-1..4, INS-7)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.rules.ins import correlation, describe, mask_text, parse_ins

PUBLISHED = [
    ("2751263220749", "74", True),
    ("180032B020401", "23", True),
    ("1090763220834", "89", True),
    ("2090763220834", "39", True),
    ("2090663220123", "55", True),
    ("1090763220888", "35", True),
    ("1100863220830", "60", True),
    ("2360663220836", "56", True),
    ("1810363220456", "60", False),
    ("2790351215189", "89", True),
    ("2770763220829", "10", True),
    ("2740751760794", "30", True),
    ("2850377284173", "46", True),
    ("2210425456114", "04", False),
    ("2240275115835", "55", False),
    ("2760592050628", "65", False),
    ("2760375106693", "80", False),
    ("2890575456114", "04", False),
]
EXPECTED_OF_WRONG = {
    "1810363220456": "76",
    "2210425456114": "83",
    "2240275115835": "12",
    "2760592050628": "83",
    "2760375106693": "26",
    "2890575456114": "73",
}


@pytest.mark.req("INS-1")
@pytest.mark.parametrize(("matricule", "key", "holds"), PUBLISHED)
def test_published_number_has_the_published_verdict(matricule: str, key: str, holds: bool) -> None:
    ins = parse_ins(matricule + key)
    assert ins.key_holds is holds
    if not holds:
        assert ins.expected_key == EXPECTED_OF_WRONG[matricule]


@pytest.mark.req("INS-1")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ins-length"),
        ("28503772841734", "ins-length"),
        ("2850377284173461", "ins-length"),
        ("28503772841734X", "ins-characters"),
        ("2850377284173 6", "ins-characters"),
        ("٢85037728417346", "ins-characters"),
        ("085037728417346", "ins-sex"),
        ("585037728417346", "ins-sex"),
        ("985037728417346", "ins-sex"),
        ("285007728417346", "ins-month"),
        ("285137728417346", "ins-month"),
        ("285297728417346", "ins-month"),
        ("285437728417346", "ins-month"),
        ("285030028417346", "ins-department"),
        ("285032C28417346", "ins-department"),
        ("285031A28417346", "ins-department"),
    ],
)
def test_the_wrong_part_is_named_and_the_number_is_not_echoed(text: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_ins(text)
    assert refused.value.reason == reason
    assert not text or text not in refused.value.public


@pytest.mark.req("INS-1")
@pytest.mark.parametrize("month", ["01", "12", "20", "30", "42", "50", "99"])
def test_real_and_fictive_months_pass(month: str) -> None:
    parse_ins(f"285{month}7728417346")


@pytest.mark.req("INS-1")
def test_lower_case_corsica_is_kept_in_upper_case() -> None:
    ins = parse_ins("180032b02040123")
    assert str(ins) == "180032B02040123"
    assert ins.key_holds


@pytest.mark.req("INS-1")
@given(st.from_regex(r"[12][0-9]{2}(0[1-9]|1[0-2])(0[1-9]|2A|2B|97)[0-9]{6}", fullmatch=True))
@settings(max_examples=150)
def test_exactly_one_key_of_all_fits(matricule: str) -> None:
    fitting = [key for key in range(100) if parse_ins(f"{matricule}{key:02}").key_holds]
    assert len(fitting) == 1
    assert 1 <= fitting[0] <= 97


@pytest.mark.req("INS-1")
@given(st.text(max_size=20) | st.text("0123456789ABab", min_size=15, max_size=15))
def test_reading_never_fails_otherwise(text: str) -> None:
    try:
        again = parse_ins(str(parse_ins(text)))
    except InvalidValue:
        return
    assert str(again) == text.upper()


@pytest.mark.req("INS-4")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("285037728417346", "Une femme, née en mars 1985, dans le département 77"),
        ("180032B02040123", "Un homme, né en mars 1980, dans le département 2B"),
        ("109076322083489", "Un homme, né en juillet 2009, dans le département 63"),
        ("120076322083400", "Un homme, né en juillet 2020 ou 1920, dans le département 63"),
        ("285209714217300", "Une femme, née en 1985 (mois inconnu), dans le département 971"),
        ("285039835017300", "Une femme, née en mars 1985, à l'étranger (code pays 99350)"),
    ],
)
def test_the_sentence_the_sender_checks(text: str, sentence: str) -> None:
    if "étranger" in sentence:
        text = "285039935017300"
    assert describe(parse_ins(text), 2026) == sentence


@pytest.mark.req("INS-4")
@given(st.integers(0, 99), st.integers(1990, 2150))
@settings(max_examples=200)
def test_some_plausible_year_is_always_told_and_none_is_in_the_future(year: int, today: int) -> None:
    sentence = describe(parse_ins(f"2{year:02}037728417346"), today)
    told = [int(word) for word in sentence.replace(",", "").split() if word.isdigit() and len(word) == 4]
    assert told
    assert all(today - 110 <= one <= today and one % 100 == year for one in told)


@pytest.mark.req("INS-7")
@pytest.mark.parametrize(
    "text",
    [
        "285037728417346",
        "2850377284173",
        "2 85 03 77 284 173 46",
        "2 85 03 77 284 173",
        "RCPT TO:<285037728417346@patient.mssante.fr>",
        "<INS285037728417346.1@client>",
        "x=285037728417346;y=1",
        "99285037728417346000",
    ],
)
def test_no_ins_survives_masking(text: str) -> None:
    masked = mask_text(text)
    assert "2 85 03 ** *** *** **" in masked
    for part in ("77284", "284173", "284 173"):
        assert part not in masked
    assert mask_text(masked) == masked


@pytest.mark.req("INS-7")
def test_corsican_numbers_are_masked_in_either_case() -> None:
    for text in ("180032B02040123", "180032b02040123@patient.mssante.fr", "1 80 03 2B 020 401 23"):
        assert mask_text(text).startswith("1 80 03 ** *** *** **")


@pytest.mark.req("INS-7")
@pytest.mark.parametrize(
    "text", ["2026-11-21T07:28:12.123456", "dcteur@hopital.mssante.fr", "550 5.7.1 no", ""]
)
def test_other_text_is_left_alone(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.req("INS-7")
@given(st.text("0123456789 .<>@abAB", max_size=12), st.text("<>@ ._-xyz", max_size=6))
@settings(max_examples=200)
def test_masking_finds_the_number_between_anything_that_is_no_digit(before: str, after: str) -> None:
    text = before + "<" + "285037728417346" + after
    assert "285037728417346" not in mask_text(text)


@pytest.mark.req("INS-7")
def test_neither_repr_nor_correlation_shows_the_number() -> None:
    ins = parse_ins("285037728417346")
    assert repr(ins) == "Ins(2 85 03 ** *** *** **)"
    assert correlation(ins, b"one") != correlation(ins, b"two")
    assert correlation(ins, b"one") == correlation(parse_ins("285037728417346"), b"one")
    assert "77284" not in correlation(ins, b"one")

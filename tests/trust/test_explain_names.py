"""In which attributes two DNs differ, and which of several is the nearest (TRU-4, TRU-8)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.trust import dn
from mss_gateway.trust.explain_names import Difference, attributes_of, differences, near, nearest, plain

CERTIFICATE = (
    ("C", "FR"),
    ("ST", "Paris (75)"),
    ("O", "CNAM TS"),
    ("OU", "1750000018"),
    ("CN", "mx.cnam.fr"),
)
KINDS = st.sampled_from(["CN", "O", "OU", "ST", "L", "C", "2.5.4.97"])
VALUES = st.sampled_from(["a", "A", "b", "c  d", "c d", "é", "É", "x,y"])
NAMES = st.lists(st.tuples(KINDS, VALUES), min_size=1, max_size=6)


@pytest.mark.req("TRU-8", "TRU-4")
def test_a_difference_is_told_with_both_spellings() -> None:
    """As an operator would write it to the other one."""
    listed = dn.parse("CN=mx.cnam.fr,OU=1750000018,O=CNAM,L=Paris (75),C=FR")
    found = differences(listed, CERTIFICATE, st_is_l=True)
    assert [str(one) for one in found] == ["O is CNAM on the list and CNAM TS in the certificate"]
    found = differences(listed[:-2], CERTIFICATE, st_is_l=True)
    assert {str(one) for one in found} == {
        "O is CNAM on the list and CNAM TS in the certificate",
        "C is FR in the certificate, and the list has none",
        "ST is Paris (75) in the certificate, and the list has none",
    }
    assert str(Difference("2.5.4.5", "x", "")) == "2.5.4.5 is x on the list, and the certificate has none"


@pytest.mark.req("TRU-4")
@given(NAMES, NAMES, st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_difference_means_the_same_key_and_the_other_way_round(
    left: list[tuple[str, str]], right: list[tuple[str, str]], st_is_l: bool
) -> None:
    """What is shown never disagrees with what is compared."""
    same = dn.key_of(left, st_is_l=st_is_l) == dn.key_of(right, st_is_l=st_is_l)
    assert (differences(left, right, st_is_l=st_is_l) == ()) == same


def test_the_nearest_is_the_one_with_the_fewest_differences() -> None:
    """Of equal ones that with the same CN."""
    texts = [
        "CN=mx.autre.fr,OU=1750000018,O=CNAM TS,ST=Paris (75),C=FR",
        "CN=mx.cnam.fr,OU=1750000018,O=CNAM,ST=Paris (75),C=FR",
        "CN=mx.loin.fr,OU=1,O=LOIN,ST=Ain (01),C=FR",
    ]
    names = {dn.key_of_text(text): text for text in texts}
    found = nearest(names, names, CERTIFICATE, st_is_l=True)
    assert found is not None
    assert names[found[0]] == texts[1]
    assert near(found[1], CERTIFICATE)
    assert nearest((), names, CERTIFICATE, st_is_l=True) is None
    far = nearest([dn.key_of_text(texts[2])], names, CERTIFICATE, st_is_l=True)
    assert far is not None
    assert not near(far[1], CERTIFICATE)
    # A list whose text cannot be read any more is known by its key.
    key = dn.key_of_text('CN="a,b",C=FR')
    assert attributes_of(key, {}) == (("c", "fr"), ("cn", "a,b"))


@pytest.mark.req("INS-7")
def test_numbers_of_structures_stay_whole_and_an_ins_does_not() -> None:
    """A SIRET with its prefix is as long as an INS."""
    assert plain("300000000000019") == "300000000000019"
    assert "285037728417346" not in plain("285037728417346")
    assert "285037728417346" not in plain("x 285037728417346")
    assert plain("a\x1b[31m\n b").isprintable()

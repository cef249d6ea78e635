"""Looking for what begins like an INS first changes nothing of what is masked (INS-7)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mss_gateway.rules import ins

pieces = st.sampled_from(
    (
        "285037728417346",
        "2850377284173",
        "1 85 03 2A 284 173 46",
        "2.85.03.77.284.173",
        "2-85\u00a003\u202f77 284 173 46",
        "20261121100000.4711",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "A",
        "b",
        "1",
        "85 ",
        ".",
        "-",
        " ",
        "OU=",
        "<",
        "@x>",
        "185032A284173",
        "99285037728417346",
        "123456",
        "é",
    )
)


@pytest.mark.req("INS-7")
@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(pieces, st.text("0123456789AB .-", max_size=8)), max_size=7).map("".join))
def test_what_is_masked_is_what_a_thorough_look_masks(text: str) -> None:
    """Both patterns over the whole text, however few digits it has."""
    assert ins.mask_text(text) == ins._PRINTED.sub(ins._MASK, ins._DIGITS.sub(ins._mask_digits, text))

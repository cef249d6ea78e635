"""PURE. SASLprep (RFC 4013): one spelling for texts that look the same, before they are compared or hashed."""

from __future__ import annotations

import stringprep
import unicodedata

_NORMALIZER = unicodedata.ucd_3_2_0
"""stringprep is defined on Unicode 3.2 (RFC 3454)."""

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str | None:
    """The prepared text, None when it holds what RFC 4013 prohibits or mixes directions against RFC 3454 section 6.

    Characters that Unicode 3.2 did not know pass, as in queries: passwords are compared, never shown.
    """
    if text.isascii():
        return text if text.isprintable() else None
    letters = set(text)
    mapped = text.translate(
        {
            **{ord(one): " " for one in letters if stringprep.in_table_c12(one)},
            **{ord(one): None for one in letters if stringprep.in_table_b1(one)},
        }
    )
    prepared = _NORMALIZER.normalize("NFKC", mapped)
    # Each letter once: strangers send texts that grow eighteenfold under NFKC.
    if any(table(one) for one in set(prepared) for table in _PROHIBITED):
        return None
    return prepared if _directed(prepared) else None


def _directed(text: str) -> bool:
    """RFC 3454 section 6: a text with a right-to-left character begins and ends with one, and has no other."""
    letters = set(text)
    if not any(map(stringprep.in_table_d1, letters)):
        return True
    if any(map(stringprep.in_table_d2, letters)):
        return False
    return stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])

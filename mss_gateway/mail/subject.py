"""The base subject, by which messages are sorted and threaded (RFC 5256 section 2.1)."""

from __future__ import annotations

import re

_LONGEST = 998  # characters looked at: keeps the repeated removal short
_LEADER = re.compile(r"(?:\[[^\[\]]*+\][ ]?)*+(?:re|fwd?) ?(?:\[[^\[\]]*+\] ?)?:", re.IGNORECASE)
_BLOB = re.compile(r"\[[^\[\]]*+\] ?")
_SPACES = re.compile(r"[ \t\r\n]+")


def base_subject(subject: str) -> str:
    """Return a decoded subject without reply and forward marks, mailing list tags and spare white space."""
    return split_subject(subject)[0]


def split_subject(subject: str) -> tuple[str, bool]:
    """Return the base subject of a decoded subject, and whether its marks say that it is a reply or was forwarded."""
    text = _SPACES.sub(" ", subject[:_LONGEST]).strip(" ")
    marked = False
    while True:
        while text[-5:].lower() == "(fwd)":
            text = text[:-5].rstrip(" ")
            marked = True
        position = 0
        while True:
            match = _LEADER.match(text, position)
            if match is None:
                match = _BLOB.match(text, position)
                if match is None or not text[match.end() :].strip(" "):
                    break
            else:
                marked = True
            position = match.end()
            while text[position : position + 1] == " ":
                position += 1
        text = text[position:]
        if text[:5].lower() == "[fwd:" and text.endswith("]"):
            text = text[5:-1].strip(" ")
            marked = True
            continue
        return text, marked

"""One row of a file of mailboxes: what is wanted of a box, cell by cell (BAL-1..5, BAL-9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import Address, parse_address

from .boxes import check_auto_close, check_fin, check_login
from .facts import BoxState, BoxType
from .national import check_person_id, check_structure_id
from .quota import parse_messages, parse_octets

NOTHING = "-"
"""What a cell holds to empty a field; an empty cell leaves it as it is."""

MOST_MEMBERS = 500
"""Members that one row may name."""

TEXT_LENGTH = 200
"""Characters of a name."""

_SPLIT = re.compile(r"[\s,|;]+")
_TYPES = {kind.value: kind for kind in BoxType if kind is not BoxType.PAT}
_STATES = {
    **dict.fromkeys(("active", "actif", "activé", "activée"), BoxState.ACTIVE),
    **dict.fromkeys(("suspended", "suspendu", "suspendue"), BoxState.SUSPENDED),
    **dict.fromkeys(("closed", "fermé", "fermée", "ferme", "fermee", "clos", "close"), BoxState.CLOSED),
}
_YES = frozenset(("oui", "o", "yes", "y", "true", "vrai", "1"))
_NO = frozenset(("non", "n", "no", "false", "faux", "0"))


@dataclass(frozen=True, slots=True)
class WantedBox:
    """What a row says; None is what it leaves as it is, an empty text what it empties. A quota of 0 is the default."""

    address: Address
    type: BoxType
    display: str | None = None
    structure: str | None = None
    responsible: str | None = None
    national_id: str | None = None
    login: str | None = None
    members: tuple[str, ...] | None = None
    state: BoxState | None = None
    reason: str = ""
    quota_bytes: int | None = None
    quota_messages: int | None = None
    patient_initiated: bool | None = None
    password_login: bool | None = None
    fin: str | None = None
    auto_close: str | None = None


def parse_box_row(row: Mapping[str, str]) -> WantedBox:
    """Read the cells of one row by field name; raises `InvalidValue` for the first that is wrong."""
    address = parse_address(row.get("address", "").strip())
    kind = _TYPES.get(row.get("type", "").strip().upper())
    if kind is None:
        raise InvalidValue("the type is PER, ORG, APP or CAB", "box-type")
    structure, responsible = _cell(row, "structure"), _cell(row, "responsible")
    national_id, login = _cell(row, "national_id"), _cell(row, "login")
    if structure:
        check_structure_id(structure)
    for number in (responsible, national_id):
        if number:
            check_person_id(number)
    if login:
        check_login(login)
    if kind is not BoxType.PER and (national_id or (login and kind is not BoxType.APP)):
        raise InvalidValue(f"a {kind.value} mailbox has members, no holder", "role")
    fin, auto_close = _cell(row, "fin"), _cell(row, "auto_close")
    if fin is not None:
        check_fin(fin)
    if auto_close is not None:
        auto_close = "" if auto_close == "never" else auto_close
        check_auto_close(auto_close, kind)
    return WantedBox(
        address=address,
        type=kind,
        display=_text(row, "display"),
        structure=structure,
        responsible=responsible,
        national_id=national_id or None,
        login=login or None,
        members=_members(row, kind),
        state=_state(row),
        reason=(_text(row, "reason") or ""),
        quota_bytes=_quota(row, "quota_bytes"),
        quota_messages=_quota(row, "quota_messages"),
        patient_initiated=_yes(row, "patient_initiated"),
        password_login=_yes(row, "password_login"),
        fin=fin,
        auto_close=auto_close,
    )


def _cell(row: Mapping[str, str], name: str) -> str | None:
    value = row.get(name, "").strip()
    if not value:
        return None
    return "" if value == NOTHING else value


def _text(row: Mapping[str, str], name: str) -> str | None:
    value = _cell(row, name)
    if value is not None and (len(value) > TEXT_LENGTH or not value.isprintable()):
        raise InvalidValue(
            f"{name} has more than {TEXT_LENGTH} characters, or one that is not printed", "text"
        )
    return value


def _members(row: Mapping[str, str], kind: BoxType) -> tuple[str, ...] | None:
    value = _cell(row, "members")
    if value is None:
        return None
    logins = tuple(dict.fromkeys(login for login in _SPLIT.split(value) if login))
    if logins and kind not in (BoxType.ORG, BoxType.CAB):
        raise InvalidValue(f"a {kind.value} mailbox has no members", "role")
    if len(logins) > MOST_MEMBERS:
        raise InvalidValue(f"a row names at most {MOST_MEMBERS} members", "members")
    for login in logins:
        check_login(login)
    return logins


def _state(row: Mapping[str, str]) -> BoxState | None:
    value = row.get("state", "").strip().lower()
    if not value:
        return None
    if value not in _STATES:
        raise InvalidValue("the state is active, suspended or closed", "box-state")
    return _STATES[value]


def _quota(row: Mapping[str, str], name: str) -> int | None:
    value = _cell(row, name)
    if value is None:
        return None
    if not value:
        return 0
    return parse_octets(value) if name == "quota_bytes" else parse_messages(value)


def _yes(row: Mapping[str, str], name: str) -> bool | None:
    value = row.get(name, "").strip().lower()
    if not value:
        return None
    if value in _YES or value in _NO:
        return value in _YES
    raise InvalidValue(f"{name} is yes or no (oui, non)", "yes-or-no")


def check_closing(closing: int, in_use: int, percent: int, unread: int) -> None:
    """Raise `InvalidValue` when a file would close too much to be right, as a trusted list cut short would (TRU-3).

    `unread` are lines whose address could not be read: the mailboxes on them may be among those that seem missing.
    """
    if not closing:
        return
    if unread:
        raise InvalidValue(
            f"{unread} lines have no address that can be read, so that nobody knows what is missing",
            "unread-lines",
        )
    if closing * 100 > in_use * percent:
        raise InvalidValue(
            f"{closing} of {in_use} mailboxes in use are not in the file, more than {percent} %",
            "mass-closing",
        )

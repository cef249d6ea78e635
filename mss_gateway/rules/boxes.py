"""How mailboxes may be set up and how they live (BAL-1..5, PAT-1)."""

from __future__ import annotations

from mss_gateway.base.errors import InvalidValue
from mss_gateway.mail.address import Address, parse_address

from .facts import BoxState, BoxType, House, Realm
from .ins import Ins, parse_ins
from .national import check_person_id, check_structure_id

_LIFE: dict[BoxState, frozenset[BoxState]] = {
    BoxState.ACTIVE: frozenset({BoxState.SUSPENDED, BoxState.CLOSED}),
    BoxState.NOT_ACTIVATED: frozenset({BoxState.ACTIVE, BoxState.CLOSED}),
    BoxState.SUSPENDED: frozenset({BoxState.ACTIVE, BoxState.CLOSED}),
    BoxState.CLOSED: frozenset({BoxState.ACTIVE, BoxState.PURGED}),
    BoxState.PURGED: frozenset(),
}
"""BAL-5: which state may follow which; a closed box can be taken up again until it is purged."""

ROLES: dict[BoxType, frozenset[str]] = {
    BoxType.PER: frozenset({"holder"}),
    BoxType.ORG: frozenset({"member", "responsible"}),
    BoxType.CAB: frozenset({"member", "responsible"}),
    BoxType.APP: frozenset({"responsible"}),
    BoxType.PAT: frozenset({"holder", "carer"}),
}
"""Which ties a person may have to a box of each type (BAL-2..4, PAT-6)."""

DELEGABLE = frozenset({BoxType.PER, BoxType.ORG, BoxType.CAB})
"""Types of which a person may get the right to write without reading: never software's, never a patient's (BAL-6)."""

_PATIENT_STATES: dict[str, tuple[BoxState, str]] = {
    **dict.fromkeys(("active", "actif", "activé", "activée", "activated"), (BoxState.ACTIVE, "")),
    **dict.fromkeys(
        ("not_activated", "not activated", "non activé", "non activée", "non actif", "inactive"),
        (BoxState.NOT_ACTIVATED, ""),
    ),
    **dict.fromkeys(
        ("closed", "clos", "close", "clôturé", "clôturée", "cloture", "fermé", "fermée"),
        (BoxState.CLOSED, ""),
    ),
    **dict.fromkeys(("opposed", "opposé", "opposée", "opposition"), (BoxState.CLOSED, "opposed")),
    **dict.fromkeys(("none", "aucun", "aucune", "absent", "absente"), (BoxState.CLOSED, "none")),
    **dict.fromkeys(("deceased", "décédé", "décédée", "dcd"), (BoxState.CLOSED, "deceased")),
}

LOGIN_LENGTH = 254
"""Characters of a login: it may be an address."""

AUTO_CLOSE_DAYS = 3650
"""The longest silence that closes a channel by itself (CHN-8)."""


def check_transition(kind: BoxType, before: BoxState, after: BoxState) -> None:
    """Raise `InvalidValue` when the box cannot go from one state to the other."""
    if after not in _LIFE[before]:
        sentence = f"a mailbox that is {before.value} cannot become {after.value}"
        if before is after:
            sentence = f"the mailbox is {before.value} already"
        raise InvalidValue(sentence, "state-transition")
    if kind is BoxType.PAT and after is BoxState.SUSPENDED:
        raise InvalidValue("a patient's mailbox is active, not activated or closed", "patient-state")


def check_purge(state: BoxState, closed_at: float, now: float, house: House) -> None:
    """Raise `InvalidValue` unless the box is closed and its retention has passed; times in epoch seconds (BAL-5)."""
    if state is not BoxState.CLOSED:
        raise InvalidValue(
            f"a mailbox that is {state.value} cannot be purged: close it first", "state-transition"
        )
    left = closed_at + house.purge_after_days * 86400 - now
    if left > 0:
        days = int(left // 86400) + 1
        raise InvalidValue(
            f"the mailbox is kept for {days} more days: it can still be taken up again", "retention"
        )


def check_member(kind: BoxType, role: str, holders: int) -> None:
    """Raise `InvalidValue` when a person cannot have this role in a box with so many holders."""
    if role not in ROLES[kind]:
        raise InvalidValue(f"a {kind.value} mailbox has no {role}", "role")
    if role == "holder" and holders:
        raise InvalidValue("the mailbox already has its one holder", "second-holder")


def check_delegation(kind: BoxType, begins: float, ends: float, now: float) -> None:
    """Raise `InvalidValue` when nobody may write for a box of this type, or not in this time (BAL-6)."""
    if kind not in DELEGABLE:
        raise InvalidValue(f"nobody but its own login writes from a {kind.value} mailbox", "delegation-type")
    if ends <= now:
        raise InvalidValue("the end of the delegation has passed already", "delegation-time")
    if ends <= begins:
        raise InvalidValue("a delegation ends after it begins", "delegation-time")


def check_login(login: str) -> None:
    """Raise `InvalidValue` unless people can type it: 1 to 254 characters, printable, without a space."""
    if not 1 <= len(login) <= LOGIN_LENGTH or not login.isprintable() or " " in login:
        raise InvalidValue(f"a login has 1 to {LOGIN_LENGTH} characters and no space", "login-shape")


def check_reason(reason: str) -> None:
    """Raise `InvalidValue` unless a person who changes a state says why (BAL-5)."""
    if not reason.strip():
        raise InvalidValue("say why: --reason is kept in the trace", "reason-missing")


def check_box(kind: BoxType, national_id: str, structure: str, responsible: str) -> None:
    """Raise `InvalidValue` when what the type requires is missing or malformed.

    PER: the holder's national id. ORG, CAB, APP: a responsible professional and a structure.
    """
    if kind is BoxType.PER:
        check_person_id(national_id)
    check_place(kind, structure, responsible)


def check_place(kind: BoxType, structure: str, responsible: str) -> None:
    """Raise `InvalidValue` unless a box says where it belongs and who answers for it, as its type requires (BAL-3).

    A PER or patient's box answers for itself; a structure that it names is checked all the same.
    """
    if kind in (BoxType.PER, BoxType.PAT):
        if responsible:
            raise InvalidValue(f"a {kind.value} mailbox has a holder, no responsible professional", "role")
        if structure:
            check_structure_id(structure)
        return
    check_person_id(responsible)
    check_structure_id(structure)


def check_patient(address: Address, house: House) -> Ins:
    """The INS of a patient's address; raise `InvalidValue` (INS-1, INS-2)."""
    if address.domain != house.patient_domain:
        raise InvalidValue(f"a patient's address ends in @{house.patient_domain}", "patient-domain")
    ins = parse_ins(address.local)
    if not ins.key_holds and house.realm is Realm.PRODUCTION:
        raise InvalidValue("the key (last 2 digits) of the INS is wrong", "ins-key")
    return ins


def check_fin(value: str) -> None:
    """Raise `InvalidValue` unless the BAL-8 choice is `fin`, `leave` or `reply-to=ADDRESS` with a true address."""
    if value in ("fin", "leave"):
        return
    if not value.startswith("reply-to="):
        raise InvalidValue("the choice is fin, leave or reply-to=ADDRESS", "fin-choice")
    parse_address(value.removeprefix("reply-to="))


def silence_of(auto_close: str) -> int | None:
    """The days without traffic after which a box's exchanges are closed, None for another choice (CHN-8)."""
    return int(auto_close.removeprefix("days=")) if auto_close.startswith("days=") else None


def check_auto_close(value: str, kind: BoxType) -> None:
    """Raise `InvalidValue` unless the CHN-8 choice is empty, `answer`, `send` (APP only) or `days=N`, 1 to 3650."""
    if value in ("", "answer"):
        return
    if value == "send":
        if kind is not BoxType.APP:
            raise InvalidValue("only an APP mailbox closes after every send", "auto-close-choice")
        return
    days = value.removeprefix("days=")
    if days == value or not (days.isascii() and days.isdigit() and len(days) <= 4):
        raise InvalidValue("the choice is answer, send, days=N or never", "auto-close-choice")
    if not 1 <= int(days) <= AUTO_CLOSE_DAYS:
        raise InvalidValue(f"the days of silence are 1 to {AUTO_CLOSE_DAYS}", "auto-close-choice")


_SPACE = (
    "mssante"  # in the name of every domain of the trust space, patient.mssante.fr to mssante.apicrypt.org
)


def check_alert(value: str, house: House, hosted: frozenset[str] = frozenset()) -> None:
    """Raise `InvalidValue` unless a patient can be told there: a personal address, outside of MSSanté (PAT-3)."""
    domain = parse_address(value).domain
    if domain == house.patient_domain or domain in hosted or _SPACE in domain:
        raise InvalidValue(
            "the alert goes to the patient's personal address, outside MSSanté", "alert-address"
        )


def parse_patient_state(value: str) -> tuple[BoxState | None, str]:
    """A patient's state as offices write it, with the reason of a closure; None when nothing is said (PAT-1).

    Raises `InvalidValue`.
    """
    word = value.strip().lower()
    if not word:
        return None, ""
    if word not in _PATIENT_STATES:
        raise InvalidValue(
            "a patient's mailbox is active, not_activated or closed (opposed, none, deceased)",
            "patient-state",
        )
    return _PATIENT_STATES[word]

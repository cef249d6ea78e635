"""From a row and what is known to a plan for one mailbox, or the reason why not (BAL-1..5)."""

from __future__ import annotations

from dataclasses import replace

from mss_gateway.base.errors import InvalidValue
from mss_gateway.ports.imports import BoxPlan, Census, WantedTie
from mss_gateway.ports.records import BoxChoices, BoxRow, NewBox, Person
from mss_gateway.rules.box_rows import WantedBox
from mss_gateway.rules.boxes import check_box, check_reason, check_transition
from mss_gateway.rules.facts import BoxState, BoxType

_CHOICES = (
    "display",
    "structure",
    "responsible",
    "patient_initiated",
    "password_login",
    "fin",
    "auto_close",
    "quota_bytes",
    "quota_messages",
)


class Planner:
    """Plans rows against one census; `warnings` are (sentence, slug) of the last row planned."""

    def __init__(self, census: Census, source: str, exact: bool) -> None:
        self._census = census
        self._source = source
        self._exact = exact
        self.warnings: list[tuple[str, str]] = []

    def plan(self, wanted: WantedBox) -> BoxPlan | None:
        """What the row changes, None for nothing; raises `InvalidValue`."""
        self.warnings = []
        box = self._census.boxes.get(wanted.address.key)
        plan = self._created(wanted) if box is None else self._changed(wanted, box)
        return plan if plan.changes else None

    def _created(self, wanted: WantedBox) -> BoxPlan:
        check_box(wanted.type, wanted.national_id or "", wanted.structure or "", wanted.responsible or "")
        if wanted.state is BoxState.CLOSED:
            raise InvalidValue("a mailbox that is not there cannot be closed", "state-transition")
        new = NewBox(
            address=str(wanted.address),
            type=wanted.type,
            display=wanted.display or "",
            structure=wanted.structure or "",
            responsible=wanted.responsible or "",
            patient_initiated=bool(wanted.patient_initiated),
            fin=wanted.fin or "fin",
            password_login=bool(wanted.password_login),
            auto_close=wanted.auto_close or "",
        )
        if wanted.type is BoxType.APP and not new.password_login:
            self.warnings.append(
                (
                    "an APP mailbox without password login needs a certificate: see `bal certificate`",
                    "app-login",
                )
            )
        choices = BoxChoices(quota_bytes=wanted.quota_bytes, quota_messages=wanted.quota_messages)
        return BoxPlan(
            new=new,
            choices=choices if choices != BoxChoices() else None,
            state=wanted.state if wanted.state is not BoxState.ACTIVE else None,
            reason=self._reason(wanted),
            ties=self._ties(wanted, None),
            changes=("new",),
        )

    def _reason(self, wanted: WantedBox) -> str:
        return wanted.reason or f"import of {self._source}"

    def _changed(self, wanted: WantedBox, box: BoxRow) -> BoxPlan:
        if box.type is not wanted.type:
            raise InvalidValue(f"the mailbox is {box.type.value}: a type is for ever", "type-change")
        if box.state is BoxState.PURGED:
            raise InvalidValue("the mailbox is purged: its address is not given again", "state-transition")
        chosen = {
            name: value
            for name in _CHOICES
            if (value := getattr(wanted, name)) is not None and value != getattr(box, name)
        }
        state = wanted.state if wanted.state not in (None, box.state) else None
        if state is not None:
            check_transition(box.type, box.state, state)
            check_reason(self._reason(wanted))
        after = replace(
            box, **{name: chosen[name] for name in ("structure", "responsible") if name in chosen}
        )
        if box.type is not BoxType.PER and chosen.keys() & {"structure", "responsible"}:
            check_box(box.type, "", after.structure, after.responsible)
        ties = self._ties(wanted, box)
        untie = self._untied(wanted, box)
        changes = [*chosen]
        changes += ["state"] if state is not None else []
        changes += ["people"] if ties or untie else []
        return BoxPlan(
            box=box,
            choices=BoxChoices(**chosen) if chosen else None,
            state=state,
            reason=self._reason(wanted),
            ties=ties,
            untie=untie,
            changes=tuple(changes),
        )

    def _ties(self, wanted: WantedBox, box: BoxRow | None) -> tuple[WantedTie, ...]:
        here = self._census.ties.get(box.id, ()) if box is not None else ()
        if wanted.type in (BoxType.ORG, BoxType.CAB):
            present = {person.login.lower() for person, role in here if role == "member"}
            return tuple(
                self._tie(login, login, "", "member")
                for login in wanted.members or ()
                if login.lower() not in present
            )
        holders = [person for person, role in here if role == "holder"]
        if holders:
            _check_holder(wanted, holders[0])
            return ()
        if wanted.type is BoxType.APP and not (wanted.login and wanted.password_login):
            return ()
        if wanted.type is BoxType.PER and not wanted.national_id:
            if box is not None:
                return ()
            raise InvalidValue("a PER mailbox needs its holder's national id", "national-id")
        login = wanted.login or self._login_of(wanted)
        name = wanted.display or login
        return (self._tie(login, name, wanted.national_id or "", "holder"),)

    def _login_of(self, wanted: WantedBox) -> str:
        """Who has the national id already holds this mailbox too; else the address is the login."""
        known = [
            one
            for one in self._census.by_number.get(wanted.national_id or "", ())
            if one.id not in self._census.patients
        ]
        if len(known) > 1:
            raise InvalidValue("several persons have this national id: name the login", "several")
        return known[0].login if known else str(wanted.address)

    def _tie(self, login: str, name: str, national_id: str, role: str) -> WantedTie:
        person = self._census.people.get(login.lower())
        if person is None:
            person = next(
                (
                    one
                    for one in self._census.by_number.get(national_id, ())
                    if one.login.lower() == login.lower()
                ),
                None,
            )
        if person is not None and person.id in self._census.patients:
            raise InvalidValue("this login opens a patient's mailbox", "patient-login")
        if person is not None and national_id and person.national_id not in ("", national_id):
            raise InvalidValue("this login belongs to another national id", "national-id-mismatch")
        if person is None and self._census.by_number.get(national_id):
            self.warnings.append(("another login has this national id as well", "national-id-taken"))
        return WantedTie(login, name, national_id, role)

    def _untied(self, wanted: WantedBox, box: BoxRow) -> tuple[int, ...]:
        if not self._exact or wanted.members is None:
            return ()
        kept = {login.lower() for login in wanted.members}
        return tuple(
            person.id
            for person, role in self._census.ties.get(box.id, ())
            if role == "member" and person.login.lower() not in kept
        )


def _check_holder(wanted: WantedBox, holder: Person) -> None:
    """A nominative mailbox holds its holder's mail: no file gives it to somebody else (BAL-2)."""
    number, login = wanted.national_id, wanted.login
    if number and holder.national_id and number != holder.national_id:
        raise InvalidValue(
            "the mailbox has another holder: close it and provision a new one", "holder-change"
        )
    if login and login.lower() != holder.login.lower():
        raise InvalidValue("the holder has another login: change it with `person set`", "holder-change")

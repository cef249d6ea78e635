"""`patient import`, `patient set`, `patient carer` (PAT-1, PAT-3, PAT-6)."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mss_gateway.base.errors import InvalidValue
from mss_gateway.cli.importing import SOME_REFUSED
from mss_gateway.dev.wire import tls
from mss_gateway.rules.boxes import parse_patient_state
from mss_gateway.rules.facts import BoxState
from tests.support.commands import Site
from tests.support.identities import CORSE, made_up
from tests.support.journeys import letter
from tests.support.process import GatewayProcess

HEADER = "INS;Nom;État;Adresse d'alerte"
INS = CORSE["ins"]
PASSWORD = "un-mot-de-passe-d-essai"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that the commands talk to."""
    process = GatewayProcess(tmp_path)
    yield process
    assert process.stop() == 0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The sample's mailboxes, no gateway running."""
    return Site(tmp_path)


def patient(site: Site, ins: str) -> dict[str, object]:
    """The mailbox of an INS, as `patient list` has it."""
    found = site.json("patient", "list", "--full")["patients"]
    return next(one for one in found if one["address"].startswith(ins))


@pytest.mark.req("PAT-1")
def test_mailboxes_are_created_in_each_state(site: Site) -> None:
    """The reason of a closure comes with its word; an empty state is not activated."""
    states = ["", "active", "non activé", "opposed", "décédée", "closed"]
    numbers = [row["ins"] for row in made_up(len(states))]
    lines = [HEADER]
    for index, (ins, state) in enumerate(zip(numbers, states, strict=True)):
        lines.append(f"{ins};Patient {'ABCDEF'[index]};{state};a{index}@exemple.fr")
    result = site.json("patient", "import", site.file("\n".join(lines), "patients.csv"))
    assert (result["imported"], result["unchanged"], result["refused"]) == (6, 0, [])
    found = [patient(site, ins) for ins in numbers]
    assert [one["state"] for one in found] == [
        "not_activated",
        "active",
        "not_activated",
        "closed",
        "closed",
        "closed",
    ]
    assert [one["state_reason"] for one in found[3:]] == ["opposed", "deceased", "import patients.csv"]
    assert found[2]["display"] == "Patient C"
    assert found[5]["alert_address"] == "a5@exemple.fr"


@pytest.mark.req("PAT-1", "INS-7")
def test_bad_lines_are_named_and_the_good_ones_kept(site: Site) -> None:
    others = [row["ins"] for row in made_up(3)]
    lines = [
        HEADER,
        f"{INS};Corse;active;corse@exemple.fr",
        "180032B02040124;Clé fausse;;",
        "12;Trop court;;",
        f"{others[0]};Autre;suspended;",
        f"{others[1]};Autre;;pas une adresse",
        f"{others[2]};Autre;;x@patient.mssante.fr",
        f"{INS};Corse;not_activated;",
    ]
    path = site.file("\n".join(lines))
    dry = site.json("patient", "import", path, "--dry-run", status=SOME_REFUSED)
    assert dry["imported"] == 2  # the last line is judged by what is there now
    result = site.json("patient", "import", path, status=SOME_REFUSED)
    assert (result["imported"], result["unchanged"]) == (1, 0)
    assert [(bad["line"], bad["reason"]) for bad in result["refused"]] == [
        (3, "ins-key"),
        (4, "ins-length"),
        (5, "patient-state"),
        (6, result["refused"][3]["reason"]),
        (7, "alert-address"),
        (8, "state-transition"),
    ]
    said = site.run("patient", "import", path)[1]
    assert not [ins for ins in (INS, *others) if ins[5:13] in said]


@pytest.mark.req("PAT-1")
def test_an_import_again_changes_what_differs_alone(site: Site) -> None:
    """Empty fields leave as it is; closed and taken up again with the reason of the file."""
    first = site.file(f"{HEADER}\n{INS};Corse;;corse@exemple.fr\n")
    assert site.json("patient", "import", first)["imported"] == 1
    again = site.json("patient", "import", first)
    assert (again["imported"], again["unchanged"]) == (0, 1)
    assert site.json("patient", "import", site.file(f"{HEADER}\n{INS};;;\n"))["unchanged"] == 1
    changed = site.file(f"{HEADER}\n{INS};Corse Anthony;clôturée;\n")
    assert site.json("patient", "import", changed, "--dry-run")["imported"] == 1
    assert patient(site, INS)["state"] == "not_activated"
    assert site.json("patient", "import", changed)["imported"] == 1
    after = patient(site, INS)
    assert (after["state"], after["display"], after["alert_address"]) == (
        "closed",
        "Corse Anthony",
        "corse@exemple.fr",
    )


@pytest.mark.req("PAT-1")
def test_a_thousand_patients(site: Site) -> None:
    """Two batches, and a later line about the same patient comes after the earlier one."""
    rows = [f"{row['ins']};Essai;;" for row in made_up(1000)]
    rows.append(f"{next(made_up(1))['ins']};Essai;closed;")
    result = site.json("patient", "import", site.file("\n".join([HEADER, *rows])))
    assert (result["imported"], result["refused"]) == (1001, [])
    assert patient(site, next(made_up(1))["ins"])["state"] == "closed"


@pytest.mark.req("PAT-3")
def test_where_a_patient_is_alerted(site: Site) -> None:
    ins = site.handout.patients.active.partition("@")[0]
    shown = site.json("patient", "set", ins, "--alert", "personnel@exemple.fr")["patient"]
    assert shown["alert_address"] == "personnel@exemple.fr"
    assert ins not in str(shown)
    assert site.json("patient", "set", ins, "--alert", "")["patient"]["alert_address"] == ""
    for words in ((), ("--alert", "x"), ("--alert", site.handout.patients.active)):
        assert site.run("patient", "set", ins, *words)[0] == 2


@pytest.mark.req("PAT-6")
def test_a_carer_is_refused_where_the_login_means_somebody_else(site: Site) -> None:
    """No password for a new login, the patient's own login, a professional's; and nobody's carer is removed."""
    handout = site.handout
    ins = handout.patients.active.partition("@")[0]
    cases = [
        (("aidant.un",), 2),
        (("aidant.un", "--password", "court"), 2),
        ((handout.account("PAT").login,), 4),
        ((handout.account("PER").login,), 4),
        (("aidant.un", "--remove"), 3),
        ((handout.account("PAT").login, "--remove"), 3),
    ]
    for words, status in cases:
        assert site.run("patient", "carer", ins, *words)[0] == status, words
    added = site.json(
        "patient", "carer", ins, "aidant.un", "--password", PASSWORD, "--name", "Aidante Exemple"
    )
    assert added["patient"]["carers"] == [{"login": "aidant.un", "name": "Aidante Exemple"}]
    assert ins not in str(added)
    status, said = site.run("bal", "member", handout.account("CAB").address, "aidant.un")
    assert (status, "patient's mailbox" in said) == (4, True)
    removed = site.json("patient", "carer", ins, "aidant.un", "--remove")
    assert removed["patient"]["carers"] == []


@pytest.mark.req("PAT-6")
def test_a_carer_reads_and_answers_until_removed(gateway: GatewayProcess) -> None:
    """With a login of their own, at once, beside the patient."""
    site = Site(gateway.folder, beside=gateway)
    account = gateway.handout.account("PAT")
    ins = account.address.partition("@")[0]

    def opens(login: str, password: str) -> bool:
        with imaplib.IMAP4_SSL(
            "127.0.0.1", gateway.handout.ports.imaps, ssl_context=tls(gateway.handout)
        ) as imap:
            try:
                imap.login(login, password)
            except imaplib.IMAP4.error:
                return False
            return imap.select("INBOX")[0] == "OK"

    assert not opens("aidant.deux", PASSWORD)
    site.json("patient", "carer", ins, "aidant.deux", "--password", PASSWORD)
    assert opens("aidant.deux", PASSWORD)
    assert opens(account.login, account.password)
    doctor = gateway.handout.account("PER").address
    site.json("channel", "open", account.address, doctor, "--reason", "essai")
    with smtplib.SMTP("127.0.0.1", gateway.handout.ports.submission, timeout=60) as smtp:
        smtp.starttls(context=tls(gateway.handout))
        smtp.login("aidant.deux", PASSWORD)
        assert smtp.sendmail(account.address, [doctor], letter(account.address, doctor, "Réponse")[1]) == {}
        with pytest.raises(smtplib.SMTPException):
            smtp.sendmail(doctor, [doctor], letter(doctor, doctor, "Au nom d'un autre")[1])
    site.json("patient", "carer", ins, "aidant.deux", "--remove")
    assert not opens("aidant.deux", PASSWORD)
    assert opens(account.login, account.password)


@pytest.mark.req("PAT-1")
@given(st.text(max_size=15))
def test_a_state_is_a_state_or_refused(text: str) -> None:
    """Words of no state raise nothing but `InvalidValue`; a reason comes with a closure only."""
    with suppress(InvalidValue):
        state, reason = parse_patient_state(text)
        assert state in (None, BoxState.ACTIVE, BoxState.NOT_ACTIVATED, BoxState.CLOSED)
        assert not reason or state is BoxState.CLOSED

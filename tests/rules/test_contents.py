"""What a message to a patient may hold: size, kinds of files, archives, qualified identities."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mss_gateway.base.errors import Refuse
from mss_gateway.mail.address import parse_address
from mss_gateway.rules.attachments import kind_of
from mss_gateway.rules.facts import (
    ArchiveFacts,
    Attachment,
    Facts,
    House,
    IdentityStatus,
    Party,
    Place,
    Realm,
)
from mss_gateway.rules.policy import Accept, decide
from tests.support.facts import (
    COLLEAGUE,
    FOREIGN_OPERATOR,
    GATEWAY,
    HOUSE,
    INS,
    OTHER_INS,
    PATIENT_DOMAIN,
    REMOTE_PATIENT,
    doctor,
    facts,
    patient,
    person,
    written,
)

GOOD = ArchiveFacts(metadata=frozenset({INS}), cda=frozenset({INS}))


def case(to: Party | None = None, house: House = HOUSE, patients: int = 1, **fields: object) -> Facts:
    """A professional writes to a patient."""
    made = facts(person(), doctor(), to or patient(), written(doctor(), **fields), house=house)
    return replace(made, patients=patients)


def refusal(made: Facts) -> Refuse | None:
    """The refusal, None when accepted."""
    decision = decide(made)
    return decision if isinstance(decision, Refuse) else None


def slug(made: Facts) -> str | None:
    """The reason of the refusal."""
    found = refusal(made)
    return found.reason if found else None


@pytest.mark.req("PAT-5")
@pytest.mark.parametrize("to", [patient(), REMOTE_PATIENT])
def test_a_message_that_is_too_large_for_a_patient_is_refused_with_the_limit(to: Party) -> None:
    found = refusal(case(to, size=HOUSE.patient_size + 1))
    assert found is not None
    assert (found.code, found.enhanced, found.reason) == (552, "5.3.4", "patient-size")
    assert "25 Mo" in found.public
    assert refusal(case(to, size=HOUSE.patient_size)) is None


@pytest.mark.req("PAT-5")
@pytest.mark.parametrize(
    ("media_type", "name", "kind"),
    [
        ("application/pdf", "cr.pdf", "pdf"), ("application/pdf", "", "pdf"), ("image/jpeg", "a.JPG", "jpeg"),
        ("image/png", "a.png", "png"), ("image/tiff", "a.tif", "tiff"), ("text/plain", "a.txt", "txt"),
        ("application/rtf", "a.rtf", "rtf"), ("text/rtf", "a.rtf", "rtf"), ("application/msword", "a.doc", "doc"),
        ("application/octet-stream", "cr.pdf", "pdf"), ("application/zip", "IHE_XDM.zip", "ihe_xdm"),
        ("application/x-zip-compressed", "ihe_xdm.ZIP", "ihe_xdm"),
        ("application/octet-stream", "IHE_XDM.ZIP", "ihe_xdm"),
        ("application/zip", "photos.zip", None), ("application/pdf", "cr.exe", None), ("text/html", "a.html", None),
        ("application/octet-stream", "", None), ("application/x-msdownload", "a.pdf", None),
        ("message/rfc822", "", None),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a.docx", "docx"),
    ],
)  # fmt: skip
def test_the_kind_of_a_file(media_type: str, name: str, kind: str | None) -> None:
    assert kind_of(Attachment(media_type, name)) == kind
    expected = None if kind in HOUSE.patient_attachments else "patient-attachment"
    assert slug(case(attachments=(Attachment("application/pdf"), Attachment(media_type, name)))) == expected


@pytest.mark.req("PAT-5")
def test_the_refusal_names_the_type_and_the_list_is_a_setting() -> None:
    word = Attachment("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a.docx")
    found = refusal(case(attachments=(word,)))
    assert found is not None
    assert (found.code, found.enhanced) == (550, "5.6.1")
    assert word.media_type in found.public
    wider = replace(HOUSE, patient_attachments=HOUSE.patient_attachments | {"docx"})
    assert refusal(case(house=wider, attachments=(word,))) is None


@pytest.mark.req("PAT-5", "INS-6")
def test_what_goes_to_professionals_or_is_a_report_is_not_looked_at() -> None:
    bad: dict[str, object] = {
        "size": 1 << 30,
        "attachments": (Attachment("application/x-msdownload"),),
        "archives": (ArchiveFacts("xdm-hash"),),
    }
    assert refusal(facts(person(), doctor(), doctor(), written(doctor(), **bad))) is None
    report = written(doctor(), report="delivery-status", **bad)
    assert refusal(facts(GATEWAY, doctor(), patient(), report)) is None


@pytest.mark.req("INS-6")
@pytest.mark.parametrize("to", [patient(), REMOTE_PATIENT])
@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (GOOD, None),
        (replace(GOOD, cda=frozenset()), None),
        (replace(GOOD, metadata=frozenset({INS[:13]})), None),
        (replace(GOOD, metadata=frozenset({OTHER_INS}), cda=frozenset({OTHER_INS})), "xdm-metadata-mismatch"),
        (replace(GOOD, metadata=frozenset({INS, OTHER_INS})), "xdm-two-patients"),
        (replace(GOOD, cda=frozenset({OTHER_INS})), "xdm-two-patients"),
        (replace(GOOD, metadata=frozenset({INS[:13] + "99"}), cda=frozenset({INS})), "xdm-metadata-mismatch"),
        (replace(GOOD, cda=frozenset({INS[:13] + "99"})), "xdm-cda-mismatch"),
        (replace(GOOD, metadata=frozenset()), "xdm-no-ins"),
        (replace(GOOD, unnamed=True), "xdm-no-ins"),
        (ArchiveFacts("xdm-bomb"), "xdm-bomb"),
    ],
)
def test_the_archive_speaks_of_the_recipient(to: Party, one: ArchiveFacts, expected: str | None) -> None:
    found = refusal(case(to, archives=(one,)))
    assert (found.reason if found else None) == expected
    if found is not None:
        assert (found.code, found.enhanced) == (550, "5.7.1")
        assert INS not in found.public
        assert OTHER_INS not in found.public


@pytest.mark.req("INS-6")
def test_every_archive_counts_and_one_message_has_one_patient() -> None:
    assert slug(case(archives=(GOOD, ArchiveFacts("xdm-size")))) == "xdm-size"
    assert slug(case(archives=(GOOD,), patients=2)) == "xdm-several-recipients"
    assert slug(case(patients=2)) is None


@pytest.mark.req("INS-6")
def test_a_corsican_archive_in_lower_case_is_the_same_patient() -> None:
    corsican = parse_address(f"180032b02040123@{PATIENT_DOMAIN}")
    one = ArchiveFacts(metadata=frozenset({"180032B02040123"}), cda=frozenset({"180032B020401"}))
    to = Party(corsican, Place.PATIENT_REMOTE)
    assert slug(case(to, archives=(one,))) is None


@pytest.mark.req("INS-6")
def test_the_gate_is_a_setting() -> None:
    bad = {"archives": (ArchiveFacts("xdm-hash"),)}
    assert slug(case(house=replace(HOUSE, archive_gate="off"), **bad)) is None  # type: ignore[arg-type]
    warned = decide(case(house=replace(HOUSE, archive_gate="warn"), **bad))  # type: ignore[arg-type]
    assert isinstance(warned, Accept)
    assert warned.warnings == ("xdm-hash",)


@pytest.mark.req("INS-5")
@pytest.mark.parametrize("status", [None, *IdentityStatus])
@pytest.mark.parametrize("setting", ["off", "warn", "enforce"])
def test_only_a_qualified_identity_is_written_to(setting: str, status: IdentityStatus | None) -> None:
    made = replace(case(house=replace(HOUSE, require_qualified=setting)), identity=status)
    doubtful = status is not IdentityStatus.QUAL
    reason = "identity-unknown" if status is None else "identity-not-qualified"
    decision = decide(made)
    if setting == "enforce" and doubtful:
        assert isinstance(decision, Refuse)
        assert decision.reason == reason
        at_rcpt = decide(replace(made, message=None))
        assert isinstance(at_rcpt, Refuse)
    else:
        assert isinstance(decision, Accept)
        assert decision.warnings == ((reason,) if setting == "warn" and doubtful else ())


@pytest.mark.req("INS-2")
def test_a_wrong_key_outside_of_production_is_told() -> None:
    wrong = Party(parse_address(f"{INS[:13]}45@{PATIENT_DOMAIN}"), Place.PATIENT_REMOTE)
    decision = decide(case(wrong, house=replace(HOUSE, realm=Realm.TEST)))
    assert isinstance(decision, Accept)
    assert decision.warnings == ("ins-key",)
    assert slug(case(wrong)) == "ins-key"


@pytest.mark.req("BAL-8")
def test_a_patient_answers_only_a_mailbox_that_somebody_reads() -> None:
    assert slug(case(reply_to_unfit=True)) == "reply-to-unfit"
    foreign = facts(FOREIGN_OPERATOR, COLLEAGUE, patient(), written(COLLEAGUE, reply_to_unfit=True))
    assert slug(foreign) is None
    assert slug(facts(person(), doctor(), doctor(), written(doctor(), reply_to_unfit=True))) is None


@pytest.mark.req("CHN-1", "CHN-8")
@pytest.mark.parametrize(("count", "expected"), [(20, None), (21, "reply-to-many")])
def test_a_patient_answers_no_crowd(count: int, expected: str | None) -> None:
    crowd = tuple(parse_address(f"a{number}@{doctor().address.domain}") for number in range(count))
    assert slug(case(reply_to=crowd, reply_to_present=True)) == expected


@pytest.mark.req("PAT-5", "INS-6", "RCP-5")
@pytest.mark.parametrize("kind", ["delivery-status", "disposition-notification"])
def test_a_report_is_held_to_what_a_patient_may_receive(kind: str) -> None:
    machine = (Attachment(f"message/{kind}"), Attachment("text/rfc822-headers"))
    assert slug(case(report=kind, attachments=machine)) is None
    whole = (*machine, Attachment("message/rfc822"))
    assert slug(case(report=kind, attachments=whole)) == "patient-attachment"
    returned = facts(FOREIGN_OPERATOR, None, patient(), written(COLLEAGUE, report=kind, attachments=whole))
    assert slug(returned) is None
    for sender in (COLLEAGUE, None):
        told = written(COLLEAGUE, report=kind, archives=(ArchiveFacts("xdm-hash"),))
        assert slug(facts(FOREIGN_OPERATOR, sender, patient(), told)) == "xdm-hash"


@pytest.mark.req("INS-7", "PAT-5")
def test_the_type_of_a_part_is_named_without_an_ins() -> None:
    found = refusal(case(attachments=(Attachment(f"application/x-{INS.lower()}"),)))
    assert found is not None
    assert INS[:13] not in found.public

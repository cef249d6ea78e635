"""Facts for rule tests: named parties, short constructors and hypothesis strategies over every shape."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from mss_gateway.mail.address import Address, parse_address
from mss_gateway.rules.facts import (
    ArchiveFacts,
    Attachment,
    Box,
    BoxState,
    BoxType,
    Caller,
    CallerKind,
    ChannelFacts,
    ChannelState,
    Facts,
    House,
    IdentityStatus,
    MessageFacts,
    Party,
    Place,
    Realm,
)

PATIENT_DOMAIN = "patient.mssante.fr"
INS = "285037728417346"  # published example, domain 14.5
OTHER_INS = "275126322074974"
DOCTOR = parse_address("docteur@hopital.mssante.fr")
SERVICE = parse_address("accueil@hopital.mssante.fr")
PATIENT = parse_address(f"{INS}@{PATIENT_DOMAIN}")
OTHER_PATIENT = parse_address(f"{OTHER_INS}@{PATIENT_DOMAIN}")
FOREIGN = parse_address("confrere@clinique.mssante.fr")
STRANGER = parse_address("quelquun@example.org")
HOUSE = House()


def box(
    address: Address,
    kind: BoxType = BoxType.PER,
    state: BoxState = BoxState.ACTIVE,
    *,
    patient_initiated: bool = False,
    fin: str = "fin",
) -> Box:
    """A mailbox of ours; its id tells the addresses apart."""
    return Box(len(address.key), address, kind, state, "", patient_initiated, fin)


def doctor(kind: BoxType = BoxType.PER, state: BoxState = BoxState.ACTIVE, **choices: object) -> Party:
    """A hosted professional."""
    return Party(DOCTOR, Place.HOSTED, box(DOCTOR, kind, state, **choices))  # type: ignore[arg-type]


def patient(state: BoxState = BoxState.ACTIVE, address: Address = PATIENT) -> Party:
    """A patient hosted here."""
    return Party(address, Place.PATIENT_HOSTED, box(address, BoxType.PAT, state))


REMOTE_PATIENT = Party(PATIENT, Place.PATIENT_REMOTE)
COLLEAGUE = Party(FOREIGN, Place.TRUSTED)
OUTSIDER = Party(STRANGER, Place.OUTSIDE)


def operator(*domains: str) -> Caller:
    """Another operator, with the domains that list its certificate."""
    return Caller(CallerKind.OPERATOR, "dn", "operator", "mtls", domains=frozenset(domains))


def login(kind: CallerKind, *boxes: Address) -> Caller:
    """A principal with the boxes it may write from."""
    return Caller(kind, "id", "name", "plain", boxes=frozenset(one.key for one in boxes))


def person(*boxes: Address) -> Caller:
    """A professional, by default the holder of DOCTOR."""
    return login(CallerKind.PERSON, *(boxes or (DOCTOR,)))


FOREIGN_OPERATOR = operator(FOREIGN.domain)
PATIENT_OPERATOR = operator(PATIENT_DOMAIN)
PATIENT_LOGIN = login(CallerKind.PATIENT, PATIENT)
GATEWAY = Caller(CallerKind.GATEWAY, "gateway", "gateway", "internal")


def facts(
    caller: Caller,
    sender: Party | None,
    recipient: Party | None = None,
    message: MessageFacts | None = None,
    channel: ChannelState = ChannelState.NEVER,
    house: House = HOUSE,
) -> Facts:
    """Facts at a moment that follows from what is given."""
    return Facts(0.0, house, caller, sender, recipient, message, ChannelFacts(channel, 7))


def written(by: Party, **fields: object) -> MessageFacts:
    """An ordinary message of this author."""
    return replace(MessageFacts(from_=(by.address,), subject="Bonjour"), **fields)  # type: ignore[arg-type]


ADDRESSES = st.sampled_from([DOCTOR, SERVICE, PATIENT, OTHER_PATIENT, FOREIGN, STRANGER]) | st.builds(
    Address, st.text(max_size=20), st.sampled_from([PATIENT_DOMAIN, "hopital.mssante.fr", "example.org"])
)
BOXES = st.builds(
    Box,
    id=st.integers(1, 9),
    address=ADDRESSES,
    type=st.sampled_from(BoxType),
    state=st.sampled_from(BoxState),
    patient_initiated=st.booleans(),
    fin=st.sampled_from(["fin", "leave", f"reply-to={SERVICE}"]),
    auto_close=st.sampled_from(["", "answer", "send", "days=3"]),
    exchange_folder=st.booleans(),
    server_mdn=st.booleans(),
    alert=st.booleans(),
)
PARTIES = st.builds(Party, ADDRESSES, st.sampled_from(Place), st.none() | BOXES)
CALLERS = st.builds(
    Caller,
    st.sampled_from(CallerKind),
    st.just("id"),
    st.just("name"),
    st.just("mtls"),
    st.frozensets(ADDRESSES.map(lambda one: one.key), max_size=4),
    st.frozensets(st.sampled_from([PATIENT_DOMAIN, "hopital.mssante.fr", FOREIGN.domain]), max_size=3),
)
ATTACHMENTS = st.builds(
    Attachment,
    st.sampled_from(["application/pdf", "application/zip", "application/x-msdownload", "image/png"]),
    st.sampled_from(["", "a.pdf", "IHE_XDM.zip", "a.exe"]),
)
INS_SETS = st.frozensets(st.sampled_from([INS, INS[:13], OTHER_INS]), max_size=2)
ARCHIVES = st.builds(
    ArchiveFacts, st.sampled_from(["", "xdm-hash"]), metadata=INS_SETS, cda=INS_SETS, unnamed=st.booleans()
)
MESSAGES = st.builds(
    MessageFacts,
    from_=st.lists(ADDRESSES, max_size=2).map(tuple),
    from_valid=st.booleans(),
    reply_to=st.lists(ADDRESSES, max_size=2).map(tuple),
    reply_to_present=st.booleans(),
    reply_to_trusted=st.booleans(),
    subject=st.sampled_from(["", "[FIN]", "Re: [FIN]"]) | st.text(max_size=8),
    mss_mes=st.none() | st.sampled_from(["FIN", "fin"]),
    received_count=st.integers(0, 40),
    auto_submitted=st.booleans(),
    report=st.none() | st.sampled_from(["delivery-status", "disposition-notification"]),
    disposition_to=st.none() | st.text(max_size=10) | ADDRESSES.map(str),
    auto_generated=st.booleans(),
    from_name=st.text(max_size=5),
    reply_to_unfit=st.booleans(),
    size=st.sampled_from([0, 100, 30_000_000]),
    attachments=st.lists(ATTACHMENTS, max_size=2).map(tuple),
    archives=st.lists(ARCHIVES, max_size=2).map(tuple),
)
HOUSES = st.builds(
    House,
    realm=st.sampled_from(Realm),
    remote_patient_on_closed=st.sampled_from(["refuse", "accept"]),
    remote_patient_on_never=st.sampled_from(["refuse", "accept"]),
    patient_closed=st.sampled_from(["bounce", "reject"]),
    check_header_from=st.booleans(),
    require_qualified=st.sampled_from(["off", "warn", "enforce"]),
    archive_gate=st.sampled_from(["off", "warn", "enforce"]),
    near_miss_notice=st.booleans(),
)
ANY_FACTS = st.builds(
    Facts,
    now=st.just(0.0),
    house=HOUSES,
    caller=CALLERS,
    sender=st.none() | PARTIES,
    recipient=st.none() | PARTIES,
    message=st.none() | MESSAGES,
    channel=st.builds(ChannelFacts, st.sampled_from(ChannelState), st.integers(0, 9)),
    identity=st.none() | st.sampled_from(IdentityStatus),
    patients=st.integers(0, 3),
)
"""Every shape that the types allow, senseless ones included."""

"""A professional and a patient operator as two daemons behave as one gateway with both roles (RTE-2).

Each scenario runs against both set-ups over real sockets and says in lines what it saw; both must say the lines that
stand in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from mss_gateway.dev.operators import Operators
from tests.support import scenarios as plays
from tests.support.process import GatewayProcess
from tests.support.rows import base_port
from tests.support.scene import Scene

pytestmark = pytest.mark.timeout(600)
TAKEN = "250 2.0.0 Stored"
KNOWN = "250 2.1.5 Recipient OK"
EXCHANGES = "Echanges patient"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two daemons, and the rest of the trust space."""
    with Operators(tmp_path_factory.mktemp("two"), base_port()) as operators:
        yield Scene(operators.handout)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One daemon with both roles, on a store that no other journey has written to."""
    gateway = GatewayProcess(tmp_path_factory.mktemp("one"))
    yield Scene(gateway.handout)
    assert gateway.stop() == 0


@dataclass(frozen=True)
class Row:
    """A scenario with the lines that both set-ups say."""

    play: Callable[[Scene], list[str]]
    ids: tuple[str, ...]
    lines: list[str]


CLOSED = (
    "550 5.7.1 Ce professionnel de sante a mis fin a vos echanges : il ne peut plus recevoir de reponse"
    " tant qu'il ne vous ecrit pas a nouveau"
)
NEVER = "550 5.7.1 Seul un professionnel de sante peut ecrire le premier message ; celui-ci ne vous a pas encore ecrit"
BOUNCE = [
    TAKEN,
    "INBOX: Message non distribué",
    "<> auto-replied",
    "True",
    "failed 5.2.1 rfc822; patient",
]
TABLE = [
    Row(plays.never_written, ("CHN-6",), [NEVER]),
    Row(
        plays.reply_and_reading,
        ("RTE-2", "RTE-7", "PAT-4"),
        [
            TAKEN,
            "INBOX: Résultats",
            "Médecin Exemple <medecin.exemple@clinique-exemple.mssante.fr>",
            "Bonjour.\r\n",
        ],
    ),
    Row(
        plays.answering,
        ("CHN-2", "CHN-6", "IMP-2", "RTE-2"),
        [TAKEN, f"{EXCHANGES}: Re: Résultats", f"{EXCHANGES}: Résultats"],
    ),
    Row(
        plays.ended_by_subject,
        ("CHN-3", "CHN-6", "CHN-10"),
        [
            TAKEN,
            "INBOX: Résultats $MSSClosed",
            "INBOX: [FIN] $MSSClosed",
            "Médecin Exemple a mis fin à vos échanges.",
            CLOSED,
        ],
    ),
    Row(plays.ended_behind_a_large_one, ("CHN-3", "CHN-9"), [TAKEN, TAKEN, CLOSED]),
    Row(plays.ended_by_header, ("CHN-4", "CHN-10"), [TAKEN, "INBOX: Dernier message $MSSClosed", CLOSED]),
    Row(
        plays.written_again,
        ("CHN-2", "CHN-10"),
        ["INBOX: [FIN]", "INBOX: Rendez-vous", TAKEN, f"{EXCHANGES}: Re: Rendez-vous"],
    ),
    Row(
        plays.near_miss,
        ("CHN-5",),
        [
            TAKEN,
            "Votre échange avec le patient n'est pas clos",
            "Bonjour, Votre message a bien été remis au patient, mais il ",
            TAKEN,
        ],
    ),
    Row(
        plays.software_without_reply_to,
        ("BAL-8", "CHN-4"),
        [TAKEN, "INBOX: Résultats $MSSClosed", "FIN", CLOSED],
    ),
    Row(
        plays.software_with_reply_to,
        ("BAL-8", "CHN-1"),
        [TAKEN, TAKEN, f"{EXCHANGES}: Re: Résultats", CLOSED],
    ),
    Row(plays.closed_patient, ("PAT-2", "RCP-1", "RCP-6"), BOUNCE),
    Row(plays.absent_patient, ("PAT-2", "RCP-6"), BOUNCE),
    Row(plays.not_activated, ("PAT-1",), [TAKEN]),
    Row(
        plays.receipt,
        ("RCP-2", "RCP-6"),
        [
            "disposition-notification",
            "<> auto-replied",
            "manual-action/MDN-sent-automatically; displayed",
            "rfc822; patient",
            "rfc822; patient",
            "True",
            "INBOX: Résultats $MDNSent",
            "1 receipt",
        ],
    ),
    Row(plays.receipt_elsewhere, ("RCP-3",), [TAKEN, "0 receipts"]),
    Row(
        plays.patient_to_others,
        ("CHN-7",),
        [
            "550 5.7.1 La messagerie ne permet pas d'ecrire a un autre patient",
            "550 5.7.1 La messagerie ne permet d'ecrire qu'a des professionnels de l'espace de confiance MSSante",
            "550 5.7.1 Vous ne pouvez ecrire que depuis votre propre adresse",
            "550 5.7.1 The header From must be the address of MAIL FROM",
        ],
    ),
    Row(
        plays.wrong_numbers,
        ("INS-1",),
        [
            f"550 5.1.3 Not a patient address: {fault}"
            for fault in (
                "the key (last 2 digits) of the INS is wrong",
                "the month of birth in the INS is neither 01 to 12 nor a reserved number",
                "the INS must be 15 characters: the matricule of 13 and its key of 2",
            )
        ],
    ),
    Row(plays.ends_by_itself, ("CHN-8", "CHN-10"), [TAKEN, "INBOX: Résultats $MSSClosed", "1 [FIN]", CLOSED]),
    Row(
        plays.octets_stay,
        ("RTE-2", "RTE-7"),
        [KNOWN, TAKEN, "True", "<medecin.exemple@clinique-exemple.mssante.fr>"],
    ),
    Row(
        plays.colleague_and_patient,
        ("RTE-2", "RTE-4"),
        [KNOWN, KNOWN, TAKEN, "INBOX: Pour deux", "INBOX: Pour deux", TAKEN],
    ),
    Row(plays.wishes, ("RCP-1",), ["dossier-7", "rfc822; patient"]),
    Row(plays.never_told, ("RCP-1",), [KNOWN, TAKEN, "0 reports"]),
    Row(plays.success_told, ("RCP-1",), ["INBOX: Message distribué", "delivered 2.0.0"]),
    Row(plays.ended_by_hand, ("CHN-10",), ["INBOX: Fermé par l'exploitant $MSSClosed", CLOSED]),
    Row(
        plays.a_document,
        ("INS-6", "RTE-2"),
        [
            TAKEN,
            "True",
            "['IHE_XDM.zip']",
            "550 5.7.1 L'INS de METADATA.XML n'est pas celui du destinataire",
            "550 5.7.1 Un message avec une archive IHE_XDM s'adresse a un seul patient",
        ],
    ),
    Row(
        plays.a_broken_document,
        ("INS-6",),
        ["550 5.7.1 L'archive IHE_XDM est tronquee : joignez-la a nouveau"],
    ),
    Row(plays.too_large, ("PAT-5",), ["552 5.3.4 Message trop volumineux : un patient recoit au plus 25 Mo"]),
    Row(
        plays.wrong_kind,
        ("PAT-5",),
        ["550 5.6.1 Un patient ne peut pas recevoir une piece jointe de type application/x-msdownload"],
    ),
]


def _params() -> list[object]:
    return [
        pytest.param(row, marks=[pytest.mark.req(*row.ids)], id=row.play.__name__.replace("_", "-"))
        for row in TABLE
    ]


@pytest.mark.parametrize("row", _params())
def test_two_daemons_behave_as_one(one: Scene, two: Scene, row: Row) -> None:
    """Same replies, same mail seen by the patient, same mail back to the professional."""
    assert row.play(one) == row.lines
    assert row.play(two) == row.lines

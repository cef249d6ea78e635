"""Steps of the tour that must be refused: wrong numbers, peers that are not trusted, strangers, borrowed names."""

from __future__ import annotations

from . import wire
from .tour import Stage, Step, expect, expect_refusal


def wrong_key(stage: Stage) -> str:
    """INS-1: one wrong digit in the key is caught before anything is sent."""
    local, _, domain = stage.handout.patients.active.partition("@")
    wrong = f"{local[:13]}{(int(local[13:]) % 97) + 1:02}@{domain}"
    message = stage.letter("typo", "Résultats", "Bonjour.\n", wrong)
    reply = expect_refusal(lambda: stage.send(stage.professional, message), "550", "5.1.3")
    expect(local not in reply and wrong not in reply, "the reply repeats the INS")
    return reply


def revoked_certificate(stage: Stage) -> str:
    """TRU-2: the certificate's DN is listed, and yet it is refused."""
    credential = stage.handout.refused["revoked"]
    message = stage.message("r", f"a@{credential.domain}", stage.professional.address, "x", "x\n")
    return expect_refusal(lambda: wire.deliver(stage.handout, credential, message), "certificate revoked")


def unlisted_dn(stage: Stage) -> str:
    """TRU-4: a good certificate of the right CA whose DN is on no list."""
    credential = stage.handout.refused["unlisted"]
    message = stage.message("u", f"a@{credential.domain}", stage.professional.address, "x", "x\n")
    return expect_refusal(lambda: wire.deliver(stage.handout, credential, message), "550", "5.7.1")


def borrowed_domain(stage: Stage) -> str:
    """BAL-7: a listed operator writes in the name of a domain that is not its own."""
    other = stage.professional.address.partition("@")[2]
    message = stage.message("b", f"direction@{other}", stage.professional.address, "x", "x\n")
    return expect_refusal(
        lambda: wire.deliver(stage.handout, stage.handout.operator, message), "550", "5.7.1"
    )


def borrowed_patients(stage: Stage) -> str:
    """BAL-7, CHN-7: another operator writes in a patient's name."""
    message = stage.message("p", stage.patient.address, stage.professional.address, "x", "x\n")
    return expect_refusal(
        lambda: wire.deliver(stage.handout, stage.handout.operator, message), "550", "5.7.1"
    )


def no_certificate(stage: Stage) -> str:
    """TRU-1: TLS without a client certificate is not enough."""
    sender = f"expediteur@{stage.handout.operator.domain}"
    message = stage.message("n", sender, stage.professional.address, "x", "x\n")
    return expect_refusal(lambda: wire.deliver(stage.handout, None, message), "550", "5.7.1")


def no_tls(stage: Stage) -> str:
    """TRU-1: nothing is accepted in the clear."""
    ours = stage.handout
    with wire.Session(ours, ours.ports.mta, None, start_tls=False, host=ours.mta_host) as session:
        sender = f"expediteur@{stage.handout.operator.domain}"
        return expect_refusal(lambda: session.command("MAIL", f"FROM:<{sender}>"), "530", "5.7.0")


def stranger(stage: Stage) -> str:
    """RTE-3: nothing ever leaves the trust space."""
    message = stage.letter("s", "x", "x\n", "someone@example.org")
    return expect_refusal(lambda: stage.send(stage.professional, message), "550", "5.7.1")


def someone_else(stage: Stage) -> str:
    """BAL-6: one may write only from one's own mailbox."""
    other = stage.handout.account("ORG").address
    message = stage.message("o", other, stage.professional.address, "x", "x\n")
    return expect_refusal(lambda: stage.send(stage.professional, message), "550", "5.7.1")


REFUSALS: tuple[Step, ...] = (
    Step("A wrong INS key is refused", wrong_key),
    Step("A revoked certificate is refused", revoked_certificate),
    Step("A certificate whose DN is on no list is refused", unlisted_dn),
    Step("A listed operator that borrows another's domain is refused", borrowed_domain),
    Step("A listed operator that borrows a patient's address is refused", borrowed_patients),
    Step("A peer without a certificate is refused", no_certificate),
    Step("A peer without TLS is refused", no_tls),
    Step("A stranger's domain is refused", stranger),
    Step("Writing from somebody else's mailbox is refused", someone_else),
)
"""Whatever must not pass."""

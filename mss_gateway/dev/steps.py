"""The steps of the tour, in the order of a story: a hospital writes, a patient answers, strangers are refused."""

from __future__ import annotations

from . import wire
from .tour import Stage, Step, expect, expect_refusal

CLOSED_SENTENCE = (
    'Le message que vous avez envoyé à "{}" n\'a pas pu être distribué car la messagerie '
    "Mon espace Santé de votre destinataire est clôturée"
)


def foreign_delivery(stage: Stage) -> str:
    """RTE-1, TRU-1, RTE-7: another operator's server delivers, and the message is there byte for byte."""
    sender = f"expediteur@{stage.handout.operator.domain}"
    message = stage.message(
        "letter", sender, stage.professional.address, "Compte rendu", "Bonjour,\nvoici le CR.\n"
    )
    reply = wire.deliver(stage.handout, stage.handout.operator, message)
    stored = wire.read_octets(stage.handout, stage.professional, str(message["Message-ID"]))
    expect(stored.endswith(wire.octets(message)), "the stored bytes differ from the sent ones")
    received = str(wire.parsed(stored)["Received"])
    expect("TLSv1" in received, "the Received header does not tell the TLS version")
    return f"{reply} · read over IMAP · {' '.join(received.split())[:120]}"


def app_to_patient(stage: Stage) -> str:
    """BAL-4, BAL-8, CHN-1, CHN-2: software writes to a patient with its certificate; answers go to a professional."""
    message = stage.message(
        "report",
        stage.handout.app.address,
        stage.handout.patients.active,
        "Vos résultats",
        "Bonjour,\nvos résultats sont disponibles.\n",
    )
    message["Reply-To"] = stage.professional.address
    return wire.submit_external(stage.handout, stage.handout.app, message)


def patient_reads(stage: Stage) -> str:
    """PAT-4: the patient opens the mailbox over IMAP."""
    stored = stage.read(stage.patient, stage.messages["report"])
    return f"« {stored['Subject']} » from {stored['From']}"


def patient_answers(stage: Stage) -> str:
    """CHN-1, CHN-6: the channel is open for the Reply-To mailbox."""
    answer = stage.reply("answer", stage.messages["report"], stage.patient.address, "Merci docteur.\n")
    return wire.submit(stage.handout, stage.patient, answer)


def professional_reads(stage: Stage) -> str:
    """The answer is where the professional looks."""
    stored = stage.read(stage.professional, stage.messages["answer"])
    answered = str(stored["In-Reply-To"]).strip()
    expect(answered == stage.messages["report"]["Message-ID"], f"the thread is broken: {answered}")
    return f"« {stored['Subject']} » in {stage.professional.address}"


def professional_ends(stage: Stage) -> str:
    """CHN-3: a subject of exactly [FIN] closes the channel, and is itself delivered."""
    message = stage.message(
        "fin", stage.professional.address, stage.patient.address, "[FIN]", "Fin des échanges.\n"
    )
    reply = wire.submit(stage.handout, stage.professional, message)
    stage.read(stage.patient, message)
    return reply


def patient_is_refused(stage: Stage) -> str:
    """CHN-6: after the end mark an answer is refused, with its reason in French."""
    answer = stage.reply("late", stage.messages["report"], stage.patient.address, "Encore une question.\n")
    return expect_refusal(lambda: wire.submit(stage.handout, stage.patient, answer), "550", "5.7.1")


def professional_writes_again(stage: Stage) -> str:
    """CHN-2: writing again reopens, and the patient answers."""
    message = stage.message(
        "again",
        stage.professional.address,
        stage.patient.address,
        "Rendez-vous",
        "Pouvez-vous venir lundi ?\n",
    )
    wire.submit(stage.handout, stage.professional, message)
    stage.read(stage.patient, message)
    answer = stage.reply("yes", message, stage.patient.address, "Oui, lundi.\n")
    reply = wire.submit(stage.handout, stage.patient, answer)
    stage.read(stage.professional, answer)
    return f"the patient answers again: {reply}"


def closed_patient_bounces(stage: Stage) -> str:
    """PAT-2, RCP-6: a closed mailbox brings one automatic mail with the exact French sentence."""
    closed = stage.handout.patients.closed
    message = stage.message("lost", stage.professional.address, closed, "Vos résultats", "Bonjour.\n")
    wire.submit(stage.handout, stage.professional, message)
    report = wire.read_answer_to(stage.handout, stage.professional, str(message["Message-ID"]))
    expect(report.get_content_type() == "multipart/report", "the bounce is not a delivery report")
    human = next(part for part in report.walk() if part.get_content_maintype() == "text")
    text = " ".join(str(human.get_content()).split())
    expect(CLOSED_SENTENCE.format(closed) in text, f"the bounce says something else: {text}")
    return f"« {text[:96]}… »"


def wrong_key(stage: Stage) -> str:
    """INS-1: one wrong digit in the key is caught before anything is sent."""
    local, _, domain = stage.handout.patients.active.partition("@")
    wrong = f"{local[:13]}{(int(local[13:]) % 97) + 1:02}@{domain}"
    message = stage.message("typo", stage.professional.address, wrong, "Résultats", "Bonjour.\n")
    reply = expect_refusal(lambda: wire.submit(stage.handout, stage.professional, message), "550", "5.1.3")
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


def no_certificate(stage: Stage) -> str:
    """TRU-1: TLS without a client certificate is not enough."""
    sender = f"expediteur@{stage.handout.operator.domain}"
    message = stage.message("n", sender, stage.professional.address, "x", "x\n")
    return expect_refusal(lambda: wire.deliver(stage.handout, None, message), "550", "5.7.1")


def no_tls(stage: Stage) -> str:
    """TRU-1: nothing is accepted in the clear."""
    with wire.Session(stage.handout, stage.handout.ports.mta, None, start_tls=False) as session:
        sender = f"expediteur@{stage.handout.operator.domain}"
        return expect_refusal(lambda: session.command("MAIL", f"FROM:<{sender}>"), "530", "5.7.0")


def stranger(stage: Stage) -> str:
    """RTE-3: nothing ever leaves the trust space."""
    message = stage.message("s", stage.professional.address, "someone@example.org", "x", "x\n")
    return expect_refusal(lambda: wire.submit(stage.handout, stage.professional, message), "550", "5.7.1")


def someone_else(stage: Stage) -> str:
    """BAL-6: one may write only from one's own mailbox."""
    other = stage.handout.account("ORG").address
    message = stage.message("o", other, stage.professional.address, "x", "x\n")
    return expect_refusal(lambda: wire.submit(stage.handout, stage.professional, message), "550", "5.7.1")


STEPS: tuple[Step, ...] = (
    ("A foreign operator delivers to a mailbox over mutual TLS", foreign_delivery),
    ("An applicative mailbox writes to a patient with its certificate", app_to_patient),
    ("The patient reads it over IMAP", patient_reads),
    ("The patient answers", patient_answers),
    ("The professional reads the answer", professional_reads),
    ("The professional closes the exchange with [FIN]", professional_ends),
    ("The patient's next answer is refused", patient_is_refused),
    ("The professional writes again: the exchange is open again", professional_writes_again),
    ("A closed patient mailbox brings the French bounce", closed_patient_bounces),
    ("A wrong INS key is refused", wrong_key),
    ("A revoked certificate is refused", revoked_certificate),
    ("A certificate whose DN is on no list is refused", unlisted_dn),
    ("A listed operator that borrows another's domain is refused", borrowed_domain),
    ("A peer without a certificate is refused", no_certificate),
    ("A peer without TLS is refused", no_tls),
    ("A stranger's domain is refused", stranger),
    ("Writing from somebody else's mailbox is refused", someone_else),
)
"""The whole tour."""

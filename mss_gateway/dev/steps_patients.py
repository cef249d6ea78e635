"""Steps of the tour between a professional and a patient, each at an operator of their own."""

from __future__ import annotations

from pathlib import Path

from . import wire
from .provision import NAMES
from .tour import Stage, Step, eventually, expect, expect_refusal

CLOSED_SENTENCE = (
    'Le message que vous avez envoyé à "{}" n\'a pas pu être distribué car la messagerie '
    "Mon espace Santé de votre destinataire est clôturée"
)
CLOSED_NOTICE = "a mis fin à vos échanges."
CLOSED_KEYWORD = "$MSSClosed"
EXCHANGES = "Echanges patient"
ALERT_PAUSE = 60.0  # seconds between two alerts of one mailbox


def app_to_patient(stage: Stage) -> str:
    """BAL-4, BAL-8, CHN-1, CHN-2: software writes with its certificate; answers go to a professional."""
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
    """PAT-4, RTE-2, TRU-5: the patient opens the mailbox over IMAP; the way there was mutual TLS."""
    stored = stage.read(stage.patient, stage.messages["report"])
    trace = " ".join(str(stored["Received"]).split())
    if stage.handout.patient_operator is not None:
        name = stage.handout.account("PER").address.partition("@")[2]
        expect("TLSv1" in trace and name in trace, f"no mutual TLS on the way: {trace}")
    return f"« {stored['Subject']} » from {stored['From']} · {trace[:110]}"


def patient_answers(stage: Stage) -> str:
    """CHN-1, CHN-6: the channel is open for the Reply-To mailbox."""
    answer = stage.reply("answer", stage.messages["report"], stage.patient.address, "Merci docteur.\n")
    return stage.send(stage.patient, answer)


def professional_reads(stage: Stage) -> str:
    """CHN-6, RTE-2: the answer is where the professional looks, in its thread."""
    stored = stage.read(stage.professional, stage.messages["answer"])
    answered = str(stored["In-Reply-To"]).strip()
    expect(answered == stage.messages["report"]["Message-ID"], f"the thread is broken: {answered}")
    return f"« {stored['Subject']} » in {stage.professional.address}"


def one_folder(stage: Stage) -> str:
    """IMP-2: what the professional wrote and what the patient answered lie together, once each."""
    message = stage.letter("advice", "Conseil", "Buvez de l'eau.\n")
    stage.send(stage.professional, message)
    stage.read(stage.patient, message)
    with wire.mailbox(stage.handout, stage.professional) as imap:  # the mail client saves its own copy too
        imap.append(f'"{EXCHANGES}"', "(\\Seen)", "", wire.octets(message))
    answer = stage.reply("thanks", message, stage.patient.address, "C'est noté.\n")
    stage.send(stage.patient, answer)
    stage.found(stage.professional, answer)
    for what, name in ((message, "sent copy"), (answer, "answer")):
        places = [found.folder for found in stage.all(stage.professional, what)]
        expect(places == [EXCHANGES], f"the {name} is in {places}, not once in {EXCHANGES}")
    return f"{EXCHANGES}: « {message['Subject']} » and « {answer['Subject']} », once each"


def professional_ends(stage: Stage) -> str:
    """CHN-3, CHN-10: a subject of exactly [FIN] closes on both sides; the patient is told and sees it marked."""
    message = stage.letter("fin", "[FIN]", "Fin des échanges.\n")
    reply = stage.send(stage.professional, message)
    stage.read(stage.patient, message)
    notice = stage.found(stage.patient, message, by="In-Reply-To")
    text = wire.human_text(notice.message)
    expect(CLOSED_NOTICE in text, f"the service message says something else: {text}")
    stage.found(stage.patient, stage.messages["report"], lambda found: CLOSED_KEYWORD in found.flags)
    states = {_channel(stage, professional=True), _channel(stage, professional=False)}
    expect(states == {"closed"}, f"not closed on both sides: {states}")
    return f"{reply} · the patient reads « {text} » and finds {CLOSED_KEYWORD} · closed on both sides"


def _channel(stage: Stage, *, professional: bool) -> str:
    side = stage.handout if professional else stage.handout.patient_side
    pair = {"patient": stage.patient.address, "bal": stage.professional.address}
    return str(stage.asked(side, "channel.show", **pair)["channel"]["state"])


def patient_is_refused(stage: Stage) -> str:
    """CHN-6: after the end mark an answer is refused, with its reason in French."""
    answer = stage.reply("late", stage.messages["report"], stage.patient.address, "Encore une question.\n")
    return expect_refusal(lambda: stage.send(stage.patient, answer), "550", "5.7.1", "mis fin")


def insisting_operator(stage: Stage) -> str:
    """CHN-6: our side keeps the end too, should the patients' operator let an answer out."""
    answer = stage.reply("bypass", stage.messages["report"], stage.patient.address, "Encore une question.\n")
    own = stage.handout.patient_side.own
    return expect_refusal(lambda: wire.deliver(stage.handout, own, answer), "550", "5.7.1", "mis fin")


def professional_writes_again(stage: Stage) -> str:
    """CHN-2: writing again reopens, and the patient answers."""
    message = stage.letter("again", "Rendez-vous", "Pouvez-vous venir lundi ?\n")
    stage.send(stage.professional, message)
    stage.read(stage.patient, message)
    answer = stage.reply("yes", message, stage.patient.address, "Oui, lundi.\n")
    reply = stage.send(stage.patient, answer)
    stage.read(stage.professional, answer)
    return f"the patient answers again: {reply}"


def near_miss(stage: Stage) -> str:
    """CHN-5: the exchange goes on, and the professional is told how to end it."""
    message = stage.letter("miss", "Re: [FIN]", "Fin.\n")
    stage.send(stage.professional, message)
    notice = stage.found(stage.professional, message, by="In-Reply-To")
    text = wire.human_text(notice.message)
    expect("[FIN]" in text and "PAS mis fin" in text, f"the notice says something else: {text}")
    stage.read(stage.patient, message)
    answer = stage.reply("goes-on", message, stage.patient.address, "Je peux encore répondre.\n")
    return f"« {notice.message['Subject']} » · the patient answers: {stage.send(stage.patient, answer)}"


def read_receipt(stage: Stage) -> str:
    """RCP-2: the receipt comes when the patient opens the message, and only once."""
    message = stage.letter("receipt", "Avec accusé", "Bonjour.\n")
    message["Disposition-Notification-To"] = stage.professional.address
    stage.send(stage.professional, message)
    stage.found(stage.patient, message)
    expect(not stage.all(stage.professional, message, by="In-Reply-To"), "a receipt before the opening")
    stage.read(stage.patient, message)
    report = stage.found(stage.professional, message, by="In-Reply-To")
    disposition = wire.report_fields(report.message).get("disposition", "")
    expect(disposition.endswith("displayed"), f"the receipt says {disposition!r}")
    stage.found(stage.patient, message, lambda found: "$MDNSent" in found.flags)
    stage.read(stage.patient, message)
    answer = stage.reply("read", message, stage.patient.address, "Lu.\n")
    stage.send(stage.patient, answer)
    stage.read(stage.professional, answer)
    came = stage.all(stage.professional, message, by="In-Reply-To")
    count = sum(found.message.get_content_type() == "multipart/report" for found in came)
    expect(count == 1, f"{count} receipts for one message")
    return f"« {report.message['Subject']} » · {disposition} · opened twice, one receipt"


def closed_patient_bounces(stage: Stage) -> str:
    """PAT-2, RCP-6: a closed mailbox brings one automatic mail with the exact French sentence, from its operator."""
    closed = stage.handout.patients.closed
    message = stage.letter("lost", "Vos résultats", "Bonjour.\n", closed)
    stage.send(stage.professional, message)
    report = stage.found(stage.professional, message, by="In-Reply-To").message
    expect(report.get_content_type() == "multipart/report", "the bounce is not a delivery report")
    text = wire.human_text(report)
    expect(CLOSED_SENTENCE.format(closed) in text, f"the bounce says something else: {text}")
    author = wire.report_fields(report).get("reporting-mta", "")
    if stage.handout.patient_operator is not None:
        domain = stage.handout.patient_operator.own.domain
        expect(domain in author, f"the bounce comes from {author}, not from {domain}")
    return f"« {text[:96]}… » · {author}"


def alert_mail(stage: Stage) -> str:
    """PAT-3: the patient is told outside that something has arrived, and nothing else; at most once a minute."""
    host = stage.handout.smarthost
    assert host is not None

    def recent() -> list[Path]:
        # A tour that follows another one within the minute finds the alert of that one.
        return [path for path in wire.kept(host.folder) if path.stat().st_mtime > stage.started - ALERT_PAUSE]

    eventually(lambda: bool(recent()), "no alert mail has come")
    told = {stage.professional.address, stage.patient.address.partition("@")[0], *NAMES.values()}
    told |= {str(message["Subject"]) for message in stage.messages.values()}
    for path in wire.kept(host.folder):
        octets = path.read_bytes()
        said = f"{octets.decode('utf-8', 'replace')} {wire.human_text(wire.parsed(octets))}".lower()
        named = [word for word in told if word.lower() in said]
        expect(not named, f"the alert names {named}")
    alert = wire.parsed(recent()[-1].read_bytes())
    return f"to {alert['X-Envelope-To']}: « {alert['Subject']} » · names nobody"


EXCHANGE: tuple[Step, ...] = (
    Step("An applicative mailbox writes to a patient with its certificate", app_to_patient),
    Step("The patient reads it over IMAP, at the patients' operator", patient_reads),
    Step("The patient answers", patient_answers),
    Step("The professional reads the answer", professional_reads),
    Step("Both directions lie in the folder Echanges patient, without duplicates", one_folder),
    Step("The professional closes the exchange with [FIN], and the patient sees it", professional_ends),
    Step("The patient's next answer is refused", patient_is_refused),
    Step("Our side refuses it too, should their operator let it pass", insisting_operator, three=True),
    Step("The professional writes again: the exchange is open again", professional_writes_again),
    Step("Re: [FIN] does not close, and the professional is told so", near_miss),
    Step("The patient opens a message: the read receipt comes, exactly once", read_receipt),
    Step("A closed patient mailbox brings the French bounce of its operator", closed_patient_bounces),
    Step("The patient is alerted outside, and the alert names nobody", alert_mail, three=True),
)
"""From the first message to the alert."""

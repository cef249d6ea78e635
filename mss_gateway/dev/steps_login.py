"""Steps of the tour on logging in with a token of an OpenID provider shaped like Pro Santé Connect (ACC-2)."""

from __future__ import annotations

import http.client
import imaplib
import json
import ssl
from base64 import b64encode
from urllib.parse import urlencode, urlsplit

from . import wire
from .provider_names import ENDPOINTS, LIFE
from .tour import Stage, Step, expect, expect_refusal


def submitted(stage: Stage) -> str:
    """ACC-2: SMTP submission with OAUTHBEARER; the person behind `SubjectNameID` writes from their own mailbox."""
    account = stage.professional
    message = stage.letter("by token", "Avec un jeton", "Bonjour.\n", account.address)
    with wire.Session(stage.handout, stage.handout.ports.submission, None) as session:
        session.command("AUTH", f"OAUTHBEARER {_bearer(account.address, _token(stage))}")
        reply = session.send(message)
    stage.found(account, message)
    return f"{reply} · a token of {LIFE:g} s opens a session of hours"


def read(stage: Stage) -> str:
    """ACC-2: IMAP with XOAUTH2, to the letter that was just sent."""
    account, token = stage.professional, _token(stage)
    sent = stage.messages["by token"]
    with imaplib.IMAP4(wire.HOST, stage.handout.ports.imap, wire.TIMEOUT) as imap:
        imap.starttls(wire.tls(stage.handout))
        imap.authenticate(
            "XOAUTH2", lambda _: f"user={account.address}\x01auth=Bearer {token}\x01\x01".encode()
        )
        imap.select("INBOX", readonly=True)
        _, data = imap.uid("SEARCH", "HEADER", "Message-ID", str(sent["Message-ID"]))
    expect(len((data[0] or b"").split()) == 1, f"the letter is there {data} times")
    return f"UID {(data[0] or b'').decode()}, found by a token of {len(token)} characters"


def refused(stage: Stage) -> str:
    """ACC-3: a token of a person who is not in the directory, and a changed one, get the same answer."""
    address = stage.professional.address
    answers = []
    for token in (_token(stage, subject="810000000000"), _token(stage)[:-8] + "AAAAAAAA"):

        def login(token: str = token) -> None:
            with wire.Session(stage.handout, stage.handout.ports.submission, None) as session:
                code, text = session.smtp.docmd("AUTH", f"OAUTHBEARER {_bearer(address, token)}")
                expect(code == 334, f"no error challenge: {code} {text!r}")
                session.command("AQ==", "")

        answers.append(expect_refusal(login, "535", "not accepted"))
    expect(answers[0] == answers[1], f"the answers differ: {answers}")
    return answers[0]


def _token(stage: Stage, **form: str) -> str:
    """What the provider gives to whoever asks; that is what makes it a throw-away one."""
    parts = urlsplit(stage.handout.provider)
    context = ssl.create_default_context(cafile=stage.handout.ca)
    line = http.client.HTTPSConnection(parts.netloc, timeout=wire.TIMEOUT, context=context)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        line.request("POST", f"{parts.path}{ENDPOINTS}/token", urlencode(form), headers)
        return str(json.loads(line.getresponse().read())["access_token"])
    finally:
        line.close()


def _bearer(login: str, token: str) -> str:
    return b64encode(f"n,a={login},\x01auth=Bearer {token}\x01\x01".encode()).decode()


LOGIN: tuple[Step, ...] = (
    Step("A token of Pro Santé Connect's kind submits a letter", submitted, three=True),
    Step("Another token reads it over IMAP", read, three=True),
    Step("A token of a stranger and a changed one are refused with one answer", refused, three=True),
)
"""Logging in without a password."""

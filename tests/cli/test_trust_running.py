"""A running gateway refuses a peer; the id in its log and reply leads to the explanation (TRU-8)."""

from __future__ import annotations

import contextlib
import json
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mss_gateway.dev.handout import Credential
from tests.support.process import GatewayProcess


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that the commands ask."""
    process = GatewayProcess(tmp_path_factory.mktemp("trust"))
    yield process
    assert process.stop() == 0


def asked(gateway: GatewayProcess, *words: str, status: int = 0) -> Any:
    """The JSON answer of a command."""
    command = [
        sys.executable,
        "-m",
        "mss_gateway",
        "trust",
        *words,
        "--json",
        "--config",
        str(gateway.config),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def context_of(credential: Credential) -> ssl.SSLContext:
    """A foreign operator's context that looks at nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(credential.cert, credential.key)
    return context


@pytest.mark.req("TRU-8", "TRU-1")
def test_a_refusal_in_the_handshake_is_explained_with_the_certificate_that_was_shown(
    gateway: GatewayProcess,
) -> None:
    """The peer has seen an alert only; we know what it showed, and why it was not enough."""
    revoked = gateway.handout.refused["revoked"]
    with smtplib.SMTP("127.0.0.1", gateway.handout.ports.mta, timeout=60) as smtp:
        with contextlib.suppress(ssl.SSLError, smtplib.SMTPException, OSError):
            smtp.starttls(context=context_of(revoked))
            smtp.ehlo()
        smtp.close()
    (session,) = _sessions(gateway, "certificate-revoked")
    assert session["direction"] == "inbound"
    assert session["tls_version"] == "TLSv1.3"
    (peer,) = asked(gateway, "explain", session["id"], status=1)["peers"]
    assert peer["meetings"][0]["told"] == "TLS alert: certificate revoked"
    (revocation,) = [one for one in peer["steps"] if one["name"] == "revocation"]
    assert "revoked; CRL of" in revocation["evidence"][0]
    (name,) = [one for one in peer["steps"] if one["name"] == "name"]
    assert name["evidence"][0] == f"CN = mx.{revoked.domain}"


def _sessions(gateway: GatewayProcess, reason: str) -> list[dict[str, Any]]:
    """The sessions of one reason; the gateway notes them a moment after the peer has gone."""
    for _ in range(100):
        found = [one for one in asked(gateway, "sessions")["sessions"] if one["reason"] == reason]
        if found:
            return found
        time.sleep(0.1)
    return []


@pytest.mark.req("TRU-8", "TRU-1", "TRU-4")
def test_the_reply_to_a_refused_sender_names_the_session(gateway: GatewayProcess) -> None:
    """The peer's administrator can name it to ours."""
    unlisted = gateway.handout.refused["unlisted"]
    with smtplib.SMTP("127.0.0.1", gateway.handout.ports.mta, timeout=60) as smtp:
        smtp.starttls(context=context_of(unlisted))
        smtp.ehlo("mx.inconnu-exemple.fr")
        code, reply = smtp.mail("dr@inconnu-exemple.fr")
    assert code == 550
    found = re.search(r"\(session ([0-9a-z]{10})\)$", reply.decode())
    assert found is not None
    (peer,) = asked(gateway, "explain", found[1], status=1)["peers"]
    session = peer["session"]
    assert (session["reason"], session["domain"]) == ("dn-not-listed", "inconnu-exemple.fr")
    assert session["helo"] == "mx.inconnu-exemple.fr"
    assert peer["meetings"][0]["told"] == reply.decode().partition(" (session")[0].join(("550 ", ""))


@pytest.mark.req("TRU-8")
def test_the_gateway_serves_while_it_looks_at_a_silent_host(gateway: GatewayProcess) -> None:
    """A look lasts as long as the host is silent; it does so in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        answers: list[Any] = []
        look = threading.Thread(
            target=lambda: answers.append(asked(gateway, "explain", f"127.0.0.1:{port}", status=1))
        )
        look.start()
        connection, _ = silent.accept()
        with connection:
            for _ in range(3):
                with smtplib.SMTP("127.0.0.1", gateway.handout.ports.mta, timeout=60) as smtp:
                    assert smtp.ehlo()[0] == 250
            assert answers == []
        look.join(110)
    assert answers[0]["peers"][0]["meetings"][0]["reason"] in ("timeout", "lost")


@pytest.mark.req("TRU-8", "TRU-5")
def test_our_own_port_is_explained_as_that_of_any_operator(gateway: GatewayProcess) -> None:
    """We are listed, ask for a certificate and accept our own: the look finds nothing to say."""
    domain = gateway.handout.operator.domain
    port = gateway.handout.ports.mta
    (peer,) = asked(gateway, "explain", f"127.0.0.1:{port}")["peers"]
    assert {one["verdict"] for one in peer["steps"]} == {"pass"}
    (peer,) = asked(gateway, "explain", f"127.0.0.1:{port}", "--domain", domain, status=1)["peers"]
    assert peer["meetings"][0]["reason"] == "dn-not-listed"


@pytest.mark.req("TRU-3")
def test_status_and_show_come_from_the_running_gateway(gateway: GatewayProcess) -> None:
    """The list in force there."""
    found = asked(gateway, "status")
    assert found["alarms"] == []
    domain = gateway.handout.operator.domain
    assert asked(gateway, "show", domain)["list_generated_at"] == found["list"]["generated_at"]

"""`mss-gateway document …`: health documents as IHE_XDM archives: send, show, types."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from .call import DEFAULT_CONFIG, AsJson, Config, call, settings_of
from .output import console, fail, record, show_json, table

if TYPE_CHECKING:
    import ssl

    from mss_gateway.documents.request import Author, DocumentRequest, Subject
    from mss_gateway.settings import Settings

app = typer.Typer(help="Health documents: IHE_XDM archives with CDA (INS-6).", no_args_is_help=True)

REFUSED, USAGE, UNAVAILABLE = 5, 2, 6  # exit codes, as `ops.operation` has them
TIMEOUT = 60.0  # seconds for any one answer of the server


@dataclass(frozen=True, slots=True)
class Door:
    """Where and as whom a message is submitted."""

    host: str
    port: int
    login: str
    password: str
    certificate: str
    key: str


_REMEDIES = {
    "document-nil": "--nil, MSS_GATEWAY_NIL, or software_nil under [gateway]",
    **dict.fromkeys(("rpps-shape", "rpps-key", "national-id"), "--author-id"),
    **dict.fromkeys(("structure-id", "siret-key"), "--structure-id"),
}
"""What to give for a request that cannot be built; the sentence before it says what is wrong."""


@app.command()
def send(
    pdf: Annotated[Path, typer.Argument(help="The PDF.", exists=True, dir_okay=False, readable=True)],
    from_: Annotated[str, typer.Option("--from", help="The sending mailbox.")],
    to: Annotated[str, typer.Option("--to", help="A patient's INS, or an address.")],
    type: Annotated[str, typer.Option("--type", "-t", help="Code of the document's type: `document types`.")],
    title: Annotated[str, typer.Option("--title", help="Title of the document.")],
    date: Annotated[str, typer.Option("--date", help="Of the act, YYYY-MM-DD; else today.")] = "",
    ins: Annotated[str, typer.Option("--ins", help="The patient, when --to is no patient's address.")] = "",
    family: Annotated[str, typer.Option("--family", help="Birth name, when the registry has none.")] = "",
    given: Annotated[str, typer.Option("--given", help="Birth given names, separated by commas.")] = "",
    sex: Annotated[str, typer.Option("--sex", help="M, F or U.")] = "",
    born: Annotated[str, typer.Option("--born", help="YYYY-MM-DD.")] = "",
    place: Annotated[str, typer.Option("--place", help="INSEE code of birth.")] = "",
    ipp: Annotated[str, typer.Option("--ipp", help="OID:number of the patient in the structure.")] = "",
    author_family: Annotated[str, typer.Option("--author-family", help="Name of who signs.")] = "",
    author_given: Annotated[str, typer.Option("--author-given", help="First name of who signs.")] = "",
    author_id: Annotated[str, typer.Option("--author-id", help="8+RPPS; else the responsible's.")] = "",
    structure: Annotated[str, typer.Option("--structure", help="Its name; else the mailbox's name.")] = "",
    structure_id: Annotated[str, typer.Option("--structure-id", help="1+FINESS or 3+SIRET.")] = "",
    sector: Annotated[str, typer.Option("--sector", help="SA01, SA05 or SA07.")] = "SA07",
    file_number: Annotated[str, typer.Option("--file-number", help="Last part of the PDF's name.")] = "",
    receipt: Annotated[bool, typer.Option("--receipt", help="Ask for a read receipt.")] = False,
    no_reply: Annotated[bool, typer.Option("--no-reply", help="X-MSS-MES: FIN.")] = False,
    reply_to: Annotated[str, typer.Option("--reply-to", help="Where answers go.")] = "",
    nil: Annotated[str, typer.Option("--nil", envvar="MSS_GATEWAY_NIL", help="X-MSS-NIL.")] = "",
    server: Annotated[str, typer.Option("--server", help="host:port; else our submission port.")] = "",
    login: Annotated[str, typer.Option("--login", help="Else the sending mailbox.")] = "",
    password_file: Annotated[Path | None, typer.Option("--password-file", help="Its first line.")] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="PEM; instead of a password.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="PEM, of the certificate.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the message here, send nothing.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Build an IHE_XDM archive around a PDF and submit it.

    Exit codes: 0 accepted · 1 configuration · 2 wrong arguments · 5 refused · 6 unavailable.

    Example: mss-gateway document send --from a@… --to 2850377284173… --type 11502-2 --title Bilan bilan.pdf
    """
    given_values = dict(locals())
    settings = settings_of(config, as_json=json)
    request = _request(settings, given_values)
    message_id, octets = _message(request, settings, json)
    if output is not None:
        output.write_bytes(octets)
        reply = f"written to {output}"
    else:
        door = _door(settings, given_values)
        reply = asyncio.run(_submit(door, _context(settings, door), request, octets, json))
    if json:
        show_json({"message_id": message_id, "reply": reply})
        return
    console().print(f"[bold green]✓[/] {escape(message_id)}  {escape(reply)}")


def _request(settings: Settings, given: dict[str, Any]) -> DocumentRequest:
    from mss_gateway.documents.request import DocumentRequest

    as_json: bool = given["json"]
    recipient: str = given["to"].strip()
    if "@" not in recipient:
        recipient = f"{''.join(recipient.split()).upper()}@{settings.house.patient_domain}"
    return DocumentRequest(
        subject=_subject(settings, given, given["ins"] or recipient.partition("@")[0]),
        author=_author(given),
        type_code=given["type"],
        title=given["title"],
        written=_day(given["date"], "--date", as_json) or datetime.now().astimezone().date(),
        pdf=given["pdf"].read_bytes(),
        sender=given["from_"],
        recipient=recipient,
        nil=given["nil"] or settings.file.gateway.software_nil,
        realm=settings.house.realm,
        sender_name=given["structure"],
        file_number=given["file_number"],
        reply_to=given["reply_to"],
        receipt=given["receipt"],
        closing=given["no_reply"],
    )


def _subject(settings: Settings, given: dict[str, Any], ins: str) -> Subject:
    """The registry's identity where it has one, else the options; an option that contradicts it is refused."""
    from mss_gateway.documents.request import Subject
    from mss_gateway.rules.facts import IdentityStatus

    as_json: bool = given["json"]
    number = "".join(ins.split()).upper()
    known = call(given["config"], "ins.show", {"ins": number}, as_json=False)["identity"] or {}
    for trait in ("family", "sex", "born", "place"):
        if known and given[trait] and given[trait] != known[trait]:
            fail(
                f"--{trait} is not what the registry of identities says",
                USAGE,
                reason="trait",
                as_json=as_json,
            )
    traits = {
        name: str(known.get(name) or given[name]) for name in ("family", "given", "sex", "born", "place")
    }
    listed = traits["given"].replace(",", " ").split() if known else traits["given"].split(",")
    root, _, local = given["ipp"].partition(":")
    return Subject(
        ins=number,
        family=traits["family"],
        given=tuple(one.strip() for one in listed if one.strip()),
        sex=traits["sex"],
        born=_day(traits["born"], "--born", as_json),
        place=traits["place"],
        status=IdentityStatus(known.get("status", "PROV")),
        oid=known.get("oid", ""),
        ipp=local,
        ipp_root=root,
    )


def _author(given: dict[str, Any]) -> Author:
    from mss_gateway.documents.request import Author

    box: dict[str, Any] = {}
    if not (given["author_family"] and given["author_id"] and given["structure"] and given["structure_id"]):
        box = call(given["config"], "bal.show", {"address": given["from_"]}, as_json=False)["bal"]
    return Author(
        family=given["author_family"] or box.get("display", ""),
        given=given["author_given"],
        national_id=given["author_id"] or box.get("responsible", "") or _holder(box),
        structure=given["structure"] or box.get("display", ""),
        structure_id=given["structure_id"] or box.get("structure", ""),
        sector=given["sector"],
    )


def _holder(box: dict[str, Any]) -> str:
    """The national id of who holds a nominative mailbox."""
    return next((one["national_id"] for one in box.get("people", ()) if one["role"] == "holder"), "")


def _day(text: str, option: str, as_json: bool) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option}: write a date as YYYY-MM-DD", USAGE, reason="date", as_json=as_json)


def _message(request: DocumentRequest, settings: Settings, as_json: bool) -> tuple[str, bytes]:
    import secrets
    import time
    from uuid import uuid4

    from mss_gateway.base.errors import InvalidValue
    from mss_gateway.base.ids import message_id, sortable_id
    from mss_gateway.documents.building import build_archive
    from mss_gateway.documents.letter import build_message
    from mss_gateway.documents.request import Marks

    now = time.time()
    name = message_id(sortable_id(now, secrets.randbits(62)), settings.mta.hostname)
    marks = Marks(now, uuid4(), uuid4(), f"=_{secrets.token_hex(12)}", name)
    try:
        return name, build_message(build_archive(request, marks))
    except InvalidValue as invalid:
        sentence = invalid.public[:1].upper() + invalid.public[1:]
        if invalid.reason in _REMEDIES:
            sentence += f": give {_REMEDIES[invalid.reason]}"
        fail(sentence, USAGE, reason=invalid.reason, as_json=as_json)


def _door(settings: Settings, given: dict[str, Any]) -> Door:
    as_json: bool = given["json"]
    listening = settings.file.listen.submission
    text: str = given["server"] or (listening[0] if listening else "")
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        fail("--server: write host:port", USAGE, reason="server", as_json=as_json)
    host = host.strip("[]")
    password = ""
    if given["password_file"] is not None:
        try:
            password = given["password_file"].read_text(encoding="utf-8").splitlines()[0]
        except (OSError, IndexError, ValueError):
            fail("--password-file: there is no password in it", USAGE, reason="password", as_json=as_json)
    elif given["certificate"] is None:
        password = typer.prompt("Password", hide_input=True, err=True)
    return Door(
        host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host) if not given["server"] else host,
        port=int(port),
        login=given["login"] or given["from_"],
        password=password,
        certificate=str(given["certificate"] or ""),
        key=str(given["key"] or given["certificate"] or ""),
    )


def _context(settings: Settings, door: Door) -> ssl.SSLContext:
    """Our own authorities; the name is not compared on this machine, where nobody certifies `127.0.0.1`."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = door.host not in ("127.0.0.1", "::1", "localhost")
    for file in settings.trust.ca_files:
        context.load_verify_locations(file)
    if door.certificate:
        context.load_cert_chain(door.certificate, door.key)
    return context


async def _submit(
    door: Door, context: ssl.SSLContext, request: DocumentRequest, octets: bytes, as_json: bool
) -> str:
    """Hand the message in with STARTTLS and AUTH; the server's last reply."""
    import aiosmtplib

    from mss_gateway.rules.ins import mask_text

    client = aiosmtplib.SMTP(
        hostname=door.host, port=door.port, start_tls=True, tls_context=context, timeout=TIMEOUT
    )
    try:
        await client.connect()
        if door.certificate:
            await client.ehlo()  # a raw command does not say it by itself
            answer = await client.execute_command(b"AUTH", b"EXTERNAL", b"=")
            if answer.code != 235:
                raise aiosmtplib.SMTPAuthenticationError(answer.code, answer.message)
        else:
            await client.login(door.login, door.password)
        _, reply = await client.sendmail(request.sender, [request.recipient], octets)
        await client.quit()
    except aiosmtplib.SMTPRecipientsRefused as refused:
        first = refused.recipients[0]
        fail(mask_text(f"{first.code} {first.message}"), REFUSED, reason="refused", as_json=as_json)
    except aiosmtplib.SMTPResponseException as refused:
        fail(mask_text(f"{refused.code} {refused.message}"), REFUSED, reason="refused", as_json=as_json)
    except (aiosmtplib.SMTPException, OSError) as error:
        fail(f"{door.host}:{door.port}: {error}", UNAVAILABLE, reason="unavailable", as_json=as_json)
    finally:
        client.close()
    return mask_text(reply)


@app.command()
def show(
    message: Annotated[Path, typer.Argument(help="A message file (.eml).", exists=True, dir_okay=False)],
    json: AsJson = False,
) -> None:
    """Explain every IHE_XDM archive of a message: documents, patient (masked), checks with verdicts.

    Exit codes: 0 all is good · 1 something is wrong, or there is no archive.

    Example: mss-gateway document show compte-rendu.eml
    """
    from mss_gateway.documents.explaining import explain_message

    told: dict[str, Any] = explain_message(message.read_bytes())
    if json:
        show_json(told)
    else:
        for number, archive in enumerate(told["archives"], start=1):
            for document in archive["documents"]:
                record(document.pop("path"), document)
            _verdicts(f"Archive {number}", archive["checks"])
        _verdicts("Message", told["checks"])
    raise typer.Exit(0 if told["good"] else 1)


_SIGNS = {"good": "[bold green]✓[/]", "warning": "[yellow]![/]", "problem": "[bold red]✗[/]"}


def _verdicts(title: str, checks: list[dict[str, str]]) -> None:
    out = console()
    out.print(f"[bold]{escape(title)}[/]")
    for check in checks:
        out.print(f"  {_SIGNS[check['verdict']]} {escape(check['text'])} [dim]({escape(check['check'])})[/]")


@app.command()
def types(
    words: Annotated[list[str] | None, typer.Argument(help="Words or a code; accents do not matter.")] = None,
    json: AsJson = False,
) -> None:
    """List the types of documents, or search them by word.

    Exit codes: 0 found · 3 nothing found.

    Example: mss-gateway document types radiologie
    """
    from mss_gateway.documents.nomenclature import search_types

    found = [
        {"code": one.code, "label": one.label, "class": one.class_label, "system": one.system}
        for one in search_types(" ".join(words or []))
    ]
    if json:
        show_json({"types": found})
    else:
        table("Document types", ("code", "label", "class"), found)
    raise typer.Exit(0 if found else 3)

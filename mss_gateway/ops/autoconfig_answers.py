"""The answers themselves: Thunderbird's XML, Outlook's autodiscovery, the profile of Apple devices (ACC-4).

Everything from outside goes through an XML or plist writer, never into a text by hand.
"""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lxml import etree

from .autoconfig import methods_of, services_of
from .http_options import HttpOptions

OUTLOOK_ANSWER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
OUTLOOK_FRAME = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
"""Namespaces of [MS-OXDSCLI] section 2.2.4."""

DISPLAY = "MSSanté"
"""What clients call an account."""


def thunderbird(options: HttpOptions, domain: str) -> bytes:
    """`config-v1.1.xml` of the ISPDB; the login is the whole address."""
    root = etree.Element("clientConfig", version="1.1")
    provider = etree.SubElement(root, "emailProvider", id=domain)
    _texts(provider, domain=domain, displayName=f"{DISPLAY} ({domain})", displayShortName=DISPLAY)
    for one in services_of(options):
        name = "incomingServer" if one.kind == "imap" else "outgoingServer"
        server = etree.SubElement(provider, name, type=one.kind)
        security = "SSL" if one.implicit else "STARTTLS"
        _texts(server, hostname=one.host, port=str(one.port), socketType=security, username="%EMAILADDRESS%")
        for method in methods_of(options):
            _texts(server, authentication=method)
    if options.oauth is not None:
        oauth = options.oauth
        _texts(
            etree.SubElement(root, "oAuth2"),
            issuer=oauth.issuer,
            scope=oauth.scope,
            authURL=oauth.authorize,
            tokenURL=oauth.token,
        )
    return _document(root)


def outlook(options: HttpOptions, login: str) -> bytes:
    """The POX answer of autodiscovery ([MS-OXDSCLI] section 2.2.4); Outlook takes one service of each kind."""
    root = etree.Element(f"{{{OUTLOOK_FRAME}}}Autodiscover", nsmap=_plain(OUTLOOK_FRAME))
    response = etree.SubElement(root, f"{{{OUTLOOK_ANSWER}}}Response", nsmap=_plain(OUTLOOK_ANSWER))
    user = _sub(response, "User")
    _sub(user, "DisplayName", DISPLAY)
    account = _sub(response, "Account")
    _sub(account, "AccountType", "email")
    _sub(account, "Action", "settings")
    kinds: set[str] = set()
    for one in services_of(options):
        if one.kind in kinds:
            continue
        kinds.add(one.kind)
        protocol = _sub(account, "Protocol")
        for name, value in (
            ("Type", one.kind.upper()),
            ("Server", one.host),
            ("Port", str(one.port)),
            ("LoginName", login),
            ("DomainRequired", "off"),
            ("SPA", "off"),
            ("SSL", "on" if one.implicit else "off"),
            ("Encryption", "SSL" if one.implicit else "TLS"),
            ("AuthRequired", "on"),
        ):
            _sub(protocol, name, value)
        if one.kind == "smtp":
            _sub(protocol, "UsePOPAuth", "off")
    return _document(root)


def outlook_refusal() -> bytes:
    """What Outlook is told of a domain that is not hosted here ([MS-OXDSCLI] error 500)."""
    root = etree.Element(f"{{{OUTLOOK_FRAME}}}Autodiscover", nsmap=_plain(OUTLOOK_FRAME))
    response = _sub(root, "Response", space=OUTLOOK_FRAME)
    error = _sub(response, "Error", space=OUTLOOK_FRAME)
    _sub(error, "ErrorCode", "500", space=OUTLOOK_FRAME)
    _sub(error, "Message", "The email address cannot be found.", space=OUTLOOK_FRAME)
    return _document(root)


def outlook_address(body: bytes) -> str:
    """The address that a POX request asks about, empty when it is none; entities and DTDs are refused unread."""
    if b"<!" in body.replace(b"<!--", b""):
        return ""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return ""
    for found in root.iter("{*}EMailAddress"):
        return (found.text or "").strip()
    return ""


def apple(options: HttpOptions, address: str, domain: str) -> bytes:
    """A configuration profile (unsigned) with one mail account; its identifiers do not change between downloads."""
    services = {one.kind: one for one in reversed(services_of(options))}
    incoming, outgoing = services.get("imap"), services.get("smtp")
    mail: dict[str, Any] = {
        **_payload("com.apple.mail.managed", f"{domain}.mail", address),
        "PayloadDisplayName": f"{DISPLAY} ({domain})",
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": DISPLAY,
        "EmailAddress": address,
        "SMIMEEnabled": False,
        "PreventMove": True,
    }
    for name, one in (("Incoming", incoming), ("Outgoing", outgoing)):
        if one is not None:
            mail |= {
                f"{name}MailServerAuthentication": "EmailAuthPassword",
                f"{name}MailServerHostName": one.host,
                f"{name}MailServerPortNumber": one.port,
                f"{name}MailServerUseSSL": True,
                f"{name}MailServerUsername": address,
            }
    mail["OutgoingPasswordSameAsIncomingPassword"] = True
    profile = {
        **_payload("Configuration", f"{domain}.profile", address),
        "PayloadDisplayName": f"{DISPLAY} ({domain})",
        "PayloadOrganization": domain,
        "PayloadDescription": "Compte de messagerie sécurisée de santé.",
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [mail],
    }
    return plistlib.dumps(profile)


def signed(profile: bytes, certificate: Path, key: Path) -> bytes:
    """The profile in a PKCS #7 envelope of this door's certificate. Blocking; raises OSError, ValueError."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    private = load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("only RSA and EC keys sign profiles")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(profile)
    builder = builder.add_signer(chain[0], private, hashes.SHA256())
    for issuer in chain[1:]:
        builder = builder.add_certificate(issuer)
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def _plain(space: str) -> Any:
    """The namespace as the one that needs no prefix; the stubs of lxml know only those with one."""
    return {None: space}


def _payload(kind: str, identifier: str, address: str) -> dict[str, Any]:
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"fr.mssante.{identifier}",
        "PayloadUUID": str(uuid5(NAMESPACE_URL, f"{identifier}/{address}")).upper(),
    }


def _texts(parent: Any, **texts: str) -> None:
    for name, value in texts.items():
        etree.SubElement(parent, name).text = value


def _sub(parent: Any, name: str, value: str | None = None, space: str = OUTLOOK_ANSWER) -> Any:
    made = etree.SubElement(parent, f"{{{space}}}{name}")
    made.text = value
    return made


def _document(root: Any) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))

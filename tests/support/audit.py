"""The audit matrix as one table (TRU-6): how each peer is made, what it reads from us, what our queue says of it.

The rows of the second half are the eight domains of the national test tool with the DNs that the real list gives them.
"""

from __future__ import annotations

from dataclasses import replace

from tests.support.audit_kinds import (
    NATIONAL,
    Accepted,
    Alert,
    Link,
    Make,
    Reply,
    Row,
    Space,
    Waits,
    issued,
    signed_with_sha1,
)
from tests.support.pki import CLIENT_ONLY, EMAIL_ONLY, SERVER_ONLY, T61, Subject, self_signed

EXPIRED = "the certificate has expired: renew it"
EARLY = "the certificate is not valid yet: check its dates and both clocks"
REVOKED = "the certificate, or its issuer, has been revoked: use a valid one"
STRANGER = (
    "the certificate was not issued by an authority of the trust space:"
    " use an IGC-Sante one, and send its issuing CA with it"
)
SELF_SIGNED = "the certificate is self-signed: use one issued by an authority of the trust space"
USAGE = (
    "the certificate is not meant for this use:"
    " its extended key usage must allow client or server authentication"
)
WEAK = (
    "the key or signature of the certificate is too weak:"
    " use RSA of 2048 bits or more, or EC P-256, with SHA-256"
)
STALE = "the revocation list of the issuer is out of date: fetch a current CRL"
MISSING = "no revocation list of the issuer is at hand: fetch its CRL"
VERSION = "TLS 1.2 or later is required"
CIPHERS = "no common cipher suite: offer ECDHE with AES-GCM or ChaCha20-Poly1305"

NO_TLS = Reply("530 5.7.0 Must issue a STARTTLS command first", "tls-required", session=False)
NOBODY = Reply("550 5.7.1 A client certificate of the trust space is required (mutual TLS)", "no-certificate")
NOT_LISTED = Reply("550 5.7.1 The DN of the client certificate is not on the trusted list", "dn-not-listed")
OTHER_DOMAIN = Reply(
    "550 5.7.1 The sender's domain does not list the DN of your certificate", "sender-dn-mismatch"
)
NOT_A_REPORT = Reply(
    "550 5.7.1 The null sender is for delivery and disposition reports only",
    "null-sender-shape",
    at="DATA",
    session=False,
)


def _verdict(reason: str, sentence: str) -> Waits:
    """What our own check of their certificate says in the handshake."""
    return Waits(reason, "4.7.5", f"TLS with 127.0.0.1: its certificate: {sentence}")


def _unlisted(row: Row) -> Row:
    """The same row; out, the DN shown and the domain are named."""
    text = f"127.0.0.1 showed {row.shown.listed()}, which is not listed for {row.domain}"
    return replace(row, outbound=Waits("dn-not-listed", "4.7.5", text))


def _both(alert: str, reason: str, sentence: str) -> tuple[Alert, Waits]:
    return Alert(alert, reason, sentence), _verdict(reason, sentence)


THEIRS = Subject("mx.cn-same-dn-different.audit.mssante.fr", ou="1750000018", o="HOPITAL VOISIN")

ROWS: tuple[Row, ...] = (
    Row("valid", issued, Accepted(), Accepted()),
    Row("valid-rsa", lambda found, one: found.organisations.issue(one, key="rsa"), Accepted(), Accepted()),
    Row(
        "no-usage-named", lambda found, one: found.organisations.issue(one, usages=()), Accepted(), Accepted()
    ),
    Row(
        "expired",
        lambda found, one: found.organisations.expired(one),
        *_both("certificate expired", "certificate-expired", EXPIRED),
    ),
    Row(
        "not-yet-valid",
        lambda found, one: found.organisations.not_yet_valid(one),
        *_both("bad certificate", "certificate-not-yet-valid", EARLY),
    ),
    Row(
        "revoked-leaf",
        issued,
        *_both("certificate revoked", "certificate-revoked", REVOKED),
        revoked=True,
    ),
    Row(
        "revoked-intermediate",
        lambda found, one: found.revoked.issue(one),
        *_both("certificate revoked", "certificate-revoked", REVOKED),
    ),
    Row(
        "stale-crl-hard",
        lambda found, one: found.stale.issue(one),
        *_both("certificate expired", "crl-stale", STALE),
    ),
    Row(
        "no-crl",
        lambda found, one: found.silent.issue(one),
        *_both("unknown ca", "crl-missing", MISSING),
    ),
    Row(
        "other-igc-authority",
        lambda found, one: found.unlisted.issue(one),
        *_both("unknown ca", "issuer-unknown", STRANGER),
    ),
    Row(
        "without-its-chain",
        lambda found, one: replace(found.organisations.issue(one), chain=b""),
        Accepted(),
        Accepted(),
    ),
    Row(
        "not-igc",
        lambda found, one: found.stranger.organisations.issue(one),
        *_both("unknown ca", "issuer-unknown", STRANGER),
    ),
    Row(
        "self-signed",
        lambda _, one: self_signed(one),
        *_both("unknown ca", "self-signed", SELF_SIGNED),
    ),
    Row(
        "client-only",
        lambda found, one: found.organisations.issue(one, usages=CLIENT_ONLY),
        Accepted(),
        _verdict("wrong-usage", USAGE),
    ),
    Row(
        "server-only",
        lambda found, one: found.organisations.issue(one, usages=SERVER_ONLY),
        Alert("unsupported certificate", "wrong-usage", USAGE),
        Accepted(),
    ),
    Row(
        "email-only",
        lambda found, one: found.organisations.issue(one, usages=EMAIL_ONLY),
        *_both("unsupported certificate", "wrong-usage", USAGE),
    ),
    Row(
        "weak-key",
        lambda found, one: found.organisations.issue(one, key="weak"),
        *_both("bad certificate", "weak-key", WEAK),
    ),
    Row(
        "sha1-signature",
        signed_with_sha1,
        *_both("bad certificate", "weak-key", WEAK),
    ),
    _unlisted(Row("dn-not-listed", issued, NOT_LISTED, None, listed=())),
    _unlisted(
        Row(
            "cn-same-dn-different",
            issued,
            NOT_LISTED,
            None,
            subject=replace(THEIRS, o="AUTRE HOPITAL"),
            listed=(THEIRS.listed(),),
        )
    ),
    _unlisted(
        Row(
            "listed-for-another",
            issued,
            OTHER_DOMAIN,
            None,
            subject=Subject("mx.valid.audit.mssante.fr"),
            listed=(Subject("mx.somebody-else.audit.mssante.fr").listed(),),
        )
    ),
    Row(
        "dn-as-l-and-t61",
        lambda found, one: found.organisations.issue(replace(one, locality=True, string=T61)),
        Accepted(),
        Accepted(),
        subject=Subject("mx.variants.audit.mssante.fr", o="CENTRE  DE L'ÉTANG", st="Rhône (69)"),
        listed=(
            'C = fr, ST=Rhône\u00a0(69), O="CENTRE DE L\'ÉTANG", OU=300000000000019, CN=MX.variants.AUDIT.mssante.fr',
        ),
    ),
    Row(
        "no-tls",
        issued,
        NO_TLS,
        Waits("no-starttls", "4.7.10", "127.0.0.1 does not offer STARTTLS"),
        link=Link.PLAIN,
    ),
    Row(
        "tls-not-now",
        issued,
        None,
        Waits("starttls-refused", "4.7.0", "127.0.0.1: 454 4.7.0 TLS not available due to temporary reason"),
        link=Link.UNREADY,
    ),
    Row(
        "tls-never",
        issued,
        None,
        Waits("starttls-refused", "4.7.0", "127.0.0.1: 554 5.7.0 No TLS for you"),
        link=Link.UNWILLING,
    ),
    Row(
        "tls-1.1",
        issued,
        Alert("protocol version", "tls-version", VERSION),
        Waits("tls-version", "4.7.5", f"TLS with 127.0.0.1: {VERSION}"),
        link=Link.OLD,
    ),
    Row(
        "no-certificate",
        lambda _, __: None,
        NOBODY,
        Waits("tls-no-cipher", "4.7.5", f"TLS with 127.0.0.1: {CIPHERS}"),
    ),
    Row("null-sender-report", issued, Accepted(), None, null_sender=True, report=True),
    Row("null-sender-letter", issued, NOT_A_REPORT, None, null_sender=True),
    Row("null-sender-unlisted", issued, NOT_LISTED, None, listed=(), null_sender=True, report=True),
    Row("crl-in-grace", issued, Accepted(), Accepted(), space=Space.GRACE),
    Row(
        "revoked-in-grace",
        issued,
        Reply(f"550 5.7.1 {REVOKED}", "certificate-revoked"),
        Waits("certificate-revoked", "4.7.5", f"127.0.0.1: {REVOKED}"),
        space=Space.GRACE,
        revoked=True,
    ),
    Row(
        "expired-in-grace",
        lambda found, one: found.organisations.expired(one),
        *_both("certificate expired", "certificate-expired", EXPIRED),
        space=Space.GRACE,
    ),
    Row(
        "crl-past-grace",
        issued,
        *_both("certificate expired", "crl-stale", STALE),
        space=Space.LATE,
    ),
)
"""Every row that an audit asks for."""

BUS = Subject(
    "bus.mssante.fr", ou="347976684200724", o="CAPGEMINI TECHNOLOGY SERVICES", st="Hauts-de-Seine (92)"
)
"""The certificate that most of the national test domains list besides their own."""


def _national(name: str, **changes: str | bool) -> Subject:
    """The DN whose CN is the audit domain itself, with the attributes of the bus unless told otherwise."""
    return replace(BUS, cn=f"{name}.{NATIONAL}", **changes)  # type: ignore[arg-type]


TEST_UNIT = {"ou": "300000000099622", "o": "GIP - TEST9962"}
OWN_VALID = _national("cert-valide-audit")
OWN_EXPIRED = _national("cert-expire-audit", st="Paris (75)", locality=True, **TEST_UNIT)
OWN_REVOKED = _national("cert-revoque-audit")
OWN_FOREIGN = _national("cert-non-igc-audit", st="Paris (75)", **TEST_UNIT)
OWN_NO_MATCH = _national("cert-no-match-audit")
OWN_CN = _national(
    "cert-cn-diff-dn-audit",
    st="Paris (75)",
    ou="318751275100020",
    o="AGENCE DU NUMERIQUE EN SANTE",
)
OWN_TESTS = _national("tests-operateur")


def _of(name: str, make: Make, subject: Subject, *listed: Subject, at: str) -> Row:
    """A row of the national tool, outcomes still to be said."""
    entries = tuple(one.listed() for one in listed)
    return Row(name, make, Accepted(), Accepted(), subject=subject, listed=entries, under=NATIONAL, at=at)


def _refused(row: Row, alert: str, reason: str, sentence: str) -> Row:
    inbound, outbound = _both(alert, reason, sentence)
    return replace(row, inbound=inbound, outbound=outbound)


NATIONAL_ROWS: tuple[Row, ...] = (
    _of("cert-valide", issued, OWN_VALID, OWN_VALID, at="cert-valide-audit"),
    _of("cert-valide-as-l", issued, replace(OWN_VALID, locality=True), OWN_VALID, at="cert-valide-audit"),
    _refused(
        _of(
            "cert-expire",
            lambda found, one: found.organisations.expired(one),
            OWN_EXPIRED,
            OWN_EXPIRED,
            BUS,
            at="cert-expire-audit",
        ),
        "certificate expired",
        "certificate-expired",
        EXPIRED,
    ),
    _of(
        "cert-expire-renewed-as-st",
        issued,
        replace(OWN_EXPIRED, locality=False),
        OWN_EXPIRED,
        BUS,
        at="cert-expire-audit",
    ),
    _of("cert-expire-by-bus", issued, BUS, OWN_EXPIRED, BUS, at="cert-expire-audit"),
    _refused(
        replace(
            _of("cert-revoque", issued, OWN_REVOKED, OWN_REVOKED, BUS, at="cert-revoque-audit"), revoked=True
        ),
        "certificate revoked",
        "certificate-revoked",
        REVOKED,
    ),
    _of("cert-revoque-by-bus", issued, BUS, OWN_REVOKED, BUS, at="cert-revoque-audit"),
    _refused(
        _of(
            "cert-non-igc",
            lambda found, one: found.stranger.organisations.issue(one),
            OWN_FOREIGN,
            OWN_FOREIGN,
            BUS,
            at="cert-non-igc-audit",
        ),
        "unknown ca",
        "issuer-unknown",
        STRANGER,
    ),
    _unlisted(
        replace(
            _of(
                "cert-no-match",
                issued,
                _national("cert-no-match-audit", o="AUTRE OPERATEUR"),
                OWN_NO_MATCH,
                BUS,
                at="cert-no-match-audit",
            ),
            inbound=NOT_LISTED,
        )
    ),
    _unlisted(
        replace(
            _of(
                "cert-no-match-of-another",
                issued,
                OWN_VALID,
                OWN_NO_MATCH,
                BUS,
                at="cert-no-match-audit",
            ),
            inbound=OTHER_DOMAIN,
        )
    ),
    _of("cert-cn-diff-dn", issued, OWN_CN, OWN_CN, BUS, at="cert-cn-diff-dn-audit"),
    _of("cert-cn-diff-dn-by-bus", issued, BUS, OWN_CN, BUS, at="cert-cn-diff-dn-audit"),
    _unlisted(
        replace(
            _of(
                "cert-cn-diff-dn-same-cn",
                issued,
                _national("cert-cn-diff-dn-audit"),
                OWN_CN,
                BUS,
                at="cert-cn-diff-dn-audit",
            ),
            inbound=NOT_LISTED,
        )
    ),
    replace(
        _of("sans-tls", issued, BUS, BUS, at="sans-tls-audit"),
        inbound=NO_TLS,
        outbound=Waits("no-starttls", "4.7.10", "127.0.0.1 does not offer STARTTLS"),
        link=Link.PLAIN,
    ),
    _of("tests-operateur", issued, OWN_TESTS, OWN_TESTS, at="tests-operateur"),
)
"""The eight domains of the national tool, some with several certificates that it may show."""

MATRIX = (*ROWS, *NATIONAL_ROWS)
"""All rows. Their names are unique; several rows may share a domain."""

"""Walks of the canary test over the ops door, the identity provider, the directory and what is kept (AUD-5)."""

from __future__ import annotations

import contextlib
import ssl
from base64 import b64encode

import httpx2

from mss_gateway.cli import keeping
from tests.support.annuaire import extraction, line
from tests.support.canary import LOWER, PASSWORD, TOKEN, UNKNOWN, Scene
from tests.support.canary_site import ADMIN
from tests.support.fhir import practitioner, status
from tests.support.sasl import Talk
from tests.support.scram import ScramClient
from tests.support.tokens import BAD
from tests.support.wires import Closed

NAME = "canarinom"
OWN = f"{UNKNOWN}@patient.mssante.fr"
HOSTILE = (
    OWN,
    f"{UNKNOWN}@ailleurs.example",
    f"canarisujet{UNKNOWN}@",
    f"<script>{UNKNOWN}</script>@x.example",
    f"{UNKNOWN}\r\nX-Canari: canarientete",
    "x" * 5000 + UNKNOWN,
)


def ops_door(scene: Scene) -> None:
    """Every path of the door with addresses, tokens and headers that are none of ours, and once as it should be."""
    site = scene.around
    context = ssl.create_default_context(cafile=site.ca)
    logins = (None, ("ops", ADMIN), ("ops", PASSWORD), (UNKNOWN, TOKEN), (f"{UNKNOWN}\u00e9", ""))
    with httpx2.Client(
        base_url=f"https://localhost:{site.ops}", verify=context, timeout=60, trust_env=False
    ) as web:

        def ask(path: str, method: str = "GET", *, own: bool = False, **more: object) -> None:
            """`own`: the client asks how to set up this very address, and is told it back."""
            with contextlib.suppress(httpx2.HTTPError, httpx2.InvalidURL, ValueError):
                answer = web.request(method, path, **more)  # type: ignore[arg-type]
                told = f"{answer.status_code} {answer.headers}\n{answer.text}"
                scene.web.append((path[:60], told.replace(OWN, "").replace(OWN.lower(), "") if own else told))

        for login in logins:
            for path in (
                "/status",
                "/metrics",
                "/health",
                "/ready",
                "/",
                f"/{UNKNOWN}",
                f"/status?{UNKNOWN}={TOKEN}",
            ):
                ask(path, auth=login)
        ask("/status", headers={"Authorization": f"Bearer {TOKEN}", "Cookie": f"canari={PASSWORD}"})
        ask("/status", headers={"Authorization": f"Bearer {site.token}", "User-Agent": UNKNOWN})
        ask(f"/metrics/{PASSWORD}", "DELETE", content=b"canaricorps")
        for address in HOSTILE:
            ask("/.well-known/autoconfig/mail/config-v1.1.xml", params={"emailaddress": address})
            ask("/autodiscover/autodiscover.json", params={"Email": address, "Protocol": "AutodiscoverV1"})
            ask("/autodiscover/autodiscover.json", params={"Email": address, "Protocol": UNKNOWN})
            body = f"<Autodiscover><Request><EMailAddress>{address}</EMailAddress></Request></Autodiscover>"
            ask("/autodiscover/autodiscover.xml", "POST", content=body.encode(), own=address == OWN)
            ask("/mobileconfig", params={"address": address, "name": UNKNOWN}, own=address == OWN)
        ask(
            "/autodiscover/autodiscover.xml",
            "POST",
            content=b"<!DOCTYPE x [<!ENTITY e 'canaricorps'>]><x>&e;",
        )


def tokens(scene: Scene) -> None:
    """Good and bad tokens of the provider in both shapes over both protocols, then a provider that is odd or silent."""
    provider = scene.around.provider
    login = scene.gateway.handout.account("PER").login
    assert _bearer(scene, login, scene.around.token, whole=True) == {"OK"}, "a good token opens a mailbox"
    for make, _ in BAD.values():
        _bearer(scene, login, make(provider.issuer))
    _bearer(scene, f"{UNKNOWN}@patient.mssante.fr", provider.issuer.token())
    provider.issuer.rotate(keep=0)
    odd = f'{{"keys": "{UNKNOWN} {TOKEN} canaricorps"}}'.encode()
    for broken in (
        (500, odd),
        (200, odd),
        (200, b"\xff" + UNKNOWN.encode()),
        (302, f"https://{UNKNOWN}.example/{TOKEN}".encode()),
    ):
        provider.broken = dict.fromkeys(("document", "certs", "userinfo", "introspect"), broken)
        _bearer(scene, login, provider.issuer.token(), protocols=("imap",))
    scene.cli("doctor", "--json")
    provider.broken = {}


def _bearer(
    scene: Scene,
    login: str,
    token: str,
    protocols: tuple[str, ...] = ("smtp", "imap"),
    *,
    whole: bool = False,
) -> set[str]:
    """What each way of showing a token ends with."""
    ends = set()
    scene.tokens.add(token)
    shapes = {
        "XOAUTH2": f"user={login}\x01auth=Bearer {token}\x01\x01",
        "OAUTHBEARER": f"n,a={login},\x01host=localhost\x01port=993\x01auth=Bearer {token}\x01\x01",
    }
    for protocol in protocols:
        for mechanism, first in shapes.items() if whole or protocol == "imap" else [*shapes.items()][:1]:
            wire = scene.smtp(scene.gateway.handout.ports.submission) if protocol == "smtp" else scene.imap()
            with contextlib.suppress(Closed, OSError, AssertionError):
                talk = Talk(wire)
                kind, text = talk.begin(mechanism, first.encode())
                scene.heard.append(text.decode("utf-8", "replace"))
                if kind == "+":
                    kind, text = talk.say(b"\x01")
                    scene.heard.append(text.decode("utf-8", "replace"))
                ends.add(kind)
            wire.close()
    return ends


def scram(scene: Scene) -> None:
    """SCRAM as it should be, with a wrong password, and with a proof that is sent twice; its proofs are secrets too."""
    account = scene.gateway.handout.account("PER")
    for password, end in ((account.password, "OK"), (PASSWORD, "NO")):
        for wire in (scene.smtp(scene.gateway.handout.ports.submission), scene.imap()):
            client, talk = ScramClient(account.login, password), Talk(wire)
            kind, challenge = talk.begin("SCRAM-SHA-256", client.first())
            assert kind == "+", challenge
            final = client.final(challenge)
            proof = final.rpartition(b",p=")[2].decode()
            scene.proofs |= {proof, b64encode(final).decode()}
            kind, text = talk.say(final)
            if kind == "+":
                client.verify(text)
                scene.proofs.add(text.decode()[2:])
                kind, text = talk.say(b"")
            assert kind == end, text
            scene.heard.append(text.decode("utf-8", "replace"))
            scene.proofs |= {client.salt.hex()}
            wire.close()


def directory(scene: Scene) -> None:
    """An extraction with canaries in place of names and addresses, searches, and an API that answers them back."""
    fhir, folder = scene.around.fhir, scene.around.room("annuaire")
    doctor = scene.gateway.handout.account("PER").address
    rows = [
        line("bon.exemple@hopital.mssante.fr", number=1),
        f"PER|{UNKNOWN}@x|{UNKNOWN}|||",
        "|".join([UNKNOWN] * 31),
        f"{UNKNOWN}{LOWER}" * 300,
    ]
    source = extraction(folder, rows)
    scene.cli("directory", "import", str(source), "--force")
    scene.cli("directory", "import", str(source), "--force", "--json")
    torn = extraction(folder, f"{UNKNOWN}|\xff|canaricorps".encode("latin-1"), day="20261121", header=UNKNOWN)
    scene.cli("directory", "import", str(torn))
    for words in (
        ("search", UNKNOWN),
        ("search", "--rpps", UNKNOWN),
        ("search", "--department", UNKNOWN, "canaricherche"),
        ("search", "bon"),
        ("show", f"{UNKNOWN}@x.example"),
        ("show", UNKNOWN),
        ("status",),
        ("compare",),
        ("export", str(folder / "livre.vcf"), UNKNOWN),
        ("export", str(folder / f"{UNKNOWN}.x"), "x"),
    ):
        scene.cli("directory", *words)
    outcome = f'{{"resourceType": "OperationOutcome", "issue": [{{"diagnostics": "{UNKNOWN} canaricorps"}}]}}'.encode()
    moved = status(302, b"", Location=f"https://{UNKNOWN}.example/{TOKEN}")
    errors = [status(code, outcome) for code in (401, 403, 400, 200)]
    for answer in (*errors, status(200, UNKNOWN.encode()), moved):
        fhir.troubles = [answer]
        scene.cli("directory", "search", "exemple", "--online")
        fhir.troubles = [answer]
        scene.cli("directory", "show", doctor, "--online", "--json")
    fhir.troubles = []
    fhir.resources = [practitioner("bon.exemple@hopital.mssante.fr", "10001234567", "EXEMPLE", "Bon")]
    assert scene.cli("directory", "search", "exemple", "--online") == 0
    scene.cli("directory", "search", UNKNOWN, "--online")


def people(scene: Scene) -> None:
    """Imports with bad rows, delegations, quotas, persons and structures, with a canary in every place."""
    doctor, login = scene.gateway.handout.account("PER").address, scene.gateway.handout.account("ORG").login
    hosted, folder = doctor.partition("@")[2], scene.around.room("boites")
    table = folder / f"boites-{UNKNOWN}.csv"
    table.write_text(
        f"address;type;national_id;password;login;display;{UNKNOWN}\r\n"
        f"{UNKNOWN}@{hosted};PER;{UNKNOWN};{PASSWORD};{UNKNOWN};{UNKNOWN}\r\n"
        f'x{UNKNOWN}@ailleurs.example;{UNKNOWN};8;{PASSWORD};x;{UNKNOWN}\r\n"{UNKNOWN}\r\n',
        encoding="utf-8",
    )
    second = folder / "boites.csv"
    second.write_text(
        f"address;type;national_id;password;login;display\r\n{UNKNOWN}@{hosted};PER;{UNKNOWN};{PASSWORD};{UNKNOWN};x\r\n"
        f"a.b@{hosted};{UNKNOWN};;{PASSWORD};;\r\n",
        encoding="utf-8",
    )
    for words in (
        ("bal", "import", str(table)),
        ("bal", "import", str(second), "--dry-run"),
        ("bal", "import", str(second), "--reconcile", "--yes"),
        ("bal", "import", str(second), "--json"),
        ("bal", "import", "--status"),
        ("bal", "delegate", doctor, login, "--until", "2099-01-01", "--reason", f"absence de {UNKNOWN}"),
        ("bal", "delegate", doctor, UNKNOWN, "--until", UNKNOWN, "--reason", UNKNOWN),
        ("bal", "delegate", f"{UNKNOWN}@{hosted}", login),
        ("bal", "delegate", doctor, login, "--remove", "--reason", UNKNOWN),
        ("bal", "history", doctor),
        ("bal", "quota", doctor, "--bytes", UNKNOWN),
        ("bal", "quota", doctor, "--messages", "50000"),
        (
            "person",
            "add",
            UNKNOWN,
            "--name",
            UNKNOWN,
            "--national-id",
            UNKNOWN,
            "--password",
            f"{PASSWORD}-5",
        ),
        ("person", "passwd", UNKNOWN, "--password", f"{PASSWORD}-6"),
        ("person", "show", UNKNOWN),
        ("person", "list"),
        ("structure", "add", UNKNOWN, "--name", UNKNOWN),
        ("structure", "show", UNKNOWN),
        ("structure", "list", "--json"),
        ("login", "locks"),
        ("login", "unlock", UNKNOWN),
        ("autoconfig", "show", f"{UNKNOWN}@{hosted}"),
        ("autoconfig", "srv"),
    ):
        scene.cli(*words)


def delegated(scene: Scene) -> None:
    """Who writes for somebody else: with the right, with a forged Sender, and when it has been taken away."""
    chief, member = scene.gateway.handout.account("CAB"), scene.gateway.handout.account("ORG")
    patient = scene.gateway.handout.patients.active
    assert (
        scene.cli(
            "bal", "delegate", chief.address, member.login, "--until", "2099-01-01", "--reason", UNKNOWN
        )
        == 0
    )
    wire = scene.smtp(scene.gateway.handout.ports.submission)
    wire.login(member.login, member.password)
    assert wire.deliver(chief.address, patient, scene.letter(chief.address, patient)).startswith("250")
    for sender in (OWN, f"{UNKNOWN} <x@ailleurs.example>"):
        wire.envelope(chief.address, patient)
        assert wire.data(scene.letter(chief.address, patient, Sender=sender)).startswith("550")
    assert scene.cli("bal", "delegate", chief.address, member.login, "--remove", "--reason", LOWER) == 0
    reply = wire.command(f"MAIL FROM:<{chief.address}>")
    assert reply.startswith("421"), reply  # the session ends with the right
    wire.close()
    scene.cli("bal", "history", chief.address, "--json")


def filled(scene: Scene) -> None:
    """A mailbox that reaches its quota: the warning, the refusal."""
    account = scene.gateway.handout.account("CAB")
    scene.cli("bal", "quota", account.address, "--messages", "2")
    wire = scene.imap(account)
    for _ in range(4):
        scene.heard.append(wire.append("INBOX", scene.letter(account.address, account.address)).decode())
    wire.ok("SELECT INBOX")
    wire.ok("STORE 1 +FLAGS (\\Deleted)")
    wire.ok("EXPUNGE")
    wire.close()
    for words in (
        ("bal", "quota", account.address),
        ("undelete", "list", account.address),
        ("undelete", "list", account.address, "--folder", "canaridossier", "--message", f"<{UNKNOWN}@x>"),
        ("undelete", "list", UNKNOWN, "--since", UNKNOWN),
        ("undelete", "message", account.address, "1", "--reason", UNKNOWN),
        ("undelete", "folder", account.address, f"Sent {UNKNOWN}", "--reason", UNKNOWN),
        ("bal", "quota", account.address, "--messages", "default"),
    ):
        scene.cli(*words)


def kept(scene: Scene) -> None:
    """Backups sealed and in the clear, what they are called and say of themselves, restores, examinations."""
    folder = scene.around.room("sauvegardes")
    keeping.POLL = 0.05  # the commands run in this process, and wait for others
    sealed, clear = scene.around.folder / "backups", folder / "clair"
    assert scene.cli("backup", "make") == 0
    for words in (
        ("backup", "list"),
        ("backup", "list", "--json"),
        ("backup", "make", f"/proc/{UNKNOWN}"),
        ("verify", "--quick"),
        ("verify", "--backup", str(sealed)),
        ("verify", "--backup", str(clear), "--which", UNKNOWN),
        ("restored",),
        ("encryption", "status"),
        ("encryption", "rotate"),
        ("encryption", "encrypt-existing", "--json"),
        ("encryption", "wipe"),
        ("status",),
        ("status", "--json"),
        ("health",),
        ("doctor", "--quick"),
        ("doctor",),
    ):
        scene.cli(*words)
    key = scene.around.folder / "backup.key"
    wrong = folder / "wrong.key"
    wrong.write_bytes(b"\0" * 32)
    scene.apart("restore", str(sealed), "--to", str(folder / "neuf"), "--key-file", str(key))
    scene.apart("restore", str(sealed), "--to", str(folder / "faux"), "--key-file", str(wrong))
    scene.apart("restore", str(sealed), "--to", str(folder / f"{UNKNOWN}"), "--backup", UNKNOWN)
    for path in sorted(sealed.rglob("*")):
        if path.is_file():
            scene.stored[str(path.relative_to(sealed))] = path.read_bytes()


def failing(scene: Scene) -> None:
    """The doctor when what it looks at is broken: keys, provider, audit key; the evidence tells no secret."""
    site = scene.around
    ring, key = site.folder / "ring", scene.gateway.folder / "audit.key"
    whole, chain = ring.read_bytes(), key.read_bytes()
    site.provider.broken = dict.fromkeys(("document", "certs"), (500, UNKNOWN.encode()))
    ring.write_bytes(b"actuelle " + site.encryption_key.hex().encode() + b" " + UNKNOWN.encode())
    key.write_bytes(chain.strip() + UNKNOWN.encode() + b"\n")
    try:
        scene.cli("doctor")
        scene.cli("doctor", "--json")
        scene.cli("audit", "verify")
        key.unlink()
        scene.cli("doctor", "--quick")
    finally:
        key.write_bytes(chain)
        key.chmod(0o600)
        ring.write_bytes(whole)
        site.provider.broken = {}

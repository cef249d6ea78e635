"""The facts of the status page: what is wrong, what to do, and nobody's name (OPS-4, AUD-5)."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mss_gateway
from mss_gateway.observe.events import Event
from mss_gateway.observe.figures import Figures
from mss_gateway.observe.pulse import Pulse
from mss_gateway.ops.http_ready import Readiness
from mss_gateway.ops.status import Sources, StatusOperations
from mss_gateway.ops.status_checks import NAMES, check_name
from mss_gateway.ops.status_page import page
from mss_gateway.ops.status_words import MALFORMED_ADDRESS, WORDS, WRONG_COMMAND, day, span, whole, words
from mss_gateway.ports.queue import DomainQueue
from mss_gateway.rules.archive_texts import PROBLEMS
from mss_gateway.rules.meanings import RELAY_REASONS, TRUST_REASONS, WIRE_REASONS, WITHHELD_REASONS
from mss_gateway.rules.reasons import REASONS
from mss_gateway.trust.refusals import SENTENCES
from tests.support.ops import parsed
from tests.support.refusals import slugs as refused_with

INS = "285037728417346"


def trust(**changes: Any) -> dict[str, Any]:
    """A trust space in which all is well."""
    now = time.time()
    return {
        "list": {"age_hours": 2.0, "domains": 400, "held": None, "source": "file"},
        "fetches": [],
        "crls": [{"issuer": "CN=AC ESSAI,C=FR", "next_update": now + 86_400}],
        "own": [
            {
                "source": "/etc/x/gateway.pem",
                "subject": "CN=mx,O=X",
                "valid_from": 0.0,
                "valid_until": now + 9e6,
            }
        ],
        "alarms": [],
        **changes,
    }


def queued(domain: str = "hopital.example", age: float = 10.0, error: str = "", **counts: int) -> DomainQueue:
    """Rows of one domain."""
    filled = {"waiting": 0, "leased": 0, "uncertain": 0, "held": 0, **counts}
    return DomainQueue(
        domain,
        octets=1,
        oldest_at=time.time() - age,
        next_attempt=None,
        attempts=1,
        last_error=error,
        **filled,
    )


class Rows:
    """A store with these rows."""

    def __init__(self, *domains: DomainQueue) -> None:
        self._domains = list(domains)

    async def queue_by_domain(self) -> list[DomainQueue]:
        return self._domains

    async def channel_states(self) -> dict[str, int]:
        return {"closed": 2, "open": 1500}


async def facts_of(
    *domains: DomainQueue,
    reasons: tuple[str, ...] = (),
    space: dict[str, Any] | None = None,
    figures: Figures | None = None,
    checks: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    """What `status` tells of this gateway."""

    async def nothing() -> None:
        return None

    async def doctor(arguments: Any) -> dict[str, Any]:
        return {"healthy": True, "checks": checks or []}

    counted = figures or Figures()
    told = space or trust()
    rows: Any = Rows(*domains)
    readiness = Readiness(nothing, lambda: 10**12, rows, tuple, lambda: told)

    async def given_reasons() -> list[str]:
        return list(reasons)

    readiness.reasons = given_reasons  # type: ignore[method-assign]
    sources = Sources(
        "mx.example", rows, lambda: {"silent.example": ("connect-refused", time.time() + 90)}, lambda: told,
        doctor, readiness, counted, Pulse(counted), Path("/"), 4 * 3600.0,
    )  # fmt: skip
    return await StatusOperations(sources).status({})


@pytest.mark.req("OPS-4")
async def test_all_is_well() -> None:
    """Nothing to do, and the page says so first."""
    facts = await facts_of()
    facts["disk"] = {"free": 5, "total": 10, "verdict": "good"}
    assert (facts["ready"], facts["trust"]["domains"]) == (True, 400)
    assert facts["channels"][1] == {"state": "open", "name": "ouverts", "count": 1500}
    document = parsed(page({**facts, "state": "good", "todo": []}))
    assert "Rien à faire" in document.get_element_by_id("etat").text_content()
    assert "1\u202f500" in document.get_element_by_id("echanges").text_content()


TROUBLES = [
    ({"reasons": ("store-not-writable",)}, "bad", "magasin"),
    ({"reasons": ("certificate-expired",)}, "bad", "notre certificat a expiré"),
    ({"domains": (queued(age=20_000, waiting=42, error="connect-refused: x"),)}, "bad", "42 en attente"),
    ({"domains": (queued(held=1),)}, "doubt", "1 envoi retenu"),
    ({"space": trust(crls=[{"issuer": "CN=A", "next_update": 1.0}])}, "bad", "CRL"),
    ({"space": trust(alarms=[{"reason": "list-old", "sentence": "x: y"}])}, "doubt", "alarme"),
    (
        {
            "space": trust(
                own=[{"source": "a.pem", "subject": "CN=a", "valid_from": 0.0, "valid_until": None}]
            )
        },
        "bad",
        "illisible",
    ),
]


@pytest.mark.req("OPS-4")
@pytest.mark.parametrize(("given_", "state", "said"), TROUBLES)
async def test_each_trouble_comes_with_what_to_do(given_: dict[str, Any], state: str, said: str) -> None:
    """On top of the page, with its remedy."""
    domains = given_.pop("domains", ()) if "domains" in given_ else ()
    facts = await facts_of(*domains, **given_)
    steps = [one for one in facts["todo"] if said in one["title"]]
    assert steps
    assert steps[0]["verdict"] == state
    assert steps[0]["remedy"]
    top = parsed(page(facts)).get_element_by_id("etat").text_content()
    assert said in top


@pytest.mark.req("OPS-4", "AUD-5", "INS-7")
async def test_what_a_peer_says_is_never_shown() -> None:
    """Only slugs of last errors and evidence without names; hostile text is escaped."""
    figures = Figures()
    figures.event(Event.MESSAGE_REFUSED, {"reason": f"unknown-box: {INS}@patient.mssante.fr"})
    figures.event(Event.PEER_REFUSED, {"reason": "<script>alert(1)</script>"})
    error = f"peer-refused: 550 {INS}@patient.mssante.fr <b>unknown</b>"
    evidence = f"to x: 550 {INS}@patient.mssante.fr; nom.prenom@x.example <script>"
    check = {"name": "queue", "verdict": "bad", "evidence": evidence, "next_step": f"`queue list {INS}`"}
    facts = await facts_of(
        queued(waiting=1, error=error), queued("silent.example", waiting=1), figures=figures, checks=[check]
    )
    shown = page(facts)
    assert INS not in shown + str(facts)
    assert INS[:8] not in shown
    assert "nom.prenom" not in shown
    assert "<script" not in shown
    assert "550" not in parsed(shown).get_element_by_id("file").text_content()
    assert "le serveur refuse la connexion" in shown
    assert facts["refusals"][1]["reason"] == "unknown-box"


NOT_REFUSED = {
    "patient-state": "an answer to a command",
    "receipt-third-party": "told on the timeline alone: the message is taken",
    "report-to-closed-patient": "told on the timeline alone: nobody is refused",
    **dict.fromkeys(
        ("rpps-shape", "rpps-key", "national-id", "structure-id", "siret-key", "role", "second-holder",
         "state-transition", "delegation-type", "delegation-time", "login-shape", "box-type", "box-state", "text",
         "members", "yes-or-no", "unread-lines", "mass-closing", "reason-missing", "retention", "quota-size",
         "quota-messages", "auto-close-choice", "alert-address", "fin-choice"),
        "an answer to a command or to a line of an import",
    ),
    **dict.fromkeys(
        ("by-operator", "automatic-mail", "sender-gone"), "why a report is withheld: told on the timeline alone"
    ),
}  # fmt: skip
"""Slugs that never reach the page, and why."""


@pytest.mark.req("OPS-4")
def test_reasons_have_french_words() -> None:
    """Every slug that doors, logins, tokens, relay, archives and rules can refuse with; none is explained away
    that has words."""
    said = {slug: place for slug, place in refused_with().items() if slug}
    assert {"login-failed", "token-expired", "provider-unreachable", "which-box", "token-missing"} <= set(
        said
    )
    known = (
        *RELAY_REASONS,
        *TRUST_REASONS,
        *WIRE_REASONS,
        *WITHHELD_REASONS,
        *SENTENCES,
        *REASONS,
        *PROBLEMS,
        *said,
    )
    for reason in known:
        if reason in NOT_REFUSED:
            assert reason not in WORDS, reason
            continue
        meaning, remedy = words(reason)
        assert meaning, (reason, said.get(reason))
        assert remedy, reason
        assert not re.search(r"\b(the|is|not|of|mailbox)\b", meaning), meaning
    assert set(NOT_REFUSED) <= {*REASONS, *WITHHELD_REASONS}
    assert words("never-heard-of")[0] == ""
    assert words("never-heard-of")[1]


@pytest.mark.req("OPS-4")
def test_refused_commands_have_french_words() -> None:
    """What a scanner or a wrongly set up client meets first stands in the last refusals as well."""
    root = Path(mss_gateway.__file__).parent
    sources = [path for path in (root / "protocol" / "smtp").glob("*.py") if "client" not in path.name]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    said = set(re.findall(r'CommandError\(.*"([a-z0-9-]+)"\)', text))
    address = (root / "mail" / "address.py").read_text(encoding="utf-8")
    said |= set(re.findall(r'InvalidValue\(.*"([a-z-]+)"\)', address))
    assert {"tls-required", "auth-required", "unknown-command", "local-syntax", "path-syntax"} <= said
    assert not [slug for slug in sorted(said) if not words(slug)[0]]
    families = MALFORMED_ADDRESS | WRONG_COMMAND
    assert not families & set(WORDS)
    assert families <= said


@pytest.mark.req("OPS-4")
def test_checks_have_french_names() -> None:
    """Every check that the doctor's examinations write down; alarms have one by their family, others their own name."""
    root = Path(mss_gateway.__file__).parent
    sources = [
        *(root / "ops").glob("health_*.py"),
        root / "ops" / "round_trip.py",
        root / "app" / "health.py",
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    found = set(re.findall(r'(?:Check\(|NAME = |append\(\(|^        \()\s*"([a-z ]+)"', text, re.MULTILINE))
    assert {"trusted list", "audit seal", "consistency", "token provider", "round trip", "clock"} <= found
    assert found <= set(NAMES), found - set(NAMES)
    assert check_name("fetch-tls") == "téléchargement en échec"
    assert check_name("never heard of") == "never heard of"


@pytest.mark.req("OPS-4", "OPS-2")
async def test_a_check_that_failed_is_named_in_french_and_keeps_its_evidence() -> None:
    """On top what failed, below its evidence in a smaller line in the doctor's own language."""
    evidence = "2 damaged places, the first one at line 17"
    check = {
        "name": "audit chain",
        "verdict": "bad",
        "evidence": evidence,
        "next_step": "run `mss-gateway audit verify`",
    }
    facts = await facts_of(checks=[check])
    facts["disk"]["verdict"] = "good"
    assert facts["todo"][0]["title"] == "contrôle en échec : chaîne des traces"
    shown = parsed(page(facts)).get_element_by_id("controles")
    assert "chaîne des traces" in shown.text_content()
    [small] = shown.xpath(".//li/small")
    assert small.get("lang") == "en"
    assert evidence in small.text_content()
    assert "audit chain" not in shown.text_content()


@pytest.mark.req("OPS-4")
@settings(max_examples=50)
@given(st.floats(-1e7, 1e9))
def test_spans_are_short(seconds: float) -> None:
    """Two units at most."""
    assert 0 < len(span(seconds)) <= 14


@pytest.mark.req("OPS-4")
def test_spans_days_and_numbers() -> None:
    """As people in France read them."""
    assert [span(one) for one in (0, 59, 60, 3660, 90_000, 864_000, -7200)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 1 min",
        "1 j 1 h",
        "10 j",
        "−2 h",
    ]
    assert day(0) == "01/01/1970 00:00 UTC"
    assert whole(1234567) == "1\u202f234\u202f567"


@pytest.mark.req("OPS-4", "OPS-1")
async def test_the_terminal_shows_the_same_facts() -> None:
    """Each part of the page has its line, and the facts are plain JSON."""
    from mss_gateway.cli.status import _lines

    figures = Figures()
    figures.event(Event.MESSAGE_REFUSED, {"reason": "unknown-box"})
    facts = await facts_of(
        queued(age=20_000, waiting=42, error="connect-refused: x"),
        queued("silent.example", waiting=1),
        figures=figures,
    )
    text = "\n".join(line.plain for line in _lines(json.loads(json.dumps(facts))))
    for said in ("Intervention nécessaire", "42 en attente", "hopital.example : 42", "400 domaines", "gateway.pem",
                 "AC ESSAI", "1500 ouverts", "Go libres", "BAL inexistante", "essai dans 1 min"):  # fmt: skip
        assert said in text, said

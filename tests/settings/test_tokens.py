"""[oidc] as the token book gets it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from mss_gateway.identity.oidc_options import ALGORITHMS, OidcOptions
from mss_gateway.settings import ConfigError, load

BASE = (Path(__file__).parent / "bad" / "26-route.toml").read_text().partition("[relay]")[0]
ISSUER = "https://fournisseur.example/auth/realms/essai"


def composed(folder: Path, **keys: object) -> OidcOptions | None:
    """The options of a section with these keys."""
    lines = "\n".join(f"{name} = {value!r}" for name, value in keys.items()).replace("'", '"')
    config = folder / "gateway.toml"
    config.write_text(f"{BASE}\n[oidc]\n{lines}\n", encoding="utf-8")
    return load(config, {}).oidc


@pytest.mark.req("ACC-2")
def test_off_unless_it_is_switched_on(folder: Path) -> None:
    """The default; the rest of the section is then not looked at."""
    assert composed(folder) is None
    assert composed(folder, issuer="x") is None


@pytest.mark.req("ACC-2")
def test_the_defaults_are_those_of_the_options(folder: Path) -> None:
    """Pro Santé Connect's document below its issuer; every default stands in two places and is the same."""
    found = composed(folder, mode="jwks", issuer=ISSUER, clients=["logiciel"])
    document = ISSUER + "/.well-known/wallet-openid-configuration"
    expected = OidcOptions("jwks", ISSUER, document, clients=frozenset({"logiciel"}))
    assert found is not None
    for field in fields(OidcOptions):
        assert getattr(found, field.name) == getattr(expected, field.name), field.name


def test_a_document_elsewhere_and_addresses_without_one(folder: Path) -> None:
    """A whole address is taken as it is; without a document the addresses must be there."""
    elsewhere = "https://ailleurs.example/document"
    found = composed(folder, mode="jwks", issuer=ISSUER, audience=["a"], document=elsewhere)
    assert found is not None
    assert found.document_url == elsewhere
    keys = {"mode": "jwks", "issuer": ISSUER, "audience": ["a"], "document": ""}
    with pytest.raises(ConfigError, match=r"oidc.document and oidc.jwks_url are both empty"):
        composed(folder, **keys)
    with pytest.raises(ConfigError, match=r"oidc.userinfo = .missing. without oidc.userinfo_url"):
        composed(folder, **keys, jwks_url="https://ailleurs.example/certs")
    bare = composed(folder, **keys, jwks_url="https://ailleurs.example/certs", userinfo="never")
    assert bare is not None
    assert bare.document_url == ""


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"client_secret_file": "absent"}, "oidc.client_secret_file = 'absent': there is no such file"),
        ({"ca": ["absent.pem"]}, "oidc.ca = 'absent.pem': there is no such file"),
        ({"client_certificate": "pki/gateway.pem"}, "go together"),
        ({"client_certificate": "pki/gateway.pem", "client_key": "absent"}, "oidc.client_key = 'absent'"),
        ({"client_certificate": "pki/gateway.pem", "client_key": "pki/app.key"}, "oidc.client"),
        ({"jwks_url": "https://u:p@h.example/"}, "without a login in it"),
        ({"document": "/ espace é"}, "oidc.document"),
        ({"skew": 601.0}, "oidc.skew = 601.0: write a number of at most 600"),
    ],
)
def test_what_does_not_fit_is_told(folder: Path, keys: dict[str, object], said: str) -> None:
    """Key, value, remedy."""
    with pytest.raises(ConfigError) as raised:
        composed(folder, mode="jwks", issuer=ISSUER, clients=["logiciel"], **keys)
    assert said in str(raised.value)


def test_a_client_certificate_for_introspection(folder: Path) -> None:
    """RFC 8705 instead of a secret."""
    given = {"client_id": "p", "client_certificate": "pki/gateway.pem", "client_key": "pki/gateway.key"}
    found = composed(folder, mode="introspection", issuer=ISSUER, clients=["logiciel"], **given)
    assert found is not None
    assert found.client_certificate == folder.resolve() / "pki/gateway.pem"


def test_no_algorithm_is_symmetric() -> None:
    """Neither `none` nor a shared secret can be pinned."""
    assert not [name for name in ALGORITHMS if not name.startswith(("RS", "PS", "ES"))]

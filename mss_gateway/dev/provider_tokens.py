"""The tokens of a throw-away OpenID provider shaped like Pro Santé Connect: keys, claims, userinfo (domain 9)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from .provider_names import CLIENT, ENDPOINTS, LIFE, REALM, SUBJECT


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair with its name and the algorithm it signs with."""

    kid: str
    algorithm: str
    key: RSAKey | ECKey

    def published(self) -> dict[str, Any]:
        """As it stands in the key set: the public half."""
        public: dict[str, Any] = dict(self.key.as_dict(private=False))
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def new_signing_key(kid: str, algorithm: str = "ES256") -> SigningKey:
    """A new pair: P-256 for ES256, else RSA with 2048 bits."""
    key = ECKey.generate_key("P-256") if algorithm == "ES256" else RSAKey.generate_key(2048)
    return SigningKey(kid, algorithm, key)


class Issuer:
    """Makes tokens and says what they are worth. `keys` are the published ones, the last one signs."""

    def __init__(self, origin: str, algorithm: str = "ES256") -> None:
        self.issuer = origin + REALM
        self.algorithm = algorithm
        self.keys = [new_signing_key("essai-1", algorithm)]
        self.revoked: set[str] = set()
        self.subjects: dict[str, str] = {}  # what userinfo tells, by `sub`

    def rotate(self, *, keep: int = 1) -> SigningKey:
        """A new key signs from now on; `keep` of those before stay published."""
        new = new_signing_key(f"essai-{int(self.keys[-1].kid.rpartition('-')[2]) + 1}", self.algorithm)
        self.keys = [*(self.keys[-keep:] if keep else ()), new]
        return new

    def key_set(self) -> dict[str, Any]:
        """What `certs` publishes."""
        return {"keys": [one.published() for one in self.keys]}

    def document(self) -> dict[str, Any]:
        """The provider's description of itself."""
        base = self.issuer + ENDPOINTS
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{base}/certs",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "introspection_endpoint": f"{base}/token/introspect",
            "scopes_supported": ["openid", "scope_all"],
            "acr_values_supported": ["eidas1"],
        }

    def claims(self, subject: str = SUBJECT) -> dict[str, Any]:
        """What an access token says: not who the person is in the national directory, which userinfo tells."""
        now = time.time()
        sub = f"f:essai:{subject}"
        self.subjects[sub] = subject
        return {
            "iss": self.issuer,
            "sub": sub,
            "aud": "account",
            "azp": CLIENT,
            "typ": "Bearer",
            "exp": int(now + LIFE),
            "iat": int(now),
            "scope": "openid scope_all",
            "acr": "eidas1",
        }

    def token(self, subject: str = SUBJECT, **changes: Any) -> str:
        """A signed access token; `changes` replace claims, None removes one."""
        claims = {**self.claims(subject), **changes}
        return self.signed({name: value for name, value in claims.items() if value is not None})

    def signed(self, claims: dict[str, Any], *, key: SigningKey | None = None, **header: Any) -> str:
        """These claims under a key of ours, the newest unless one is given; `header` adds to its header."""
        one = key or self.keys[-1]
        protected = {"alg": one.algorithm, "typ": "JWT", "kid": one.kid, **header}
        registry = jws.JWSRegistry(algorithms=[one.algorithm], strict_check_header=False)
        return jws.serialize_compact(protected, orjson.dumps(claims), one.key, registry=registry)

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token of ours that is good now, None of any other."""
        for one in self.keys:
            try:
                found = jws.deserialize_compact(token, one.key, algorithms=[one.algorithm])
            except (JoseError, ValueError):
                continue
            claims: dict[str, Any] = orjson.loads(found.payload or b"{}")
            return claims if claims.get("exp", 0) > time.time() and token not in self.revoked else None
        return None

    def introspection(self, token: str) -> dict[str, Any]:
        """RFC 7662: whether a token is good, and what it says."""
        claims = self.read(token)
        return {"active": False} if claims is None else {"active": True, "client_id": CLIENT, **claims}

    def userinfo(self, token: str) -> dict[str, Any] | None:
        """Who the person is, in the shape of the published sample (domain 9.2); None for a token that is not good."""
        claims = self.read(token)
        subject = self.subjects.get(str(claims.get("sub"))) if claims is not None else None
        if claims is None or subject is None:
            return None
        return {
            "sub": claims["sub"],
            "preferred_username": subject,
            "SubjectNameID": subject,
            "SubjectRole": ["10^1.2.250.1.213.1.1.5.5"],
            "SubjectOrganization": "CABINET EXEMPLE",
            "SubjectOrganizationID": "R95141",
            "Secteur_Activite": "SA07^1.2.250.1.71.4.2.4",
            "PSI_Locale": "1.2.250.1.213.1.3.1.1",
            "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
            "UITVersion": "1.0",
            "Mode_Acces_Raison": "",
            "Acces_Regulation_Medicale": "FAUX",
            "otherIds": [{"identifiant": subject, "origine": "RPPS", "qualite": 1}],
            "SubjectRefPro": {
                "exercices": [
                    {
                        "codeProfession": "10",
                        "codeCategorieProfessionnelle": "C",
                        "codeTypeSavoirFaire": "S",
                        "codeSavoirFaire": "SM26",
                        "activities": [{"codeModeExercice": "L", "codeSecteurDactivite": "SA07"}],
                    }
                ]
            },
        }

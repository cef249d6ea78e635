"""What the examples of configurations need to be started: certificates of a throw-away trust space in their places."""

from __future__ import annotations

import shutil
from pathlib import Path

from mss_gateway.dev.space import Space, make_space
from mss_gateway.settings import Settings, load

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"

PAIRS = {
    "gateway": ("gateway", "mail", "professionals"),
    "patient_operator": ("patients",),
}
"""Names of certificates in the examples, by whose certificate of the space stands for them."""


def furnished(example: str, folder: Path, **environment: str) -> tuple[Settings, Space]:
    """The settings of an example in a folder that holds the files that it names, and the space that made them.

    Nothing is fetched and nothing listens where the example would: revocation and trusted lists are files, the state
    lies in the folder. `environment` gives further keys, as SECTION_KEY.
    """
    folder.mkdir(parents=True, exist_ok=True)
    space = make_space(
        folder,
        hosted_domain="region-exemple.mssante.fr",
        patient_operator="usagers-exemple.mssante.fr",
    )
    certs = folder / "certs"
    certs.mkdir(exist_ok=True)
    for role, names in PAIRS.items():
        credential = getattr(space, role)
        for name in names:
            shutil.copy(credential.cert, certs / f"{name}.pem")
            shutil.copy(credential.key, certs / f"{name}.key")
    shutil.copy(space.ca, certs / "igc-sante.pem")
    config = Path(shutil.copy(EXAMPLES / example, folder / Path(example).name))
    keys = {
        "gateway_state": str(folder / "state" / config.stem),
        "trust_crl": space.crls,
        "trust_crl_urls": "",
        "trust_list": space.trusted_list,
        "trust_list_url": "",
        "trust_list_signer": space.list_signer,
        "trust_test_authorities": "true",
        **environment,
    }
    return load(config, {f"MSS_GATEWAY_{name.upper()}": value for name, value in keys.items()}), space

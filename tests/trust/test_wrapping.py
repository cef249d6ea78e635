"""Signature wrapping: a genuine signature around, beside or inside content that nobody signed (TRU-3)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from lxml import etree

from mss_gateway.dev.listing import SIGNER, Entry, signed_list, unsigned_list
from mss_gateway.trust import dn
from mss_gateway.trust.anchors import Anchors
from mss_gateway.trust.listing import load_list
from mss_gateway.trust.refusals import ListRefused
from mss_gateway.trust.revocation import RevocationLists
from mss_gateway.trust.signature import ListSigner
from mss_gateway.trust.xmlform import C14N, DOMAIN, DOMAINS, DS_NS, ENVELOPED, LIST_NS, SHA256
from tests.support.trust import FOREIGN, THEIRS, shared_pki, shared_signer

pytestmark = pytest.mark.req("TRU-3")
NOW = datetime.now(UTC).replace(microsecond=0)
PIRATE = "pirate.mssante.fr"
Wrap = Callable[[etree._Element], etree._Element]


def genuine() -> etree._Element:
    """A signed list, parsed."""
    return etree.fromstring(signed_list([Entry(FOREIGN, THEIRS.listed())], shared_signer(), generated=NOW))


def forgery() -> etree._Element:
    """An unsigned list with the attacker's domain."""
    return unsigned_list([Entry(PIRATE, "CN=pirate,C=FR")], generated=NOW)


def load(root: etree._Element) -> frozenset[str]:
    """The domains of a list that is believed."""
    pki = shared_pki()
    anchors = Anchors((pki.organisations.certificate, pki.root.certificate), "")
    signer = ListSigner(anchors, dn.key_of_text(SIGNER.listed()), RevocationLists({}))
    return frozenset(load_list(etree.tostring(root), signer, NOW).domains)


def ds(root: etree._Element, name: str) -> etree._Element:
    """The first element of a signature of that name."""
    return next(root.iter(f"{{{DS_NS}}}{name}"))


def moved(root: etree._Element) -> etree._Element:
    """The signature under another list."""
    wrapped = forgery()
    wrapped.append(root[-1])
    return wrapped


def inside_object(root: etree._Element) -> etree._Element:
    """The genuine list in an Object of the signature, which refers to it by Id."""
    wrapped = forgery()
    signature = deepcopy(root[-1])
    root.remove(root[-1])
    root.set("Id", "genuine")
    etree.SubElement(signature, f"{{{DS_NS}}}Object").append(root)
    ds(signature, "Reference").set("URI", "#genuine")
    wrapped.append(signature)
    return wrapped


def by_id(root: etree._Element) -> etree._Element:
    """A reference to one part only, whose digest is correct."""
    root[1].set("Id", "part")
    ds(root, "Reference").set("URI", "#part")
    octets = etree.tostring(root[1], method="c14n", exclusive=True)
    ds(root, "DigestValue").text = b64encode(sha256(octets).digest()).decode()
    return root


def by_xpointer(root: etree._Element) -> etree._Element:
    """A reference by XPointer."""
    ds(root, "Reference").set("URI", "#xpointer(/*[1])")
    return root


def outside(root: etree._Element) -> etree._Element:
    """A reference to a file."""
    ds(root, "Reference").set("URI", "file:///etc/hostname")
    return root


def without_uri(root: etree._Element) -> etree._Element:
    """A reference to whatever the application likes."""
    del ds(root, "Reference").attrib["URI"]
    return root


def filtered(root: etree._Element) -> etree._Element:
    """A transform that leaves the new entry out of the digest."""
    transforms = ds(root, "Transforms")
    xpath = etree.SubElement(
        transforms, f"{{{DS_NS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"
    )
    etree.SubElement(xpath, f"{{{DS_NS}}}XPath").text = f"not(ancestor-or-self::*[.='{PIRATE}'])"
    return added(root)


def styled(root: etree._Element) -> etree._Element:
    """A transform by a style sheet."""
    ds(root, "Transform").set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")
    return root


def two_references(root: etree._Element) -> etree._Element:
    """A second reference, to something harmless."""
    info = ds(root, "SignedInfo")
    info.append(deepcopy(ds(root, "Reference")))
    return root


def two_infos(root: etree._Element) -> etree._Element:
    """A second SignedInfo after the genuine one."""
    ds(root, "SignedInfo").addnext(deepcopy(ds(root, "SignedInfo")))
    return root


def forged_info(root: etree._Element) -> etree._Element:
    """A SignedInfo of the attacker's before the genuine one."""
    wrapped = moved(root)
    info = deepcopy(ds(wrapped, "SignedInfo"))
    octets = etree.tostring(forgery(), method="c14n", exclusive=True)
    ds(info, "DigestValue").text = b64encode(sha256(octets).digest()).decode()
    ds(wrapped, "SignedInfo").addprevious(info)
    return wrapped


def in_manifest(root: etree._Element) -> etree._Element:
    """A Manifest, whose references nobody checks."""
    reference = ds(root, "Reference")
    reference.set("Type", "http://www.w3.org/2000/09/xmldsig#Manifest")
    holder = etree.SubElement(root[-1], f"{{{DS_NS}}}Object")
    etree.SubElement(holder, f"{{{DS_NS}}}Manifest").append(deepcopy(reference))
    return added(root)


def signature_first(root: etree._Element) -> etree._Element:
    """The signature at the front and the entry after it."""
    root.insert(0, root[-1])
    return added(root)


def second_list(root: etree._Element) -> etree._Element:
    """A second list of domains after the genuine one."""
    root.insert(2, forgery().find(DOMAINS))
    return root


def nested_list(root: etree._Element) -> etree._Element:
    """A whole list within an entry."""
    root.find(DOMAINS)[0].append(forgery())  # type: ignore[index]
    return root


def added(root: etree._Element) -> etree._Element:
    """One more entry."""
    entry = forgery().find(DOMAINS)
    assert entry is not None
    domains = root.find(DOMAINS)
    assert domains is not None
    domains.append(entry[0])
    return root


def in_signature(root: etree._Element) -> etree._Element:
    """The entry in the signature, which its own digest leaves out."""
    entry = forgery().find(f"{DOMAINS}/{DOMAIN}")
    assert entry is not None
    ds(root, "KeyInfo").append(entry)
    return root


def around(root: etree._Element) -> etree._Element:
    """The genuine document within a root of the same name."""
    wrapped = forgery()
    wrapped.append(root)
    wrapped.append(deepcopy(root[-1]))
    return wrapped


def other_prefix(root: etree._Element) -> etree._Element:
    """The entry in another namespace that looks the same."""
    return etree.fromstring(
        etree.tostring(added(root)).replace(LIST_NS.encode(), b"https://pirate.fr/schema", 1)
    )


def digest_only(root: etree._Element) -> etree._Element:
    """A correct digest of changed content under the old signature value."""
    added(root)
    signature = root[-1]
    root.remove(signature)
    octets = etree.tostring(root, method="c14n", exclusive=True)
    root.append(signature)
    ds(root, "DigestValue").text = b64encode(sha256(octets).digest()).decode()
    return root


def hmac(root: etree._Element) -> etree._Element:
    """A keyed digest whose key is the public certificate."""
    ds(root, "SignatureMethod").set("Algorithm", "http://www.w3.org/2000/09/xmldsig#hmac-sha1")
    return root


WRAPS: tuple[Wrap, ...] = (
    moved,
    inside_object,
    by_id,
    by_xpointer,
    outside,
    without_uri,
    filtered,
    styled,
    two_references,
    two_infos,
    forged_info,
    in_manifest,
    signature_first,
    second_list,
    nested_list,
    added,
    around,
    other_prefix,
    digest_only,
    hmac,
)


@pytest.mark.parametrize("wrap", WRAPS, ids=lambda wrap: wrap.__name__)
def test_a_wrapped_signature_is_refused(wrap: Wrap) -> None:
    """No variant makes a list believed."""
    assert load(genuine()) == {FOREIGN}
    with pytest.raises(ListRefused):
        load(wrap(genuine()))


def test_what_is_put_into_the_signature_is_never_believed() -> None:
    """The one place that an enveloped signature leaves out of its digest is not read for domains."""
    try:
        found = load(in_signature(genuine()))
    except ListRefused:
        return
    assert found == {FOREIGN}


@pytest.mark.parametrize("text", [f"{PIRATE}<!-- -->", "<?x y?>", "<!-- c -->"])
def test_comments_never_split_a_name(text: str) -> None:
    """Canonical XML leaves comments out of the digest: a name with one in it is read as it was signed."""
    octets = etree.tostring(genuine())
    inside = octets.replace(FOREIGN.encode(), FOREIGN[:8].encode() + b"<!-- x -->" + FOREIGN[8:].encode(), 1)
    try:
        found = load(etree.fromstring(inside))
    except ListRefused:
        found = frozenset()
    assert found <= {FOREIGN}
    beside = octets.replace(b"<ListeDomaines>", b"<ListeDomaines>" + text.encode(), 1)
    try:
        found = load(etree.fromstring(beside))
    except ListRefused:
        found = frozenset()
    assert found <= {FOREIGN}


def test_the_form_is_the_one_that_the_publisher_uses() -> None:
    """What these tests bend is what a genuine list has."""
    root = genuine()
    algorithms = [one.get("Algorithm") for one in root.iter(f"{{{DS_NS}}}Transform")]
    assert algorithms == [ENVELOPED, C14N]
    assert ds(root, "DigestMethod").get("Algorithm") == SHA256
    assert ds(root, "Reference").get("URI") == ""

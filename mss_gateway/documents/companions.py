"""README.TXT and INDEX.HTM: what somebody finds who opens the archive by hand (domain 16.1). French."""

from __future__ import annotations

from .request import Checked
from .xmlwriting import quoted

SECTIONS = ("Emetteur", "Application de l'émetteur", "Instructions", "Arborescence")
"""The four sections of README.TXT."""

PRODUCT = "mss-gateway"
"""The application that README.TXT names."""


def write_readme(checked: Checked, paths: tuple[str, ...]) -> bytes:
    """README.TXT in UTF-8 with CRLF."""
    author = checked.request.author
    texts = (
        f"{author.structure}\n{author.given} {author.family}\n{checked.request.sender}",
        f"{PRODUCT}\nRéférence produit (X-MSS-NIL) : {checked.request.nil}",
        "Ouvrez INDEX.HTM avec un navigateur pour voir la liste des documents.\n"
        "Un logiciel de santé intègre cette archive d'après IHE_XDM/SUBSET01/METADATA.XML.",
        "\n".join(paths),
    )
    blocks = (f"{title}\n{'-' * len(title)}\n{text}\n" for title, text in zip(SECTIONS, texts, strict=True))
    return "\n".join(blocks).replace("\n", "\r\n").encode()


def write_index(checked: Checked, document: str) -> bytes:
    """INDEX.HTM in UTF-8: the documents with links, without a script."""
    request = checked.request
    title = quoted(request.title)
    return (
        '<!DOCTYPE html>\n<html lang="fr">\n<head><meta charset="utf-8"><title>Documents de santé</title></head>\n'
        "<body>\n<h1>Documents de santé</h1>\n"
        f"<p>Emetteur : {quoted(request.author.structure)}</p>\n<table>\n"
        "<tr><th>Document</th><th>Type</th><th>Date</th></tr>\n"
        f'<tr><td><a href="{document}">{title}</a></td><td>{quoted(checked.type.label)}</td>'
        f"<td>{request.written:%d/%m/%Y}</td></tr>\n"
        '</table>\n<p><a href="README.TXT">README.TXT</a></p>\n</body>\n</html>\n'
    ).encode()

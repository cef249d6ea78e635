"""Sizes, sentences, and what must never be committed."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mss_gateway"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def name(file: Path) -> str:
    """The path to show."""
    return str(file.relative_to(ROOT))


def lines(file: Path) -> int:
    """Lines of a file."""
    return file.read_bytes().count(b"\n")


def test_no_file_is_over_500_lines_and_the_median_is_at_most_200() -> None:
    """A file holds one thought."""
    assert [name(file) for file in SOURCES + TESTS if lines(file) > 500] == []
    assert statistics.median(map(lines, SOURCES)) <= 200


def test_no_function_is_over_80_lines() -> None:
    """A function fits on a screen."""
    long = [
        f"{name(file)}:{node.lineno} {node.name}"
        for file in SOURCES + TESTS
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= 80
    ]
    assert long == []


def undocumented(node: ast.Module | ast.ClassDef, where: str) -> Iterator[str]:
    """Public definitions without a sentence, down to the methods of public classes."""
    if not ast.get_docstring(node):
        yield where
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_") and not _overloaded(child):
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, f"{where}.{child.name}")
            elif not ast.get_docstring(child):
                yield f"{where}.{child.name}"


def _overloaded(node: Definition) -> bool:
    """An overload or a property's setter is told where the first one is."""
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    return bool(marks & {"overload", "setter", "override"})


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_every_public_name_has_a_sentence(file: Path) -> None:
    """Modules, classes, functions and methods say what they are for."""
    assert list(undocumented(ast.parse(file.read_text(encoding="utf-8")), name(file))) == []


def committed() -> list[Path]:
    """What git keeps or would keep."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    found = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return [ROOT / part for part in found if part and (ROOT / part).is_file()]


FORBIDDEN = {
    "a path of one machine": re.compile(rb"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/\w"),
    "the address of a package registry": re.compile(
        rb"(?i)\b(?:py" + rb"pi\.org|pythonhosted\.org|registry\.npmjs|index-url)\b|/opt/py" + rb"pi"
    ),
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE" + rb" KEY-----\s"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_committed_holds(what: str) -> None:
    """No machine path, no package registry, no private key, in any file that git keeps."""
    pattern = FORBIDDEN[what]
    itself = Path(__file__).resolve()
    guilty = [name(file) for file in committed() if file != itself and pattern.search(file.read_bytes())]
    assert guilty == []


def test_the_patterns_find_what_they_look_for() -> None:
    """A check that never fails proves nothing."""
    assert FORBIDDEN["a path of one machine"].search(b'open("/home/somebody/x")')
    assert FORBIDDEN["the address of a package registry"].search(b"https://py" + b"pi.org/simple")
    assert FORBIDDEN["a private key"].search(b"-----BEGIN RSA PRIVATE" + b" KEY-----\n")


def test_constraints_pin_by_version_and_hash_and_name_no_place() -> None:
    """Where packages come from is the business of who installs."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|@ |^-", text, re.M)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all(re.match(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+", entry) for entry in entries)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_every_dependency_of_the_project_is_pinned() -> None:
    """A package added to pyproject.toml and not to constraints.txt would be missing after a fresh start."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [
        one for extra in project["optional-dependencies"].values() for one in extra
    ]
    names = {re.split(r"[^A-Za-z0-9._-]", one)[0].lower().replace("_", "-") for one in wanted}
    pinned = set(
        re.findall(r"(?m)^([a-z0-9._-]+)(?:\[|==)", (ROOT / "constraints.txt").read_text(encoding="utf-8"))
    )
    assert names - pinned == set()

"""The pure rooms stay pure, for libraries that do not exist yet as well."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "mss_gateway"
PURE = ("base", "mail", "rules", "protocol")
ALLOWED = {
    "__future__",
    "array",
    "base64",
    "binascii",
    "bisect",
    "calendar",
    "collections",
    "contextlib",
    "dataclasses",
    "datetime",
    "email",
    "encodings",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "html",  # character references undone
    "idna",
    "ipaddress",
    "itertools",
    "math",
    "mmap",  # the type of a buffer; the next test sees to it that none is made
    "mss_gateway",
    "operator",
    "quopri",
    "re",
    "string",
    "stringprep",
    "struct",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
}
CLOCKS = {"now", "utcnow", "today", "localtime", "fromtimestamp"}
FILES = [file for room in PURE for file in sorted((ROOT / room).rglob("*.py"))]


def tree(file: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(module: ast.Module) -> Iterator[str]:
    """The package of every absolute import, also of late ones; urllib with its part, since one part is pure."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (_package(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield _package(node.module)


def _package(name: str) -> str:
    return name if name.startswith("urllib.") else name.partition(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_pure_room_imports_only_what_is_on_the_list(file: Path) -> None:
    """A list of what is allowed catches tomorrow's database driver; a list of what is forbidden does not."""
    assert set(imported(tree(file))) <= ALLOWED


def faults(module: ast.Module) -> Iterator[str]:
    """Whatever waits, tells the time or opens files."""
    for node in ast.walk(module):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"line {node.lineno}: async"
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in {
                "open",
                "print",
                "input",
                "__import__",
                "exec",
                "eval",
                "mmap",
            }:
                yield f"line {node.lineno}: {called.id}()"
            elif isinstance(called, ast.Attribute) and called.attr in CLOCKS and _is_clock(called, node):
                yield f"line {node.lineno}: .{called.attr}()"


def _is_clock(called: ast.Attribute, call: ast.Call) -> bool:
    """`fromtimestamp(at, zone)` is arithmetic; without a zone it reads the machine's."""
    if called.attr == "fromtimestamp":
        return len(call.args) + len(call.keywords) < 2
    owner = called.value
    return isinstance(owner, ast.Name | ast.Attribute) and (
        owner.id if isinstance(owner, ast.Name) else owner.attr
    ) in {"datetime", "date", "time"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_pure_room_has_no_async_no_clock_no_files(file: Path) -> None:
    """Time, dice and bytes come as arguments."""
    assert list(faults(tree(file))) == []


@pytest.mark.parametrize(
    "text",
    [
        "async def wait(): pass",
        "import datetime\ndatetime.datetime.now(None)",
        "from datetime import date\ndate.today()",
        "from datetime import datetime\ndatetime.fromtimestamp(0)",
        "open('x')",
    ],
)
def test_the_check_finds_what_it_looks_for(text: str) -> None:
    """A check that never fails proves nothing."""
    assert list(faults(ast.parse(text)))

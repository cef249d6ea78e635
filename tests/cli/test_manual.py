"""The manual says what is there: every command in it exists, and every command and section stands in it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from mss_gateway.cli.root import PANELS, app
from mss_gateway.observe.events import Event

ROOT = Path(__file__).parents[2]
GENERATED = {"commands.md", "configuration.md"}
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if page.name not in GENERATED),
]
MANUAL = [page for page in PAGES if page.name not in {"README.md", "requirements.md", "imap.md"}]
PROGRAM = re.compile(r"(?<![\w/.-])(?:\.venv/bin/)?mss-gateway (?=(?:--)?[a-z])(.*)$")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


@cache
def tree() -> Any:
    """The commands, as typer builds them."""
    return typer.main.get_command(app)


def leaves(words: tuple[str, ...] = (), command: Any = None) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    command = command or tree()
    inner = getattr(command, "commands", None) or {}
    if words and (not inner or getattr(command, "invoke_without_command", False)):
        yield words, command
    for name, one in inner.items():
        yield from leaves((*words, name), one)


def spoken(text: str) -> Iterator[tuple[str, bool]]:
    """What a page tells to type, as (line, whole): lines of code blocks, and inline code that names a command."""
    for language, block in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text):
        if language:  # a configuration, not something to type
            continue
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||\||;|\bexec gateway ", line.partition("  #")[0]):
                found = PROGRAM.search(f" {QUOTED.sub('TEXT', part)}")
                if found:
                    yield found[1].strip(), True
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    prose = re.sub(r"(?<!\n)\n(?![\n|#-])", " ", prose)  # inline code may go over the end of a line
    for code in re.findall(r"`([^`\n]+)`", prose):
        found = PROGRAM.match(QUOTED.sub("TEXT", code))
        if found:
            yield found[1].strip(), True
        elif code.split()[0] in tree().commands and len(code.split()) > 1:
            yield QUOTED.sub("TEXT", code), False


def complaint(line: str, *, whole: bool) -> str:
    """What is wrong with a line that begins with a command's name; nothing when it can be typed."""
    words = line.split()
    command, path = tree(), []
    while words and getattr(command, "commands", None):
        if words[0] not in command.commands:
            if "make" not in command.commands:
                break
            words.insert(0, "make")  # `backup FOLDER`
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    inner = getattr(command, "commands", None)
    named = words and not words[0].startswith("-")
    if inner and not getattr(command, "invoke_without_command", False) and named:
        return f"{' '.join(path) or 'mss-gateway'} has no command {words[0]}" if whole else ""
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
    for word in words:
        name = word.partition("=")[0].rstrip(",.")
        if re.match(r"--?[a-z]", name) and name not in known:
            return f"{' '.join(path)} has no option {name}"
    return ""


@pytest.mark.req("OPS-1")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_tells_to_type_can_be_typed(page: Path) -> None:
    """Each command in a code block or in inline code exists, with those options."""
    told = list(spoken(page.read_text(encoding="utf-8")))
    wrong = [f"{line}: {fault}" for line, whole in told if (fault := complaint(line, whole=whole))]
    assert wrong == []


def test_a_wrong_command_or_option_is_found() -> None:
    """The check above can fail."""
    page = "```\nmss-gateway bal nothing x\nmss-gateway bal list --never\n```\nand `mss-gateway queue list --ever`"
    faults = [complaint(line, whole=whole) for line, whole in spoken(page)]
    assert faults == [
        "bal has no command nothing",
        "bal list has no option --never",
        "queue list has no option --ever",
    ]
    assert len(list(spoken((ROOT / "docs" / "keeping.md").read_text(encoding="utf-8")))) > 30


@pytest.mark.req("OPS-1")
def test_every_command_stands_in_the_manual() -> None:
    """Besides the generated page, each command is told in one of the pages written for people."""
    told = {line for page in MANUAL for line, _ in spoken(page.read_text(encoding="utf-8"))}
    missing = []
    for words, command in leaves():
        name = " ".join(words)
        short = " ".join(words[:-1]) if words[-1] == "make" else name  # what a group does without a name
        if not any(line == one or line.startswith(f"{one} ") for line in told for one in (name, short)):
            missing.append(name)
        assert command.help, name
    assert missing == []


@pytest.mark.req("OPS-1")
def test_every_section_of_the_configuration_stands_in_the_manual() -> None:
    """By its name in brackets, or by one of its keys as section.key."""
    sections = tomllib.loads((ROOT / "config" / "gateway.toml").read_text(encoding="utf-8"))
    text = "\n".join(page.read_text(encoding="utf-8") for page in MANUAL)
    assert [one for one in sections if f"[{one}]" not in text and f"`{one}." not in text] == []
    assert len(sections) > 20


@pytest.mark.req("AUD-4", "OPS-1")
def test_every_log_event_stands_in_the_manual() -> None:
    """The table of docs/watching.md names the events of the log, all of them and no others."""
    page = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    section = page.partition("## The log")[2].partition("\n## ")[0]
    cells = re.findall(r"(?m)^\| (`[^|]+?) \|", section)
    assert sorted(name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)) == sorted(
        event.value for event in Event
    )


def anchors(text: str) -> set[str]:
    """Anchors of the headings, as the usual readers of Markdown make them."""
    titles = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.req("OPS-1")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Files and headings that a page links to are there."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        if not other.exists() or (anchor and anchor not in anchors(other.read_text(encoding="utf-8"))):
            dead.append(target)
    assert dead == []


@pytest.mark.req("OPS-6")
def test_keys_that_the_manual_shows_exist() -> None:
    """Sections and keys of the examples in TOML are those of the commented configuration."""
    commented = (ROOT / "config" / "gateway.toml").read_text(encoding="utf-8")
    blocks = re.split(r"(?m)^\[(\w+)\]$", commented)
    known = {
        name: set(re.findall(r"(?m)^(?:# )?([a-z_0-9]+) = ", body))
        for name, body in zip(blocks[1::2], blocks[2::2], strict=True)
    }
    shown = [
        block for page in PAGES for block in re.findall(r"(?ms)^```toml\n(.*?)^```$", page.read_text("utf-8"))
    ]
    assert shown
    for block in shown:
        for section, keys in tomllib.loads(block).items():
            assert section in known
            assert set(keys) <= known[section]


@pytest.mark.req("OPS-1")
def test_every_command_argument_and_key_says_what_it_is_for() -> None:
    """Help and an example for each command, a help for each argument and option, a meaning for each key."""
    loader = importlib.machinery.SourceFileLoader("reference", str(ROOT / "scripts" / "reference"))
    spec = importlib.util.spec_from_loader("reference", loader)
    assert spec is not None
    reference = importlib.util.module_from_spec(spec)
    loader.exec_module(reference)
    assert list(reference.complaints()) == []
    assert len(reference.commands()) > 80
    typed = "\n".join(
        reference.sentences(command)[1].replace(" · ", "\n") for _, command in reference.commands()
    )
    examples = list(spoken(f"```\n{typed}\n```"))
    assert len(examples) >= len(reference.commands())
    assert [fault for line, whole in examples if (fault := complaint(line, whole=whole))] == []


def test_every_command_has_its_panel() -> None:
    """`--help` shows each command in a group for newcomers, and names no command that is not there."""
    assert {name for names in PANELS.values() for name in names} == set(tree().commands)
    assert list(tree().list_commands(None))[:4] == list(PANELS["Begin"])

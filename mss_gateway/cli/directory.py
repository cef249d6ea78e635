"""`mss-gateway directory …`: the national directory (Annuaire santé) as a copy at hand, and its API (OPS-1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from .call import DEFAULT_CONFIG, AsJson, Config, call, settings_of
from .importing import SOME_REFUSED, advancing
from .output import console, fail, show_json, visible

app = typer.Typer(
    help="The national directory (Annuaire santé): imports, search, export.", no_args_is_help=True
)

Type = Annotated[str, typer.Option("--type", help="PER, ORG, APP or CAB.", show_default=False)]
Profession = Annotated[
    str, typer.Option("--profession", help="Code of the profession, such as 10 or 60.", show_default=False)
]
Department = Annotated[
    str, typer.Option("--department", help="Department, such as 77, 2A or 971.", show_default=False)
]
Place = Annotated[str, typer.Option("--place", help="Town, or its postcode.", show_default=False)]
Rpps = Annotated[
    str,
    typer.Option("--rpps", help="Number of a professional, or of a structure.", show_default=False),
]
Online = Annotated[bool, typer.Option("--online", help="Ask the national API (directory.fhir_url).")]


@app.command(name="import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="The extraction, as text or ZIP.", exists=True, dir_okay=False)
    ],
    force: Annotated[
        bool,
        typer.Option("--force", help="Also one that is older, cut short, or lacks many rows or lines."),
    ] = False,
    bad: Annotated[int, typer.Option("--bad", help="Bad lines that are named.", min=0, max=100_000)] = 100,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Build a new copy of the directory and put it in force; a running gateway takes it up at once.

    Whatever goes wrong, the copy in force stays. Exit code 7 when lines were left out, 4 when --force is needed.

    Example: mss-gateway directory import Extraction_Correspondance_MSSante_202611200605.zip
    """
    from mss_gateway.directory.importing import import_file
    from mss_gateway.directory.problems import DirectoryProblem

    settings = settings_of(config, as_json=json)
    try:
        with advancing(file.name, 1, quiet=json) as advance:

            def further(octets: int, size: int) -> None:
                advance(octets / max(size, 1))

            report = import_file(settings.directory, file, force=force, shown=bad, advance=further)
    except DirectoryProblem as problem:
        sentence, code = f"{file.name}: {problem.sentence}", _exit_of(problem.reason, problem.forcible)
        fail(sentence, code, reason=problem.reason, as_json=json)
    _take_up(settings.control)
    if json:
        from dataclasses import asdict

        lines = [{"line": number, "reason": reason} for number, reason in report.bad]
        show_json(
            {
                "copy": asdict(report.meta),
                "changed": report.changed,
                "lines": report.lines,
                "seconds": round(report.seconds, 2),
                "refused": lines,
                "before": asdict(report.before) if report.before else None,
            }
        )
    else:
        from .directory_showing import imported

        imported(report)
    raise typer.Exit(SOME_REFUSED if report.meta.refused else 0)


def _exit_of(reason: str, forcible: bool) -> int:
    """4 when somebody has to decide or wait, 6 for the disk, 2 for a file that is not the extraction."""
    if forcible or reason == "directory-busy":
        return 4
    return 6 if reason in ("directory-disk", "directory-disk-full", "directory-file") else 2


def _take_up(control: Path) -> None:
    """Have the running gateway look now; without one, or when it is busy, it looks by itself."""
    from mss_gateway.ops.control import ask
    from mss_gateway.ops.operation import OperationRefused

    try:
        ask(control, "directory.refresh", {})
    except (OSError, OperationRefused):
        return


@app.command()
def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Name, profession, speciality, place, structure, address, RPPS."),
    ] = None,
    type_: Type = "",
    profession: Profession = "",
    department: Department = "",
    place: Place = "",
    rpps: Rpps = "",
    limit: Annotated[int, typer.Option("--limit", help="Rows that are shown.", min=1, max=1000)] = 20,
    online: Online = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Find mailboxes: every word must fit, accents and case do not matter, the beginning of a word is enough.

    Exit code 3 when nothing fits.

    Example: mss-gateway directory search lefevre cardio --department 77
    """
    question = _question(words, type_, profession, department, place, rpps)
    arguments = {**question, "limit": limit, "online": online}
    found = call(config, "directory.search", arguments, as_json=json)
    if not json:
        from .directory_showing import rows

        rows(found)
    raise typer.Exit(0 if found["rows"] else 3)


def _question(
    words: list[str] | None, type_: str, profession: str, department: str, place: str, rpps: str
) -> dict[str, Any]:
    return {
        "words": " ".join(words or []),
        "type": type_,
        "profession": profession,
        "department": department,
        "place": place,
        "number": rpps,
    }


@app.command()
def show(
    address: Annotated[str, typer.Argument(help="An MSSanté address.")],
    online: Online = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Show everything that the directory says of an address; with --online it is asked for and remembered.

    Example: mss-gateway directory show marie.martin@medecin.mssante.fr
    """
    found = call(config, "directory.show", {"address": address, "online": online}, as_json=json)
    if not json:
        from .directory_showing import entries

        entries(found)


@app.command()
def status(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Show the copy in force, its age, what was tried last, what comes next, and the alarms.

    Exit code 1 when there is an alarm.

    Example: mss-gateway directory status --json
    """
    found = call(config, "directory.status", {}, as_json=json)
    if not json:
        from .directory_showing import status as shown

        shown(found)
    raise typer.Exit(1 if found["alarms"] else 0)


@app.command()
def compare(
    limit: Annotated[
        int, typer.Option("--limit", help="Mailboxes of each kind that are named.", min=1)
    ] = 100,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Compare what is published of our domains with the mailboxes here: absent, of another type, not published.

    Exit code 1 when something is published that is not here, or is of another type: have the publication corrected.

    Example: mss-gateway directory compare --json
    """
    found = call(config, "directory.compare", {"limit": limit}, as_json=json)
    if not json:
        from .directory_showing import compared

        compared(found)
    raise typer.Exit(1 if found["count"]["absent"] or found["count"]["differing"] else 0)


@app.command()
def rollback(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Go back to the copy before the one in force; once more, and it is as it was.

    Example: mss-gateway directory rollback --yes
    """
    if not yes and json:
        fail("With --json nobody can be asked: give --yes", 2, reason="bad-argument", as_json=True)
    if not yes and not typer.confirm("Go back to the copy before the one in force?"):
        raise typer.Exit(0)
    found = call(config, "directory.rollback", {}, as_json=json)
    if not json:
        copy = found["copy"] or {"rows": 0, "source": ""}
        console().print(
            f"[bold green]✓[/] in force: {copy['rows']} rows of {escape(visible(copy['source']))}",
            soft_wrap=True,
        )


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where the address book goes.")],
    words: Annotated[list[str] | None, typer.Argument(help="Whole words that every row must have.")] = None,
    format_: Annotated[
        str,
        typer.Option("--format", help="vcard, ldif or csv; else by the file's ending.", show_default=False),
    ] = "",
    type_: Type = "",
    profession: Profession = "",
    department: Department = "",
    place: Place = "",
    rpps: Rpps = "",
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", min=1, max=1_000_000)] = 10_000,
    base: Annotated[
        str,
        typer.Option("--base", help="LDIF: the DN that the entries stand below.", show_default=False),
    ] = "",
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Write an address book for mail clients: the rows that fit, such as those of a structure or a department.

    Thunderbird takes LDIF and vCard, Outlook vCard and CSV, an LDAP server LDIF with --base.
    Exit code 3 when nothing fits.

    Examples: mss-gateway directory export melun.vcf --department 77 --profession 10 ·
    mss-gateway directory export hopital.ldif --rpps 770000123 --base ou=annuaire,dc=exemple,dc=fr
    """
    from .directory_writing import export_book

    kind = format_ or {".vcf": "vcard", ".ldif": "ldif", ".csv": "csv"}.get(file.suffix.lower(), "")
    if kind not in ("vcard", "ldif", "csv"):
        fail("Say --format vcard, ldif or csv", 2, reason="bad-argument", as_json=json)
    question = _question(words, type_, profession, department, place, rpps)
    count = export_book(settings_of(config, as_json=json), file, kind, question, limit, base, as_json=json)
    if json:
        show_json({"file": str(file), "format": kind, "rows": count, "all": count < limit})
    else:
        console().print(f"[bold green]✓[/] {count} rows in {escape(visible(file))}", soft_wrap=True)
        if count == limit:
            console().print(f"  there may be more: --limit is {limit}")
    raise typer.Exit(0 if count else 3)

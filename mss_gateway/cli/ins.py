"""`mss-gateway ins …`: reading national health identities, and the registry of identities."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from .call import DEFAULT_CONFIG, AsJson, Config, call
from .output import console, fail, record, show_json, table

T = TypeVar("T")

app = typer.Typer(help="National health identities (INS).", no_args_is_help=True)

Ins = Annotated[
    str,
    typer.Argument(help="15 characters: matricule and key; an address; - reads it from standard input."),
]

COLUMNS = {
    "ins": ("ins", "matriculeins", "matricule", "numeroins", "inscomplet", "numidentifiant", "nir"),
    "key": ("cleins", "cle", "key", "clenir"),
    "oid": ("oid", "oidins", "autorite", "authority", "assigningauthority"),
    "family": (
        "nomdenaissance",
        "nomnaissance",
        "birthfamily",
        "birthname",
        "birthfamilyname",
        "familyname",
        "family",
        "nom",
    ),
    "given": (
        "listedesprenomsdenaissance",
        "prenomsdenaissance",
        "prenomsnaissance",
        "listeprenom",
        "listeprenoms",
        "listedesprenoms",
        "prenomdenaissance",
        "birthgivennames",
        "givennames",
        "given",
        "prenoms",
        "prenom",
        "firstnames",
        "firstname",
    ),
    "sex": ("sexe", "sex", "gender"),
    "born": ("datedenaissance", "datenaissance", "naissance", "birthdate", "dateofbirth", "born", "ddn"),
    "place": (
        "codeinseedenaissance",
        "codelieunaissance",
        "lieudenaissance",
        "lieu",
        "lieunaissance",
        "codeinsee",
        "birthplace",
        "placeofbirth",
        "place",
    ),
    "status": ("statutidentite", "statut", "identitystatus", "status"),
}
"""Headings of `ins import`, as `ops.tabular` compares them."""

REQUIRED = frozenset(COLUMNS) - {"key", "oid"}


@app.callback()
def group() -> None:
    """National health identities (INS)."""


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False, readable=True)],
    oid: Annotated[
        str, typer.Option("--oid", help="The OID of lines that tell none, such as 1.2.250.1.213.1.4.8.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line and write nothing.")] = False,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Import identities from a CSV file: bad lines are listed, the good ones kept.

    Semicolon, comma or tab; UTF-8 or Windows-1252 (INS-5). The first line names
    the columns, in French or English, case and accents aside:

    INS (or matricule, with clé) · OID · nom de naissance (birth name) ·
    prénoms de naissance (birth given names) · sexe (sex) · date de naissance
    (birth date) · lieu de naissance (birth place: INSEE code) · statut (status:
    PROV, RECUP, VALI, QUAL).

    Other columns are passed over. A later line about the same INS wins.

    Exit codes: 0 all lines are good · 7 some were refused, the good ones are
    kept · 2 no such columns · 1 configuration · 6 unavailable.

    Example: mss-gateway ins import identites.csv --dry-run
    """
    from .importing import Import, run_import

    def prepare(fields: dict[str, str]) -> dict[str, str]:
        key = fields.pop("key", "")
        if key and len("".join(fields["ins"].split())) == 13:
            fields["ins"] += key.zfill(2)
        fields["oid"] = fields.get("oid") or oid
        return fields

    run_import(Import(file, COLUMNS, REQUIRED, "ins.import", {}, prepare), config, dry_run=dry_run, json=json)


@app.command()
def show(ins: Ins, config: Config = DEFAULT_CONFIG, json: AsJson = False) -> None:
    """Say what the sender must check: sex, month and year, département of birth (INS-4).

    And what the registry knows; without a configuration file, the number alone.

    Exit codes: 0 · 1 the key is wrong, or the configuration cannot be used ·
    2 this is no INS · 6 unavailable.

    Example: mss-gateway ins show 285037728417346
    """
    from mss_gateway.ops.identities import read_ins, reading

    if _alone(config):
        result = {**reading(_understood(read_ins, _given(ins), json), _today()), "identity": None}
        if json:
            show_json(result)
    else:
        result = call(config, "ins.show", _given(ins), as_json=json)
    if not json:
        for line in result["screen"]:
            console().print(escape(line))
        if result["identity"]:
            record("Registry", result["identity"])
        if not result["key_holds"]:
            console().print("[yellow]Attention : la clé (2 derniers chiffres) est fausse.[/]")
    raise typer.Exit(0 if result["key_holds"] else 1)


@app.command()
def check(
    ins: Ins,
    sex: Annotated[str, typer.Option("--sex", help="F or M.")],
    born: Annotated[
        str,
        typer.Option(
            "--born", metavar="DATE", help="YYYY-MM-DD, YYYY-MM, MM/YYYY or DD/MM/YYYY (JJ/MM/AAAA)."
        ),
    ],
    department: Annotated[
        str, typer.Option("--department", help="Of birth: 77, 2A, 971; 99 when born abroad.")
    ],
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """Do the patient's traits agree with the INS? For software, before it sends (INS-4).

    Compared with the identity of the registry where it is known, else with the
    number; without a configuration file, with the number alone.

    Exit codes: 0 all agree · 1 not, and which, in French; or the configuration
    cannot be used · 2 wrong arguments · 6 unavailable.

    Example:
    mss-gateway ins check 285037728417346 --sex F --born 1985-03 --department 77
    """
    from mss_gateway.ops.identities import confirm, read_ins

    arguments = {**_given(ins), "sex": sex, "born": born, "department": department}
    if _alone(config):
        result = _understood(lambda given: confirm(read_ins(given), given, _today()), arguments, json)
        if json:
            show_json(result)
    else:
        result = call(config, "ins.check", arguments, as_json=json)
    if not json:
        if result["agrees"]:
            console().print("[green]Les traits correspondent.[/]")
        for mismatch in result["mismatches"]:
            console().print(f"[red]✗[/] {escape(mismatch['sentence'])}")
    raise typer.Exit(0 if result["agrees"] else 1)


@app.command(name="list")
def list_(
    status: Annotated[
        str | None, typer.Option("--status", help="Show the identities of this status, INS masked.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
) -> None:
    """How many identities the registry has of each status (INS-5).

    Example: mss-gateway ins list
    """
    result = call(config, "ins.list", {"status": status}, as_json=json)
    if not json:
        record("Registry of identities", {**result["counts"], "total": result["total"]})
        if status:
            table(status.upper(), ("ins", "oid", "source", "updated_at"), result["identities"])


def _given(ins: str) -> dict[str, str]:
    """The INS typed, or the first line of standard input, where no list of processes shows it."""
    return {"ins": sys.stdin.readline().strip() if ins == "-" else ins}


def _alone(config: Path) -> bool:
    """No file was named and there is none: nothing but the number can be read."""
    return config == DEFAULT_CONFIG and not config.exists()


def _today() -> date:
    return datetime.now(UTC).date()


def _understood(read: Callable[[dict[str, str]], T], arguments: dict[str, str], json: bool) -> T:
    """What `read` makes of the arguments; its refusal ends the command."""
    from mss_gateway.ops.operation import OperationRefused

    try:
        return read(arguments)
    except OperationRefused as refused:
        fail(refused.sentence, refused.exit_code, reason=refused.reason, as_json=json)

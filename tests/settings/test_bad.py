"""Broken configurations, each with the sentence that the operator sees (OPS-6)."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mss_gateway.cli.root import app
from mss_gateway.settings import ConfigError, load

BAD = sorted((Path(__file__).parent / "bad").glob("*.toml"))


def test_there_are_enough_of_them() -> None:
    """The issue asks for 13 or more, each with its sentence."""
    assert len(BAD) >= 13
    assert all(file.with_suffix(".expected").exists() for file in BAD)


@pytest.mark.req("OPS-6")
@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_broken_configuration_is_told_in_one_sentence(file: Path, folder: Path) -> None:
    """File, key, value and remedy, in one line."""
    config = folder / file.name
    config.write_bytes(file.read_bytes())
    with pytest.raises(ConfigError) as raised:
        load(config, {})
    said = str(raised.value).replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
    assert said + "\n" == file.with_suffix(".expected").read_text(encoding="utf-8")
    assert said.startswith(f"{file.name}: ")
    assert "\n" not in said


@pytest.mark.req("OPS-6")
def test_the_command_says_it_and_ends_with_1(folder: Path) -> None:
    """The operator sees the sentence and no traceback."""
    config = folder / BAD[0].name
    config.write_bytes(BAD[0].read_bytes())
    plain = CliRunner().invoke(app, ["check-config", "-c", str(config)])
    assert plain.exit_code == 1
    assert (
        BAD[0].with_suffix(".expected").read_text(encoding="utf-8").partition(": ")[2].strip() in plain.output
    )
    assert "Traceback" not in plain.output
    told = CliRunner().invoke(app, ["check-config", "-c", str(config), "--json"])
    assert told.exit_code == 1
    assert json.loads(told.output)["exit"] == 1


@pytest.mark.req("OPS-6")
def test_a_file_that_is_absent_a_folder_or_no_text(folder: Path) -> None:
    """Before any key can be read."""
    with pytest.raises(ConfigError, match=r"no such file: write one with `mss-gateway init`"):
        load(folder / "absent.toml", {})
    with pytest.raises(ConfigError, match=r"this is a folder"):
        load(folder, {})
    (folder / "octets.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"this is not TOML"):
        load(folder / "octets.toml", {})

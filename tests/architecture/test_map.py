"""The map of the code says the truth."""

import importlib
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mss_gateway"
MAP = (PACKAGE / "README.md").read_text(encoding="utf-8")
ROOMS = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
NAMES = sorted(set(re.findall(r"`([a-z_]+(?:\.\w+)+)`", MAP)))
FOLDERS = sorted(set(re.findall(r"`([a-z_]+/[\w./]*)`", MAP)))


def test_the_map_and_the_folders_name_the_same_rooms() -> None:
    """No room without a line, no line without a room."""
    section = MAP.partition("## Rooms")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w+)/`", section)) == ROOMS


@pytest.mark.parametrize("dotted", NAMES)
def test_a_name_on_the_map_exists(dotted: str) -> None:
    """Every dotted name is a module of the package or something in one."""
    found: object = importlib.import_module("mss_gateway")
    path = "mss_gateway"
    for part in dotted.split("."):
        path = f"{path}.{part}"
        if not hasattr(found, part):
            importlib.import_module(path)
        found = getattr(found, part)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_path_on_the_map_exists(folder: str) -> None:
    """Paths are relative to the package."""
    assert (PACKAGE / folder).exists()


def test_the_map_names_things() -> None:
    """The patterns above still find something."""
    assert len(NAMES) > 20
    assert len(FOLDERS) > 15

"""A folder with every file that a configuration names, made once for this folder's tests."""

from pathlib import Path

import pytest

from mss_gateway.dev.space import Space, make_space


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """A throw-away trust space."""
    return make_space(tmp_path_factory.mktemp("settings"))


@pytest.fixture
def folder(space: Space, tmp_path: Path) -> Path:
    """The folder that a configuration stands in, with its certificates under `pki/`."""
    (tmp_path / "pki").symlink_to(space.folder)
    return tmp_path

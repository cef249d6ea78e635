"""The index of the decisions: every one of them, under its own title."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))


def title_of(page: Path) -> str:
    """The first line of a decision, its number in front."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def test_every_decision_stands_in_the_index_once_under_its_title() -> None:
    """And nothing else does."""
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line.startswith("- ")]
    assert sorted(listed) == sorted(f"- [{title_of(page)}]({page.name})" for page in PAGES)


def test_a_decision_has_the_number_of_its_file() -> None:
    """Numbers follow on each other, so that a comment may name one."""
    numbers = [int(title_of(page).partition(".")[0]) for page in PAGES]
    assert numbers == [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))

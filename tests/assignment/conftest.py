"""Submissions: pages with mistakes planted, and changed by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from glassnet.assignment import Assignment, Verdict, check, draw

Changed = Callable[..., Verdict]


@pytest.fixture
def checked(tmp_path: Path) -> Changed:
    """Return the verdict on an assignment's page after replacements, each of one text that is in it by another."""

    def verdict(assignment: Assignment, *changes: tuple[str, str], repaired: bool = False) -> Verdict:
        text = assignment.page.text() if repaired else assignment.text
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file = tmp_path / "repair.py"
        file.write_text(text, "utf-8")
        return check(file, assignment.key)

    return verdict


@pytest.fixture
def columns() -> Assignment:
    """Two mistakes in a page whose examples are columns."""
    return draw(["one-bias-gradient", "narrow-one-hot"], 2, 0, "dense-columns")

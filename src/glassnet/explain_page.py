"""An explanation as one HTML page that needs nothing else: typeset equations, pictures, bars, and every sum of a tiny network."""

from pathlib import Path

from .explain import Explanation


def write_page(explanation: Explanation, title: str, folder: Path) -> Path:
    raise NotImplementedError

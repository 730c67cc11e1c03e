"""The README's examples do what it says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_python_examples_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "digits.safetensors").exists()
    network, loss, X, y = (names[name] for name in ("network", "loss", "X", "y"))
    assert loss(network.forward(X), y).value < 0.1


def test_every_command_that_it_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    from glassnet.cli import main

    commands = set(re.findall(r"^glassnet ([a-z-]+)", README, re.MULTILINE))
    assert {"train", "resume", "evaluate", "predict", "report"} <= commands
    for command in commands:
        assert main([command, "--help"]) == 0


def test_every_extra_is_installed() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for text in (README, (ROOT / "Makefile").read_text("utf-8")):
        [named] = re.findall(r'"\.\[([\w,]+)\]"', text)
        assert sorted(named.split(",")) == sorted(extras)


def test_every_file_that_it_links_exists() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 160

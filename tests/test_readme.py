"""The README's examples do what it says."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_the_python_examples_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "digits.safetensors").exists()
    assert names["diagnosis"].names == ("softmax-without-maximum", "one-bias-gradient")  # type: ignore[attr-defined]
    assert names["loss"].forward(names["network"].forward(names["X"]), names["y"]) < 0.1  # type: ignore[attr-defined]


def test_every_command_that_it_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    from glassnet.cli import main

    commands = set(re.findall(r"^glassnet ([a-z-]+)", README, re.MULTILINE))
    assert {"train", "resume", "evaluate", "predict", "report"} <= commands
    for command in commands:
        assert main([command, "--help"]) == 0


def test_every_file_that_it_links_exists() -> None:
    root = Path(__file__).parent.parent
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (root / link).exists()] == []


def test_its_table_is_measured() -> None:
    table = README.partition("<!-- measured: make bench -->")[2].partition("<!-- end of measured -->")[0]
    assert table.count("±") >= 6
    assert "PyTorch" in table

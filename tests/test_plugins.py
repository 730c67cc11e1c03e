"""Data and callbacks that another installed package brings by its entry points."""

from pathlib import Path

import pytest

from glassnet import load_dataset
from glassnet.cli import main
from glassnet.errors import ConfigError, DataError
from glassnet.plugins import load_plugin, plugin_names

CODE = """
import numpy as np
from glassnet import load_dataset
from glassnet.training import Callback

def load():
    rng = np.random.default_rng(0)
    return load_dataset((rng.integers(0, 256, (100, 8, 8)), np.arange(100) % 10))

def wrong():
    return 3

def broken():
    raise OSError("the file is gone")

class Note(Callback):
    def on_end(self, run):
        print("noted", run.state.epoch)
"""
ENTRIES = """
[glassnet.data]
their-digits = their_package:load
their-three = their_package:wrong
their-broken = their_package:broken
their-missing = their_package:nowhere

[glassnet.callbacks]
note = their_package:Note
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_package.py").write_text(CODE)
    information = tmp_path / "their_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)


def test_their_data() -> None:
    dataset = load_dataset("their-digits")
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (80, 20, (8, 8))
    assert "their-digits" in plugin_names("glassnet.data")


def test_their_callback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert main(["train", "their-digits", "--epochs", "2", "--callback", "note", "--out", run]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "noted 2"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("their-three", "their-three: the package that brings it returns a int, not a Dataset"),
        ("their-broken", "their-broken: their_package:broken cannot be used: the file is gone"),
        ("their-missing", "their-missing: their_package:nowhere cannot be used: "),
    ],
)
def test_what_cannot_be_used_says_so(name: str, complaint: str) -> None:
    with pytest.raises((ConfigError, DataError), match=complaint):
        load_dataset(name)


def test_an_unknown_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "digits", "--callback", "not", "--out", str(tmp_path / "run")]) == 2
    assert "did you mean 'note'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=r"known: .*mlflow.*note.*trackio"):
        load_plugin("glassnet.callbacks", "zzz")

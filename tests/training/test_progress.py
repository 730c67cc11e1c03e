"""What people are told while a run goes on, and at its end."""

import os
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, load_dataset, train
from glassnet.training import progress

SMALL = {"recipe": "small", "threads": 1}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Train with progress, and return the lines that were told."""

    def run(dataset: Dataset, **settings) -> list[str]:
        train(dataset, out=tmp_path / "run", **({"progress": True} | SMALL | settings))
        out, err = capsys.readouterr()
        assert out == ""
        assert all(len(line) <= 80 for line in err.splitlines())
        return err.splitlines()

    return run


def test_a_line_an_epoch_and_what_its_columns_mean(digits, told):
    lines = told(digits, epochs=3)
    (legend,) = [i for i, line in enumerate(lines) if line.startswith("*: the best model so far")]
    assert "Seconds: of training" in lines[legend]
    assert lines[legend + 1].split() == ["epoch", "loss", "accuracy", "validation", "loss", "accuracy", "seconds"]
    assert [line.split()[0] for line in lines[legend + 2 :]] == ["1", "2", "3"]


def test_nothing_is_told_where_nobody_watches(digits, told):
    assert told(digits, epochs=1, progress=None) == []


def test_a_pipe_gets_a_line_by_time_too(digits, told, monkeypatch):
    monkeypatch.setattr(progress, "REPORT", 0.0)
    lines = told(digits, epochs=1)
    assert sum(bool(re.fullmatch(r" *\d+ %  epoch 1/1  loss \d\.\d{4}  .*  \d+ s left", line)) for line in lines) > 20


def test_a_live_line_of_80_columns_is_shown_whole(digits, tmp_path):
    import fcntl
    import pty
    import termios

    code = "from glassnet import load_dataset, train; "
    code += f"train(load_dataset('digits'), 'small', epochs=100000, report_every=100000, out={str(tmp_path / 'r')!r})"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], os.environ | {"TERM": "xterm", "COLUMNS": "80"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = ""
    while len(found := re.findall(r"[━─]+.*? left", shown)) < 3:
        shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(terminal, 65536).decode(errors="replace"))
    os.kill(pid, 2)
    os.waitpid(pid, 0)
    os.close(terminal)
    assert all(len(line) <= 80 for line in found)
    assert re.search(r"epoch \d+/100000  loss", found[-1])


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"optimizer": "adamw"}, "adamw comes with its own learning rate, 0.001; that of small, 0.01, was for adam"),
        (
            {"recipe": "default", "batch_size": "all"},
            "batch size all turns the batch normalisation and augmentation of default off",
        ),
        (
            {"recipe": "adversarial", "batch_size": "all"},
            "batch size all turns the batch normalisation and adversarial training of adversarial off",
        ),
        ({"recipe": "default", "batch_size": 1, "optimizer": "sgd"}, "turns the batch normalisation of default off"),
    ],
)
def test_what_a_setting_changes_beside_itself_is_said(digits, told, settings, note):
    text = " ".join(" ".join(told(digits, epochs=1, **settings)).split())
    assert note in text


def test_of_an_ordinary_run_no_note_is_made(digits, told):
    assert not [line for line in told(digits, epochs=1, learning_rate=0.02) if line.startswith("note")]


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        (
            {"learning_rate": 5},
            "the learning rate 5 is too large for adam (usual: 0.001); glassnet lr-find suggests one",
        ),
        ({"learning_rate": 1e-8}, "the learning rate 1e-08 is too small for adam"),
        ({"scaling": "none", "optimizer": "sgd", "learning_rate": 1e-9}, "inputs from 0 to 255 (scaling none)"),
        ({"adversarial": 50}, "adversarial 50 moves images farther than they differ; use less"),
    ],
)
def test_a_run_at_chance_says_so_and_names_the_cause(digits, told, settings, cause):
    text = " ".join(" ".join(told(digits, epochs=2, **settings)).split())
    assert re.search(r"Nothing was learned: [\d.]+ % is no better than chance \([\d.]+ %, always the most common", text)
    assert cause in text


@pytest.mark.parametrize("labels", [np.arange(60) // 59, np.arange(12) % 2], ids=["one class", "few images"])
def test_where_nothing_could_be_better_than_chance_it_is_not_said(labels, told):
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 4, 4), np.uint8)
    lines = told(load_dataset((images, labels), classes=2), epochs=2, batch_size=4)
    assert "validation images" in " ".join(lines)
    assert not [line for line in lines if "chance" in line]


def test_labels_that_belong_to_other_images(digits, told):
    images, labels = digits.train.images, np.random.default_rng(0).permutation(digits.train.labels)
    text = " ".join(" ".join(told(load_dataset((images, labels)), epochs=150, dropout=0, hidden=[400])).split())
    assert "Nothing was learned" in text
    assert "The training images are fitted, so the labels of the validation images may not belong to them." in text


def test_dark_on_light_is_noticed(digits, told):
    dark = load_dataset((255 - digits.train.images, digits.train.labels))
    text = " ".join(" ".join(told(dark, epochs=2, learning_rate=1e-3)).split())
    assert "dark on light" in text.partition("augment")[0]
    assert "note the images are dark on light, which scaling standard suits better than unit" in text


def test_dark_on_light_with_the_scaling_that_suits_it_needs_no_note(digits, told):
    dark = load_dataset((255 - digits.train.images, digits.train.labels))
    assert not [line for line in told(dark, epochs=1, scaling="standard") if line.startswith("note")]


def test_a_run_that_learns_is_not_called_chance(digits, told):
    assert "chance" not in " ".join(told(digits, epochs=3))

"""From Kaggle's two files to a submission, and what is refused on the way."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from exported_models import around, noise
from kaggle_files import write_csv

from glassnet import Model, load_dataset, train
from glassnet.cli import main
from glassnet.data import read_csv
from glassnet.export import submission
from glassnet.nn import Dense
from glassnet.training import BUNDLED

MNIST = Path(os.environ.get("GLASSNET_DATA", "nowhere"), "mnist", "train-images-idx3-ubyte.gz")
needs_mnist = pytest.mark.skipif(not MNIST.is_file(), reason="no MNIST in GLASSNET_DATA")

HASTE = ["--recipe", "fast", "--hidden", "32", "--epochs", "1", "--batch-size", "96", "--threads", "1"]


class Kaggle(NamedTuple):
    folder: Path
    train: Path
    test: Path


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def faint(n: int) -> np.ndarray:
    return noise(n, seed=1) // 26  # one digit a pixel: half the text


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Kaggle:
    """A train.csv of 200 images of noise, and a test.csv of 28,000 others."""
    folder = tmp_path_factory.mktemp("small")
    train_file = write_csv(folder / "train.csv", noise(200), np.arange(200) % 10)
    return Kaggle(folder, train_file, write_csv(folder / "test.csv", faint(28_000)))


@pytest.fixture(scope="module")
def run(small: Kaggle) -> Path:
    assert main(["train", str(small.train), *HASTE, "--out", str(small.folder / "run")]) == 0
    return small.folder / "run"


@needs_mnist
def test_from_kaggles_files_to_a_submission_in_two_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mnist = load_dataset("mnist")
    images = np.concatenate([mnist.train.images, mnist.test.images])
    labels = np.concatenate([mnist.train.labels, mnist.test.labels])
    assert len({image.tobytes() for image in images}) == 70_000  # no two alike: what is found twice was seen
    order = np.random.default_rng(0).permutation(len(images))
    monkeypatch.chdir(tmp_path)
    write_csv(Path("train.csv"), images[order[:42_000]], labels[order[:42_000]])
    write_csv(Path("test.csv"), images[order[42_000:]])

    assert main(["train", "train.csv", *HASTE, "--out", "run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" submit run test.csv")  # what to do next
    assert main(["submit", "run", "test.csv"]) == 0
    header, *lines = Path("submission.csv").read_bytes().decode("ascii").split("\n")[:-1]
    assert header == "ImageId,Label"
    numbers, digits = zip(*(line.split(",") for line in lines), strict=True)
    assert list(numbers) == [str(number) for number in range(1, 28_001)]
    assert {*digits} == set("0123456789")
    assert np.mean(np.array(digits, np.int64) == labels[order[42_000:]]) > 0.9

    capsys.readouterr()
    learned = int((order[42_000:] < 60_000).sum())
    assert main(["submit", str(BUNDLED), "test.csv", "--out", "leak.csv"]) == 2
    err = capsys.readouterr().err
    assert f"the model has seen {learned:,} of these 28,000 images in mnist" in err
    assert "--allow-leak" in err
    assert len(err.splitlines()) == 1
    assert not Path("leak.csv").exists()


def test_it_says_what_the_model_says(small: Kaggle, run: Path, tmp_path: Path) -> None:
    images = read_csv(small.test).images
    for place, flags, shifts in ((run, [], 0), (run / "model.safetensors", ["--shifts", "1"], 1)):
        assert main(["submit", str(place), str(small.test), "--out", str(tmp_path / "new" / "s.csv"), *flags]) == 0
        said = np.loadtxt(tmp_path / "new" / "s.csv", np.int64, delimiter=",", skiprows=1)
        np.testing.assert_array_equal(said[:, 0], np.arange(1, 28_001))
        expected = Model.load(run / "model.safetensors").predict(images[-2000:], shifts)
        np.testing.assert_array_equal(said[-2000:, 1], expected)


def test_what_it_prints(
    small: Kaggle, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["submit", str(run), str(small.test)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^submission +submission.csv$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80
    assert main(["submit", str(run), str(small.test), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"submission": "submission.csv", "rows": 28_000}


def test_the_training_file_in_place_of_the_test_file_is_told(
    small: Kaggle, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", str(run), str(small.train), "--out", str(tmp_path / "s.csv")]) == 2
    assert "has labels, as Kaggle's train.csv has; give test.csv" in capsys.readouterr().err
    assert not (tmp_path / "s.csv").exists()


def swapped(table: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The last rows of a table replaced by others."""
    return np.concatenate([table[: len(table) - len(others)], np.stack(others)])


def test_only_what_was_learned_or_chosen_by_counts(small: Kaggle, run: Path, tmp_path: Path) -> None:
    dataset, images = load_dataset(small.train), read_csv(small.test).images
    model = Model.load(run / "model.safetensors")
    assert submission(model, swapped(images, *dataset.test.images)).count("\n") == 28_001  # held out: never looked at
    training, validation = dataset.split(0.1, 0)
    seen = swapped(images, training.images[0], validation.images[0], training.images[0])
    with pytest.raises(ValueError, match=r"has seen 3 of these 28,000 images in .*train\.csv.*first is row 27,998"):
        submission(model, seen)
    leak = write_csv(tmp_path / "leak.csv", seen)
    assert main(["submit", str(run), str(leak), "--out", str(tmp_path / "s.csv")]) == 2
    assert not (tmp_path / "s.csv").exists()
    assert main(["submit", str(run), str(leak), "--out", str(tmp_path / "s.csv"), "--allow-leak"]) == 0
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 28_001


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run `glassnet submit`, see to it that it refuses as it should, and return what it says."""
    capsys.readouterr()
    assert main(["submit", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("glassnet: ")
    assert not [path for path in Path().iterdir() if "submission" in path.name]
    return err


@pytest.fixture
def copied(small: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Train on a copy of train.csv that can be spoilt, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def make() -> Path:
        (tmp_path / "train.csv").write_bytes(small.train.read_bytes())
        assert main(["train", "train.csv", *HASTE, "--out", "run"]) == 0
        return tmp_path / "train.csv"

    return make


def test_training_data_that_changed(
    small: Kaggle, copied: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    table = copied()
    table.write_bytes(table.read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    err = refused(["run", str(small.test)], capsys)
    assert f"cannot check whether the model has seen the test images: {table} has changed since" in err
    assert main(["submit", "run", str(small.test), "--allow-leak"]) == 0


def test_training_data_that_are_gone(
    small: Kaggle, copied: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    copied().unlink()
    err = refused(["run", str(small.test)], capsys)
    assert "cannot check whether" in err
    assert "train.csv" in err
    assert "--allow-leak" in err


def test_training_data_that_were_arrays(
    small: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = load_dataset((noise(200), np.arange(200) % 10))
    train(arrays, "fast", epochs=1, hidden=[16], batch_size=96, threads=1, out="run")
    assert "it was trained on arrays in memory" in refused(["run", str(small.test)], capsys)


@pytest.mark.parametrize("rows", [27_999, 28_001])
def test_another_number_of_rows(
    rows: int, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(Path("test.csv"), faint(rows))
    err = refused([str(run), "test.csv", "--allow-leak"], capsys)
    assert f"test.csv: {rows:,} rows, but Kaggle's test.csv has 28,000" in err


def test_models_of_other_classes_or_sizes(
    small: Kaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = around(Dense)
    Model(model.networks, model.preprocessing, tuple("abcdefghij")).save("letters.safetensors")
    err = refused(["letters.safetensors", str(small.test), "--allow-leak"], capsys)
    assert "the model has 10 classes (a, b, c, …)" in err
    assert main(["train", "digits", *HASTE, "--out", "eight"]) == 0
    err = refused(["eight", str(small.test), "--allow-leak"], capsys)
    assert "images of 28×28 pixels, but the model expects 8×8" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere", "{test}"], "nowhere: no run folder or model file there"),
        (["{run}", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (["{run}", "{test}", "--shifts", "9"], "shifts: must be a whole number from 0 to 3"),
        (["{run}", "{test}", "--out", "{test}/s.csv"], "cannot write"),
        (["{run}"], "requires an argument"),
    ],
)
def test_wrong_use(
    arguments: list[str],
    complaint: str,
    small: Kaggle,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint in refused([argument.format(run=run, test=small.test) for argument in arguments], capsys)


def test_no_other_file_is_written_over(
    small: Kaggle, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = run / "model.safetensors"
    before = model.read_bytes(), small.test.read_bytes()
    assert "ends in .csv" in refused([str(run), str(small.test), "--out", str(model)], capsys)
    assert "is the file of test images" in refused([str(run), str(small.test), "--out", str(small.test)], capsys)
    assert before == (model.read_bytes(), small.test.read_bytes())

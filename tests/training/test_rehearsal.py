"""Runs that go on from a model with a few new images, and rehearse what it had learned."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassnet import Dataset, Run, load_dataset, open_model, resume, train
from glassnet.cli import main
from glassnet.data import Examples
from glassnet.errors import ConfigError, GlassnetError
from glassnet.training import Callback, Config, RunUnderWay
from glassnet.training.assembly import prepare
from glassnet.training.rehearsal import learned


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(digits, out=tmp_path_factory.mktemp("runs") / "run", epochs=8, threads=1)


@pytest.fixture(scope="module")
def mirrored(digits: Dataset) -> Dataset:
    """A style that the network does not know: sixty digits in a mirror to learn, and others to measure on."""
    images, labels = digits.test.images[:, :, ::-1], digits.test.labels
    return load_dataset((images[:60], labels[:60], images[60:], labels[60:]))


def accuracy(run: Run, examples: Examples) -> float:
    return float((run.model.predict_proba(examples.images).argmax(axis=1) == examples.labels).mean())


def test_a_new_style_is_learned_and_the_old_one_is_not_forgotten(
    digits: Dataset, trained: Run, mirrored: Dataset, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"start": trained.path, "threads": 1, "learning_rate": 0.005, "shift": 0.0}
    run = train(mirrored, out=tmp_path / "run", **how)
    assert run.config.recipe == "fine-tune"
    assert accuracy(run, mirrored.test) > accuracy(trained, mirrored.test) + 0.15
    assert accuracy(run, digits.test) > accuracy(trained, digits.test) - 0.04
    alone = train(mirrored, out=tmp_path / "alone", rehearsal=0, batch_size=32, epochs=100, **how)
    assert accuracy(alone, digits.test) < accuracy(run, digits.test) - 0.05


def test_which_images_an_epoch_has(digits: Dataset, mirrored: Dataset) -> None:
    config = Config.resolve("fine-tune", seen=("digits",), rehearsal=0.75)
    task = prepare(config, mirrored)
    old, held = digits.split(config.validation, config.split_seed)
    known = {image.tobytes() for image in old.images}
    new = {image.tobytes() for image in mirrored.train.images}
    rows = [image.tobytes() for image in task.training.images]
    assert sum(row in known for row in rows) == len(old)  # of 1,500 that are wanted there are so many
    assert sum(row in new for row in rows) == len(rows) - len(old) >= 500
    assert {image.tobytes() for image in task.validation.images} <= new | {image.tobytes() for image in held.images}
    assert not known & {image.tobytes() for image in task.validation.images}


@pytest.mark.parametrize("rehearsal", [0.75, 0.2, 0])
def test_what_was_learned_is_each_image_of_an_epoch_once(digits: Dataset, mirrored: Dataset, rehearsal: float) -> None:
    config = Config.resolve("fine-tune", seen=("digits",), rehearsal=rehearsal, batch_size=32)
    once = [image.tobytes() for image in learned(config, mirrored).images]
    assert len(once) == len(set(once))
    assert set(once) == {image.tobytes() for image in prepare(config, mirrored).training.images}


def test_the_compiled_engine_rehearses_too(trained: Run, tmp_path: Path, mirrored: Dataset) -> None:
    pytest.importorskip("numba")
    run = train(mirrored, out=tmp_path / "run", start=trained.path, engine="compiled", epochs=1, threads=1)
    assert (run.config.rehearsal, len(run.history)) == (0.75, 1)


def test_half_a_run_and_a_resumed_half_are_a_whole_one(trained: Run, tmp_path: Path, mirrored: Dataset) -> None:
    class Stop(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if run.state.step == 50:
                run.stop("for a test")

    how: dict[str, Any] = {"start": trained.path, "threads": 1}
    whole = train(mirrored, out=tmp_path / "whole", **how)
    half = train(mirrored, out=tmp_path / "half", callbacks=[Stop()], **how)
    resume(half.path, mirrored)
    assert np.array_equal(half.model.network.parameters, whole.model.network.parameters)


def write(folder: Path, examples: Examples, label: int, count: int) -> None:
    """Pictures of 8×8 pixels, which are taken as they are."""
    (folder / str(label)).mkdir(parents=True)
    for i, image in enumerate(examples.images[examples.labels == label][:count]):
        Image.fromarray(image).save(folder / str(label) / f"{i}.png")


def test_a_folder_of_one_class_from_the_shell(digits: Dataset, trained: Run, tmp_path: Path) -> None:
    write(tmp_path / "drawings", digits.test, 7, 10)
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "drawings"), "--from", str(trained.path), "--out", str(run)]) == 0
    assert Run(run).config.recipe == "fine-tune"
    assert open_model(run).classes == trained.model.classes
    assert accuracy(Run(run), digits.test) > 0.9
    assert main(["resume", str(run), "--epochs", "9"]) == 0
    assert main(["evaluate", str(run)]) == 0


def test_a_single_drawing(
    digits: Dataset, trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "drawings", digits.test, 7, 1)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "drawings", "--from", str(trained.path), "--out", "run"]) == 0
    out, err = capsys.readouterr()
    old, _ = digits.split(trained.config.validation, trained.config.split_seed)
    words = f"{500 + len(old):,} training images (1 new × 500 + {len(old):,} rehearsed), "
    assert words in " ".join(err.split())
    assert "next" not in out  # there is nothing to evaluate it on
    assert main(["resume", "run", "--epochs", "9"]) == 0
    assert "next" not in capsys.readouterr().out
    assert main(["train", "digits", "--epochs", "1", "--out", "other"]) == 0
    assert "evaluate other" in capsys.readouterr().out


def test_drawings_that_nobody_has_kept(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("drawings", "drawings/"):
        assert main(["train", name, "--from", str(trained.path)]) == 2
        error = capsys.readouterr().err
        assert "no drawings kept yet: keep some on the page (glassnet serve), or go to the folder that holds" in error
        assert error.count("\n") == 1
    folder = tmp_path / "drawings"
    for made in (folder, folder / "3"):  # as when the only drawing was removed
        made.mkdir()
        assert main(["train", "drawings", "--from", str(trained.path)]) == 2
        error = capsys.readouterr().err
        assert error.endswith(f"{folder}: no drawings in this folder yet; keep some on the page (glassnet serve)\n")
        assert error.count("\n") == 1


def test_a_stray_folder_among_those_of_classes(
    digits: Dataset, trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in (1, 7):
        write(tmp_path / "drawings", digits.test, label, 5)
    (tmp_path / "drawings/7").rename(tmp_path / "drawings/x")
    run, command = tmp_path / "run", ["train", str(tmp_path / "drawings"), "--from", str(trained.path)]
    assert main([*command, "--out", str(run)]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}/drawings: class x is not among the model's; remove it" in error
    assert error.count("\n") == 1
    assert not run.exists()
    assert main([*command, "--recipe", "small", "--epochs", "1", "--batch-size", "4", "--out", str(run)]) == 0
    assert open_model(run).classes == ("1", "x")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "rehearsal: a run from random weights has nothing to rehearse"),
        ({"seen": ("arrays in memory",)}, "rehearsal: the model learned from arrays in memory"),
        ({"seen": ("/gone",)}, "rehearsal: no data set or path called '/gone'"),
        ({"seen": ("mnist",)}, "rehearsal: mnist has images of another size"),
    ],
)
def test_what_cannot_be_rehearsed(mirrored: Dataset, tmp_path: Path, settings: dict[str, Any], what: str) -> None:
    if settings.get("seen") == ("mnist",):
        pytest.importorskip("pooch")
    with pytest.raises(ConfigError, match=what):
        train(mirrored, "fine-tune", out=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_other_classes_are_not_fine_tuned(digits: Dataset, trained: Run, tmp_path: Path) -> None:
    few = digits.train.take(np.flatnonzero(digits.train.labels < 2)[:60])
    letters = load_dataset((few.images, few.labels), classes=["a", "b"])
    run = train(letters, out=tmp_path / "run", start=trained.path, epochs=1, threads=1)
    assert run.config.recipe == "small"
    with pytest.raises(GlassnetError, match="rehearsal: digits: its 10 classes are 0 to 9, not a to b"):
        train(letters, out=tmp_path / "other", start=trained.path, rehearsal=0.5, threads=1)

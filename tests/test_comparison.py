"""Runs beside each other."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, Run, evaluate, load_dataset, train
from glassnet.comparison import compare_runs
from glassnet.errors import ConfigError, FileError
from glassnet.training import Callback, Config, RunUnderWay, find_runs

SETTINGS = {"batch_size": 100, "threads": 1}


class Stop(Callback):
    def on_step(self, run: RunUnderWay, loss: float) -> None:
        run.stop("for a test")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Path:
    """Three runs: a poor one, a good one, and one that was stopped after its first step."""
    folder = tmp_path_factory.mktemp("runs")
    train(digits, out=folder / "a-poor", hidden=[4], epochs=1, **SETTINGS)
    train(digits, out=folder / "b-good", hidden=[32], epochs=8, **SETTINGS)
    train(digits, out=folder / "c-begun", hidden=[32], epochs=8, callbacks=[Stop()], **SETTINGS)
    (folder / "notes").mkdir()
    return folder


def test_the_best_comes_first_and_what_is_not_known_last(runs: Path) -> None:
    comparison = compare_runs(find_runs(runs))
    good, poor, begun = comparison.lines
    assert [line.name for line in comparison.lines] == ["b-good", "a-poor", "c-begun"]
    best = Run(runs / "b-good").best
    assert (good.validation_accuracy, good.validation_loss) == (best["validation_accuracy"], best["validation_loss"])
    assert (good.best_epoch, good.epochs_done, good.finished) == (best["epoch"], 8, True)
    assert good.seconds == Run(runs / "b-good").history[-1]["seconds"]
    assert poor.epochs_done == 1
    assert (begun.validation_accuracy, begun.best_epoch, begun.epochs_done, begun.finished) == (None, None, 0, False)
    assert comparison.notes == ["Not finished: c-begun."]


def test_only_settings_that_differ_are_shown(runs: Path, digits: Dataset, tmp_path: Path) -> None:
    assert compare_runs(find_runs(runs)).settings == ["hidden", "epochs"]
    assert compare_runs([Run(runs / "b-good"), Run(runs / "c-begun")]).settings == []
    other = train(digits, out=tmp_path / "run", hidden=[4], epochs=1, activation="tanh", clip_norm=1.0, **SETTINGS)
    comparison = compare_runs([other, Run(runs / "a-poor")])
    assert comparison.settings == ["activation", "clip_norm"]
    assert {row["clip_norm"] for row in comparison.rows()} == {None, 1.0}


def test_no_result_has_the_name_of_a_setting(runs: Path) -> None:
    columns = compare_runs(find_runs(runs), test=True).columns
    assert len(set(columns)) == len(columns)
    results = columns[: columns.index("test_accuracy") + 1]
    assert set(results) & set(Config.model_fields) == set()


def test_test_images_are_read_only_on_request(runs: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = compare_runs(find_runs(runs), test=True)
    run = Run(runs / "b-good")
    assert comparison.lines[0].test_accuracy == evaluate(run.model, digits.test).accuracy
    assert comparison.lines[-1].test_accuracy is None
    assert "c-begun: no test accuracy" in comparison.notes[-1]
    monkeypatch.setattr(Run, "dataset", lambda run: pytest.fail("the data was read"))
    assert "test_accuracy" not in compare_runs(find_runs(runs)).columns


def test_a_run_of_arrays_in_memory_has_no_test_accuracy_and_says_why(tmp_path: Path, digits: Dataset) -> None:
    arrays = replace(digits, source="")
    run = train(arrays, out=tmp_path / "run", hidden=[4], epochs=1, **SETTINGS)
    comparison = compare_runs([run], test=True)
    assert comparison.lines[0].test_accuracy is None
    assert "run: no test accuracy" in comparison.notes[0]
    assert "arrays in memory" in comparison.notes[0]


def test_other_validation_images_are_pointed_out(runs: Path, tmp_path: Path, digits: Dataset) -> None:
    seeded = train(digits, out=tmp_path / "seeded", hidden=[4], epochs=1, seed=1, **SETTINGS)
    ensemble = train(digits, out=tmp_path / "two", hidden=[4], epochs=1, members=2, **SETTINGS)
    assert "The validation images are not the same" in compare_runs([Run(runs / "a-poor"), seeded]).notes[0]
    together = compare_runs([Run(runs / "a-poor"), ensemble, *find_runs(ensemble.path / "member-2")])
    assert together.notes == []  # an ensemble's members are all judged by the images of its first seed
    line = next(line for line in together.lines if line.name == "two")
    assert line.validation_accuracy == ensemble.best["validation_accuracy"]
    assert line.epochs_done == 2


def test_arrays_that_were_others_are_pointed_out(tmp_path: Path, digits: Dataset) -> None:
    arrays = [replace(digits, source=""), replace(digits, source="", train=digits.train.take(np.arange(900)))]
    runs = [
        train(data, out=tmp_path / str(number), hidden=[4], epochs=1, **SETTINGS) for number, data in enumerate(arrays)
    ]
    assert "The data are not the same" in compare_runs(runs).notes[0]
    assert compare_runs(runs[:1] * 2).notes == []


def test_mistakes_that_make_figures_mean_something_else_are_pointed_out(tmp_path: Path, digits: Dataset) -> None:
    broken = train(digits, "notebook-003", as_written=True, out=tmp_path / "broken", epochs=2, threads=1)
    assert broken.broken
    comparison = compare_runs([broken])
    assert comparison.notes[0] == "Broken by a planted mistake: broken."
    assert comparison.lines[0].validation_accuracy is None
    reported = train(
        digits, out=tmp_path / "reported", hidden=[4], epochs=1, mistakes=["training-accuracy-reported"], **SETTINGS
    )
    assert "Training images, reported as validation images" in compare_runs([reported]).notes[-1]


def test_a_run_named_twice_is_there_once_and_two_of_one_name_keep_their_paths(
    runs: Path, tmp_path: Path, digits: Dataset
) -> None:
    once = compare_runs([*find_runs(runs / "a-poor"), *find_runs(runs / ".." / runs.name / "a-poor")])
    assert len(once.lines) == 1
    twin = train(digits, out=tmp_path / "a-poor", hidden=[4], epochs=1, **SETTINGS)
    names = {line.name for line in compare_runs([*find_runs(runs), twin]).lines}
    assert names == {"b-good", "c-begun", str(runs / "a-poor"), str(tmp_path / "a-poor")}


def test_places_without_runs_are_refused(tmp_path: Path, runs: Path) -> None:
    with pytest.raises(FileError, match="no runs in this folder"):
        find_runs(tmp_path)
    with pytest.raises(FileError, match="is the path right"):
        find_runs(tmp_path / "nowhere")
    with pytest.raises(FileError, match="no runs to compare"):
        compare_runs([])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.toml").write_text("epochs = 'many'")
    with pytest.raises(ConfigError, match=r"bad/config\.toml"):
        compare_runs(find_runs(tmp_path))


def test_a_damaged_run_is_left_out_and_a_note_says_why(tmp_path: Path, runs: Path) -> None:
    row = (runs / "a-poor" / "history.jsonl").read_text()
    not_a_number = re.sub(r'"validation_accuracy": [\d.]+', '"validation_accuracy": NaN', row)
    assert not_a_number != row
    for name, file, text in (
        ("a-settings", "config.toml", "epochs = 'many'\n"),
        ("b-rows", "history.jsonl", "epochs = 'many'\n"),
        ("c-nan", "history.jsonl", not_a_number),
        ("d-empty", "history.jsonl", ""),
    ):
        shutil.copytree(runs / "a-poor", tmp_path / name)
        (tmp_path / name / file).write_text(text)
    comparison = compare_runs([*find_runs(tmp_path), *find_runs(runs / "a-poor")])
    assert [line.name for line in comparison.lines] == ["a-poor"]
    for note, words in zip(
        comparison.notes,
        (
            "a-settings/config.toml",
            "b-rows/history.jsonl, line 1",
            "c-nan/history.jsonl, line 1",
            "d-empty: finished",
        ),
        strict=True,
    ):
        assert note.startswith("Left out: ")
        assert words in note

"""A search of a few tiny trials: what it keeps, what it refuses, and that nothing ends it for good."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from glassnet import Dataset, load_dataset, search, train
from glassnet.cli import main
from glassnet.errors import ConfigError, DataError, FileError, GlassnetError
from glassnet.training import Config
from glassnet.tuning import Search, Trial
from glassnet.tuning.space import searched

TINY = {"hidden": [8], "rotation": 0, "batch_norm": False, "epochs": 2, "threads": 1}
COMMAND = [sys.executable, "-m", "glassnet", "search", "digits", "--hidden", "8", "--rotation", "0", "--threads", "1"]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    whole = load_dataset("digits")
    return load_dataset((whole.train.images[:400], whole.train.labels[:400]))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Search:
    return search(digits, trials=7, out=tmp_path_factory.mktemp("search") / "a", **TINY)


def test_the_best_trial_is_kept_and_no_other(found: Search) -> None:
    assert {file.name for file in found.path.iterdir()} == {"study.db", "best.toml", f"trial-{found.best.number}"}
    assert len(found.trials) == 7
    assert found.best.value == min(trial.value for trial in found.trials)
    assert found.best.value == min(row["validation_loss"] for row in found.run.history)
    ended = [trial for trial in found.trials if not trial.pruned]
    assert [trial.value for trial in ended] == sorted(trial.value for trial in ended)


def test_layers_that_are_given_stay_as_they_are() -> None:
    assert "hidden" in searched(Config.resolve("small"), ())
    assert "hidden" not in searched(Config.resolve("small", layers="conv 4 3x3"), ())


def test_what_is_given_is_not_searched(found: Search) -> None:
    for trial in found.trials:
        assert set(trial.settings) == {"learning_rate", "batch_size", "label_smoothing", "dropout"}
    assert len({trial.settings["learning_rate"] for trial in found.trials}) == 7


def test_the_best_settings_are_a_recipe_that_gives_the_same_run(found: Search, digits: Dataset, tmp_path: Path) -> None:
    again = train(digits, found.recipe, threads=1, out=tmp_path / "run")
    assert (again.path / "model.safetensors").read_bytes() == (found.run.path / "model.safetensors").read_bytes()
    assert Config.resolve(found.recipe).learning_rate == found.best.settings["learning_rate"]


def test_a_trial_without_prospects_is_ended_early(digits: Dataset, tmp_path: Path) -> None:
    wide = TINY | {"epochs": 6, "dropout": 0, "label_smoothing": 0, "batch_size": 32}
    result = search(digits, trials=14, out=tmp_path / "a", seed=3, **wide)
    pruned = [trial for trial in result.trials if trial.pruned]
    assert pruned
    assert all(trial.epochs < 6 and trial.number >= 5 for trial in pruned)
    assert not result.best.pruned


def test_a_search_goes_on_where_it_ended(digits: Dataset, tmp_path: Path) -> None:
    seen: list[int] = []

    def note(found: Search, trial: Trial) -> None:
        seen.append(trial.number)

    first = search(digits, trials=2, out=tmp_path / "a", on_trial=note, **TINY)
    second = search(digits, trials=4, out=tmp_path / "a", on_trial=note, **TINY)
    assert seen == [0, 1, 2, 3]
    assert {trial.number for trial in second.trials} == {0, 1, 2, 3}
    assert all(trial in second.trials for trial in first.trials)
    assert len({trial.settings["learning_rate"] for trial in second.trials}) == 4
    assert search(digits, trials=3, out=tmp_path / "a", on_trial=note, **TINY).trials == second.trials
    assert len(seen) == 4


def rows(study: Path, state: str) -> int:
    connection = sqlite3.connect(study, timeout=30)
    try:
        return connection.execute("select count(*) from trials where state = ?", (state,)).fetchone()[0]
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_killed_search_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a"
    flags = ["--out", str(folder), "--epochs", "300", "--learning-rate", "0.01"]
    process = subprocess.Popen([*COMMAND, *flags], stderr=subprocess.PIPE, text=True)
    try:
        process.stderr.readline()  # of the first trial
        end = time.monotonic() + 60
        while rows(folder / "study.db", "RUNNING") != 1:  # for much longer than it takes to see it
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    assert rows(folder / "study.db", "RUNNING") == 1
    done = rows(folder / "study.db", "COMPLETE")
    assert done >= 1
    assert main([*COMMAND[3:], *flags, "--trials", str(done + 1), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["trials"]) == done + 1
    assert (rows(folder / "study.db", "RUNNING"), rows(folder / "study.db", "FAIL")) == (0, 1)
    assert Path(result["run"], "model.safetensors").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_search_that_is_killed_while_its_study_is_made_leaves_none(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt  # no signal: a background job may ignore it

    with monkeypatch.context() as patch:
        patch.setattr("optuna.create_study", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(digits, out=tmp_path / "s", trials=1, hidden=[8], epochs=1, threads=1)
    assert not list(tmp_path.glob("s/*"))
    (tmp_path / "s" / ".study.db.12-34.partial").touch()  # so is left by a process that is killed while it writes
    for trials in (1, 2):
        assert len(search(digits, out=tmp_path / "s", trials=trials, hidden=[8], epochs=1, threads=1).trials) == trials


def test_ctrl_c_keeps_what_is_done_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    command = [*COMMAND, "--out", str(folder), "--epochs", "10", "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the workers too
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "of 50 trials, which are kept; the same search again goes on" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert rows(folder / "study.db", "RUNNING") == 0


def test_several_processes(digits: Dataset, tmp_path: Path) -> None:
    found = search(digits, trials=4, jobs=2, out=tmp_path / "a", **TINY)
    assert sorted(trial.number for trial in found.trials) == [0, 1, 2, 3]
    assert found.best.value == min(row["validation_loss"] for row in found.run.history)
    assert len(list(found.path.glob("trial-*"))) == 1


def test_a_study_of_other_data_is_refused(found: Search, digits: Dataset) -> None:
    before = (found.path / "study.db").read_bytes()
    other = load_dataset((255 - digits.train.images, digits.train.labels))
    with pytest.raises(DataError, match="a search of another data set"):
        search(other, trials=9, out=found.path, **TINY)
    assert (found.path / "study.db").read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"epochs": 3}, "this search has epochs 2, not 3"),
        ({"recipe": "fast"}, "this search has "),
        ({"dropout": 0.3}, "this search is over learning_rate, batch_size, label_smoothing, dropout"),
        ({"jobs": 0}, "jobs: must be a whole number of at least 1, not 0"),
        ({"trials": 0}, "trials: must be a whole number of at least 1, not 0"),
        ({"members": 2}, "members: a search compares single networks"),
        ({"validation": 0}, "validation: a search chooses by validation images"),
        ({"dask": "tcp://127.0.0.1:1"}, "dask: no scheduler answers at 'tcp://127.0.0.1:1'"),
        ({"dask": "nonsense"}, "dask: no scheduler answers at 'nonsense'"),
        ({"trials": 2.0}, "trials: must be a whole number of at least 1, not 2.0"),
        ({"out": 5}, "out: must be a path, not 5"),
    ],
)
def test_wrong_use(found: Search, digits: Dataset, settings: dict, complaint: str) -> None:
    before = (found.path / "study.db").read_bytes()
    with pytest.raises(ConfigError, match=complaint):
        search(digits, **({"trials": 9, "out": found.path} | TINY | settings))
    assert (found.path / "study.db").read_bytes() == before


def test_nothing_is_made_where_a_search_cannot_begin(digits: Dataset, tmp_path: Path) -> None:
    for settings in ({"dask": "tcp://127.0.0.1:1"}, {"batch_size": 5000}, {"validation": 0}, {"no_such": 1}):
        with pytest.raises(GlassnetError):
            search(digits, out=tmp_path / "a", **settings)
    assert not (tmp_path / "a").exists()


def test_a_folder_with_something_else_is_refused(digits: Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match="is not empty, and no search is in it"):
        search(digits, out=tmp_path, **TINY)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "study.db").write_bytes(b"no database " * 400)
    with pytest.raises(FileError, match=r"study\.db: not a study, or a damaged one"):
        search(digits, out=damaged, **TINY)


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["search", "digits"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("glassnet: a search needs optuna, which is missing; pip install ")
    assert {"optuna", "distributed"} <= set(err.partition("install ")[2].split())
    assert err.count("\n") == 1
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["train", "digits", "--members", "2", "--dask", "tcp://127.0.0.1:1"]) == 2
    assert capsys.readouterr().err.startswith("glassnet: --dask needs distributed, which is missing; pip install ")


def test_diverging_trials_do_not_end_a_search(digits: Dataset, tmp_path: Path) -> None:
    with np.errstate(all="ignore"):
        found = search(digits, trials=2, out=tmp_path / "a", **TINY, optimizer="sgd", learning_rate=1e30)
    assert [trial.pruned for trial in found.trials] == [True, True]
    assert all("stopped being finite" in trial.complaint for trial in found.trials)
    assert found.best is None


def test_the_table(digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND[3:], "--trials", "2", "--epochs", "1", "--out", str(tmp_path / "a")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["trial", "loss", "rate", "batch", "smoothing", "dropout", "norm"]
    assert f"--recipe {tmp_path / 'a' / 'best.toml'}" in out.splitlines()[-1]
    assert len(err.splitlines()) == 2


def test_a_damaged_study_is_one_line(found: Search, digits: Dataset, tmp_path: Path) -> None:
    content, rng = (found.path / "study.db").read_bytes(), np.random.default_rng(0)
    for number in range(30):
        changed = bytearray(content)
        for place in rng.integers(0, len(content), 30):
            changed[place] = rng.integers(0, 256)
        place = int(rng.integers(0, len(content) // 4096)) * 4096
        changed[place : place + 4096 * (number % 3)] = b"\0" * 4096 * (number % 3)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "study.db").write_bytes(changed)
        with suppress(GlassnetError):  # anything else is a bug
            search(digits, trials=7, out=folder, **TINY)


@pytest.mark.parametrize("limit", [0, 8_192, 40_000])
def test_a_disk_that_takes_no_more_is_one_line(tmp_path: Path, limit: int) -> None:
    """Files may not grow beyond a limit, which is an error of writing at any of a search's files."""
    command = [*COMMAND, "--trials", "3", "--epochs", "1", "--out", str(tmp_path / "a")]
    limited, free = (
        subprocess.run([*before, *command], capture_output=True, text=True, timeout=120, check=False)
        for before in (["prlimit", f"--fsize={limit}"], [])
    )
    assert "Traceback" not in limited.stderr
    assert limited.returncode == 2
    assert limited.stderr.splitlines()[-1].startswith("glassnet: ")
    assert "damaged" not in limited.stderr
    assert free.returncode == 0, free.stderr

"""Runs that are handed on to each tracker's own library, and read back from what it has left."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from glassnet import load_dataset, train
from glassnet.cli import main
from glassnet.trackers import MLflow, Trackio, WandB

READ_MLFLOW = """
import json
from mlflow import MlflowClient
client = MlflowClient()
for run in client.search_runs([client.get_experiment_by_name("glassnet").experiment_id]):
    metrics = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "validation_accuracy")]
    print(json.dumps([run.info.run_name, run.info.status, run.data.params["learning_rate"], metrics]))
"""


def python(folder: Path, *arguments: str) -> str:
    """Run Python in a folder whose trackers keep all they get there."""
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(folder),
        "TRACKIO_DIR": str(folder / "trackio"),
    }
    command = [sys.executable, *arguments]
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def trained(folder: Path, tracker: str) -> list[dict[str, float]]:
    """Train with a tracker, and return the history; standard output has the result alone."""
    command = ["train", "digits", "--epochs", "2", "--out", "the-run", "--callback", tracker, "--json"]
    json.loads(python(folder, "-m", "glassnet", *command))
    return [json.loads(line) for line in (folder / "the-run" / "history.jsonl").read_text().splitlines()]


def test_mlflow(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    history = trained(tmp_path, "mlflow")
    name, status, rate, metrics = json.loads(python(tmp_path, "-c", READ_MLFLOW))
    assert (name, status, rate) == ("the-run", "FINISHED", "0.01")
    assert metrics == [[row["epoch"], pytest.approx(row["validation_accuracy"])] for row in history]
    python(tmp_path, "-m", "glassnet", "resume", "the-run", "--epochs", "3", "--callback", "mlflow")
    resumed = json.loads(python(tmp_path, "-c", READ_MLFLOW).splitlines()[0])  # the newest first
    assert resumed[:2] == ["the-run", "FINISHED"]
    assert [epoch for epoch, _ in resumed[3]] == [3]


def test_members_have_the_name_of_the_ensemble(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    command = ["train", "digits", "--epochs", "1", "--members", "2", "--out", "two", "--callback", "mlflow"]
    python(tmp_path, "-m", "glassnet", *command)
    runs = [json.loads(line) for line in python(tmp_path, "-c", READ_MLFLOW).splitlines()]
    assert sorted(name for name, *_ in runs) == ["two/member-1", "two/member-2"]


def test_a_server_that_is_not_there_is_soon_noticed(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    command = [sys.executable, "-m", "glassnet", "train", "digits", "--epochs", "1", "--callback", "mlflow"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    expected = "no answer from 127.0.0.1 (Connection refused); is MLFLOW_TRACKING_URI right?"
    assert (done.returncode, done.stdout) == (2, "")
    assert "MLflow: connecting to 127.0.0.1\n" in done.stderr
    assert done.stderr.endswith(f"glassnet: MLflow: cannot begin a run: {expected}\n")


def test_weights_and_biases(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    history = trained(tmp_path, "wandb")
    [file] = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    content = file.read_bytes()
    assert b"the-run" in content
    assert b"learning_rate" in content
    assert all(repr(row["validation_accuracy"])[:10].encode() in content for row in history)


def test_trackio(tmp_path: Path) -> None:
    pytest.importorskip("trackio", reason="trackio is not installed")
    history = trained(tmp_path, "trackio")
    with sqlite3.connect(next((tmp_path / "trackio").glob("glassnet*.db"))) as database:
        rows = database.execute("select run_name, step, metrics from metrics order by step").fetchall()
    assert [(name, step) for name, step, _ in rows] == [("the-run", row["epoch"]) for row in history]
    found = [json.loads(metrics)["validation_accuracy"] for _, _, metrics in rows]
    assert found == pytest.approx([row["validation_accuracy"] for row in history])


@pytest.mark.parametrize(
    ("tracker", "package", "install"),
    [(MLflow, "mlflow", "mlflow-skinny"), (WandB, "wandb", "wandb"), (Trackio, "trackio", "trackio")],
)
def test_one_that_is_not_installed(
    tracker: type,
    package: str,
    install: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["train", "digits", "--callback", package, "--out", str(tmp_path / "run")]) == 2
    expected = f"glassnet: {tracker.__name__} needs {package}, which is missing; pip install {install}\n"
    assert capsys.readouterr().err == expected
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_refuses_says_so_in_one_line(tmp_path: Path) -> None:
    class Refusing(Trackio):
        def __init__(self) -> None:
            pass

        def begin(self, name: str, settings: dict[str, object]) -> None:
            raise OSError("no account\nhere")

    with pytest.raises(Exception, match=r"^Refusing: cannot begin a run: no account here$"):
        train(load_dataset("digits"), epochs=1, out=tmp_path / "run", callbacks=[Refusing()])

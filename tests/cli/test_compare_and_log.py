"""``glassnet compare`` and ``glassnet log``, as typed."""

import csv
import json
import re
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from glassnet.cli import main

LONG = "20261122-233321-digits-notebook-004-as-written"
WIDELY = "--activation tanh --optimizer adamw --learning-rate 0.002 --schedule cosine --dropout 0.1 --clip-norm 1"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place") / "runs"
    common = ["train", "--epochs", "2", "--threads", "1", "--hidden"]
    assert main([*common, "8", "--out", str(folder / "a")]) == 0
    assert main([*common, "16", "8", "--out", str(folder / LONG), *WIDELY.split()]) == 0
    return folder


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_compare_fits_80_columns_and_leaves_nothing_out(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["compare", str(runs)]) == 0
    out, _ = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    tables = [block.splitlines() for block in out.split("\n\n")]
    assert tables[0][0].split() == ["run", "validation", "loss", "best", "epochs", "seconds"]
    assert all(re.search(r"\d\d\.\d\d %  \d+\.\d{4}     [12]       2", line) for line in tables[0][1:])
    assert len(tables) >= 3
    assert all(len(table) == 3 for table in tables)
    header = [name for table in tables[1:] for name in table[0].split()[1:]]
    assert set(header) >= {"hidden", "activation", "optimizer", "learning_rate", "schedule", "dropout", "clip_norm"}
    assert "16 8" in out
    assert "–" in out  # the one that has no clip_norm


def test_names_that_would_be_shortened_to_the_same_stay_whole(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"sweep-over-learning-rates-{rate}-of-the-default-recipe" for rate in ("0.1", "0.2")]
    assert main(["compare", str(runs)]) == 0
    assert LONG not in capsys.readouterr().out
    config = (runs / "a" / "config.toml").read_text()
    units = "512, 256, {}, 64, 64, 32, 16, 8"
    for name, width in zip(names, (128, 120), strict=True):
        (tmp_path / "wide" / name).mkdir(parents=True)
        settings = re.sub(r"hidden = \[\s*8,?\s*\]", f"hidden = [{units.format(width)}]", config)
        (tmp_path / "wide" / name / "config.toml").write_text(settings)
    assert main(["compare", str(tmp_path / "wide")]) == 0
    out = capsys.readouterr().out
    assert all(units.format(width).replace(",", "") in out for width in (128, 120))
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(config)
    assert main(["compare", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:3]] == names
    assert "The settings are the same." in out


def test_compare_for_programs(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    path = tmp_path / "t.csv"
    assert main(["compare", str(runs / "a"), str(runs / LONG), "--test", "--json", "--csv", str(path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["run"] for row in rows} == {str(runs / "a"), str(runs / LONG)}
    assert rows[0]["validation_accuracy"] >= rows[1]["validation_accuracy"]
    cells = list(csv.DictReader(path.read_text().splitlines()))
    for row, cell in zip(rows, cells, strict=True):
        assert list(row) == list(cell)
        assert float(cell["test_accuracy"]) == row["test_accuracy"] > 0
        assert cell["hidden"] == " ".join(map(str, row["hidden"]))


def test_what_a_program_reads_has_no_notes_in_it(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.toml").write_text("epochs = 'many'")
    capsys.readouterr()
    assert main(["compare", str(runs / "a"), str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 1
    assert err.startswith("Left out: ")
    assert err.count("\n") == 1
    assert main(["log", str(tmp_path), str(runs / "a")]) == 0
    out, err = capsys.readouterr()
    assert {json.loads(line)["run"] for line in out.splitlines()} == {"a"}
    assert err.startswith("Left out: ")
    assert "bad/config.toml" in refused(capsys, "log", tmp_path)


def test_log_prints_json_lines_or_writes_what_was_asked_for(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["log", str(runs / "a")]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["epoch"] for row in printed if row["of"] == "epoch"] == [1, 2]
    assert main(["log", str(runs / "a"), str(runs / "." / "a")]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == printed  # named twice, there once
    logs, table, lines = tmp_path / "logs", tmp_path / "t.csv", tmp_path / "t.jsonl"
    assert main(["log", str(runs), "--tensorboard", str(logs), "--csv", str(table), "--jsonl", str(lines)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"event files: 2\n", out)
    assert {path.name for path in logs.iterdir()} == {"a", LONG}
    every = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row for row in every if row["run"] == "a"] == printed
    assert len(table.read_text().splitlines()) == 1 + len(every)


def test_train_and_resume_write_the_log_as_they_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = ["--tensorboard", str(tmp_path / "logs")]
    assert main(["train", "--epochs", "2", "--hidden", "8", "--out", str(tmp_path / "r"), *logs]) == 0
    assert main(["resume", str(tmp_path / "r"), *logs]) == 0
    events = EventAccumulator(str(tmp_path / "logs" / "r")).Reload()
    assert len(events.Scalars("epoch/validation_loss")) == 2


def test_wrong_use_is_one_line_and_writes_nothing(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("something")
    history = (runs / "a" / "history.jsonl").read_bytes()
    monkeypatch.chdir(tmp_path)  # where there is no folder runs
    assert "no run folder or folder of runs" in refused(capsys, "compare", tmp_path / "nowhere")
    assert "no runs in this folder" in refused(capsys, "log", tmp_path)
    assert "RUNS" in refused(capsys, "compare").upper()
    assert "is in a run folder" in refused(capsys, "log", runs, "--jsonl", runs / "a" / "history.jsonl")
    assert "is in a run folder" in refused(capsys, "compare", runs, "--csv", runs / "a" / "table.csv")
    assert "ends in .csv" in refused(capsys, "log", runs, "--csv", tmp_path)
    assert "ends in .csv" in refused(capsys, "compare", runs, "--csv", "")
    assert "is in a run folder" in refused(capsys, "log", runs, "--tensorboard", runs / "a")
    both = ("--tensorboard", runs, "--csv", tmp_path / "t.csv")
    assert "is in a run folder" in refused(capsys, "log", runs, *both)
    assert str(file) in refused(capsys, "log", runs, "--tensorboard", file)
    beside = ("--out", tmp_path / "r", "--tensorboard", tmp_path)
    assert "is the folder of the runs" in refused(capsys, "train", *beside)
    assert "b.jsonl" in refused(capsys, "log", runs, "--csv", tmp_path / "a.csv", "--jsonl", file / "b.jsonl")
    assert "not a folder" in refused(capsys, "train", "--out", tmp_path / "r", "--tensorboard", file / "logs")
    with monkeypatch.context() as patched:
        patched.setattr("glassnet.logs.os.access", lambda place, mode: False)
        words = ("train", "--out", tmp_path / "r", "--tensorboard", tmp_path / "logs")
        assert f"{tmp_path}: cannot be written to" in refused(capsys, *words)
    monkeypatch.setattr(
        "glassnet.logs.import_module", lambda name: exec("raise ModuleNotFoundError(name='tensorboard')")
    )
    for words in (["log", runs], ["train", "--out", tmp_path / "r"], ["resume", runs / "a"]):
        err = refused(capsys, *words, "--tensorboard", tmp_path / "logs")
        assert "; pip install tensorboard" in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (runs / "a" / "history.jsonl").read_bytes() == history

"""``glassnet assignment``."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from glassnet.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "homework"
    arguments = ["--mistakes", "one-bias-gradient,narrow-one-hot", "--kind", "dense-columns", "--seed", "1"]
    assert main(["assignment", "new", str(folder), *arguments]) == 0
    return folder


def test_new_says_what_to_give_out_and_how_to_check(tmp_path: Path, capsys: Capture) -> None:
    made = tmp_path / "class"
    assert main(["assignment", "new", str(made), "--level", "2"]) == 0
    out = capsys.readouterr().out
    assert "mistakes  3\nlevel     2\n" in out
    assert f"give out  {made}/student\n" in out
    assert f"check {made}/student/repair.py --key {made}\n" in out
    assert main(["assignment", "new", str(made)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_check_names_what_remains_and_the_cure_only_when_asked(made: Path, capsys: Capture) -> None:
    arguments = ["assignment", "check", str(made / "student" / "repair.py"), "--key", str(made)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "gone: 0 of 2" in lines
    assert any(line.startswith("  one-bias-gradient, in backward: db1 differs by") for line in lines)
    assert lines[-1] == "Not repaired yet."
    assert max(map(len, lines)) <= 80
    assert "right: db = Σ over examples of dZ" not in out
    capsys.readouterr()
    assert main([*arguments, "--hint"]) == 0
    assert "right: db = Σ over examples of dZ; one number for each unit" in capsys.readouterr().out
    assert main(["assignment", "check", str(made / "teacher" / "solution.py"), "--key", str(made)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Repaired."


def test_a_folder_of_submissions_as_a_table_csv_and_json(made: Path, capsys: Capture) -> None:
    folder = made / "submissions"
    (folder / "anna").mkdir(parents=True)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "anna" / "repair.py").write_bytes((made / "teacher" / "solution.py").read_bytes())
    (folder / "ben.py").write_text("def (")
    (folder / ".ipynb_checkpoints" / "ben.ipynb").write_text("")
    (folder / "=carl.ipynb").write_text("{}")
    capsys.readouterr()
    arguments = ["assignment", "check", str(folder), "--key", str(made)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "2 of 2" in out
    assert f"{folder}/ben.py: SyntaxError: invalid syntax (ben.py, line 1)" in out
    assert f"{folder}/=carl.ipynb: not a Jupyter notebook" in out
    assert main([*arguments, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["repaired"] for row in rows] == ["0", "1", "0"]
    assert rows[1]["gone"] == "2"
    assert float(rows[1]["accuracy"]) > 0.9
    assert main([*arguments, "--json"]) == 0
    verdicts = json.loads(capsys.readouterr().out)
    assert verdicts[1]["gone"] == ["narrow-one-hot", "one-bias-gradient"]
    assert "SyntaxError" in verdicts[2]["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["new", "{}/x", "--mistakes", "one-bias"], "no mistake called 'one-bias'"),
        (["new", "{}/x", "--mistakes", "a,,b"], "a number, or names separated by commas"),
        (["new", "{}/x", "--mistakes", "99"], "fit into the page"),
        (["new", "{}/x", "--mistakes=--5"], "no mistake called '--5'"),
        (["new", "{}/x", "--mistakes=-5"], "at least 1, not -5"),
        (["new", "{}/x", "--mistakes", "10000000000"], "no mistake called '10000000000'"),
        (["new", "{}/x", "--level", "0"], "level: 1, 2 or 3"),
        (["new", "{}/x", "--format", "pdf"], "py or ipynb"),
        (["new", "{}/x", "--kind", "rows"], "no kind of page"),
        (["check", "{}"], "there is no .py or .ipynb file in this folder"),
        (["check", "{}/none.py"], "No such file"),
        (["check", "{}/none.py", "--key", "{}/key.json"], "give the key.json"),
        (["check", "{}/none.py", "--json", "--csv"], "not both"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, capsys: Capture, words: list[str], message: str) -> None:
    assert main(["assignment", *(word.replace("{}", str(tmp_path)) for word in words)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_control_characters_of_a_submission_do_not_reach_the_terminal(made: Path, capsys: Capture) -> None:
    file = made / "loud.py"
    file.write_text("raise ValueError('\\x1b[31mred\\x07')")
    assert main(["assignment", "check", str(file)]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_teachers_folder_is_skipped_with_a_line_and_a_students_is_not(made: Path, capsys: Capture) -> None:
    anna = made / "anna"
    anna.mkdir()
    (anna / "key.json").write_text("{}")
    (anna / "repair.py").write_text("a = 1\n")
    capsys.readouterr()
    assert main(["assignment", "check", str(made), "--key", str(made)]) == 0
    out, err = capsys.readouterr()
    assert f"{anna}/repair.py: it defines none" in out
    assert "solution.py" not in out
    assert f"{made}/teacher: not checked, as it holds the key of an assignment" in err


def test_what_happens_to_one_submission_leaves_the_others_their_rows(
    made: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(made / "none"))
    (made / "student" / "second.py").write_text("a = 1\n")
    capsys.readouterr()
    assert main(["assignment", "check", str(made / "student"), "--key", str(made), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 2
    assert all("cannot be judged (FileNotFoundError" in row["error"] for row in rows)


def test_rows_are_printed_as_they_come(made: Path) -> None:
    folder = made / "student"
    files = [str(folder / "repair.py"), str(folder / "slow.py")]
    command = [sys.executable, "-m", "glassnet", "assignment", "check", *files, "--csv"]
    (folder / "slow.py").write_text("while True: pass\n")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as check:
        assert check.stdout
        assert check.stdout.readline().startswith("file,")
        assert check.stdout.readline().startswith(f"{folder}/repair.py,0")
        check.kill()  # the other would take half a minute
        assert check.stdout.read() == ""


def test_a_page_that_stops_when_it_is_run_is_told(made: Path, capsys: Capture) -> None:
    file = made / "late.py"
    file.write_text((made / "teacher" / "solution.py").read_text("utf-8") + "raise RuntimeError('late')\n", "utf-8")
    capsys.readouterr()
    assert main(["assignment", "check", str(file), "--key", str(made)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("stops when it is run: late.py, line ") for line in lines)
    assert lines[-1] == "Not repaired yet."
    assert main(["assignment", "check", str(file), str(file), "--key", str(made)]) == 0
    assert f"{file}: stops when it is run: late.py, line" in capsys.readouterr().out


def test_help_of_each(capsys: Capture) -> None:
    assert main(["assignment", "--help"]) == 0
    assert "new" in capsys.readouterr().out
    assert main(["assignment", "check", "--help"]) == 0
    assert "limits of time and memory" in " ".join(capsys.readouterr().out.split())


def test_the_table_says_why_a_submission_does_not_learn(made: Path, capsys: Capture) -> None:
    folder = made / "submissions"
    folder.mkdir()
    solution = (made / "teacher" / "solution.py").read_text("utf-8")
    (folder / "anna.py").write_text(solution, "utf-8")
    (folder / "ben.py").write_text(solution.replace("RATE = 0.5\n", "RATE = 50\n"), "utf-8")
    (folder / "carl.py").write_text(solution.replace("X = prepare(images)", "X = prepare(picture)"), "utf-8")
    capsys.readouterr()
    assert main(["assignment", "check", str(folder), "--key", str(made)]) == 0
    told = capsys.readouterr().out.splitlines()[-2:]
    assert told[0].startswith(f"{folder}/ben.py: the functions are right, but not RATE = 50; with RATE = 0.5, as given")
    assert told[1].startswith(f"{folder}/carl.py: train failed: carl.py, line ")
    assert "NameError: name 'picture' is not defined" in told[1]

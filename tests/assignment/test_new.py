"""What `draw` plants and `new_assignment` writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode, reads

from glassnet.assignment import PAGES, check, draw, new_assignment, read_key
from glassnet.assignment.new import LEVELS
from glassnet.clinic import MISTAKES
from glassnet.errors import ConfigError, FileError


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    assert draw(3, 2, 7) == draw(3, 2, 7)
    assert len({draw(3, 2, seed).text for seed in range(20)}) == 20
    assert draw(3, 2).key.seed != draw(3, 2).key.seed


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_says_how_many_and_how_subtle(level: int) -> None:
    for seed in range(30):
        plants = draw(None, level, seed).plants
        assert len({plant.mistake for plant in plants}) == len(plants) == LEVELS[level]
        assert max(plant.level for plant in plants) == level
        assert sum(plant.level == level for plant in plants) >= len(plants) / 2


def test_kinds_differ_by_the_seed_or_are_as_asked() -> None:
    assert {draw(2, 1, seed).page.name for seed in range(30)} == set(PAGES)
    assert {draw(2, 1, seed, "convolution").page.name for seed in range(5)} == {"convolution"}


def test_named_mistakes_are_planted_and_only_where_there_is_a_place() -> None:
    drawn = draw(["unflipped-filters", "no-shuffling"], 1, 0)
    assert drawn.page.name == "convolution"
    assert {plant.mistake for plant in drawn.plants} == {"unflipped-filters", "no-shuffling"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["one-bias-gradients"],), "did you mean 'one-bias-gradient'"),
        ((["random-biases"],), "random-biases: no page has a place for it"),
        ((["unflipped-filters"], 1, 0, "dense-rows"), "the page dense-rows has no place for it"),
        ((["uniform-weights", "equal-weights"],), "no page has a place for all of these together"),
        ((0,), "at least 1"),
        ((1.5,), "a number or a list of names"),
        (([],), "a number or a list of names"),
        (([1],), "a number or a list of names"),
        (("no-shuffling",), "a number or a list of names"),
        ((True,), "mistakes: must be a whole number"),
        ((2, [1]), "level: 1, 2 or 3"),
        ((2, 1, 1.5), "seed: must be a whole number"),
        ((2, 1, "x"), "seed: must be a whole number"),
        ((2, 1, 0, ["dense-rows"]), "no kind of page called"),
        ((50, 1, 0), "together"),
        ((2, 4), "level: 1, 2 or 3"),
        ((2, 1, 0, "dense"), "no kind of page called 'dense'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        draw(*arguments)  # type: ignore[arg-type]


def test_student_and_teacher_are_apart(tmp_path: Path) -> None:
    assignment = draw(3, 2, 11)
    new_assignment(tmp_path, assignment)
    student = {path.name: path.read_text("utf-8") for path in (tmp_path / "student").iterdir()}
    assert set(student) == {"repair.py", "TASK.md", "digits.csv"}
    for text in student.values():
        assert not any(name in text for name in MISTAKES)
        assert "#!" not in text
    assert "**3 mistakes**" in student["TASK.md"]
    assert len(student["digits.csv"].splitlines()) == 1201
    assert read_key(tmp_path) == read_key(tmp_path / "teacher" / "key.json") == assignment.key
    told = (tmp_path / "teacher" / "KEY.md").read_text("utf-8")
    lines = student["repair.py"].splitlines()
    for each in assignment.key.mistakes:
        assert f"## {each.mistake}\n" in told
        for number, wrong, right in each.changes:
            assert lines[number - 1].strip() == wrong
            assert wrong in told
            assert right in told
    with pytest.raises(FileError, match="is there already"):
        new_assignment(tmp_path, assignment)


def test_the_solution_runs_where_it_is_given_out(tmp_path: Path) -> None:
    new_assignment(tmp_path, draw(2, 1, 3, "dense-columns"))
    (tmp_path / "student" / "repair.py").write_bytes((tmp_path / "teacher" / "solution.py").read_bytes())
    ran = subprocess.run(
        [sys.executable, "-I", "repair.py"], cwd=tmp_path / "student", capture_output=True, text=True, check=True
    )
    assert float(ran.stdout.removeprefix("accuracy: ")) > 0.9


def test_a_notebook_runs_in_jupyter_and_is_checked(tmp_path: Path) -> None:
    assignment = draw(2, 1, 3, "dense-rows")
    new_assignment(tmp_path, assignment, "ipynb")
    text = (tmp_path / "teacher" / "solution.ipynb").read_text("utf-8")
    notebook: NotebookNode = reads(text, 4)
    ran = NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path / "student")}}).execute()
    assert ran.cells[0]["source"].startswith("# Digits by a network of any depth")
    assert ran.cells[-1]["outputs"][0]["text"].startswith("accuracy: 0.9")
    content = json.loads(text)
    content["cells"].insert(1, {"cell_type": "code", "source": ["%matplotlib inline\n", "!ls"]})
    content["cells"].append({"cell_type": "code", "source": "load('digits.csv')"})
    file = tmp_path / "mended.ipynb"
    file.write_text(json.dumps(content), "utf-8")
    assert check(file, assignment.key).repaired


def test_the_tests_for_autograders(tmp_path: Path) -> None:
    new_assignment(tmp_path, draw(["no-shuffling", "narrow-one-hot"], 1, 3, "dense-rows"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "teacher/test_repair.py")]

    def run(file: str) -> tuple[int, str]:
        environment = os.environ | {"SUBMISSION": str(tmp_path / file)}
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout

    code, told = run("teacher/solution.py")
    assert (code, "5 passed" in told) == (0, True)
    code, told = run("student/repair.py")
    assert code == 1
    assert "batches: " in told
    assert "no-shuffling" not in told  # the names are half of the answer
    solution = (tmp_path / "teacher/solution.py").read_text("utf-8")
    (tmp_path / "late.py").write_text(solution.replace('load("digits.csv")', 'laod("digits.csv")'), "utf-8")
    code, told = run("late.py")
    assert code == 1
    assert "NameError: name 'laod' is not defined" in told
    assert "1 failed, 4 passed" in told
    (tmp_path / "empty.py").write_text("")
    code, told = run("empty.py")
    assert "it defines none of the functions" in told


@pytest.mark.parametrize("content", ["", "[]", '{"page": "dense-rows"}', "\0", '{"page": 1}'])
def test_what_is_no_key(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.json").write_text(content)
    with pytest.raises(FileError, match="not the key of an assignment"):
        read_key(tmp_path / "key.json")
    with pytest.raises(FileError, match="cannot be read"):
        read_key(tmp_path / "none.json")


def test_a_key_of_unknown_things(tmp_path: Path) -> None:
    text = draw(1, 1, 0).key.model_dump_json()
    file = tmp_path / "key.json"
    file.write_text(text.replace(draw(1, 1, 0).plants[0].mistake, "old-mistake"))
    with pytest.raises(FileError, match="there is no mistake 'old-mistake'"):
        read_key(file)
    file.write_text(text.replace(draw(1, 1, 0).page.name, "old-page"))
    with pytest.raises(FileError, match="there is no page 'old-page'"):
        read_key(file)

"""``glassnet lesson``: list, show and check."""

import json
import re
from pathlib import Path

import pytest

from glassnet.cli import main
from glassnet.lessons import lesson_files

BAD = """title = "A"
abut = "B"

[[step]]
title = "\\u001b[31mred"
words = "w"
view = "#trian"
"""


def test_the_list_names_each_lesson_and_how_to_read_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "list"]) == 0
    told = capsys.readouterr().out
    assert all(f"{name}  " in told for name in lesson_files())
    assert "lesson show 01-one-neuron" in told
    assert not re.search(r"[?!.]\.", told)
    assert max(map(len, told.splitlines())) <= 80
    assert main(["lesson", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["07-steps"]["step"][0]["question"]["answer"] == 0.724


def test_every_lesson_is_shown_as_text_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    for name in lesson_files():
        assert main(["lesson", "show", name]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "**" not in told
    wide = [line for line in told.splitlines() if len(line) > 80 and not line.startswith("On the page: #")]
    assert wide == []
    assert "\nAnswer: the weight from pixel 3\nPixel 3 is white" in told
    assert "\nAnswer: 0.42, give or take 0.005\n" in told


def test_all_errors_of_all_files_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = tmp_path / "bad.toml", lesson_files()["07-steps"]
    bad.write_text(BAD)
    assert main(["lesson", "check", str(good)]) == 0
    assert capsys.readouterr().out == f"{good}: 5 steps, 5 questions, no errors\n"
    assert main(["lesson", "check", str(bad), str(good), str(tmp_path / "none.toml")]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{bad}:1: about: is missing",
        f"{bad}:2: no key called 'abut' in a lesson (did you mean 'about'?)",
        f"{bad}:7: step 1: view: no view called 'trian' (did you mean 'train'?)",
        f"{good}: 5 steps, 5 questions, no errors",
        f"{tmp_path / 'none.toml'}: cannot be read (No such file or directory); give a TOML file",
    ]
    assert err == "glassnet: 4 errors in 2 of 3 files\n"


def test_a_folder_of_lessons_is_checked_file_by_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "check", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"glassnet: {tmp_path}: no lessons in it")
    (tmp_path / "a.toml").write_text(BAD)
    (tmp_path / "b.toml").write_bytes(lesson_files()["07-steps"].read_bytes())
    (tmp_path / "c d.toml").write_bytes(lesson_files()["07-steps"].read_bytes())
    (tmp_path / "._a.toml").write_bytes(b"\0")
    assert main(["lesson", "check", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert f"{tmp_path / 'a.toml'}:2: no key called 'abut'" in out
    assert f"{tmp_path / 'b.toml'}: 5 steps, 5 questions, no errors\n" in out
    assert f"{str(tmp_path / 'c d.toml')!r}: name a lesson with" in out
    assert err == "glassnet: 4 errors in 2 of 3 files\n"


def test_no_text_is_lost_or_moved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    word = "w" * 100
    words = f"one ![two](https://a.org/b.png) three\n\n<b>four</b>\n\n# five\n\n| six |\n| --- |\n| {word} seven |"
    text = BAD.replace("abut", "about").replace("trian", "draw").replace('words = "w"', f"words = '''{words}'''")
    path = tmp_path / "all.toml"
    path.write_text(text)
    assert main(["lesson", "show", str(path)]) == 0
    told = capsys.readouterr().out
    assert "\none ![two](https://a.org/b.png) three\n\n<b>four</b>\n\n# five\n" in told
    assert word in "".join(told.split())
    assert "seven" in told


def test_a_lesson_with_an_error_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.toml").write_text(BAD)
    assert main(["lesson", "list", "--lessons", str(tmp_path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "bad cannot be shown: " in told
    assert "07-steps How far to step." in told


def test_a_lesson_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "red.toml"
    path.write_text(BAD.replace("abut", "about").replace("trian", "train"))
    assert main(["lesson", "show", str(path)]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\\u001b[31mred" in told


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (["show", "07-stps"], "no lesson called '07-stps' (did you mean '07-steps'?); give a name or a TOML file"),
        (["show", "none.toml"], "none.toml: cannot be read (No such file or directory); give a TOML file"),
        (["check"], "FILE: name one or more lesson files to check, or a folder of them"),
        (["list", "--lessons", "nowhere"], "nowhere: cannot be read (No such file or directory)"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(
    tokens: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lesson", *tokens]) == 2
    assert capsys.readouterr().err.startswith(f"glassnet: {told}")


def test_help_of_each_command_shows_its_description(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "--help"]) == 0
    assert "List, show and check the lessons" in capsys.readouterr().out
    assert main(["lesson", "check", "--help"]) == 0
    assert "Every error is shown" in " ".join(capsys.readouterr().out.split())


def test_serve_refuses_a_folder_of_lessons_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "0", "--lessons", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("glassnet: nowhere: cannot be read")

"""`glassnet predict` and `glassnet read` on files as people have them."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glassnet.cli import main


def seven(side=200):
    page = Image.new("L", (side, side), 240)
    ImageDraw.Draw(page).line([(60, 50), (140, 50), (90, 150)], 30, 14)
    return page


def two_sevens():
    page = Image.new("L", (400, 200), 240)
    page.paste(seven(), (0, 0))
    page.paste(seven().crop((50, 0, 200, 200)), (160, 0))
    return page


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for kind in ("png", "jpg", "bmp", "gif", "tif", "webp"):
        seven().save(tmp_path / "pictures" / f"{kind}.{kind}")
    (tmp_path / "pictures" / "notes.txt").write_text("")
    return tmp_path / "pictures"


def test_a_folder_of_every_form(folder, capsys):
    assert main(["predict", "pictures", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [answer["input"] for answer in found] == sorted(
        f"pictures/{kind}.{kind}" for kind in ("png", "jpg", "bmp", "gif", "tif", "webp")
    )
    assert {answer["label"] for answer in found} == {"7"}
    (folder / "broken.png").write_bytes(b"no")
    assert main(["predict", "pictures"]) == 2
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 7
    assert err.startswith("glassnet: pictures/broken.png: not a PNG, JPEG")


@pytest.mark.parametrize("command", ["predict", "read"])
def test_standard_input(command, folder, monkeypatch, capsys):
    content = (folder / "png.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main([command, "-"]) == 0
    assert "7" in capsys.readouterr().out


def test_numbers_are_read(folder, capsys):
    two_sevens().save("77.png")
    assert main(["read", "77.png"]) == 0
    assert capsys.readouterr().out == "77\n"
    assert main(["read", "77.png", "pictures/png.png", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["input"], first["numbers"], second["numbers"]) == ("77.png", [["77"]], [["7"]])
    assert len(first["digits"]) == 2
    assert main(["read", "77.png", "--grid", "1x2"]) == 0
    assert capsys.readouterr().out == "7 7\n"


def test_what_is_no_digit_is_a_question_mark_and_a_grid_is_thought_of(folder, capsys):
    page = Image.new("L", (400, 200), 240)
    for left in (40, 160, 280):
        ImageDraw.Draw(page).rectangle((left, 60, left + 70, 140), 30)
    page.save("boxes.png")
    assert main(["read", "boxes.png"]) == 0
    out, err = capsys.readouterr()
    assert out == "???\n"
    assert err == (
        "boxes.png: 3 of 3 digits are not like digits that the model knows; if it is a sudoku or a form, read its "
        "cells: --grid 9x9\n"
    )
    assert main(["read", "boxes.png", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert all(digit["doubt"] > 0.5 and digit["label"] in "0123456789" for digit in found["digits"])
    assert main(["read", "boxes.png", "--grid", "1x3"]) == 0
    assert "--grid" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("read nowhere.png", "nowhere.png: no such file"),
        ("read white.png", "no digit found in white.png: it is blank or too faint"),
        ("read pictures/png.png --grid 9", "--grid 9: give rows and columns, such as 9x9"),
        ("read pictures/png.png --grid 0x9", "grid: 0x9 has no cells"),
        ("read pictures/png.png --jsno", "unknown option '--jsno'"),
        ("predict --jsno pictures/png.png", "unknown option '--jsno'"),
        ("read", "IMAGES"),
    ],
)
def test_wrong_use_gets_one_line(line, words, folder, capsys):
    Image.fromarray(np.full((90, 90), 255, np.uint8)).save("white.png")
    assert main(line.split()) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1

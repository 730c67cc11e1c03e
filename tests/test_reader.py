"""All digits of a picture: lines of numbers, grids, digits that touch, and what is said of pictures without any."""

import os
import string

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glassnet import load_dataset, open_model
from glassnet.data.dataset import Images
from glassnet.errors import ConfigError, DataError
from glassnet.reader import Digit, Reading
from photos import line_of_digits

needs_mnist = pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
SHAPES = {  # strokes in a box of 60 × 100
    "0": [[(30, 0), (5, 25), (0, 55), (10, 90), (30, 100), (50, 88), (60, 55), (55, 25), (30, 0)]],
    "2": [[(5, 20), (20, 2), (45, 3), (55, 20), (45, 45), (5, 98), (60, 98)]],
    "3": [[(5, 10), (30, 0), (52, 15), (45, 40), (25, 48), (50, 58), (58, 78), (35, 100), (5, 92)]],
    "7": [[(0, 3), (58, 3), (20, 100)]],
}


def sheet(*lines: str, step: int = 100, size: tuple[int, int] = (600, 400)) -> Image.Image:
    """Digits of 60 × 100 pixels, ``step`` apart; a space is as wide as a digit."""
    page = Image.new("L", size, 235)
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        for column, digit in enumerate(line):
            for stroke in SHAPES.get(digit, []):
                draw.line([(40 + column * step + x, 40 + row * 160 + y) for x, y in stroke], 40, 11, joint="curve")
    return page


def gray(page: Image.Image) -> Images:
    return np.array(page)


def test_lines_of_numbers_and_where_each_digit_is() -> None:
    reading = open_model().read(gray(sheet("27 30", "372")))
    assert str(reading) == "27 30\n372"
    assert reading.numbers == [["27", "30"], ["372"]]
    assert [digit.label for digit in reading.digits] == list("2730372")
    for digit, left, top in zip(reading.digits[4:], (40, 140, 240), (200, 200, 200), strict=True):
        assert digit.probability > 0.5
        assert digit.box == pytest.approx((left / 600, top / 400, (left + 60) / 600, (top + 100) / 400), abs=12 / 400)


def test_what_is_not_like_a_digit_is_not_told_as_one() -> None:
    sides = (0.0, 0.0, 1.0, 1.0)
    known, doubtful, untold = (Digit("4", 0.9, 0.5, sides), Digit("2", 0.9, 0.51, sides), Digit("7", 0.9, None, sides))
    reading = Reading((((known, doubtful), ()), ((untold,),)))
    assert str(reading) == "4? .\n7"
    assert reading.numbers == [["42", ""], ["7"]]


@pytest.mark.parametrize("angle", [-4, 4])
def test_a_line_may_rise_or_fall(angle: int) -> None:
    page = sheet("27300").rotate(angle, Image.Resampling.BICUBIC, fillcolor=235)
    assert str(open_model().read(gray(page))) == "27300"


def test_light_on_dark_and_specks_between() -> None:
    page = 255 - gray(sheet("273"))
    page[[30, 60, 90], [125, 380, 500]] = 255
    assert str(open_model().read(page)) == "273"


def test_json_tells_the_place_of_each_digit() -> None:
    found = open_model().read(gray(sheet("2 7"))).to_dict()
    assert found["numbers"] == [["2", "7"]]
    assert [(digit["label"], digit["line"], digit["number"]) for digit in found["digits"]] == [("2", 0, 0), ("7", 0, 1)]
    assert all(len(digit["box"]) == 4 for digit in found["digits"])


def test_a_grid_askew_with_empty_cells() -> None:
    page = Image.new("L", (700, 700), 225)
    draw = ImageDraw.Draw(page)
    for at in range(100, 601, 125):
        draw.line([(100, at), (600, at)], 30, 5)
        draw.line([(at, 100), (at, 600)], 30, 5)
    wanted = [["2", "", "7", ""], ["", "3", "", "0"], ["", "", "", ""], ["7", "", "2", "3"]]
    for row, line in enumerate(wanted):
        for column, digit in enumerate(line):
            for stroke in SHAPES.get(digit, []):
                places = [(100 + 125 * column + 37 + 0.8 * x, 100 + 125 * row + 22 + 0.8 * y) for x, y in stroke]
                draw.line(places, 40, 9, joint="curve")
    turned = gray(page.rotate(6, Image.Resampling.BICUBIC, fillcolor=225))
    reading = open_model().read(turned, grid=(4, 4))
    assert reading.numbers == wanted
    assert str(reading).splitlines()[2] == ". . . ."
    left, top, right, bottom = reading.digits[0].box
    assert 0.1 < left < right < 0.45
    assert 0.1 < top < bottom < 0.45


def test_digits_that_touch_the_lines_of_a_grid() -> None:
    page = Image.new("L", (560, 560), 215)
    draw = ImageDraw.Draw(page)
    for at in range(40, 521, 120):
        draw.line([(40, at), (520, at)], 60, 9)
        draw.line([(at, 40), (at, 520)], 60, 3)
    wanted = ["2730", "0327", "7203", "3072"]
    for row, line in enumerate(wanted):
        for column, digit in enumerate(line):
            left = 40 + 120 * column + (4, 68, 36)[(row + column) % 3]  # at the left side, the right one, and between
            for stroke in SHAPES[digit]:
                draw.line([(left + 0.8 * x, 73 + 120 * row + 0.8 * y) for x, y in stroke], 30, 8, joint="curve")
    reading = open_model().read(gray(page), grid=(4, 4))
    assert reading.numbers == [list(line) for line in wanted]
    assert not any(digit.is_doubtful for digit in reading.digits)


@needs_mnist
@pytest.mark.parametrize(("gap", "least"), [((0.1, 0.5), 0.85), ((-0.04, 0.04), 0.6)])
def test_numbers_of_four_digits(gap: tuple[float, float], least: float) -> None:
    rng, test = np.random.default_rng(0), load_dataset("mnist").test
    model, right = open_model(), 0
    for _ in range(40):
        at = rng.choice(len(test), 4, replace=False)
        reading = model.read(line_of_digits(test.images[at], rng, gap))
        right += "".join(digit.label for digit in reading.digits) == "".join(map(str, test.labels[at]))
    assert right >= least * 40


def test_what_cannot_be_read() -> None:
    model = open_model()
    with pytest.raises(DataError, match="blank or too faint"):
        model.read(np.full((200, 200), 255, np.uint8))
    with pytest.raises(DataError, match="blank or too faint"):
        model.read(np.full((200, 200), 255, np.uint8), grid=(9, 9))
    with pytest.raises(ConfigError, match="grid: 0x9"):
        model.read(gray(sheet("2")), grid=(0, 9))
    rng = np.random.default_rng(0)
    page = np.full((800, 800), 255, np.uint8)
    for top, left in rng.integers(0, 780, (3000, 2)):
        page[top : top + 9, left : left + 9] = 0 if (top // 12 + left // 12) % 2 else 255
    with pytest.raises(DataError, match="separate strokes"):
        model.read(page)


def test_text_is_read_without_an_error() -> None:
    page = Image.new("L", (900, 200), 255)
    ImageDraw.Draw(page).text((20, 60), string.ascii_letters[:20], 0, font_size=60)
    assert open_model().read(gray(page)).digits

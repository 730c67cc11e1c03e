"""The tiny convolution on the page: every number is chosen, changed and followed."""

import re

import pytest
from playwright.sync_api import Page, expect


def cell(page: Page, grid: str, row: int, column: int) -> str:
    """The number that stands in a cell, counted from 1."""
    return (
        page.locator(f".maps .{grid} .cells")
        .get_by_role("button", name=re.compile(f"row {row}, column {column}: "))
        .inner_text()
    )


def loss(page: Page) -> float:
    return float(page.locator('[data-stage="L"] .numbers').inner_text())


@pytest.mark.parametrize("width", [1440, 390])
def test_a_number_shows_what_it_is_made_of(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/#step")
    page.get_by_role("link", name="A convolution with 15 parameters").click()
    sums = page.locator(".maps .sums li")
    expect(sums).to_have_text(["z₁₂₁ = 1·0.6 + 1·0.4 + 0·(−0.5) + 1·0.7 − 0.2 = 1.5"])
    page.get_by_role("button", name=re.compile("^feature map, Z₁, row 3, column 1")).click()
    expect(sums).to_have_text(["z₃₁₁ = 0·0.6 + 0.4·0.4 + 0·(−0.5) + 1·0.7 − 0.2 = 0.66"])
    under = page.locator(".maps .image .part")
    expect(under).to_have_text(["0", "0.4", "0", "1"])
    page.get_by_role("button", name=re.compile("^pooled, ReLU, A₁, row 2, column 1")).click()
    expect(sums).to_have_text(["m₂₁₁ = max(0.08, 0.56, 0.66, −0.14) = 0.66", "a₂₁₁ = max(0.66, 0) = 0.66"])
    expect(page.locator(".maps .map .part")).to_have_count(4)
    page.get_by_role("button", name="Backward").click()
    page.get_by_role("button", name=re.compile("^feature map, dZ₁, row 1, column 2")).click()
    expect(sums).to_have_text(["dz₁₂₁ = −0.4732 + 0.5915 = 0.1183"])
    page.get_by_role("button", name=re.compile("^filter, dW₁, row 1, column 1")).click()
    expect(sums).to_have_text(["dw₁₁₁₁ = 1·0.1183 + 0·0.3549 + 0·(−0.0591) = 0.1183"])
    expect(page.locator(".maps .image .part")).to_have_count(9)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_filter_is_walked_by_keyboard_and_moved(page: Page) -> None:
    page.goto("/#step?show=convolution")
    first = page.get_by_role("button", name=re.compile("^filter, W₁, row 1, column 1"))
    expect(first).to_have_text("0.6")
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name=re.compile("^filter, W₁, row 2, column 2"))).to_be_focused()
    expect(page.locator(".maps .sums li")).to_have_text(["w = 0.7, the same at all nine places"])
    expect(page.get_by_text("Stage 1 of 25")).to_be_visible()  # the keys move in the grid alone
    slider = page.get_by_label("w₂₂ of the filter, row 2, column 2: 0.7")
    slider.press("ArrowRight")
    expect(page.get_by_role("button", name=re.compile("^filter, W₁, row 2, column 2"))).to_have_text("0.71")
    expect(page.get_by_label("w₂₂ of the filter, row 2, column 2", exact=True)).to_have_value("0.71")


def test_pixels_and_steps_change_every_number_and_the_address_brings_them_back(page: Page) -> None:
    page.goto("/#step?show=convolution")
    page.get_by_role("button", name=re.compile("^image, row 4, column 4")).click()
    page.get_by_label("pixel in row 4, column 4: 0").press("End")
    expect(page.get_by_label("pixel in row 4, column 4: 255")).to_be_visible()
    assert cell(page, "image", 4, 4) == "1"
    before = loss(page)
    page.get_by_role("button", name="Take the step").click()
    expect(page).to_have_url(re.compile("losses=[^&]+"))
    once = loss(page)
    assert once < before
    page.get_by_role("button", name="Again, 10 times").click()
    expect(page).to_have_url(re.compile(r"losses=[^&]*(%2C[^&]*){10}"))
    assert loss(page) < once
    shown = cell(page, "map", 1, 1), loss(page)
    page.reload()
    expect(page.get_by_role("button", name=re.compile("^image, row 4, column 4"))).to_have_text("1")
    assert (cell(page, "map", 1, 1), loss(page)) == shown
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_role("button", name=re.compile("^feature map, Z₁, row 1, column 2"))).to_have_text("1.5")


def test_an_address_that_is_no_convolution_shows_the_first_one(page: Page) -> None:
    page.goto("/#step?show=convolution&parameters=1,2&image=a,b&label=9&rate=-1&stage=none")
    told = "parameters “1,2”, image “a,b”, label “9”, rate “-1” and stage “none”"
    expect(page.locator(".notices")).to_contain_text(f"The address asks for {told}, which cannot be used;")
    expect(page.get_by_role("button", name=re.compile("^feature map, Z₁, row 1, column 2"))).to_have_text("1.5")

"""Zooming into the curves of Watch, by a drag, by keys and by fingers."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from still import still

from glassnet import Run
from glassnet.web import Site


@pytest.fixture
def run(site: Site, digits_run: Path) -> None:
    site.runs.mkdir()
    (site.runs / "run").symlink_to(digits_run)


def ticks(page: Page, chart: int = 0) -> list[float]:
    found = page.locator(".curves > div").nth(chart).locator(".xtick text").all_text_contents()
    return [float(text) for text in found]


def wait_for(page: Page, chart: int, low: float, high: float) -> None:
    """Wait until all ticks of a chart are within a range, and there are some."""
    for _ in range(200):
        found = ticks(page, chart)
        if found and low <= min(found) and max(found) <= high:
            return
        page.wait_for_timeout(100)
    raise AssertionError(ticks(page, chart))


@pytest.mark.usefixtures("run")
def test_a_drag_zooms_all_charts_and_a_double_click_shows_all(page: Page) -> None:
    page.goto("/#watch?run=run")
    expect(page.locator(".nsewdrag")).to_have_count(4)
    whole = ticks(page)
    ground = page.locator(".nsewdrag").first
    box = still(ground)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], y, steps=4)
    page.mouse.up()
    for chart in range(4):
        wait_for(page, chart, 0.45 * max(whole), 1.1 * max(whole))
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    page.mouse.dblclick(box["x"] + box["width"] / 2, y)
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()
    expect(page.locator(".curves > div").first.locator(".xtick text")).to_have_text([f"{tick:g}" for tick in whole])


@pytest.mark.usefixtures("run")
def test_the_keys_zoom_move_and_show_all(page: Page) -> None:
    page.goto("/#watch?run=run")
    expect(page.locator(".nsewdrag")).to_have_count(4)
    whole = ticks(page)
    closer = page.get_by_role("button", name="Zoom in")
    closer.focus()
    for _ in range(2):
        page.keyboard.press("Enter")
    wait_for(page, 0, 0.3 * max(whole), 0.85 * max(whole))
    for _ in range(4):
        page.get_by_role("button", name="Later").press("Enter")
    wait_for(page, 0, 0.7 * max(whole), 1.1 * max(whole))
    page.get_by_role("button", name="Show all").press("Enter")
    expect(closer).to_be_focused()
    expect(page.locator(".curves > div").first.locator(".xtick text")).to_have_text([f"{tick:g}" for tick in whole])


@pytest.mark.usefixtures("run")
def test_a_finger_zooms_by_buttons(browser: Browser, address: str) -> None:
    page = browser.new_page(base_url=address, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page.goto("/#watch?run=run")
    expect(page.locator(".nsewdrag")).to_have_count(4)
    whole = ticks(page)
    page.get_by_role("button", name="Zoom in").tap()
    wait_for(page, 3, 0.15 * max(whole), 0.95 * max(whole))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


@pytest.mark.usefixtures("run")
def test_another_axis_shows_all(page: Page) -> None:
    page.goto("/#watch?run=run")
    expect(page.locator(".nsewdrag")).to_have_count(4)
    page.get_by_role("button", name="Zoom in").click()
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    page.get_by_label("log axis").check()
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()


@pytest.mark.usefixtures("run")
def test_a_range_is_within_what_there_is(page: Page) -> None:
    page.goto("/#lessons")
    chosen = page.evaluate(
        """async () => {
            const { zoom } = await import("/static/views/watch/zoom.js");
            const zoomed = zoom(() => {});
            zoomed.about([1, 5, 100], [1, 5, 100], true, null);
            const ranges = [[0, 10], [-5, 0], [NaN, 10], [50, 1000]];
            return ranges.map((range) => { zoomed.choose(range); return zoomed.range(); });
        }"""
    )
    assert chosen == [[1, 10], None, None, [50, 100]]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(("by", "log"), [("step", False), ("step", True), ("epoch", False)])
def test_it_ends_at_about_one_step(by: str, log: bool, page: Page, digits_run: Path) -> None:
    page.goto(f"/#watch?run=run&by={by}")
    expect(page.locator(".nsewdrag")).to_have_count(4)
    if log:
        page.get_by_label("log axis").check()
    closer = page.get_by_role("button", name="Zoom in")
    closer.focus()
    for _ in range(40):
        page.keyboard.press("Enter")
    expect(closer).to_have_attribute("aria-disabled", "true")
    expect(closer).to_be_focused()
    last = Run(digits_run).history[-1]
    step = last["epoch"] / last["step"] if by == "epoch" else 1
    page.wait_for_function(
        """(step) => {
            const { range, type } = document.querySelector(".js-plotly-plot").layout.xaxis;
            const [from, to] = type === "log" ? range.map((end) => 10 ** end) : range;
            return 0.999 * step <= to - from && to - from < 4 * step;
        }""",
        arg=step,
    )
    page.get_by_role("button", name="Zoom out").click()
    expect(closer).to_have_attribute("aria-disabled", "false")

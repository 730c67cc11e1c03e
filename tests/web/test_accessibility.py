"""Every view at three widths, light and dark: nothing for axe-core to find, and nothing wider than the window."""

from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from drawn import drawn, painted
from playwright.sync_api import Page, expect
from still import still

from glassnet.web import Site

VIEWS = {
    "draw": "#draw",
    "draw a run": "#draw?run=run",
    "network": "#network?run=run&layer=1&unit=3",
    "network, a past step": "#network?run=run&step=3",
    "map": "#network?show=map&run=run",
    "watch": "#watch?run=run",
    "train": "#train",
    "step": "#step",
    "step a run": "#step?run=run",
    "clinic": "#clinic",
    "quiz": "#clinic?show=quiz&round=1",
    "lessons": "#lessons",
    "lesson": "?lesson=04-the-chain-rule&step=2",
}
WIDTHS = (1440, 1024, 390)


@pytest.fixture
def filled(site: Site, digits_run: Path, address: str) -> None:
    """A site with a run and a drawing."""
    site.runs.mkdir()
    (site.runs / "run").symlink_to(digits_run)
    (site.drawings / "7").mkdir(parents=True)
    (site.drawings / "7" / "20260101-000000-00001.png").write_bytes(painted(drawn(7, 0)[0]))
    assert httpx.get(f"{address}/api/health").is_success


def settle(page: Page) -> None:
    """Wait until the view is there and asks for nothing more."""
    expect(page.locator("main h1")).to_be_visible()
    page.wait_for_function("() => document.querySelectorAll('main *').length > 20")
    page.wait_for_timeout(700)


def give(page: Page) -> None:
    """Draw a line on the paper, so that all cards are there."""
    box = still(page.get_by_role("application"))
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 80)
    page.mouse.down()
    page.mouse.move(x, y + 80)
    page.mouse.up()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(page: Page, view: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    found: dict[str, list[str]] = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("about:blank")
        page.goto(f"/{VIEWS[view]}")
        settle(page)
        if view.startswith("draw"):
            give(page)
            expect(page.locator(".said [aria-live]")).to_have_attribute("aria-busy", "false")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        for violation in Axe().run(page).response["violations"]:
            nodes = [
                f"{node['target'][0]}: {node['failureSummary'].splitlines()[-1].strip()}" for node in violation["nodes"]
            ]
            found[f"{width} {violation['id']}"] = nodes[:4]
    assert not found

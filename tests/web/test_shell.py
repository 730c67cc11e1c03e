"""The page around the views."""

import pytest
from playwright.sync_api import Page, expect


def test_each_view_is_reached_by_its_link_and_by_its_address(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("navigation", name="Views")).to_be_visible()
    for name in ("Draw", "Network", "Watch", "Train", "Step through", "Clinic", "Lessons"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
        page.reload()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
        expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_no_width_makes_the_page_scroll_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for view in ("draw", "network", "network?show=map", "watch", "train", "step", "clinic", "lessons"):
        page.goto(f"/#{view}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_all_links_to_the_views_are_in_sight(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/#lessons")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    links = page.get_by_role("navigation", name="Views").get_by_role("link").all()
    boxes = [link.bounding_box() for link in links]
    assert len(boxes) == 7
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    nav = page.get_by_role("navigation", name="Views")
    assert nav.evaluate("nav => nav.scrollWidth <= nav.clientWidth && nav.scrollHeight <= nav.clientHeight")


def test_the_large_library_of_the_charts_is_fetched_for_charts_alone(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/#draw")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not any(url.endswith("/charts.js") for url in asked)
    page.goto("/#train")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".chart .main-svg").first).to_be_visible()
    assert sum(url.endswith("/charts.js") for url in asked) == 1


def test_a_view_that_comes_late_is_not_left_behind(page: Page) -> None:
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url))
    page.route("**/api/options", lambda route: (page.wait_for_timeout(800), route.continue_()))
    page.goto("/#train")
    page.evaluate("location.hash = '#draw'")
    page.evaluate("location.hash = '#clinic'")
    expect(page.get_by_role("heading", name="Clinic")).to_be_visible()
    page.wait_for_timeout(1500)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("heading", name="Clinic")).to_be_visible()
    polls.clear()
    page.wait_for_timeout(6000)
    assert not [url for url in polls if url.endswith("/api/runs")]  # which the view Draw asks for again and again


@pytest.mark.parametrize("view", ["network", "watch", "train", "step?show=trained", "clinic"])
def test_a_server_that_is_gone_leaves_a_line_and_another_try(page: Page, view: str) -> None:
    page.goto("/#draw")
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    page.evaluate(f"import('/static/views/{view.partition('?')[0]}/{view.partition('?')[0]}.js')")
    page.wait_for_load_state("networkidle")
    page.evaluate("() => { window.reached = fetch; window.fetch = () => Promise.reject(new TypeError('no')); }")
    page.evaluate(f"location.hash = '#{view}'")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    expect(page.locator("main input, main canvas")).to_have_count(0)
    page.evaluate("() => { window.fetch = window.reached; }")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("This view cannot be shown")

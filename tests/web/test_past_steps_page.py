"""Past steps of a run in the views beside Watch: its units, its map, a training step, and one's own drawing."""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from still import still

from glassnet import Run, load_dataset, train
from glassnet.explain import explain, trace
from glassnet.explain.explanation import result
from glassnet.training import Callback, Live, RunUnderWay, live
from glassnet.web import Site

SETTINGS = {"hidden": [16, 12], "threads": 1, "dropout": 0, "epochs": 4}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(load_dataset("digits"), out=tmp_path_factory.mktemp("past") / "run", **SETTINGS).path


@pytest.fixture
def run(site: Site, trained: Path) -> Run:
    site.runs.mkdir()
    (site.runs / "one").symlink_to(trained)
    return Run(trained)


@pytest.fixture
def browser_page(browser: Browser, address: str) -> Iterator[Page]:
    """A tab whose console may tell of answers of 404."""
    page = browser.new_page(base_url=address)
    yield page
    page.close()


def draw_line(page: Page) -> None:
    """Draw a 1."""
    box = still(page.locator(".paper"))
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 80)
    page.mouse.down()
    page.mouse.move(x, y + 80)
    page.mouse.up()


def go(page: Page, key: str) -> None:
    page.get_by_role("slider", name="Step").focus()
    page.keyboard.press(key)


def said(page: Page) -> Locator:
    return page.locator(".time output")


def score(run: Run, step: int | None, image: int) -> str:
    """Return the score of class 0, as the page writes numbers."""
    model = run.model if step is None else run.model_at(step)
    value = trace(model, load_dataset("digits").test.images[image]).activations(3)[0]
    return f"{value:.3f}".replace("-", "−")[:-1]


def test_a_unit_has_the_sum_of_each_step(page: Page, run: Run) -> None:
    page.goto("/#network?run=one&image=7&layer=3&unit=1")
    value = page.locator(".unit .value strong")
    expect(value).to_have_text(re.compile(f"^{score(run, None, 7)}"))
    expect(said(page)).to_have_text("Now: the best network, which the run kept")
    go(page, "Home")
    expect(value).to_have_text(re.compile(f"^{score(run, 0, 7)}"))
    expect(page).to_have_url(re.compile("run=one&step=0&image=7&layer=3&unit=1$"))
    page.keyboard.press("PageUp")
    step = int(re.search("Step ([0-9]+) of", said(page).inner_text())[1])
    expect(value).to_have_text(re.compile(f"^{score(run, step, 7)}"))
    page.reload()
    expect(value).to_have_text(re.compile(f"^{score(run, step, 7)}"))
    expect(said(page)).to_contain_text(f"Step {step} of")
    page.get_by_role("button", name="Now").click()
    expect(value).to_have_text(re.compile(f"^{score(run, None, 7)}"))
    expect(page).to_have_url(re.compile("run=one&image=7&layer=3&unit=1$"))


def test_what_a_unit_looks_for_is_that_of_the_step(page: Page, run: Run) -> None:
    page.goto("/#network?run=one&step=0&layer=1&unit=3")
    captions = page.locator(".looks figcaption")
    expect(captions).to_have_count(9)
    before = captions.all_inner_texts()
    page.get_by_role("button", name="Now").click()
    expect(captions.first).not_to_have_text(before[0])
    expect(captions).to_have_count(9)


def test_the_ways_lead_to_the_same_step(page: Page, run: Run) -> None:
    page.goto("/#network?run=one&step=3&image=5")
    page.get_by_role("link", name="One training step on this image").click()
    expect(said(page)).to_contain_text("Step 3 of")
    dataset = load_dataset("digits")
    expected = explain(run.model_at(3), dataset.test.images[5], int(dataset.test.labels[5]))
    expect(page.locator(".words .verdict")).to_have_text(result(expected))
    go(page, "Home")
    page.get_by_role("button", name="Next →").click()
    expect(page).to_have_url(re.compile(r"show=trained&run=one&step=0&image=5&rate=0\.1&stage=Z1"))
    page.get_by_role("link", name="The same image, unit by unit").click()
    expect(said(page)).to_contain_text("Step 0 of")
    page.get_by_role("link", name="Map of images").click()
    expect(page).to_have_url(re.compile(r"#network\?show=map&run=one&step=0&method=pca$"))
    expect(said(page)).to_contain_text("Step 0 of")
    page.get_by_role("link", name="Unit by unit").click()
    expect(said(page)).to_contain_text("Step 0 of")
    page.get_by_role("link", name="Draw with this network").click()
    expect(said(page)).to_contain_text("Step 0 of")


def test_the_ways_of_watch_lead_to_the_step_that_is_shown(page: Page, run: Run) -> None:
    page.goto("/#watch?run=one&step=3")
    expect(said(page)).to_contain_text("Step 3 of")
    for words in ("Draw with this network", "Unit by unit", "Map of images", "One training step"):
        link = page.locator(".head .ways").get_by_role("link", name=words)
        expect(link).to_have_attribute("href", re.compile("run=one&step=3$"))
    page.get_by_role("button", name="Now").click()
    page.locator(".head .ways").get_by_role("link", name="Map of images").click()
    expect(said(page)).to_have_text("Now: the best network, which the run kept")


@pytest.mark.parametrize(
    "place", ["#draw?", "#network?image=3&", "#network?show=map&", "#step?show=trained&"], ids=lambda place: place[1:5]
)
def test_of_a_run_that_was_deleted_the_slider_goes_and_a_line_says_why(
    browser_page: Page, site: Site, run: Run, place: str
) -> None:
    browser_page.goto(f"/{place}run=one&step=3")
    expect(said(browser_page)).to_contain_text("Step 3 of")
    (site.runs / "one").unlink()
    words = browser_page.locator(".time [role=alert]")
    expect(words).to_have_text("one is not there: it was renamed, moved or deleted. Choose another network.")
    expect(browser_page.get_by_role("slider", name="Step")).to_have_count(0)
    browser_page.locator("select:has(option[value=one])").select_option("")
    expect(words).to_be_hidden()


def test_the_true_class_of_a_drawing_follows_the_network_until_one_is_chosen(page: Page, run: Run) -> None:
    page.goto("/#draw?run=one&step=0")
    draw_line(page)
    page.get_by_role("link", name="One training step on it").click()
    label = page.get_by_label("true class of the drawing")
    expect(page.locator(".words .verdict")).to_be_visible()
    first = label.input_value()
    go(page, "End")
    expect(label).not_to_have_value(first)
    now = label.input_value()
    label.select_option("7")
    go(page, "Home")
    expect(said(page)).to_contain_text("Step 0 of")
    page.wait_for_timeout(500)
    expect(label).to_have_value("7")
    assert now != "7" != first


def test_the_map_moves_through_time(page: Page, run: Run) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/map" in request.url else None)
    page.goto("/#network?show=map&run=one&step=0")
    words = page.locator(".view [aria-live]").first
    expect(words).to_contain_text("predictions are wrong")
    test = load_dataset("digits").test

    def wrong(step: int) -> str:
        return f"{int((run.model_at(step).predict(test.images) != test.labels).sum())} predictions are wrong"

    expect(words).to_contain_text(wrong(0))
    plane = page.locator(".plane")
    plane.focus()
    page.keyboard.press("ArrowRight")  # a point, which stays
    point = page.locator(".found [role=img]")
    expect(point).to_be_visible()
    before = plane.screenshot()
    go(page, "PageUp")
    step = int(re.search("Step ([0-9]+) of", said(page).inner_text())[1])
    expect(words).to_contain_text(wrong(step))
    expect(point).to_be_visible()
    page.wait_for_timeout(400)
    assert plane.screenshot() != before
    assert sum("pixels=true" in url for url in asked) == 1  # the images themselves are sent once


def test_two_maps_lie_alike(page: Page, run: Run) -> None:
    page.goto("/#lessons")
    generator = np.random.default_rng(3)
    points = generator.normal(size=(40, 2))
    turned = points @ np.array([[0.6, 0.8], [0.8, -0.6]]) * 3 + np.array([5, -2])  # turned over, larger, elsewhere
    as_points = [[{"x": x, "y": y} for x, y in rows.tolist()] for rows in (turned, points)]
    found = page.evaluate(
        """async ([points, model]) => {
            const { turning } = await import("/static/views/network/turned.js");
            const turned = turning(points, model);
            return points.map(turned).map(({ x, y }) => [x, y]);
        }""",
        as_points,
    )
    centred = np.array(found) - np.mean(found, axis=0)
    np.testing.assert_allclose(centred, 3 * (points - points.mean(axis=0)), atol=1e-9)


def test_ones_own_drawing_at_any_step(page: Page, run: Run) -> None:
    page.goto("/#draw?run=one&step=0")
    expect(said(page)).to_contain_text("Step 0 of")
    draw_line(page)
    best = page.locator(".probabilities .best")
    expect(best).to_be_visible()
    first = page.locator(".probabilities").inner_text()
    go(page, "End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".probabilities")).not_to_have_text(first)
    expect(page).to_have_url(re.compile(rf"#draw\?run=one&step={run.snapshots[-1]}$"))
    page.get_by_role("link", name="See it unit by unit").click()
    expect(said(page)).to_contain_text(f"Step {run.snapshots[-1]} of")
    expect(page.get_by_text(re.compile("^Predicted"))).to_be_visible()
    page.go_back()
    page.get_by_role("combobox", name="Model").select_option("")
    expect(page.locator(".time")).to_be_hidden()
    expect(page).to_have_url(re.compile("#draw$"))


@pytest.mark.parametrize(
    "place", ["#network?run=one&image=3", "#network?show=map&run=one", "#step?show=trained&run=one"]
)
def test_it_plays_to_the_end(page: Page, run: Run, place: str) -> None:
    page.goto(f"/{place}")
    page.get_by_label("Speed", exact=True).select_option("10")
    page.locator(".time .main").click()
    expect(said(page)).to_contain_text("snapshot 40 of 40")
    expect(page.locator(".time .main")).to_have_text("Play")
    expect(page).to_have_url(re.compile(f"step={run.snapshots[-1]}"))


@pytest.mark.parametrize("step", ["999999", "-1", "x", ""])
@pytest.mark.parametrize("view", ["#network?", "#step?show=trained&", "#draw?", "#watch?"])
def test_a_step_that_is_not_there_is_now(page: Page, run: Run, view: str, step: str) -> None:
    page.goto(f"/{view}run=one&step={step}")
    expect(said(page)).to_have_text("Now: the best network, which the run kept")
    expect(page.locator(".notices")).to_contain_text(f"There is no snapshot of step “{step}”")
    expect(page).not_to_have_url(re.compile("step="))


def test_the_default_model_has_no_slider(page: Page, run: Run) -> None:
    page.goto("/#network?run=one")
    expect(page.locator(".time")).to_be_visible()
    page.get_by_role("combobox", name="network").select_option("")
    expect(page.get_by_text("The default model", exact=True)).to_be_attached()
    expect(page.locator(".time")).to_be_hidden()


@pytest.fixture
def going(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A run that goes on for as long as the test."""
    monkeypatch.setattr(live, "SHARE", 1.0)  # however slow the disk is
    end, begun = Event(), Event()

    class Slow(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            begun.set()
            if end.wait(0.01):
                run.stop("for a test")

    def learn() -> None:
        train(load_dataset("digits"), out=site.runs / "young", **SETTINGS | {"epochs": 400}, callbacks=[Live(), Slow()])

    thread = Thread(target=learn)
    thread.start()
    begun.wait(20)
    while not list(site.runs.glob("young/live*")):
        end.wait(0.05)
    yield "young"
    end.set()
    thread.join()


def test_answers_that_are_slower_than_the_networks_of_a_run_are_shown(page: Page, going: str) -> None:
    def late(route: Route) -> None:
        page.wait_for_timeout(1500)
        route.continue_()

    page.route("**/api/draw?*", late)
    page.goto(f"/#draw?run={going}")
    draw_line(page)
    words = page.locator(".probabilities")
    expect(words.locator(".best")).to_be_visible()
    before = words.inner_text()
    expect(words).not_to_have_text(before)
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("place", ["#network?image=3&layer=1&unit=1&", "#step?show=trained&"])
def test_a_run_that_goes_is_followed_until_a_past_step_is_shown(page: Page, going: str, place: str) -> None:
    page.goto(f"/{place}run={going}")
    words = page.locator(".verdict").first
    expect(words).to_contain_text(" %")
    before = words.inner_text()
    expect(words).not_to_have_text(before)
    go(page, "Home")
    expect(page).to_have_url(re.compile("step=0"))
    page.wait_for_timeout(300)
    before = words.inner_text()
    page.wait_for_timeout(1200)
    expect(words).to_have_text(before)

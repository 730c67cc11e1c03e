"""The view that watches runs, in a browser."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from glassnet import Dataset, load_dataset, train
from glassnet.training import Callback, Live, RunUnderWay, live
from glassnet.web import Site

SETTINGS = {"hidden": [16, 12], "threads": 1, "dropout": 0}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


class Slow(Callback):
    """Gives a page time to look, until it is told to stop."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def on_step(self, run: RunUnderWay, loss: float) -> None:
        if self.end.wait(0.01):
            run.stop("for a test")


@pytest.fixture
def start(site: Site, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Slow]]:
    """What starts a run in the background, as a shell beside the server would."""
    monkeypatch.setattr(live, "SHARE", 1.0)  # however slow the disk is
    running: list[tuple[Slow, threading.Thread]] = []

    def begin(name: str) -> Slow:
        slow = Slow()
        callbacks = [Live(), slow]
        how = {"out": site.runs / name, "epochs": 60, "callbacks": callbacks, **SETTINGS}
        thread = threading.Thread(target=train, args=(digits,), kwargs=how)
        thread.start()
        running.append((slow, thread))
        return slow

    yield begin
    for slow, thread in running:
        slow.end.set()
        thread.join()


def finish(site: Site, digits: Dataset, name: str, **settings: object) -> Path:
    return train(digits, out=site.runs / name, **SETTINGS | {"epochs": 4} | settings).path


def step(page: Page) -> int:
    words = page.locator(".head").get_by_text(" · step ").inner_text()
    return int(re.search(r"step ([\d,]+)", words)[1].replace(",", ""))


def share_of(page: Page) -> float:
    return float(page.locator(".result strong").inner_text().removesuffix(" %"))


def wait_for(true: Callable[[], bool], page: Page) -> None:
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        page.wait_for_timeout(100)
    assert true()


def test_without_a_run_the_page_says_how_to_start_one_and_shows_it_when_it_begins(
    page: Page, start: Callable[[str], Slow]
) -> None:
    page.goto("/#watch")
    expect(page.get_by_text("glassnet train digits")).to_be_visible()
    expect(page.get_by_role("link", name="Train a network")).to_be_visible()
    start("first")
    expect(page.get_by_role("heading", name="first", exact=True)).to_be_visible()
    expect(page.locator(".head .state")).to_have_text("running")


def test_a_run_is_seen_to_improve_in_two_tabs_and_through_a_reload(page: Page, start: Callable[[str], Slow]) -> None:
    slow = start("one")
    page.goto("/#watch?run=one")
    with page.expect_popup() as popup:
        page.evaluate("open(location.href)")
    other = popup.value
    for tab in (page, other):
        expect(tab.get_by_role("img", name="Weights of the first layer at step")).to_be_visible()
        expect(tab.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    early, weights = step(page), page.get_by_role("img", name="Weights of").get_attribute("aria-label")
    wait_for(lambda: step(page) > early + 30 and step(other) > early + 30, page)
    wait_for(lambda: page.get_by_role("img", name="Weights of").get_attribute("aria-label") != weights, page)
    wait_for(lambda: share_of(page) > 40, page)
    points = "document.querySelector('.curves .chart')?.data?.[0]?.x.length ?? 0"
    known = page.evaluate(points)
    page.reload()
    wait_for(lambda: page.evaluate(points) >= known > 1, page)
    assert step(page) > early + 30
    slow.end.set()
    for tab in (page, other):
        expect(tab.locator(".head .state")).to_have_text("stopped; it can be resumed")
    other.close()


def test_the_layers_are_shown_with_their_dead_units(page: Page, site: Site, digits: Dataset) -> None:
    finish(site, digits, "one", learning_rate=1.0, optimizer="sgd", batch_norm=False)
    page.goto("/#watch?run=one")
    layer = page.locator(".layer", has_text="hidden 1")
    expect(layer).to_contain_text("16 units")
    expect(layer).to_contain_text(re.compile(r"Dead units\s*\d+ of 16"))
    expect(page.locator(".layer", has_text="output")).to_contain_text("Gradient")
    expect(page.locator(".layer")).to_have_count(3)
    expect(page.locator(".units canvas")).to_have_count(16)


def test_several_runs_are_laid_over_each_other(page: Page, site: Site, digits: Dataset) -> None:
    for name in ("a", "b", "c"):
        finish(site, digits, name, seed=ord(name))
    page.goto("/#watch?run=a")
    expect(page.get_by_role("checkbox", name="Curves of a")).to_be_checked()
    page.get_by_role("checkbox", name="Curves of c").check()
    expect(page).to_have_url(re.compile("#watch\\?run=a&run=c$"))
    names = "document.querySelector('.curves .chart').data?.map((line) => line.name)"
    together = ["a, training", "a", "c, training", "c"]
    wait_for(lambda: page.evaluate(names) == together, page)
    page.get_by_label("Plot against").select_option("epochs")
    page.reload()
    expect(page.get_by_role("checkbox", name="Curves of c")).to_be_checked()
    expect(page.get_by_label("Plot against")).to_have_value("epoch")
    wait_for(lambda: page.evaluate("document.querySelector('.curves .chart')?.data?.length") == 4, page)
    page.get_by_role("checkbox", name="Curves of a").uncheck()
    expect(page.get_by_role("heading", name="c", exact=True)).to_be_visible()
    page.get_by_role("link", name="b", exact=True).click()
    expect(page.get_by_role("heading", name="b", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="c", exact=True)).to_be_visible()


def test_a_cell_of_the_confusion_matrix_is_opened_by_keyboard(page: Page, site: Site, digits: Dataset) -> None:
    finish(site, digits, "one")
    page.goto("/#watch?run=one")
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    page.get_by_role("button", name="0 predicted as 0").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    cell = page.get_by_role("button", name="2 predicted as 2")
    expect(cell).to_be_focused()
    page.keyboard.press("Enter")
    expect(cell).to_have_attribute("aria-pressed", "true")
    count = int(cell.inner_text())
    expect(page.get_by_role("heading", name=f"{count} images of 2 predicted as 2")).to_be_visible()
    expect(page.locator(".gallery canvas")).to_have_count(count)
    assert page.evaluate("document.querySelectorAll('.matrix [tabindex=\"0\"]').length") == 1


def test_the_open_cell_is_part_of_the_address(page: Page, site: Site, digits: Dataset) -> None:
    finish(site, digits, "one")
    page.goto("/#watch?run=one&true=2&predicted=2")
    expect(page.get_by_role("heading", name="images of 2 predicted as 2")).to_be_visible()
    expect(page.get_by_role("button", name="2 predicted as 2")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="3 predicted as 3").click()
    expect(page).to_have_url(re.compile("#watch\\?run=one&true=3&predicted=3$"))
    page.locator(".gallery a").first.click()
    expect(page).to_have_url(re.compile("#network"))
    page.go_back()
    expect(page.get_by_role("heading", name="images of 3 predicted as 3")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="images of 3 predicted as 3")).to_be_visible()
    expect(page.get_by_role("button", name="2 predicted as 2")).to_have_attribute("aria-pressed", "false")
    page.goto("/#watch?run=one&true=2&predicted=two")
    expect(page.get_by_text("There is no cell of “2” predicted as “two”")).to_be_visible()
    expect(page).to_have_url(re.compile("#watch\\?run=one$"))


def test_an_unreadable_run_is_not_offered_to_be_resumed(
    browser: Browser, address: str, site: Site, digits: Dataset
) -> None:
    path = finish(site, digits, "one")
    for file in path.glob("*.*"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    page = browser.new_page(base_url=address)  # its console may have the refusals
    page.goto("/#watch?run=one")
    expect(page.locator(".head .state")).to_have_text("unreadable")
    expect(page.locator(".runs .state")).to_have_text("unreadable")
    expect(page.locator(".head")).to_contain_text("config.toml")
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    expect(page.locator(".head").get_by_text(" · step ")).to_be_hidden()
    page.goto("/#train?run=one")
    expect(page.locator(".train .state")).to_have_text("Unreadable")
    expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    page.close()


def test_a_folder_deleted_while_it_is_watched_is_told_and_the_page_lives(
    page: Page, site: Site, digits: Dataset
) -> None:
    path = finish(site, digits, "one")
    finish(site, digits, "two")
    page.goto("/#watch?run=one")
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    page.wait_for_timeout(600)  # nothing is being asked
    shutil.rmtree(path)
    expect(page.get_by_role("alert")).to_contain_text("deleted or moved")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("deleted or moved")
    page.get_by_role("link", name="two", exact=True).click()
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_run_from_arrays_shows_its_weights_and_says_why_no_images(page: Page, site: Site, digits: Dataset) -> None:
    arrays = Dataset("mine", "", digits.train, digits.test, digits.classes, True, digits.unlabelled)
    finish(site, arrays, "mine")
    page.goto("/#watch?run=mine")
    expect(page.locator(".units canvas")).to_have_count(16)
    expect(page.get_by_text("learned from arrays in memory")).to_have_count(2)


def test_a_hidden_page_asks_for_nothing_and_catches_up(page: Page, start: Callable[[str], Slow]) -> None:
    start("one")
    page.goto("/#watch?run=one")
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.wait_for_timeout(1500)  # what was on its way has come
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = step(page)
    page.wait_for_timeout(1500)
    assert asked == []
    assert step(page) == before
    page.evaluate(hide, False)
    wait_for(lambda: step(page) > before + 50, page)
    steps = page.evaluate("document.querySelector('.curves .chart').data[0].x")
    assert steps == sorted(set(steps))


def test_a_phone_shows_it_all(page: Page, site: Site, digits: Dataset) -> None:
    finish(site, digits, "20261231-235959-a-rather-long-name-of-data-default")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/#watch")
    expect(page.get_by_role("button", name="9 predicted as 9")).to_be_visible()
    page.get_by_role("button", name="9 predicted as 9").click()
    expect(page.locator(".gallery canvas").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert (
        page.evaluate("Math.min(...[...document.querySelectorAll('.matrix button')].map((b) => b.offsetWidth))") >= 20
    )


def test_charts_do_not_keep_the_page_from_answering(page: Page, start: Callable[[str], Slow]) -> None:
    start("one")
    page.goto("/#watch?run=one")
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    page.wait_for_timeout(500)
    waits = page.evaluate("""async () => {
        const waits = [];
        for (const end = performance.now() + 2000; performance.now() < end;) {
            const start = performance.now();
            await new Promise((resolve) => setTimeout(resolve, 0));
            waits.push(performance.now() - start);
        }
        return waits.sort((a, b) => a - b);
    }""")
    print("late by, ms: 99 %", waits[int(0.99 * len(waits))], "most", waits[-1])
    assert waits[int(0.99 * len(waits))] < 200

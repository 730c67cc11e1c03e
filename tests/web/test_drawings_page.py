"""Kept drawings on the page, the sheet that follows a training, and where the page scrolls to."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawn import drawn
from playwright.sync_api import Browser, Page, expect
from still import still
from test_draw_page import answer, draw, ink, paper, places, settled
from test_drawings import keep, trained

from glassnet import Run, load_dataset, train
from glassnet.data import frame_picture, read_picture
from glassnet.data.folder import MNIST_FORM
from glassnet.training import Callback, Live, RunUnderWay, live
from glassnet.web import Site
from glassnet.web.jobs import Jobs

__all__ = ["trained"]


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fine-tuning begins paused, so that it goes as long as the page needs to find it."""
    start = Jobs.start
    monkeypatch.setattr(Jobs, "start", lambda jobs, spec: start(jobs, {**spec, "paused": True}))


def go_on(client: httpx.Client) -> str:
    """Let the fine-tuning that is under way go, and return its name."""
    name: str = client.get("/api/drawings/train").json()["name"]
    client.post(f"/api/runs/{name}/go").raise_for_status()
    return name


def keep_ten(client: httpx.Client) -> None:
    """Keep enough drawings of two digits to fine-tune on."""
    for number in range(5):
        for digit in (2, 4):
            keep(client, digit, number)


def test_kept_drawings_are_shown_relabelled_and_deleted(page: Page, site: Site, client: httpx.Client) -> None:
    for digit, label in ((4, "9"), (7, "7"), (1, "1")):
        keep(client, digit, label=label)
    page.goto("/#draw")
    shown = page.locator(".gallery .kept button")
    expect(shown).to_have_count(3)
    page.get_by_role("group", name="Show the drawings of").get_by_role("button", name="9 1").click()
    expect(shown).to_have_count(1)
    shown.click()
    page.get_by_label("This is a").select_option("4")
    expect(shown).to_have_attribute("aria-label", "A 4")
    assert [path.parent.name for path in sorted(site.drawings.glob("*/*.png"))] == ["1", "4", "7"]
    page.get_by_role("button", name="Delete it").click()
    notice = page.locator(".notices")
    expect(notice).to_contain_text("1 drawing is deleted.")
    expect(shown).to_have_count(2)  # all of them again, as there are none of this class
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_text("Delete all 2 drawings?")).to_be_visible()
    page.keyboard.press("Enter")  # the answer that does no harm is chosen
    expect(shown).to_have_count(2)
    page.get_by_role("button", name="Delete all").click()
    page.get_by_role("button", name="Delete them").click()
    expect(page.get_by_text("Keep a drawing with its label")).to_be_visible()
    expect(notice).to_contain_text("2 drawings are deleted.")
    assert not list(site.drawings.glob("*/*.png"))


def test_of_two_drawings_with_one_name_one_is_chosen_and_both_are_kept(
    page: Page, site: Site, client: httpx.Client
) -> None:
    name, other = keep(client, 4), keep(client, 7)
    (site.drawings / "7" / f"{other}.png").rename(site.drawings / "7" / f"{name}.png")
    page.goto("/#draw")
    page.get_by_role("button", name="A 4", exact=True).click()
    chosen = page.locator(".gallery .kept [aria-pressed=true]")
    expect(chosen).to_have_count(1)
    page.get_by_label("This is a").select_option("7")
    expect(page.get_by_role("button", name="A 7", exact=True)).to_have_count(2)
    expect(chosen).to_have_count(1)
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("button", name="A 7", exact=True)).to_have_count(1)
    assert [path.name for path in (site.drawings / "7").iterdir()] == [f"{name}.png"]


def test_the_model_in_hand_is_fine_tuned_and_taken_in_hand(
    page: Page, site: Site, client: httpx.Client, trained: Run
) -> None:
    keep_ten(client)
    page.goto(f"/#draw?run={trained.path.name}")
    draw(page, 4)
    page.evaluate(
        """() => new MutationObserver(() => {
            if (document.body.innerText.includes("There is no run called")) window.missed = true;
        }).observe(document.body, { childList: true, subtree: true, characterData: true })"""
    )
    page.get_by_role("button", name="Fine-tune on them").click()
    expect(page.get_by_role("row", name=re.compile("^Drawings held out"))).to_be_visible(timeout=90_000)
    assert not page.evaluate("() => window.missed")
    (name,) = [path.name for path in site.runs.iterdir() if path.name != trained.path.name]
    expect(page).to_have_url(re.compile(f"#draw\\?run={name}$"))
    expect(page.get_by_label("Model")).to_have_value(name)
    expect(page.get_by_role("row", name=re.compile(r"Validation images of large\.npz"))).to_be_visible()


@pytest.mark.usefixtures("paused")
def test_fine_tuning_is_found_again_by_who_left_while_it_began(page: Page, client: httpx.Client, trained: Run) -> None:
    keep_ten(client)
    page.goto(f"/#draw?run={trained.path.name}")
    page.get_by_role("button", name="Fine-tune on them").click()
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Lessons").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lessons")
    page.wait_for_timeout(1000)
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Draw").click()
    expect(page.get_by_role("button", name="Fine-tuning …")).to_be_visible()
    go_on(client)
    expect(page.get_by_role("row", name=re.compile("^Drawings held out"))).to_be_visible(timeout=90_000)
    expect(page).to_have_url(re.compile("#draw\\?run=.*fine-tune$"))
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Lessons").click()
    page.go_back()
    expect(page.get_by_role("button", name="Fine-tune on them")).to_be_visible()  # what was told once is not told again


@pytest.mark.usefixtures("paused")
def test_fine_tuning_is_found_again_after_a_reload(page: Page, client: httpx.Client, trained: Run) -> None:
    keep_ten(client)
    assert client.get("/api/drawings/train").json() == {"name": None}
    page.goto(f"/#draw?run={trained.path.name}")
    page.route("**/api/drawings/score*", lambda route: None)  # it begins before anything is measured
    page.get_by_role("button", name="Fine-tune on them").click()
    for _ in range(2000):
        if client.get("/api/drawings/train").json()["name"]:
            break
        page.wait_for_timeout(10)
    page.unroute_all()
    page.reload()
    expect(page.get_by_role("button", name="Fine-tuning …")).to_be_visible()
    name = go_on(client)
    row = page.get_by_role("row", name=re.compile("^Drawings held out"))
    expect(row).to_be_visible(timeout=90_000)
    for place, step in ((1, {"step": 0}), (2, {})):
        right, of = client.get("/api/drawings/score", params={"run": name, **step}).json()["held_out"]
        expect(row.locator("td").nth(place - 1)).to_have_text(f"{right} of {of}")
    expect(page.get_by_role("button", name="Fine-tune on them")).to_be_visible()


@pytest.mark.usefixtures("paused")
def test_who_is_refused_a_fine_tuning_beside_another_is_told_and_follows_that_one(
    browser: Browser, address: str, client: httpx.Client, trained: Run
) -> None:
    keep_ten(client)
    page = browser.new_page(base_url=address)
    page.goto(f"/#draw?run={trained.path.name}")
    button = page.get_by_role("button", name="Fine-tune on them")
    expect(button).to_be_visible()

    with ThreadPoolExecutor() as other:  # as if in another tab
        began = other.submit(client.post, "/api/drawings/train?run=large")
        while len(list(trained.path.parent.iterdir())) < 2 and not began.done():
            page.wait_for_timeout(10)
        button.click()
    expect(page.locator(".outcome")).to_contain_text("is being fine-tuned on the drawings")
    expect(page.get_by_role("button", name="Fine-tuning …")).to_be_visible()
    assert began.result().json()["name"] == go_on(client)
    expect(page.get_by_role("row", name=re.compile("^Drawings held out"))).to_be_visible(timeout=90_000)
    page.close()


def test_own_pictures_are_shown_and_stay(page: Page, site: Site, client: httpx.Client) -> None:
    name = keep(client, 4)
    path = site.drawings / "4" / f"{name}.png"
    own = ["50% #1.png", "b.png"]
    for file in own:
        path.with_name(file).write_bytes(path.read_bytes())
    page.goto("/#draw")
    shown = page.locator(".gallery .kept button")
    expect(shown).to_have_count(3)
    expect(page.get_by_text("1 kept so far, and 2 pictures of your own in their folder.")).to_be_visible()
    for i in range(3):
        image = shown.nth(i).locator("img")
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", value=True)
        assert image.evaluate("image => image.naturalWidth") > 0
    shown.nth(0).click()
    expect(page.get_by_text("4/b.png was not drawn here.")).to_be_visible()
    expect(page.get_by_role("button", name="Delete it")).to_be_hidden()
    page.get_by_role("button", name="Delete all").click()
    expect(
        page.get_by_text("Delete 1 drawing? It cannot be brought back. 2 pictures of your own stay.")
    ).to_be_visible()
    page.get_by_role("button", name="Delete them").click()
    expect(shown).to_have_count(2)
    expect(page.get_by_role("button", name="Delete all")).to_be_hidden()
    assert sorted(path.name for path in site.drawings.glob("4/*")) == own


def test_a_drawing_that_another_tab_deleted_goes(
    browser: Browser, address: str, site: Site, client: httpx.Client
) -> None:
    for _ in range(2):
        keep(client, 4)
    page = browser.new_page(base_url=address)  # its console has the 404
    page.goto("/#draw")
    shown = page.locator(".gallery .kept button")
    expect(shown).to_have_count(2)
    shown.first.click()
    sorted(site.drawings.glob("4/*.png"))[-1].unlink()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("no such drawing; it may have been deleted or relabelled")).to_be_visible()
    expect(shown).to_have_count(1)
    page.close()


def test_a_picture_that_cannot_be_read_says_so(
    browser: Browser, address: str, site: Site, client: httpx.Client
) -> None:
    keep(client, 4)
    (site.drawings / "4" / "broken.png").write_text("not a picture")
    page = browser.new_page(base_url=address)  # its console has the 400
    page.goto("/#draw")
    tile = page.get_by_role("button", name="A 4, which cannot be read")
    expect(tile).to_contain_text("cannot be read")
    page.get_by_role("button", name="Fine-tune on them").click()
    expect(page.locator(".outcome")).to_have_text(re.compile(r"^4/broken\.png: not a PNG"))
    page.close()


def test_a_model_that_cannot_be_fine_tuned_gets_a_line(
    browser: Browser, address: str, site: Site, client: httpx.Client, digits_run: Path
) -> None:
    site.runs.mkdir()
    (site.runs / "digits").symlink_to(digits_run)
    keep(client, 4)
    page = browser.new_page(base_url=address)  # whose console may tell of an answer of 400
    page.goto("/#draw?run=digits")
    page.get_by_role("button", name="Fine-tune on them").click()
    expect(page.locator(".outcome")).to_contain_text("drawings become images of 28×28 pixels, and this model takes 8×8")
    page.close()


def test_a_click_paints_a_dot_and_a_point_asks_nothing(page: Page) -> None:
    page.goto("/#draw")
    expect(answer(page)).to_have_text("–")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    box = still(paper(page))
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    assert ink(page) > 50
    page.wait_for_timeout(200)
    assert not [url for url in asked if "/api/draw?" in url or url.endswith("/api/draw")]
    page.mouse.up()
    settled(page)
    page.get_by_role("button", name="Undo").click()
    assert ink(page) == 0


def test_a_small_drawing_is_kept_as_thin_as_a_large_one(page: Page, site: Site) -> None:
    page.goto("/#draw")
    amounts: dict[Path, float] = {}
    for size in (0.6, 0.2):
        middle = np.array([0.7, 0.3])
        whole = [(stroke - 0.5) * size + middle * (1 - size) + 0.5 * size for stroke in drawn(8, 0)[0]]
        for stroke in places(page, whole):
            page.mouse.move(*stroke[0])
            page.mouse.down()
            for point in stroke[1:]:
                page.mouse.move(*point)
            page.mouse.up()
        assert settled(page) == "8"
        page.get_by_role("button", name="Keep it").click()
        expect(answer(page)).to_have_text("–")
        (path,) = set(site.drawings.glob("8/*.png")) - set(amounts)
        amounts[path] = float(frame_picture(read_picture(path), MNIST_FORM).mean())
    large, small = amounts.values()
    assert small == pytest.approx(large, rel=0.15)


@pytest.fixture
def learning(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A slow run called ``young``, as a shell beside the server would begin it."""
    monkeypatch.setattr(live, "SHARE", 1.0)  # however slow the disk is
    end = threading.Event()

    class Slow(Callback):
        def on_step(self, run: RunUnderWay, loss: float) -> None:
            if end.wait(0.01):
                run.stop("for a test")

    def learn() -> None:
        how: dict[str, Any] = {"hidden": [16], "threads": 1, "epochs": 60, "callbacks": [Live(), Slow()]}
        train(load_dataset("digits"), out=site.runs / "young", **how)

    thread = threading.Thread(target=learn)
    thread.start()
    while not list(site.runs.glob("young/live*")):
        assert thread.is_alive()
    yield
    end.set()
    thread.join()


@pytest.mark.usefixtures("learning")
def test_what_is_drawn_is_followed_while_a_network_learns(page: Page) -> None:
    page.goto("/#train?run=young")
    draw(page, 3)
    shares = page.get_by_role("region", name="Your drawing").locator(".share")
    expect(shares).to_have_count(10)
    seen = set()
    for _ in range(300):  # half a minute, on a machine that is busy
        seen.add(tuple(shares.all_inner_texts()))
        page.wait_for_timeout(100)
        if len(seen) > 3:
            break
    assert len(seen) > 3  # and nobody has touched anything
    page.get_by_role("region", name="Your drawing").get_by_role("button", name="Clear").click()
    expect(shares).to_have_count(0)


def test_before_a_run_there_is_a_sheet_and_its_drawing_is_still_there_in_draw(page: Page) -> None:
    page.goto("/#train")
    expect(page.get_by_text("Draw a digit, then start")).to_be_visible()
    draw(page, 7)
    page.get_by_role("link", name="Draw", exact=True).click()
    expect(answer(page)).to_have_text("7")


def test_the_link_to_the_content_keeps_the_address(page: Page) -> None:
    page.goto("/#clinic")
    expect(page.get_by_role("heading", name="Clinic", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.reload()
    expect(page.get_by_role("heading", name="Clinic", level=1)).to_be_visible()


def test_a_view_begins_at_its_top_and_back_finds_the_place(page: Page) -> None:
    page.goto("/#train")
    expect(page.get_by_role("heading", name="What to train")).to_be_visible()
    page.wait_for_function("() => { scrollTo(0, 300); return scrollY === 300; }")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # is told
    page.get_by_role("link", name="Step through").click()
    expect(page.locator(".view.step h1")).to_be_visible()
    page.wait_for_function("() => scrollY === 0")
    page.go_back()
    expect(page.get_by_role("heading", name="What to train")).to_be_visible()
    page.wait_for_function("() => scrollY === 300")

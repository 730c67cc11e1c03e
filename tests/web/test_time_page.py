"""Time in the view that watches runs: past steps, one's own drawing in them, the changes, and how runs are steered."""

import re
import shutil

import pytest
from playwright.sync_api import Page, expect
from still import still

from glassnet import Dataset, Run, load_dataset, train
from glassnet.locks import only_process
from glassnet.web import Site

SETTINGS = {"hidden": [16, 12], "threads": 1, "dropout": 0, "epochs": 4}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def run(site: Site, digits: Dataset) -> Run:
    return train(digits, out=site.runs / "one", **SETTINGS)


def draw_seven(page: Page) -> None:
    canvas = page.locator(".own canvas.paper")
    box = still(canvas)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    for share in (0.1, 0.3, 0.6, 1.0):
        page.mouse.move(box["x"] + (0.3 + 0.4 * share) * box["width"], box["y"] + 0.25 * box["height"])
    for share in (0.2, 0.5, 1.0):
        page.mouse.move(box["x"] + (0.7 - 0.3 * share) * box["width"], box["y"] + (0.25 + 0.5 * share) * box["height"])
    page.mouse.up()


def said(page: Page) -> str:
    return page.locator(".time output").inner_text()


def test_the_slider_shows_past_steps_everywhere_and_the_address_keeps_them(page: Page, run: Run) -> None:
    page.goto("/#watch?run=one")
    slider = page.get_by_role("slider", name="Step")
    expect(page.locator(".time output")).to_have_text("Now: the best network, which the run kept")
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    slider.focus()
    page.keyboard.press("Home")
    for place in (page.get_by_text("validation images are correct at step 0."), page.get_by_text("images at step 0:")):
        expect(place).to_be_visible()
    expect(page.get_by_role("img", name="Weights of the first layer at step 0,")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".time output")).to_have_text(f"Step 1 of {run.snapshots[-1]} · snapshot 2 of 40")
    expect(page).to_have_url(re.compile("run=one&step=1$"))
    expect(slider).to_have_attribute("aria-valuetext", re.compile("Step 1 of"))
    page.reload()
    expect(page.get_by_role("img", name="Weights of the first layer at step 1,")).to_be_visible()
    page.get_by_role("button", name="Now").click()
    expect(page.get_by_role("img", name=f"Weights of the first layer at step {run.best['step']},")).to_be_visible()
    expect(page).to_have_url(re.compile("run=one$"))


def test_a_cell_shows_the_images_of_the_past_step(page: Page, run: Run) -> None:
    page.goto("/#watch?run=one&step=3")
    expect(page.get_by_text("validation images are correct at step 3.")).to_be_visible()
    cell = page.locator(".matrix .wrong:not(.none)").first
    cell.click()
    times = int(cell.inner_text())
    expect(page.locator(".gallery canvas")).to_have_count(min(times, 60))


def test_it_plays_to_the_end_and_pauses(page: Page, run: Run) -> None:
    page.goto("/#watch?run=one")
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    speed = page.get_by_label("Speed", exact=True)
    speed.select_option("1")
    play = page.locator(".time .main")
    play.focus()
    page.keyboard.press("Enter")
    expect(play).to_have_text("Pause")
    expect(page.locator(".time output")).to_contain_text("snapshot 3 of 40")
    page.keyboard.press("Enter")
    expect(play).to_have_text("Play")
    at = said(page)
    page.wait_for_timeout(700)
    assert said(page) == at
    speed.select_option("10")
    play.click()
    expect(page.locator(".time output")).to_contain_text("snapshot 40 of 40")
    expect(play).to_have_text("Play")
    last = run.snapshots[-1]
    expect(page.get_by_text(f"validation images are correct at step {last}.")).to_be_visible()


def test_ones_own_drawing_is_answered_at_every_step(page: Page, run: Run) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/drawing") else None)
    page.goto("/#watch?run=one&step=0")
    draw_seven(page)
    expect(page.locator(".own").get_by_text("At step 0, the network says")).to_be_visible()
    page.get_by_role("slider", name="Step").focus()
    seen = set()
    for _ in range(12):
        page.keyboard.press("PageUp")
        page.wait_for_timeout(50)
        seen.add(page.locator(".own .probabilities .best").inner_text())
    assert len(seen) > 2
    assert len(asked) == 1  # all steps at once, so that they can be played
    expect(page.locator(".own").get_by_role("img", name="Its probabilities on the way")).to_be_visible()
    expect(page.locator(".own .maps figcaption").first).to_contain_text("Hidden layer 1")
    page.locator(".own").get_by_role("button", name="Clear").click()
    expect(page.locator(".own").get_by_text("Nothing drawn yet.")).to_be_visible()


def test_changes_are_shown_in_weights_and_cells(page: Page, run: Run) -> None:
    page.goto("/#watch?run=one&step=8")
    expect(page.get_by_text("validation images are correct at step 8.")).to_be_visible()
    page.get_by_role("checkbox", name="Changes").check()
    page.get_by_role("slider", name="Step").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("how their weights changed from step 8 to 9")).to_be_visible()
    expect(page.get_by_text(re.compile(r"at step 9\. .* Since step 8, \d+ images? ha"))).to_be_visible()
    moves = page.locator(".matrix [data-move]")
    expect(moves.first).to_be_visible()
    assert sum(int(text.replace("−", "-")) for text in moves.evaluate_all("all => all.map(e => e.dataset.move)")) == 0
    slider = page.get_by_role("slider", name="Step")
    slider.press("Home")
    expect(page.get_by_text("Step 0: nothing before it to compare with.")).to_be_visible()
    expect(moves).to_have_count(0)
    slider.press("PageUp")  # over some snapshots: what is compared with is the one before, in cells as in weights
    expect(page.get_by_text(re.compile(r"how their weights changed from step \d+ to"))).to_be_visible()
    since = re.search(r"from step (\d+) to (\d+)", page.get_by_text("how their weights changed").inner_text())
    assert since is not None
    expect(page.get_by_text(re.compile(rf"at step {since[2]}\. .* Since step {since[1]}, "))).to_be_visible()
    page.get_by_role("checkbox", name="Changes").uncheck()
    expect(page.get_by_role("img", name=f"Weights of the first layer at step {since[2]},")).to_be_visible()


def test_an_image_of_the_past_opens_in_the_network_of_its_step(page: Page, run: Run) -> None:
    page.goto("/#watch?run=one&step=3")
    page.locator(".matrix .right:not(.none)").first.click()
    image = page.locator(".gallery a").first
    expect(image).to_have_attribute("href", re.compile(r"^#network\?run=one&image=\d+&of=validation&step=3$"))
    page.get_by_role("button", name="Now").click()
    expect(image).to_have_attribute("href", re.compile("&of=validation$"))


def test_an_address_is_set_right(page: Page, site: Site, run: Run) -> None:
    (site.runs / "two").symlink_to(run.path)
    page.goto("/#watch?run=one&run=one&run=one&run=two&step=999")
    expect(page.get_by_role("checkbox", name="Curves of", checked=True)).to_have_count(2)
    expect(page).to_have_url(re.compile(r"#watch\?run=one&run=two$"))
    page.goto("/#draw")
    page.goto("/#watch?run=two&run=nope&step=1")
    expect(page.get_by_text("nope: no such run; it may have been renamed, moved or deleted.")).to_be_visible()
    expect(page.get_by_role("img", name="Weights of the first layer at step 1,")).to_be_visible()
    expect(page).to_have_url(re.compile(r"#watch\?run=two&step=1$"))


def test_the_chosen_run_is_in_sight_in_a_long_list(page: Page, site: Site, run: Run) -> None:
    for number in range(30):
        (site.runs / f"other-{number:02}").symlink_to(run.path)
    page.goto("/#watch")
    names = page.locator(".runs tbody th")
    expect(names).to_have_count(31)
    last = names.last.inner_text()
    page.goto("/#lessons")
    page.goto(f"/#watch?run={last}")
    expect(page.locator(".runs [aria-current]")).to_have_text(last)
    expect(page.locator(".runs [aria-current]")).to_be_in_viewport()  # of the list, which alone has scrolled
    frame, row = page.locator(".runs").bounding_box(), page.locator(".runs [aria-current]").bounding_box()
    assert frame["y"] <= row["y"] <= frame["y"] + frame["height"] - row["height"]
    assert page.evaluate("scrollY") == 0


def test_a_run_without_snapshots_has_no_slider(page: Page, run: Run) -> None:
    shutil.rmtree(run.path / "snapshots")
    page.goto("/#watch?run=one")
    expect(page.get_by_role("button", name="0 predicted as 0")).to_be_visible()
    expect(page.locator(".time")).to_be_hidden()


def test_a_run_of_the_page_is_steered_in_watch(page: Page, site: Site) -> None:
    page.goto("/#train?data=digits&hidden=8&epochs=400")
    page.get_by_role("button", name="Start paused").click()
    page.get_by_role("link", name="Look inside").click()
    head = page.locator(".head")
    expect(head.locator(".state")).to_have_text("paused")
    head.get_by_role("button", name="One step").click()
    expect(head).to_contain_text("step 1 of")
    expect(page.get_by_role("checkbox", name="Changes")).to_be_checked()
    expect(page.get_by_text("how their weights changed from step 0 to 1")).to_be_visible()
    head.get_by_role("button", name="One epoch").click()
    expect(head).to_contain_text("step 41 of")
    head.get_by_label("Pace").select_option("5")
    head.get_by_role("button", name="Continue").click()
    expect(head.locator(".state")).to_have_text("running")
    expect(head).to_contain_text(re.compile("step 4[3-9] of"))
    head.get_by_role("button", name="Stop").click()
    expect(head.locator(".state")).to_have_text("stopped; it can be resumed")
    head.get_by_role("button", name="Resume").click()
    expect(head.locator(".state")).to_have_text("running")
    page.get_by_role("link", name="Train", exact=True).click()  # and Train finds what goes
    expect(page.locator(".train .state")).to_have_text("Running")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".train .state")).to_have_text("Stopped; nothing is lost")


def test_a_run_from_elsewhere_says_that_it_is_not_steered_here(
    page: Page, site: Site, digits: Dataset, run: Run
) -> None:
    with only_process(run.path):
        page.goto("/#watch?run=one")
        expect(page.get_by_text("was started outside this page")).to_be_visible()
        expect(page.get_by_role("button", name="One step")).to_be_hidden()
        expect(page.get_by_role("button", name="Delete")).to_be_hidden()


def test_a_run_is_renamed_and_deleted(page: Page, site: Site, run: Run) -> None:
    page.goto("/#watch?run=one")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("first try")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="first try")).to_be_visible()
    expect(page).to_have_url(re.compile("run=first\\+try"))
    assert [path.name for path in site.runs.iterdir()] == ["first try"]
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Cancel").click()
    assert (site.runs / "first try").exists()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("first try was deleted.")).to_be_visible()
    assert list(site.runs.iterdir()) == []


def test_a_phone_has_room_for_time(page: Page, run: Run) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/#watch?run=one&step=5")
    expect(page.locator(".time output")).to_contain_text("Step 5")
    assert page.locator(".time").bounding_box()["height"] < 150
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

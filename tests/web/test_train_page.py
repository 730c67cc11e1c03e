"""A run begun, held, stepped and stopped from the page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from glassnet.cli import main
from glassnet.training import Config, Run
from glassnet.web import Site

LINK = "/#train?data=digits&recipe=small&hidden=16,8&epochs=400&optimizer=sgd"


def said(page: Page) -> Locator:
    return page.locator(".state")


def fact(page: Page, name: str) -> Locator:
    return page.locator(".facts div").filter(has=page.get_by_text(name, exact=True)).locator("dd")


def press(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()


def newest(site: Site) -> Path:
    return max(site.runs.iterdir())


def test_a_run_is_begun_held_stepped_stopped_and_resumed(page: Page, site: Site) -> None:
    page.goto(LINK)
    press(page, "Start paused")
    expect(said(page)).to_have_text("Paused")
    press(page, "One step", "One step", "Stop")
    expect(said(page)).to_have_text("Stopped; nothing is lost")
    expect(fact(page, "Step")).to_have_text("2 of 16,400")
    expect(page.get_by_role("button", name="One step")).to_be_disabled()
    press(page, "Resume")
    expect(said(page)).to_have_text("Running")
    expect(fact(page, "On validation images")).to_contain_text("%")
    expect(page.get_by_role("img", name="Accuracy: training")).to_be_visible()
    press(page, "Pause")
    expect(said(page)).to_have_text("Paused")
    page.reload()
    expect(said(page)).to_have_text("Paused")
    press(page, "Continue")
    expect(said(page)).to_have_text("Running")
    press(page, "Stop")
    expect(said(page)).to_have_text("Stopped; nothing is lost")
    assert page.get_by_role("link", name="Look inside").get_attribute("href") == f"#watch?run={newest(site).name}"


def test_the_shell_goes_on_with_a_run_of_the_page(page: Page, site: Site) -> None:
    page.goto("/#train?data=digits&epochs=1&hidden=8")
    press(page, "Start paused", "One step", "Stop")
    expect(said(page)).to_have_text("Stopped; nothing is lost")
    words = page.locator(".command code").last.inner_text().split()
    assert words[:2] == ["glassnet", "resume"]
    assert main(words[1:]) == 0
    page.reload()
    expect(said(page)).to_have_text("Finished")


def test_a_link_is_a_lesson_and_the_shell_does_the_same(page: Page, tmp_path: Path) -> None:
    page.goto("/#train?data=digits&recipe=fast&hidden=16,8&activation=tanh&epochs=1&batch_norm=false&rotation=5")
    expect(page.get_by_label("Hidden")).to_have_value("16,8")
    expect(page.get_by_label("Activation")).to_have_value("tanh")
    expect(page.get_by_label("Rotation")).to_be_visible()  # unfolded, as it is set
    expect(page.get_by_label("Learning rate", exact=True)).to_have_attribute("placeholder", "0.015")
    page.get_by_label("Optimizer").select_option("sgd")
    expect(page.get_by_label("Learning rate", exact=True)).to_have_attribute("placeholder", "0.1")
    assert "optimizer=sgd" in page.url
    words = page.locator(".command code").first.inner_text().split()
    assert main([*words[1:], "--out", str(tmp_path / "shell")]) == 0
    mine = Config.resolve("fast", hidden=[16, 8], activation="tanh", epochs=1, rotation=5, optimizer="sgd")
    assert Run(tmp_path / "shell").config.model_copy(update={"engine": "auto", "threads": None}) == mine


def test_what_is_wrong_stands_beside_its_field(page: Page, site: Site) -> None:
    page.goto("/#train")
    rate = page.get_by_label("Learning rate", exact=True)
    rate.fill("-1")
    expect(page.get_by_role("alert").filter(has_text="must be more than 0, not '-1'")).to_be_visible()
    expect(rate).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Activation").focus()
    press(page, "Start")
    expect(rate).to_be_focused()
    assert not site.runs.exists()
    rate.fill("")
    expect(rate).not_to_have_attribute("aria-invalid", "true")
    page.goto("/#train?step_factor=7")
    page.reload()
    expect(page.get_by_label("Step factor")).to_have_attribute("aria-invalid", "true")  # unfolded too
    page.goto("/#train?run=20010101-000000-gone")
    page.reload()
    expect(page.get_by_text("There is no run 20010101-000000-gone here any more.")).to_be_visible()


def test_all_that_is_wrong_is_said_at_once(page: Page) -> None:
    page.goto("/#train?data=digits&learning_rate=-1&epochs=0&dropout=2")
    for label, words in (("Learning rate", "more than 0"), ("Epochs", "at least 1"), ("Dropout", "less than 1")):
        field = page.get_by_label(label, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
    expect(page.get_by_text("3 things are wrong with these settings.")).to_be_visible()


def test_a_network_that_is_too_large_is_refused_before_it_starts(page: Page) -> None:
    page.goto("/#train?data=digits&hidden=100000,100000")
    expect(page.get_by_role("alert").filter(has_text="10,007,600,010 parameters")).to_be_visible()
    page.get_by_label("Hidden", exact=True).fill("32")
    expect(page.get_by_text("64-32-10 · 2,410 parameters")).to_be_visible()


def test_start_is_seen_wherever_one_is_in_the_form(page: Page) -> None:
    page.goto("/#train?data=digits")
    page.get_by_text("Run", exact=True).click()
    page.get_by_label("Data", exact=True).scroll_into_view_if_needed()
    for place in ("Data", "Epochs", "Seed"):
        page.get_by_label(place, exact=True).scroll_into_view_if_needed()
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_in_viewport(ratio=1)


def test_a_run_begins_at_a_pace_and_its_curve_has_all_points(page: Page) -> None:
    page.goto("/#train?data=digits&hidden=8&epochs=400")
    page.get_by_label("Pace").first.select_option("2")
    press(page, "Start")
    expect(page.get_by_role("group", name="Steer the run").get_by_label("Pace")).to_have_value("2")
    page.wait_for_timeout(2500)
    press(page, "Stop")
    expect(said(page)).to_have_text("Stopped; nothing is lost")
    step = int(fact(page, "Step").inner_text().split()[0])
    assert 2 <= step <= 20
    xs = page.evaluate("document.querySelector('.train .chart').data[0].x")
    assert xs == list(range(1, step + 1))  # a slow run is seen step by step


def test_the_pace_is_part_of_the_address(page: Page) -> None:
    page.goto("/#train?data=digits&pace=2.5")
    pace = page.get_by_label("Pace").first
    expect(pace.locator(":checked")).to_have_text("2.5 steps a second")
    pace.select_option("5")
    expect(page).to_have_url(re.compile("pace=5"))
    page.reload()
    expect(pace).to_have_value("5")
    pace.select_option("")
    expect(page).not_to_have_url(re.compile("pace="))
    page.goto("/#train?data=digits&pace=quick")
    expect(page.get_by_text("The pace “quick” is not a number")).to_be_visible()
    expect(pace).to_have_value("")
    page.goto("/#train?data=digits&pace=5000")
    expect(page.get_by_role("alert").filter(has_text="pace: must be at most 1,000")).to_be_visible()
    pace.select_option("5")
    expect(page.get_by_role("alert").filter(has_text="pace")).to_have_count(0)


def test_a_stopped_run_is_resumed_at_another_pace(page: Page) -> None:
    page.goto("/#train?data=digits&hidden=8&epochs=4000")
    press(page, "Start paused", "Stop")
    expect(said(page)).to_have_text("Stopped; nothing is lost")
    pace = page.get_by_role("group", name="Steer the run").get_by_label("Pace")
    pace.select_option("2")
    press(page, "Resume")
    expect(said(page)).to_have_text("Running")
    page.wait_for_timeout(1500)
    press(page, "Stop")
    expect(said(page)).to_have_text("Stopped; nothing is lost")
    expect(pace).to_have_value("2")
    assert int(fact(page, "Step").inner_text().split()[0]) <= 20


def test_the_focus_stays_with_a_run_that_ends(page: Page) -> None:
    page.goto("/#train?data=digits&hidden=8&epochs=20&pace=100")
    press(page, "Start")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_focused()
    page.get_by_role("group", name="Steer the run").get_by_label("Pace").select_option("")
    page.get_by_role("button", name="Pause", exact=True).focus()
    expect(said(page)).to_have_text("Finished")
    expect(page.get_by_role("region", name="The run").get_by_role("heading", level=2)).to_be_focused()


def test_a_notebook_can_be_had_as_written(page: Page) -> None:
    page.goto("/#train?data=digits&recipe=small")
    expect(page.get_by_label("As written")).to_be_hidden()
    page.get_by_label("Recipe").select_option("notebook-001")
    page.get_by_label("As written").check()
    expect(page.locator(".command code").first).to_have_text("glassnet train digits --recipe notebook-001 --as-written")
    expect(page.get_by_label("Learning rate", exact=True)).to_have_attribute("placeholder", "0.1")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.goto("/#train?data=digits&epochs=400")
    hidden = page.get_by_label("Hidden")
    for _ in range(20):
        page.keyboard.press("Tab")
        if hidden.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_focused()
    page.keyboard.press("Space")
    expect(said(page)).to_have_text("Paused")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # one step
    page.keyboard.press("Tab")  # one epoch
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(said(page)).to_have_text("Stopped; nothing is lost")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_focused()


def test_a_phone_has_room_for_it(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/#train?data=digits&epochs=400&hidden=8&weight_decay=0")
    press(page, "Start paused")
    expect(said(page)).to_have_text("Paused")
    expect(page.get_by_role("button", name="One step")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    ("query", "line"), [("recipe=xx", "'xx' is unknown"), ("data=elsewhere", "'elsewhere' is not")]
)
def test_a_link_to_what_is_not_here_says_so_and_trains_nothing_else(
    page: Page, site: Site, query: str, line: str
) -> None:
    page.goto(f"/#train?{query}")
    expect(page.get_by_text(line)).to_be_visible()
    press(page, "Start")
    expect(page.get_by_text(line)).to_be_visible()
    assert not site.runs.exists()

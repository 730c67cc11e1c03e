"""Lessons on the page: beside the real views, by mouse and keys, in a wide window and on a phone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from glassnet.lessons import lesson_files, read_lesson
from glassnet.web import Site

HOSTILE = """
title = "<img src=x onerror=alert(1)>"
about = "a<script>alert(1)</script>"

[[step]]
title = "<b>bold</b>"
words = '''
<script>document.title = "taken"</script> <img src="https://example.org/x.png" onerror="document.title = 'taken'">

![picture](https://example.org/x.png) [there](https://example.org)
[here](#draw)
'''
view = "#draw"

[step.question]
ask = "<i onmouseover=alert(1)>?</i>"
choices = ["<svg onload=alert(1)>", "b"]
answer = "b"
why = "<iframe src=https://example.org></iframe>"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "hostile.toml").write_text(HOSTILE)
    (tmp_path / "own" / "broken.toml").write_text('title = "x"\n')
    return Site(runs=tmp_path / "runs", model=None, drawings=tmp_path / "drawings", lessons=tmp_path / "own")


def panel(page: Page, title: str) -> None:
    expect(page.get_by_role("complementary", name="Lesson").get_by_role("heading", level=2)).to_have_text(title)


def test_a_lesson_goes_from_the_list_through_its_questions(page: Page) -> None:
    page.goto("/#lessons")
    page.get_by_role("link", name="Which weight is to blame?").click()
    panel(page, "Prediction minus truth")
    expect(page.get_by_text("Stage 7 of 22")).to_be_visible()  # the view that the step is about
    number = page.get_by_role("textbox", name="What is the gradient of the score")
    check = page.get_by_role("button", name="Check")
    for given, told in (("", "Give a number"), ("-0.59", "Not this one"), ("0,59", "Correct.")):
        number.fill(given)
        check.click()
        expect(page.get_by_role("status").filter(has_text=told)).to_be_visible()
    expect(page.get_by_text("raising this score makes the loss larger")).to_be_visible()
    page.get_by_role("button", name="Next step").click()
    panel(page, "Back through an inactive unit")
    expect(page).to_have_url(re.compile(r"\?lesson=04-the-chain-rule&step=2#step\?"))
    page.go_back()
    panel(page, "Prediction minus truth")
    expect(page.get_by_text("Correct.")).to_be_visible()  # what was answered stays
    expect(page.get_by_text("Stage 7 of 22")).to_be_visible()
    page.go_forward()
    panel(page, "Back through an inactive unit")
    expect(page.locator('[data-stage="dZ1"][aria-current]')).to_be_visible()
    page.go_back()
    panel(page, "Prediction minus truth")
    page.reload()
    panel(page, "Prediction minus truth")


def test_back_to_a_lesson_that_was_closed_is_back_to_its_view(page: Page) -> None:
    page.goto("/#lessons")
    page.get_by_role("link", name="Which weight is to blame?").click()
    expect(page.get_by_text("Stage 7 of 22")).to_be_visible()
    page.get_by_role("button", name="Close the lesson").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lessons")
    page.go_back()
    panel(page, "Prediction minus truth")
    expect(page.get_by_text("Stage 7 of 22")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lessons")
    expect(page.get_by_role("complementary", name="Lesson")).to_have_count(0)


def test_choices_and_the_answer_that_is_shown(page: Page) -> None:
    page.goto("/?lesson=01-one-neuron&step=3")
    panel(page, "Below zero there is silence")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("Choose one of the answers first.")).to_be_visible()
    page.get_by_label("unit 1", exact=True).check()
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Show the answer").click()
    expect(page.get_by_text("The answer is: unit 2.")).to_be_visible()
    expect(page.get_by_label("unit 2", exact=True)).to_be_checked()
    expect(page.get_by_label("unit 1", exact=True)).to_be_disabled()


def test_the_arrow_keys_turn_pages_within_the_panel_alone(page: Page) -> None:
    page.goto("/?lesson=01-one-neuron")
    panel(page, "A sum of evidence")
    page.get_by_role("button", name="Next step").press("ArrowRight")
    panel(page, "Turn up a pixel")
    expect(page.get_by_role("complementary", name="Lesson").get_by_role("heading", level=2)).to_be_focused()
    expect(page.get_by_text("Stage 2 of 22")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    panel(page, "A sum of evidence")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("ArrowRight")  # which is the view's own
    expect(page.get_by_text("Stage 3 of 22")).to_be_visible()
    panel(page, "A sum of evidence")


def test_a_view_that_was_changed_is_shown_again_and_a_lesson_closed(page: Page) -> None:
    page.goto("/?lesson=07-steps")
    expect(page.get_by_label("learning rate η")).to_have_value("0.1")
    page.get_by_label("learning rate η").fill("2")
    expect(page).to_have_url(re.compile("rate=2"))
    page.get_by_role("button", name="Reset the view").click()
    expect(page.get_by_label("learning rate η")).to_have_value("0.1")
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Draw").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Draw a digit")
    panel(page, "Five times as short")
    page.get_by_role("button", name="Close the lesson").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lessons")
    expect(page.get_by_role("complementary", name="Lesson")).to_have_count(0)
    assert "lesson=" not in page.url


def test_a_lesson_that_is_not_there(browser: Browser, address: str) -> None:
    page = browser.new_page(base_url=address)  # its console may have the 404
    page.goto("/?lesson=07-stps")
    expect(page.get_by_text("no lesson called '07-stps' (did you mean '07-steps'?)")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lessons")
    page.close()


@pytest.mark.parametrize("step", ["99", "0", "abc", "2.5"])
def test_a_step_that_is_not_there_is_told(page: Page, step: str) -> None:
    page.goto(f"/?lesson=01-one-neuron&step={step}")
    expect(page.get_by_text(f"This lesson has no step “{step}”, but steps 1 to 5")).to_be_visible()
    panel(page, "A sum of evidence")
    expect(page).to_have_url(re.compile(r"\?lesson=01-one-neuron&step=1#step"))


def test_a_teachers_lesson_is_listed_and_one_with_an_error_says_so(page: Page) -> None:
    page.goto("/#lessons")
    expect(page.get_by_role("heading", name="Your teacher’s lessons")).to_be_visible()
    broken = page.get_by_role("listitem").filter(has_text="broken")
    expect(broken).to_contain_text("broken.toml:1: about: is missing (and 1 more")
    expect(broken.get_by_role("link")).to_have_count(0)


def test_a_hostile_lesson_can_do_nothing(page: Page) -> None:
    page.goto("/?lesson=hostile")
    panel(page, "<b>bold</b>")
    lesson = page.get_by_role("complementary", name="Lesson")
    expect(lesson.get_by_text("document.title")).not_to_have_count(0)
    assert lesson.locator("script, img, iframe, svg, i, [onerror], [onload], [onmouseover]").count() == 0
    assert lesson.locator("a").evaluate_all("links => links.map(({ href, target }) => [href, target])") == [
        ["https://example.org/", "_blank"],
        [page.url.partition("#")[0] + "#draw", ""],
    ]
    page.get_by_label("b", exact=True).check()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("Correct.")).to_be_visible()
    assert page.title() == "Draw · glassnet"
    assert lesson.locator("iframe").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_step_of_every_lesson_opens_its_view(
    browser: Browser, address: str, width: int, scheme: str, site: Site
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, base_url=address, color_scheme=scheme)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for name, path in lesson_files().items():
        lesson = read_lesson(path)
        page.goto(f"/?lesson={name}")
        for step in lesson.step:
            panel(page, step.title)
            view = step.view[1:].partition("?")[0]
            expect(page.locator(f"main .view.{view} h1")).to_be_visible()
            expect(page).to_have_url(re.compile(f"#{view}"))
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            expect(page.locator(".notices p")).to_have_count(0)
            if step is not lesson.step[-1]:
                page.get_by_role("button", name="Next step").click()
    page.close()
    assert not wrong


def test_on_a_phone_the_panel_stays_at_the_foot_and_folds(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/?lesson=08-batches&step=4")
    panel(page, "By heart")
    lesson = page.get_by_role("complementary", name="Lesson")
    box = lesson.bounding_box()
    assert box
    assert box["y"] + box["height"] == pytest.approx(844, abs=1)
    page.get_by_role("button", name="Fold", exact=True).click()
    expect(page.get_by_role("button", name="Unfold")).to_be_focused()
    expect(page.get_by_text("nine tenths")).to_be_hidden()
    expect(page.get_by_role("button", name="Next step")).to_be_visible()

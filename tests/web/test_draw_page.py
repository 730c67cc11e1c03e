"""The view on which a person draws, in a browser."""

import base64
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawn import Strokes, drawn, painted
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect
from still import still

from glassnet import load_dataset, train
from glassnet.training import Callback, Live, RunUnderWay, live
from glassnet.web import Site


def paper(page: Page) -> Locator:
    return page.get_by_role("application", name="Paper to draw a digit on")


def answer(page: Page) -> Locator:
    return page.locator(".said .digit")


def places(page: Page, strokes: Strokes, every: int = 5) -> list[list[tuple[float, float]]]:
    """Where in the window strokes go."""
    box = still(paper(page))
    corner, side = np.array([box["x"], box["y"]]), box["width"]
    return [[tuple(corner + side * point) for point in (*stroke[::every], stroke[-1])] for stroke in strokes]


def draw(page: Page, digit: int, number: int = 0) -> None:
    """By mouse."""
    for stroke in places(page, drawn(digit, number)[0]):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def ink(page: Page) -> int:
    """How many pixels of the paper are dark, once it has been painted."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    script = """(canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        .filter((value, i) => i % 4 === 0 && value < 128).length"""
    count: int = paper(page).evaluate(script)
    return count


def give(page: Page, event: str, content: bytes, kind: str = "image/png") -> None:
    """Paste a file, or drop it."""
    script = """([event, content, type]) => {
        const files = new DataTransfer();
        files.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], "one", { type }));
        document.dispatchEvent(event === "paste"
            ? new ClipboardEvent("paste", { clipboardData: files, bubbles: true })
            : new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(script, [event, base64.b64encode(content).decode(), kind])


def settled(page: Page) -> str:
    """What the page answers once it has nothing more to ask."""
    expect(page.locator(".said [aria-live]")).to_have_attribute("aria-busy", "false")
    return answer(page).inner_text()


def test_digits_drawn_by_mouse_are_recognised(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    right = 0
    for digit in range(10):
        draw(page, digit, 3 * (digit % 2))
        right += settled(page) == str(digit)
        page.get_by_role("button", name="Clear").click()
        expect(answer(page)).to_have_text("–")
    assert right >= 9


def test_all_that_there_is_to_see_of_an_answer(page: Page) -> None:
    page.goto("/#draw")
    draw(page, 7)
    assert settled(page) == "7"
    expect(page.locator(".said [aria-live]")).to_contain_text("That looks like 7.")
    bars = page.get_by_role("list", name="Probability of each digit").get_by_role("listitem")
    shares = [float(text.removesuffix(" %")) for text in bars.locator(".share").all_inner_texts()]
    assert len(shares) == 10
    assert shares[7] == max(shares) > 50
    assert sum(shares) == pytest.approx(100, abs=0.6)
    expect(page.get_by_text("28 × 28 pixels")).to_be_visible()
    shown = "Hidden layer 1 (Conv2D, BatchNorm, ReLU): ", "Hidden layer 6"
    for name in ("For 7: ", "the runner-up: ", *shown):
        expect(page.get_by_role("img", name=name)).to_be_visible()
    expect(page.get_by_role("list", name="Score of each digit").get_by_role("listitem")).to_have_count(10)


def test_an_empty_paper_is_not_guessed_at_and_strokes_are_taken_back(page: Page) -> None:
    page.goto("/#draw")
    expect(answer(page)).to_have_text("–")
    expect(page.locator(".said [aria-live]")).to_contain_text("No digit yet.")
    expect(page.get_by_role("button", name="Keep it")).to_be_disabled()
    draw(page, 4)
    whole = ink(page)
    page.get_by_role("button", name="Undo").click()
    assert 0 < ink(page) < whole
    page.get_by_role("button", name="Clear").click()
    assert ink(page) == 0
    expect(answer(page)).to_have_text("–")
    page.get_by_role("button", name="Undo").click()  # what was cleared is back
    assert 0 < ink(page) < whole
    page.keyboard.press("Control+z")
    assert ink(page) == 0
    expect(answer(page)).to_have_text("–")


def test_the_last_is_always_answered_and_what_came_too_late_is_dropped(page: Page) -> None:
    page.goto("/#draw")
    expect(answer(page)).to_have_text("–")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/draw", hold)
    draw(page, 4)
    assert len(held) == 1  # however many points have been drawn since
    with page.expect_response("**/api/draw"):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert len(held) == 2
    page.get_by_role("button", name="Clear").click()
    with page.expect_response("**/api/draw"):
        held[1].continue_()
    page.wait_for_timeout(200)
    expect(answer(page)).to_have_text("–")
    assert len(held) == 2


def test_with_a_finger_on_a_telephone_the_page_does_not_scroll(browser: Browser, address: str) -> None:
    screen = {"width": 390, "height": 844}
    page = browser.new_page(viewport=screen, base_url=address, has_touch=True, is_mobile=True, device_scale_factor=2)
    page.goto("/#draw")
    expect(answer(page)).to_have_text("–")
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *at: tuple[float, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in at]})

    for stroke in places(page, drawn(3, 0)[0]):
        touch("touchStart", stroke[0])
        for point in stroke[1:]:
            touch("touchMove", point)
        touch("touchEnd")
    assert settled(page) == "3"
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    (down,) = places(page, [np.array([[0.5, 0.9], [0.5, 0.1]])], 1)
    touch("touchStart", (down[0][0], 830))  # beside the paper it does
    for y in range(820, 300, -40):
        touch("touchMove", (down[0][0], y))
    touch("touchEnd")
    page.wait_for_function("scrollY > 100")
    page.close()


@pytest.mark.parametrize(("how", "ground"), [("paste", "paper"), ("drop", "blackboard"), ("open", "paper")])
def test_a_picture_is_laid_on_the_paper(page: Page, how: str, ground: str, tmp_path: Path) -> None:
    strokes, hand = drawn(5, 2)
    content = painted(strokes, hand.width, light=ground == "blackboard")
    page.goto("/#draw")
    draw(page, 1)
    assert settled(page) == "1"
    if how == "open":
        path = tmp_path / "five.png"
        path.write_bytes(content)
        page.get_by_label("Open a picture").set_input_files(path)
    else:
        give(page, how, content)
    expect(answer(page)).to_have_text("5")
    page.get_by_role("button", name="Undo").click()
    expect(answer(page)).to_have_text("1")


def test_a_picture_is_sent_as_it_is_and_answered_as_by_the_service(page: Page, address: str) -> None:
    strokes, hand = drawn(7, 2)
    narrow = Image.open(io.BytesIO(painted(strokes, hand.width))).crop((130, 130, 270, 280))
    file = io.BytesIO()
    narrow.save(file, "PNG")
    predicted = httpx.post(f"{address}/api/predict", content=file.getvalue()).json()[0]["probabilities"]
    page.goto("/#draw")
    expect(answer(page)).to_have_text("–")
    give(page, "drop", file.getvalue())
    best = max(predicted, key=lambda name: predicted[name])
    expect(answer(page)).to_have_text(best)
    expect(page.locator(".probabilities .best .share")).to_have_text(
        re.compile(rf"{100 * predicted[best]:.0f}|{100 * predicted[best]:.1f}")
    )


def test_what_is_no_picture_is_refused(page: Page) -> None:
    page.goto("/#draw")
    expect(answer(page)).to_have_text("–")
    give(page, "drop", b"not a picture")
    expect(page.get_by_text("This browser cannot read that file")).to_be_visible()


def test_drawings_are_kept_with_their_labels(page: Page, site: Site) -> None:
    page.goto("/#draw")
    expect(page.get_by_text("Keep a drawing with its label, and it appears here")).to_be_visible()
    for digit, label in ((7, "7"), (1, "1"), (4, "9")):
        draw(page, digit)
        assert settled(page) == str(digit)
        choice = page.get_by_label("The digit that you drew")
        expect(choice).to_have_value(str(digit))
        if label != str(digit):
            choice.select_option(label)
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_text(f"Kept as {label}.")).to_be_visible()
        expect(answer(page)).to_have_text("–")
    expect(page.get_by_text("3 kept so far.")).to_be_visible()
    assert sorted(path.parent.name for path in site.drawings.glob("*/*.png")) == ["1", "7", "9"]
    expect(page.locator(".gallery .kept button")).to_have_count(3)


def test_by_keyboard_alone(page: Page, site: Site) -> None:
    page.goto("/#draw")
    expect(answer(page)).to_have_text("–")
    press = page.keyboard.press
    for _ in range(20):
        press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "application":
            break
    expect(paper(page)).to_be_focused()

    def go(keys: str, steps: int) -> None:
        for _ in range(steps):
            for key in keys.split():
                press(key)

    go("ArrowUp", 12)
    go("ArrowLeft", 8)
    press("Space")  # a 7
    go("ArrowRight", 14)
    go("ArrowDown ArrowDown ArrowDown ArrowLeft", 8)
    press("Space")
    assert settled(page) == "7"
    drawn_so_far = ink(page)
    go("ArrowUp", 10)
    assert ink(page) == pytest.approx(drawn_so_far, rel=0.02)  # the pen is lifted
    press("Backspace")
    expect(answer(page)).to_have_text("–")
    press("Control+z")  # there is no stroke left to take back
    press("Space")
    go("ArrowDown", 30)
    press("Space")
    assert settled(page) == "1"
    for _ in range(20):
        press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Keep it":
            break
    press("Enter")
    expect(page.get_by_text("Kept as 1.")).to_be_visible()


def test_it_is_readable_in_the_dark(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/#draw")
    draw(page, 0)
    assert settled(page) == "0"
    darkest = "(element) => Math.min(...getComputedStyle(element).color.match(/[0-9]+/g).slice(0, 3).map(Number))"
    for words in ("What the network sees", "Evidence", "Inside the network"):
        assert page.get_by_role("heading", name=words).evaluate(darkest) > 180


@pytest.fixture
def training(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Begins a slow run called ``young``, as a shell beside the server would."""
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
    yield thread.start
    end.set()
    thread.join()


def test_while_a_run_trains_its_answer_is_seen_to_change(page: Page, site: Site, training: Callable[[], None]) -> None:
    training()
    end = time.monotonic() + 20
    while not list(site.runs.glob("young/live*")) and time.monotonic() < end:
        time.sleep(0.05)
    page.goto("/#draw")
    draw(page, 3)
    assert settled(page) == "3"
    chooser = page.get_by_role("combobox", name="Model")
    expect(chooser.get_by_role("option", name="young (in training)")).to_be_attached()
    chooser.select_option("young")
    expect(page).to_have_url(re.compile("#draw\\?run=young$"))
    expect(page.get_by_text("8 × 8 pixels")).to_be_visible()
    sure = page.locator(".said .soft")
    before = sure.inner_text()
    expect(sure).not_to_have_text(before)
    page.reload()
    expect(chooser).to_have_value("young")

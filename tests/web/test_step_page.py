"""One image through one step, as a person walks it."""

import json
import re
from collections.abc import Callable
from math import exp, log
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from glassnet import load_dataset, train
from glassnet.web import Site

IMAGE = [1.0, 0.2, 0.0, 0.4]  # the pixels 255, 51, 0 and 102
W1 = [[0.3, -0.2, 0.8], [-0.3, -0.4, 0.4], [0.7, 0.6, -0.3], [0.6, 0.8, 0.6]]
B1 = [0.2, -0.1, -0.2]
W2 = [[0.6, 0.3], [-0.2, 0.7], [-0.1, 0.3]]
B2 = [-0.1, 0.1]


def by_hand(first_weight: float) -> tuple[list[float], float]:
    """The probabilities and the loss of the tiny network whose w₁₁ is given: softmax(max(x W₁ + b₁, 0) W₂ + b₂)."""
    weights = [[first_weight, *W1[0][1:]], *W1[1:]]
    hidden = [max(sum(IMAGE[i] * weights[i][j] for i in range(4)) + B1[j], 0) for j in range(3)]
    scores = [sum(hidden[j] * W2[j][k] for j in range(3)) + B2[k] for k in range(2)]
    powers = [exp(score) for score in scores]
    return [power / sum(powers) for power in powers], -log(powers[0] / sum(powers))


def numbers(page: Page, stage: str) -> Locator:
    """The numbers beside a stage in the list."""
    return page.locator(f'[data-stage="{stage}"] .numbers')


def shown(page: Page, stage: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in numbers(page, stage).inner_text().split()]


def test_a_weight_is_changed_by_keyboard_and_every_number_follows(page: Page) -> None:
    page.goto("/#step")
    field = page.get_by_label("w₁₁, from pixel 1 to hidden unit 1", exact=True)
    expect(field).to_have_value("0.3")
    assert shown(page, "P") == pytest.approx(by_hand(0.3)[0], abs=6e-5)
    field.focus()
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    expect(field).to_have_value("0.8")
    probabilities, loss = by_hand(0.8)
    expect(numbers(page, "L")).to_have_text(f"{loss:.4f}")
    expect(numbers(page, "L")).to_have_class(re.compile("flash"))
    assert shown(page, "P") == pytest.approx(probabilities, abs=6e-5)
    page.locator('[data-stage="Z1"]').click()
    expect(page.locator(".sums li").first).to_have_text("z₁ = 1·0.8 + 0.2·(−0.3) + 0·0.7 + 0.4·0.6 + 0.2 = 1.18")


def test_steps_lower_the_loss_and_the_address_brings_them_back(page: Page) -> None:
    page.goto("/#step")
    expect(numbers(page, "L")).to_have_text(f"{by_hand(0.3)[1]:.4f}")
    page.get_by_label("learning rate η").fill("0.2")
    page.get_by_role("button", name="Take the step").press("Enter")
    expect(numbers(page, "L")).not_to_have_text(f"{by_hand(0.3)[1]:.4f}")
    once = shown(page, "L")[0]
    assert once < by_hand(0.3)[1]
    page.get_by_role("button", name="Again, 10 times").press("Enter")
    expect(page).to_have_url(re.compile(r"losses=[^&]*(%2C[^&]*){10}&|losses=[^&]*(%2C[^&]*){10}$"))
    assert shown(page, "L")[0] < once
    curve = page.get_by_role("img", name=re.compile(r"^Loss"))
    expect(curve).to_be_visible()
    page.locator('[data-stage="dW1"]').click()
    expect(page).to_have_url(re.compile("stage=dW1"))
    before = {stage: shown(page, stage) for stage in ("Z1", "P", "L")}
    page.reload()
    expect(page.locator('[data-stage="dW1"][aria-current]')).to_be_visible()
    assert {stage: shown(page, stage) for stage in before} == before
    expect(page.get_by_label("learning rate η")).to_have_value("0.2")
    page.get_by_role("button", name="Reset").click()
    expect(numbers(page, "L")).to_have_text(f"{by_hand(0.3)[1]:.4f}")


def test_the_stages_are_walked_by_arrow_keys_and_the_picture_follows(page: Page) -> None:
    page.goto("/#step")
    heading = page.locator(".present h2")
    expect(heading).to_have_text("Input")
    for words in ("Weighted sums, layer 1", "Activations, layer 1"):
        page.keyboard.press("ArrowRight")
        expect(heading).to_have_text(words)
    page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text("Weighted sums, layer 1")
    expect(page.locator("math msub").first).to_be_visible()
    picture = page.locator(".network svg")
    assert "0.68, 0, 0.92" in (picture.get_attribute("aria-label") or "")
    page.get_by_role("button", name="Backward").click()
    expect(heading).to_have_text("Gradient of the logits")
    assert "dZ of the hidden units" in (picture.get_attribute("aria-label") or "")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Next →")).to_be_disabled()
    field = page.get_by_label("learning rate η")
    field.focus()
    page.keyboard.press("ArrowLeft")  # moves in the field
    expect(page.get_by_text("Stage 22 of 22: loss")).to_be_visible()


def test_pixels_and_truth_are_under_the_hand(page: Page) -> None:
    page.goto("/#step")
    expect(numbers(page, "X")).to_have_text("1  0.2  0  0.4")
    page.get_by_label("pixel 3 (x₃)").press("End")
    expect(numbers(page, "X")).to_have_text("1  0.2  1  0.4")
    before = shown(page, "L")[0]
    page.get_by_role("combobox", name="true class").select_option("bottom")
    expect(numbers(page, "L")).not_to_have_text(str(before))
    assert exp(-before) + exp(-shown(page, "L")[0]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", ["tiny", "convolution"])
def test_a_view_that_was_left_lets_the_address_alone(page: Page, kind: str) -> None:
    page.goto(f"/#step?show={kind}")
    expect(page.get_by_role("button", name="Again, 10 times")).to_be_visible()
    expect(page.get_by_label("learning rate η")).to_be_enabled()
    for _ in range(3):
        page.get_by_role("button", name="Again, 10 times").click()
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Lessons").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lessons")
    page.wait_for_timeout(300)
    assert page.url.endswith("/#lessons")


@pytest.mark.parametrize("kind", ["tiny", "convolution"])
def test_steps_that_are_asked_for_twice_are_all_taken(page: Page, kind: str) -> None:
    page.goto(f"/#step?show={kind}")
    expect(page.get_by_label("learning rate η")).to_be_enabled()
    more = page.get_by_role("button", name="Again, 10 times")
    more.evaluate("(button) => { button.click(); button.click(); }")
    expect(page).to_have_url(re.compile("losses=[^&]+(%2C[^&]+){19}$"))
    losses = page.url.partition("losses=")[2].split("%2C")
    assert len(losses) == len(set(losses)) == 20


@pytest.mark.parametrize("is_answered", [True, False])
@pytest.mark.parametrize("kind", ["tiny", "convolution"])
def test_a_reset_ends_the_steps(browser: Browser, address: str, kind: str, is_answered: bool) -> None:
    page = browser.new_page(base_url=address)  # whose console may have a request that failed
    page.goto(f"/#step?show={kind}")
    expect(page.get_by_label("learning rate η")).to_be_enabled()
    first = numbers(page, "L").inner_text()
    held: list[Route] = []

    def hold_the_third(route: Route) -> None:
        held.append(route)
        if len(held) != 3:
            route.continue_()

    page.route("**/api/explain/**", hold_the_third)
    page.get_by_role("button", name="Again, 10 times").click()
    expect(page).to_have_url(re.compile("losses=[^&]+%2C[^&]+$"))
    page.get_by_role("button", name="Reset").click()
    if is_answered:
        held[2].continue_()
    else:
        held[2].abort()
    expect(numbers(page, "L")).to_have_text(first)
    page.wait_for_timeout(500)  # in which the other steps would be taken
    expect(numbers(page, "L")).to_have_text(first)
    expect(page).not_to_have_url(re.compile("losses="))
    assert len(held) == 4  # two steps, the third that was under way, and the reset
    page.close()


@pytest.mark.parametrize("kind", ["tiny", "convolution"])
def test_what_is_no_learning_rate_is_told_and_not_taken(page: Page, kind: str) -> None:
    page.goto(f"/#step?show={kind}")
    rate = page.get_by_label("learning rate η")
    expect(rate).to_be_enabled()
    rate.fill("0.25")
    expect(page).to_have_url(re.compile("rate=0.25"))
    for wrong in ("-1", "0", "2000000", ""):
        rate.fill(wrong)
        rate.press("Enter")
        line = page.get_by_text("A learning rate is a number above 0 and at most 1,000,000; it is still 0.25.")
        expect(line).to_be_visible()
        expect(rate).to_have_value("0.25")
        line.get_by_role("button", name="Close").click()
        rate.focus()
    page.get_by_role("button", name="Take the step").click()
    expect(page).to_have_url(re.compile("rate=0.25.*losses="))


NO_NETWORKS = [
    "show=tiny&parameters=" + ",".join(["1e300"] * 23),
    "show=tiny&rate=1e300",
    "show=convolution&parameters=" + ",".join(["1e300"] * 15),
    "show=convolution&rate=1e300",
]


@pytest.mark.parametrize("settings", NO_NETWORKS)
def test_an_address_of_numbers_that_make_no_step_shows_the_first_network(
    browser: Browser, address: str, settings: str
) -> None:
    page = browser.new_page(base_url=address)  # its console has the refusal
    page.goto(f"/#step?{settings}")
    expect(page.get_by_label("learning rate η")).to_be_enabled()
    expect(page).not_to_have_url(re.compile("1e%2B300|1e300"))
    page.get_by_role("button", name="Take the step").click()
    expect(page).to_have_url(re.compile("losses="))
    page.close()


@pytest.mark.parametrize("kind", ["tiny", "convolution"])
def test_a_step_that_the_server_does_not_answer_is_not_taken(browser: Browser, address: str, kind: str) -> None:
    page = browser.new_page(base_url=address)  # its console has the requests that failed
    page.goto(f"/#step?show={kind}")
    expect(page.get_by_label("learning rate η")).to_be_enabled()
    page.get_by_role("button", name="Take the step").click()
    expect(page).to_have_url(re.compile("losses="))
    before = page.url
    page.route("**/api/explain/**", lambda route: route.abort())
    page.get_by_role("button", name="Again, 10 times").click()
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    page.locator(".stages .list button").nth(1).click()  # which draws, and puts what there is into the address
    expect(page).not_to_have_url(before)
    assert page.url.count("losses=") == 1
    assert "%2C" not in page.url.partition("losses=")[2]
    page.unroute("**/api/explain/**")
    page.get_by_role("button", name="Take the step").click()
    expect(page).to_have_url(re.compile(r"losses=[^&]*%2C[^&]*$"))
    page.close()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("parameters=1,2,x&stage=nonsense&losses=a", "parameters “1,2,x”, losses “a” and stage “nonsense”"),
        ("image=a,b", "image “a,b”"),
        ("image=1,2,3,400", "image “1,2,3,400”"),
        ("image=0.5,1,2,3&label=9&rate=-1", "image “0.5,1,2,3”, label “9” and rate “-1”"),
        ("label=x&rate=1e400", "label “x” and rate “1e400”"),
        ("show=conv&rate=abc", "show “conv” and rate “abc”"),
    ],
)
def test_an_address_that_is_no_network_shows_the_first_one_and_says_so(page: Page, query: str, told: str) -> None:
    page.goto(f"/#step?{query}")
    expect(numbers(page, "L")).to_have_text(f"{by_hand(0.3)[1]:.4f}")
    expect(page.locator(".notices")).to_contain_text(f"The address asks for {told}, which cannot be used;")
    expect(page).not_to_have_url(re.compile("losses=|stage=|show=|label=[^01]|rate=(?!0.5)"))
    page.get_by_role("slider", name="pixel 3").fill("77")
    expect(numbers(page, "X")).to_contain_text("0.302")


def test_picture_and_sums_are_seen_together(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/#step?stage=Z1")
    for part in (".network svg", ".sums"):
        box = page.locator(part).bounding_box()
        assert box
        assert box["y"] > 0
        assert box["y"] + box["height"] < 900


@pytest.fixture
def runs(page: Page, site: Site, digits_run: Path) -> Callable[[Route], None]:
    """The list of runs, of which there is one, called ``mine``."""
    site.runs.mkdir()
    (site.runs / "mine").symlink_to(digits_run)
    answer = json.dumps([{"name": "mine", "state": "finished", "epoch": 2, "epochs": 2}])

    def tell(route: Route) -> None:
        route.fulfill(content_type="application/json", body=answer)

    page.route("**/api/runs", tell)
    return tell


def test_a_run_and_an_image_are_walked_through(page: Page, runs: object) -> None:
    page.goto("/#step")
    page.get_by_role("link", name="A trained network").click()
    expect(page.get_by_role("combobox", name="network")).to_have_value("mine")
    expect(page.get_by_text("The loss fell from")).to_be_visible()
    first = page.locator(".words .verdict").inner_text()
    page.get_by_role("button", name="Next image").click()
    expect(page.locator(".words .verdict")).not_to_have_text(first)
    expect(page).to_have_url(re.compile("image=1"))
    count = int(page.get_by_text(re.compile(r"^Stage 1 of \d+")).inner_text().split(" of ")[1].split(":")[0])
    for number in range(2, count + 1):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text(re.compile(f"^Stage {number} of {count}: "))).to_be_visible()
        expect(page.locator(".picture :is(canvas, table, .large)").first).to_be_visible()
    page.locator('[data-stage="dW1"]').click()
    expect(page.locator(".units canvas")).to_have_count(8)
    assert "unit 0" not in page.locator(".units figcaption").all_inner_texts()  # they are counted from 1
    page.reload()
    expect(page.locator(".units canvas")).to_have_count(8)
    page.get_by_label("number, 0 to 358").fill("358")
    page.get_by_label("number, 0 to 358").press("Enter")
    expect(page).to_have_url(re.compile("image=358"))


def test_an_address_that_is_no_step_of_a_trained_network_shows_the_usual_one_and_says_so(
    page: Page, runs: object
) -> None:
    page.goto("/#step?show=trained&run=mine&image=foo&rate=-1&stage=nonsense")
    told = "image “foo”, rate “-1” and stage “nonsense”"
    expect(page.locator(".notices")).to_contain_text(f"The address asks for {told}, which cannot be used;")
    expect(page.get_by_text("The loss fell from")).to_be_visible()
    expect(page.get_by_label("learning rate η")).to_have_value("0.1")


def test_a_matrix_with_few_columns_is_no_taller_than_the_screen(page: Page, runs: object) -> None:
    page.goto("/#step?show=trained&run=mine&stage=dW2")
    box = page.locator(".picture canvas").bounding_box()
    assert box
    assert box["height"] < 400


def test_each_symbol_stays_in_its_column(page: Page, runs: object, site: Site) -> None:
    train(load_dataset("digits"), "small", epochs=1, hidden=[8], batch_norm=True, out=site.runs / "norm")
    page.unroute("**/api/runs")
    page.goto("/#step?show=trained&run=norm&stage=dgamma1")
    entry = page.locator('[data-stage="dgamma1"]')
    expect(entry.locator("b")).to_have_text("dγ₁")
    name, words = entry.locator("b").bounding_box(), entry.locator("span").first.bounding_box()
    assert name
    assert words
    assert name["x"] + entry.locator("b").evaluate("(b) => b.scrollWidth") <= words["x"]


@pytest.mark.parametrize("view", ["/#step", "/#step?show=trained&stage=dW2"])
def test_a_phone_shows_all_of_it(page: Page, runs: object, view: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(view)
    expect(page.locator(".present h2")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_nothing_moves_where_it_was_asked_not_to(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto("/#step")
    page.get_by_label("b₂, bias of “bottom”").fill("0.9")
    expect(numbers(page, "L")).not_to_have_text(f"{by_hand(0.3)[1]:.4f}")
    expect(page.locator(".flash")).to_have_count(0)


def test_nothing_can_be_changed_before_there_are_numbers(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/explain/tiny", lambda route: held.append(route), times=1)  # noqa: PLW0108  # Playwright takes no built-in function
    page.goto("/#step")
    expect(page.get_by_label("b₂, bias of “bottom”")).to_be_disabled()
    held[0].continue_()
    page.get_by_label("b₂, bias of “bottom”").fill("0.9")
    expect(numbers(page, "L")).not_to_have_text(f"{by_hand(0.3)[1]:.4f}")

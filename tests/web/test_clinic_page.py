"""A mistake beside its cure on the page. Runs and their events are stood in for, so that what they say is known."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from glassnet.clinic import MISTAKES
from glassnet.study.gallery import SYMPTOMS, gallery
from glassnet.training.settings import LARGEST_SEED

TRUTH = {"planted": 0.42, "cured": 0.95}


def stream(side: str) -> str:
    """All that the server would send of a finished run: a loss and an accuracy for each of three epochs."""
    losses = {"planted": [2.3, 2.2, 2.1], "cured": [2.3, 0.9, 0.2]}[side]
    accuracies = {"planted": [0.1, 0.3, 0.5], "cured": [0.4, 0.8, 0.96]}[side]
    rows = [
        {"epoch": i, "step": 30 * i, "loss": loss, "validation_accuracy": accuracy}
        for i, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), 1)
    ]
    steps = [{"epoch": row["epoch"], "step": row["step"], "loss": row["loss"]} for row in rows]
    run = {"name": side, "state": "finished", "epoch": 3, "epochs": 3}
    sent: list[tuple[str, Any]] = [("run", run | {"state": "running"}), ("rows", rows), ("steps", steps), ("run", run)]
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in sent)


@pytest.fixture
def started(page: Page) -> list[dict[str, Any]]:
    """What the page asked ``POST /api/runs`` for; ``GET`` lists what was begun."""
    asked: list[dict[str, Any]] = []

    def start(route: Route) -> None:
        if route.request.method == "GET":
            there = [{"name": name} for name in TRUTH] if asked else []
            route.fulfill(content_type="application/json", body=json.dumps(there))
            return
        asked.append(route.request.post_data_json)
        name = "planted" if asked[-1]["mistakes"] else "cured"
        route.fulfill(status=201, content_type="application/json", body=json.dumps({"name": name}))

    def side(route: Route) -> str:
        return "planted" if "planted" in route.request.url else "cured"

    def tell(route: Route) -> None:
        route.fulfill(content_type="text/event-stream", body=stream(side(route)))

    def judge(route: Route) -> None:
        body = json.dumps({"accuracy": TRUTH[side(route)], "images": 359})
        route.fulfill(content_type="application/json", body=body)

    page.route("**/api/runs", start)
    page.route("**/api/runs/*/events", tell)
    page.route("**/api/clinic/truth?*", judge)
    return asked


def test_both_runs_are_shown_and_judged(page: Page, started: list[dict[str, Any]]) -> None:
    page.goto("/#clinic")
    page.get_by_role("button", name="Small learning rate").click()
    expect(page.get_by_text("The loss still falls, smoothly and slowly")).to_be_visible()
    page.get_by_label("epochs").fill("3")
    page.get_by_role("button", name="Run both").press("Enter")
    expect(page.get_by_text("The mistake cost 53.0 points of accuracy on 359 images")).to_be_visible()
    expect(page.get_by_text("reported 8.0 points more than it reaches on new images")).to_be_visible()
    expect(page.get_by_role("row", name="training loss at the end 2.10 0.200")).to_be_visible()
    for title in ("Training loss: mistake 2.10, cured 0.200", "Accuracy as reported: mistake 0.500"):
        expect(page.get_by_role("img", name=title)).to_be_visible()
    expect(page.locator(".chart .scatterlayer .trace")).to_have_count(4)
    expect(page.get_by_role("button", name="Run both")).to_be_focused()
    planted, cured = started
    assert planted["mistakes"] == ["small-learning-rate"]
    assert cured["mistakes"] == []
    assert planted["settings"] | {"learning_rate": 0.3} == cured["settings"]
    assert (planted["settings"]["learning_rate"], cured["settings"]["epochs"]) == (0.03, 3)
    assert cured["data"] == planted["data"] == "digits"


def test_the_address_brings_both_runs_back(page: Page, started: list[dict[str, Any]]) -> None:
    page.goto("/#clinic?mistake=no-shuffling&epochs=3")
    expect(page.get_by_label("epochs")).to_have_value("3")
    page.get_by_role("button", name="Run both").click()
    expect(page.get_by_role("heading", name="The verdict")).to_be_visible()
    expect(page).to_have_url(re.compile("planted=planted&cured=cured"))
    page.reload()
    expect(page.get_by_role("heading", name="The verdict")).to_be_visible()
    expect(page.get_by_role("heading", name="No shuffling")).to_be_visible()
    assert len(started) == 2


def test_every_mistake_fits_a_phone(page: Page, started: list[dict[str, Any]]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/#clinic")
    expect(page.locator(".gallery button")).to_have_count(len(MISTAKES))
    names = page.locator(".gallery button").evaluate_all("all => all.map((each) => each.children[1].textContent)")
    for name in names:
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_text("Choose a mistake by what it looks like").click()
    page.get_by_role("button", name="Run both").click()
    expect(page.get_by_role("heading", name="The verdict")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_mistakes_are_chosen_by_their_symptom_with_the_keyboard(page: Page) -> None:
    page.goto("/#clinic")
    expect(page.locator(".gallery h2")).to_have_text(list(SYMPTOMS.values()))
    expect(page.get_by_role("button", name="Run both")).to_be_hidden()  # nothing is chosen yet
    page.get_by_role("button", name="No shuffling 86 %, cured 95 %").press("Enter")
    expect(page).to_have_url(re.compile("mistake=no-shuffling"))
    expect(page.locator("details")).not_to_have_attribute("open", "")
    page.go_back()
    page.goto("/#clinic?mistake=no-shufling")
    expect(page.get_by_role("alert")).to_contain_text("There is no mistake called no-shufling.")


def test_the_quiz_names_the_mistake_only_when_it_is_answered(page: Page, started: list[dict[str, Any]]) -> None:
    page.goto("/#clinic?show=quiz&round=3")
    page.get_by_role("button", name="Train both").press("Enter")
    choices = page.get_by_role("radio")
    expect(choices).to_have_count(4)
    expect(page.get_by_role("heading", name="Round 3")).to_be_focused()
    right = started[0]["mistakes"][0]
    assert started[1]["mistakes"] == []
    assert [each["settings"]["seed"] for each in started] == [3, 3]
    expect(page.locator(".chart .scatterlayer .trace")).to_have_count(4)
    page.wait_for_timeout(1500)  # in which the verdict would have come
    assert page.get_by_role("heading", name="The verdict").count() == 0
    assert right not in page.locator("main").inner_text()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("Choose one of the mistakes first.")).to_be_visible()
    page.locator(f"input:not([value={right}])").first.check()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("status").filter(has_text="No, it is:")).to_be_focused()
    expect(page.locator("figure")).to_have_count(2)
    expect(page.get_by_role("heading", name="The verdict")).to_be_visible()
    page.get_by_role("link", name="Next round").click()
    expect(page).to_have_url(re.compile("round=4"))
    expect(page.get_by_text("0 of 1 correct so far")).to_be_visible()
    page.go_back()  # the round as it was answered
    expect(page.get_by_role("status").filter(has_text="No, it is:")).to_be_visible()
    expect(page.get_by_role("heading", name="The verdict")).to_be_visible()
    expect(page.get_by_text("0 of 1 correct so far")).to_be_visible()
    page.reload()  # and with it anew
    page.locator(f"input[value={right}]").check()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("status").filter(has_text="Correct:")).to_be_visible()


def test_a_round_outlives_a_reload_and_its_runs_end_with_it(page: Page) -> None:
    def slow(route: Route) -> None:
        asked = route.request.post_data_json
        # 4 steps a second: a minute and a half
        route.continue_(post_data=json.dumps(asked | {"pace": 4}) if asked else None)

    page.route("**/api/runs", slow)
    page.goto("/#clinic?show=quiz&round=17")
    page.get_by_role("button", name="Train both").click()
    expect(page.get_by_role("radio").first).to_be_visible()
    page.reload()
    expect(page.get_by_role("radio").first).to_be_visible()
    expect(page.locator(".chart .scatterlayer .trace")).to_have_count(4)
    page.get_by_role("link", name="Next round").click()
    expect(page.get_by_role("heading", name="Round 18")).to_be_visible()
    states = "async () => (await (await fetch('/api/runs')).json()).map(({ state }) => state)"
    for _ in range(100):
        page.wait_for_timeout(100)
        if page.evaluate(states) == ["stopped", "stopped"]:
            return
    raise AssertionError(page.evaluate(states))


@pytest.mark.parametrize("round_", ["-5", "1e30", "0", "x", "2.5", "4294967296", ""])
def test_a_round_that_there_is_not_is_refused(page: Page, round_: str) -> None:
    page.goto(f"/#clinic?show=quiz&round={round_}")
    expect(page.get_by_role("alert")).to_contain_text(f"“{round_}” is not the number of a round")
    expect(page.get_by_role("button", name="Train both")).to_have_count(0)
    page.get_by_role("link", name="Any round").click()
    expect(page.get_by_role("heading", name=re.compile(r"^Round [1-9]\d{0,3}$"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"round=[1-9]\d{0,3}$"))


def test_the_ticks_of_an_accuracy_are_percentages_and_clear_of_its_name(
    page: Page, started: list[dict[str, Any]]
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/#clinic?show=quiz&round=3")
    page.get_by_role("button", name="Train both").click()
    expect(page.locator(".chart .scatterlayer .trace")).to_have_count(4)
    chart = page.get_by_role("img", name="Accuracy as reported")
    expect(chart.locator(".ytick text").first).to_have_text(re.compile(r"^\d+ %$"))
    left = min(box["x"] for tick in chart.locator(".ytick text").all() if (box := tick.bounding_box()))
    name = chart.locator(".ytitle").bounding_box()
    assert name
    assert name["x"] + name["width"] + 4 < left


def test_the_page_has_the_rounds_of_the_shell(page: Page) -> None:
    page.goto(f"/#clinic?show=quiz&round={LARGEST_SEED}")
    expect(page.get_by_role("heading", name=f"Round {LARGEST_SEED}")).to_be_visible()


def test_each_round_has_one_choice_of_each_symptom_that_can_be_seen(page: Page) -> None:
    seen = set()
    for number in range(1, 13):
        page.goto(f"/#clinic?show=quiz&round={number}")
        expect(page.get_by_role("heading", name=f"Round {number}", exact=True)).to_be_visible()
        expect(page.locator("input[type=radio]")).to_have_count(4)
        names = page.locator("input[type=radio]").evaluate_all("all => all.map(({ value }) => value)")
        assert sorted(gallery()[name]["rank"] for name in names) == [0, 1, 2, 3]
        seen.update(names)
    assert len(seen) > 8


def test_an_unknown_mistake_is_said_and_a_known_one_names_its_page_of_the_tutorial(page: Page) -> None:
    page.goto("/#clinic?mistake=no-such-thing")
    expect(page.get_by_role("alert")).to_have_text(re.compile("There is no mistake called no-such-thing"))
    page.get_by_role("button", name="One bias gradient").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.get_by_text("docs/tutorial/04-the-chain-rule.md")).to_be_visible()

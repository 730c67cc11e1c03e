"""The clinic with real runs: what the page's parts make together."""

from playwright.sync_api import Page, expect


def test_a_mistake_and_its_cure_learn_and_are_judged(page: Page) -> None:
    page.goto("/#clinic?mistake=unscaled-pixels&epochs=6")
    page.get_by_role("button", name="Run both").click()
    rows = page.get_by_role("region", name="Both runs").locator("tbody tr")
    expect(rows).to_have_count(5)
    figures = {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows.all()}
    planted, cured = map(float, figures["loss at the first step"])
    assert planted > 10 * cured
    planted, cured = (float(share.removesuffix(" %")) for share in figures["accuracy as reported"])
    assert cured > planted + 50
    assert "–" not in str(figures)
    page.goto("/#watch")
    expect(page.locator("main").get_by_text("finished").first).to_be_visible()


def test_a_mistake_is_switched_on_while_it_trains(page: Page) -> None:
    page.goto("/#clinic?mistake=unscaled-pixels&epochs=6&from=3")
    expect(page.get_by_label("mistake from epoch")).to_have_value("3")
    page.get_by_role("button", name="Run both").click()
    rows = page.get_by_role("region", name="Both runs").locator("tbody tr")
    expect(rows).to_have_count(5)
    planted, cured = rows.first.locator("td").all_inner_texts()
    assert planted == cured  # the first step is the same
    lines = page.evaluate("document.querySelectorAll('.chart')[1].data.map(({ x, y }) => [x, y])")
    (steps, wrong), (_, right) = lines
    assert wrong[:3] == right[:3]
    assert all(one < other - 0.2 for one, other in zip(wrong[3:], right[3:], strict=True))
    costs = [float(share.removesuffix(" %")) for share in rows.nth(3).locator("td").all_inner_texts()]
    assert costs[0] < costs[1] - 50  # the network at the end, not the one that was kept before the mistake
    assert f"cost {costs[1] - costs[0]:.1f} points" in page.get_by_role("region", name="Both runs").inner_text()
    expect(page.get_by_text("Judged by the network at the end of each run")).to_be_visible()
    marks = page.evaluate("[...document.querySelectorAll('.chart')].map(({ layout }) => layout.shapes[0].x0)")
    assert marks == [steps[2], steps[2]]


def test_a_mistake_of_the_first_weights_cannot_come_later(page: Page) -> None:
    page.goto("/#clinic?mistake=equal-weights&from=3")
    expect(page.get_by_label("mistake from epoch")).to_be_disabled()
    expect(page.get_by_label("mistake from epoch")).to_have_value("")


def test_stop_while_the_pair_starts_leaves_nothing_that_runs(page: Page) -> None:
    page.goto("/#clinic?mistake=no-shuffling&epochs=800")
    page.route("**/api/runs", lambda route: (page.wait_for_timeout(300), route.continue_()))
    page.get_by_role("button", name="Run both").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped while the pair was starting.")).to_be_visible()
    expect(page.get_by_role("button", name="Run both")).to_be_enabled()
    expect(page.get_by_role("region", name="Both runs")).to_be_hidden()
    page.unroute("**/api/runs")
    page.goto("/#watch")
    expect(page.get_by_role("region", name="Runs").get_by_text("stopped")).to_be_visible()
    states = page.evaluate(
        "fetch('/api/runs').then((answer) => answer.json()).then((all) => all.map(({ state }) => state))"
    )
    assert states == ["stopped"]


def test_a_pair_is_found_when_one_comes_back(page: Page) -> None:
    page.goto("/#clinic?mistake=no-shuffling&epochs=3")
    page.get_by_role("button", name="Run both").click()
    expect(page.get_by_role("region", name="Both runs")).to_be_visible()
    page.get_by_role("link", name="Draw", exact=True).click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    page.get_by_role("link", name="Clinic", exact=True).click()
    expect(page.get_by_role("heading", name="The verdict")).to_be_visible()
    assert "planted=" in page.url

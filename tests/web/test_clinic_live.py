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

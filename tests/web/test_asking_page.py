"""How often the page asks the server for something to be worked out again, beside a training that needs the time."""

import pytest
from playwright.sync_api import Page

ASK = """async (taken) => {
    const { asking } = await import("/static/shared/asking.js");
    window.asked = 0;
    const answers = asking(async () => {
        window.asked += 1;
        await new Promise((done) => setTimeout(done, taken));
        answers.again(); // there is always something new
    });
    answers.again();
}"""


@pytest.mark.parametrize(("taken", "times"), [(60_000, 2), (10_000, 11), (1_000, 240), (10, 2353)])
def test_an_answer_that_takes_long_is_asked_for_a_tenth_of_the_time(page: Page, taken: int, times: int) -> None:
    page.clock.install()
    page.goto("/#lessons")
    page.evaluate(ASK, taken)
    page.clock.run_for(20 * 60_000)
    assert page.evaluate("window.asked") == pytest.approx(times, rel=0.02)

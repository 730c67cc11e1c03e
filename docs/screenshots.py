"""Pictures of the page's six views, and of an exported model, for the README and docs/use: ``make screenshots``.

A server is begun on a free port in a temporary folder, a digit is drawn by mouse, and two small runs are trained.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 1100, 800
SEVEN = ((0.3, 0.25), (0.68, 0.25), (0.62, 0.42), (0.5, 0.78))  # shares of the paper


def draw(page: Page) -> None:
    page.goto("/#draw")
    draw_seven(page)


def draw_seven(page: Page) -> None:
    paper = page.locator("canvas").first.bounding_box()
    assert paper
    points = [(paper["x"] + x * paper["width"], paper["y"] + y * paper["height"]) for x, y in SEVEN]
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(x, y, steps=12)
    page.mouse.up()


def network(page: Page) -> None:
    page.goto("/#network?image=drawing")
    page.get_by_role("application", name="hidden layer 2").focus()
    page.keyboard.press("ArrowDown")
    page.locator(".looks canvas").nth(8).wait_for()


def train(page: Page) -> None:
    page.goto("/#train?data=digits&recipe=small&hidden=48&epochs=150")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text("Finished", exact=True).wait_for()


def watch(page: Page) -> None:
    page.goto("/#watch")
    page.locator("canvas").nth(40).wait_for()


def step(page: Page) -> None:
    page.goto("/#step")
    page.get_by_role("button", name="Take the step").click()
    page.get_by_role("button", name="Again, 10 times").click()


def clinic(page: Page) -> None:
    page.goto("/#clinic?mistake=relu-derivative-of-wrong-array&epochs=20&from=8")
    page.get_by_role("button", name="Run both").click()
    page.get_by_role("heading", name="The verdict").wait_for()


def lessons(page: Page) -> None:
    page.goto("/?lesson=04-the-chain-rule&step=3")
    page.get_by_label("How many of the 12 weights").fill("6")
    page.get_by_role("button", name="Check").click()
    page.get_by_text("Correct.").wait_for()


def export(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits.html"
        subprocess.run([sys.executable, "-P", "-m", "glassnet", "export", "--html", str(file)], check=True)
        page.goto(file.as_uri())
    draw_seven(page)
    page.get_by_role("application", name="Hidden layer 2").click(position={"x": 238, "y": 10})
    page.evaluate("scrollTo(0, 0)")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, "-P", "-m", "glassnet", "serve", "--port", "0"]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout
            address = server.stdout.readline().split()[-1]
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, base_url=address)
            for view in (draw, network, train, watch, step, clinic, lessons, export):
                page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
                view(page)
                page.evaluate("scrollTo(0, 0)")
                page.wait_for_timeout(2000)  # charts and fonts
                if view is not lessons:  # nothing that stays in sight may lie over the rest
                    height = page.evaluate("document.documentElement.scrollHeight")
                    page.set_viewport_size({"width": WIDTH, "height": height})
                    page.wait_for_timeout(500)
                page.screenshot(path=FOLDER / f"page-{view.__name__}.png")
                print(f"docs/page-{view.__name__}.png")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()

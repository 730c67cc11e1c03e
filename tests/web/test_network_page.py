"""The view of a network as a network, and its map, as a person uses them by mouse, finger and keyboard."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from still import still

from glassnet import Model, load_dataset, train
from glassnet.explain import top_images, trace
from glassnet.training import Run
from glassnet.web import Site

Draw = Callable[[], None]
WIDTHS = [1440, 1024, 390]


@pytest.fixture
def run(site: Site, digits_run: Path) -> Run:
    """A run of a 64-60-10 network, called ``mine``."""
    site.runs.mkdir()
    (site.runs / "mine").symlink_to(digits_run)
    return Run(digits_run)


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("convolutions") / "run"
    layers = ["conv 4 3x3 same", "pool 2", "dense 8"]
    train(load_dataset("digits"), "small", epochs=1, hidden=[], layers=layers, batch_norm=True, out=folder)
    return folder


@pytest.fixture
def draw_seven(page: Page) -> Draw:
    def draw() -> None:
        page.goto("/#draw?run=mine")
        paper = still(page.locator("canvas.paper"))
        points = [(0.3, 0.25), (0.68, 0.25), (0.62, 0.42), (0.5, 0.78)]
        places = [(paper["x"] + x * paper["width"], paper["y"] + y * paper["height"]) for x, y in points]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=10)
        page.mouse.up()
        expect(page.locator(".probabilities .best")).to_be_visible()

    return draw


def number(text: str) -> float:
    return float(re.sub(r"[^\d.\-e]", "", text.replace("−", "-")))


def last_cells(part: Locator) -> list[float]:
    """The number at the end of each row of a table."""
    return [number(text) for text in part.locator("tr td:last-child").all_inner_texts()]


def layer(page: Page, name: str) -> Locator:
    return page.get_by_role("application", name=re.compile(f"^{name}"))


def test_a_unit_is_told_with_every_number_of_pythons_forward(page: Page, run: Run) -> None:
    seen = trace(run.model, load_dataset("digits").test.images[7])
    unit = int(seen.activations(1).argmax())
    own = seen.unit(1, unit)
    page.goto(f"/#network?run=mine&image=7&layer=1&unit={unit + 1}")
    card = page.get_by_role("region", name="The unit")
    expect(card.get_by_role("heading", level=2)).to_have_text(f"Hidden layer 1, unit {unit + 1}")
    assert number(card.locator(".value strong").inner_text()) == pytest.approx(own.activation, abs=6e-5)
    terms = own.terms[np.argsort(-np.abs(own.terms), kind="stable")]
    expected = [*terms[:6], terms[6:].sum(), own.connections.bias, own.values[0]]
    np.testing.assert_allclose(last_cells(card.locator(".part").first), expected, atol=1e-4)
    activation = card.locator(".steps li").last
    assert [number(text) for text in re.findall(r"−?[\d.]+", activation.inner_text())] == pytest.approx(
        [own.values[0], own.activation], abs=6e-5
    )
    given = own.activation * own.connections.output_weights
    np.testing.assert_allclose(last_cells(card.locator(".part").last), given[np.argsort(-np.abs(given))[:5]], atol=1e-4)
    shares = [number(text) for text in page.locator(".layer .share").all_inner_texts()]
    np.testing.assert_allclose(shares, 100 * seen.probabilities, atol=0.06)


def test_the_lines_are_the_strongest_contributions(page: Page, run: Run) -> None:
    page.goto("/#network?run=mine&image=7&layer=2&unit=3")
    lines = page.locator(".diagram svg path")
    terms = trace(run.model, load_dataset("digits").test.images[7]).unit(2, 2).terms
    strongest = np.sort(-np.abs(terms))[:28]
    expect(lines).to_have_count(int(np.count_nonzero(strongest)))
    negative = int(np.sum(terms[np.argsort(-np.abs(terms), kind="stable")[:28]] < 0))
    expect(page.locator(".diagram svg .less")).to_have_count(negative)
    page.keyboard.press("Escape")
    expect(lines).to_have_count(80)  # forty between each layer and the next
    expect(page).not_to_have_url(re.compile("unit="))


def test_the_keys_go_from_unit_to_unit_and_the_way_can_be_followed(page: Page, run: Run) -> None:
    page.goto("/#network?run=mine&image=7")
    heading = page.get_by_role("region", name="The unit").get_by_role("heading", level=2)
    expect(heading).to_have_text(re.compile("^Output for "))  # the answer
    layer(page, "hidden layer 1").focus()
    page.keyboard.press("ArrowRight")
    best = int(trace(run.model, load_dataset("digits").test.images[7]).activations(1).argmax())
    expect(heading).to_have_text(f"Hidden layer 1, unit {best + 1}")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("layer=1&unit="))
    expect(layer(page, "hidden layer 1")).to_be_focused()
    page.locator(".unit .part").last.get_by_role("button").first.click()
    expect(heading).to_have_text(re.compile("^Output for "))
    layer(page, "output").focus()
    before = heading.inner_text()
    page.keyboard.press("ArrowDown")
    expect(heading).not_to_have_text(before)
    shown = heading.inner_text()
    page.reload()
    expect(heading).to_have_text(shown)


def test_the_pointer_shows_a_unit_and_a_click_keeps_it(page: Page, run: Run) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/#network?run=mine&image=7")
    heading = page.get_by_role("region", name="The unit").get_by_role("heading", level=2)
    expect(page.locator(".diagram svg path").nth(79)).to_be_attached()
    units = layer(page, "hidden layer 1")
    units.hover(position={"x": 5, "y": 5})
    expect(heading).to_have_text("Hidden layer 1, unit 1")
    expect(page.locator(".tip")).to_contain_text("unit 1: ")
    page.mouse.move(5, 300)
    expect(heading).to_have_text(re.compile("^Output for "))
    units.click(position={"x": 5, "y": 5})
    layer(page, "input").hover()
    expect(page.locator(".tip")).to_contain_text("row ")
    expect(heading).to_have_text("Hidden layer 1, unit 1")
    page.get_by_role("button", name="Show all").click()
    expect(heading).to_have_text(re.compile("^Output for "))


@pytest.mark.parametrize("run_name", ["mine", "conv"])
def test_a_finger_taps_a_unit_and_sees_its_sum(
    browser: Browser, page: Page, address: str, run: Run, site: Site, convolutions: Path, run_name: str
) -> None:
    (site.runs / "conv").symlink_to(convolutions)
    phone = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, base_url=address
    )
    page = phone.new_page()
    page.goto(f"/#network?run={run_name}&image=7")
    layer(page, "hidden layer 1").tap(position={"x": 6, "y": 6})
    heading = page.get_by_role("region", name="The unit").get_by_role("heading", level=2)
    expect(heading).to_have_text(re.compile("^Hidden layer 1, "))
    expect(page).to_have_url(re.compile("layer=1&unit="))
    page.wait_for_timeout(500)  # longer than what a pointer leaves is shown
    expect(heading).to_have_text(re.compile("^Hidden layer 1, "))
    expect(page.get_by_role("button", name="Show all layers’ lines")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()


@pytest.mark.parametrize("bar", [".top", ".time"])
def test_the_picture_passes_below_what_stays_when_scrolled(page: Page, run: Run, bar: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    page.goto("/#network?run=mine&image=7")
    expect(page.locator(".layer figcaption").first).to_be_visible()
    expect(page.locator(bar)).to_be_visible()
    on_top = page.evaluate(
        """(name) => {
            const [title, bar] = [document.querySelector(".layer figcaption"), document.querySelector(name)];
            const middle = (element) => {
                const { left, top, width, height } = element.getBoundingClientRect();
                return [left + width / 2, top + height / 2];
            };
            for (let i = 0; i < 9; i += 1) scrollBy(0, middle(title)[1] - middle(bar)[1]); // until the bar stays
            if (Math.abs(middle(title)[1] - middle(bar)[1]) > 2) return "the title is elsewhere";
            return bar.contains(document.elementFromPoint(...middle(title)));
        }""",
        bar,
    )
    assert on_top is True


def test_what_a_unit_looks_for_is_shown(page: Page, run: Run) -> None:
    page.goto("/#network?run=mine&image=7&layer=1&unit=5")
    looks = page.get_by_role("region", name="Images that excite the unit")
    expect(looks.locator("canvas")).to_have_count(9)
    training, _ = load_dataset("digits").split(run.config.validation, run.config.split_seed)
    expected = top_images(run.model, training)[1]
    words = looks.locator("figcaption").all_inner_texts()
    assert words == [
        f"{training.labels[i]} {a:.2f}" for i, a in zip(expected.indices[4], expected.activations[4], strict=True)
    ]


def test_feature_maps_and_pools_have_their_sums(page: Page, run: Run, site: Site, convolutions: Path) -> None:
    (site.runs / "conv").symlink_to(convolutions)
    model = Run(convolutions).model
    seen = trace(model, load_dataset("digits").test.images[7])
    unit = int(seen.values[2][0].argmax())
    own = seen.unit(2, unit)
    page.goto(f"/#network?run=conv&image=7&layer=2&unit={unit + 1}")
    card = page.get_by_role("region", name="The unit")
    expect(card.get_by_role("heading", level=2)).to_have_text(f"Pool 1, {seen.layers[2].place(unit)}")
    expect(card.get_by_role("heading", name="The largest of these")).to_be_visible()
    np.testing.assert_allclose(
        last_cells(card.locator(".part").first), [*-np.sort(-own.terms), own.values[0]], atol=6e-5
    )
    expect(card.locator(".steps li").first).to_contain_text("normalised (")
    card.locator(".part").first.get_by_role("button").first.click()
    expect(card.get_by_role("heading", level=2)).to_have_text(re.compile(r"^Hidden layer 1, filter \d"))
    expect(card.locator(".pictures canvas")).to_have_count(2)


def test_a_drawing_goes_to_network_step_and_map(page: Page, run: Run, draw_seven: Draw) -> None:
    draw_seven()
    answer = page.locator(".digit").inner_text()
    page.get_by_role("link", name="See it unit by unit").click()
    expect(page.get_by_text(re.compile(f"^Predicted {answer} with"))).to_be_visible()
    expect(page.get_by_role("combobox", name="network")).to_have_value("mine")
    page.get_by_role("link", name="One training step on this image").click()
    expect(page.get_by_role("combobox", name="true class of the drawing")).to_have_value(answer)
    page.get_by_role("combobox", name="true class of the drawing").select_option("3")
    expect(page.locator(".words .verdict")).to_contain_text("“3”")
    page.get_by_role("link", name="The same image, unit by unit").click()
    page.get_by_role("link", name="Map of images").click()
    expect(page.locator(".found p")).to_have_text(f"Your drawing, predicted as {answer}")
    page.get_by_role("link", name="Unit by unit").click()
    expect(page.get_by_role("combobox", name="image")).to_have_value("drawing")


def test_an_image_behind_a_cell_opens_in_network_and_step(page: Page, run: Run) -> None:
    page.goto("/#watch?run=mine")
    page.locator(".matrix .right").nth(2).click()
    first = page.locator(".gallery a").first
    index = int(first.get_attribute("data-index") or "")
    first.click()
    held = load_dataset("digits").split(run.config.validation, run.config.split_seed)[1]
    expect(page.get_by_role("combobox", name="image")).to_have_value("validation")
    seen = trace(run.model, held.images[index])
    expect(
        page.get_by_text(f"Predicted 2 with {100 * seen.probabilities[2]:.2f}\u00a0%, which is correct.")
    ).to_be_visible()
    page.go_back()
    page.locator(".matrix .right").nth(2).click()
    page.get_by_role("combobox", name="An image opens").select_option("step")
    page.locator(".gallery a").first.click()
    expect(page.get_by_role("heading", name="Step through")).to_be_visible()
    expect(page.get_by_label(re.compile("^number, 0 to"))).to_have_value(str(index))
    expect(page.locator(".words .verdict")).to_contain_text("“2”")


def test_the_last_image_is_the_last(page: Page, run: Run) -> None:
    last = len(run.dataset().test) - 1
    page.goto(f"/#network?run=mine&image={last - 1}")
    number = page.get_by_label(f"number, 0 to {last}")
    for _ in range(3):
        expect(number).to_be_visible()
        page.get_by_role("button", name="Next image").click()
    expect(number).to_have_value(str(last))
    expect(page.get_by_text("Predicted ")).to_be_visible()


def test_a_run_opens_in_draw(page: Page, run: Run) -> None:
    page.goto("/#watch?run=mine")
    page.get_by_role("link", name="Draw with this network").click()
    expect(page.get_by_role("combobox", name="Model")).to_have_value("mine")


def test_a_run_that_is_gone_is_said_once_and_another_can_be_chosen(page: Page, run: Run, draw_seven: Draw) -> None:
    draw_seven()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("location.hash = '#draw?run=nobody'")
    expect(page.get_by_text("There is no run called nobody; choose another model above.")).to_be_visible()
    page.get_by_role("combobox", name="Model").select_option("mine")
    expect(page.locator(".probabilities .best")).to_be_visible()
    assert sum("run=nobody" in url for url in asked) <= 1


def test_a_network_that_has_learned_on_is_asked_again(page: Page, site: Site, run: Run) -> None:
    folder = site.runs / "going"
    folder.mkdir()
    (folder / "config.toml").write_text((run.path / "config.toml").read_text())
    model = run.model
    model.save(folder / "model.safetensors")
    page.goto("/#network?run=going&image=7&layer=1&unit=5")
    value = page.locator(".unit .value strong")
    expect(value).to_be_visible()
    model.network.parameters *= 1.5
    Model(model.networks, model.preprocessing, model.classes, model.trained_on, model.fingerprint).save(
        folder / "model.safetensors"
    )
    layer(page, "output").click(position={"x": 20, "y": 20})
    expected = trace(model, load_dataset("digits").test.images[7]).activations(2)[0]
    expect(page.get_by_role("region", name="The unit").get_by_role("heading", level=2)).to_have_text("Output for 0")
    expect(value).to_have_text(re.compile(f"{expected:.2f}".replace("-", "−")[:-1]))


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("run=mine&image=99999", "there are 359 test images, 0 to 358"),
        ("run=mine&image=drawing", "Nothing is drawn yet"),
        ("run=nobody", "no such run"),
        ("run=nobody&show=map", "no such run"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_said_and_mended_there(
    browser: Browser, address: str, run: Run, query: str, line: str
) -> None:
    page = browser.new_page(base_url=address)  # whose console may tell of the 400
    page.goto(f"/#network?{query}")
    expect(page.get_by_text(line)).to_be_visible()
    page.get_by_role("combobox", name="network").select_option("mine")
    if "show" not in query:
        page.get_by_role("combobox", name="image").select_option("test")
        page.get_by_label(re.compile("^number")).fill("3")
        page.get_by_label(re.compile("^number")).press("Enter")
    expect(page.locator(".diagram, .plane").first).to_be_visible()
    page.close()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("layer=9&unit=1", "layer “9” and unit “1”"),
        ("layer=1&unit=0", "layer “1” and unit “0”"),
        ("layer=1&unit=99", "layer “1” and unit “99”"),
        ("layer=x&unit=y", "layer “x” and unit “y”"),
        ("image=-3", "image “-3”"),
        ("image=foo&layer=9&unit=4", "image “foo”, layer “9” and unit “4”"),
        ("image=3&of=foo&show=foo", "show “foo” and of “foo”"),
    ],
)
def test_what_the_address_asks_for_and_is_not_there_is_told(page: Page, run: Run, query: str, told: str) -> None:
    page.goto(f"/#network?run=mine&{query}")
    expect(page.get_by_role("region", name="The unit").get_by_role("heading", level=2)).to_have_text(
        re.compile("^Output for ")
    )
    expect(page.locator(".notices")).to_contain_text(f"The address asks for {told}, which cannot be used;")
    expect(page).to_have_url(re.compile(r"#network\?run=mine&image=\d+$"))


def test_an_unknown_map_is_told(page: Page, run: Run) -> None:
    page.goto("/#network?run=mine&show=map&method=foo")
    expect(page.locator(".notices")).to_contain_text("The address asks for method “foo”, which cannot be used;")
    expect(page).to_have_url(re.compile("method=pca$"))


def test_the_map_is_walked_by_pointer_and_keys_and_a_class_stands_out(page: Page, run: Run, draw_seven: Draw) -> None:
    draw_seven()
    page.get_by_role("link", name="On a map of images").click()
    found = page.locator(".found p")
    expect(found).to_have_text(re.compile("^Your drawing, predicted as"))
    plane = layer(page, "Map of 359 images")
    plane.focus()
    page.keyboard.press("ArrowLeft")
    expect(found).to_have_text(re.compile(r"^A \d, predicted"))
    image = page.locator(".found canvas")
    before = image.evaluate("(canvas) => canvas.toDataURL()")
    page.keyboard.press("ArrowUp")
    assert image.evaluate("(canvas) => canvas.toDataURL()") != before
    zeros = page.get_by_role("group", name="Classes").get_by_role("button").first
    expect(zeros).to_have_text(re.compile(r"0\s*\d+"))
    everything = plane.evaluate("(canvas) => canvas.toDataURL()")
    before_it = found.inner_text()[:3]
    zeros.click()
    expect(zeros).to_have_attribute("aria-pressed", "true")
    assert plane.evaluate("(canvas) => canvas.toDataURL()") != everything
    box = still(plane)
    seen = set()  # of what the pointer finds, only that class is left
    for x in np.linspace(0.1, 0.9, 17):
        for y in np.linspace(0.1, 0.9, 9):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            seen.add(found.inner_text()[:3])
    assert seen <= {"A 0", before_it}
    assert "A 0" in seen


def test_a_map_by_umap_says_what_to_install(
    browser: Browser, address: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    page = browser.new_page(base_url=address)
    page.goto("/#network?show=map&run=mine")
    expect(page.locator(".plane")).to_be_visible()
    page.get_by_role("combobox", name="map").select_option("umap")
    expect(page.get_by_text("needs umap, which is missing; pip install")).to_be_visible()
    page.close()


OWN_SOURCE = """async () => {
    const { explorer } = await import('/static/views/network/explorer.js');
    const [x, W, b] = [[1, 0.2, 0, 0.4], [[0.3, -0.3, 0.7, 0.6], [0.1, 0.5, -0.2, -0.9]], [0.25, -0.5]];
    const z = W.map((row, j) => row.reduce((sum, w, i) => sum + w * x[i], b[j]));
    const powers = z.map(Math.exp);
    const step = (name, values) => ({ name, values: Float32Array.from(values) });
    const source = {
        key: 1, classes: ['ant', 'bee'], image: [[255, 51], [0, 102]],
        probabilities: powers.map((power) => power / (powers[0] + powers[1])),
        layers: [
            { name: 'input', kind: 'input', shape: [2, 2, 1], steps: [step('pixel', x)] },
            { name: 'output', kind: 'dense', shape: [2], steps: [step('sum', z)] },
        ],
        units: async (level, indices) => indices.map((unit) => (level
            ? { inputs: null, weights: Float32Array.from(W[unit]), bias: b[unit], outputs: [], outputWeights: null, normalisation: {} }
            : { inputs: [], weights: null, bias: 0, outputs: null, outputWeights: Float32Array.from(W.map((row) => row[unit])), normalisation: {} })),
    };
    const view = explorer({ chosen() {}, failed(error) { throw error; } });
    const root = Object.assign(document.createElement('div'), { className: 'view network' });
    root.append(view.element);
    document.querySelector('main').replaceChildren(root);
    view.show(source, [1, 0]);
}"""  # noqa: E501


def test_the_picture_and_the_sums_need_no_server(page: Page) -> None:
    page.goto("/#draw")
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(OWN_SOURCE)
    card = page.get_by_role("region", name="The unit")
    expect(card.get_by_role("heading", level=2)).to_have_text("Output for ant")
    expected = [0.3, 0.24, -0.06, 0, 0.25, 0.73]  # 1·0.3, 0.4·0.6, 0.2·(−0.3), 0·0.7, the bias and the sum
    assert last_cells(card.locator(".part").first) == pytest.approx(expected, abs=1e-4)
    expect(page.locator(".diagram svg path")).to_have_count(3)
    layer(page, "input").focus()
    page.keyboard.press("ArrowRight")
    expect(card.get_by_role("heading", level=2)).to_have_text("Pixel, row 1, column 1")
    assert last_cells(card.locator(".part").last) == pytest.approx([0.3, 0.1], abs=1e-4)
    assert not [url for url in asked if "/api/network" in url]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways_and_both_schemes_are_painted(
    page: Page, run: Run, site: Site, convolutions: Path, width: int, scheme: str
) -> None:
    (site.runs / "conv").symlink_to(convolutions)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 844})
    for query in ("run=mine&layer=1&unit=9", "run=conv&layer=1&unit=99", "run=mine&show=map"):
        page.goto(f"/#network?{query}")
        picture = page.locator(".diagram canvas, .plane").first
        expect(picture).to_be_visible()
        expect(page.locator(".unit .total, .legend button").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sides = page.locator(".card:visible").evaluate_all(  # at once, as the bar of time may come any moment
            "(cards) => cards.map((card) => card.getBoundingClientRect()).map(({ left, right }) => [left, right])"
        )
        assert all(left >= 0 and right <= width for left, right in sides)
        corner = picture.evaluate("(canvas) => [...canvas.getContext('2d').getImageData(3, 3, 1, 1).data].slice(0, 3)")
        assert (max(corner) < 128) == (scheme == "dark") or max(corner) == 0  # the map's ground is the page's own

"""The page that holds a model, opened from the disk: what it calculates is what glassnet calculates."""

import base64
import io
import json
import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import HANDS, drawn, painted
from exported_models import CLASSES, MODELS, UNITS, around, form, network, noise
from PIL import Image
from playwright.sync_api import Browser, Error, Page, expect
from still import still

from glassnet import Model, load_dataset, open_model, train
from glassnet.cli import main
from glassnet.data import Preprocessing
from glassnet.doubt import Doubt, evidence
from glassnet.evaluation import evaluate
from glassnet.explain import explain_tiny
from glassnet.export import html_page, record_of
from glassnet.nn import BatchNorm, Dense, Network, Pass, ReLU
from glassnet.training import Run
from glassnet.web.draw import look

Open = Callable[..., Page]
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a model's page, or a file. At its end: no error in the console, and nothing was asked for but the file."""
    wrong: list[str] = []
    pages: list[Page] = []

    def open_it(content: Model | Path, **options: Any) -> Page:
        path = content if isinstance(content, Path) else tmp_path / f"{len(pages)}.html"
        if isinstance(content, Model):
            path.write_bytes(html_page(content))
        page = browser.new_page(**({"viewport": SIZES["wide"]} | options))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        own = (path.as_uri(), "data:", "blob:")
        page.on("request", lambda request: None if request.url.startswith(own) else wrong.append(request.url[:100]))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_it
    for page in pages:
        page.close()
    assert not wrong


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("html") / "a run"
    return train(load_dataset("digits"), "small", epochs=6, hidden=[40, 20], batch_norm=True, out=folder, threads=1)


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundled") / "bundled.html"
    assert main(["export", "--html", str(path)]) == 0
    return path


def probabilities(page: Page, images: np.ndarray) -> np.ndarray:
    """What the page says of images (n, h, w)."""
    script = """([text, n]) => {
        const pixels = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const size = pixels.length / n;
        return Array.from({ length: n }, (_, i) => glassnet.predictProba(pixels.subarray(i * size, (i + 1) * size)));
    }"""
    return np.array(page.evaluate(script, [base64.b64encode(images.tobytes()).decode(), len(images)]))


def looked(page: Page, picture: bytes) -> dict[str, Any]:
    """All that the page says of a picture file."""
    script = "(text) => glassnet.look(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]))"
    answer: dict[str, Any] = page.evaluate(script, base64.b64encode(picture).decode())
    return answer


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def draw(page: Page, digit: int, touch: bool = False) -> None:
    """Draw a digit by mouse, or by finger."""
    paper = page.get_by_role("application", name="Paper to draw a digit on")
    box = still(paper)
    corner, side = np.array([box["x"], box["y"]]), box["width"]
    for stroke in drawn(digit, 0)[0]:
        points = [tuple((corner + side * point).tolist()) for point in (*stroke[::5], stroke[-1])]
        if touch:
            fingers(page, points)
            continue
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()
    expect(page.locator(".said [aria-live]")).to_have_attribute("aria-busy", "false")


def fingers(page: Page, points: list[tuple[float, float]]) -> None:
    session = page.context.new_cdp_session(page)
    for kind, point in (("touchStart", points[0]), *(("touchMove", point) for point in points[1:])):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": point[0], "y": point[1]}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


@pytest.mark.parametrize("name", [name for name in MODELS if "float64" not in name or "Conv2D" in name])
def test_each_kind_of_model_gives_the_same_probabilities(name: str, opened: Open) -> None:
    model, images = MODELS[name](), noise(40)
    expected, found = model.predict_proba(images), probabilities(opened(model), images)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.ptp(found, axis=0).max() > 0.1  # the answers differ, so that equality says something


@pytest.mark.parametrize("pixels", ["[]", "'x'", "undefined", "[1, 2]", "Array(784).fill(NaN)", "Array(784).fill('1')"])
def test_anything_but_pixels_is_an_error(pixels: str, opened: Open) -> None:
    page = opened(around(Dense))
    with pytest.raises(Error, match="give the 784 pixels of an image as numbers from 0 to 255, row by row"):
        page.evaluate(f"glassnet.predictProba({pixels})")
    assert len(page.evaluate("glassnet.predictProba(Array(784).fill(255))")) == 10


def test_small_images_are_told_without_models_that_are_not_there(opened: Open, run: Run) -> None:
    page = opened(run.model)
    draw(page, 3)
    expect(page.locator(".answer")).to_contain_text("8 × 8 scans, so little is left of a drawing.")
    expect(page.locator(".answer")).not_to_contain_text("bundled")


@pytest.mark.skipif("GLASSNET_DATA" not in os.environ, reason="GLASSNET_DATA does not say where MNIST is")
def test_hundreds_of_digits_get_the_same_probabilities(opened: Open, bundled: Path) -> None:
    images = load_dataset("mnist").test.images[:400]
    found = probabilities(opened(bundled), images)
    np.testing.assert_allclose(found, open_model().predict_proba(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("layers", ["dense 32", "conv 6 3x3, pool 2, dense 20"])
def test_trained_networks_too(layers: str, members: int, opened: Open, tmp_path: Path) -> None:
    data = load_dataset("digits")
    options = {"layers": layers, "members": members, "batch_norm": True, "threads": 1}
    model = train(data, "small", epochs=2, out=tmp_path / "run", **options).model
    found = probabilities(opened(model), data.test.images)
    assert len(found) > 300
    np.testing.assert_allclose(found, model.predict_proba(data.test.images), rtol=0, atol=1e-5)


def test_numbers_that_float16_holds_are_written_in_it(opened: Open) -> None:
    model = around(Dense)
    full = len(html_page(model))
    for array in (model.network.parameters, model.network.statistics):
        array[...] = array.astype(np.float16)
    model.network.parameters[:3] = 6e-8, -(2.0**-15), 0  # float16's least numbers, and none
    model.network.parameters[:] = model.network.parameters.astype(np.float16)
    assert len(html_page(model)) < full - model.size * 2
    images = noise(40)
    np.testing.assert_allclose(probabilities(opened(model), images), model.predict_proba(images), rtol=0, atol=1e-5)


def test_drawings_get_the_same_answer_as_from_the_server(opened: Open, bundled: Path) -> None:
    page, model = opened(bundled), open_model()
    for number, hand in enumerate(HANDS.values()):
        for digit in (number, (number + 3) % 10, (number + 6) % 10):
            picture = painted(drawn(digit, number)[0], hand.width, light=digit % 2 == 0)
            found, expected = looked(page, picture), look(model, picture)
            assert found["prepared"] == expected["prepared"]
            np.testing.assert_allclose(found["probabilities"], expected["probabilities"], rtol=0, atol=1e-5)
            assert found["doubt"] == pytest.approx(expected["doubt"], abs=1e-4)
            assert (found["answer"], found["runner_up"]) == (expected["answer"], expected["runner_up"])
            for name in ("evidence", "runner_up_evidence"):
                np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=2e-4)


def pictures() -> dict[str, np.ndarray]:
    """A seven in gray pictures of every kind that the preparation tells apart, and pictures without a digit."""
    rng = np.random.default_rng(0)
    ink = np.zeros((200, 300))
    ink[30:40, 150:200] = 1
    for y in range(100):
        ink[30 + y, 190 - y // 4 : 200 - y // 4] = 1
    y, x = np.mgrid[-1:1:200j, -1:1:300j]
    lit = {
        "flat": 240 + 0 * x,
        "plane": 160 + 40 * x - 15 * y,
        "bent": 160 + 30 * x - 20 * y - 25 * (x * x + y * y),
        "shadow": np.where(x + y > 0.3, 90.0, 200.0),
    }
    found = {name: ground - 80 * ink + rng.normal(0, 3, ink.shape) for name, ground in lit.items()}
    found["light ink"] = 40 + 120 * ink + rng.normal(0, 4, ink.shape)
    found["ruled"] = np.where(np.arange(200) % 25 == 0, 150.0, 240.0)[:, None] - 140 * ink
    found["framed"] = np.pad(230 - 180 * ink, 12)
    found["large and thin"] = np.where(np.add.outer(np.arange(900), np.arange(1400) // 3) // 3 == 200, 0.0, 255.0)
    found["specks"] = np.where(rng.random(ink.shape) < 0.001, 0.0, 255.0)
    found["noise"] = rng.normal(128, 20, ink.shape)
    found["blank"] = np.full((60, 50), 255.0)
    return {name: picture.clip(0, 255).astype(np.uint8) for name, picture in found.items()}


def test_pictures_are_prepared_as_in_python(opened: Open, bundled: Path) -> None:
    page, model = opened(bundled), open_model()
    for name, pixels in pictures().items():
        found, expected = looked(page, png(pixels)), look(model, png(pixels))
        assert found["empty"] == expected["empty"], name
        assert found.get("prepared", found.get("why")) == expected.get("prepared", expected.get("why")), name


def test_colours_and_transparency_are_read_as_in_python(opened: Open, bundled: Path) -> None:
    page, model, gray = opened(bundled), open_model(), pictures()["flat"]
    shade = gray.astype(int)
    coloured = np.stack([shade, 255 - shade // 2, shade // 3], axis=-1).astype(np.uint8)
    red_on_green = np.stack([255 - gray, np.full_like(gray, 110), np.full_like(gray, 40)], axis=-1)
    clear = np.stack([gray, gray, gray, np.where(gray < 200, 255, 0).astype(np.uint8)], axis=-1)
    light = np.stack([255 - gray // 8] * 3 + [np.where(gray < 200, 255, 60).astype(np.uint8)], axis=-1)
    for pixels in (coloured, red_on_green, clear, light):
        expected = np.array(look(model, png(pixels))["prepared"])
        difference = np.abs(np.array(looked(page, png(pixels))["prepared"]) - expected)
        assert difference.max() <= 1


def doubting(model: Model, images: np.ndarray) -> Model:
    """The model with a doubt of which images get every value."""
    p = Pass(model.network)
    seen = evidence(model.network, p, model.network.forward(model.inputs(images), p))
    weights = np.random.default_rng(0).normal(size=seen.shape[1]) / (seen.std(axis=0) + 1e-3) / seen.shape[1] ** 0.5
    doubt = Doubt(weights.astype(np.float32), -float(np.median(seen @ weights)))
    return Model(model.networks, model.preprocessing, model.classes, doubts=doubt)


def wide() -> Model:
    """One the inputs of whose last layer are too many for evidence."""
    return Model(network([Dense(UNITS), ReLU(), Dense(2100), ReLU(), Dense(10)]), form(), CLASSES)


@pytest.mark.parametrize("name", ["many layers", "convolutions", "ensemble of convolutions", "wide", "bundled"])
def test_doubt_is_the_same_as_in_python(name: str, opened: Open) -> None:
    model = {"wide": wide, "bundled": open_model}.get(name, MODELS.get(name))()
    drawings = [painted(drawn(digit, 0)[0], width=0.05 + 0.03 * digit) for digit in range(10)]
    images = np.array([look(model, each)["prepared"] for each in drawings], np.uint8)
    model = model if name == "bundled" else doubting(model, images)
    page, expected = opened(model), model.doubt(images)
    found = [looked(page, drawing)["doubt"] for drawing in drawings]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert expected.max() > 10 * expected.min() if name == "bundled" else np.ptp(expected) > 0.3


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def deep_png(values: np.ndarray, interlaced: bool) -> bytes:
    """A gray PNG of 16 bits, each of whose rows has another of the five filters."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b""
    for top, left, down, across in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = values[top::down, left::across].astype(">u2")
        raw = np.pad(np.ascontiguousarray(part).view(np.uint8).astype(int), ((1, 0), (2, 0)))
        for y in range(1, len(raw)) if part.shape[1] else ():
            x, a, b, c = raw[y, 2:], raw[y, :-2], raw[y - 1, 2:], raw[y - 1, :-2]
            ways = np.abs([b - c, a - c, a + b - 2 * c]).argmin(axis=0)
            predicted = [0 * x, a, b, (a + b) // 2, np.choose(ways, [a, b, c])][y % 5]
            rows += bytes([y % 5]) + ((x - predicted) % 256).astype(np.uint8).tobytes()
    packed, head = zlib.compress(rows), struct.pack(">IIBBBBB", *values.shape[::-1], 16, 0, 0, 0, interlaced)
    content = chunk(b"IDAT", packed[:99]) + chunk(b"IDAT", packed[99:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + content + chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_picture_of_16_bits_is_read_as_in_python(
    interlaced: bool, opened: Open, bundled: Path, tmp_path: Path
) -> None:
    page, model = opened(bundled), open_model()
    rng = np.random.default_rng(0)
    for name in ("flat", "shadow", "light ink"):
        values = 7 * pictures()[name].astype(np.uint16) + rng.integers(0, 9, (200, 300), np.uint16)
        values[0, :3] = 65535  # faulty pixels
        content = deep_png(values, interlaced)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), values)
        found, expected = looked(page, content), look(model, content)
        assert found["prepared"] == expected["prepared"], name
    (tmp_path / "deep.png").write_bytes(content)
    page.locator("input[type=file]").set_input_files(tmp_path / "deep.png")
    expect(page.locator(".said .digit")).to_have_text(expected["answer"])
    shown = "(canvas) => [...canvas.getContext('2d').getImageData(0, canvas.height / 2, canvas.width, 1).data]"
    assert np.ptp(np.array(page.locator(".paper").evaluate(shown)).reshape(-1, 4)[:, 0]) > 100  # not one black square
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    page.locator("input[type=file]").set_input_files(tmp_path / "cut.png")
    expect(page.get_by_role("status")).to_contain_text("cannot read that file")


@pytest.mark.parametrize("dark_on_light", [False, True])
def test_other_forms_of_images(dark_on_light: bool, opened: Open) -> None:
    for box, side in ((8, 8), (12, 16)):
        preprocessing = Preprocessing(side, side, 1 / 16, -0.5, box, dark_on_light)
        model = Model(Network([Dense(10)], side * side), preprocessing, CLASSES)
        page = opened(model)
        small = load_dataset("digits").test.images[0]
        for pixels in (*pictures().values(), small, 255 - small):
            found, expected = looked(page, png(pixels)), look(model, png(pixels))
            assert found.get("prepared") == expected.get("prepared")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_digit_is_drawn_and_recognised(size: str, scheme: str, opened: Open, bundled: Path) -> None:
    touch = size == "narrow"
    page = opened(bundled, viewport=SIZES[size], color_scheme=scheme, has_touch=touch)
    right = 0
    for digit in (2, 4, 7):
        draw(page, digit, touch)
        said = page.locator(".said .digit").inner_text()
        right += said == str(digit)
        shares = [float(text.removesuffix(" %")) for text in page.locator(".probabilities .share").all_inner_texts()]
        script = (
            "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"
        )
        seen = 255 - np.array(page.locator(".seen canvas").evaluate(script)).reshape(1, 28, 28)
        expected = open_model().predict_proba(seen.astype(np.uint8))[0]
        np.testing.assert_allclose(shares, 100 * expected, atol=0.051)
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".said .digit")).to_have_text("–")
    assert right == 3
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]


def test_keys_draw_too_and_choose_units(opened: Open, run: Run) -> None:
    page = opened(run.model)
    page.get_by_role("application", name="Paper").focus()
    for key in (*["ArrowUp"] * 10, "Space", *["ArrowDown"] * 20, "Space"):
        page.keyboard.press(key)
    expect(page.locator(".said [aria-live]")).to_contain_text("That")
    hidden = page.get_by_role("application", name="Hidden layer 1")
    page.keyboard.press("Tab")
    for _ in range(10):
        if hidden.evaluate("(canvas) => canvas === document.activeElement"):
            break
        page.keyboard.press("Tab")
    detail = page.locator(".network .detail")
    expect(detail).to_contain_text("Hidden layer 1, unit 1:")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(detail).to_contain_text("Hidden layer 1, unit 13:")


def test_a_unit_shows_its_sum(opened: Open, run: Run) -> None:
    page, model = opened(run.model), run.model
    draw(page, 3)
    expect(page.locator(".network > p")).not_to_contain_text("white")  # where it is dark, 0 is dark
    seen = np.array(
        page.locator(".seen canvas").evaluate(
            "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 8, 8).data].filter((_, i) => i % 4 === 0)"
        )
    )
    layer = model.network.layers[0]
    x = model.inputs((255 - seen).reshape(1, 8, 8).astype(np.uint8))[0]
    hidden = page.get_by_role("application", name="Hidden layer 1")
    box = still(hidden)
    page.mouse.move(box["x"] + box["width"] / 11 * 2.5, box["y"] + box["height"] / 4 * 1.5)
    unit = 11 + 2  # in the third of eleven columns and the second of four rows
    expect(page.locator(".network .detail h3")).to_contain_text(f"Hidden layer 1, unit {unit + 1}:")
    rows = page.get_by_role("table", name="The sum").locator("tr")
    terms = [numbers(row.locator("td").nth(1).inner_text()) for row in rows.all()]
    expected = x * layer.W[:, unit]
    order = np.argsort(-np.abs(expected))
    assert terms[:6] == pytest.approx(expected[order[:6]].tolist(), abs=6e-5)
    assert terms[-1] == pytest.approx(float(expected.sum() + layer.b[unit]), abs=6e-5)
    assert sum(terms[:-1]) == pytest.approx(terms[-1], abs=5e-4)
    expect(page.locator(".network .detail")).to_contain_text("BatchNorm: ")
    expect(page.locator(".network .detail")).to_contain_text("ReLU(")


def numbers(text: str) -> float:
    return float(text.replace("−", "-"))


def test_how_the_run_learned(opened: Open, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    assert main(["export", str(run.path), "--html", str(path)]) == 0
    page = opened(path)
    page.get_by_role("link", name="Training").click()
    expect(page.get_by_role("heading", name="How it was trained")).to_be_visible()
    for curve in record_of(run.model, "a run", run).curves:
        title, last = curve["title"], curve["lines"][0]["y"][-1]
        chart = page.get_by_role("img", name=f"{title}: ")
        said = f"{100 * last:.2f} %" if curve["percent"] else f"{last:.4f}"
        label = chart.get_attribute("aria-label")
        assert label is not None
        assert f"training ends at {said}" in label
        assert chart.locator("polyline").count() == 2
    evaluation = evaluate(run.model, load_dataset("digits").test)
    cells = page.locator(".confusion tbody td").all_inner_texts()
    assert [0 if cell == "·" else int(cell) for cell in cells] == evaluation.confusion.ravel().tolist()
    expect(page.locator(".facts")).to_contain_text(f"{100 * evaluation.accuracy:.2f} %")


def test_the_tiny_network_step_by_step(opened: Open, run: Run) -> None:
    page, tiny = opened(run.model), explain_tiny()
    page.get_by_role("link", name="A tiny network").click()
    page.wait_for_function(
        "[...document.fonts].some((font) => font.family.includes('STIX Two Math') && font.status === 'loaded')"
    )
    where = page.get_by_text("Stage 1 of")
    expect(where).to_be_visible()
    for number, stage in enumerate(tiny.stages, 1):
        expect(page.locator(".present")).to_contain_text(f"Stage {number} of {len(tiny.stages)}: {stage.title}")
        assert page.locator(".body .sums li").all_inner_texts() == list(stage.sums)
        page.keyboard.press("ArrowRight")
    page.get_by_role("link", name="Draw").click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="A tiny network, step by step")).to_be_visible()
    for name, number in {"dW1": [stage.name for stage in tiny.stages].index("dW1") + 1, "nonsense": 1}.items():
        page.evaluate(f"location.hash = '#tiny?stage={name}'")
        expect(page.locator(".present")).to_contain_text(f"Stage {number} of")
        expect(page.get_by_role("link", name="A tiny network")).to_have_attribute("aria-current", "page")


def test_a_slider_goes_through_what_the_network_was(opened: Open, tmp_path: Path) -> None:
    models = [Model(network([Dense(12), BatchNorm(), Dense(10)], seed=seed), form(), CLASSES) for seed in range(3)]
    (tmp_path / "past.html").write_bytes(html_page(models[2], past={0: models[0], 1500: models[1]}))
    page, images = opened(tmp_path / "past.html"), noise(20)
    draw(page, 3)
    slider = page.get_by_role("slider")
    slider.focus()
    for key, model, words in (
        ("Home", models[0], "after step 0"),
        ("ArrowRight", models[1], "after step 1,500"),
        ("End", models[2], "kept at the end"),
    ):
        page.keyboard.press(key)
        expect(page.locator(".moments")).to_contain_text(words)
        np.testing.assert_allclose(probabilities(page, images), model.predict_proba(images), rtol=0, atol=1e-5)
        expect(page.locator(".said [aria-live]")).to_have_attribute("aria-busy", "false")
    seen = "document.querySelector('.moments span')"
    page.evaluate(f"""() => {{
        globalThis.seen = [];
        const look = () => globalThis.seen.push({seen}.textContent);
        new MutationObserver(look).observe({seen}, {{ childList: true }});
    }}""")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()  # until then it says Pause
    assert [words.rpartition(" ")[2] for words in page.evaluate("globalThis.seen")] == ["0", "1,500", "end"]


def test_a_picture_is_opened(opened: Open, bundled: Path, tmp_path: Path) -> None:
    page = opened(bundled)
    (tmp_path / "seven.png").write_bytes(painted(drawn(7, 0)[0]))
    page.locator("input[type=file]").set_input_files(tmp_path / "seven.png")
    expect(page.locator(".said .digit")).to_have_text("7")
    (tmp_path / "text.png").write_text("no picture")
    page.locator("input[type=file]").set_input_files(tmp_path / "text.png")
    expect(page.get_by_role("status")).to_contain_text("cannot read that file")


@pytest.mark.parametrize("shape", [(2, 70_000), (8_001, 8_000)], ids=["long", "large"])
def test_a_picture_that_is_too_large_is_refused_and_the_next_is_read(
    shape: tuple[int, int], opened: Open, bundled: Path, tmp_path: Path
) -> None:
    page = opened(bundled)
    Image.new("1", shape, 1).save(tmp_path / "large.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "large.png")
    told = "allowed are 64,000,000 in all and 32,767 on a side). Undo it, or open a smaller picture."
    expect(page.locator(".said")).to_contain_text(told)
    (tmp_path / "seven.png").write_bytes(painted(drawn(7, 0)[0]))
    page.locator("input[type=file]").set_input_files(tmp_path / "seven.png")
    expect(page.locator(".said .digit")).to_have_text("7")


def test_names_of_classes_are_text(opened: Open) -> None:
    names = ("</script><b>bold</b>", "<!--", "'\"\\", "{{ name }}", *"456789")
    page = opened(Model(network([Dense(10)]), form(), names))
    assert page.evaluate("glassnet.classes") == list(names)
    assert page.locator("b:text-is('bold')").count() == 0


def test_the_browser_lets_the_page_ask_for_nothing(browser: Browser, bundled: Path) -> None:
    page = browser.new_page()
    page.goto(bundled.as_uri())
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        script = f"fetch('{address}', {{ signal: AbortSignal.timeout(3000) }}).then(() => '', (error) => error.name)"
        assert page.evaluate(script) == "TypeError"  # refused at once, not given up
        script = f"""() => new Promise((done) => {{
            addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
            document.body.append(Object.assign(new Image(), {{ src: "{address}/a.png" }}));
            setTimeout(done, 3000, "nothing");
        }})"""
        assert page.evaluate(script) == "img-src"
        with pytest.raises(TimeoutError):
            server.accept()
    page.close()


def test_data_are_json(bundled: Path) -> None:
    text = bundled.read_text("utf-8").partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(text)["model"]["classes"] == list("0123456789")

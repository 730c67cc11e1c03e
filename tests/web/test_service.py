"""What programs ask, over the wire."""

import asyncio
import base64
import io
import json
import threading
import time
import zlib
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from glassnet import Model, load_dataset, open_model, train
from glassnet.cli import main
from glassnet.data.dataset import Images
from glassnet.nn.types import Array
from glassnet.web import Site, create_app
from glassnet.web.batcher import Batcher
from glassnet.web.store import Store

Json = dict[str, Any]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine returns, in a thread of its own: the browser's event loop goes on in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def picture(kind: str = "PNG") -> bytes:
    """A dark 1 on light paper."""
    image = Image.new("L", (120, 160), 240)
    ImageDraw.Draw(image).line([(50, 40), (66, 20), (66, 140)], 20, 12)
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG file of 100 kB with 30,000 × 30,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    header = (30_000).to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    pixels = zlib.compress(bytes(100_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def ask(address: str, content: bytes | Json, **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx.post(f"{address}/api/predict", content=body, headers=headers, timeout=30)


def test_a_picture_is_answered_as_by_the_command_line(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, suffix in (("PNG", "png"), ("JPEG", "jpg")):
        path = tmp_path / f"one.{suffix}"
        path.write_bytes(picture(kind))
        assert main(["predict", str(path), "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        answer = ask(address, picture(kind)).json()
        assert answer[0]["label"] == "1"
        assert answer == [said[0] | {"input": "the picture"}]


def test_pixels_are_answered_as_rows_of_a_csv_file_are(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28))
    path = tmp_path / "test.csv"
    rows = [[f"pixel{i}" for i in range(784)], *images.reshape(3, -1)]
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    assert main(["predict", "--csv", str(path), "--json"]) == 0
    said = [answer["probabilities"] for answer in json.loads(capsys.readouterr().out)]
    answers = ask(address, {"images": images.tolist()}).json()
    assert [answer["input"] for answer in answers] == ["image 1", "image 2", "image 3"]
    alone = ask(address, {"pixels": images[1].tolist()}).json()
    fractions = ask(address, {"pixels": (images[1] / 255).tolist()}).json()
    for got, expected in ((answers, said), (alone, said[1:2]), (fractions, said[1:2])):
        for answer, probabilities in zip(got, expected, strict=True):
            assert answer["probabilities"] == pytest.approx(probabilities, abs=1e-6)


def test_pixels_of_another_shape_are_prepared_as_a_picture_is(address: str) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(picture()))).tolist()
    answer = ask(address, {"pixels": pixels}).json()
    assert answer[0]["probabilities"] == pytest.approx(ask(address, picture()).json()[0]["probabilities"], abs=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the body is empty"),
        (b"hello", "not a PNG, JPEG, BMP"),
        (b"data:image/png;base64,iVBORw0KGgo=", "a data URL; send the bytes of the picture themselves"),
        (base64.b64encode(picture()), "perhaps base64; send the bytes of the picture themselves"),
        (b"picture=%89PNG%0D%0A", "a form of text; send the picture itself, as curl --data-binary @PICTURE does"),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n", "is a form, but its content-type is not"),
        (b"GIF89a" + bytes(50), "the picture"),
        (picture()[:200], "truncated or damaged"),
        (picture("JPEG")[:150], "the picture"),
        (bomb(), "at most 64,000,000"),
        (b'{"pixels": [[0, 1', "not JSON"),
        (b"[" * 500_000, "not a PNG"),
        (b'{"pixels": ' + b"[" * 500_000, "not JSON"),
        (b'{"pixels": "\xff"}', "not JSON"),
        ({}, "neither pixels nor images"),
        ({"pixels": [[0]], "images": [[[0]]]}, "neither pixels nor images"),
        ({"path": "/etc/passwd"}, "neither pixels nor images"),
        ({"pixels": [0, 1, 2]}, "1 dimensions"),
        ({"pixels": 7}, "0 dimensions"),
        ({"images": [[0, 1], [1, 0]]}, "2 dimensions"),
        ({"images": []}, "1 dimensions"),
        ({"pixels": [[0, 1], [1]]}, "different lengths"),
        ({"images": [[[0]], [[0, 1]]]}, "different lengths"),
        ({"pixels": [[], []]}, "holds no pixels"),
        ({"pixels": [[float("nan")] * 28] * 28}, "pixels from nan to nan"),
        ({"pixels": [[float("inf")] * 28] * 28}, "expected 0 to 255"),
        ({"pixels": [[-1] * 28] * 28}, "expected 0 to 255"),
        ({"pixels": [[256] * 28] * 28}, "expected 0 to 255"),
        ({"pixels": [[10**400] * 28] * 28}, "pixels of type"),
        ({"pixels": [["0"] * 28] * 28}, "pixels of type"),
        ({"pixels": [[None] * 28] * 28}, "pixels of type"),
        ({"pixels": [[1.5] * 28] * 28}, "fractions above 1"),
        ({"pixels": [[7]]}, "no digit found in image 1"),
        ({"images": [[[7] * 30] * 30]}, "no digit found in image 1"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(address: str, content: bytes | Json, words: str) -> None:
    answer = ask(address, content)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert len(answer.json()["error"]) < 300


def test_a_form_with_pictures(address: str) -> None:
    alone = ask(address, picture()).json()[0]
    files = [("picture", ("one.png", picture(), "image/png")), ("more", ("two.jpg", picture("JPEG"), "image/jpeg"))]
    answers = httpx.post(f"{address}/api/predict", files=files).json()
    assert [answer["input"] for answer in answers] == ["one.png", "two.jpg"]
    assert answers[0]["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-6)
    for sent, words in (
        ({"files": {"a": ("bad.png", b"hello")}}, "bad.png: not a PNG, JPEG, BMP"),
        ({"data": {"a": "text"}, "files": {"": ("", b"")}}, "the form has no file"),
        ({"content": b"rubbish", "headers": {"content-type": "multipart/form-data"}}, "boundary"),
    ):
        answer = httpx.post(f"{address}/api/predict", **sent)
        assert answer.status_code == 400
        assert words in answer.json()["error"]


def test_a_photograph_of_many_bytes(address: str) -> None:
    noise = np.random.default_rng(0).integers(200, 256, (3000, 2000, 3), np.uint8)
    noise[1000:2000, 950:1050] = 10
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert len(file.getvalue()) > 10 * 2**20
    assert ask(address, file.getvalue()).status_code == 200


def test_only_so_many_images_of_another_shape(address: str) -> None:
    image = [[0] * 5, [0, 0, 255, 0, 0], [0, 0, 255, 0, 0], [0, 0, 255, 0, 0], [0] * 5]
    assert len(ask(address, {"images": [image] * 64}).json()) == 64
    answer = ask(address, {"images": [image] * 65})
    assert answer.status_code == 400
    assert "65 of another shape than the model's 28×28; send 64 at most" in answer.json()["error"]


def test_the_type_of_a_body_that_is_no_json(address: str) -> None:
    answer = ask(address, picture(), **{"content-type": "application/json"})
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]


def test_no_other_method_and_no_other_path(address: str) -> None:
    assert httpx.get(f"{address}/api/predict").status_code == 405
    assert httpx.get(f"{address}/api/nothing").status_code == 404
    assert "error" in httpx.get(f"{address}/api/nothing").json()


def test_the_service_alone_is_described_and_no_page_loads_scripts_from_elsewhere(address: str) -> None:
    described = httpx.get(f"{address}/openapi.json").json()
    assert set(described["paths"]) == {"/api/health", "/api/model", "/api/predict", "/api/read"}
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert httpx.get(address + path).status_code == 404
    assert httpx.head(address).status_code == 200


def test_the_description_is_true(address: str) -> None:
    """Send what it says may be sent, and compare what comes with what it says will come."""
    jsonschema = pytest.importorskip("jsonschema")
    described = httpx.get(f"{address}/openapi.json").json()
    named = {"components": described["components"]}

    def check(value: Json, schema: Json) -> None:
        jsonschema.Draft202012Validator(schema | named).validate(value)

    def check_answer(answer: httpx.Response, path: str) -> None:
        said = described["paths"][path][answer.request.method.lower()]["responses"][str(answer.status_code)]
        check(answer.json(), said["content"]["application/json"]["schema"])

    for path, operations in described["paths"].items():
        assert set(operations) <= {"get", "post"}
        for operation in operations.values():
            for said in operation["responses"].values():
                jsonschema.Draft202012Validator.check_schema(said["content"]["application/json"]["schema"] | named)
        if "get" in operations:
            answer = httpx.get(address + path)
            assert answer.status_code == 200
            check_answer(answer, path)
            check_answer(httpx.get(address + path, headers={"host": "evil.example"}), path)

    sent = described["paths"]["/api/predict"]["post"]["requestBody"]["content"]
    forms = ("png", "jpeg", "bmp", "gif", "tiff", "webp")
    assert set(sent) == {*(f"image/{form}" for form in forms), "multipart/form-data", "application/json"}
    pictures = {f"image/{form}" for form in forms}
    assert set(described["paths"]["/api/read"]["post"]["requestBody"]["content"]) == pictures
    question = sent["application/json"]
    several = {"images": [question["example"]["pixels"]] * 2}
    for body in (question["example"], several):
        check(body, question["schema"])
        answer = ask(address, body, **{"content-type": "application/json"})
        assert answer.status_code == 200
        assert [prediction["label"] for prediction in answer.json()] == ["1"] * len(body.get("images", [0]))
        check_answer(answer, "/api/predict")
    for kind in forms:
        answer = ask(address, picture(kind.upper()), **{"content-type": f"image/{kind}"})
        assert answer.status_code == 200
        assert answer.json()[0]["label"] == "1"
        check_answer(answer, "/api/predict")
    for query in ("", "?rows=1&columns=1", "?rows=3"):
        answer = httpx.post(f"{address}/api/read{query}", content=picture())
        assert answer.status_code == (400 if query == "?rows=3" else 200)
        check_answer(answer, "/api/read")

    for wrong in ({}, {"pixels": [1]}, {"pixels": [[-1]]}, {"pixels": [[1]], "path": "x"}, {"images": []}):
        with pytest.raises(jsonschema.ValidationError):
            check(wrong, question["schema"])
        check_answer(ask(address, wrong), "/api/predict")
    check_answer(ask(address, bytes(2**21)), "/api/predict")
    check_answer(ask(address, {}, origin="http://evil.example"), "/api/predict")


def ask_site(site: Site, method: str, path: str, content: bytes = b"") -> httpx.Response:
    """Ask a site without a server in between."""

    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(site))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, content=content)

    return run(exchange())


def test_a_model_that_cannot_be_read_is_told_and_the_server_lives_on(site: Site, tmp_path: Path) -> None:
    lost = Site(site.runs, tmp_path / "lost.safetensors", site.drawings)
    for path, method in (("/api/predict", "POST"), ("/api/model", "GET")):
        answer = ask_site(lost, method, path, picture())
        assert answer.status_code == 400
        assert "lost.safetensors" in answer.json()["error"]
    assert ask_site(lost, "GET", "/api/health").json()["status"] == "ok"


def test_a_model_of_another_shape_gets_its_own_form(site: Site, tmp_path: Path) -> None:
    run = train(load_dataset("digits"), epochs=1, out=tmp_path / "r")
    small = Site(tmp_path, run.path, site.drawings)
    assert ask_site(small, "GET", "/api/model").json()["image_shape"] == [8, 8]
    assert ask_site(small, "POST", "/api/predict", picture()).status_code == 200


def test_a_model_that_is_written_anew_is_read_anew(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = open_model()
    model.save(path)
    store = Store(Site(site.runs, path, site.drawings))
    first = store.model(None)
    assert store.model(None) is first
    Model(model.networks, model.preprocessing, tuple("abcdefghij")).save(path)
    assert store.model(None).classes[0] == "a"


class Slow(Model):
    """The bundled model, which remembers how many images came at a time and waits before it answers."""

    def __init__(self) -> None:
        bundled = open_model()
        super().__init__(bundled.networks, bundled.preprocessing, bundled.classes)
        self.counts: list[int] = []
        self.go = threading.Event()

    def recognise(self, images: Images, shifts: int = 0) -> tuple[Array, Array | None]:
        self.counts.append(len(images))
        assert self.go.wait(10)
        return super().recognise(images, shifts)


def test_each_gets_the_same_bits_whatever_is_asked_at_the_same_time() -> None:
    model = Slow()
    images = np.random.default_rng(0).integers(0, 256, (700, 28, 28), np.uint8)
    parts = [images[:1], images[1:4], images[4:10], images[10:300], images[300:]]

    async def ask_all() -> list[Array]:
        batcher = Batcher()
        first = asyncio.create_task(batcher.recognise(model, parts[0]))
        await asyncio.sleep(0.05)  # it is being computed; the others come meanwhile
        others = [asyncio.create_task(batcher.recognise(model, part)) for part in parts[1:]]
        await asyncio.sleep(0)
        model.go.set()
        return [(await task)[0] for task in (first, *others)]

    answers = run(ask_all())
    assert model.counts == list(map(len, parts))
    for answer, part in zip(answers, parts, strict=True):
        np.testing.assert_array_equal(answer, open_model().predict_proba(part))


def test_a_lone_question_waits_for_nothing() -> None:
    model = open_model()
    image = np.zeros((1, 28, 28), np.uint8)

    async def ask_in_turn() -> float:
        batcher = Batcher()
        took = []
        for _ in range(50):
            start = time.perf_counter()
            await batcher.recognise(model, image)
            took.append(time.perf_counter() - start)
        return min(took)  # what waits would wait each time; a busy machine is slow now and then

    assert run(ask_in_turn()) < 0.02


def test_an_error_reaches_those_who_asked_and_no_others() -> None:
    model, other = open_model(), open_model()
    good, bad = np.zeros((1, 28, 28), np.uint8), np.zeros((1, 8, 8), np.uint8)

    async def ask_all() -> list[tuple[Array, Array | None] | BaseException]:
        batcher = Batcher()
        asked = [batcher.recognise(m, images) for m, images in ((model, bad), (other, good), (other, good))]
        return await asyncio.gather(*asked, return_exceptions=True)

    wrong, *right = run(ask_all())
    assert isinstance(wrong, ValueError)
    assert [np.shape(answer[0]) for answer in right if isinstance(answer, tuple)] == [(1, 10), (1, 10)]


def test_many_clients_at_once_get_their_own_answers(address: str) -> None:
    images = np.random.default_rng(1).integers(0, 256, (64, 28, 28))
    expected = open_model().predict_proba(images)

    async def ask_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            return await asyncio.gather(
                *(client.post("/api/predict", json={"pixels": image.tolist()}) for image in images)
            )

    for image, answer, p in zip(images, run(ask_all()), expected, strict=True):
        assert list(answer.json()[0]["probabilities"].values()) == pytest.approx(p.tolist(), abs=1e-6)
        assert httpx.post(f"{address}/api/predict", json={"pixels": image.tolist()}).content == answer.content

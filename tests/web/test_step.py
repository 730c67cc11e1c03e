"""What the server says of one step, and of the clinic."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from glassnet import Model, load_dataset, textbook, textbook_convolution, train
from glassnet.clinic import MISTAKES
from glassnet.data import Examples
from glassnet.evaluation import evaluate
from glassnet.explain import explain
from glassnet.training import BUNDLED, Config, Run
from glassnet.web import Site


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address) as client:
        yield client


@pytest.fixture
def run(site: Site, digits_run: Path) -> Run:
    """A run of a 64-60-10 network, called ``mine``."""
    site.runs.mkdir()
    (site.runs / "mine").symlink_to(digits_run)
    return Run(digits_run)


def arrays(answer: dict[str, Any]) -> dict[str, Any]:
    return {stage["name"]: np.array(stage["array"]) for stage in answer["stages"]}


def test_the_tiny_step_equals_the_textbook(client: httpx.Client) -> None:
    rng = np.random.default_rng(0)
    parameters = {"W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)}
    given = {name: rng.normal(size=shape) for name, shape in parameters.items()}
    image = [[10, 200], [255, 0]]
    question = {"parameters": {k: v.tolist() for k, v in given.items()}, "image": image, "label": 1, "rate": 0.2}
    answer = client.post("/api/explain/tiny", json=question).json()
    found = arrays(answer)
    layers = [(given["W1"], given["b1"]), (given["W2"], given["b2"])]
    X, y, relu = np.reshape(image, (1, 4)) / 255, np.array([1]), textbook.ACTIVATIONS["relu"]
    A, Z, P = textbook.forward(layers, X, relu)
    gradients = textbook.backward(layers, A, Z, P, y, relu)
    moved, loss = textbook.gradient_descent_step(layers, X, y, relu, 0.2)
    expected = {"X": X[0], "Z1": Z[0][0], "A1": A[1][0], "Z2": Z[1][0], "P": P[0], "L": loss}
    for i, ((dW, db), (W, b)) in enumerate(zip(gradients, moved, strict=True), 1):
        expected |= {f"dW{i}": dW, f"db{i}": db, f"W{i} after": W, f"b{i} after": b}
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-15, err_msg=name)
    assert answer["parameters"] == question["parameters"]
    assert (answer["label"], answer["rate"], answer["image"]) == (1, 0.2, image)
    stage = next(stage for stage in answer["stages"] if stage["name"] == "Z1")
    assert "<msub><mi>W</mi><mn>1</mn></msub>" in stage["mathml"]
    assert len(stage["sums"]) == 3


def test_the_tiny_convolution_equals_the_textbook(client: httpx.Client) -> None:
    rng = np.random.default_rng(0)
    shapes = {"W1": (2, 2, 1, 1), "b1": (1,), "W2": (4, 2), "b2": (2,)}
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    image = rng.integers(0, 256, (4, 4)).tolist()
    question = {"parameters": {k: v.tolist() for k, v in given.items()}, "image": image, "label": 1, "rate": 0.2}
    answer = client.post("/api/explain/tiny-convolution", json=question).json()
    found, X = arrays(answer), np.reshape(image, (4, 4, 1)) / 255
    Z = textbook_convolution.convolve(X, given["W1"], given["b1"], 1)
    M = textbook_convolution.max_pool(Z, 2, 1)
    A = np.maximum(M, 0).reshape(1, 4)
    logits = A @ given["W2"] + given["b2"]
    P = np.exp(logits) / np.exp(logits).sum()
    dlogits = P - [[0, 1]]
    dM = (dlogits @ given["W2"].T).reshape(2, 2, 1) * (M > 0)
    dZ = textbook_convolution.max_pool_backward(Z, dM, 2, 1)
    _, dW, db = textbook_convolution.convolve_backward(X, given["W1"], dZ, 1)
    expected = {"Z1": Z, "M1": M, "A1": A, "Z2": logits, "P": P, "dZ1": dZ, "dM1": dM, "dW1": dW, "db1": db}
    expected |= {"W1 after": given["W1"] - 0.2 * dW, "dW2": A.T @ dlogits}
    for name, array in expected.items():
        np.testing.assert_allclose(found[name].ravel(), array.ravel(), rtol=1e-12, atol=1e-15, err_msg=name)
    sums = {stage["name"]: stage["sums"] for stage in answer["stages"]}
    assert (len(sums["Z1"]), len(sums["dZ1"]), len(sums["dW1"])) == (9, 9, 4)
    assert answer["parameters"] == question["parameters"]


def test_bad_numbers_of_the_tiny_convolution_get_one_line(client: httpx.Client) -> None:
    for question, line in (
        ({"image": [[1, 2], [3, 4]]}, "image"),
        (
            {"parameters": {"W1": [[1, 2], [3, 4]], "b1": [0], "W2": 1, "b2": 0}},
            "W1: give numbers of shape (2, 2, 1",
        ),
        ({"parameters": {"W1": 1}}, "give W1, b1, W2, b2, not W1"),
    ):
        answer = client.post("/api/explain/tiny-convolution", json=question)
        assert answer.status_code == 400
        assert line in answer.json()["error"]
        assert "\n" not in answer.json()["error"]


WRONG: list[tuple[Any, str]] = [
    ({"rate": 0}, "learning_rate: must be more than 0"),
    ({"rate": "much"}, "rate: must be a number, not 'much'"),
    ({"rate": 10**400}, "rate: must be a number"),
    ({"rate": 2e6}, "rate: must be at most 1,000,000"),
    ({"label": 2}, "label 2"),
    ({"label": True}, "label: must be a whole number, not True"),
    ({"image": [[1, 2], [3]]}, "image: "),
    ({"image": [[1, 2], [3, 300]]}, "expected 0 to 255"),
    ({"image": 7}, "image: must be a list, not 7"),
    ({"parameters": {"W1": [[1]]}}, "give W1, b1, W2, b2"),
    ({"parameters": {"W1": 1, "b1": 0, "W2": 0, "b2": 0}}, "W1: give numbers of shape (4, 3)"),
    ({"colour": 1}, "no setting called 'colour'"),
    ([1], "not a JSON object"),
]


@pytest.mark.parametrize(("question", "line"), WRONG, ids=[line for _, line in WRONG])
def test_bad_numbers_get_one_line(client: httpx.Client, question: Any, line: str) -> None:
    answer = client.post("/api/explain/tiny", json=question)
    assert answer.status_code == 400
    assert line in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_parameters_that_are_no_finite_numbers_are_refused(client: httpx.Client) -> None:
    own = client.post("/api/explain/tiny", json={}).json()["parameters"]
    for bad, line in (([1, 2, None], "every number must be finite"), ([1, 2, "x"], "b1: "), ([1, 2, 10**400], "b1: ")):
        answer = client.post("/api/explain/tiny", json={"parameters": own | {"b1": bad}})
        assert answer.status_code == 400
        assert line in answer.json()["error"]
    assert client.post("/api/explain/tiny", content=b"{").status_code == 400


def test_a_run_is_explained_as_from_python(client: httpx.Client, run: Run) -> None:
    answer = client.get("/api/explain", params={"run": "mine", "image": 7, "rate": 0.05}).json()
    test = load_dataset("digits").test
    explanation = explain(run.model, test.images[7], int(test.labels[7]), 0.05)
    found = arrays(answer)
    for name in ("Z1", "A1", "P", "dZ1", "db2"):
        np.testing.assert_allclose(found[name], explanation[name].array.ravel(), rtol=1e-4, err_msg=name)
    assert found["L"] == float(explanation["L"].array)
    assert answer["images"] == len(test)
    assert answer["image"] == test.images[7].tolist()
    assert any("optimizer adam" in note for note in answer["notes"])
    assert not any(stage["name"] in ("Z1 after", "A1 after") for stage in answer["stages"])
    loudest = int(np.argmax(explanation["A1"].array))
    gradient = next(stage for stage in answer["stages"] if stage["name"] == "dW1")
    assert gradient["units"][0] == loudest
    image = explanation["dW1"].array[:, loudest].reshape(8, 8)
    np.testing.assert_allclose(gradient["array"][0], image, rtol=1e-4)


def test_of_a_large_matrix_the_largest_rows_are_sent(client: httpx.Client, run: Run) -> None:
    answer = client.get("/api/explain", params={"run": "mine"}).json()
    stage = next(stage for stage in answer["stages"] if stage["name"] == "W2 after")
    assert stage["shape"] == [60, 10]
    test = load_dataset("digits").test
    W2 = explain(run.model, test.images[0], int(test.labels[0]))["W2 after"].array
    assert np.shape(stage["array"]) == (48, 10)
    norms = np.linalg.norm(W2, axis=1)
    np.testing.assert_allclose(stage["array"], W2[norms >= np.sort(norms)[-48]], rtol=1e-4)


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({"run": "yours"}, "no such run"),
        ({"run": "../mine"}, "no such run"),
        ({"run": "mine", "image": "first"}, "image: must be a whole number, not 'first'"),
        ({"run": "mine", "image": "359"}, "there are 359 test images, 0 to 358"),
        ({"run": "mine", "image": "-1"}, "0 to 358"),
        ({"run": "mine", "rate": "nan"}, "must be more than 0"),
        ({"run": "mine", "rate": "x"}, "rate: must be a number, not 'x'"),
    ],
)
def test_a_question_that_has_no_answer(client: httpx.Client, run: Run, query: dict[str, str], line: str) -> None:
    answer = client.get("/api/explain", params=query)
    assert answer.status_code == 400
    assert line in answer.json()["error"]


def test_without_mnist_the_page_downloads_nothing_and_says_what_to_do(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLASSNET_DATA", raising=False)
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    answer = client.get("/api/explain")
    assert answer.status_code == 400
    assert "choose a run that was trained on other data" in answer.json()["error"]
    assert not (tmp_path / "cache").exists()
    assert BUNDLED.is_file()


def test_a_model_trained_on_openml_downloads_nothing(
    client: httpx.Client, site: Site, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *_, **__: pytest.fail("a download"))
    folder = site.runs / "from-openml"
    folder.mkdir()
    (folder / "config.toml").write_text((run.path / "config.toml").read_text())
    Model(run.model.networks, run.model.preprocessing, run.model.classes, "openml").save(folder / "model.safetensors")
    answer = client.get("/api/explain", params={"run": "from-openml"})
    assert answer.status_code == 400
    assert "from-openml was trained on openml" in answer.json()["error"]
    assert "the server downloads nothing" in answer.json()["error"]


def test_one_image_is_taken_without_the_others(client: httpx.Client, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_dataset("digits").test.images[7].tolist()
    assert client.get("/api/explain", params={"run": "mine"}).status_code == 200  # the data are in memory from here
    monkeypatch.setattr(Examples, "images", property(lambda _: pytest.fail("all images were copied")))
    assert client.get("/api/explain", params={"run": "mine", "image": 7}).json()["image"] == expected


def test_the_clinic_knows_every_mistake(client: httpx.Client) -> None:
    mistakes = client.get("/api/mistakes").json()
    assert [mistake["name"] for mistake in mistakes] == list(MISTAKES)
    for mistake in mistakes:
        assert all(mistake[word] == getattr(MISTAKES[mistake["name"]], word) for word in ("wrong", "right", "symptom"))


def test_a_pair_differs_in_the_mistake_alone(client: httpx.Client) -> None:
    for name, mistake in MISTAKES.items():
        question = {"mistake": name, "settings": {"seed": 3, "epochs": 4}}
        pair = client.post("/api/clinic/pair", json=question).json()
        planted, cured = (
            Config.resolve(side["recipe"], **side["settings"], mistakes=side["mistakes"]).model_dump()
            for side in (pair["planted"], pair["cured"])
        )
        differ = {key for key in planted if planted[key] != cured[key]}
        assert differ == {"mistakes", *mistake.changes(cured)}
        assert (cured["seed"], cured["epochs"]) == (3, 4)


def test_a_mistake_that_is_switched_on_later_leaves_the_settings_alone(client: httpx.Client) -> None:
    question = {"mistake": "unscaled-pixels", "settings": {"epochs": 4}, "mistakes_from": 2}
    pair = client.post("/api/clinic/pair", json=question).json()
    assert pair["planted"]["settings"] == pair["cured"]["settings"]
    assert pair["planted"]["mistakes_from"] == 2
    right, wrong = Config.resolve(
        "fast", **pair["planted"]["settings"], mistakes=pair["planted"]["mistakes"], mistakes_from=2
    ).parts()
    assert (right[0].scaling, right[0].mistakes, right[1]) == ("unit", (), 2)
    assert (wrong[0].scaling, wrong[0].mistakes, wrong[1]) == ("none", ("unscaled-pixels",), 4)


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ({"mistake": "one-bias-gradent"}, "did you mean 'one-bias-gradient'"),
        ({"mistake": "no-shuffling", "settings": {"epochs": 0}}, "epochs"),
        ({"mistake": "no-shuffling", "settings": {"recipe": "x"}}, "no setting called 'recipe'"),
        ({"settings": {}}, "mistake: is missing"),
        ("no-shuffling", "not a JSON object"),
    ],
)
def test_a_pair_that_cannot_be(client: httpx.Client, question: Any, line: str) -> None:
    answer = client.post("/api/clinic/pair", json=question)
    assert answer.status_code == 400
    assert line in answer.json()["error"]


def test_the_truth_is_told_by_the_test_images(client: httpx.Client, run: Run, site: Site) -> None:
    answer = client.get("/api/clinic/truth", params={"run": "mine"}).json()
    test = load_dataset("digits").test
    assert answer == {"accuracy": evaluate(run.model, test).accuracy, "images": len(test)}
    broken = train(
        load_dataset("digits"), "fast", optimizer="sgd", learning_rate=0.1, epochs=1, out=site.runs / "broken",
        mistakes=["softmax-without-maximum"], scaling="none", hidden=[],
    )  # fmt: skip
    assert broken.broken
    assert client.get("/api/clinic/truth", params={"run": "broken"}).json()["accuracy"] is None
    assert client.get("/api/clinic/truth", params={"run": "none"}).status_code == 400

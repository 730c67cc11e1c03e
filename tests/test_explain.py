import json
import math
import re
from copy import deepcopy
from html.parser import HTMLParser

import numpy as np
import pytest

from glassnet import textbook, textbook_convolution
from glassnet.data import Preprocessing
from glassnet.errors import ConfigError, DataError, FileError
from glassnet.explain import explain, explain_tiny, explain_tiny_convolution, mathml
from glassnet.explain.page import write_page
from glassnet.model import Model
from glassnet.nn import (
    GELU,
    SGD,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPool2D,
    Network,
    Pass,
    ReLU,
    Reshape,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
)

IMAGE = np.random.default_rng(7).integers(0, 256, (3, 4), dtype=np.uint8)
CLASSES = ("ant", "bee", "cat")
HIDDEN = {"relu": ReLU, "sigmoid": Sigmoid}


def model(*hidden, dtype=np.float32, scale=1 / 255, shift=0.0):
    network = Network([*hidden, Dense(3)], 12, dtype=dtype, seed=1)
    rng = np.random.default_rng(2)
    network.parameters += rng.normal(0, 0.1, network.parameters.size).astype(dtype)  # biases too
    network.statistics += rng.random(network.statistics.size).astype(dtype)
    return Model(network, Preprocessing(3, 4, scale, shift, 4, False), CLASSES)


def deep(activation=ReLU):
    return model(Dense(9), activation(), Dense(7), activation())


@pytest.mark.parametrize("activation", HIDDEN)
def test_every_stage_equals_the_textbook(activation):
    trained = deep(HIDDEN[activation])
    explanation = explain(trained, IMAGE, 1, learning_rate=0.3)
    f = textbook.ACTIVATIONS[activation]
    tensors = {name: array.astype(np.float64) for name, array in trained.network.named_parameters.items()}
    parameters = [(tensors[f"{i}.W"], tensors[f"{i}.b"]) for i in (0, 2, 4)]
    X, y = IMAGE.reshape(1, -1) / 255, np.array([1])
    A, Z, P = textbook.forward(parameters, X, f)
    gradients = textbook.backward(parameters, A, Z, P, y, f)
    moved, loss = textbook.gradient_descent_step(parameters, X, y, f, 0.3)
    _, Z_after, P_after = textbook.forward(moved, X, f)
    expected = {"X": X, "P": P, "L": loss, "P after": P_after, "L after": textbook.cross_entropy(P_after, y)}
    for layer in (1, 2, 3):
        expected |= {f"Z{layer}": Z[layer - 1], f"Z{layer} after": Z_after[layer - 1]}
        expected |= {f"A{layer}": A[layer]} if layer < 3 else {}
        for parameter, gradient, new in zip("Wb", gradients[layer - 1], moved[layer - 1], strict=True):
            expected |= {f"d{parameter}{layer}": gradient, f"{parameter}{layer} after": new}
    T = np.array([[0, 1, 0]])
    dZ3 = P - T
    dA2 = dZ3 @ parameters[2][0].T
    dZ2 = dA2 * f.derivative(Z[1])
    dA1 = dZ2 @ parameters[1][0].T
    expected |= {"dZ3": dZ3, "dA2": dA2, "dZ2": dZ2, "dA1": dA1, "dZ1": dA1 * f.derivative(Z[0])}
    for name, array in expected.items():
        np.testing.assert_allclose(explanation[name].array, array, rtol=1e-12, atol=1e-15, err_msg=name)
        assert explanation[name].array.dtype == np.float64
    assert {stage.name for stage in explanation.stages} == {*expected, "A1 after", "A2 after"}


def test_stages_come_in_the_order_of_the_calculation():
    names = [stage.name for stage in explain(model(Dense(9), ReLU()), IMAGE, 0).stages]
    forward = ["X", "Z1", "A1", "Z2", "P", "L"]
    backward = ["dZ2", "dW2", "db2", "dA1", "dZ1", "dW1", "db1"]
    update = ["W1 after", "b1 after", "W2 after", "b2 after"]
    assert names == forward + backward + update + [f"{name} after" for name in forward[1:]]


MODELS = {
    "linear": (),
    "tanh, dropout": (Dense(9), Tanh(), Dropout(0.5)),
    "leaky": (Dense(9), LeakyReLU(0.2)),
    "sigmoid": (Dense(9), Sigmoid()),
    "gelu, gelu": (Dense(9), GELU(), Dense(5), GELU()),
    "normalised": (Dense(9), BatchNorm(), ReLU(), Dense(6), BatchNorm(), Sigmoid(), Dropout(0.1)),
    "normalised input": (BatchNorm(), Dense(5), ReLU(), BatchNorm()),
}


@pytest.fixture(params=MODELS)
def any_model(request):
    return model(*deepcopy(MODELS[request.param]), dtype=np.float64)


def test_gradients_and_step_are_those_of_the_whole_network(any_model):
    """The layers walked one by one give what `Network` gives; and the loss after is a real forward's."""
    explanation = explain(any_model, IMAGE, 2, learning_rate=0.2)
    source = any_model.network
    network = Network.from_specification(source.specification(), 12, dtype=np.float64, seed=None)
    network.parameters[...], network.statistics[...] = source.parameters, source.statistics
    X, y, loss = IMAGE.reshape(1, -1) / 255, np.array([2]), SoftmaxCrossEntropy(3)
    p = Pass(network, gradients=network.gradients)
    found = loss(network.forward(X, p), y)
    assert explanation["L"].array == pytest.approx(found.value)
    network.backward(found.gradient, p)
    gradients = [stage.array for stage in explanation.stages if stage.name in {f"d{p}" for p in explanation.parameters}]
    assert sum(array.size for array in gradients) == network.gradients.size
    flat = np.concatenate([explanation[f"d{name}"].array.ravel() for name in explanation.parameters])
    np.testing.assert_allclose(flat, network.gradients, rtol=1e-12, atol=1e-15)
    SGD(network.parameters, network.gradients).step(0.2)
    moved = np.concatenate([explanation[f"{name} after"].array.ravel() for name in explanation.parameters])
    np.testing.assert_allclose(moved, network.parameters, rtol=1e-12, atol=1e-15)
    assert explanation["L after"].array == pytest.approx(loss(network.forward(X), y).value, rel=1e-12)


def test_gradients_are_slopes_of_the_loss(any_model):
    """So a normalisation by running averages is differentiated as the fixed map that it is."""
    parameters = any_model.network.parameters
    explanation = explain(any_model, IMAGE, 0)
    flat = np.concatenate([explanation[f"d{name}"].array.ravel() for name in explanation.parameters])
    h = 1e-6
    for i in range(0, parameters.size, 7):
        before, losses = parameters[i], []
        for step in (h, -h):
            parameters[i] = before + step
            losses.append(float(explain(any_model, IMAGE, 0)["L"].array))
        parameters[i] = before
        assert (losses[0] - losses[1]) / (2 * h) == pytest.approx(flat[i], rel=1e-6, abs=1e-8)


def transcribed(equation):
    """The right side of a printed equation as Python."""
    text = equation.rpartition(" ← ")[2].rpartition(" = ")[2]
    text = re.sub(r"[₀-₉]", lambda digit: str("₀₁₂₃₄₅₆₇₈₉".index(digit[0])), text)
    text = re.sub(r"\((\w+) > 0 \? (\S+) : (\S+)\)", r"where(\1 > 0, \2, \3)", text)
    for sign, code in {"−": "-", "⊙": "*", "ᵀ": ".T", "²": "**2", "³": "**3", "e^(": "exp(", "√(": "sqrt("}.items():
        text = text.replace(sign, code)
    text = re.sub(r"Σ (exp\(\w+\))", r"sum(\1)", text.replace("½ ", "0.5 * ").replace("max(", "maximum("))
    text = re.sub(r"(0\.\d+|\)|η) (?=[\w(])", r"\1 * ", text)
    return re.sub(r"(\w) (?=\w)", r"\1 @ ", text)


def test_printed_equations_say_what_is_computed(any_model):
    explanation = explain(any_model, IMAGE, 1, learning_rate=0.3)
    layers, level = any_model.network.layers, 0
    names = {name: getattr(np, name) for name in ("exp", "sqrt", "maximum", "where", "tanh", "sum")}
    names |= {"π": np.pi, "pixels": IMAGE.reshape(1, -1), "ε": 1e-5, "η": 0.3, "T": np.eye(3)[[1]]}
    names |= {name.replace("gamma", "γ").replace("beta", "β"): a for name, a in explanation.parameters.items()}
    for layer in layers:
        level += isinstance(layer, Dense)
        if isinstance(layer, BatchNorm):
            names |= {f"μ{level}": layer.running_mean, f"v{level}": layer.running_variance}
    for stage in explanation.stages:
        if stage.part == "after":
            break
        if stage.part != "update":
            names[stage.name.replace("gamma", "γ").replace("beta", "β")] = stage.array
        if "f′" in stage.equation:  # GELU's is too long to print
            continue
        if stage.name == "L":
            assert stage.equation == "L = −ln p_y"
            assert stage.array == pytest.approx(-np.log(names["P"][0, 1]))
            continue
        value = eval(transcribed(stage.equation), {"__builtins__": {}}, names)
        np.testing.assert_allclose(np.reshape(value, stage.array.shape), stage.array, atol=1e-7, err_msg=stage.equation)


def test_shapes_and_notes():
    explanation = explain(model(Dense(9), BatchNorm(), ReLU(), Dropout(0.5)), IMAGE, 0)
    for stage in explanation.stages:
        assert stage.shapes.endswith(str(stage.array.shape)), stage.name
        assert stage.meaning
    assert explanation["N1"].equation == "N₁ = γ₁ ⊙ (Z₁ − μ₁) / √(v₁ + ε) + β₁"
    assert [note.split()[0] for note in explanation.notes] == ["Dropout", "Batch"]
    assert explain(deep(), IMAGE, 0).notes == ()


@pytest.mark.parametrize(
    ("scale", "shift", "equation"), [(1 / 255, 0.0, "pixels / 255"), (1.0, 0.0, "pixels"), (0.01, -0.4, "− m")]
)
def test_the_input_is_scaled_as_the_model_does(scale, shift, equation):
    explanation = explain(model(Dense(4), ReLU(), scale=scale, shift=shift), IMAGE, 0)
    np.testing.assert_allclose(explanation["X"].array[0], IMAGE.ravel() * scale + shift)
    assert equation in explanation["X"].equation


def test_the_model_is_left_as_it_was():
    trained = deep()
    before = trained.network.parameters.copy(), trained.logits(IMAGE)
    explanation = explain(trained, IMAGE, 0)
    np.testing.assert_array_equal(trained.network.parameters, before[0])
    np.testing.assert_array_equal(trained.logits(IMAGE), before[1])
    np.testing.assert_array_equal(explanation.parameters["W1"], trained.network.named_parameters["0.W"])
    assert not np.array_equal(explanation["W1 after"].array, explanation.parameters["W1"])


VALUE = {"max": max, "exp": math.exp, "log": math.log}


def calculate(expression):
    """What a pocket calculator shows for one side of a printed sum."""
    text = expression.replace("−", "-").replace("·", "*")
    text = re.sub(r"e\^(\([^)]*\)|[\d.]+)", r"exp(\1)", text)
    text = re.sub(r"ln ([\d.]+)", r"log(\1)", text)
    assert re.fullmatch(r"[-+*/(),.\d ]|(?:[-+*/(),.\d ]|exp|log|max)+", text), text
    return eval(text, {"__builtins__": {}}, VALUE)


def test_every_sum_of_the_tiny_network_comes_out_to_the_last_printed_digit():
    explanation = explain_tiny()
    count = 0
    for stage in explanation.stages:
        sums = [line for line in stage.sums if not line.startswith("e^")]
        assert len(sums) == stage.array.size, stage.name
        for line, value in zip(sums, stage.array.ravel(), strict=True):
            assert calculate(line.rpartition(" = ")[2]) == pytest.approx(value, abs=0.5001e-4), line
        for line in stage.sums:
            *sides, result = line.split(" = ")
            for side in sides:
                if not re.fullmatch(r"[a-zL]+[₀-₉]*", side):
                    assert abs(calculate(side) - calculate(result)) <= 0.5001e-4, line
                    count += 1
    assert count > 60


def test_sums_use_the_numbers_printed_before_them():
    """Each number with a name is printed with one value within a part, wherever it is used."""
    explanation = explain_tiny()
    z = [line.rpartition(" = ")[2] for line in explanation["Z1"].sums]
    assert [line.split("(")[1].split(",")[0] for line in explanation["A1"].sums] == z
    blame = [line.rpartition(" = ")[2] for line in explanation["dA1"].sums]
    assert [line.split(" = ")[1].rpartition("·")[0] for line in explanation["dZ1"].sums] == blame
    for gradient, name in (("dW1", "W1 after"), ("dW2", "W2 after"), ("db1", "b1 after"), ("db2", "b2 after")):
        steps = [line.split("0.5·")[1].split(" = ")[0].strip("()") for line in explanation[name].sums]
        assert steps == [line.rpartition(" = ")[2] for line in explanation[gradient].sums]


def test_the_tiny_network_shows_what_it_should():
    explanation = explain_tiny()
    assert [len(explanation[name].array[0]) for name in ("X", "Z1", "Z2")] == [4, 3, 2]
    assert np.sum(explanation["A1"].array == 0) == 1  # one silent unit,
    silent = int(np.argmin(explanation["A1"].array))
    assert explanation["dA1"].array[0, silent] != 0  # which stops a blame that is not zero
    assert explanation["dZ1"].array[0, silent] == 0
    assert explanation["P"].array[0, 0] < 0.5 < explanation["P after"].array[0, 0]
    assert explanation["L after"].array < explanation["L"].array
    assert explanation.learning_rate == 0.5
    assert explain_tiny(0.1)["L after"].array > explanation["L after"].array


@pytest.mark.parametrize("explanation", [explain_tiny(), explain(deep(), IMAGE, 2)], ids=["tiny", "deep"])
def test_text_has_every_stage_in_80_columns(explanation):
    text = str(explanation)
    assert max(map(len, text.splitlines())) <= 80
    for stage in explanation.stages:
        assert stage.equation in text
        assert all(line in text for line in stage.sums)
    loss = float(explanation["L"].array)
    assert f"{loss:.3g}" in text.splitlines()[-2] + text.splitlines()[-1]


def test_text_counts_silent_units_and_names_the_largest():
    explanation = explain(deep(), IMAGE, 2)
    a = explanation["A1"].array[0]
    text = str(explanation).partition("A₁ = ")[2].partition("Z₂ = ")[0]
    assert f"{np.sum(a == 0)} of 9 are inactive" in text
    assert f"{a.max():.3g} at position {a.argmax() + 1}" in text


@pytest.mark.parametrize("units", [10, 1])
def test_a_hidden_layer_of_as_many_units_as_classes_is_no_row_of_classes(tmp_path, units):
    network = Network([Dense(units), ReLU(), Dense(10), ReLU(), Dense(10)], 12)
    digits = Model(network, Preprocessing(3, 4, 1 / 255, 0.0, 4, False), tuple("0123456789"))
    explanation = explain(digits, IMAGE, 2)
    per_class = {stage.name for stage in explanation.stages if stage.per_class}
    assert per_class == {"Z3", "P", "dZ3", "db3", "Z3 after", "P after"}
    header = "      ".join(digits.classes)
    assert str(explanation).count(header) == 5  # Z3 after is left out
    text = write_page(explanation, "", tmp_path).read_text("utf-8")
    assert text.count('<tr class="true">') == 5
    hidden = text.partition('<section id="A1">')[2].partition("</section>")[0]
    fired = explanation["A1"].array[0]
    assert re.findall(r"<figcaption>unit (\d+)", hidden)[0] == str(fired.argmax() + 1)  # counted from 1, as in the sums
    assert 'class="true"' not in hidden


def test_json_holds_every_array_in_full():
    for explanation in (explain_tiny(), explain(deep(), IMAGE, 2)):
        data = json.loads(json.dumps(explanation.to_json()))
        assert [stage["name"] for stage in data["stages"]] == [stage.name for stage in explanation.stages]
        for stage, original in zip(data["stages"], explanation.stages, strict=True):
            np.testing.assert_array_equal(stage["array"], original.array)
            assert stage["equation"] == original.equation
        assert data["label"] == explanation.classes[explanation.label]
        np.testing.assert_array_equal(data["parameters"]["W1"], explanation.parameters["W1"])


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan])
def test_a_learning_rate_is_positive(rate):
    with pytest.raises(ConfigError, match="learning_rate: must be more than 0"):
        explain(deep(), IMAGE, 0, rate)


def test_wrong_images_labels_networks_and_numbers():
    with pytest.raises(ConfigError, match="1e\\+300 makes a step"):
        explain_tiny(1e300)
    for label in (-1, 3):
        with pytest.raises(DataError, match="not one of the model's 3 classes"):
            explain(deep(), IMAGE, label)
    with pytest.raises(DataError, match=r"\(4, 3\)"):
        explain(deep(), IMAGE.T, 0)
    with pytest.raises(DataError, match="2 images"):
        explain(deep(), np.stack([IMAGE, IMAGE]), 0)
    with pytest.raises(DataError, match="ReLU"):
        explain(model(Dense(4), Tanh(), ReLU()), IMAGE, 0)
    wild = deep()
    wild.network.parameters[...] = np.nan
    with pytest.raises(DataError, match="answer is NaN"):
        explain(wild, IMAGE, 0)


class Page(HTMLParser):
    """The tags of a page; fails where one is not closed in order."""

    VOID = ("meta", "img")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_holds_every_stage_and_needs_nothing_from_outside(tmp_path, any_model):
    for explanation in (explain_tiny(), explain(any_model, IMAGE, 1)):
        path = write_page(explanation, "Image <1>", tmp_path / "new" / "folder")
        assert path.name == "explain.html"
        text = path.read_text("utf-8")
        page = Page(text)
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        shown = [stage.name.replace(" ", "-") for stage in explanation.stages if explanation.shows(stage)]
        assert ids == shown
        for stage in explanation.stages:
            if explanation.shows(stage):
                assert mathml(stage.equation) in text
            assert all(line.replace("'", "&#x27;").replace(">", "&gt;") in text for line in stage.sums)
        assert "<h1>Image &lt;1&gt;</h1>" in text
        for _, attributes in page.tags:
            for name in ("src", "href", "srcset", "action"):
                assert attributes.get(name, "data:").startswith("data:")
        assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"}
        assert not re.search(r"url\(|@import|https?:|//[a-z]", re.sub(r"base64,[^\"]+", "", text))


def test_page_of_many_classes_with_odd_names_and_a_folder_that_is_a_file(tmp_path):
    network = Network([Dense(40), ReLU(), Dense(30)], 12)
    names = ("<script>alert(1)</script>", *map(str, range(29)))
    trained = Model(network, Preprocessing(3, 4, 1 / 255, 0.0, 4, False), names)
    explanation = explain(trained, IMAGE, 0)
    Page(write_page(explanation, "$title", tmp_path).read_text("utf-8"))
    assert "<script" not in (tmp_path / "explain.html").read_text("utf-8")
    assert max(map(len, str(explanation).splitlines())) <= 80
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError):
        write_page(explanation, "", tmp_path / "file")


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("Z₁ = X W₁", "<msub><mi>Z</mi><mn>1</mn></msub><mo>=</mo><mi>X</mi><mspace width=\"0.2em\"/>"
         "<msub><mi>W</mi><mn>1</mn></msub>"),
        ("a / (b + c)", "<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mi>c</mi></mrow></mfrac>"),
        ("e^(−Z₁)", "<msup><mi>e</mi><mrow><mo>−</mo><msub><mi>Z</mi><mn>1</mn></msub></mrow></msup>"),
        ("A₁ᵀ", "<msubsup><mi>A</mi><mn>1</mn><mi>⊤</mi></msubsup>"),
        ("√(v₁)", "<msqrt><mrow><msub><mi>v</mi><mn>1</mn></msub></mrow></msqrt>"),
        ("L = −ln p_y", "<mi>L</mi>"
         "<mo>=</mo><mo>−</mo><mi>ln</mi><mspace width=\"0.2em\"/><msub><mi>p</mi><mi>y</mi></msub>"),
        ("f(a > 0)", "<mi>f</mi><mrow><mo>(</mo><mi>a</mi><mo>&gt;</mo><mn>0</mn><mo>)</mo></mrow>"),
        ("dZ₁₂", "<msub><mrow><mi mathvariant=\"normal\">d</mi><mi>Z</mi></mrow><mn>12</mn></msub>"),
    ],
)  # fmt: skip
def test_mathml(equation, expected):
    assert mathml(equation) == f'<math display="block">{expected}</math>'


def convolutional():
    """Two convolutions with all kinds of company, for images of 3×4 pixels."""
    layers = [Reshape((3, 4, 1)), Conv2D(3, 2, padding=1), BatchNorm(), ReLU(), MaxPool2D(2, 1), Dropout(0.2)]
    return model(*layers, Conv2D(2, 2, 1, "same"), Tanh(), AveragePool2D(2), Flatten(), dtype=np.float64)


def test_the_stages_of_a_convolution_equal_the_loops_of_the_textbook():
    trained = convolutional()
    explanation = explain(trained, IMAGE, 1, learning_rate=0.1)
    first = trained.network.layers[1]
    padded = textbook_convolution.pad(IMAGE[:, :, None] / 255, 1, 1, 1, 1)
    Z = textbook_convolution.convolve(padded, first.W, first.b, 1)
    np.testing.assert_allclose(explanation["Z1"].array[0], Z, rtol=1e-12)
    A = explanation["A1"].array[0]
    np.testing.assert_allclose(explanation["M1"].array[0], textbook_convolution.max_pool(A, 2, 1), rtol=1e-12)
    dA = textbook_convolution.max_pool_backward(A, explanation["dM1"].array[0], 2, 1)
    np.testing.assert_allclose(explanation["dA1"].array[0], dA, rtol=1e-12)
    _, dW, db = textbook_convolution.convolve_backward(padded, first.W, explanation["dZ1"].array[0], 1)
    np.testing.assert_allclose(explanation["dW1"].array, dW, rtol=1e-12)
    np.testing.assert_allclose(explanation["db1"].array, db, rtol=1e-12)
    A = explanation["A2"].array[0]
    np.testing.assert_allclose(explanation["M2"].array[0], textbook_convolution.average_pool(A, 2, 2), rtol=1e-12)


def test_of_a_larger_convolution_one_filter_at_one_place_is_worked_out():
    layers = [Reshape((3, 4, 1)), Conv2D(8, 2), ReLU(), MaxPool2D(2, 1), Flatten(), Dense(9), ReLU()]
    trained = model(*layers, dtype=np.float64)
    stage = explain(trained, IMAGE, 0)["Z1"]
    [line] = stage.example
    i, j, f = np.unravel_index(stage.array[0].argmax(), stage.array.shape[1:])
    assert line.startswith(f"filter {f + 1} at row {i + 1}, column {j + 1}, where it finds most: ")
    total, _, shown = line.partition(": ")[2].replace("−", "-").replace("·", "*").rpartition(" = ")
    assert total.count("*") == 4
    assert eval(total) == pytest.approx(float(shown), abs=1e-3)
    assert " ".join(line.split()[:5]) in " ".join(str(explain(trained, IMAGE, 0)).split())


def test_the_sums_of_the_tiny_convolution_are_right():
    """Each line is computed from the rounded numbers in it, so its last digit may differ."""
    explanation = explain_tiny_convolution()
    lines = [line for stage in explanation.stages for line in stage.sums]
    assert len(lines) > 90
    for line in lines:
        terms = line.replace("−", "-").replace("·", "*").replace("e^", "math.e**").split(" = ")
        numbers = [term for term in terms if not re.search("[₀-₉]", term)]
        if "ln" not in line:
            values = [eval(term) for term in numbers]
            assert values[0] == pytest.approx(values[-1], abs=3e-4), line
    assert explanation["L after"].array < explanation["L"].array
    assert {stage.name for stage in explanation.stages if stage.name in ("Z1", "M1", "A1", "dW1", "db1")} == {
        "Z1", "M1", "A1", "dW1", "db1"
    }  # fmt: skip


def test_a_page_shows_filters_and_their_maps(tmp_path):
    for number, explanation in enumerate([explain(convolutional(), IMAGE, 0), explain_tiny_convolution(0.1)]):
        text = write_page(explanation, "A convolution", tmp_path / str(number)).read_text("utf-8")
        assert "patches" in text
    layers = [Reshape((3, 4, 1)), Conv2D(30, 2), ReLU(), Flatten(), Dense(40), ReLU()]
    text = write_page(explain(model(*layers), IMAGE, 0), "Maps", tmp_path / "maps").read_text("utf-8")
    assert "The maps of the filters with the largest numbers" in text
    assert "Filters as images" in text
    behind_a_pool = model(Reshape((3, 4, 1)), AveragePool2D(2), Flatten(), Dense(40), ReLU())
    assert write_page(explain(behind_a_pool, IMAGE, 0), "Pool", tmp_path / "pool").exists()

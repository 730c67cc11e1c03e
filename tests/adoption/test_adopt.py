"""Networks of other frameworks: real files, made once by ``tests/golden/make_adopted.py``, and what is fitted here."""

import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from glassnet import Model, adopt, load_dataset, train
from glassnet.cli import main
from glassnet.errors import ConfigError, DataError, FileError
from glassnet.export import onnx_graph

ADOPTED = Path(__file__).parents[1] / "golden" / "adopted"
OWN = np.load(ADOPTED / "probabilities.npz")
DIGITS = load_dataset("digits").test
IMAGES = DIGITS.images
ROWS = (IMAGES / 255).reshape(-1, 64)


def close(model: Model, expected: np.ndarray) -> None:
    assert np.ptp(expected, axis=0).max() > 0.5  # the answers differ, so that equality says something
    np.testing.assert_allclose(model.predict_proba(IMAGES), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("file", ["torch.onnx", "keras.keras", "keras.h5", "torch-images.onnx", "keras-images.keras"])
def test_a_file_answers_as_its_framework_did(file: str, tmp_path: Path) -> None:
    own = OWN[file.partition(".")[0]]
    model = adopt(ADOPTED / file, IMAGES, probabilities=own)
    close(model, own)
    model.save(tmp_path / "m.safetensors")
    close(Model.load(tmp_path / "m.safetensors"), own)
    assert (model.image_shape, model.preprocessing.dark_on_light, len(model.classes)) == ((8, 8), False, 10)


@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh", "identity"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_classifier(activation: str) -> None:
    names = np.array([f"digit {label}" for label in DIGITS.labels])
    fitted = MLPClassifier((12, 8), activation=activation, max_iter=60, learning_rate_init=0.03, random_state=0).fit(
        ROWS, names
    )
    model = adopt(fitted, IMAGES)
    close(model, fitted.predict_proba(ROWS))
    assert model.classes == tuple(fitted.classes_)
    with pytest.raises(DataError, match="10 outputs for 3 classes"):
        adopt(fitted, IMAGES, classes=3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_two_classes_of_one_sigmoid() -> None:
    fitted = MLPClassifier((8,), max_iter=60, learning_rate_init=0.03, random_state=0).fit(ROWS, DIGITS.labels > 4)
    model = adopt(fitted, IMAGES)
    close(model, fitted.predict_proba(ROWS))
    assert model.classes == ("False", "True")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scale_and_shift() -> None:
    rows = (ROWS - 0.3) / 0.5
    fitted = MLPClassifier((8,), max_iter=60, learning_rate_init=0.03, random_state=0).fit(rows, DIGITS.labels)
    own = fitted.predict_proba(rows)
    close(adopt(fitted, IMAGES, scale=1 / 255 / 0.5, shift=-0.3 / 0.5, probabilities=own), own)
    with pytest.raises(DataError, match=r"differ by up to .* are scale and shift"):
        adopt(fitted, IMAGES, probabilities=own)
    with pytest.raises(ConfigError, match="scale"):
        adopt(fitted, IMAGES, scale=0)


def torch_network(torch: Any, *last: Any) -> Any:
    nn = torch.nn
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(64, 12, bias=False), nn.BatchNorm1d(12), nn.GELU("tanh"), nn.Dropout(0.5))
    network = nn.Sequential(nn.Flatten(), inner, nn.Linear(12, 9), nn.LeakyReLU(0.2), nn.Linear(9, 10), *last)
    network(torch.from_numpy(ROWS).float().reshape(-1, 1, 8, 8))  # in training: the running averages move
    with torch.no_grad():
        network[4].weight *= 100
    return network


@pytest.mark.parametrize("last", ["", "Softmax", "LogSoftmax"])
def test_a_torch_network(last: str) -> None:
    torch: Any = pytest.importorskip("torch")
    network = torch_network(torch, *([getattr(torch.nn, last)(dim=1)] if last else []))
    model = adopt(network, IMAGES)
    assert network.training
    assert network[1][3].training
    network.eval()
    with torch.no_grad():
        own = network(torch.from_numpy(ROWS).float()).numpy()
    own = own if last == "Softmax" else np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    close(model, own)


@pytest.mark.parametrize("rows", [False, True])
def test_torch_convolutions(rows: bool) -> None:
    torch: Any = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, (3, 2), padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(4, 6, 2, stride=2, padding=0), nn.AvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(12)]
    network = nn.Sequential(*[nn.Unflatten(1, (1, 8, 8))] * rows, *layers, nn.Linear(12, 10))
    X = torch.from_numpy(ROWS).float().reshape(-1, *([64] if rows else [1, 8, 8]))
    network(X)  # in training: the running averages move
    with torch.no_grad():
        network[-1].weight *= 20
        network[-2].weight.uniform_(0.2, 2)
        network.eval()
        own = torch.softmax(network(X), 1).numpy()
    close(adopt(network, IMAGES), own)
    pooled = nn.Sequential(nn.Conv2d(1, 12, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10))
    adopt(pooled, IMAGES)  # which compares


def test_torch_layers_that_are_not_here_are_named() -> None:
    torch: Any = pytest.importorskip("torch")
    nn = torch.nn
    for layer, complaint in (
        (nn.Conv1d(1, 2, 3), r"layer 0 \(Conv1d\) is not a layer of glassnet; known are dense layers"),
        (nn.Conv2d(2, 2, 3, groups=2), r"layer 0 \(Conv2d\) has groups=2; glassnet has only groups=1$"),
        (nn.Conv2d(1, 2, 3, dilation=2), r"has dilation=\(2, 2\); glassnet has only dilation=1$"),
        (nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), "has padding_mode='circular'"),
        (nn.Conv2d(1, 2, 3, stride=(1, 2)), r"has stride=\(1, 2\); glassnet has only the same number for both axes"),
        (nn.MaxPool2d(3, padding=1), r"layer 0 \(MaxPool2d\) has padding=1; glassnet has only padding=0"),
        (nn.MaxPool2d((2, 3), 2), r"has kernel_size=\(2, 3\)"),
        (nn.AvgPool2d(2, ceil_mode=True), "has ceil_mode=True"),
        (nn.AdaptiveAvgPool2d(2), "has output_size=2; glassnet has only output_size=1"),
        (nn.Flatten(0), "has start_dim=0; glassnet has only start_dim=1"),
        (nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 10)), "takes 3 channels where there are 1"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(6, 10)), "put Flatten"),
        (nn.Sequential(nn.Conv2d(1, 2, 9), nn.Flatten(), nn.Linear(8, 10)), "larger than images of 8×8"),
        (nn.GELU(), "is exact"),
        (nn.Linear(64, 10).half(), "numbers of type torch.float16"),
        (nn.Linear(63, 10), "takes 63 inputs, but images of 8×8 pixels have 64"),
        (nn.Sequential(nn.Softmax(dim=1), nn.Linear(64, 10)), "Dense after softmax"),
        (nn.Sequential(nn.Linear(64, 10), nn.Sigmoid()), "the sigmoid at the end"),
        (nn.ReLU(), "no layer with weights"),
    ):
        with pytest.raises((ConfigError, DataError), match=complaint):
            adopt(nn.Sequential(layer), IMAGES)
    with pytest.raises(ConfigError, match="a forward of its own"):
        adopt(nn.Linear(64, 10), IMAGES)


def test_a_data_set_in_place_of_images() -> None:
    for given in (load_dataset("digits"), DIGITS):
        with pytest.raises(DataError, match=r"images: a (Dataset|Examples); give an array.*dataset\.test\.images"):
            adopt(ADOPTED / "torch.onnx", given)  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", ["dense 16", "conv 4 3x3, pool 2, dense 16"])
def test_the_onnx_file_that_glassnet_writes(layers: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"layers": layers, "scaling": "standard", "epochs": 2, "seed": 0}
    run = train(load_dataset("digits"), "small", out=tmp_path / "run", **settings)
    file = tmp_path / "m.onnx"
    file.write_bytes(onnx_graph(run.model).SerializeToString())
    model = adopt(file, IMAGES)  # whole numbers: the scale of the call does not count
    close(model, run.model.predict_proba(IMAGES))
    assert model.preprocessing.scale == pytest.approx(run.model.preprocessing.scale)
    assert model.preprocessing.shift == pytest.approx(run.model.preprocessing.shift)


def test_scale_and_shift_at_the_beginning_of_a_graph(tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx")
    helper, numbers = onnx.helper, onnx.numpy_helper.from_array
    W = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)
    steps = (("Sub", 0.25), ("Div", 0.5), ("Mul", 3.0), ("Add", 1.0))
    nodes = [helper.make_node(kind, [f"x{i}", kind], [f"x{i + 1}"]) for i, (kind, _) in enumerate(steps)]
    nodes.append(helper.make_node("MatMul", ["x4", "W"], ["z"]))
    values = [numbers(W, "W"), *(numbers(np.array([c], np.float32), kind) for kind, c in steps)]
    given = helper.make_tensor_value_info("x0", onnx.TensorProto.FLOAT, ["n", 64])
    output = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "g", [given], [output], values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), tmp_path / "g.onnx")
    form = adopt(tmp_path / "g.onnx", IMAGES).preprocessing  # which compares
    assert (form.scale, form.shift) == pytest.approx((6 / 255, -0.5))
    form = adopt(tmp_path / "g.onnx", IMAGES, scale=0.5, shift=1).preprocessing
    assert (form.scale, form.shift) == pytest.approx((3, 5.5))


def test_a_layer_that_keras_has_and_glassnet_has_not_is_named(tmp_path: Path) -> None:
    edited = edit_keras(tmp_path, lambda text: text.replace('"Dropout"', '"Attention"'))
    with pytest.raises(ConfigError, match=r"edited.keras: layer dropout \(Attention\) is not a layer of glassnet"):
        adopt(edited, IMAGES)
    with pytest.raises(ConfigError, match="has the activation 'selu'"):
        adopt(edit_keras(tmp_path, lambda text: text.replace('"tanh"', '"selu"')), IMAGES)
    with pytest.raises(FileError, match="a Functional model"):
        adopt(edit_keras(tmp_path, lambda text: text.replace('"Sequential"', '"Functional"')), IMAGES)


def edit_keras(folder: Path, change: Any) -> Path:
    edited = folder / "edited.keras"
    with zipfile.ZipFile(ADOPTED / "keras.keras") as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()).encode() if name == "config.json" else content)
    return edited


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    h5py: Any = pytest.importorskip("h5py")
    linked = tmp_path / "linked.h5"
    shutil.copy(ADOPTED / "keras.h5", linked)
    with h5py.File(linked, "a") as file:
        del file["model_weights/last"]
        file["model_weights/last"] = h5py.ExternalLink(str(ADOPTED / "keras.h5"), "model_weights/last")
    with pytest.raises(FileError, match="only a link"):
        adopt(linked, IMAGES)


@pytest.mark.parametrize("file", ["torch.onnx", "keras.keras", "keras.h5"])
def test_damaged_files_are_refused_in_one_line(file: str, tmp_path: Path) -> None:
    content = (ADOPTED / file).read_bytes()
    path = tmp_path / file
    for damaged in (b"", b"rubbish", content[: len(content) // 2], content[:40] + b"?" * 200 + content[240:]):
        path.write_bytes(damaged)
        with pytest.raises((ConfigError, FileError, DataError)) as error:
            adopt(path, IMAGES)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (MLPClassifier(), "not fitted"),
        (len, "a builtin_function_or_method cannot be adopted"),
        ("nowhere.onnx", "no such file"),
    ],
)
def test_what_cannot_be_adopted(source: Any, complaint: str) -> None:
    with pytest.raises((ConfigError, FileError), match=complaint):
        adopt(source, IMAGES)


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    for name in ("model.pt", "model.pkl", "model.bin"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ConfigError, match=r"never read|unknown kind of file"):
            adopt(tmp_path / name, IMAGES)


def test_without_h5py_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigError, match="reading a Keras file needs h5py, which is missing; pip install h5py"):
        adopt(ADOPTED / "keras.keras", IMAGES)


def test_from_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.safetensors"
    assert main(["adopt", str(ADOPTED / "torch.onnx"), "digits", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"model": str(out), "parameters": 1406, "compared": True, "accuracy": told["accuracy"]}
    close(Model.load(out), OWN["torch"])
    np.save(tmp_path / "p.npy", OWN["keras"])
    keras = ["adopt", str(ADOPTED / "keras.keras"), "digits", "--out", str(out)]
    assert main(keras) == 0
    assert "compared       no: give --probabilities" in capsys.readouterr().out
    assert main([*keras, "--probabilities", str(tmp_path / "p.npy")]) == 0
    assert "compared       on 359 images, within 1e-05" in capsys.readouterr().out
    close(Model.load(out), OWN["keras"])


@pytest.mark.parametrize("wrong", ["missing.npy", "text.npy", "row.npy", "other.npy"])
def test_wrong_probabilities_in_the_shell(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.npy").write_text("text")
    np.save(tmp_path / "row.npy", np.zeros(3))
    np.save(tmp_path / "other.npy", OWN["torch"])
    out = tmp_path / "m.safetensors"
    flags = ["--out", str(out), "--probabilities", str(tmp_path / wrong)]
    assert main(["adopt", str(ADOPTED / "keras.keras"), "digits", *flags]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("glassnet: ")
    assert not out.exists()

"""An exported graph in onnxruntime, read from the file that `glassnet export` wrote."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from exported_models import CLASSES, around, form, noise
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from glassnet import Model
from glassnet.cli import main
from glassnet.errors import ConfigError
from glassnet.export import onnx_graph
from glassnet.nn import Dense, Layer, Network


def export(model: Model, folder: Path) -> Path:
    model.save(folder / "model.safetensors")
    path = folder / "model.onnx"
    assert main(["export", str(folder / "model.safetensors"), "--onnx", str(path)]) == 0
    return path


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def test_onnxruntime_gives_the_models_own_probabilities(model: Model, tmp_path: Path) -> None:
    path = export(model, tmp_path)
    onnx.checker.check_model(path, full_check=True)
    runtime, images = session(path), noise(1000)
    for n in (1, 7, 1000):
        probabilities, labels = runtime.run(["probabilities", "label"], {"images": images[:n]})
        expected = model.predict_proba(images[:n])
        assert probabilities.dtype == expected.dtype
        np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-5)
        sure = np.diff(np.sort(expected)[:, -2:])[:, 0] > 1e-4
        np.testing.assert_array_equal(labels[sure], expected.argmax(axis=1)[sure])
    assert np.ptp(expected, axis=0).max() > 0.1  # the model's answers differ, so that equality says something


def test_the_metadata_are_read_back(tmp_path: Path) -> None:
    model = Model(around(Dense).networks, form(dark_on_light=True), CLASSES, "/home/somebody/digits", "abc")
    read = session(export(model, tmp_path)).get_modelmeta()
    assert read.producer_name == "glassnet"
    found = read.custom_metadata_map
    assert tuple(json.loads(found["classes"])) == CLASSES
    assert json.loads(found["dark_on_light"]) is True
    assert (found["trained_on"], found["fingerprint"]) == ("digits", "abc")
    assert "somebody" not in str(found)


def test_the_inputs_and_outputs_are_named(tmp_path: Path) -> None:
    runtime = session(export(around(Dense), tmp_path))
    [images] = runtime.get_inputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["n", 28, 28])
    assert [(o.name, o.shape) for o in runtime.get_outputs()] == [("probabilities", ["n", 10]), ("label", ["n"])]


@pytest.mark.parametrize("wrong", ["Neg", "Log"])  # the logarithms of negative numbers are NaN
def test_a_graph_with_another_answer_is_not_written(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from glassnet.export import onnx_file

    model = around(Dense)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            onnx_file.NODES, Dense, lambda graph, X, layer: graph.add(wrong, onnx_file._dense(graph, X, layer))
        )
        model.save(tmp_path / "m.safetensors")
        assert main(["export", str(tmp_path / "m.safetensors"), "--onnx", str(tmp_path / "m.onnx")]) == 2
    assert "from the model's own" in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


def test_a_layer_that_is_not_known_is_named() -> None:
    from glassnet.export import numpy_source, onnx_graph

    class Strange(Layer):
        def forward(self, X: np.ndarray, training: bool = False) -> np.ndarray:
            return X

    model = Model(Network([Strange(), Dense(10)], 784), form(), CLASSES)
    for write in (onnx_graph, numpy_source):
        with pytest.raises(ValueError, match=r"^Strange: not supported by the"):
            write(model)


def test_without_the_package_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    files = ["--onnx", str(tmp_path / "m.onnx"), "--numpy", str(tmp_path / "m.py")]
    assert main(["export", *files]) == 2
    assert capsys.readouterr().err == "glassnet: ONNX needs onnx, which is missing; pip install onnx\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "nothing to write"),
        (["--onnx", "m.bin"], "--onnx m.bin: give a name that ends in .onnx"),
        (["--numpy", "m"], "--numpy m: give a name that ends in .py"),
        (["--onnx", "m.onnx", "--numpy", "my-model.py"], "my-model.py: not a valid module name"),
        (["--numpy", "class.py"], "class.py: not a valid module name"),
        (["--numpy", "numpy.py"], "numpy.py: would shadow the module numpy that it imports"),
        (["nowhere", "--onnx", "m.onnx"], "nowhere: no run folder or model file there"),
        (["--onnx", "folder.onnx"], "cannot write folder.onnx"),
        (["--onnx", "folder.onnx", "--numpy", "m.py"], "cannot write folder.onnx"),
    ],
)
def test_wrong_use(
    flags: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.onnx").mkdir()
    assert main(["export", *flags]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"glassnet: {complaint}")
    assert (out, len(err.splitlines())) == ("", 1)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.onnx"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_estimator_answers_in_onnxruntime_as_in_scikit_learn(dtype: str, tmp_path: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.preprocessing import scale

    from glassnet import DigitClassifier
    from glassnet.export import onnx_graph

    iris = load_iris()
    X, y = scale(iris.data).astype(dtype), iris.target_names[iris.target]
    settings = {"epochs": 20, "batch_norm": True, "ema": 0.9, "random_state": 0}
    model = DigitClassifier((16, 8), activation=("gelu", "tanh"), **settings).fit(X, y)
    path = tmp_path / "iris.onnx"
    path.write_bytes(onnx_graph(model).SerializeToString())
    runtime = session(path)
    assert [given.name for given in runtime.get_inputs()] == ["X"]
    probabilities, labels = runtime.run(["probabilities", "label"], {"X": X})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-5)
    classes = json.loads(runtime.get_modelmeta().custom_metadata_map["classes"])
    assert [classes[label] for label in labels] == model.predict(X).tolist()


def test_an_estimator_that_has_learned_nothing_says_so() -> None:
    from sklearn.exceptions import NotFittedError

    from glassnet import DigitClassifier
    from glassnet.export import onnx_graph

    with pytest.raises(NotFittedError):
        onnx_graph(DigitClassifier())


def test_what_is_neither_model_nor_estimator_is_refused() -> None:
    with pytest.raises(ConfigError, match="a Pipeline cannot be exported; give a Model or a fitted DigitClassifier"):
        onnx_graph(make_pipeline(StandardScaler()))

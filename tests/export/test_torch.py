"""A model's numbers for PyTorch, beside the file that PyTorch itself wrote of the same network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_models import CLASSES, around, form, noise
from safetensors.numpy import load, load_file

from glassnet import Model, adopt, load_dataset
from glassnet.cli import main
from glassnet.errors import ConfigError
from glassnet.export import torch_state_dict
from glassnet.nn import Bias, Dense, Flatten, Layer, Network, Reshape

ADOPTED = Path(__file__).parents[1] / "golden" / "adopted"


def test_it_is_the_state_dict_that_pytorch_wrote() -> None:
    model = adopt(ADOPTED / "torch.onnx", load_dataset("digits").test.images)
    written, own = load(torch_state_dict(model)), load_file(ADOPTED / "torch.safetensors")
    assert set(written) == set(own)
    for name, array in written.items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(array, own[name])
        assert array.dtype == own[name].dtype
        assert array.shape == own[name].shape


def test_pytorch_takes_it_and_answers_the_same(model: Model, tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    from safetensors import safe_open
    from safetensors.torch import load_file as load_torch

    if len(model.networks) > 1:
        with pytest.raises(ConfigError, match=f"an ensemble of {len(model.networks)} networks"):
            torch_state_dict(model)
        return
    if any(isinstance(layer, Bias) for layer in model.network.layers):  # PyTorch has no such module
        with pytest.raises(ConfigError, match=r"^Bias: not supported by the export to PyTorch; use another layer$"):
            torch_state_dict(model)
        return
    model.save(tmp_path / "m.safetensors")
    path = tmp_path / "torch.safetensors"
    assert main(["export", str(tmp_path / "m.safetensors"), "--torch", str(path)]) == 0
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    network = eval(metadata["architecture"], {"torch": torch}).to(getattr(torch, model.network.dtype.name))
    network.load_state_dict(load_torch(path))
    network.eval()
    images = noise(50)
    X = images.reshape(50, -1).astype(model.network.dtype) * float(metadata["scale"]) + float(metadata["shift"])
    with torch.no_grad():
        own = torch.softmax(network(torch.from_numpy(X.astype(model.network.dtype))), 1).numpy()
    np.testing.assert_allclose(model.predict_proba(images), own, rtol=0, atol=1e-5)
    scale, shift = model.preprocessing.scale, model.preprocessing.shift
    later = ("ZeroPad2d", "Unflatten")  # adopt knows the second as the first layer alone
    if any(f", torch.nn.{kind}(" in metadata["architecture"] for kind in later):
        with pytest.raises(ConfigError, match=r"\((ZeroPad2d|Unflatten)\) is not a layer of glassnet"):
            adopt(network, images, scale=scale, shift=shift)
    else:
        again = adopt(network, images, scale=scale, shift=shift)
        np.testing.assert_allclose(again.predict_proba(images), own, rtol=0, atol=1e-5)


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Strange(Layer):
        pass

    with pytest.raises(ConfigError, match="Strange: not supported by the export to PyTorch"):
        torch_state_dict(Model(Network([Strange(), Dense(10)], 784), form(), CLASSES))
    for layers in ([Dense(8), Reshape((2, 2, 2)), Flatten(), Dense(10)], [Reshape((16, 49)), Flatten(), Dense(10)]):
        with pytest.raises(ConfigError, match="only from rows to images of one channel"):
            torch_state_dict(Model(Network(layers, 784), form(), CLASSES))
    path = tmp_path / "m.safetensors"
    around(Dense).save(path)
    before = path.read_bytes()
    assert main(["export", str(path), "--torch", str(path)]) == 2
    assert "is the model itself; give another name" in capsys.readouterr().err
    assert main(["export", str(path), "--torch", str(tmp_path / "m.pt")]) == 2
    assert "give a name that ends in .safetensors" in capsys.readouterr().err
    assert path.read_bytes() == before

"""``glassnet adopt``: a network of another framework as a model file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adoption import TOLERANCE
from ..adoption import adopt as adopt_network
from ..data import load_dataset
from ..errors import FileError
from ..evaluation import evaluate
from .flags import Source
from .output import percent, print_facts, print_json, require_ending

__all__ = ["adopt"]


def adopt(
    file: Path,
    data: Source,
    /,
    *,
    out: Path = Path("model.safetensors"),
    scale: float = 1 / 255,
    shift: float = 0.0,
    probabilities: Path | None = None,
    json: bool = False,
) -> None:
    """Make a model file of a network that another framework trained.

    Nothing in the file is executed. The model's probabilities are compared with the network's own, those of an ONNX
    file in ONNX's reference runtime. All commands that take a model take the model file.

    Parameters
    ----------
    file
        ONNX file (.onnx), or Keras Sequential model (.keras, .h5).
    data
        Data that the network was trained on, as for `glassnet train`. Its test images, which the network must not have
        seen, are used for the comparison and to measure the accuracy.
    out
        Model file to write.
    scale
        The network is given pixel · scale + shift, of pixels from 0 to 255; with 1/255 of fractions from 0 to 1.
    shift
        See --scale.
    probabilities
        NumPy file (.npy) with the network's own probabilities (n, classes) for the test images. A Keras file is
        compared with these alone.
    json
        Print the result as JSON.
    """
    require_ending("--out", out, ".safetensors")
    dataset = load_dataset(data)
    images = dataset.test.images
    own = None if probabilities is None else _numbers(probabilities)
    model = adopt_network(file, images, scale=scale, shift=shift, classes=dataset.classes, probabilities=own)
    model.trained_on, model.fingerprint = dataset.source, dataset.fingerprint  # as the caller says
    accuracy = evaluate(model, dataset.test).accuracy
    model.save(out)
    compared = own is not None or file.suffix == ".onnx"
    if json:
        print_json({"model": str(out), "parameters": model.size, "compared": compared, "accuracy": accuracy})
        return
    print_facts(
        {
            "model": out,
            "layers": ", ".join(map(_layer, model.network.specification())),
            "parameters": f"{model.size:,}",
            "compared": f"on {len(images):,} images, within {TOLERANCE:g}" if compared else "no: give --probabilities",
            "test accuracy": percent(accuracy),
        }
    )


def _layer(specification: dict[str, Any]) -> str:
    name, units = specification["layer"], specification.get("units")
    return f"{name}({units})" if units else name


def _numbers(path: Path) -> NDArray[Any]:
    """Return the array of a NumPy file, which is not read before it is looked at."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is not a NumPy file of plain numbers"
        raise FileError(f"{path}: cannot be read ({reason}); write it with numpy.save") from error
    if array.ndim != 2 or array.dtype.kind != "f":
        raise FileError(f"{path}: {array.dtype} of shape {array.shape}, expected probabilities (n, classes)")
    return array

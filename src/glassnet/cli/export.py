"""``glassnet export`` and ``glassnet submit``: a trained network where other programs, and Kaggle, take it."""

from pathlib import Path

from ..data import read_csv
from ..errors import ConfigError
from ..export import numpy_source, onnx_graph, submission
from ..files import write_atomically, write_together
from ..training import open_model
from .output import print_facts, print_json, require_ending

__all__ = ["export", "submit"]


def export(
    run: Path | None = None, /, *, onnx: Path | None = None, numpy: Path | None = None, json: bool = False
) -> None:
    """Write a model as an ONNX graph, or as a Python file that needs NumPy alone.

    Both prepare the pixels themselves: they take images of the model's height and width, gray values from 0 to 255 of
    type uint8, light on dark or dark on light as it learned them, and give the probabilities that glassnet gives.

    Parameters
    ----------
    run
        A run folder or a model file (.safetensors). By default the model that comes with glassnet.
    onnx
        The ONNX file to write. Its input is images (n, height, width); its outputs are probabilities (n, classes) and
        label (n), an index into the classes, which are in its metadata.
    numpy
        The Python file to write.
    json
        Print the paths of what was written as JSON.
    """
    if onnx is None and numpy is None:
        raise ConfigError("nothing to write; give --onnx FILE.onnx or --numpy FILE.py")
    require_ending("--onnx", onnx, ".onnx")
    require_ending("--numpy", numpy, ".py")
    model = open_model(run)
    contents: dict[Path, bytes] = {}  # all of them before the first is written
    if onnx is not None:
        contents[onnx] = onnx_graph(model).SerializeToString()
    if numpy is not None:
        contents[numpy] = numpy_source(model, numpy.stem).encode()
    write_together(contents)
    if json:
        print_json([str(path) for path in contents])
    else:
        print_facts({str(path): f"{len(content):,} bytes" for path, content in contents.items()})


def submit(
    run: Path,
    csv: Path,
    /,
    *,
    out: Path = Path("submission.csv"),
    shifts: int = 0,
    allow_leak: bool = False,
    json: bool = False,
) -> None:
    """Recognise Kaggle's test images and write the file that its Digit Recognizer takes.

    Kaggle's test images are all in MNIST. A model that has learned any of them is refused, since its score would say
    nothing: train one on Kaggle's train.csv.

    Parameters
    ----------
    run
        A run folder or a model file (.safetensors).
    csv
        Kaggle's test.csv.
    out
        The file to write.
    shifts
        Average over each image shifted by up to this many pixels, in all directions: 0 to 3.
    allow_leak
        Write it even though the model has seen test images, or nobody can say whether it has.
    json
        Print the path of the file and the number of its rows as JSON.
    """
    require_ending("--out", out, ".csv")
    if out.resolve() == csv.resolve():
        raise ConfigError(f"--out {out}: is the file of test images itself; give another name")
    model, images = open_model(run), read_csv(csv).images
    text = submission(model, images, shifts=shifts, allow_leak=allow_leak, name=str(csv))
    write_atomically(out, text.encode())
    if json:
        print_json({"submission": str(out), "rows": len(images)})
    else:
        print_facts({"submission": out, "rows": f"{len(images):,}"})
        print("\nUpload it at https://www.kaggle.com/competitions/digit-recognizer/submit")

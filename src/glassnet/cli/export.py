"""``glassnet export`` and ``glassnet submit``: a trained network for other programs and for Kaggle."""

from pathlib import Path

from ..data import read_csv
from ..errors import ConfigError, DataError
from ..export import html_page, numpy_source, onnx_graph, past_of, record_of, submission, torch_state_dict
from ..files import write_atomically, write_together
from ..model import Model
from ..training import Run, name_of, open_model
from .output import print_facts, print_json, require_ending

__all__ = ["export", "submit"]


def export(
    run: Path | None = None,
    /,
    *,
    onnx: Path | None = None,
    numpy: Path | None = None,
    torch: Path | None = None,
    html: Path | None = None,
    json: bool = False,
) -> None:
    """Export a model to ONNX, PyTorch, a Python file that needs only NumPy, or a page that needs only a browser.

    ONNX and the Python file include the preprocessing: they take images of the model's height and width with gray
    values from 0 to 255 (uint8), light on dark or dark on light as in training, and return the same probabilities as
    glassnet.

    Parameters
    ----------
    run
        Run folder or model file (.safetensors). Default: the bundled model.
    onnx
        ONNX file to write. Input: images (n, height, width). Outputs: probabilities (n, classes) and label (n), which
        indexes the class names in the metadata.
    numpy
        Python file to write.
    torch
        Safetensors file to write with the state_dict of a torch.nn.Sequential. The metadata have the expression that
        makes this network, and the scale and shift of the pixels.
    html
        HTML page to write, which opens by a double click, without a server: draw a digit and see how it is recognised,
        the network layer by layer, and of a run its learning curves and the network at its snapshots.
    json
        Print the paths of the written files as JSON.
    """
    if not (onnx or numpy or torch or html):
        flags = "--onnx FILE.onnx, --numpy FILE.py, --torch FILE.safetensors or --html FILE.html"
        raise ConfigError(f"nothing to write; give {flags}")
    require_ending("--onnx", onnx, ".onnx")
    require_ending("--numpy", numpy, ".py")
    require_ending("--torch", torch, ".safetensors")
    require_ending("--html", html, ".html")
    if run is not None and torch is not None and torch.resolve() == run.resolve():
        raise ConfigError(f"--torch {torch}: is the model itself; give another name")
    model = open_model(run)
    contents: dict[Path, bytes] = {}  # all of them before the first is written
    if onnx is not None:
        contents[onnx] = onnx_graph(model).SerializeToString()
    if numpy is not None:
        contents[numpy] = numpy_source(model, numpy.stem).encode()
    if torch is not None:
        contents[torch] = torch_state_dict(model)
    if html is not None:
        contents[html] = _page(model, run)
    write_together(contents)
    if json:
        print_json([str(path) for path in contents])
    else:
        print_facts({str(path): f"{len(content):,} bytes" for path, content in contents.items()})


def _page(model: Model, path: Path | None) -> bytes:
    """Return the page of a model that was opened, with what its run tells of its training."""
    run = Run(path) if path and path.is_dir() else None
    record = record_of(model, name_of(path) if path else "The bundled model", run)
    return html_page(model, record, past=past_of(run, model) if run else None)


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
    """Predict Kaggle's test images and write a submission for Digit Recognizer.

    Kaggle's test images are part of MNIST. A model trained on any of them is refused, since its score would be
    meaningless: train one on Kaggle's train.csv.

    Parameters
    ----------
    run
        Run folder or model file (.safetensors).
    csv
        Kaggle's test.csv.
    out
        File to write.
    shifts
        Test-time augmentation: average over each image shifted by up to this many pixels in every direction, 0 to 3.
    allow_leak
        Write the file even if the model was trained on test images, or if that cannot be determined.
    json
        Print the path of the file and the number of rows as JSON.
    """
    require_ending("--out", out, ".csv")
    if out.resolve() == csv.resolve():
        raise ConfigError(f"--out {out}: is the file of test images; give another name")
    model, table = open_model(run), read_csv(csv)
    if table.labels is not None:
        raise DataError(
            f"{csv}: has labels, as Kaggle's train.csv has; give test.csv, whose images are to be predicted"
        )
    images = table.images
    text = submission(model, images, shifts=shifts, allow_leak=allow_leak, name=str(csv))
    write_atomically(out, text.encode())
    if json:
        print_json({"submission": str(out), "rows": len(images)})
    else:
        print_facts({"submission": out, "rows": f"{len(images):,}"})
        print("\nUpload it at https://www.kaggle.com/competitions/digit-recognizer/submit")

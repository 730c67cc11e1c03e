"""Train the bundled model and write it, its configuration and its figures to the package: `make model`.

The recipe is `bundled`. It is trained on MNIST, on some of its digits as coarse scans in black and white, on synthetic
digits, and on made-up strangers as an eleventh class, so that its layers tell strangers from digits; the output of that
class is then cut off, and the model's doubt calibrated. The epoch is chosen on validation images of all of these. The
model is judged once on MNIST's 10,000 test images.
"""

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from glassnet import Dataset, Model, evaluate, load_dataset, train
from glassnet.data import Examples, Preprocessing
from glassnet.data.scans import coarse_scans
from glassnet.data.strangers import strangers_of
from glassnet.errors import FileError
from glassnet.files import write_atomically
from glassnet.nn import Network, SoftmaxCrossEntropy
from glassnet.training import BUNDLED, Run
from glassnet.training.doubt import fit_doubt
from machine import describe_machine

RECIPE = "bundled"
MAX_BYTES = 2_000_000
STRANGERS, SCANS = 14_000, 8_000
SEED = 1  # of scans and strangers; doubt is calibrated on those of seed 0


def main() -> None:
    """Train the recipe and write the result to the package."""
    mnist = load_dataset("mnist")
    with tempfile.TemporaryDirectory() as folder:
        data = training_data(mnist, load_dataset("synthetic"))
        run = train(data, RECIPE, out=Path(folder) / "run", progress=True)
        figures = write_bundle(run, data, mnist, BUNDLED)
    print(f"{BUNDLED}: {100 * figures['test_accuracy']:.2f} % of the test images, {figures['bytes']:,} bytes")


def training_data(mnist: Dataset, synthetic: Dataset) -> Dataset:
    """Return MNIST with coarse scans, synthetic digits, and strangers as a class of their own to learn as well."""
    form = Preprocessing.fit(mnist.train, "unit")
    digits = mnist.train.take(np.arange(10_000, 10_000 + SCANS) % len(mnist.train))  # not those that strangers are of
    scanned = coarse_scans(digits.images, form, np.random.default_rng(SEED))
    strange = strangers_of(mnist.train.images[:10_000], form, STRANGERS, of_digits=True, seed=SEED)
    strangers = Examples(strange, np.full(len(strange), len(mnist.classes), np.int64))
    together = mnist.train.joined(synthetic.train).joined(Examples(scanned, digits.labels)).joined(strangers)
    return replace(mnist, train=together, classes=(*mnist.classes, "no digit"))


def digits_alone(model: Model, validation: Examples, mnist: Dataset) -> Model:
    """Return a model without its last class, calibrated, with the doubt of what is left.

    It counts as trained on ``mnist``: of the other images nobody is asked to submit any.
    """
    specification = [dict(layer) for layer in model.network.specification()]
    specification[-1]["units"] -= 1
    inputs = int(np.prod(model.image_shape))
    network = Network.from_specification(specification, inputs, dtype=model.network.dtype, seed=None)
    for own, trained in (
        (network.named_parameters, model.network.named_parameters),
        (network.named_statistics, model.network.named_statistics),
    ):
        for name, tensor in own.items():
            tensor[...] = trained[name][..., : tensor.shape[-1]]
    digits = Model(network, model.preprocessing, mnist.classes, mnist.source, mnist.fingerprint)
    _, rows = validation.located(np.arange(len(validation)))
    known = validation.take(np.flatnonzero(rows < len(mnist.train)))  # synthetic digits are seldom doubted
    calibrate(digits, known)
    digits.doubts = fit_doubt(digits, known, most=len(known), strangers=STRANGERS // 2)
    return digits


def calibrate(model: Model, known: Examples) -> float:
    """Divide a model's logits by the temperature of the least loss on validation images, and return it.

    Label smoothing and distorted images leave a network less sure than it is right. What it answers stays the same.
    Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, 2017.
    """
    Z, loss = model.logits(known.images_at(np.arange(len(known)))), SoftmaxCrossEntropy(len(model.classes))
    found = minimize_scalar(lambda T: loss(Z / np.float32(T), known.labels).value, bounds=(0.1, 10), method="bounded")
    last = len(model.network.layers) - 1
    for name in ("W", "b"):
        model.network.named_parameters[f"{last}.{name}"][...] /= np.float32(found.x)
    return float(found.x)


def write_bundle(run: Run, data: Dataset, mnist: Dataset, model_file: Path) -> dict[str, object]:
    """Write a run's model to ``model_file``, and its ``config.toml`` and ``figures.json`` beside it.

    Args:
        run: whose model is written.
        data: what it was trained on, from `training_data`.
        mnist: on whose test images it is judged.
        model_file: in the package.

    Returns:
        The figures.

    Raises:
        FileError: the model has more than 2 MB. Nothing is written then.
    """
    model = digits_alone(run.model, data.split(run.config.validation, run.config.split_seed)[1], mnist)
    model.save(made := run.path / "digits.safetensors")
    content = made.read_bytes()
    if len(content) > MAX_BYTES:
        raise FileError(
            f"{run.path}: a model of {len(content):,} bytes, more than the {MAX_BYTES:,} allowed; use fewer units"
        )
    evaluation = evaluate(model, mnist.test)
    figures = {
        "recipe": run.config.recipe,
        "seed": run.config.seed,
        "data": run.config.data,
        "test_images": len(evaluation.labels),
        "test_accuracy": evaluation.accuracy,
        "test_loss": evaluation.loss,
        "calibration_error": evaluation.calibration_error,
        "best_epoch": run.best["epoch"],
        "validation_accuracy": run.best["validation_accuracy"],
        "training_seconds": round(run.history[-1]["seconds"], 1),
        "machine": describe_machine("numpy"),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(model_file, content)
    write_atomically(model_file.with_name("config.toml"), run.config.to_toml().encode())
    write_atomically(model_file.with_name("figures.json"), (json.dumps(figures, indent=1) + "\n").encode())
    return figures


if __name__ == "__main__":
    main()

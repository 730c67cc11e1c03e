"""Train the bundled model and write it, its configuration and its figures to the package: `make model`.

The recipe is `bundled`. The model is judged once on MNIST's 10,000 test images; which epoch is kept was chosen on
validation images.
"""

import hashlib
import json
import tempfile
from pathlib import Path

from glassnet import evaluate, load_dataset, train
from glassnet.errors import FileError
from glassnet.files import write_atomically
from glassnet.training import BUNDLED, Run
from glassnet.training.progress import Progress
from machine import describe_machine

RECIPE = "bundled"
MAX_BYTES = 2_000_000


def main() -> None:
    """Train the recipe and write the result to the package."""
    mnist = load_dataset("mnist")
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress()
        try:
            run = train(mnist, RECIPE, out=Path(folder) / "run", callbacks=[progress])
        finally:
            progress.close()
        figures = write_bundle(run, BUNDLED)
    print(f"{BUNDLED}: {100 * figures['test_accuracy']:.2f} % of the test images, {figures['bytes']:,} bytes")


def write_bundle(run: Run, model_file: Path) -> dict[str, object]:
    """Write a run's model to ``model_file``, and its ``config.toml`` and ``figures.json`` beside it.

    Returns:
        The figures.

    Raises:
        FileError: the model has more than 2 MB. Nothing is written then.
    """
    content = (run.path / "model.safetensors").read_bytes()
    if len(content) > MAX_BYTES:
        raise FileError(
            f"{run.path}: a model of {len(content):,} bytes, more than the {MAX_BYTES:,} allowed; use fewer units"
        )
    evaluation = evaluate(run.model, run.dataset().test)
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

"""The report of a run: figures as PNG files, and a self-contained HTML page that shows them."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

from matplotlib.figure import Figure

from . import plots
from .data import Examples
from .evaluation import Evaluation, evaluate
from .files import write_atomically
from .model import Model
from .page import png, write_html
from .training import Run
from .training.history import Row

__all__ = ["write_report"]


ALONE = (
    "Loss should fall and accuracy rise. If training keeps improving and validation does not, the network is "
    "overfitting: it memorises its training images. The ring marks the best validation value."
)
TOGETHER = (
    "One point per member, at the total epochs of it and those before it. Validation is measured on the mean of their "
    "probabilities, which usually improves with each member, by less and less; training is the mean over the members. "
    "The model contains all of them, wherever the ring is. A report of a member's folder shows how it learned."
)
DISTORTED = (
    "On the left an original image, beside it distortions as used in training, redrawn every epoch; validation and "
    "test images are not distorted. If a version is no longer readable, the augmentation is too strong."
)


@dataclass(frozen=True)
class Illustration:
    """A figure with its heading and caption."""

    name: str
    heading: str
    caption: str
    figure: Figure

    @cached_property
    def png(self) -> bytes:
        """The content of a PNG file."""
        return png(self.figure)

    @property
    def words(self) -> str:
        """The titles of its axes, for those who do not see it."""
        return "; ".join(filter(None, (axes.get_title(loc="left") for axes in self.figure.axes)))


def write_report(run: Run, examples: Examples, folder: Path, training: Examples | None = None) -> Path:
    """Evaluate a run's model and write a report to ``folder``: PNG figures and ``report.html``.

    Args:
        run: a run that has reported at least one epoch.
        examples: held-out images of the model's shape, with labels.
        folder: where to write; it is created if missing.
        training: the training images; the augmentation, if any, is shown on these, or else on ``examples``.

    Returns:
        The path of the HTML file, which is written last.

    Raises:
        DataError: the images do not fit the model.
        FileError: the run has no model yet, or the folder cannot be written to.
    """
    model, history = run.model, run.history  # each is read from the run folder
    evaluation = evaluate(model, examples)
    illustrations = [*_illustrations(model, history, examples, evaluation)]
    if augmentation := run.config.augmentation:
        shown = examples if training is None else training
        figure = plots.augmented(shown, augmentation, ground=model.preprocessing.ground, seed=run.config.seed)
        illustrations.append(Illustration("augmentation", "Augmentation", DISTORTED, figure))
    for illustration in illustrations:
        write_atomically(folder / f"{illustration.name}.png", illustration.png)
    return write_html(
        folder / "report.html",
        "report.html",
        source=Path(run.config.data).name or "arrays in memory",
        run=run.path.resolve().name,
        verdict=_verdict(evaluation),
        headlines=_headlines(model, history, evaluation),
        illustrations=illustrations,
        classes=_class_rows(evaluation),
        settings=_setting_rows(run),
    )


def _illustrations(
    model: Model, history: list[Row], examples: Examples, evaluation: Evaluation
) -> Iterator[Illustration]:
    several = len(model.networks) > 1
    yield Illustration(
        "learning-curves", "Learning curves", TOGETHER if several else ALONE, plots.learning_curves(history)
    )
    yield Illustration(
        "confusion-matrix",
        "Confusion matrix",
        "A row for each true class, a column for each predicted class. The grey diagonal holds the correct "
        "predictions; the deeper the colour off it, the more frequent the mistake.",
        plots.confusion_matrix(evaluation),
    )
    yield Illustration(
        "hardest-images",
        "Hardest images",
        "The images whose true class got the lowest probability. The predicted class is blue where it is correct and "
        "orange where it is wrong, followed by its probability and the true class.",
        plots.hardest_images(evaluation, examples),
    )
    yield Illustration(
        "calibration",
        "Calibration",
        "Of the images predicted with a confidence of 80 %, 80 % should be correct: the dots should lie on the dashed "
        "line. Below it the model is overconfident, above it underconfident. Bars for few images (lower panel) are "
        "not reliable.",
        plots.calibration(evaluation),
    )
    yield Illustration(
        "first-layer-weights",
        "First-layer weights",
        "Ink raises a unit's input where its weights are blue and lowers it where they are orange; white ones have no "
        "effect. Strokes and edges are a sign of learning, pure noise is not. A convolution's units are its filters, "
        "which look at a small window of the image at a time." + " The units are those of the first member." * several,
        plots.first_layer_weights(model),
    )
    yield Illustration(
        "samples",
        "Samples",
        "A row of test images for each class. High pixel values are drawn dark, like ink on paper.",
        plots.samples(examples, model.classes),
    )


def _verdict(evaluation: Evaluation) -> str:
    count = len(evaluation.labels)
    mistakes = count - int(evaluation.confusion.trace())
    return f"Of {count:,} test images, {count - mistakes:,} were classified correctly and {mistakes:,} incorrectly."


def _headlines(model: Model, history: list[Row], evaluation: Evaluation) -> dict[str, str]:
    last = history[-1]
    return {
        "accuracy": f"{100 * evaluation.accuracy:.2f} %",
        "mean loss, nats": f"{evaluation.loss:.4f}",
        "calibration error": f"{100 * evaluation.calibration_error:.2f} %",
        "parameters": f"{model.size:,}",
        "epochs": f"{last['epoch']:,}",
        "training time": f"{last['seconds']:,.1f} s",
    }


def _class_rows(evaluation: Evaluation) -> Iterator[list[str]]:
    for name, (*fractions, count) in zip(evaluation.classes, map(astuple, evaluation.per_class.values()), strict=True):
        # Without images of a class its metrics are undefined.
        cells = [f"{100 * fraction:.1f}" if count else "–" for fraction in fractions]
        yield [name, *cells, f"{count:,}"]


def _setting_rows(run: Run) -> Iterator[list[str]]:
    for name, value in run.config.model_dump(mode="json", exclude_none=True).items():
        words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield [name, words or "none"]

"""What is explained of a run: its test images, and how its own steps differed from the one that is shown."""

from ..data import Examples, load_dataset
from ..errors import DataError
from ..evaluation import examples_for
from ..model import Model
from ..training import Config

__all__ = ["images_to_explain", "trained_images", "training_notes"]


def images_to_explain(model: Model, name: str) -> Examples:
    """Return the test images of the data that a model learned, with labels that index into its classes.

    Args:
        model: from a run folder or a model file.
        name: what an error calls it.

    Raises:
        DataError: it learned from arrays in memory, or its data is gone or has changed.
    """
    _refuse_arrays(model, name)
    try:
        return examples_for(model, load_dataset(model.trained_on, classes=model.classes))
    except DataError as error:
        raise DataError(f"{name}: there is no test image to explain: {error}") from error


def trained_images(model: Model, name: str) -> Examples:
    """Return the training images of the data that a model learned; arguments and errors as `images_to_explain`."""
    _refuse_arrays(model, name)
    return load_dataset(model.trained_on, classes=model.classes).train


def _refuse_arrays(model: Model, name: str) -> None:
    if not model.trained_on:
        raise DataError(
            f"{name}: this model learned from arrays in memory; from Python, give one of its images: "
            "glassnet.explain.explain(model, image, label)"
        )


def training_notes(config: Config) -> list[str]:
    """Say what made a run's own steps other ones than the step that is shown."""
    own = {
        f"optimizer {config.optimizer}": config.optimizer != "sgd",
        f"batches of {config.batch_size} images": config.batch_size != 1,
        f"label smoothing {config.label_smoothing:g}": config.label_smoothing,
        f"adversarial {config.adversarial:g}": config.adversarial,
        f"l2 {config.l2:g}": config.l2,
        "balanced class weights": config.class_weight != "none",
        f"gradients no longer than {config.clip_norm}": config.clip_norm,
    }
    notes = []
    if words := ", ".join(name for name, differs in own.items() if differs):
        notes.append(f"The run itself trained with {words}; the step shown is plain gradient descent on one image.")
    if config.mistakes:
        planted = ", ".join(config.mistakes)
        notes.append(f"The run was trained with planted mistakes ({planted}); what is shown here is the right step.")
    return notes

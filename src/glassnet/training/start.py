"""Beginning a run with the weights of a trained model in place of random ones."""

from collections.abc import Mapping
from typing import Any

from ..data import Dataset
from ..errors import ConfigError
from ..model import Model
from ..nn import ACTIVATIONS, BatchNorm, Dense, Network
from .architecture import OF_IMAGES, entries_of
from .loop import Loop
from .rehearsal import ARRAYS

__all__ = ["SMALL", "begin_with", "dataset_for", "recipe_for", "settings_of"]

SMALL = 5_000  # images: with fewer, an epoch of the default recipe has too few steps to learn from
OTHER_LAYERS = "start: the model has other layers than this run; give the recipe or the layers that it was trained with"
GIVEN = ("hidden", "layers", "activation", "batch_norm")  # settings that a model decides


def dataset_for(model: Model, dataset: Dataset) -> Dataset:
    """Return the data with all classes of the model that a run starts from, where its own are some of them."""
    return dataset.with_classes(model.classes) if set(dataset.classes) <= set(model.classes) else dataset


def recipe_for(model: Model, dataset: Dataset) -> str | None:
    """Return the recipe that suits a few more images of a model's own classes, or None where these are not that.

    Raises:
        ConfigError: only some of the classes are the model's, as where a stray folder lies among those of drawings.
    """
    others = [name for name in dataset.classes if name not in model.classes]
    if 0 < len(others) < len(dataset.classes):
        which = f"class {others[0]} is" if len(others) == 1 else f"classes {', '.join(others[:3])} are"
        raise ConfigError(
            f"start: {dataset.source or dataset.name}: {which} not among the model's; remove it to train the model on, "
            f"or give a recipe to train new outputs for these {len(dataset.classes)} classes"
        )
    return "fine-tune" if dataset.classes == model.classes and len(dataset.train) < SMALL else None


def settings_of(model: Model, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that begins with a model: those of its network, and the data that it has seen.

    Raises:
        ConfigError: an ensemble, images of another size, or a setting of another network.
    """
    if len(model.networks) > 1 or settings.get("members", 1) != 1:
        raise ConfigError("start: an ensemble cannot be the start of a run, nor begin with one model")
    if model.image_shape != dataset.image_shape:
        theirs, ours = ("×".join(map(str, shape)) for shape in (model.image_shape, dataset.image_shape))
        raise ConfigError(f"start: the model takes images of {theirs} pixels, and {dataset.name} has {ours}")
    form = model.preprocessing
    scaling = {(1 / 255, 0.0): "unit", (1.0, 0.0): "none"}.get((form.scale, form.shift), "standard")
    seen = dict.fromkeys([*model.seen, model.trained_on or ARRAYS])
    given = {name: value for name, value in settings.items() if value is not None}
    return {"scaling": scaling, "seen": tuple(seen)} | _layers(model.network, given) | given


def _layers(network: Network, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that give a network its layers, but for dropout, which has no weights."""
    for name in GIVEN:
        if name in given:
            raise ConfigError(f"{name}: follows from the model that the run starts from; leave it out")
    names: dict[type[Any], str] = {kind: name for name, kind in ACTIVATIONS.items()}
    dense = [layer.units for layer in network.layers if isinstance(layer, Dense)][:-1]
    of_images = any(isinstance(layer, OF_IMAGES) for layer in network.layers)
    return {
        **({"layers": entries_of(network.layers[:-1])} if of_images else {"hidden": dense}),
        "activation": [names[type(layer)] for layer in network.layers if type(layer) in names] or ["relu"],
        "batch_norm": any(isinstance(layer, BatchNorm) for layer in network.layers),
    }


def begin_with(loop: Loop, model: Model, *, same_classes: bool) -> None:
    """Give the network of a loop that has not begun the weights of a model, but for the outputs of other classes.

    Raises:
        ConfigError: the model has other layers.
    """
    for network in [loop.network, *([loop.average.network] if loop.average else [])]:
        _copy(model.network, network, outputs=same_classes)


def _copy(source: Network, target: Network, *, outputs: bool) -> None:
    ours, theirs = (
        [*network.named_parameters.values(), *network.named_statistics.values()] for network in (target, source)
    )
    if len(ours) != len(theirs):
        raise ConfigError(OTHER_LAYERS)
    skipped = range(0) if outputs else range(len(target.named_parameters) - 2, len(target.named_parameters))
    for i, (view, values) in enumerate(zip(ours, theirs, strict=True)):
        if i in skipped:  # weights and biases of the last layer
            continue
        if view.shape != values.shape:
            raise ConfigError(OTHER_LAYERS)
        view[...] = values

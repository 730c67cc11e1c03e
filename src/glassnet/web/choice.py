"""Which image a view looks at: one of a model's test images, one of a run's validation images, or a drawing."""

from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
from fastapi import Query

from ..data import Examples, frame_picture, read_picture
from ..data.dataset import Images
from ..errors import DataError
from ..explain.top_images import MOST_SEARCHED
from ..model import Model
from .store import Store

__all__ = ["NAME", "Chosen", "Of", "Step", "choose", "framed", "name_of", "training_images"]

NAME = "the drawing"  # what errors call it

Of: TypeAlias = Literal["test", "validation"]
Step: TypeAlias = Annotated[int | None, Query(ge=0)]  # of a snapshot; None for the network as it is now


class Chosen(NamedTuple):
    """One image of a set.

    Attributes:
        pixels: (h, w).
        label: its true class.
        images: how many there are in the set.
    """

    pixels: Images
    label: int
    images: int


def name_of(store: Store, run: str | None) -> str:
    """Return what a page calls a run's model, or the site's own."""
    return run or ("the bundled model" if store.site.model is None else store.site.model.name)


def choose(store: Store, model: Model, run: str | None, of: Of, image: int) -> Chosen:
    """Return an image that a model has not learned from.

    Raises:
        DataError: there is no such image, or the data are not on this machine.
        TrainingError: the run learned from arrays in memory.
    """
    if of == "test":
        examples = store.test_images(model, name_of(store, run))
    elif run is None:
        raise DataError("the site's own model has no validation images here; choose a run, or of=test")
    else:
        examples = store.validation_images(store.run(run), model)
    if not 0 <= image < len(examples):
        raise DataError(f"image {image}: there are {len(examples):,} {of} images, 0 to {len(examples) - 1}")
    return Chosen(examples.images_at(np.array([image]))[0], int(examples.labels[image]), len(examples))


def framed(model: Model, picture: bytes) -> Images:
    """Return a drawing in the form of a model's images (h, w), as `glassnet predict` would see it.

    Raises:
        DataError: it is not a picture, or shows no digit.
    """
    return frame_picture(read_picture(picture, NAME), model.preprocessing, NAME)


def training_images(store: Store, model: Model, run: str | None) -> Examples:
    """Return up to 2,000 of the images that a model learned from, evenly spread over them; raises as `choose`."""
    return store.training_images(model, name_of(store, run), None if run is None else store.run(run), MOST_SEARCHED)

"""The settings of a run, by group. Their descriptions are the help of the command line and of the page."""

from collections.abc import Collection
from itertools import chain
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
)
from pydantic_core.core_schema import CoreSchema, no_info_before_validator_function

from ..data.augmentation import RANGES
from ..data.preprocess import Scaling
from ..engines import ENGINES, MAX_THREADS
from ..errors import nearest
from ..model_file import MAX_MEMBERS
from ..nn import ACTIVATIONS, INITIALIZERS, OPTIMIZERS
from .architecture import layer_of, split_entries

__all__ = [
    "LARGEST_SEED",
    "Architecture",
    "Augmentations",
    "Data",
    "OneOf",
    "Optimization",
    "Positive",
    "Running",
    "Seed",
    "Settings",
]

LARGEST_SEED = 2**32 - 1
MOST_EPOCHS = 10**9  # more than anybody waits for, and few enough to count steps and seconds by

Positive = Annotated[int, Field(ge=1)]
_POSITIVE = TypeAdapter(Positive)
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Share = Annotated[float, Field(ge=0, lt=1)]
AtLeastZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _amount_of(name: str) -> Any:
    """Return the bounds of an amount of `Augmentation`."""
    least, most = RANGES[name]
    return Field(ge=least, le=most)


class OneOf:
    """Accept one of several names, which the JSON schema lists; the error has the nearest one.

    Args:
        *names: may grow, by packages that are installed, so they are asked each time.
    """

    def __init__(self, *names: Collection[str]) -> None:
        self.names = names

    def check(self, value: object) -> object:
        """Return a value that is one of the names."""
        if not (isinstance(value, str) and any(value in each for each in self.names)):
            raise ValueError(f"{value!r} is unknown{nearest(str(value), [*chain(*self.names)])}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": [*chain(*self.names)], "type": "string"}


def _one_or_many(value: object) -> object:
    """Accept a single one where a list is asked for."""
    return (value,) if isinstance(value, str | int) else value


@AfterValidator
def _entry(value: str) -> str:
    """Refuse what is no entry of ``layers``."""
    layer_of(value)
    return value


@BeforeValidator
def _batch_size(value: object) -> object:
    """Accept "all", or a whole number of at least 1."""
    if value == "all":
        return value
    try:
        return _POSITIVE.validate_python(value)
    except ValidationError as error:
        raise ValueError(f"must be a whole number of at least 1, or all, not {value!r}") from error


class Data(BaseModel):
    """Which images are learned, and in which form."""

    validation: AtLeastZero = Field(
        0.1,
        description="Validation split: fraction of the training images held out to choose the best model; "
        "a value of 2 or more is a number of images.",
    )
    all_data: bool = Field(
        False,
        description="Train on all labelled images, as for a submission: none are held out for validation, nor, if the "
        "data has no test images of its own, for testing.",
    )
    rehearsal: Share = Field(
        0.0,
        description="Fraction of the images that come from the data which the model of --from learned first, so that "
        "it is not forgotten.",
    )
    scaling: Annotated[Scaling, OneOf(("unit", "standard", "none"))] = Field(
        "unit", description="Pixel scaling: unit (0 to 1), standard (mean 0, variance 1) or none (0 to 255)."
    )


class Augmentations(BaseModel):
    """How the training images are distorted."""

    rotation: Annotated[float, _amount_of("rotation")] = Field(
        0.0, description="Maximum random rotation in degrees, redrawn every epoch."
    )
    zoom: Annotated[float, _amount_of("zoom")] = Field(
        0.0, description="Maximum random zoom in or out, as a fraction of the image size."
    )
    shear: Annotated[float, _amount_of("shear")] = Field(
        0.0, description="Maximum random horizontal shear, in pixels per row."
    )
    shift: Annotated[float, _amount_of("shift")] = Field(
        0.0, description="Maximum random shift in pixels, along each axis."
    )
    elastic: Annotated[float, _amount_of("elastic")] = Field(
        0.0, description="Random elastic distortion: standard deviation of the displacement, in pixels."
    )
    smoothness: Annotated[float, _amount_of("smoothness")] = Field(
        4.0, description="Standard deviation of the Gaussian filter that smooths the elastic distortion, in pixels."
    )
    robust: bool = Field(
        False,
        description="Random perspective, stroke width, contrast, blur, noise, gaps, fading and residue, as from pens, "
        "paper and cameras.",
    )


class Architecture(BaseModel):
    """The layers."""

    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...], Field(max_length=200), BeforeValidator(_one_or_many)
    ] = Field((128, 64), description="Units of each hidden layer, from input to output.")
    layers: Annotated[tuple[Annotated[str, _entry], ...], Field(max_length=200), BeforeValidator(split_entries)] = (
        Field(
            (),
            description="Layers from input to output, instead of hidden: conv 32 5x5, pool 2, dense 128; also conv 32 "
            "3x3 stride 2 same (or padding 1), average pool 2, global pool, dropout 0.5, spatial dropout 0.2.",
        )
    )
    activation: Annotated[tuple[Annotated[str, OneOf(ACTIVATIONS)], ...], BeforeValidator(_one_or_many)] = Field(
        ("relu",),
        description=f"Activation of the hidden layers, one for all or one per layer: {', '.join(ACTIVATIONS)}.",
    )
    initializer: Annotated[str, OneOf(INITIALIZERS)] = Field(
        "he_normal", description=f"Weight initializer: {', '.join(INITIALIZERS)}."
    )
    initializer_scale: Annotated[float, Field(gt=0, le=1e6)] = Field(
        1.0, description="Factor applied to the initial weights."
    )
    batch_norm: bool = Field(False, description="Batch normalisation before each activation.")
    dropout: Share = Field(0.0, description="Dropout rate after each dense hidden layer.")
    precision: Annotated[str, OneOf(("float32", "bfloat16", "float64"))] = Field(
        "float32",
        description="Floating-point type of the network: float32, float64, or bfloat16 for what goes into products and "
        "float32 for all else.",
    )

    @property
    def entries(self) -> tuple[str, ...]:
        """The hidden layers from input to output, each as an entry of ``layers``."""
        return self.layers or tuple(f"dense {units}" for units in self.hidden)


class Optimization(BaseModel):
    """How the weights are learned."""

    optimizer: Annotated[str, OneOf(OPTIMIZERS)] = Field("adam", description=f"Optimizer: {', '.join(OPTIMIZERS)}.")
    learning_rate: AboveZero = Field(
        0.001,
        description="Peak learning rate. Default of sgd: 0.1; of momentum and nesterov: 0.02; of the others: 0.001.",
    )
    momentum: Share = Field(0.9, description="Momentum coefficient (optimizers momentum and nesterov).")
    weight_decay: AtLeastZero = Field(0.0, description="Decoupled weight decay (optimizer adamw).")
    l2: AtLeastZero = Field(0.0, description="L2 penalty: l2 / 2 times the sum of squared weights, added to the loss.")
    clip_norm: AboveZero | None = Field(None, description="Maximum gradient norm; larger gradients are scaled down.")
    ema: Share = Field(
        0.0,
        description="Decay of the weight average (EMA), such as 0.999; the averaged weights become the model. 0: off.",
    )

    schedule: Annotated[str, OneOf(("constant", "step", "cosine", "one_cycle"))] = Field(
        "constant", description="Learning-rate schedule: constant, step, cosine, one_cycle."
    )
    warmup_epochs: Annotated[float, Field(ge=0, le=MOST_EPOCHS)] = Field(
        0.0, description="Epochs of linear learning-rate warm-up."
    )
    step_epochs: Annotated[float, Field(gt=0, le=MOST_EPOCHS)] = Field(
        10.0, description="Epochs between learning-rate drops (schedule step)."
    )
    step_factor: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="Learning-rate factor of each drop (schedule step)."
    )

    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = Field(10, description="Passes over the training images.")
    batch_size: Annotated[int | str, _batch_size] = Field(
        128, description="Images per step; all: the whole training set in every step."
    )
    shuffle: bool = Field(True, description="Shuffle the training images before every epoch.")
    label_smoothing: Share = Field(
        0.0, description="Label smoothing: share of each target that is spread evenly over all classes."
    )
    adversarial: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = Field(
        0.0,
        description="Adversarial training: Euclidean distance by which the inputs of each image, as scaled, are moved "
        "to where its loss is greater, before it is learned, such as 1 for images of 28×28 pixels. 0: off.",
    )
    class_weight: Annotated[str, OneOf(("none", "balanced"))] = Field(
        "none", description="Class weights in the loss: none, or balanced (inverse to class frequency)."
    )


class Running(BaseModel):
    """How the run goes and which model it keeps."""

    report_every: Positive = Field(1, description="Epochs between validations.")
    monitor: Annotated[str, OneOf(("validation_loss", "validation_accuracy"))] = Field(
        "validation_loss", description="Metric that chooses the best model: validation_loss or validation_accuracy."
    )
    patience: Positive | None = Field(
        None, description="Early stopping: maximum number of epochs without improvement of the monitored metric."
    )
    seed: Seed = Field(
        0, description="Random seed of the validation split, initial weights, shuffling, augmentation and dropout."
    )
    members: Annotated[int, Field(ge=1, le=MAX_MEMBERS)] = Field(
        1, description="Networks in an ensemble, trained with consecutive seeds; their probabilities are averaged."
    )
    snapshots: Annotated[int, Field(ge=0, le=1000)] = Field(
        40,
        description="Snapshots of the weights kept in the run folder, evenly spaced in the logarithm of the step, for "
        "looking back; fewer of a large network. 0: none.",
    )
    engine: Annotated[str, OneOf(("auto",), ENGINES)] = Field(
        "auto",
        description="Engine: numpy, compiled (needs the extra fast), one that an installed package brings, or auto "
        "(compiled if installed and the run is long enough to gain).",
    )
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] | None = Field(
        None, description="Number of threads; chosen by the size of network and batch if not given."
    )


class Settings(Running, Optimization, Architecture, Augmentations, Data):  # pydantic takes the fields of the last first
    """All settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

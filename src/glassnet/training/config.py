"""Everything that decides how a run goes, in one validated, frozen object.

A setting has one name, the same in a TOML file, as a flag of the command line (``--learning-rate``) and as a keyword of
`glassnet.train`. Where a setting is given in several places, a flag or keyword wins over a file, and a file over the
recipe that it names.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from ..clinic import MISTAKES, Mistake
from ..data import Augmentation
from ..data.augmentation import RANGES
from ..data.preprocess import Scaling
from ..engines import MAX_THREADS
from ..errors import ConfigError, nearest
from ..model import MAX_MEMBERS
from ..nn import ACTIVATIONS, INITIALIZERS, OPTIMIZERS
from .recipe import notebook_names, parse_toml, read_recipe
from .wording import explain

__all__ = ["Config", "Settings"]

DEFAULT_LEARNING_RATES = {
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "rmsprop": 0.001,
    "adam": 0.001,
    "adamw": 0.001,
}

LARGEST_SEED = 2**32 - 1

Positive = Annotated[int, Field(ge=1)]
_POSITIVE = TypeAdapter(Positive)
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Share = Annotated[float, Field(ge=0, lt=1)]
AtLeastZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _amount_of(name: str) -> Any:
    """Return the field of an amount of `Augmentation`, within its range."""
    least, most = RANGES[name]
    return Field(ge=least, le=most)


def _one_of(names: tuple[str, ...]) -> BeforeValidator:
    """Accept one of ``names``, which the JSON schema lists; the error has the nearest one."""

    def check(value: object) -> object:
        if value not in names:
            raise ValueError(f"{value!r} is unknown{nearest(str(value), names)}")
        return value

    return BeforeValidator(check, json_schema_input_type=Literal.__getitem__(names))


def _one_or_many(value: object) -> object:
    """Accept a single one where a list is asked for."""
    return (value,) if isinstance(value, str | int) else value


@BeforeValidator
def _batch_size(value: object) -> object:
    """Accept "all", or a whole number of at least 1."""
    if value == "all":
        return value
    try:
        return _POSITIVE.validate_python(value)
    except ValidationError as error:
        raise ValueError(f"must be a whole number of at least 1, or all, not {value!r}") from error


class Settings(BaseModel):
    """What a person may set. The descriptions of the fields are the help of the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validation: AtLeastZero = Field(
        0.1, description="Share of the training images kept aside to choose the best model by; from 1 on, their number."
    )
    scaling: Annotated[Scaling, _one_of(("unit", "standard", "none"))] = Field(
        "unit", description="Pixels become 0…1 (unit), mean 0 and variance 1 (standard), or stay 0…255 (none)."
    )

    rotation: Annotated[float, _amount_of("rotation")] = Field(
        0.0, description="Degrees that each training image is turned at most, either way, anew in each epoch."
    )
    zoom: Annotated[float, _amount_of("zoom")] = Field(
        0.0, description="Share that each training image is enlarged or reduced at most."
    )
    shear: Annotated[float, _amount_of("shear")] = Field(
        0.0, description="Slant of each training image at most: columns to the side for each row down."
    )
    shift: Annotated[float, _amount_of("shift")] = Field(
        0.0, description="Pixels that each training image is moved at most, down or up and to either side."
    )
    elastic: Annotated[float, _amount_of("elastic")] = Field(
        0.0, description="Pixels that elastic distortion moves the points of each training image, typically."
    )
    smoothness: Annotated[float, _amount_of("smoothness")] = Field(
        4.0, description="Pixels over which elastic distortion is smooth: the deviation of its Gaussian."
    )

    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...], Field(max_length=200), BeforeValidator(_one_or_many)
    ] = Field((128, 64), description="Units of each hidden layer, from the input up.")
    activation: Annotated[tuple[Annotated[str, _one_of(tuple(ACTIVATIONS))], ...], BeforeValidator(_one_or_many)] = (
        Field(("relu",), description=f"One for all hidden layers, or one for each: {', '.join(ACTIVATIONS)}.")
    )
    initializer: Annotated[str, _one_of(INITIALIZERS)] = Field(
        "he_normal", description=f"First weights: {', '.join(INITIALIZERS)}."
    )
    initializer_scale: AboveZero = Field(1.0, description="Multiplies the spread of the first weights.")
    batch_norm: bool = Field(False, description="Batch normalisation before each activation.")
    dropout: Share = Field(0.0, description="Probability with which a hidden unit is silenced in training.")
    dtype: Annotated[str, _one_of(("float32", "float64"))] = Field("float32", description="float32 or float64.")

    optimizer: Annotated[str, _one_of(tuple(OPTIMIZERS))] = Field("adam", description=f"{', '.join(OPTIMIZERS)}.")
    learning_rate: AboveZero = Field(0.001, description="The largest that the schedule reaches.")
    momentum: Share = Field(0.9, description="What stays of the velocity at each step (momentum, nesterov).")
    weight_decay: AtLeastZero = Field(
        0.0, description="Share of the weights taken off at each step, times the learning rate (adamw)."
    )
    l2: AtLeastZero = Field(0.0, description="Half of this times the sum of squared weights is added to the loss.")
    clip_norm: AboveZero | None = Field(None, description="The longest that a gradient may be; longer ones are cut.")

    ema: Share = Field(
        0.0,
        description="What stays of the averaged weights at each step, such as 0.999; they become the model. 0: off.",
    )

    schedule: Annotated[str, _one_of(("constant", "step", "cosine", "one_cycle"))] = Field(
        "constant", description="The learning rate over the run: constant, step, cosine, one_cycle."
    )
    warmup_epochs: AtLeastZero = Field(0.0, description="Epochs in which the learning rate grows from zero.")
    step_epochs: AboveZero = Field(10.0, description="Epochs from one drop to the next (schedule step).")
    step_factor: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="What is left after a drop.")

    epochs: Positive = Field(10, description="Passes through the training images.")
    batch_size: Annotated[int | str, _batch_size] = Field(
        128, description="Images in a step; all takes every training image at each step."
    )
    shuffle: bool = Field(True, description="Take the images in another order in each epoch.")
    report_every: Positive = Field(1, description="Epochs from one validation and report to the next.")
    label_smoothing: Share = Field(0.0, description="Probability spread over all classes in the target.")
    class_weight: Annotated[str, _one_of(("none", "balanced"))] = Field(
        "none", description="balanced: a class counts as much as any other, however few images it has."
    )
    monitor: Annotated[str, _one_of(("validation_loss", "validation_accuracy"))] = Field(
        "validation_loss", description="What the best model is chosen by: validation_loss or validation_accuracy."
    )
    patience: Positive | None = Field(None, description="Stop after this many epochs without a better model.")
    seed: Seed = Field(0, description="Of split, first weights, order, distortions, dropout.")
    members: Annotated[int, Field(ge=1, le=MAX_MEMBERS)] = Field(
        1, description="Networks with seeds one apart, whose mean probability is the answer: an ensemble."
    )
    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] | None = Field(
        None, description="By default chosen by the size of the work."
    )


class Config(Settings):
    """How a run goes: the settings, what is learned, and the recipe that the settings began with.

    ``data`` is the source of the data set, "" for arrays in memory, and ``classes`` are the names of its classes.
    ``mistakes`` are those that are planted, by their names in `glassnet.clinic.MISTAKES`: from the start, or in a run
    that has gone right for ``mistakes_from`` epochs; the settings are then those before. Only a member of an ensemble
    has a ``first_seed``: that of the first member, by which all split the images.
    """

    mistakes: tuple[Annotated[str, _one_of(tuple(MISTAKES))], ...] = ()
    mistakes_from: Positive | None = None
    data: str = "digits"
    classes: tuple[str, ...] = tuple("0123456789")
    recipe: str = "default"
    first_seed: Seed | None = None

    def member(self, number: int) -> Self:
        """Return the configuration of a member, counted from 1: another seed for all but the split."""
        return self.model_copy(update={"members": 1, "seed": self.seed + number - 1, "first_seed": self.seed})

    @property
    def split_seed(self) -> int:
        """The seed of the split into images to learn from and images to choose by."""
        return self.seed if self.first_seed is None else self.first_seed

    def parts(self) -> list[tuple[Self, int]]:
        """Return how the run goes, one part after another, each with the epoch that it ends with.

        There are two where mistakes are planted in a run that has begun without them.
        """
        if self.mistakes_from is None:
            return [(self, self.epochs)]
        right = self.model_copy(update={"mistakes": (), "mistakes_from": None})
        wrong = self.model_copy(update=_settings_of(self.mistakes, self.model_dump()) | {"mistakes_from": None})
        return [(right, self.mistakes_from), (wrong, self.epochs)]

    @classmethod
    def resolve(cls, recipe: str | Path = "default", *, as_written: bool = False, **settings: Any) -> Self:
        """Put a configuration together from a recipe or TOML file and the ``settings`` that go over it.

        Args:
            recipe: the name of a recipe that comes with glassnet, or the path of a TOML file with settings; a file may
                name with ``recipe = "…"`` the recipe that it changes.
            as_written: with the mistakes of the notebook that the recipe cures.
            **settings: any fields of `Config`; those that are None count as not given.

        Raises:
            ConfigError: an unknown recipe or setting (the nearest known one is named), a value out of range, or a
                recipe that cures nothing where it is asked for as written.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        base, own, origin = read_recipe(recipe)
        written = base.pop("as_written", {})
        if as_written and not written:
            raise ConfigError(
                f"recipe {str(recipe)!r} cures no notebook, so nothing is as written; use {', '.join(notebook_names())}"
            )
        own = own | (written if as_written else {})
        mistakes = given.get("mistakes", own.get("mistakes", ()))
        later = "mistakes_from" in own | given
        merged = _merge(base if later else base | _settings_of(mistakes, base), own)
        return cls._checked(_merge(merged, given), given, origin)

    @classmethod
    def of(cls, **settings: Any) -> Self:
        """Put a configuration together from ``settings`` and the defaults of all others, without a recipe.

        Raises:
            ConfigError: an unknown setting, or a value out of range.
        """
        return cls._checked(_merge({}, settings), settings, "")

    @classmethod
    def _checked(cls, settings: Mapping[str, Any], given: Mapping[str, Any], origin: str) -> Self:
        try:
            config = cls.model_validate(settings)
        except ValidationError as error:
            raise ConfigError(explain(error, given, origin, cls.model_fields)) from error
        config._check_together()
        return config

    @property
    def augmentation(self) -> Augmentation | None:
        """How training images are distorted, or None where they are not."""
        augmentation = Augmentation(**{name: getattr(self, name) for name in RANGES})
        return augmentation if augmentation.distorts else None

    def _check_together(self) -> None:
        """Refuse settings that are right one by one and wrong together."""
        if len(self.activation) not in (1, len(self.hidden)):
            raise ConfigError(
                f"activation: {len(self.activation)} activations for {len(self.hidden)} hidden layers; "
                "give one for all or one for each"
            )
        if self.weight_decay and self.optimizer != "adamw":
            raise ConfigError(f"weight_decay: {self.optimizer} has none; use optimizer adamw, or l2 instead")
        if self.patience and not self.validation:
            raise ConfigError("patience: stopping early needs validation images; set validation above 0")
        if self.validation >= 1 and (self.validation % 1 or self.validation == 1):
            raise ConfigError(
                f"validation: {self.validation:g}: give a share less than 1, or a number of images above 1"
            )
        if self.batch_size == "all" and self.augmentation:
            raise ConfigError(
                "batch_size: all takes the same images at every step, so they cannot be distorted anew; give a number"
            )
        if self.batch_size == "all" and self.batch_norm:
            raise ConfigError(
                "batch_norm: all images go through block by block, so there is no mean over them; give a batch_size"
            )
        planted = [MISTAKES[name] for name in self.mistakes]
        together = next((mistake.name for mistake in planted if mistake.whole_batch), None)
        if self.batch_size == "all" and together:
            raise ConfigError(
                f"mistakes: {together} looks at all examples of a step together, and batch_size all goes through them "
                "block by block; give a number"
            )
        if self.mistakes_from is not None:
            self._check_later(planted)
        for one, other in combinations(planted, 2):
            if one is other:
                raise ConfigError(f"mistakes: {one.name} is there twice; once is enough")
            if one.replaces and one.replaces == other.replaces:
                raise ConfigError(
                    f"mistakes: {one.name} and {other.name} both replace {one.replaces}; take one of them out"
                )
        if self.members > 1 and planted:
            raise ConfigError(f"members: {planted[0].name} is shown on one network; leave out members, or the mistakes")
        if self.seed + self.members - 1 > LARGEST_SEED:
            raise ConfigError(f"members: the last one's seed would be more than {LARGEST_SEED}; give a smaller seed")
        if self.batch_norm and self.batch_size == 1:
            raise ConfigError(
                "batch_norm: the mean of a batch of one image is the image; use a batch_size of 2 or more"
            )

    def _check_later(self, planted: Sequence[type[Mistake]]) -> None:
        """Refuse mistakes that cannot be planted in a run that has begun."""
        assert self.mistakes_from is not None
        if not planted:
            raise ConfigError("mistakes_from: there are no mistakes to plant; give mistakes too")
        if self.mistakes_from >= self.epochs:
            raise ConfigError(f"mistakes_from: the run ends with epoch {self.epochs}; give fewer epochs than that")
        for mistake in planted:
            if mistake.from_the_start:
                raise ConfigError(f"mistakes_from: {mistake.name} can only be made at the start; leave one of them out")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a configuration that `to_toml` gave; raise ConfigError where it cannot be used."""
        try:
            config = cls.model_validate(parse_toml(path, path.read_bytes()))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); is this a run folder?") from error
        except ValidationError as error:
            raise ConfigError(explain(error, (), f"{path}: ", cls.model_fields)) from error
        config._check_together()
        return config

    def to_toml(self) -> str:
        """Return the settings as TOML; those that are None are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _settings_of(mistakes: object, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that mistakes consist of; what is no list of known names is left to the validation."""
    names = mistakes if isinstance(mistakes, list | tuple) else ()
    known = [MISTAKES[name] for name in names if isinstance(name, str) and name in MISTAKES]
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return {key: value for mistake in known for key, value in mistake.changes(defaults | dict(base)).items()}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay settings over others, which lose what does not go with the new ones.

    Another optimizer brings its own learning rate: one for Adam is none for SGD. Whole batches and single images can
    have no batch normalisation, and whole batches no distortions.
    """
    merged = dict(below)
    if above.get("batch_size") in ("all", 1):
        merged.pop("batch_norm", None)
    if above.get("batch_size") == "all":
        merged = {name: value for name, value in merged.items() if name not in RANGES}
    optimizer = above.get("optimizer")
    if (
        isinstance(optimizer, str)
        and optimizer in DEFAULT_LEARNING_RATES
        and optimizer != below.get("optimizer", "adam")
    ):
        merged["learning_rate"] = DEFAULT_LEARNING_RATES[optimizer]
        merged.pop("weight_decay", None)
    return merged | dict(above)

"""Everything that decides how a run goes, in one validated, frozen object.

A setting has one name, the same in a TOML file, as a flag of the command line (``--learning-rate``) and as a keyword of
`glassnet.train`. Flags and keywords override a file, a file overrides the recipe that it names, and a recipe overrides
the defaults of `Settings`.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Self, get_args

import numpy as np
import tomli_w
from pydantic import ValidationError, ValidationInfo, field_validator

from ..clinic import MISTAKES, Mistake
from ..data import Augmentation
from ..data.augmentation import AUGMENTATIONS
from ..errors import ConfigError
from .architecture import is_a, weighted
from .recipe import notebook_names, read_recipe, read_toml, recipe_names
from .settings import LARGEST_SEED, OneOf, Positive, Seed, Settings
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


class Config(Settings):
    """How a run goes: the settings, what is learned, and the recipe that the settings began with.

    ``data`` is the source of the data set, "" for arrays in memory, and ``classes`` are the names of its classes.
    ``recipe`` is a record: the name of a recipe that comes with glassnet, or of the TOML file that was given.
    ``mistakes`` are those that are planted, by their names in `glassnet.clinic.MISTAKES`: from the start, or in a run
    that has gone right for ``mistakes_from`` epochs; the settings are then those before. Only a member of an ensemble
    has a ``first_seed``: that of the first member, by which all split the images, and an ``ensemble_size``: how many
    members there are, which share the space for snapshots. ``seen`` are the sources of what the model had learned that
    the run started from.
    """

    mistakes: tuple[Annotated[str, OneOf(MISTAKES)], ...] = ()
    mistakes_from: Positive | None = None
    data: str = "digits"
    classes: tuple[str, ...] = tuple("0123456789")
    recipe: str = "default"
    first_seed: Seed | None = None
    ensemble_size: Positive | None = None
    seen: tuple[str, ...] = ()

    def member(self, number: int) -> Self:
        """Return the configuration of a member, counted from 1: another seed for all but the split."""
        seeds = {"seed": self.seed + number - 1, "first_seed": self.seed}
        return self.model_copy(update={"members": 1, "ensemble_size": self.members} | seeds)

    @field_validator("*", mode="before")
    @classmethod
    def _check_type(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what pydantic would convert: true for a number, "3" for 3, "yes" or 1 for true."""
        name = str(info.field_name)
        wanted = cls.model_fields[name].annotation
        if wanted is bool:
            if not isinstance(value, bool | np.bool_):
                raise ValueError(f"must be true or false, not {value!r:.80}")
            return value
        if name == "batch_size" and isinstance(value, str) and value != "all":
            raise ValueError(f"must be a whole number of at least 1, or all, not {value!r:.80}")
        # All settings that may be None are numbers.
        number = wanted in (int, float) or NoneType in get_args(wanted) or name == "hidden"
        refused = (bool, np.bool_, str) if number else (bool, np.bool_)
        if any(isinstance(part, refused) for part in (value if isinstance(value, list | tuple) else [value])):
            kind = "a number" if "float" in str(wanted) else "a whole number"
            raise ValueError(f"must be {kind}, not {value!r:.80}")
        return value

    @property
    def dtype(self) -> str:
        """The type of the network's arrays: "float32" or "float64"."""
        return "float64" if self.precision == "float64" else "float32"

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
            recipe: the name of a recipe that comes with glassnet, or the path of a TOML file with settings. A file
                starts from the recipe that it names (``recipe = "fast"``), or else from the defaults of `Settings`.
            as_written: with the mistakes of the notebook that the recipe cures.
            **settings: any fields of `Config`; those that are None count as not given.

        Raises:
            ConfigError: an unknown recipe or setting (the nearest known one is named), a value out of range, or
                ``as_written`` with a recipe that cures no notebook.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        if not isinstance(recipe, str | Path):
            raise ConfigError(f"recipe: must be the name of a recipe or the path of a TOML file, not {recipe!r:.80}")
        base, own, origin = read_recipe(recipe)
        written = base.pop("as_written", {}) | own.pop("as_written", {})
        if as_written and not written:
            raise ConfigError(
                f"as_written: recipe {str(recipe)!r} cures no notebook; use one of {', '.join(notebook_names())}"
            )
        own = own | (written if as_written else {})
        mistakes = given.get("mistakes", own.get("mistakes", ()))
        later = "mistakes_from" in own | given
        base = _merge({}, base)
        merged = _merge(base if later else base | _settings_of(mistakes, base), own)
        if origin and not as_written:
            cls._checked(_merge(merged, written | given), given, origin)  # so that what is wrong there is found now
        return cls._checked(_merge(merged, given), given, origin)

    def to_recipe(self) -> str:
        """Return TOML that gives these settings as a recipe: the recipe that they began with, and what is different.

        Where they did not begin with one that comes with glassnet, it is what differs from the defaults.
        """
        known = self.recipe in recipe_names()
        start = (Config.resolve(self.recipe) if known else Config.of()).model_dump(mode="json")
        own = self.model_dump(mode="json", exclude_none=True, exclude={"recipe"})
        different = {name: value for name, value in own.items() if value != start[name] and value != ""}
        brought = _settings_of(self.mistakes, {}) if "mistakes" in different else {}
        if "optimizer" in different:
            brought["learning_rate"] = self.learning_rate
        different |= {name: own[name] for name in brought}  # which would otherwise bring their own
        return tomli_w.dumps(({"recipe": self.recipe} if known else {}) | different)

    @classmethod
    def of(cls, **settings: Any) -> Self:
        """Put a configuration together from ``settings`` and the defaults of all others, without a recipe.

        Raises:
            ConfigError: an unknown setting, or a value out of range.
        """
        return cls._checked(_merge({}, settings), settings, "")

    @classmethod
    def _checked(cls, settings: Mapping[str, Any], given: Mapping[str, Any], origin: str) -> Self:
        if settings.get("layers"):
            settings = {"hidden": ()} | dict(settings)
        try:
            config = cls.model_validate(settings)
        except ValidationError as error:
            raise ConfigError(explain(error, given, origin, cls.model_fields)) from error
        try:
            config._check_together()
        except ConfigError as error:
            of_the_file = str(error).partition(":")[0] not in given
            raise ConfigError(f"{origin if of_the_file else ''}{error}") from error
        return config

    @property
    def augmentation(self) -> Augmentation | None:
        """How training images are distorted, or None where they are not."""
        augmentation = Augmentation(**{name: getattr(self, name) for name in AUGMENTATIONS})
        return augmentation if augmentation.distorts else None

    def _check_together(self) -> None:
        """Refuse settings that are right one by one and wrong together."""
        if self.layers and self.hidden:
            raise ConfigError(
                "layers: hidden is given as well, which is short for dense layers alone; leave out one of them"
            )
        if len(self.activation) not in (1, count := weighted(self.entries)):
            raise ConfigError(
                f"activation: {len(self.activation)} given, but the number of hidden layers is {count}; "
                "give one for all layers or one per layer"
            )
        if self.weight_decay and self.optimizer != "adamw":
            raise ConfigError(f"weight_decay: not supported by {self.optimizer}; use optimizer adamw, or l2")
        if self.precision == "bfloat16" and self.engine not in ("auto", "numpy", "compiled"):
            raise ConfigError(f"precision: bfloat16 is not possible with engine {self.engine}; use float32")
        if self.patience and not self.validation:
            raise ConfigError("patience: early stopping needs validation images; set validation above 0")
        if self.all_data and self.validation:
            raise ConfigError("all_data: leaves no images for validation; leave out validation, or all_data")
        if self.validation >= 1 and (self.validation % 1 or self.validation == 1):
            raise ConfigError(
                f"validation: must be a fraction less than 1, or at least 2 images, not {self.validation:g}"
            )
        if self.batch_size == "all" and self.augmentation:
            raise ConfigError(
                "batch_size: all cannot be combined with augmentation; give a number, "
                "or turn rotation, zoom, shear, shift, elastic and robust off"
            )
        if self.batch_size == "all" and self.adversarial:
            raise ConfigError(
                "adversarial: not supported with batch_size all, which processes the images in blocks; "
                "give a number as batch_size, or leave out adversarial"
            )
        if self.batch_size == "all" and self.batch_norm:
            raise ConfigError(
                "batch_norm: not supported with batch_size all, which processes the images in blocks; "
                "give a number as batch_size, or turn batch_norm off"
            )
        planted = [MISTAKES[name] for name in self.mistakes]
        for mistake in planted:
            for kind, count in mistake.needs.items():
                if sum(is_a(kind, entry) for entry in self.entries) < count:
                    times = f"{count} entries" if count > 1 else "an entry"
                    raise ConfigError(
                        f"mistakes: {mistake.name} needs {times} {kind} in layers; give such layers as well"
                    )
        together = next((mistake.name for mistake in planted if mistake.whole_batch), None)
        if self.batch_size == "all" and together:
            raise ConfigError(
                f"mistakes: {together} needs all examples of a step at once, and batch_size all processes them in "
                "blocks; give a number as batch_size"
            )
        if self.mistakes_from is not None:
            self._check_later(planted, self.mistakes_from)
        for one, other in combinations(planted, 2):
            if one is other:
                raise ConfigError(f"mistakes: {one.name} is listed twice; remove one of them")
            if one.replaces and one.replaces == other.replaces:
                raise ConfigError(
                    f"mistakes: {one.name} and {other.name} both replace {one.replaces}; remove one of them"
                )
        if self.members > 1 and planted:
            raise ConfigError(
                f"members: {planted[0].name} is planted in a single network; leave out members, or the mistakes"
            )
        if self.seed + self.members - 1 > LARGEST_SEED:
            raise ConfigError(f"members: the last member's seed would be more than {LARGEST_SEED}; give a smaller seed")
        if self.batch_norm and self.batch_size == 1:
            raise ConfigError(
                "batch_norm: not possible with a batch of one image; use a batch_size of 2 or more, or turn it off"
            )

    def _check_later(self, planted: Sequence[type[Mistake]], epoch: int) -> None:
        """Refuse mistakes that cannot be planted in a run that has begun, after this ``epoch``."""
        if not planted:
            raise ConfigError("mistakes_from: no mistakes to plant; give mistakes as well")
        if epoch >= self.epochs:
            raise ConfigError(f"mistakes_from: must be less than the {self.epochs} epochs of the run")
        for mistake in planted:
            if mistake.from_the_start:
                raise ConfigError(
                    f"mistakes_from: {mistake.name} can only be planted at the start; leave out one of them"
                )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a configuration that `to_toml` gave; raise ConfigError where it cannot be used."""
        # Before there were other engines, there was NumPy.
        settings = {"engine": "numpy"} | read_toml(path, "is this a run folder?")
        if "dtype" in settings:  # which is what precision was called then
            settings["precision"] = settings.pop("dtype")
        if strange := sorted(settings.keys() - cls.model_fields.keys()):
            raise ConfigError(
                f"{path}: has a setting {strange[0]!r}, which glassnet {version('glassnet')} does not have; it was "
                "written by a newer version, or changed: use that version, or remove the setting"
            )
        return cls._checked(settings, {}, f"{path}: ")

    def to_toml(self) -> str:
        """Return the settings as TOML; those that are None are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _settings_of(mistakes: object, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that mistakes consist of; anything but a list of known names is left to validation."""
    names = mistakes if isinstance(mistakes, list | tuple) else ()
    known = [MISTAKES[name] for name in names if isinstance(name, str) and name in MISTAKES]
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    changed: dict[str, Any] = {}
    for mistake in known:
        with MISTAKES.blaming(mistake.name):
            changed |= mistake.changes(defaults | dict(base))
    return changed


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` overridden by ``above``, without those of ``below`` that do not go with ``above``.

    A new optimizer brings its own default learning rate, and weight decay belongs to the old one. Batches of one image
    or of all have no batch normalisation, and batches of all images no augmentation or adversarial training. Of
    ``layers`` and ``hidden``, which say the same, the one given last holds. All data leaves none for validation.
    """
    merged = dict(below) | ({"validation": 0.0} if above.get("all_data") is True else {})
    if above.get("layers"):
        merged.pop("hidden", None)
    elif "hidden" in above:
        merged.pop("layers", None)
    if above.get("batch_size") in ("all", 1):
        merged.pop("batch_norm", None)
    if above.get("batch_size") == "all":
        merged = {name: value for name, value in merged.items() if name not in (*AUGMENTATIONS, "adversarial")}
    optimizer = above.get("optimizer")
    rate = DEFAULT_LEARNING_RATES.get(optimizer) if isinstance(optimizer, str) else None
    if rate and optimizer != below.get("optimizer", "adam"):
        merged["learning_rate"] = rate
        merged.pop("weight_decay", None)
    return merged | dict(above)

"""The one family of errors that a person can cause and can mend.

Each carries a single line that says what was wrong, where, and what to do. The command line prints that line and exits
with 2; from Python it is an ordinary exception. Anything else that is raised is a bug in glassnet.
"""

import difflib
from collections.abc import Iterable
from numbers import Integral

__all__ = [
    "ConfigError",
    "DataError",
    "FileError",
    "GlassnetError",
    "TrainingError",
    "check_count",
    "from_elsewhere",
    "missing_package",
    "nearest",
    "pip_install",
    "similar",
]


_ELSEWHERE = {
    **dict.fromkeys(("lr", "eta", "alpha", "rate"), "learning_rate"),
    **dict.fromkeys(("batch", "bs", "batchsize", "minibatch", "b"), "batch_size"),
    **dict.fromkeys(("epoch", "n_epochs", "num_epochs", "max_iter", "e", "iterations"), "epochs"),
    **dict.fromkeys(("layers", "units", "hidden_layer_sizes", "hidden_layers", "hidden_units"), "hidden"),
    **dict.fromkeys(("wd", "decay"), "weight_decay"),
    **dict.fromkeys(("opt", "solver", "optim"), "optimizer"),
    **dict.fromkeys(("act", "nonlinearity"), "activation"),
    **dict.fromkeys(("bn", "batchnorm", "batch_normalization", "batch_normalisation"), "batch_norm"),
    **dict.fromkeys(("val", "val_split", "validation_split", "validation_fraction"), "validation"),
    **dict.fromkeys(("random_state", "random_seed"), "seed"),
    **dict.fromkeys(("early_stopping", "n_iter_no_change"), "patience"),
    **dict.fromkeys(("smoothing",), "label_smoothing"),
    **dict.fromkeys(("adversarial_training", "fgsm", "fgm"), "adversarial"),
    **dict.fromkeys(("augment", "augmentation", "rotate"), "rotation"),
    **dict.fromkeys(("clip", "grad_clip", "max_norm"), "clip_norm"),
    **dict.fromkeys(("device", "backend"), "engine"),
    **dict.fromkeys(("n_jobs", "workers"), "jobs"),
    **dict.fromkeys(("output", "output_dir", "o"), "out"),
}
"""What people call settings who come from other tools, and what they are called here."""
LONGEST = 100  # characters of a name that are compared with others, which takes time by the square of them


class GlassnetError(Exception):
    """Base class of every error that glassnet raises on purpose."""


class ConfigError(GlassnetError, ValueError):
    """A setting, recipe or configuration file that cannot be used."""


class DataError(GlassnetError, ValueError):
    """Images or labels that cannot be used."""


class FileError(GlassnetError):
    """A file that cannot be read or written, or does not hold what it should."""


class TrainingError(GlassnetError):
    """A run that cannot begin or cannot go on."""


def check_count(name: str, value: object, most: int | None = None) -> None:
    """Raise ConfigError unless the value is a whole number of at least 1 and, if given, at most ``most``."""
    if type(value) is bool or not isinstance(value, Integral) or value < 1:
        raise ConfigError(f"{name}: must be a whole number of at least 1, not {value!r:.80}")
    if most is not None and int(value) > most:
        raise ConfigError(f"{name}: must be at most {most}, not {value!r:.80}")


def from_elsewhere(name: str) -> str | None:
    """Return the setting that other tools call by this name or flag: ``learning_rate`` for ``lr`` and ``--lr``."""
    return _ELSEWHERE.get(name.lower().strip("-_").replace("-", "_"))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name most like ``name``, or else the list of known names."""
    names = list(known)
    if (meant := from_elsewhere(name)) in names:
        return f" (did you mean {meant!r}?)"
    return similar(name, names) or f" (known: {', '.join(names)})"


def similar(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name most like ``name``, in any case, or "" where none is like it.

    Up to three names whose first words ``name`` is are all given: ``emnist-digits`` and ``emnist-letters`` for
    ``emnist``.
    """
    plain = {each.lower().replace("_", "-"): each for each in known}
    wanted = name[:LONGEST].lower().replace("_", "-")
    match = [wanted] if wanted in plain else [word for word in plain if word.startswith(f"{wanted}-")]
    if not 1 <= len(match) <= 3:
        match = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.65)
    return f" (did you mean {' or '.join(repr(plain[word]) for word in match)}?)" if match else ""


def missing_package(what: str, error: ModuleNotFoundError, extra: str) -> ConfigError:
    """Return the error that ``what`` needs the package whose import has failed, which an extra would have brought."""
    package = (error.name or "a package").partition(".")[0]
    return ConfigError(f"{what} needs {package}, which is missing; {pip_install(extra)}")


def pip_install(extra: str) -> str:
    """Return the command that installs the packages of an extra.

    It names the packages, not the extra: glassnet is on no package index where pip could look its extras up.
    """
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    needed = [Requirement(line) for line in requires("glassnet") or []]
    names = [each.name for each in needed if each.marker and each.marker.evaluate({"extra": extra})]
    return " ".join(["pip install", *names])

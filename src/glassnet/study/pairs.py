"""The settings of a run with a mistake and of the cured run beside it."""

import warnings
from collections.abc import Mapping
from typing import Any

from ..clinic import MISTAKES, Mistake
from ..errors import ConfigError, nearest
from ..training import Config

__all__ = ["BASE", "circumstances", "pair"]

BASE = "fast"
"""A recipe without batch normalisation or distortions, which would hide what a mistake does."""

CIRCUMSTANCES: Mapping[str, Any] = {
    "validation": 1 / 3,
    "hidden": [32],
    "optimizer": "sgd",
    "learning_rate": 0.3,
    "batch_size": 32,
    "epochs": 15,
}
"""In which a mistake is studied, unless it shows in others."""


def pair(name: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings, over those of `BASE`, of a run with a mistake and of the cured run beside it.

    Args:
        name: of a mistake in `glassnet.clinic.MISTAKES`.
        settings: of both, over the circumstances in which the mistake shows.

    Raises:
        ConfigError: no such mistake, invalid settings, or another package's mistake that cannot be used.
    """
    if name not in MISTAKES:
        raise ConfigError(f"no mistake called {name!r}{nearest(name, MISTAKES)}")
    mistake = MISTAKES[name]
    cured = _over(_circumstances(mistake), settings)
    resolved = Config.resolve(BASE, **cured).model_dump()
    with MISTAKES.blaming(name):
        return cured | mistake.changes(resolved), cured


def circumstances() -> dict[str, dict[str, Any]]:
    """Return the settings in which each mistake shows, by its name.

    Mistakes of other packages that cannot be used are left out, which a warning says.
    """
    found = {}
    for name, mistake in MISTAKES.items():
        try:
            found[name] = _circumstances(mistake)
        except ConfigError as error:
            warnings.warn(f"{error}; it is left out", stacklevel=2)
    return found


def _circumstances(mistake: type[Mistake]) -> dict[str, Any]:
    """Return the settings in which a mistake shows; blame its package where they, or its changes, are invalid."""
    with MISTAKES.blaming(mistake.name):
        cured = _over(CIRCUMSTANCES, mistake.circumstances)
        Config.resolve(BASE, **cured | mistake.changes(Config.resolve(BASE, **cured).model_dump()))
    return cured


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others over them; ``layers`` take the place of ``hidden``."""
    both = {**below, **above}
    if both.get("layers"):
        both.pop("hidden", None)
    return both

"""The recipes that come with glassnet: TOML files of settings, each with a line of what it is for."""

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import ConfigError, nearest

__all__ = ["notebook_names", "parse_toml", "read_recipe", "recipe_names", "recipe_summary", "recipe_text"]


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with glassnet."""
    return sorted(file.name.removesuffix(".toml") for file in _recipes().iterdir() if file.name.endswith(".toml"))


def notebook_names() -> list[str]:
    """Return the names of the recipes that cure a notebook, and can be had as written."""
    return [name for name in recipe_names() if "as_written" in tomllib.loads(recipe_text(name))]


def recipe_summary(name: str) -> str:
    """Return what a recipe says of itself in its first line."""
    return recipe_text(name).splitlines()[0].removeprefix("# ")


@cache
def recipe_text(name: str) -> str:
    """Return a recipe as its TOML file; raise ConfigError, naming the nearest, where there is none of that name."""
    if name not in recipe_names():
        raise ConfigError(f"no recipe called {name!r}{nearest(name, recipe_names())}; or give a TOML file")
    text: str = (_recipes() / f"{name}.toml").read_text("utf-8")
    return text


def _recipes() -> Any:
    return files(__package__) / "recipes"


def read_recipe(recipe: str | Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return the settings of a recipe, those that a file lays over it, and how to begin an error about them."""
    name = str(recipe)
    if name in recipe_names():
        return {"recipe": name} | tomllib.loads(recipe_text(name)), {}, ""
    path = Path(recipe)
    if path.suffix != ".toml" and not path.is_file():
        recipe_text(name)  # raises, naming the nearest recipe
    try:
        own = parse_toml(path, path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a recipe or a TOML file") from error
    if "as_written" in own:
        raise ConfigError(f"{path}: as_written is for the recipes of notebooks; list mistakes = [...] instead")
    base = own.pop("recipe", "default")
    if base not in recipe_names():
        raise ConfigError(f"{path}: no recipe called {base!r}{nearest(str(base), recipe_names())}")
    return {"recipe": base} | tomllib.loads(recipe_text(base)), own, f"{path}: "


def parse_toml(path: Path, content: bytes) -> dict[str, Any]:
    """Return what a TOML file says; raise ConfigError, naming ``path``, where it is none."""
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
        raise ConfigError(f"{path}: not a TOML file: {error}") from error

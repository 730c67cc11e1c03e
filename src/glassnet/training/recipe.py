"""The recipes that come with glassnet: TOML files of settings, each with a line of what it is for."""

import codecs
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError, nearest
from ..files import advice, as_path, read_regular

__all__ = ["notebook_names", "read_recipe", "read_toml", "recipe_names", "recipe_summary", "recipe_text"]

RECIPES = Path(__file__).parent / "recipes"
MAX_TOML_BYTES = 2**16  # more than all settings with the longest values
MAX_DOTS = 100  # in a line of TOML: tomllib takes time and memory by the square of the parts of a dotted key


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with glassnet."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def notebook_names() -> list[str]:
    """Return the names of the recipes that cure a notebook, and also run as written."""
    return [name for name in recipe_names() if "as_written" in tomllib.loads(recipe_text(name))]


def recipe_summary(name: str) -> str:
    """Return the description in a recipe's first line."""
    return recipe_text(name).splitlines()[0].removeprefix("# ")


@cache
def recipe_text(name: str) -> str:
    """Return the TOML text of a recipe; raise ConfigError, naming the nearest, if no recipe has that name."""
    if name not in recipe_names():
        raise ConfigError(f"no recipe called {name!r}{nearest(name, recipe_names())}; give a recipe or a TOML file")
    return (RECIPES / f"{name}.toml").read_text("utf-8")


def read_recipe(recipe: str | Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return the settings of a recipe, those of a file that override it, and the prefix of an error about them."""
    name = str(recipe)
    if name in recipe_names():
        return {"recipe": name} | tomllib.loads(recipe_text(name)), {}, ""
    path = as_path(recipe, "recipe")
    if path.suffix != ".toml" and not path.is_file():
        recipe_text(name)  # raises, naming the nearest recipe
    own = read_toml(path, "give a recipe or a TOML file")
    if not isinstance(own.get("as_written", {}), dict):
        raise ConfigError(f"{path}: as_written must be a table of settings, [as_written]")
    start = own.pop("recipe", None)
    resolved = start is not None and {"data", "classes", "seed", "members"} <= own.keys()  # a run's, which is complete
    record = {"recipe": start if resolved else path.name}
    if start in recipe_names():
        return tomllib.loads(recipe_text(start)) | record, own, f"{path}: "
    if start is not None and not resolved:
        raise ConfigError(
            f"{path}: no recipe called {start!r}{nearest(str(start), recipe_names())}; "
            "a file can only start from a recipe that comes with glassnet"
        )
    # A file is a recipe of its own, except that mistakes bring settings, and these give way to the file's.
    return (record, own, f"{path}: ") if "mistakes" in own else (own | record, {}, f"{path}: ")


def read_toml(path: Path, otherwise: str) -> dict[str, Any]:
    """Return the content of a TOML file of settings.

    Raises:
        ConfigError: it cannot be read (and ``otherwise`` says what to do), is too large, or is not valid TOML.
    """
    try:
        content = read_regular(path, MAX_TOML_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {advice(error, otherwise)}") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise ConfigError(f"{path}: is UTF-16, as Windows' editors and PowerShell may write it; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (at byte {error.start:,}); save it as UTF-8") from error
    if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise ConfigError(f"{path}: a line has more than {MAX_DOTS} dots; give a file of settings")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
        raise ConfigError(f"{path}: not a TOML file: {error}") from error

"""A flag for each setting, as the commands that train take them."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Group, Parameter
from pydantic import BaseModel, create_model

from ..data.sources import NAMED
from ..training import Settings
from ..training.settings import Architecture, Augmentations, Data, Optimization, Running
from .groups import AUGMENTATION, DATA, NETWORK, OPTIMIZATION, RECIPE, RUN

__all__ = ["Classes", "Flags", "Recipe", "Source"]

GROUPS: dict[type[BaseModel], Group] = {
    Data: DATA,
    Augmentations: AUGMENTATION,
    Architecture: NETWORK,
    Optimization: OPTIMIZATION,
    Running: RUN,
}

Recipe: TypeAlias = Annotated[str | None, Parameter(group=RECIPE)]
Classes: TypeAlias = Annotated[int | None, Parameter(group=DATA)]


def _grouped() -> type[Settings]:
    """Return the settings with what the command line has to know of each: its group, and how its default is shown."""
    fields: dict[str, Any] = {}
    for part, group in GROUPS.items():
        for name, field in part.model_fields.items():
            parameter = Parameter(group=group, show_default=_typed(name, field.default))
            fields[name] = (Annotated[field.annotation, parameter], field)
    return create_model("Settings", __base__=Settings, **fields)


def _typed(name: str, default: Any) -> str | bool:
    """Return a default as it would be typed; False where there is nothing to show."""
    if default is None or default == ():
        return False
    if isinstance(default, bool):
        return f"--{'' if default else 'no-'}{name.replace('_', '-')}"
    values = default if isinstance(default, tuple) else (default,)
    return " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


if TYPE_CHECKING:
    Flags: TypeAlias = Settings | None
    Source: TypeAlias = str
else:
    Flags = Annotated[_grouped() | None, Parameter(name="*", consume_multiple=True, negative_bool=("no-",))]
    Source = Annotated[Literal[tuple(NAMED)] | str, Parameter(show_choices=False)]  # names, which a shell completes

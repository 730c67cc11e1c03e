"""What other installed packages bring, by entry points.

[project.entry-points."glassnet.data"]
my-digits = "my_package:load"              # load() returns a Dataset; then: glassnet train my-digits

[project.entry-points."glassnet.callbacks"]
my-log = "my_package:MyLog"                # MyLog() is a callback; then: glassnet train mnist --callback my-log
"""

from importlib.metadata import entry_points
from typing import Any, Literal, TypeAlias

from .errors import ConfigError, GlassnetError, nearest

__all__ = ["Group", "load_plugin", "plugin_names"]

Group: TypeAlias = Literal["glassnet.data", "glassnet.callbacks"]


def plugin_names(group: Group) -> list[str]:
    """Return the names that installed packages have in a group, sorted."""
    return sorted(entry_points(group=group).names)


def load_plugin(group: Group, name: str) -> Any:
    """Return what a package has under a name, called without arguments.

    Raises:
        ConfigError: no package has this name, or what it has cannot be imported or called.
    """
    found = [*entry_points(group=group, name=name)]
    if not found:
        raise ConfigError(f"{name!r} is not among the {group}{nearest(name, plugin_names(group))}")
    try:
        return found[0].load()()
    except GlassnetError:
        raise
    except Exception as error:  # it is somebody else's code
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{name}: {found[0].value} cannot be used: {reason}") from error

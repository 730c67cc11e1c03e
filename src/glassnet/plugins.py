"""What other installed packages bring, by entry points.

[project.entry-points."glassnet.data"]
my-digits = "my_package:load"              # load() returns a Dataset; then: glassnet train my-digits

[project.entry-points."glassnet.callbacks"]
my-log = "my_package:MyLog"                # MyLog() is a callback; then: glassnet train mnist --callback my-log

[project.entry-points."glassnet.engines"]
my-engine = "my_package:MyEngine"          # a subclass of glassnet.nn.Engine; then: glassnet train --engine my-engine

[project.entry-points."glassnet.mistakes"]
my-mistake = "my_package:MyMistake"        # a subclass of glassnet.clinic.Mistake; then: glassnet clinic my-mistake
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeAlias, TypeVar

from .errors import ConfigError, GlassnetError, nearest

__all__ = ["Group", "WithPlugins", "blame", "load_plugin", "make_plugin", "plugin_names"]

Group: TypeAlias = Literal["glassnet.callbacks", "glassnet.data", "glassnet.engines", "glassnet.mistakes"]
T = TypeVar("T")


def plugin_names(group: Group) -> list[str]:
    """Return the names that installed packages have in a group, sorted."""
    return sorted(entry_points(group=group).names)


def load_plugin(group: Group, name: str) -> Any:
    """Return what a package has under a name.

    Raises:
        ConfigError: no package has this name, or what it has cannot be imported.
    """
    return _tried(group, name, EntryPoint.load)


def make_plugin(group: Group, name: str) -> Any:
    """Return what a package has under a name, called without arguments.

    Raises:
        ConfigError: no package has this name, or what it has cannot be imported or called.
    """
    return _tried(group, name, lambda entry: entry.load()())


def blame(group: Group, name: str, error: BaseException | str) -> ConfigError:
    """Return the error that what a package has under a name cannot be used; it names the package."""
    entry = _entry(group, name)
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "that brings it"
    reason = " ".join(str(error).split()) or type(error).__name__
    return ConfigError(f"{name}: {entry.value} of the package {package} cannot be used: {reason}")


def _entry(group: Group, name: str) -> EntryPoint:
    found: list[EntryPoint] = [*entry_points(group=group, name=name)]
    if not found:
        raise ConfigError(f"{name!r} is not among the {group}{nearest(name, plugin_names(group))}")
    return found[0]


def _tried(group: Group, name: str, use: Callable[[EntryPoint], Any]) -> Any:
    entry = _entry(group, name)
    try:
        return use(entry)
    except GlassnetError:
        raise
    except (Exception, SystemExit) as error:  # it is somebody else's code
        raise blame(group, name, error) from error


class WithPlugins(Mapping[str, T]):
    """What glassnet has by name, and after it what installed packages bring.

    Packages are looked for, and imported, when somebody asks. One that cannot be used is left out of the list, which a
    warning says.

    Args:
        own: what glassnet has.
        group: of the entry points.
        read: returns what a package has under a name; raises ConfigError where that cannot be used.
    """

    def __init__(self, own: Mapping[str, T], group: Group, read: Callable[[str], T]) -> None:
        self._own, self._group, self._read = own, group, read

    def __getitem__(self, name: str) -> T:
        if name in self._own:
            return self._own[name]
        if name not in plugin_names(self._group):
            raise KeyError(name)
        return self._read(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._own or name in plugin_names(self._group))

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        for name in plugin_names(self._group):
            if name not in self._own and self._is_usable(name):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @contextmanager
    def blaming(self, name: str) -> Iterator[None]:
        """Blame whatever is raised here on the package that has this name, if it is not one of glassnet's own."""
        try:
            yield
        except (Exception, SystemExit) as error:
            if name in self._own:
                raise
            raise blame(self._group, name, error) from error

    def _is_usable(self, name: str) -> bool:
        try:
            self._read(name)
        except GlassnetError as error:
            warnings.warn(f"{error}; it is left out", stacklevel=3)
            return False
        return True

"""Callbacks of other packages, which may fail without taking the training with them."""

import warnings
from typing import Any, Final

from ..errors import GlassnetError
from ..plugins import blame, make_plugin
from .callbacks import AnyCallback
from .history import Row

__all__ = ["brought_callback"]

GROUP: Final = "glassnet.callbacks"


def brought_callback(name: str) -> AnyCallback[Any]:
    """Return a callback that another package brings.

    When it fails during training, a warning names the package, and the training continues without it. What it raises as
    a `GlassnetError` ends the training, as one of glassnet's own callbacks does.

    Raises:
        ConfigError: no package has this name, or what it has cannot be used.
    """
    callback = make_plugin(GROUP, name)
    if not isinstance(callback, AnyCallback):
        raise blame(GROUP, name, f"it returns a {type(callback).__name__}, not a glassnet.training.Callback")
    return _Brought(name, callback)


class _Brought(AnyCallback[Any]):
    def __init__(self, name: str, callback: AnyCallback[Any]) -> None:
        self.name, self.callback, self.failed = name, callback, False

    def on_start(self, run: Any) -> None:
        self._call("on_start", run)

    def on_step(self, run: Any, loss: float) -> None:
        self._call("on_step", run, loss)

    def on_epoch(self, run: Any, row: Row) -> None:
        self._call("on_epoch", run, row)

    def on_end(self, run: Any) -> None:
        self._call("on_end", run)

    def on_member(self, number: int, row: Row) -> None:
        self._call("on_member", number, row)

    def _call(self, method: str, *arguments: Any) -> None:
        if self.failed:
            return
        try:
            getattr(self.callback, method)(*arguments)
        except GlassnetError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it is somebody else's code
            self.failed = True
            warnings.warn(f"{blame(GROUP, self.name, error)}; training continues without it", stacklevel=2)

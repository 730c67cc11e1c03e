"""Callbacks of an estimator: glassnet's own, and scikit-learn's where it has them (from 1.9 on; SLEP023)."""

from collections.abc import Callable
from typing import Any, Self, TypeVar

from .batches import Table
from .callbacks import Callback, check_callbacks
from .history import Row

try:
    from sklearn.callback import CallbackSupportMixin, FitCallback, with_callbacks
except ModuleNotFoundError:
    FitCallback = None
    Method = TypeVar("Method", bound=Callable[..., Any])

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """What scikit-learn before 1.9 does not have: clones keep the callbacks."""

        def __sklearn_clone__(self) -> Any:
            from sklearn.base import _clone_parametrized

            clone = _clone_parametrized(self)
            clone.__dict__ |= {key: value for key, value in vars(self).items() if key == "_skl_callbacks"}
            return clone

    def with_callbacks(method: Method) -> Method:
        """Return the method: there is nothing to be done after it."""
        return method


__all__ = ["CallbackSupport", "with_callbacks"]


class CallbackSupport(CallbackSupportMixin):  # type: ignore[misc]
    """Gives an estimator `set_callbacks`."""

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Have callbacks called as each fit goes, by this estimator and by its clones; none given takes all away.

        Args:
            *callbacks: objects of classes derived from `glassnet.training.Callback`, which are given the loop (see
                `glassnet.training.LoopUnderWay`) and may end the fit after the epoch under way by its ``stop(reason)``;
                and, with scikit-learn 1.9 or newer, its own callbacks, for which an epoch is a task of the fit.

        Raises:
            ConfigError: what is no such callback, or one that needs a run folder.
        """
        theirs = [callback for callback in callbacks if _is_theirs(callback)]
        own = [callback for callback in callbacks if not _is_theirs(callback)]
        check_callbacks(own, Callback)
        # Kept where scikit-learn keeps its own, since its `clone` hands on what is there.
        kept = [*theirs, *map(_Own, own)]
        self.__dict__.pop("_skl_callbacks", None)
        if kept:
            self._skl_callbacks = kept
        return self

    def _loop_callbacks(self, epochs: int, table: Table, classes: Any) -> list[Callback]:
        """Return what the loop of a fit calls."""
        kept = getattr(self, "_skl_callbacks", [])
        own = [callback.callback for callback in kept if isinstance(callback, _Own)]
        return own if len(own) == len(kept) else [*own, _Tasks(self, epochs, table, classes)]


def _is_theirs(callback: Any) -> bool:
    return FitCallback is not None and isinstance(callback, FitCallback) and not isinstance(callback, type)


class _Own:
    """One of glassnet's callbacks among scikit-learn's, which does nothing when they are called."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback

    def setup(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_end(self, estimator: Any, context: Any) -> None: ...

    def teardown(self, estimator: Any, context: Any) -> None: ...


class _Tasks(Callback):
    """Tells scikit-learn's callbacks of a fit and of each of its epochs."""

    def __init__(self, estimator: Any, epochs: int, table: Table, classes: Any) -> None:
        self._given = {"estimator": estimator, "X": table.X, "y": classes[table.y]}
        self._estimator, self._epochs, self._classes = estimator, epochs, classes

    def on_start(self, run: Any) -> None:
        self._fit = self._estimator._init_callback_context(max_subtasks=self._epochs)
        self._fit.call_on_fit_task_begin(**self._given)
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._given)

    def on_epoch(self, run: Any, row: Row) -> None:
        if self._end(self._epoch, run):
            run.stop("a callback asked to")
        elif len(run.rows) < self._epochs and not run.stopped:
            self._begin_epoch()

    def on_end(self, run: Any) -> None:
        self._end(self._fit, run)

    def _end(self, task: Any, run: Any) -> bool:
        """End a task, with what makes an estimator of the same kind ready to predict; return whether to stop."""

        def fitted() -> dict[str, Any]:
            return {"_learned": run.learned(), "_chosen": run.chosen(), "classes_": self._classes}

        return bool(task.call_on_fit_task_end(**self._given, reconstruction_attributes=fitted))

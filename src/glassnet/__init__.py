"""A neural network for handwritten digits that you can read, watch and trust: from scratch in NumPy.

from glassnet import load_dataset, train, Model

run = train(load_dataset("digits"))
run.model.predict(images)
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import nn
    from .adoption import adopt
    from .classifier import DigitClassifier
    from .data import Dataset, load_dataset
    from .evaluation import evaluate
    from .model import Model
    from .training import Config, Run, open_model, resume, train
    from .tuning import search

__version__ = "0.1.0"

__all__ = [
    "Config",
    "Dataset",
    "DigitClassifier",
    "Model",
    "Run",
    "adopt",
    "evaluate",
    "load_dataset",
    "nn",
    "open_model",
    "resume",
    "search",
    "train",
]

# Where each name lives. They are imported when they are first used, so that `import glassnet` costs next to nothing.
_HOMES = {
    "Config": "training",
    "Dataset": "data",
    "DigitClassifier": "classifier",
    "Model": "model",
    "Run": "training",
    "adopt": "adoption",
    "evaluate": "evaluation",
    "load_dataset": "data",
    "open_model": "training",
    "resume": "training",
    "search": "tuning",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _modules():
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_modules(), "__version__"})


def _modules() -> set[str]:
    """Return the names of the modules of this package, such as ``explain`` and ``study``."""
    return {module.name for module in iter_modules(__path__) if not module.name.startswith("_")}
